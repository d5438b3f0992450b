"""Which server serves an operation (server selection, "Server Selection Algorithm").

`suitable_servers()` and `in_latency_window()` depend on nothing but a topology's description and what the client was
told, so that their result holds until the description is replaced. `choose()` is what is left for each operation.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from typing import TYPE_CHECKING, TypeVar

from aiomongo_tls.core.sdam.eligibility import eligible

if TYPE_CHECKING:
    from aiomongo_tls.address import ServerAddress
    from aiomongo_tls.core.options.read_preference import ReadPreference
    from aiomongo_tls.core.sdam.server_description import ServerDescription
    from aiomongo_tls.core.sdam.topology_description import TopologyDescription

T = TypeVar("T")


def suitable_servers(
    topology: TopologyDescription,
    preference: ReadPreference | None,
    *,
    deprioritized: Collection[ServerAddress] = (),
    heartbeat_frequency: float,
    server_selector: Callable[[list[ServerDescription]], list[ServerDescription]] | None = None,
) -> list[ServerDescription]:
    """Find the servers that could serve an operation, before the latency window.

    Args:
        topology: what is known.
        preference: the read preference; None for a write.
        deprioritized: servers that failed the operation before; taken only where no other could serve it.
        heartbeat_frequency: seconds from check to check.
        server_selector: the application's own filter. It gets a list of its own, and is asked only if there is
            something to choose from.

    Returns:
        The servers; none at all means to wait for a change.

    Raises:
        ConfigurationError: a server is too old or too new for us; maxStalenessSeconds is too small.
    """
    topology.check_compatible()
    servers = topology.servers.values()
    suitable = eligible(topology.topology_type, servers, preference, heartbeat_frequency, deprioritized)
    if not suitable and deprioritized:
        suitable = eligible(topology.topology_type, servers, preference, heartbeat_frequency)
    if suitable and server_selector is not None:
        return list(server_selector(suitable))
    return suitable


def in_latency_window(servers: Sequence[ServerDescription], local_threshold: float) -> list[ServerDescription]:
    """Keep the servers that answer about as quickly as the quickest.

    Args:
        servers: the suitable servers.
        local_threshold: `localThresholdMS` in seconds: by how much a server may be slower.
    """
    times = [server.round_trip_time for server in servers if server.round_trip_time is not None]
    if len(times) < 2:
        return list(servers)
    slowest = min(times) + local_threshold
    # Of a load balancer, and of a server behind one, no time is known.
    return [server for server in servers if server.round_trip_time is None or server.round_trip_time <= slowest]


def choose(
    servers: Sequence[T], operation_count: Callable[[T], int], sample: Callable[[Sequence[T], int], Sequence[T]]
) -> T:
    """Choose the server for one operation: of two that are drawn, the one with less to do.

    Args:
        servers: the servers in the latency window, or what stands for them, at least one.
        operation_count: tells how many operations a server is busy with.
        sample: draws a number of different servers in random order, as `random.sample()` does.
    """
    if len(servers) == 1:
        return servers[0]
    first, second = sample(servers, 2)
    return second if operation_count(second) < operation_count(first) else first
