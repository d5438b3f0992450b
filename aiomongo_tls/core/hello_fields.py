"""The fields of a reply to hello, each read with a check of its type.

The reply comes before authentication, from a peer that may be anything. A field that is absent has its default, a
field of the wrong type is a ProtocolError that names it.
"""

from __future__ import annotations

import datetime
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, Final, cast

from bson import ObjectId
from bson.datetime_ms import DatetimeMS

from aiomongo_tls.core.server_type import ServerType
from aiomongo_tls.core.uri.hosts import parse_address
from aiomongo_tls.errors import InvalidURI, ProtocolError

if TYPE_CHECKING:
    from aiomongo_tls.address import ServerAddress

MAX_INT32: Final = 2**31 - 1
MAX_INT64: Final = 2**63 - 1


def server_type(reply: Mapping[str, Any]) -> ServerType:
    """Find out what a server is (SDAM specification, the table in "Parsing a hello or legacy hello response").

    Args:
        reply: a reply with `ok: 1`.
    """
    if flag(reply, "isreplicaset"):
        return ServerType.RS_GHOST
    if reply.get("msg") == "isdbgrid":
        return ServerType.MONGOS
    if reply.get("setName") is None:
        return ServerType.STANDALONE
    if flag(reply, "hidden"):
        return ServerType.RS_OTHER
    # A server that knows the new name says everything with it.
    if flag(reply, "isWritablePrimary" if "isWritablePrimary" in reply else "ismaster"):
        return ServerType.RS_PRIMARY
    if flag(reply, "secondary"):
        return ServerType.RS_SECONDARY
    return ServerType.RS_ARBITER if flag(reply, "arbiterOnly") else ServerType.RS_OTHER


def flag(reply: Mapping[str, Any], name: str) -> bool:
    """Read a boolean; absent is false."""
    value = reply.get(name, False)
    # mongod sends booleans; a number is what shells and proxies make of them.
    if not isinstance(value, (bool, int, float)):
        raise _unexpected(name, value, "a boolean")
    return bool(value)


def integer(reply: Mapping[str, Any], name: str, *, low: int, default: int) -> int:
    """Read a 32 bit integer that is not below `low`."""
    value = optional_integer(reply, name, MAX_INT32, low)
    return default if value is None else value


def optional_integer(reply: Mapping[str, Any], name: str, high: int, low: int = 0) -> int | None:
    """Read an integer between two bounds; absent and null are None."""
    value = reply.get(name)
    if value is None:
        return None
    if isinstance(value, float) and value.is_integer():
        value = int(value)
    if not isinstance(value, int) or isinstance(value, bool) or not low <= value <= high:
        raise _unexpected(name, value, f"an integer from {low} to {high}")
    return int(value)


def optional_text(reply: Mapping[str, Any], name: str) -> str | None:
    """Read a string; absent and null are None."""
    value = reply.get(name)
    if value is not None and not isinstance(value, str):
        raise _unexpected(name, value, "a string")
    return value


def optional_object_id(reply: Mapping[str, Any], name: str) -> ObjectId | None:
    """Read an ObjectId; absent and null are None."""
    value = reply.get(name)
    if value is not None and not isinstance(value, ObjectId):
        raise _unexpected(name, value, "an ObjectId")
    return value


def optional_document(reply: Mapping[str, Any], name: str) -> Mapping[str, Any] | None:
    """Read a document; absent and null are None."""
    value: object = reply.get(name)
    if value is None:
        return None
    if not isinstance(value, Mapping):
        raise _unexpected(name, value, "a document")
    return cast(Mapping[str, Any], value)


def optional_seconds(document: Mapping[str, Any], name: str) -> float | None:
    """Read a date as seconds since 1970; absent and null are None."""
    value = document.get(name)
    if value is None:
        return None
    if isinstance(value, DatetimeMS):
        return int(value) / 1000
    if not isinstance(value, datetime.datetime):
        raise _unexpected(name, value, "a date")
    # bson's dates without a zone are in UTC.
    return (value if value.tzinfo is not None else value.replace(tzinfo=datetime.UTC)).timestamp()


def optional_address(reply: Mapping[str, Any], name: str) -> ServerAddress | None:
    """Read the address of a server; absent, null and empty are None."""
    text = optional_text(reply, name)
    return _address(name, text) if text else None


def addresses(reply: Mapping[str, Any], name: str) -> frozenset[ServerAddress]:
    """Read a list of addresses; absent and null are none."""
    value: object = reply.get(name)
    if value is None:
        return frozenset()
    if not isinstance(value, Sequence) or isinstance(value, str | bytes):
        raise _unexpected(name, value, "a list of addresses")
    return frozenset(_address(name, text) for text in cast(Sequence[object], value))


def _address(name: str, text: object) -> ServerAddress:
    if not isinstance(text, str):
        raise _unexpected(name, text, "an address")
    try:
        return parse_address(text)
    except InvalidURI as error:
        raise _unexpected(name, text, "host:port") from error


def _unexpected(name: str, value: object, expected: str) -> ProtocolError:
    return ProtocolError(f"the reply to hello has {name} = {repr(value)[:60]}, expected {expected}")
