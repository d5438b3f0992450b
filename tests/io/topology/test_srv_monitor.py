"""Polling SRV records: the prose tests of the specification, with records that change and time that does not pass."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator, Collection
from typing import Any

import pytest
import pytest_asyncio
from srv_zone import TTL, ZONE, Clock, StubResolver, address, official_zone

from aiomongo_tls.address import ServerAddress
from aiomongo_tls.core.options.client_options import ClientOptions
from aiomongo_tls.core.sdam.topology_description import TopologyDescription, initial
from aiomongo_tls.core.sdam.topology_type import TopologyType
from aiomongo_tls.core.sdam.transitions import with_hosts
from aiomongo_tls.core.uri.resolve import resolve
from aiomongo_tls.core.uri.srv import complete_options, rescan_interval
from aiomongo_tls.deadline import NEVER
from aiomongo_tls.errors import ConfigurationError, ConnectionFailure, NetworkTimeout, Phase
from aiomongo_tls.topology.srv_monitor import Polling, SRVMonitor

TEST1 = f"_mongodb._tcp.test1.{ZONE}"
TEST3 = f"_mongodb._tcp.test3.{ZONE}"
TEST22 = f"_customname._tcp.test22.{ZONE}"
HEARTBEAT = 7.0


def host(port: int) -> ServerAddress:
    return address(f"localhost.{ZONE}:{port}")


def at(*ports: int) -> list[str]:
    return [str(host(port)) for port in ports]


class Cluster:
    """A client's topology, in so far as polling sees it."""

    def __init__(self, resolver: StubResolver) -> None:
        self.resolver = resolver
        self.clock = Clock()
        self.told: list[Collection[ServerAddress]] = []
        self._description: TopologyDescription | None = None
        self._options: ClientOptions | None = None
        self._monitor: SRVMonitor | None = None

    @property
    def description(self) -> TopologyDescription:
        assert self._description is not None
        return self._description

    @property
    def ports(self) -> list[int | None]:
        assert all(server.host == f"localhost.{ZONE}" for server in self.description.servers)
        return sorted(server.port or 0 for server in self.description.servers)

    @property
    def monitor(self) -> SRVMonitor:
        assert self._monitor is not None
        return self._monitor

    async def connect(self, uri: str) -> None:
        """The look-up that a client begins with, and the monitor that follows it."""
        pending = resolve(uri, {"heartbeatFrequencyMS": HEARTBEAT * 1000, "connectTimeoutMS": 500})
        assert pending.srv is not None
        records = await self.resolver.srv(pending.srv.query_name, NEVER)
        txt = await self.resolver.txt(pending.srv.host, NEVER)
        options = self._options = complete_options(pending, records, txt, sample=lambda hosts, count: [*hosts[:count]])
        self._description = initial(options.seeds, load_balanced=options.load_balanced)
        self._monitor = SRVMonitor(
            Polling(
                srv=pending.srv,
                resolver=self.resolver,
                frequency=options.monitoring.heartbeat_frequency,
                connect_timeout=options.connect_timeout,
                sleep=self.clock.sleep,
            ),
            interval=rescan_interval(records),
            topology_type=lambda: self.description.topology_type,
            found=self.found,
        )
        self._monitor.start()

    def found(self, hosts: Collection[ServerAddress]) -> None:
        self.told.append(hosts)
        assert self._options is not None
        assert self._options.srv is not None
        self._description = with_hosts(
            self.description,
            hosts,
            max_hosts=self._options.srv.max_hosts,
            sample=lambda hosts, count: list(hosts[-count:]) if count else [],
        )

    def becomes(self, topology_type: TopologyType) -> None:
        self._description = TopologyDescription(topology_type=topology_type, servers=self.description.servers)


@pytest_asyncio.fixture
async def cluster() -> AsyncIterator[Cluster]:
    cluster = Cluster(official_zone())
    yield cluster
    cluster.monitor.stop()
    await cluster.monitor.wait_stopped()
    assert asyncio.all_tasks() == {asyncio.current_task()}


