"""A topology that begins with a look-up of SRV records."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack
from functools import partial
from typing import Any

import pytest
import pytest_asyncio
from peers import HELLO, MongoPeer, mongo_peer
from srv_zone import Clock, StubResolver

from aiomongo_tls.core.events.listeners import TopologyListener
from aiomongo_tls.core.events.topology_events import TopologyDescriptionChangedEvent, TopologyOpenedEvent
from aiomongo_tls.core.options.read_preference import ReadPreference
from aiomongo_tls.core.sdam.topology_type import TopologyType
from aiomongo_tls.core.uri.resolve import resolve
from aiomongo_tls.deadline import Deadline
from aiomongo_tls.errors import (
    ConfigurationError,
    ConnectionFailure,
    InvalidOperation,
    NetworkTimeout,
    Phase,
    ServerSelectionTimeoutError,
)
from aiomongo_tls.net.dns import Endpoint, Resolver
from aiomongo_tls.topology import life as life_module
from aiomongo_tls.topology.srv_monitor import Polling
from aiomongo_tls.topology.topology import Topology

NAME = "_mongodb._tcp.c.example.net"


class Watcher(TopologyListener):
    """Remembers what it was told."""

    def __init__(self) -> None:
        self.opened_topologies = 0
        self.ports: list[int] = []
        self._changed = asyncio.Event()

    def opened(self, event: TopologyOpenedEvent) -> None:
        self.opened_topologies += 1

    def description_changed(self, event: TopologyDescriptionChangedEvent) -> None:
        self.ports = sorted(address.port or 0 for address in event.new_description.servers)
        self._changed.set()

    async def until(self, ports: list[int]) -> None:
        async with asyncio.timeout(5):
            while self.ports != sorted(ports):
                self._changed.clear()
                await self._changed.wait()


class Cluster:
    """Two mongos and their records; a third that is not listed."""

    def __init__(self, peers: list[MongoPeer]) -> None:
        self.peers = peers
        for peer in peers:
            peer.answers["hello"] = {**HELLO, "msg": "isdbgrid"}
        self.dns = StubResolver({})
        self.lists(0, 1)
        self.watcher = Watcher()
        self.made: list[Topology] = []

    def lists(self, *peers: int) -> None:
        self.dns.hosts[NAME] = [f"mongos.example.net:{self.peers[number].port}" for number in peers]

    def topology(self, query: str = "", patience: float = 100.0, **keywords: Any) -> Topology:
        options = resolve(
            f"mongodb+srv://c.example.net/?tls=false&{query}", {"event_listeners": [self.watcher], **keywords}
        )
        hosts = Resolver(lambda _host, port: [Endpoint(2, ("127.0.0.1", port))])
        topology = Topology(options, resolver=hosts, srv_resolver=self.dns, chance=lambda: 0.0, patience=patience)
        self.made.append(topology)
        return topology


@pytest_asyncio.fixture
async def cluster() -> AsyncIterator[Cluster]:
    async with AsyncExitStack() as stack:
        cluster = Cluster([await stack.enter_async_context(mongo_peer()) for _ in range(3)])
        yield cluster
        for topology in cluster.made:
            await topology.close()
    assert asyncio.all_tasks() == {asyncio.current_task()}


async def held_up(cluster: Cluster, topology: Topology, count: int) -> list[asyncio.Task[None]]:
    """Tasks that wait for a look-up that gets no answer."""
    cluster.dns.goes_on.clear()

    async def use() -> None:
        topology.check_in(await topology.check_out())

    tasks = [asyncio.create_task(use()) for _ in range(count)]
    await cluster.dns.was_asked.wait()
    return tasks


async def test_a_hundred_first_operations(cluster: Cluster) -> None:
    """They make one look-up, SRV and TXT, and one topology with what was found."""
    topology = cluster.topology("maxPoolSize=5")
    tasks = await held_up(cluster, topology, 100)
    cluster.dns.goes_on.set()
    await asyncio.gather(*tasks)
    assert cluster.dns.asked == [NAME, "c.example.net"]
    assert cluster.watcher.opened_topologies == 1
    assert topology.description.topology_type is TopologyType.SHARDED
    assert {seed.port for seed in topology.options.seeds} == {peer.port for peer in cluster.peers[:2]}


async def test_before_the_first_use(cluster: Cluster) -> None:
    """Nothing is looked up, and the description says that nothing is known."""
    topology = cluster.topology()
    assert topology.description.servers == {}
    assert topology.options.origin == "mongodb+srv://c.example.net"
    await topology.close()
    assert cluster.dns.asked == []


async def test_connect_timeout_bounds_the_look_up(cluster: Cluster) -> None:
    """The resolver is told connectTimeoutMS, one limit for both questions."""
    before = asyncio.get_running_loop().time()
    await cluster.topology(connectTimeoutMS=1500).open()
    first, second = cluster.dns.deadlines
    assert first == second
    assert first.option == "connectTimeoutMS=1500"
    assert 1.5 <= first.at - before < 3


async def test_a_name_server_that_fails_for_a_while(cluster: Cluster) -> None:
    """Is asked again until it answers."""
    cluster.dns.failure = ConnectionFailure("SERVFAIL", phase=Phase.DNS)
    opening = asyncio.create_task(cluster.topology().open())
    await cluster.dns.was_asked.wait()
    cluster.dns.failure = None
    await opening
    assert cluster.dns.asked == [NAME, NAME, "c.example.net"]


@pytest.mark.parametrize("hosts", [None, ["mongos.example.org:27017"], []])
async def test_answers_that_cannot_be_used(cluster: Cluster, hosts: list[str] | None) -> None:
    """No such name, and a host elsewhere, are raised at once, to each in an error of its own; and are not kept."""
    topology = cluster.topology()
    if hosts is None:
        del cluster.dns.hosts[NAME]
    else:
        cluster.dns.hosts[NAME] = hosts
    tasks = await held_up(cluster, topology, 3)
    cluster.dns.goes_on.set()
    errors = await asyncio.gather(*tasks, return_exceptions=True)
    assert all(isinstance(error, ConfigurationError) for error in errors)
    assert len({id(error) for error in errors}) == 3
    assert cluster.dns.asked == [NAME] if hosts is None else [NAME, "c.example.net"]
    cluster.lists(0, 1)
    await topology.open()


async def test_an_operation_in_a_hurry(cluster: Cluster) -> None:
    """It is told that DNS has not answered in its time; the look-up goes on for the others."""
    topology = cluster.topology()
    (patient,) = await held_up(cluster, topology, 1)
    deadline = Deadline.after(0.01, "timeoutMS=10", now=asyncio.get_running_loop().time())
    with pytest.raises(NetworkTimeout, match=r"timeoutMS=10 has passed while looking up the SRV rec") as caught:
        await topology.check_out(deadline, ReadPreference.NEAREST)
    assert caught.value.phase is Phase.DNS
    cluster.dns.goes_on.set()
    await patient
    assert cluster.dns.asked == [NAME, "c.example.net"]


async def test_dns_that_is_silent_for_too_long(cluster: Cluster, caplog: pytest.LogCaptureFixture) -> None:
    """Where serverSelectionTimeoutMS is the limit, no server was found in time; the cause tells why. One warning."""
    cluster.dns.goes_on.clear()
    topology = cluster.topology("serverSelectionTimeoutMS=60", patience=0.01)
    errors = await asyncio.gather(topology.check_out(), topology.open(), return_exceptions=True)
    for error in errors:
        assert isinstance(error, ServerSelectionTimeoutError)
        assert isinstance(error.__cause__, NetworkTimeout)
        assert error.__cause__.phase is Phase.DNS
        assert "serverSelectionTimeoutMS=60 has passed while looking up the SRV records of c.example.net" in str(error)
    (record,) = caplog.records
    assert record.levelno == logging.WARNING
    assert "mongodb+srv://c.example.net: no server is known yet after 0.01 s" in record.getMessage()
    assert "now looking up the SRV records of c.example.net; last fault: none" in record.getMessage()


async def test_dns_that_fails_until_the_end(cluster: Cluster) -> None:
    """What it said is told, whether the time was up in the middle of a look-up or of a pause."""
    cluster.dns.failure = ConnectionFailure("SERVFAIL", phase=Phase.DNS)
    topology = cluster.topology("serverSelectionTimeoutMS=60")
    with pytest.raises(ServerSelectionTimeoutError, match=r"last fault: .*SERVFAIL"):
        await topology.check_out()
    deadline = Deadline.after(0.06, "timeoutMS=60", now=asyncio.get_running_loop().time())
    with pytest.raises(ConnectionFailure, match="SERVFAIL") as caught:
        await topology.check_out(deadline)
    assert not isinstance(caught.value, ServerSelectionTimeoutError)


@pytest.mark.parametrize("end", [Topology.close, Topology.abort])
async def test_closed_while_looking_up(cluster: Cluster, end: Callable[[Topology], Any]) -> None:
    """Whoever waits is told; no task is left (see the fixture)."""
    topology = cluster.topology()
    tasks = await held_up(cluster, topology, 2)
    if end is Topology.close:
        await topology.close()
    else:
        topology.abort()
    errors = await asyncio.gather(*tasks, return_exceptions=True)
    assert all(isinstance(error, InvalidOperation) for error in errors)


async def test_mongos_come_and_go(cluster: Cluster, monkeypatch: pytest.MonkeyPatch) -> None:
    """Servers follow the records: one that is listed gets watched, one that is not any more loses its connections."""
    clock = Clock()
    monkeypatch.setattr(life_module, "Polling", partial(Polling, sleep=clock.sleep))
    topology = cluster.topology()
    await topology.open()
    first, second, third = cluster.peers
    cluster.lists(1, 2)
    await clock.next()
    await cluster.watcher.until([second.port, third.port])
    await first.until(lambda: not first.open_sessions)
    await third.until(lambda: third.commands)
    assert cluster.watcher.opened_topologies == 1


async def test_a_replica_set_is_not_polled(cluster: Cluster, monkeypatch: pytest.MonkeyPatch) -> None:
    """Its members know each other: the records are not asked for again."""
    clock = Clock()
    monkeypatch.setattr(life_module, "Polling", partial(Polling, sleep=clock.sleep))
    peer = cluster.peers[0]
    member = {"setName": "rs0", "hosts": [f"mongos.example.net:{peer.port}"], "me": f"mongos.example.net:{peer.port}"}
    peer.answers["hello"] = {**HELLO, **member}
    cluster.lists(0)
    topology = cluster.topology()
    await topology.open()
    assert topology.description.topology_type is TopologyType.REPLICA_SET_WITH_PRIMARY
    await clock.asleep()
    polling = [task for task in asyncio.all_tasks() if "SRV polling" in task.get_name()]
    asked = list(cluster.dns.asked)
    clock.goes_on.set()
    await asyncio.wait(polling)
    assert cluster.dns.asked == asked


async def test_a_broken_record_does_not_harm(
    cluster: Cluster, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """A host elsewhere that turns up later is never connected to, and warned of."""
    caplog.set_level(logging.WARNING, "aiomongo_tls.topology")
    clock = Clock()
    monkeypatch.setattr(life_module, "Polling", partial(Polling, sleep=clock.sleep))
    topology = cluster.topology()
    await topology.open()
    before = topology.description.servers.keys()
    cluster.dns.hosts[NAME] = [f"mongos.example.org:{cluster.peers[2].port}"]
    await clock.next()
    assert topology.description.servers.keys() == before
    assert cluster.peers[2].commands == []
    assert "mongos.example.org" in caplog.text
