"""How a new description of one server changes the description of all (SDAM, "Updating the TopologyDescription").

The published table is `_TABLE`; its actions stand below it under the specification's names. Around the table:

- an answer from a server that no longer belongs to the topology, or from before what is known, changes nothing;
- Single stays Single: the one description is replaced, after a look at the replica set's name;
- LoadBalanced never changes after its one server was described.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from aiomongo_tls.core.sdam.elections import Election, newest
from aiomongo_tls.core.sdam.server_description import ServerDescription, unknown
from aiomongo_tls.core.sdam.topology_type import TopologyType
from aiomongo_tls.core.server_type import ServerType
from aiomongo_tls.errors import AutoReconnect, ConfigurationError, NotPrimaryError

if TYPE_CHECKING:
    from aiomongo_tls.address import ServerAddress
    from aiomongo_tls.core.sdam.topology_description import TopologyDescription


@dataclass(frozen=True, slots=True, kw_only=True)
class Update:
    """What came of a new description of a server.

    Args:
        topology: the new description of all servers; the old object if nothing was taken over.
        applied: whether the server's description was taken over. If not, its pool is to be left alone, too.
        requests_check: servers to be checked soon: a primary that a newer one replaced. Their pools stay as they are.
        refusal: why the server does not belong to this deployment: it was removed, or is Unknown for that.
    """

    topology: TopologyDescription
    applied: bool = True
    requests_check: tuple[ServerAddress, ...] = ()
    refusal: Exception | None = None


def update(topology: TopologyDescription, server: ServerDescription) -> Update:
    """Take over a new description of a server: after a check, after a handshake, or Unknown after an error.

    Args:
        topology: what is known.
        server: what is new.
    """
    known = topology.servers.get(server.address)
    if known is None or _is_stale(server, known):
        return Update(topology=topology, applied=False)
    if topology.topology_type is TopologyType.LOAD_BALANCED and server.server_type is not ServerType.LOAD_BALANCER:
        return Update(topology=topology, applied=False)
    draft = _Draft(topology)
    draft.servers[server.address] = server
    if topology.topology_type is TopologyType.SINGLE:
        _verify_set_name(draft, server)
    elif topology.topology_type is not TopologyType.LOAD_BALANCED:
        _TABLE[server.server_type][_COLUMNS.index(topology.topology_type)](draft, server)
    return Update(topology=draft.description(), requests_check=tuple(draft.requests_check), refusal=draft.refusal)


def with_hosts(
    topology: TopologyDescription,
    hosts: Collection[ServerAddress],
    *,
    max_hosts: int,
    sample: Callable[[Sequence[ServerAddress], int], Sequence[ServerAddress]],
) -> TopologyDescription:
    """Take over the hosts that a new look-up of SRV records found (polling SRV records for mongos discovery).

    Args:
        topology: what is known. Only Unknown and Sharded follow the records; others find their members themselves.
        hosts: the hosts; none at all changes nothing.
        max_hosts: `srvMaxHosts`, 0 for no limit. Servers that are still listed stay; only the rest is drawn.
        sample: draws a number of different hosts.
    """
    if not hosts or topology.topology_type not in (TopologyType.UNKNOWN, TopologyType.SHARDED):
        return topology
    servers = {address: server for address, server in topology.servers.items() if address in hosts}
    new = [address for address in dict.fromkeys(hosts) if address not in servers]
    if max_hosts:
        new = list(sample(new, min(len(new), max(0, max_hosts - len(servers)))))
    if not new and len(servers) == len(topology.servers):
        return topology
    return replace(topology, servers=servers | {address: unknown(address) for address in new})


class _Draft:
    """A topology description in the making."""

    def __init__(self, topology: TopologyDescription) -> None:
        self._before = topology
        self.topology_type = topology.topology_type
        self.servers = dict(topology.servers)
        self.replica_set_name = topology.replica_set_name
        self.election = Election(topology.max_election_id, topology.max_set_version)
        self.seed_count = topology.seed_count
        self.requests_check: list[ServerAddress] = []
        self.refusal: Exception | None = None

    def description(self) -> TopologyDescription:
        return replace(
            self._before,
            topology_type=self.topology_type,
            servers=self.servers,
            replica_set_name=self.replica_set_name,
            max_set_version=self.election.set_version,
            max_election_id=self.election.election_id,
        )

    def has_primary(self) -> bool:
        return any(server.server_type is ServerType.RS_PRIMARY for server in self.servers.values())

    def refuse(self, server: ServerDescription, reason: str) -> None:
        del self.servers[server.address]
        self.refusal = ConfigurationError(f"{server.address} {reason}")

    def add_unknown(self, addresses: Collection[ServerAddress]) -> None:
        # Sets have no order of their own that is the same in every run.
        for address in sorted(addresses, key=str):
            self.servers.setdefault(address, unknown(address))


_Action = Callable[[_Draft, ServerDescription], None]


def _is_stale(server: ServerDescription, known: ServerDescription) -> bool:
    return server.topology_version is not None and server.topology_version.is_older_than(known.topology_version)


def _verify_set_name(draft: _Draft, server: ServerDescription) -> None:
    """See "Verifying setName with TopologyType Single"."""
    asked = draft.replica_set_name
    if asked is None or not server.is_server_type_known or server.replica_set_name == asked:
        return
    if server.server_type is ServerType.RS_GHOST:
        # It is starting, or not initiated yet, and may still become a member of the right set.
        draft.refusal = AutoReconnect(
            f"the server has no replica set configuration yet, expected replica set {asked!r}", host=server.address
        )
    else:
        draft.refusal = ConfigurationError(f"{server.address} {_other_set(server, asked)}")
    draft.servers[server.address] = unknown(server.address, error=draft.refusal, now=server.last_update_time)


def _keep(draft: _Draft, server: ServerDescription) -> None:
    """The table's no-op: the description was replaced, that is all."""


