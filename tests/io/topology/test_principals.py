"""Several principals over one deployment: it is begun, watched and ended once, and each has pools of its own."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from functools import partial

import pytest
from peers import HELLO, MongoPeer, mongo_peer, resolver_of
from srv_zone import Clock, StubResolver

from aiomongo_tls.address import ServerAddress
from aiomongo_tls.core.events.listeners import ConnectionPoolListener, TopologyListener
from aiomongo_tls.core.events.pool_events import PoolClearedEvent, PoolClosedEvent, PoolCreatedEvent
from aiomongo_tls.core.events.topology_events import TopologyClosedEvent, TopologyOpenedEvent
from aiomongo_tls.core.options.client_options import ClientOptions
from aiomongo_tls.core.options.credential import MongoCredential
from aiomongo_tls.core.options.tls_options import TLSOptions
from aiomongo_tls.core.sdam.application_errors import When
from aiomongo_tls.core.server_type import ServerType
from aiomongo_tls.core.uri.resolve import resolve
from aiomongo_tls.errors import AuthenticationFailed, AutoReconnect, InvalidOperation, Phase, PoolClosedError
from aiomongo_tls.net.connection import Connection
from aiomongo_tls.net.dns import Endpoint, Resolver
from aiomongo_tls.topology import life as life_module
from aiomongo_tls.topology.rotation import Rotation
from aiomongo_tls.topology.srv_monitor import Polling
from aiomongo_tls.topology.topology import Topology

NAME = "_mongodb._tcp.c.example.net"


class Told(ConnectionPoolListener, TopologyListener):
    """Counts what it was told of; closes what it was given when a pool is cleared."""

    def __init__(self) -> None:
        self.events: list[type] = []
        self.aborts: list[Topology] = []

    def pool_created(self, event: PoolCreatedEvent) -> None:
        self.events.append(PoolCreatedEvent)

    def pool_cleared(self, event: PoolClearedEvent) -> None:
        self.events.append(PoolClearedEvent)
        for topology in self.aborts:
            topology.abort()

    def pool_closed(self, event: PoolClosedEvent) -> None:
        self.events.append(PoolClosedEvent)

    def opened(self, event: TopologyOpenedEvent) -> None:
        self.events.append(TopologyOpenedEvent)

    def closed(self, event: TopologyClosedEvent) -> None:
        self.events.append(TopologyClosedEvent)


def another(topology: Topology, number: int = 1) -> Topology:
    """The same deployment as another principal: its options differ, though in nothing that a peer could see."""
    return topology.with_identity(replace(topology.options, tls=TLSOptions(expiry_warning=number / 100)))


async def use(topology: Topology) -> Connection:
    connection = await topology.check_out()
    topology.check_in(connection)
    return connection


def tasks(name: str = "aiomongo_tls") -> list[str]:
    return [task.get_name() for task in asyncio.all_tasks() if name in task.get_name()]


@asynccontextmanager
async def principals(count: int = 2, told: Told | None = None) -> AsyncIterator[tuple[MongoPeer, list[Topology]]]:
    async with mongo_peer() as peer:
        options = ClientOptions(seeds=(peer.address,), event_listeners=() if told is None else (told,))
        first = Topology(options, resolver=resolver_of(), chance=lambda: 0.0)
        made = [first, *(another(first, number) for number in range(1, count))]
        yield peer, made
        for topology in made:
            await topology.close()
        assert not tasks()
        await peer.until(lambda: not peer.open_sessions)


# Shared and apart


async def test_each_has_its_own_pool() -> None:
    """A connection of one is never another's; listeners are told of each pool, and of one topology."""
    told = Told()
    async with principals(3, told) as (_, made):
        connections = [await use(topology) for topology in made]
        assert len({id(connection) for connection in connections}) == 3
        for topology, connection in zip(made, connections, strict=True):
            assert await use(topology) is connection
        assert told.events == [TopologyOpenedEvent, *[PoolCreatedEvent] * 3]
        assert len(tasks("aiomongo_tls monitor")) == 1
    assert told.events[4:].count(PoolClosedEvent) == 3
    assert told.events[-1] is TopologyClosedEvent


