"""Host identifiers: names, IP addresses, IPv6 literals and paths of unix domain sockets.

What is refused is told by its position in the list and never quoted: in a URI whose password was not
percent-encoded, a piece of the password stands where a host is expected.
"""

from __future__ import annotations

import re
from ipaddress import IPv6Address

from aiomongo_tls.address import DEFAULT_PORT, ServerAddress
from aiomongo_tls.core.uri.percent import decode
from aiomongo_tls.errors import InvalidURI

_PORT = re.compile(r"[0-9]{1,5}")
# Anything but white space, control characters and what separates the parts of a URI; umlauts are fine.
_HOST_NAME = re.compile(r"""[^\s\x00-\x20\x7f"#%/:<>?@\[\\\]^`{|}]+""")
_ESCAPE_HINT = "special characters in user name and password have to be percent-encoded (urllib.parse.quote_plus)"


def parse_hosts(text: str, default_port: int = DEFAULT_PORT) -> tuple[ServerAddress, ...]:
    """Parse the host list of a URI (connection string specification, "Host Information").

    Args:
        text: host identifiers separated by commas.
        default_port: the port of a host that names none.

    Returns:
        The addresses in their order.

    Raises:
        InvalidURI: a host identifier is not valid.
    """
    if "/" in text:
        raise InvalidURI("a '/' in a host has to be percent-encoded as %2F, also in the path of a unix domain socket")
    entries = text.split(",")
    if len(entries) == 1:
        return (_parse_entry(entries[0], default_port, "the host"),)
    return tuple(_parse_entry(entry, default_port, f"host {n} of the list") for n, entry in enumerate(entries, 1))


def parse_address(text: str, default_port: int = DEFAULT_PORT) -> ServerAddress:
    """Parse one bare address as users write it outside of a URI: a socket's path is not encoded there.

    Args:
        text: `host`, `host:port`, `[::1]:port` or a path that ends in `.sock`.
        default_port: the port where the text names none.

    Raises:
        InvalidURI: the text is none of these.
    """
    if "/" in text and text.endswith(".sock"):
        return ServerAddress(text, None)
    if "/" in text or "@" in text or "?" in text:
        raise InvalidURI("the host is neither an address nor a URI; a URI begins with mongodb://")
    return _parse_entry(text, default_port, "the host")


def _parse_entry(entry: str, default_port: int, what: str) -> ServerAddress:
    if not entry:
        raise InvalidURI(f"{what} is empty")
    if entry.startswith("["):
        return _parse_ipv6(entry, default_port, what)
    if "%" in entry:
        return _parse_socket(entry, what)
    name, colon, port = entry.partition(":")
    if ":" in port:
        raise InvalidURI(f"{what} has more than one ':'; an IPv6 address stands in brackets, and {_ESCAPE_HINT}")
    if not _HOST_NAME.fullmatch(name):
        raise InvalidURI(f"{what} is not a host name or an address; {_ESCAPE_HINT}")
    return ServerAddress(name.lower(), _parse_port(port, what) if colon else default_port)


def _parse_port(text: str, what: str) -> int:
    if not _PORT.fullmatch(text) or not 1 <= int(text) <= 65535:
        raise InvalidURI(f"the port of {what} is not a number from 1 to 65535; {_ESCAPE_HINT}")
    return int(text)


def _parse_ipv6(entry: str, default_port: int, what: str) -> ServerAddress:
    literal, bracket, rest = entry[1:].partition("]")
    # A zone is written %25eth0 in a URI (RFC 6874), but often just %eth0.
    address, percent, zone = literal.replace("%25", "%", 1).partition("%")
    if not bracket or not _is_ipv6(address) or (percent and not _HOST_NAME.fullmatch(zone)):
        raise InvalidURI(f"{what} is not an IPv6 address in brackets such as [::1] or [fe80::1%25eth0]")
    if rest and not rest.startswith(":"):
        raise InvalidURI(f"{what} has something other than ':port' after the bracket")
    port = _parse_port(rest[1:], what) if rest else default_port
    # Names of network interfaces are case-sensitive.
    return ServerAddress(address.lower() + percent + zone, port)


def _is_ipv6(text: str) -> bool:
    try:
        IPv6Address(text)
    except ValueError:
        return False
    return True


def _parse_socket(entry: str, what: str) -> ServerAddress:
    path = decode(entry)
    if path is None or not path.endswith(".sock") or "/" not in path or "\0" in path:
        raise InvalidURI(f"{what} has a '%', which only the path of a unix domain socket (…%2Fname.sock) may have")
    return ServerAddress(path, None)
