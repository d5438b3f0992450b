"""An operation whose server can be selected, but gives it no connection: it tries again, and not without a pause."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from typing import Any

import bson
import pytest
from peers import HELLO, mongo_peer, resolver_of
from replica_sets import NAME, replica_set

from aiomongo_tls.address import ServerAddress
from aiomongo_tls.core.options.client_options import ClientOptions
from aiomongo_tls.core.server_type import ServerType
from aiomongo_tls.deadline import Deadline
from aiomongo_tls.errors import AutoReconnect, ConnectionFailure, NotPrimaryError, Phase, ServerSelectionTimeoutError
from aiomongo_tls.net.connection import Connection
from aiomongo_tls.net.establish import Establisher
from aiomongo_tls.topology.topology import Topology


@pytest.fixture
async def topologies() -> AsyncIterator[Callable[..., Topology]]:
    """Make a topology that ends with the test."""
    made: list[Topology] = []

    def make(*seeds: ServerAddress, connect: Any = Establisher.establish, **options: Any) -> Topology:
        options.setdefault("server_selection_timeout", 5.0)
        made.append(
            Topology(ClientOptions(seeds=seeds, **options), resolver=resolver_of(), connect=connect, chance=lambda: 1.0)
        )
        return made[-1]

    yield make
    for topology in made:
        await topology.close()


def soon(seconds: float) -> Deadline:
    return Deadline.after(seconds, f"timeoutMS={seconds * 1000:g}", now=asyncio.get_running_loop().time())


class Failing:
    """Opens connections of which so many fail before the first succeeds."""

    def __init__(self, error: Callable[[], Exception], failures: float = float("inf")) -> None:
        self.error = error
        self.failures = failures
        self.times: list[float] = []

    async def __call__(self, establisher: Establisher, connection: Connection) -> None:
        self.times.append(asyncio.get_running_loop().time())
        if len(self.times) <= self.failures:
            connection.abort()
            raise self.error()
        await establisher.establish(connection)


BALANCER = ServerAddress("lb.example.net", 27017)

NOTHING_LEARNED = {
    "its name cannot be looked up": lambda: ConnectionFailure("no such name", host=BALANCER, phase=Phase.DNS),
    "a server behind it is going away": lambda: NotPrimaryError("shutting down", {"ok": 0, "code": 91}, host=BALANCER),
    "it hangs up on authentication": lambda: AutoReconnect("hung up", host=BALANCER, phase=Phase.AUTH),
}


@pytest.mark.parametrize("error", NOTHING_LEARNED.values(), ids=NOTHING_LEARNED)
async def test_a_load_balancer_is_not_stormed(topologies: Any, error: Any) -> None:
    """Nothing ever makes a load balancer unknown, so that it can be selected at once again; attempts are paced."""
    connect = Failing(error)
    topology = topologies(BALANCER, load_balanced=True, connect=connect, server_selection_timeout=0.3)
    with pytest.raises(type(error())):
        await topology.check_out()
    pauses = [after - before for before, after in zip(connect.times, connect.times[1:], strict=False)]
    assert 2 <= len(connect.times) <= 5
    assert all(pause > 0.04 for pause in pauses)


async def test_a_load_balancer_that_comes_back_is_used(topologies: Any) -> None:
    """The pauses are short: the operation is served soon after."""
    async with mongo_peer() as peer:
        peer.answers["hello"] = HELLO | {"msg": "isdbgrid", "serviceId": bson.ObjectId()}
        connect = Failing(NOTHING_LEARNED["its name cannot be looked up"], failures=2)
        topology = topologies(peer.address, load_balanced=True, connect=connect)
        topology.check_in(await topology.check_out(soon(3)))
        assert len(connect.times) == 3


async def test_the_server_of_a_cursor_that_takes_no_operations_now(topologies: Any) -> None:
    """A member that was lost and recovers is known, but its pool is paused: whoever needs it waits for news."""
    async with replica_set() as members:
        topology = topologies(*members.addresses)
        connection = await topology.check_out()
        address = connection.address
        members.peers[0].answers["hello"] = lambda command: (
            HELLO
            | {
                "isWritablePrimary": False,
                "setName": NAME,
                "hosts": [str(each) for each in members.addresses],
                "me": str(address),
            }
        )
        topology.handle_error(connection, AutoReconnect("lost", host=address))
        topology.check_in(connection)
        deployment = topology._life.deployment
        assert deployment is not None
        async with asyncio.timeout(5):
            while deployment.description.servers[address].server_type is not ServerType.RS_OTHER:
                deployment.request_checks()
                await deployment.changed.wait()
        pool = topology._principal.accesses[address].pool
        tries = 0
        check_out = pool.check_out

        async def counting(deadline: Deadline) -> Connection:
            nonlocal tries
            tries += 1
            return await check_out(deadline)

        pool.check_out = counting  # type: ignore[method-assign, assignment]
        with pytest.raises(ServerSelectionTimeoutError, match=f"{address} was not found until timeoutMS=100"):
            await topology.check_out_from(address, soon(0.1))
        assert tries == 0
        # As soon as it takes operations again, it is used.
        waiting = asyncio.create_task(topology.check_out_from(address))
        members.peers[0].answers["hello"] = lambda command: members.hello(members.peers[0])
        topology.check_in(await waiting)
        assert tries == 1