@pytest.mark.parametrize(
    ("change", "ports"),
    [
        pytest.param(at(27017, 27018, 27019), [27017, 27018, 27019], id="1 addition"),
        pytest.param(at(27017), [27017], id="2 removal"),
        pytest.param(at(27017, 27019), [27017, 27019], id="3 replacement of one"),
        pytest.param(at(27019), [27019], id="4 replacement of both by one"),
        pytest.param(at(27019, 27020), [27019, 27020], id="5 replacement of both by two"),
    ],
)
@pytest.mark.parametrize("topology_type", [TopologyType.UNKNOWN, TopologyType.SHARDED])
async def test_hosts_follow_the_records(
    cluster: Cluster, topology_type: TopologyType, change: list[str], ports: list[int]
) -> None:
    """Prose tests 1 to 5: hosts come and go with the records; one that stays is left as it is."""
    await cluster.connect(f"mongodb+srv://test1.{ZONE}")
    assert cluster.ports == [27017, 27018]
    cluster.becomes(topology_type)
    before = cluster.description.servers
    cluster.resolver.hosts[TEST1] = change
    await cluster.clock.next()
    assert cluster.ports == ports
    for server in before.keys() & cluster.description.servers.keys():
        assert cluster.description.servers[server] is before[server]


@pytest.mark.parametrize(
    "failure",
    [
        pytest.param(NetworkTimeout("no name server has answered in time", phase=Phase.DNS), id="6 timeout"),
        pytest.param(ConfigurationError("there are no SRV records"), id="7 no such domain"),
        pytest.param(ConnectionFailure("SERVFAIL", phase=Phase.DNS), id="servers that fail"),
        pytest.param(ZeroDivisionError("broken"), id="a resolver that is broken"),
        pytest.param(None, id="8 no records"),
    ],
)
async def test_failures_leave_the_topology(
    cluster: Cluster, failure: Exception | None, caplog: pytest.LogCaptureFixture
) -> None:
    """Prose tests 6 to 8: the hosts stay, one warning tells why, and look-ups come at the pace of heartbeats."""
    caplog.set_level(logging.INFO, "aiomongo_tls.topology")
    await cluster.connect(f"mongodb+srv://test1.{ZONE}")
    assert await cluster.clock.asleep() == TTL
    cluster.resolver.failure = failure
    cluster.resolver.hosts[TEST1] = []
    for _ in range(3):
        assert await cluster.clock.next() == HEARTBEAT
    assert cluster.ports == [27017, 27018]
    assert cluster.told == []
    (warning,) = caplog.records
    assert warning.levelno == logging.WARNING
    assert warning.getMessage().startswith(f"{TEST1}: polling the SRV records: {failure or 'no host is left'}")
    cluster.resolver.failure = None
    cluster.resolver.hosts[TEST1] = at(27019)
    assert await cluster.clock.next() == TTL
    assert cluster.ports == [27019]
    assert [record.levelno for record in caplog.records] == [logging.WARNING, logging.INFO]


async def test_load_balancers_are_not_polled(cluster: Cluster) -> None:
    """Prose test 9: a load balancer stays the one host, and no task waits to look again."""
    await cluster.connect(f"mongodb+srv://test3.{ZONE}/?loadBalanced=true")
    cluster.resolver.hosts[TEST3] = at(27017, 27018)
    assert asyncio.all_tasks() == {asyncio.current_task()}
    assert cluster.ports == [27017]


@pytest.mark.parametrize(
    ("max_hosts", "change", "ports"),
    [
        pytest.param(0, at(27017, 27019, 27020), [27017, 27019, 27020], id="10 no limit"),
        pytest.param(2, at(27019, 27020), [27019, 27020], id="11 as many as the limit"),
        pytest.param(2, at(27017, 27019, 27020), [27017, 27020], id="12 more than the limit"),
    ],
)
async def test_srv_max_hosts(cluster: Cluster, max_hosts: int, change: list[str], ports: list[int]) -> None:
    """Prose tests 10 to 12: hosts that stay keep their places, and chance fills the others."""
    await cluster.connect(f"mongodb+srv://test1.{ZONE}/?srvMaxHosts={max_hosts}")
    cluster.resolver.hosts[TEST1] = change
    await cluster.clock.next()
    assert cluster.ports == ports
    await cluster.clock.next()
    assert cluster.ports == ports


