"""What is known of a deployment (SDAM specification, "TopologyDescription")."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import TYPE_CHECKING

from aiomongo_tls.core.options.read_preference import ReadPreference
from aiomongo_tls.core.sdam.eligibility import eligible
from aiomongo_tls.core.sdam.server_description import ServerDescription, unknown
from aiomongo_tls.core.sdam.topology_type import TopologyType as TopologyType
from aiomongo_tls.core.server_type import ServerType
from aiomongo_tls.core.wire_versions import incompatibility
from aiomongo_tls.errors import ConfigurationError

if TYPE_CHECKING:
    from bson import ObjectId

    from aiomongo_tls.address import ServerAddress

_DEFAULT_HEARTBEAT_FREQUENCY = 10.0


@dataclass(frozen=True, slots=True, kw_only=True)
class TopologyDescription:
    """The client's view of all servers; a value that is replaced, never changed.

    Args:
        topology_type: what the deployment is.
        servers: the servers by address, in the order in which they were found.
        replica_set_name: the replica set's name, asked for or found.
        max_set_version: the newest version of the set's configuration that a primary told.
        max_election_id: the newest election that a primary told.
        seed_count: how many servers the client was given to begin with.
    """

    topology_type: TopologyType
    servers: Mapping[ServerAddress, ServerDescription]
    replica_set_name: str | None = None
    max_set_version: int | None = None
    max_election_id: ObjectId | None = None
    seed_count: int = field(default=0, compare=False, repr=False)
    compatibility_error: str | None = field(init=False)
    """Why operations cannot be done, if a server is too old or too new."""
    logical_session_timeout_minutes: int | None = field(init=False)
    """The shortest time that a session may be idle; None if a server has no sessions, or none is known."""
    primary: ServerDescription | None = field(init=False, repr=False)
    """The replica set's primary."""

    def __post_init__(self) -> None:
        # Derived once per description: they are asked for at every operation.
        object.__setattr__(self, "servers", MappingProxyType(dict(self.servers)))
        object.__setattr__(self, "compatibility_error", self._compatibility_error())
        object.__setattr__(self, "logical_session_timeout_minutes", self._logical_session_timeout_minutes())
        primaries = (server for server in self.servers.values() if server.server_type is ServerType.RS_PRIMARY)
        object.__setattr__(self, "primary", next(primaries, None))

    @property
    def topology_type_name(self) -> str:
        """The specification's name of the type, for example `ReplicaSetWithPrimary`."""
        return self.topology_type.value

    @property
    def known_servers(self) -> list[ServerDescription]:
        """The servers whose last check succeeded."""
        return [server for server in self.servers.values() if server.is_server_type_known]

    @property
    def has_known_servers(self) -> bool:
        """Whether the last check of any server succeeded."""
        return any(server.is_server_type_known for server in self.servers.values())

    @property
    def common_wire_version(self) -> int | None:
        """The newest wire version that all known servers speak; None while none is known."""
        return min((server.max_wire_version for server in self.known_servers), default=None)

    def server_descriptions(self) -> dict[ServerAddress, ServerDescription]:
        """The servers by address; a new dictionary each time."""
        return dict(self.servers)

    def has_readable_server(
        self,
        read_preference: ReadPreference = ReadPreference.PRIMARY,
        *,
        heartbeat_frequency: float = _DEFAULT_HEARTBEAT_FREQUENCY,
    ) -> bool:
        """Whether a server can be read from at the moment.

        Args:
            read_preference: how to read.
            heartbeat_frequency: seconds from check to check; only maxStalenessSeconds depends on it.

        Raises:
            ConfigurationError: maxStalenessSeconds is too small for a replica set.
        """
        return bool(eligible(self.topology_type, self.servers.values(), read_preference, heartbeat_frequency))

    def has_writable_server(self) -> bool:
        """Whether a server takes writes at the moment."""
        return bool(eligible(self.topology_type, self.servers.values(), None, _DEFAULT_HEARTBEAT_FREQUENCY))

    def takes_operations(self, address: ServerAddress) -> bool:
        """Whether operations may be sent to a server now, so that its pool is to be ready.

        Args:
            address: the server.
        """
        server = self.servers.get(address)
        if server is None:
            return False
        return server.is_data_bearing or (self.topology_type is TopologyType.SINGLE and server.is_server_type_known)

    def check_compatible(self) -> None:
        """See to it that we have a wire version in common with every server.

        Raises:
            ConfigurationError: a server is too old or too new.
        """
        if self.compatibility_error is not None:
            raise ConfigurationError(self.compatibility_error)

    def __hash__(self) -> int:
        return hash((self.topology_type, self.replica_set_name, frozenset(self.servers)))

    def __str__(self) -> str:
        servers = ", ".join(str(server) for server in self.servers.values())
        name = f" {self.replica_set_name}" if self.replica_set_name else ""
        return f"{self.topology_type_name}{name} [{servers}]"

    def _compatibility_error(self) -> str | None:
        # A load balancer never says which versions it speaks.
        if self.topology_type is TopologyType.LOAD_BALANCED:
            return None
        for server in self.known_servers:
            name = f"Server at {server.address}"
            if reason := incompatibility(name, server.min_wire_version, server.max_wire_version):
                return reason
        return None

    def _logical_session_timeout_minutes(self) -> int | None:
        shortest: int | None = None
        for server in self.servers.values():
            if not server.is_data_bearing:
                continue
            timeout = server.logical_session_timeout_minutes
            if timeout is None:
                return None
            shortest = timeout if shortest is None else min(shortest, timeout)
        return shortest


def initial(
    seeds: Iterable[ServerAddress],
    *,
    direct_connection: bool = False,
    replica_set: str | None = None,
    load_balanced: bool = False,
) -> TopologyDescription:
    """Describe a deployment of which only the seeds are known (SDAM, "Initial TopologyType").

    Options that contradict each other were refused when they were read.

    Args:
        seeds: the servers to begin with.
        direct_connection: `directConnection`: talk to the one seed, whatever it is.
        replica_set: `replicaSet`, the name that the replica set must have.
        load_balanced: `loadBalanced`. The server is Unknown here, too, because that is what its first event tells;
            follow with an update to `load_balancer()`.
    """
    servers = {seed: unknown(seed) for seed in seeds}
    if load_balanced:
        topology_type = TopologyType.LOAD_BALANCED
    elif direct_connection:
        topology_type = TopologyType.SINGLE
    elif replica_set is not None:
        topology_type = TopologyType.REPLICA_SET_NO_PRIMARY
    else:
        topology_type = TopologyType.UNKNOWN
    return TopologyDescription(
        topology_type=topology_type, servers=servers, replica_set_name=replica_set, seed_count=len(servers)
    )


NO_TOPOLOGY = TopologyDescription(topology_type=TopologyType.UNKNOWN, servers={})
"""Nothing known and no servers: what is before the first description and after the last."""
