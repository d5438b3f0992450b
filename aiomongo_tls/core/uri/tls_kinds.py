"""Kinds of value that only TLS has: an identity, a ready context, the names of servers."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any, Final, cast

from aiomongo_tls.core.options.tls_identity import TLSIdentity
from aiomongo_tls.core.options.tls_options import ServerName
from aiomongo_tls.core.uri.hosts import parse_address
from aiomongo_tls.core.uri.kinds import ABSENT, UNUSABLE, Kind, Remark, object_like
from aiomongo_tls.core.uri.value_kinds import ascii_domain
from aiomongo_tls.errors import InvalidURI

if TYPE_CHECKING:
    from aiomongo_tls.address import ServerAddress

SSL_CONTEXT: Final = object_like(
    "an ssl.SSLContext", lambda value, _remark: value if hasattr(value, "wrap_bio") else UNUSABLE
)


def _take_identity(value: Any, _remark: Remark) -> Any:
    # A class in place of its instance has the method too.
    provides = callable(getattr(value, "identity", None)) and not isinstance(value, type)
    return value if isinstance(value, TLSIdentity) or provides else UNUSABLE


TLS_IDENTITY: Final = object_like("a TLSIdentity, or an object with `async def identity(self)`", _take_identity)

# The address may have colons in it; an IPv6 address in place of the name has brackets around it.
_PAIR = re.compile(r"(?P<host>.+):(?P<name>\[[^\]]*\]|[^:\[\]]*)", re.DOTALL)
# The port of an address that names none.
_ANY_PORT: Final = 0


def _read_server_names(value: str, remark: Remark) -> Any:
    pairs: list[tuple[object, object]] = []
    for place, pair in enumerate(value.split(","), 1):
        match = _PAIR.fullmatch(pair)
        if match is None:
            remark(f"has no host:port:name or host:name in entry {place}, which is ignored", damaged=True)
        else:
            pairs.append((match["host"], match["name"]))
    names = _server_names(pairs, remark)
    return UNUSABLE if names is ABSENT else names


def _take_server_names(value: Any, remark: Remark) -> Any:
    if isinstance(value, str):
        return _read_server_names(value, remark)
    if not isinstance(value, Mapping):
        return UNUSABLE
    return _server_names(cast(Mapping[object, object], value).items(), remark)


def _server_names(pairs: Iterable[tuple[object, object]], remark: Remark) -> Any:
    """The entries in a fixed order. What is wrong is told by its place: in a broken URI anything can stand there."""
    found: dict[tuple[str, int | None], str] = {}
    for place, (host, name) in enumerate(pairs, 1):
        address, known_as = _address(host), _name(name)
        if address is None:
            remark(f"has something other than a host or host:port before the name in entry {place}", damaged=True)
        elif known_as is None:
            remark(f"has no host name or IP address (without a port) as the name in entry {place}", damaged=True)
        elif found.setdefault((address.host, address.port), known_as) != known_as:
            remark(f"has another name for the same host in entry {place}", damaged=True)
    return tuple(sorted((ServerName(*place, name) for place, name in found.items()), key=str)) or ABSENT


def _address(text: object) -> ServerAddress | None:
    try:
        return parse_address(text, _ANY_PORT) if isinstance(text, str) else None
    except InvalidURI:
        return None


def _name(text: object) -> str | None:
    """A name as SNI and certificates have it: in ASCII, and without the dot behind a complete one."""
    if not isinstance(text, str) or text.startswith("."):
        return None
    address = _address(f"[{text}]" if text.count(":") > 1 and not text.startswith("[") else text)
    if address is None or address.port != _ANY_PORT or "%" in address.host:
        return None
    return address.host if address.is_ip else ascii_domain(address.host)


SERVER_NAMES: Final = Kind(
    "host:port:name or host:name with commas between them, or a dictionary from host:port or host to name",
    _read_server_names,
    _take_server_names,
)