async def test_equal_options_are_one_principal() -> None:
    """It has one pool, until the last one that has it is closed."""
    async with principals(2) as (_, made):
        same = another(made[0])
        connection = await use(made[1])
        assert await use(same) is connection
        await made[1].close()
        assert await use(same) is connection
        await same.close()


async def test_a_lost_connection_counts_for_all() -> None:
    """The server is Unknown, and every pool is cleared once."""
    async with principals(2) as (peer, made):
        lost, other = [await use(topology) for topology in made]
        made[0].handle_error(lost, AutoReconnect("lost", host=peer.address, phase=Phase.REQUEST))
        assert [pool.generation for topology in made for pool in topology.pool_status().values()] == [1, 1]
        assert made[1].description.servers[peer.address].server_type is ServerType.UNKNOWN
        # Of the past, as far as its own pool is concerned.
        made[1].handle_error(other, AutoReconnect("lost", host=peer.address, phase=Phase.REQUEST))
        assert [pool.generation for topology in made for pool in topology.pool_status().values()] == [1, 1]
        assert await use(made[1]) is not other


async def test_a_refusal_counts_for_one() -> None:
    """Its pool alone is cleared, and goes on; the server is what it was."""
    async with principals(2) as (peer, made):
        refused, other = [await use(topology) for topology in made]
        deployment = made[0]._life.deployment
        assert deployment is not None
        before = deployment.description
        deployment.handle_error(refused, AuthenticationFailed("no", 18, {}, host=peer.address), When.AUTHENTICATING)
        assert [pool.generation for topology in made for pool in topology.pool_status().values()] == [1, 0]
        assert deployment.description is before
        assert await use(made[1]) is other
        assert await use(made[0]) is not refused


async def test_a_refusal_counts_for_all_where_there_is_one() -> None:
    """As the specification has it; who was closed does not count, nor who was never connected."""
    async with principals(3) as (peer, made):
        refused, _ = [await use(topology) for topology in made[:2]]
        await made[1].close()
        deployment = made[0]._life.deployment
        assert deployment is not None
        deployment._principals = [each for each in deployment._principals if each is made[0]._principal]
        deployment.handle_error(refused, AuthenticationFailed("no", 18, {}, host=peer.address), When.AUTHENTICATING)
        assert deployment.description.servers[peer.address].server_type is ServerType.UNKNOWN
        await use(made[0])


async def test_a_server_that_takes_the_renewed_identity_is_passed_over_no_longer() -> None:
    """From that moment on, and not from the next check of the server."""
    async with principals(2) as (peer, made):
        for topology in made:
            await use(topology)
        principal = made[1]._principal
        access = principal.accesses[peer.address]
        access.fault = AutoReconnect("refused")
        # Found when there was another server, which did not refuse it.
        principal.ways[None] = []
        assert made[1].try_check_out() is None
        assert await Rotation(principal, interval=None)._prove_at(access, principal.identity)
        assert principal.accesses[peer.address].fault is None
        connection = made[1].try_check_out()
        assert connection is not None
        made[1].check_in(connection)


async def test_a_server_that_has_left_is_watched_by_nobody() -> None:
    """It may have done so while a renewed certificate was tried there."""
    async with principals(1) as (_, (topology,)):
        await use(topology)
        deployment = topology._life.deployment
        assert deployment is not None
        deployment.renew_monitor(ServerAddress("gone.example.net"))


async def test_closed_by_a_listener() -> None:
    """In the middle of what it is told: all of them end afterwards."""
    told = Told()
    async with principals(2, told) as (peer, made):
        lost, _ = [await use(topology) for topology in made]
        told.aborts = made
        made[0].handle_error(lost, AutoReconnect("lost", host=peer.address, phase=Phase.REQUEST))
        for topology in made:
            with pytest.raises(InvalidOperation, match="closed"):
                topology.try_check_out()
        await peer.until(lambda: not peer.open_sessions)
        assert told.events[-1] is TopologyClosedEvent


# SRV


