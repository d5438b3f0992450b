"""hello: the first command on every connection, and what its reply says.

Specifications: mongodb-handshake, "Connection handshake"; server-discovery-and-monitoring, "Parsing a hello or
legacy hello response" and "Checking wire protocol compatibility".

The reply comes before authentication, from a peer that may be anything. Every field that is used is checked; a
field of the wrong type is a ProtocolError that names it.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, cast

from bson import ObjectId

from aiomongo_tls.core.auth.metadata import DRIVER_NAME
from aiomongo_tls.core.reply import raise_for_reply
from aiomongo_tls.core.server_type import ServerType
from aiomongo_tls.errors import ConfigurationError, ProtocolError

if TYPE_CHECKING:
    from aiomongo_tls.address import ServerAddress

MIN_WIRE_VERSION = 8
"""The oldest wire version that we speak: MongoDB 4.2."""

MAX_WIRE_VERSION = 29
"""The newest wire version that we know."""

_MIN_SERVER = "MongoDB 4.2"
_BACKPRESSURE = "2"
_MAX_INT32 = 2**31 - 1
_MAX_INT64 = 2**63 - 1


def hello_command(
    *,
    client: Mapping[str, Any] | None,
    authentication: Mapping[str, Any] | None = None,
    load_balanced: bool = False,
) -> dict[str, Any]:
    """Build the first command of a connection.

    Args:
        client: the client document.
        authentication: the fields of who will authenticate on this connection; None on one that only monitors.
        load_balanced: whether a load balancer is at the other end.
    """
    # Servers before 4.4 know only the legacy name; those that can be behind a load balancer are newer.
    command: dict[str, Any] = {"hello": 1} if load_balanced else {"isMaster": 1}
    command |= {"helloOk": True, "backpressure": _BACKPRESSURE}
    if load_balanced:
        command["loadBalanced"] = True
    if client is not None:
        command["client"] = client
    command["compression"] = []
    return command | dict(authentication or {})


def heartbeat_command(
    *, hello_ok: bool, topology_version: Mapping[str, Any] | None = None, max_await_time: float = 0.0
) -> dict[str, Any]:
    """Build a later hello of a connection: it says nothing of the client again.

    Args:
        hello_ok: whether the server knows the name `hello`.
        topology_version: the topology version that is known; the server waits until it has a newer one. None: it
            answers at once.
        max_await_time: seconds that it waits at most.
    """
    command: dict[str, Any] = {"hello": 1} if hello_ok else {"isMaster": 1, "helloOk": True}
    if topology_version is not None:
        command |= {"topologyVersion": topology_version, "maxAwaitTimeMS": int(max_await_time * 1000)}
    return command


@dataclass(frozen=True, slots=True, kw_only=True)
class StreamDescription:
    """What one connection's hello told about the server at its other end.

    A connection follows its own description, not the monitor's: behind one name there may be different servers.

    Args:
        address: the server.
        server_type: what it is.
        min_wire_version: the oldest wire version that it speaks.
        max_wire_version: the newest one.
        max_bson_object_size: bytes of the largest document.
        max_message_size_bytes: bytes of the largest message.
        max_write_batch_size: documents or statements of the largest batch of writes.
        logical_session_timeout_minutes: how long a session may be idle; None: the server has no sessions.
        connection_id: the server's number for this connection, as in its log.
        set_name: the replica set's name.
        service_id: which service behind the load balancer answers; None without one.
        hello_ok: whether later hellos may be called `hello`.
        speculative_reply: the reply to the speculative authentication, if there was one and nobody has used it yet.
        hello: the whole reply, except for `speculativeAuthenticate`.
    """

    address: ServerAddress | None = None
    server_type: ServerType = ServerType.UNKNOWN
    min_wire_version: int = 0
    max_wire_version: int = 0
    max_bson_object_size: int = 16 * 1024 * 1024
    max_message_size_bytes: int = 48_000_000
    max_write_batch_size: int = 100_000
    logical_session_timeout_minutes: int | None = None
    connection_id: int | None = None
    set_name: str | None = None
    service_id: ObjectId | None = None
    hello_ok: bool = False
    speculative_reply: Mapping[str, Any] | None = field(default=None, repr=False)
    hello: Mapping[str, Any] = field(default_factory=dict[str, Any], repr=False)


def parse_hello(reply: Mapping[str, Any], *, host: ServerAddress | None = None) -> StreamDescription:
    """Read the reply to hello.

    Args:
        reply: the decoded reply.
        host: the server that sent it.

    Raises:
        ProtocolError: a field has a type or value that it cannot have.
        OperationFailure: the server answered with an error.
        NotPrimaryError: the server is going away.
    """
    raise_for_reply(reply, host=host)
    defaults = _DEFAULTS
    return StreamDescription(
        address=host,
        server_type=_server_type(reply),
        min_wire_version=_integer(reply, "minWireVersion", low=0, default=0),
        max_wire_version=_integer(reply, "maxWireVersion", low=0, default=0),
        max_bson_object_size=_integer(reply, "maxBsonObjectSize", low=1, default=defaults.max_bson_object_size),
        max_message_size_bytes=_integer(reply, "maxMessageSizeBytes", low=1, default=defaults.max_message_size_bytes),
        max_write_batch_size=_integer(reply, "maxWriteBatchSize", low=1, default=defaults.max_write_batch_size),
        logical_session_timeout_minutes=_optional_integer(reply, "logicalSessionTimeoutMinutes", _MAX_INT32),
        connection_id=_optional_integer(reply, "connectionId", _MAX_INT64),
        set_name=_optional_text(reply, "setName"),
        service_id=_optional_object_id(reply, "serviceId"),
        hello_ok=_flag(reply, "helloOk"),
        speculative_reply=_optional_document(reply, "speculativeAuthenticate"),
        hello=MappingProxyType({name: value for name, value in reply.items() if name != "speculativeAuthenticate"}),
    )


_DEFAULTS = StreamDescription()


def check_compatible(description: StreamDescription) -> None:
    """See to it that the server and this version of the package have a wire version in common.

    Raises:
        ConfigurationError: the server is too old or too new.
    """
    server = f"server at {description.address}" if description.address is not None else "the server"
    if description.min_wire_version > MAX_WIRE_VERSION:
        raise ConfigurationError(
            f"{server} requires wire version {description.min_wire_version}, but this version of {DRIVER_NAME} only "
            f"supports up to {MAX_WIRE_VERSION}; use a newer {DRIVER_NAME}"
        )
    if description.max_wire_version < MIN_WIRE_VERSION:
        raise ConfigurationError(
            f"{server} reports wire version {description.max_wire_version}, but this version of {DRIVER_NAME} requires "
            f"at least {MIN_WIRE_VERSION} ({_MIN_SERVER}); upgrade the server"
        )


def _server_type(reply: Mapping[str, Any]) -> ServerType:
    """The table in "Parsing a hello or legacy hello response"."""
    if _flag(reply, "isreplicaset"):
        return ServerType.RS_GHOST
    if reply.get("msg") == "isdbgrid":
        return ServerType.MONGOS
    if reply.get("setName") is None:
        return ServerType.STANDALONE
    if _flag(reply, "hidden"):
        return ServerType.RS_OTHER
    if _flag(reply, "isWritablePrimary") or _flag(reply, "ismaster"):
        return ServerType.RS_PRIMARY
    if _flag(reply, "secondary"):
        return ServerType.RS_SECONDARY
    return ServerType.RS_ARBITER if _flag(reply, "arbiterOnly") else ServerType.RS_OTHER


def _flag(reply: Mapping[str, Any], name: str) -> bool:
    value = reply.get(name, False)
    # mongod sends booleans; a number is what shells and proxies make of them.
    if not isinstance(value, (bool, int, float)):
        raise _unexpected(name, value, "a boolean")
    return bool(value)


def _integer(reply: Mapping[str, Any], name: str, *, low: int, default: int) -> int:
    value = _optional_integer(reply, name, _MAX_INT32, low)
    return default if value is None else value


def _optional_integer(reply: Mapping[str, Any], name: str, high: int, low: int = 0) -> int | None:
    value = reply.get(name)
    if value is None:
        return None
    if isinstance(value, float) and value.is_integer():
        value = int(value)
    if not isinstance(value, int) or isinstance(value, bool) or not low <= value <= high:
        raise _unexpected(name, value, f"an integer from {low} to {high}")
    return int(value)


def _optional_text(reply: Mapping[str, Any], name: str) -> str | None:
    value = reply.get(name)
    if value is not None and not isinstance(value, str):
        raise _unexpected(name, value, "a string")
    return value


def _optional_object_id(reply: Mapping[str, Any], name: str) -> ObjectId | None:
    value = reply.get(name)
    if value is not None and not isinstance(value, ObjectId):
        raise _unexpected(name, value, "an ObjectId")
    return value


def _optional_document(reply: Mapping[str, Any], name: str) -> Mapping[str, Any] | None:
    value: object = reply.get(name)
    if value is None:
        return None
    if not isinstance(value, Mapping):
        raise _unexpected(name, value, "a document")
    return cast(Mapping[str, Any], value)


def _unexpected(name: str, value: object, expected: str) -> ProtocolError:
    return ProtocolError(f"the reply to hello has {name} = {repr(value)[:60]}, expected {expected}")
