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
from typing import TYPE_CHECKING, Any

from aiomongo_tls.core.hello_fields import (
    MAX_INT32,
    MAX_INT64,
    flag,
    integer,
    optional_document,
    optional_integer,
    optional_object_id,
    optional_text,
    server_type,
)
from aiomongo_tls.core.reply import raise_for_reply
from aiomongo_tls.core.server_type import ServerType
from aiomongo_tls.core.wire_versions import incompatibility
from aiomongo_tls.errors import ConfigurationError

if TYPE_CHECKING:
    from bson import ObjectId

    from aiomongo_tls.address import ServerAddress

_BACKPRESSURE = "2"


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
        server_type=server_type(reply),
        min_wire_version=integer(reply, "minWireVersion", low=0, default=0),
        max_wire_version=integer(reply, "maxWireVersion", low=0, default=0),
        max_bson_object_size=integer(reply, "maxBsonObjectSize", low=1, default=defaults.max_bson_object_size),
        max_message_size_bytes=integer(reply, "maxMessageSizeBytes", low=1, default=defaults.max_message_size_bytes),
        max_write_batch_size=integer(reply, "maxWriteBatchSize", low=1, default=defaults.max_write_batch_size),
        logical_session_timeout_minutes=optional_integer(reply, "logicalSessionTimeoutMinutes", MAX_INT32),
        connection_id=optional_integer(reply, "connectionId", MAX_INT64),
        set_name=optional_text(reply, "setName"),
        service_id=optional_object_id(reply, "serviceId"),
        hello_ok=flag(reply, "helloOk"),
        speculative_reply=optional_document(reply, "speculativeAuthenticate"),
        hello=MappingProxyType({name: value for name, value in reply.items() if name != "speculativeAuthenticate"}),
    )


_DEFAULTS = StreamDescription()


def check_compatible(description: StreamDescription) -> None:
    """See to it that the server and this version of the package have a wire version in common.

    Raises:
        ConfigurationError: the server is too old or too new.
    """
    server = f"Server at {description.address}" if description.address is not None else "The server"
    reason = incompatibility(server, description.min_wire_version, description.max_wire_version)
    if reason is not None:
        raise ConfigurationError(reason)
