"""Servers that leave the deployment: what is under way on them ends in peace, and nothing of them stays."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from typing import Any

import bson
import pytest
from peers import HELLO, MongoPeer, mongo_peer, resolver_of
from replica_sets import NAME, replica_set

from aiomongo_tls.address import ServerAddress
from aiomongo_tls.core.options.client_options import ClientOptions
from aiomongo_tls.core.options.monitoring_options import MonitoringOptions
from aiomongo_tls.core.options.pool_options import PoolOptions
from aiomongo_tls.topology.deployment import Deployment
from aiomongo_tls.topology.topology import Topology

PING = bson.encode({"ping": 1, "$db": "admin"})
VERSION = {"processId": bson.ObjectId(), "counter": bson.Int64(1)}


@pytest.fixture
async def topologies() -> AsyncIterator[Callable[..., Topology]]:
    """Make a topology that ends with the test, and of which nothing is left then."""
    made: list[Topology] = []

    def make(*seeds: ServerAddress, **options: Any) -> Topology:
        options.setdefault("server_selection_timeout", 5.0)
        made.append(Topology(ClientOptions(seeds=seeds, **options), resolver=resolver_of()))
        return made[-1]

    yield make
    for topology in made:
        await topology.close()
    assert asyncio.all_tasks() == {asyncio.current_task()}


def mongos(*peers: MongoPeer) -> None:
    for peer in peers:
        peer.answers["hello"] = {**HELLO, "msg": "isdbgrid"}


def deployment_of(topology: Topology) -> Deployment:
    assert topology._life.deployment is not None
    return topology._life.deployment


async def until(condition: Callable[[], object]) -> None:
    async with asyncio.timeout(5):
        while not condition():  # noqa: ASYNC110 - there is no event for what goes on inside
            await asyncio.sleep(0)


async def test_what_is_under_way_goes_on(topologies: Any) -> None:
    """An operation gets its reply although its server has left meanwhile; its connection is closed afterwards."""
    async with mongo_peer() as one, mongo_peer() as other:
        mongos(one, other)
        topology = topologies(one.address, other.address)
        connection = await topology.check_out()
        at, left = (one, other) if connection.address == one.address else (other, one)
        at.answers["ping"] = None
        request = asyncio.create_task(connection.request(PING))
        await at.until(lambda: at.commands[-1].get("ping"))
        deployment_of(topology).set_hosts([left.address])
        session = next(session for session in at.sessions if session.messages and "ping" in session.commands[-1])
        session.reply({"ok": 1.0})
        assert bson.decode(await request)["ok"] == 1.0
        topology.check_in(connection)
        assert not connection.is_usable
        await at.until(lambda: not at.open_sessions)


async def test_who_waits_goes_elsewhere(topologies: Any) -> None:
    """An operation in the queue of a server that leaves is served by another one."""
    async with mongo_peer() as one, mongo_peer() as other:
        mongos(one, other)
        topology = topologies(one.address, pool=PoolOptions(max_pool_size=1))
        held = await topology.check_out()
        waiting = asyncio.create_task(topology.check_out())
        await until(lambda: topology.pool_status()[one.address].waiting)
        deployment_of(topology).set_hosts([other.address])
        connection = await waiting
        assert connection.address == other.address
        topology.check_in(connection)
        assert held.is_usable
        topology.check_in(held)


@pytest.mark.parametrize("how", ["close", "abort"])
async def test_the_end_of_the_client_is_the_end_of_what_is_under_way(topologies: Any, how: str) -> None:
    """Also on a server that had left before."""
    async with mongo_peer() as one, mongo_peer() as other:
        mongos(one, other)
        topology = topologies(one.address)
        connection = await topology.check_out()
        deployment_of(topology).set_hosts([other.address])
        assert connection.is_usable
        if how == "abort":
            topology.abort()
        await topology.close()
        assert not connection.is_usable
        assert connection.is_gone
        topology.check_in(connection)


async def test_a_server_that_is_refused_is_not_watched(topologies: Any) -> None:
    """Seeds are often other names of the members: they leave with their first reply, and all of their tasks with it."""
    async with replica_set() as members:
        aliased = members.peers[0]

        def hello(command: dict[str, Any]) -> dict[str, Any]:
            return members.hello(aliased) | {"topologyVersion": VERSION, "me": "elsewhere.example.net:1"}

        members.elect(1)
        aliased.answers["hello"] = hello
        members.peers[1].answers["hello"] = lambda command: (
            members.hello(members.peers[1]) | {"hosts": [str(members.addresses[1]), str(members.addresses[2])]}
        )
        topology = topologies(members.addresses[0], members.addresses[1], replica_set=NAME)
        topology.check_in(await topology.check_out())
        await until(lambda: members.addresses[0] not in topology.description.servers)
        # Enough turns of the loop for everything to end.
        await until(lambda: not aliased.open_sessions)
        names = [task.get_name() for task in asyncio.all_tasks()]
        assert not [name for name in names if str(members.addresses[0]) in name]


async def test_a_monitor_that_has_not_ended_is_waited_for(topologies: Any) -> None:
    """Whatever becomes of the other servers in the meantime."""
    async with mongo_peer() as one, mongo_peer() as other, mongo_peer() as third:
        mongos(one, other, third)
        monitoring = MonitoringOptions(heartbeat_frequency=0.5)
        topology = topologies(one.address, monitoring=monitoring)
        topology.check_in(await topology.check_out())
        deployment = deployment_of(topology)
        monitor = deployment.servers[one.address].monitor
        assert monitor is not None
        # In one turn: nothing has had the time to end.
        topology._principal.accesses[one.address].pool.abort()
        await topology._principal.accesses[one.address].pool.wait_closed()
        deployment.set_hosts([other.address])
        deployment.set_hosts([third.address])
        assert monitor._task is not None
        assert not monitor._task.done()
        await topology.close()
        assert monitor._task.done()
        assert not one.open_sessions or all(session.transport.is_gone for session in one.open_sessions)