async def test_custom_service_name(cluster: Cluster) -> None:
    """Prose test 13: the look-ups go on under the service name that the first one had."""
    await cluster.connect(f"mongodb+srv://test22.{ZONE}/?srvServiceName=customname")
    cluster.resolver.hosts[TEST22] = at(27019, 27020)
    await cluster.clock.next()
    assert cluster.ports == [27019, 27020]
    assert set(cluster.resolver.asked) == {TEST22, f"test22.{ZONE}"}


async def test_pace(cluster: Cluster) -> None:
    """As long as the records hold, which the newest answer says, but a minute at least; TXT is not asked for again."""
    await cluster.connect(f"mongodb+srv://test1.{ZONE}")
    for ttl, seconds in ((90.0, 90.0), (5.0, 60.0), (TTL, TTL)):
        cluster.resolver.ttl = ttl
        assert await cluster.clock.next() == seconds
    assert cluster.resolver.asked == [TEST1, f"test1.{ZONE}", TEST1, TEST1, TEST1]
    assert cluster.resolver.deadlines[-1].is_finite


async def test_hosts_elsewhere(cluster: Cluster, caplog: pytest.LogCaptureFixture) -> None:
    """A host of another domain is left out with a warning that names it; without any other the topology stays."""
    await cluster.connect(f"mongodb+srv://test1.{ZONE}")
    cluster.resolver.hosts[TEST1] = ["localhost.evil.build.10gen.cc:27017", *at(27019)]
    assert await cluster.clock.next() == TTL
    assert cluster.ports == [27019]
    assert "localhost.evil.build.10gen.cc:27017 is not connected to: it is not below" in caplog.text
    cluster.resolver.hosts[TEST1] = ["localhost.evil.build.10gen.cc:27017"]
    assert await cluster.clock.next() == HEARTBEAT
    assert cluster.ports == [27019]
    assert "no host is left; localhost.evil" in caplog.text


@pytest.mark.parametrize(
    "topology_type",
    [TopologyType.SINGLE, TopologyType.REPLICA_SET_NO_PRIMARY, TopologyType.REPLICA_SET_WITH_PRIMARY],
)
async def test_other_topologies_are_not_polled(cluster: Cluster, topology_type: TopologyType) -> None:
    """What has become something else is not looked up again: the task ends."""
    await cluster.connect(f"mongodb+srv://test1.{ZONE}")
    await cluster.clock.asleep()
    cluster.becomes(topology_type)
    asked = len(cluster.resolver.asked)
    cluster.clock.goes_on.set()
    await cluster.monitor.wait_stopped()
    assert len(cluster.resolver.asked) == asked


async def test_a_topology_that_changes_meanwhile(cluster: Cluster) -> None:
    """An answer that comes too late for the topology is dropped."""
    await cluster.connect(f"mongodb+srv://test1.{ZONE}")
    await cluster.clock.asleep()
    cluster.resolver.goes_on.clear()
    cluster.resolver.was_asked.clear()
    cluster.clock.goes_on.set()
    await cluster.resolver.was_asked.wait()
    cluster.becomes(TopologyType.REPLICA_SET_NO_PRIMARY)
    cluster.resolver.goes_on.set()
    assert await cluster.clock.next() == TTL
    assert cluster.told == []


async def test_a_topology_that_breaks(cluster: Cluster, caplog: pytest.LogCaptureFixture) -> None:
    """A mistake in what is told of the hosts does not end the polling."""
    await cluster.connect(f"mongodb+srv://test1.{ZONE}")

    def found(hosts: Any) -> None:
        raise ZeroDivisionError

    cluster.monitor._found = found
    assert await cluster.clock.next() == HEARTBEAT
    assert "ZeroDivisionError()" in caplog.text


@pytest.mark.parametrize("looks", [False, True])
async def test_stop(cluster: Cluster, looks: bool) -> None:
    """It ends at once, waiting or looking up."""
    await cluster.connect(f"mongodb+srv://test1.{ZONE}")
    await cluster.clock.asleep()
    if looks:
        cluster.resolver.goes_on.clear()
        cluster.resolver.was_asked.clear()
        cluster.clock.goes_on.set()
        await cluster.resolver.was_asked.wait()
    cluster.monitor.stop()
    await cluster.monitor.wait_stopped()
    cluster.monitor.stop()
