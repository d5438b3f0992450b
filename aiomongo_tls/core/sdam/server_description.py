"""What is known of one server (SDAM specification, "ServerDescription")."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, Final

from aiomongo_tls.core import hello_fields
from aiomongo_tls.core.reply import raise_for_reply
from aiomongo_tls.core.sdam.topology_version import TopologyVersion
from aiomongo_tls.core.server_type import ServerType

if TYPE_CHECKING:
    from bson import ObjectId

    from aiomongo_tls.address import ServerAddress

DATA_BEARING: Final = frozenset(
    {
        ServerType.MONGOS,
        ServerType.RS_PRIMARY,
        ServerType.RS_SECONDARY,
        ServerType.STANDALONE,
        ServerType.LOAD_BALANCER,
    }
)
"""The types of servers that operations can be sent to."""

WRITABLE: Final = DATA_BEARING - {ServerType.RS_SECONDARY}
"""The types of servers that take writes."""

_NO_TAGS: Mapping[str, Any] = MappingProxyType({})


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class ServerDescription:
    """What the last check of a server told; a value that is replaced, never changed.

    Two descriptions are equal if they say the same of the server. Round trip times, the last write and the time of
    the check, which differ from check to check, do not count; errors count by class and text.

    Args:
        address: the address that the client connects to.
        server_type: what the server is.
        error: why it is Unknown, if something went wrong.
        round_trip_time: seconds that a hello takes, averaged; None while the server is Unknown.
        min_round_trip_time: the shortest of the last ten, 0 until there are two.
        last_write_date: seconds since 1970 of the last write by the server's own clock; None if it does not tell.
        last_update_time: when it was checked, in seconds of the clock that the client uses for everything.
        min_wire_version: the oldest wire version that it speaks.
        max_wire_version: the newest one.
        me: the address under which its replica set knows it.
        hosts: members of the set that can become primary, as this one sees it.
        passives: members with priority 0.
        arbiters: members without data.
        tags: the tags that its set's configuration gives it.
        replica_set_name: the name of its set.
        set_version: the version of the set's configuration.
        election_id: the election that made it primary.
        primary: who it thinks is primary.
        logical_session_timeout_minutes: how long a session may be idle; None: no sessions.
        topology_version: how recent this is; None from servers before 4.4 and after most errors.
        reply: the reply that all of this was read from.
    """

    address: ServerAddress
    server_type: ServerType = ServerType.UNKNOWN
    error: Exception | None = None
    round_trip_time: float | None = None
    min_round_trip_time: float = 0.0
    last_write_date: float | None = None
    last_update_time: float = 0.0
    min_wire_version: int = 0
    max_wire_version: int = 0
    me: ServerAddress | None = None
    hosts: frozenset[ServerAddress] = frozenset()
    passives: frozenset[ServerAddress] = frozenset()
    arbiters: frozenset[ServerAddress] = frozenset()
    tags: Mapping[str, Any] = field(default_factory=lambda: _NO_TAGS)
    replica_set_name: str | None = None
    set_version: int | None = None
    election_id: ObjectId | None = None
    primary: ServerAddress | None = None
    logical_session_timeout_minutes: int | None = None
    topology_version: TopologyVersion | None = None
    reply: Mapping[str, Any] | None = field(default=None, repr=False)

    @property
    def server_type_name(self) -> str:
        """The specification's name of the type, for example `RSPrimary`."""
        return self.server_type.value

    @property
    def is_server_type_known(self) -> bool:
        """Whether the last check succeeded; the specification calls such a server available."""
        return self.server_type is not ServerType.UNKNOWN

    @property
    def is_data_bearing(self) -> bool:
        """Whether operations can be sent to it."""
        return self.server_type in DATA_BEARING

    @property
    def is_writable(self) -> bool:
        """Whether it takes writes."""
        return self.server_type in WRITABLE

    @property
    def is_readable(self) -> bool:
        """Whether it can be read from."""
        return self.server_type in DATA_BEARING

    @property
    def all_hosts(self) -> frozenset[ServerAddress]:
        """All members of its replica set that it names."""
        return self.hosts | self.passives | self.arbiters

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, ServerDescription):
            return NotImplemented
        return self is other or _told_by(self) == _told_by(other)

    def __hash__(self) -> int:
        return hash((self.address, self.server_type, self.replica_set_name, self.topology_version))

    def __str__(self) -> str:
        text = f"{self.address} {self.server_type_name}"
        if self.round_trip_time is not None:
            text += f" rtt={self.round_trip_time * 1000:.1f}ms"
        return f"{text} error={self.error}" if self.error is not None else text