def _remove(draft: _Draft, server: ServerDescription) -> None:
    if draft.topology_type is TopologyType.SHARDED:
        draft.refuse(server, f"is of type {server.server_type_name}, but the other servers are mongos routers")
    else:
        draft.refuse(server, _other_set(server, draft.replica_set_name))


def _remove_and_check(draft: _Draft, server: ServerDescription) -> None:
    _remove(draft, server)
    _check_if_has_primary(draft, server)


def _become_sharded(draft: _Draft, server: ServerDescription) -> None:
    draft.topology_type = TopologyType.SHARDED


def _update_unknown_with_standalone(draft: _Draft, server: ServerDescription) -> None:
    if draft.seed_count == 1:
        draft.topology_type = TopologyType.SINGLE
    else:
        draft.refuse(server, "is a standalone server, which cannot be one of several hosts; connect to it alone")


def _become_replica_set(draft: _Draft, server: ServerDescription) -> None:
    draft.topology_type = TopologyType.REPLICA_SET_NO_PRIMARY
    _update_without_primary(draft, server)


def _update_without_primary(draft: _Draft, server: ServerDescription) -> None:
    if not _has_right_name(draft, server):
        return
    draft.add_unknown(server.all_hosts)
    _has_right_address(draft, server)


def _update_with_primary_from_member(draft: _Draft, server: ServerDescription) -> None:
    if _has_right_name(draft, server):
        _has_right_address(draft, server)
    # Had this member been the primary?
    _check_if_has_primary(draft, server)


def _update_from_primary(draft: _Draft, server: ServerDescription) -> None:
    if not _has_right_name(draft, server):
        _check_if_has_primary(draft, server)
        return
    election = Election(server.election_id, server.set_version)
    after = newest(election, draft.election, server.max_wire_version)
    if after is None:
        _mark_stale(
            draft,
            server,
            f"electionId/setVersion mismatch, {election} is stale compared to {draft.election}",
            server.last_update_time,
        )
        _check_if_has_primary(draft, server)
        return
    draft.election = after
    for other in list(draft.servers.values()):
        if other.server_type is ServerType.RS_PRIMARY and other.address != server.address:
            _mark_stale(draft, other, "discovery of newer primary", server.last_update_time)
            draft.requests_check.append(other.address)
    members = server.all_hosts
    draft.add_unknown(members)
    if server.address not in members:
        draft.refuse(server, f"is not among the members that its replica set names: {_listed(members)}")
    draft.servers = {address: member for address, member in draft.servers.items() if address in members}
    draft.requests_check = [address for address in draft.requests_check if address in members]
    _check_if_has_primary(draft, server)


def _check_if_has_primary(draft: _Draft, server: ServerDescription) -> None:
    draft.topology_type = (
        TopologyType.REPLICA_SET_WITH_PRIMARY if draft.has_primary() else TopologyType.REPLICA_SET_NO_PRIMARY
    )


_COLUMNS = (
    TopologyType.UNKNOWN,
    TopologyType.SHARDED,
    TopologyType.REPLICA_SET_NO_PRIMARY,
    TopologyType.REPLICA_SET_WITH_PRIMARY,
)

_MEMBER = (_become_replica_set, _remove, _update_without_primary, _update_with_primary_from_member)

_TABLE: dict[ServerType, tuple[_Action, _Action, _Action, _Action]] = {
    ServerType.UNKNOWN: (_keep, _keep, _keep, _check_if_has_primary),
    ServerType.STANDALONE: (_update_unknown_with_standalone, _remove, _remove, _remove_and_check),
    ServerType.MONGOS: (_become_sharded, _keep, _remove, _remove_and_check),
    ServerType.RS_PRIMARY: (_update_from_primary, _remove, _update_from_primary, _update_from_primary),
    ServerType.RS_SECONDARY: _MEMBER,
    ServerType.RS_ARBITER: _MEMBER,
    ServerType.RS_OTHER: _MEMBER,
    ServerType.RS_GHOST: (_keep, _remove, _keep, _check_if_has_primary),
}


def _has_right_name(draft: _Draft, server: ServerDescription) -> bool:
    if draft.replica_set_name is None:
        draft.replica_set_name = server.replica_set_name
    elif draft.replica_set_name != server.replica_set_name:
        draft.refuse(server, _other_set(server, draft.replica_set_name))
        return False
    return True


def _has_right_address(draft: _Draft, server: ServerDescription) -> None:
    if server.me is not None and server.me != server.address:
        draft.refuse(server, f"calls itself {server.me} in its replica set, which is the address to use")


def _mark_stale(draft: _Draft, primary: ServerDescription, cause: str, now: float) -> None:
    error = NotPrimaryError(f"primary marked stale due to {cause}", host=primary.address)
    draft.servers[primary.address] = unknown(primary.address, error=error, now=now)


def _other_set(server: ServerDescription, asked: str | None) -> str:
    if server.replica_set_name is None:
        return f"is of type {server.server_type_name} and no member of replica set {asked!r}"
    return f"is a member of replica set {server.replica_set_name!r}, not of {asked!r}"


def _listed(members: Collection[ServerAddress]) -> str:
    return ", ".join(sorted(map(str, members))) or "none"