class Cluster:
    """Two mongos and their records; a third that is not listed."""

    def __init__(self, peers: list[MongoPeer]) -> None:
        self.peers = peers
        for peer in peers:
            peer.answers["hello"] = {**HELLO, "msg": "isdbgrid"}
        self.dns = StubResolver({}, {"c.example.net": [[b"authSource=users"]]})
        self.lists(0, 1)
        self.told = Told()

    def lists(self, *peers: int) -> None:
        self.dns.hosts[NAME] = [f"mongos.example.net:{self.peers[number].port}" for number in peers]

    def topology(self) -> Topology:
        options = resolve("mongodb+srv://c.example.net/?tls=false", {"event_listeners": [self.told]})
        hosts = Resolver(lambda _host, port: [Endpoint(2, ("127.0.0.1", port))])
        return Topology(options, resolver=hosts, srv_resolver=self.dns, chance=lambda: 0.0)


@asynccontextmanager
async def cluster_of() -> AsyncIterator[Cluster]:
    async with mongo_peer() as a, mongo_peer() as b, mongo_peer() as c:
        yield Cluster([a, b, c])
    assert not tasks()


def ports(topology: Topology) -> set[int | None]:
    return {address.port for address in topology.pool_status()}


async def test_one_look_up_for_all() -> None:
    """Whoever is first; and what DNS says is completed for each, the source of a credential included."""
    async with cluster_of() as cluster:
        first = cluster.topology()
        made = [another(first, number) for number in range(1, 4)]
        cluster.dns.goes_on.clear()
        waiting = [asyncio.create_task(use(topology)) for topology in made for _ in range(20)]
        await cluster.dns.was_asked.wait()
        waiting += [asyncio.create_task(use(first)) for _ in range(20)]
        cluster.dns.goes_on.set()
        await asyncio.gather(*waiting)
        assert cluster.dns.asked == [NAME, "c.example.net"]
        assert cluster.told.events.count(TopologyOpenedEvent) == 1
        for topology in (first, *made):
            assert ports(topology) == {peer.port for peer in cluster.peers[:2]}
            assert {seed.port for seed in topology.options.seeds} == {peer.port for peer in cluster.peers[:2]}
        carl = first.with_identity(replace(first.options, credential=MongoCredential(username="carl", password="x")))
        assert carl.options.credential is not None
        for topology in (carl, *made, first):
            await topology.close()


async def test_one_poll_for_all(monkeypatch: pytest.MonkeyPatch) -> None:
    """Records are followed once, even after the first one was closed; every principal meets the new server."""
    clock = Clock()
    monkeypatch.setattr(life_module, "Polling", partial(Polling, sleep=clock.sleep))
    async with cluster_of() as cluster:
        first = cluster.topology()
        made = [another(first, number) for number in range(1, 3)]
        for topology in (first, *made):
            await use(topology)
        assert len(tasks("SRV")) == 1
        await first.close()
        assert len(tasks("SRV")) == 1
        cluster.lists(1, 2)
        await clock.next()
        for topology in made:
            assert ports(topology) == {peer.port for peer in cluster.peers[1:]}
            await use(topology)
        assert cluster.dns.asked.count(NAME) == 2
        for topology in made:
            await topology.close()


@pytest.mark.parametrize("turns", range(12))
@pytest.mark.parametrize("how", ["abort", "close"])
async def test_all_are_closed_in_the_moment_in_which_dns_answers(how: str, turns: int) -> None:
    """Nothing is begun any more, although what it waited for is there."""
    async with cluster_of() as cluster:
        first = cluster.topology()
        made = [first, another(first)]
        cluster.dns.goes_on.clear()
        waiting = [asyncio.create_task(use(topology)) for topology in made]
        await cluster.dns.was_asked.wait()
        cluster.dns.goes_on.set()
        for _ in range(turns):
            await asyncio.sleep(0)
        if how == "abort":
            for topology in made:
                topology.abort()
        else:
            await asyncio.gather(*(topology.close() for topology in made))
        for result in await asyncio.gather(*waiting, return_exceptions=True):
            assert isinstance(result, (InvalidOperation, PoolClosedError))
        async with asyncio.timeout(5):
            while tasks():  # noqa: ASYNC110 - after an abort nobody can be asked
                await asyncio.sleep(0)
        for peer in cluster.peers:
            await peer.until(lambda peer=peer: not peer.open_sessions)  # type: ignore[misc]