def _told_by(server: ServerDescription) -> tuple[object, ...]:
    """The fields marked (=) in the specification."""
    return (
        server.address,
        server.server_type,
        server.error and (type(server.error), str(server.error)),
        server.min_wire_version,
        server.max_wire_version,
        server.me,
        server.hosts,
        server.passives,
        server.arbiters,
        server.tags,
        server.replica_set_name,
        server.set_version,
        server.election_id,
        server.primary,
        server.logical_session_timeout_minutes,
        server.topology_version,
    )


def description_of(
    address: ServerAddress,
    reply: Mapping[str, Any],
    *,
    round_trip_time: float | None,
    min_round_trip_time: float = 0.0,
    now: float,
) -> ServerDescription:
    """Describe a server from its reply to hello.

    Wire versions are only taken down: whether they can be dealt with is a question for the whole topology.

    Args:
        address: where the reply comes from.
        reply: the decoded reply.
        round_trip_time: the average in seconds, this hello included.
        min_round_trip_time: the shortest in seconds.
        now: the time of the check.

    Raises:
        ProtocolError: a field has a type or value that it cannot have; the check has failed.
        OperationFailure: the server answered with an error; the check has failed.
        NotPrimaryError: the server is going away; the check has failed.
    """
    raise_for_reply(reply, host=address)
    last_write = hello_fields.optional_document(reply, "lastWrite") or {}
    return ServerDescription(
        address=address,
        server_type=hello_fields.server_type(reply),
        round_trip_time=round_trip_time,
        min_round_trip_time=min_round_trip_time,
        last_write_date=hello_fields.optional_seconds(last_write, "lastWriteDate"),
        last_update_time=now,
        min_wire_version=hello_fields.integer(reply, "minWireVersion", low=0, default=0),
        max_wire_version=hello_fields.integer(reply, "maxWireVersion", low=0, default=0),
        me=hello_fields.optional_address(reply, "me"),
        hosts=hello_fields.addresses(reply, "hosts"),
        passives=hello_fields.addresses(reply, "passives"),
        arbiters=hello_fields.addresses(reply, "arbiters"),
        tags=MappingProxyType(dict(hello_fields.optional_document(reply, "tags") or {})),
        replica_set_name=hello_fields.optional_text(reply, "setName"),
        set_version=hello_fields.optional_integer(reply, "setVersion", hello_fields.MAX_INT64),
        election_id=hello_fields.optional_object_id(reply, "electionId"),
        primary=hello_fields.optional_address(reply, "primary"),
        logical_session_timeout_minutes=hello_fields.optional_integer(
            reply, "logicalSessionTimeoutMinutes", hello_fields.MAX_INT32
        ),
        topology_version=TopologyVersion.of(reply.get("topologyVersion")),
        reply=reply,
    )


def unknown(
    address: ServerAddress,
    *,
    error: Exception | None = None,
    topology_version: TopologyVersion | None = None,
    now: float = 0.0,
) -> ServerDescription:
    """Describe a server of which nothing is known: not yet checked, or not reached, or not what we took it for.

    Args:
        address: the server.
        error: what went wrong.
        topology_version: the version that came with the error.
        now: the time of the check or the error.
    """
    return ServerDescription(address=address, error=error, topology_version=topology_version, last_update_time=now)


def load_balancer(address: ServerAddress) -> ServerDescription:
    """Describe a load balancer, which is never checked.

    Args:
        address: the load balancer.
    """
    return ServerDescription(address=address, server_type=ServerType.LOAD_BALANCER)
