"""Which servers an operation may go to, by topology type, mode, staleness and tags (server selection specification).

| topology type | eligible                                                         |
|---------------|------------------------------------------------------------------|
| Unknown       | none                                                             |
| Single        | the server, once it has answered, whatever it is                 |
| LoadBalanced  | the load balancer                                                |
| Sharded       | every mongos                                                     |
| ReplicaSet…   | a write: the primary; a read: by mode, then staleness, then tags |
"""

from __future__ import annotations

from collections.abc import Collection, Container
from typing import TYPE_CHECKING, Any

from aiomongo_tls.core.options.read_preference import ReadPreference
from aiomongo_tls.core.sdam.staleness import check_max_staleness, fresh_enough
from aiomongo_tls.core.sdam.topology_type import TopologyType
from aiomongo_tls.core.server_type import ServerType

if TYPE_CHECKING:
    from aiomongo_tls.address import ServerAddress
    from aiomongo_tls.core.sdam.server_description import ServerDescription

_NOT_AVAILABLE = frozenset({ServerType.UNKNOWN, ServerType.POSSIBLE_PRIMARY})


def eligible(
    topology_type: TopologyType,
    servers: Collection[ServerDescription],
    preference: ReadPreference | None,
    heartbeat_frequency: float,
    without: Container[ServerAddress] = (),
) -> list[ServerDescription]:
    """Find the servers that an operation may go to.

    Args:
        topology_type: what the deployment is.
        servers: all its servers.
        preference: the read preference; None for a write.
        heartbeat_frequency: seconds from check to check.
        without: servers that are passed over. Staleness is still measured by them.

    Raises:
        ConfigurationError: maxStalenessSeconds is too small for a replica set.
    """
    usable = [server for server in servers if server.address not in without]
    match topology_type:
        case TopologyType.UNKNOWN:
            return []
        case TopologyType.SINGLE:
            return [server for server in usable if server.server_type not in _NOT_AVAILABLE]
        case TopologyType.LOAD_BALANCED:
            return _of_type(usable, ServerType.LOAD_BALANCER)
        case TopologyType.SHARDED:
            return _of_type(usable, ServerType.MONGOS)
        case _:
            pass
    primary = _of_type(usable, ServerType.RS_PRIMARY)
    if preference is None or preference is ReadPreference.PRIMARY:
        return primary
    check_max_staleness(preference.max_staleness, heartbeat_frequency)

    def matching(candidates: list[ServerDescription]) -> list[ServerDescription]:
        fresh = fresh_enough(candidates, servers, preference.max_staleness, heartbeat_frequency)
        return _with_tags(fresh, preference.tag_sets)

    secondaries = _of_type(usable, ServerType.RS_SECONDARY)
    match preference.mongos_mode:
        case "primary":
            return primary
        case "primaryPreferred":
            return primary or matching(secondaries)
        case "secondary":
            return matching(secondaries)
        case "secondaryPreferred":
            return matching(secondaries) or primary
        case _:
            return matching(primary + secondaries)


def _of_type(servers: list[ServerDescription], server_type: ServerType) -> list[ServerDescription]:
    return [server for server in servers if server.server_type is server_type]


def _with_tags(servers: list[ServerDescription], tag_sets: list[dict[str, Any]]) -> list[ServerDescription]:
    """The first set of tags that any server has decides."""
    for tags in tag_sets:
        matching = [server for server in servers if all(server.tags.get(name) == tags[name] for name in tags)]
        if matching:
            return matching
    return []
