"""Connection strings to the letter of MongoDB's specifications: connection-string, uri-options, auth."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, Final

from aiomongo_tls.address import DEFAULT_PORT, ServerAddress
from aiomongo_tls.core.uri.conflicts import Facts, check_conflicts
from aiomongo_tls.core.uri.hosts import parse_hosts
from aiomongo_tls.core.uri.mechanisms import build_credential
from aiomongo_tls.core.uri.notices import Notices
from aiomongo_tls.core.uri.percent import decode, decode_userinfo
from aiomongo_tls.core.uri.query import QueryReader
from aiomongo_tls.core.uri.registry import OPTIONS
from aiomongo_tls.core.uri.settings import Settings
from aiomongo_tls.errors import InvalidURI

if TYPE_CHECKING:
    from aiomongo_tls.core.options.credential import MongoCredential

SCHEME: Final = "mongodb://"
SRV_SCHEME: Final = "mongodb+srv://"
_FORBIDDEN_IN_DATABASE: Final = frozenset('/\\ "$\0')


@dataclass(frozen=True, slots=True, kw_only=True, repr=False)
class Parts:
    """A connection string taken apart, before its options are checked against each other.

    Args:
        hosts: the hosts; for mongodb+srv the one name to look up, whose port means nothing.
        is_srv: whether the scheme is mongodb+srv.
        username: the decoded user name; None without an `@`.
        password: the decoded password; None without a `:` in the user information.
        database: the database in the path.
        collection: what stands behind the first dot in the path, as PyMongo has it.
        settings: the options.
    """

    hosts: tuple[ServerAddress, ...]
    is_srv: bool = False
    username: str | None = None
    password: str | None = None
    database: str | None = None
    collection: str | None = None
    settings: Settings = field(default_factory=Settings)


@dataclass(frozen=True, slots=True, kw_only=True, repr=False)
class ConnectionString:
    """What a connection string says.

    Args:
        hosts: the hosts in their order, names in lower case; for mongodb+srv the one name to look up, whose port
            means nothing.
        is_srv: whether the scheme is mongodb+srv.
        username: the decoded user name.
        password: the decoded password.
        database: the database in the path.
        collection: what stands behind the first dot in the path, as PyMongo has it.
        options: the options by canonical name, in the options' own units.
        credential: the credential that all of it describes; None if nothing asks for authentication.
    """

    hosts: tuple[ServerAddress, ...]
    is_srv: bool
    username: str | None
    password: str | None
    database: str | None
    collection: str | None
    options: Mapping[str, Any]
    credential: MongoCredential | None

    def __repr__(self) -> str:
        options = ", ".join(f"{name!r}: {OPTIONS[name].shown(value)}" for name, value in self.options.items())
        password = None if self.password is None else "<hidden>"
        return (
            f"ConnectionString(hosts={self.hosts!r}, is_srv={self.is_srv}, username={self.username!r}, "
            f"password={password}, database={self.database!r}, collection={self.collection!r}, options={{{options}}}, "
            f"credential={self.credential!r})"
        )


def parse_uri(uri: str) -> ConnectionString:
    """Parse a connection string.

    Options that are unknown or have an unusable value are warned of (`warnings.warn`) and ignored, as the
    specifications demand of every driver; a client built from the same string refuses some of them.

    Args:
        uri: `mongodb://…` or `mongodb+srv://…`. User name and password are percent-encoded; where
            `urllib.parse.quote_plus()` can have written them, `+` stands for a space.

    Returns:
        Its parts; nothing is looked up or opened.

    Raises:
        InvalidURI: the syntax is broken.
        ConfigurationError: options contradict or disagree with each other, or do not make a credential.
    """
    notices = Notices()
    parts = split_uri(uri, notices)
    settings = parts.settings.settled()
    check_conflicts(Facts(settings.values(), len(parts.hosts), parts.is_srv))
    credential = build_credential(
        mechanism=settings.value("authMechanism"),
        username=parts.username,
        password=parts.password,
        auth_source=settings.value("authSource"),
        database=parts.database,
        properties=settings.value("authMechanismProperties", {}),
    )
    notices.emit()
    return ConnectionString(
        hosts=parts.hosts,
        is_srv=parts.is_srv,
        username=parts.username,
        password=parts.password,
        database=parts.database,
        collection=parts.collection,
        options=MappingProxyType(dict(settings.values())),
        credential=credential,
    )


def is_uri(text: str) -> bool:
    """Whether a text is meant as a connection string rather than as the name of a host."""
    return "://" in text


def split_uri(uri: str, notices: Notices, default_port: int = DEFAULT_PORT) -> Parts:
    """Take a connection string apart; each part is checked alone.

    Args:
        uri: the connection string.
        notices: takes the warnings.
        default_port: the port of hosts that name none.

    Raises:
        InvalidURI: the syntax is broken.
        ConfigurationError: an option has a value that the specifications call an error, or `tls` and `ssl` disagree.
    """
    if any("\ud800" <= character <= "\udfff" for character in uri):
        raise InvalidURI("the URI is not valid Unicode")
    is_srv = uri.startswith(SRV_SCHEME)
    if not is_srv and not uri.startswith(SCHEME):
        raise InvalidURI(f"a URI begins with {SCHEME} or {SRV_SCHEME}")
    # Passwords with a raw '?' or '/' break here, and are reported as a broken host or database.
    rest, _, query = uri.removeprefix(SRV_SCHEME if is_srv else SCHEME).partition("?")
    authority, _, path = rest.partition("/")
    userinfo, at_sign, hosts = authority.rpartition("@")
    credentials = _split_userinfo(userinfo) if at_sign else (None, None)
    addresses = parse_hosts(hosts, default_port)
    if is_srv:
        _check_srv(hosts, addresses)
    database, collection = _split_path(path)
    return Parts(
        hosts=addresses,
        is_srv=is_srv,
        username=credentials[0],
        password=credentials[1],
        database=database,
        collection=collection,
        settings=QueryReader(notices).read(query),
    )


def _split_userinfo(userinfo: str) -> tuple[str, str | None]:
    parts = decode_userinfo(userinfo)
    if parts is None:
        raise InvalidURI(
            "user name and password in the URI are not percent-encoded; encode each of them with "
            "urllib.parse.quote_plus, or give them as username= and password="
        )
    return parts


def _split_path(path: str) -> tuple[str | None, str | None]:
    name = decode(path)
    # A raw '@' is the sign of a password with a '/' in it that was not encoded.
    if name is None or "@" in path or _FORBIDDEN_IN_DATABASE.intersection(name):
        raise InvalidURI(
            "the database in the URI has a character that is not allowed there; if it belongs to the password, "
            "percent-encode the password with urllib.parse.quote_plus"
        )
    database, _, collection = name.partition(".")
    return database or None, collection or None


def _check_srv(hosts: str, addresses: tuple[ServerAddress, ...]) -> None:
    # Initial DNS seedlist discovery specification, "Connection String Format".
    if len(addresses) != 1:
        raise InvalidURI(f"{SRV_SCHEME} takes exactly one host name")
    if ":" in hosts or addresses[0].is_unix_socket or addresses[0].is_ip:
        raise InvalidURI(f"{SRV_SCHEME} takes a host name without a port, neither an address nor a socket")
