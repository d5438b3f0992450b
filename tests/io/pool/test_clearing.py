"""Paused, ready and cleared pools, whole and by service."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from typing import Any

import bson
import pytest
from bson import ObjectId
from counts import counts
from fake_topology import description
from openers import Line, Opener

from aiomongo_tls.core.pool.status import Counts
from aiomongo_tls.errors import AutoReconnect, InvalidOperation, PoolClearedError, WaitQueueTimeoutError
from aiomongo_tls.net.connection import Connection

LOST = AutoReconnect("the server went away")
FIND = bson.encode({"find": "things", "$db": "test"})


async def test_a_new_pool_is_paused(pools: Any, opener: Opener) -> None:
    """It opens nothing and hands out nothing until its server is known to be there."""
    pool = pools(ready=False, min_pool_size=1)
    assert pool.try_check_out() is None
    with pytest.raises(PoolClearedError, match="the server now, because it is not known to be there") as caught:
        await pool.check_out()
    assert caught.value.__cause__ is None
    assert not opener.gates
    pool.ready()
    await opener.attempts(1)
    assert (await pool.check_out()).id == 1


async def test_trying_a_paused_pool_again_does_not_hold_up_the_loop(pools: Any) -> None:
    """Between two tries the loop turns once at least, so that the pool can become ready."""
    pool = pools(ready=False)
    asyncio.get_running_loop().call_soon(asyncio.get_running_loop().call_soon, pool.ready)
    async with asyncio.timeout(5):
        while True:
            try:
                assert (await pool.check_out()).id == 1
                break
            except PoolClearedError:
                continue


async def test_clearing_turns_away_who_waits(pools: Any) -> None:
    """At once, with what was seen of the server as the cause; it can be tried again elsewhere."""
    pool = pools(max_pool_size=1)
    connection = await pool.check_out()
    waiting = [asyncio.create_task(pool.check_out()) for _ in range(2)]
    await asyncio.sleep(0)
    pool.clear(LOST)
    for task in waiting:
        with pytest.raises(PoolClearedError, match="its pool was cleared: the server went away") as caught:
            await task
        assert caught.value.__cause__ is LOST
    assert pool.is_stale(connection)
    pool.check_in(connection)
    assert not connection.is_usable
    assert pool.generation == 1


async def test_after_clearing_everything_is_new(pools: Any) -> None:
    """What was idle is closed; once the pool is ready again, a new connection serves."""
    pool = pools()
    old = await pool.check_out()
    pool.check_in(old)
    pool.clear(LOST)
    assert not old.is_usable
    pool.ready()
    connection = await pool.check_out()
    assert (connection.id, connection.generation, pool.is_stale(connection)) == (2, 1, False)
    pool.check_in(connection)
    assert counts(pool) == Counts(idle=1)


async def test_clearing_gives_up_what_is_being_opened(pools: Any, opener: Opener) -> None:
    """Also an attempt that succeeds in the very turn in which the pool is cleared."""
    pool = pools(max_connecting=2)
    opener.at_once = False
    tasks = [asyncio.create_task(pool.check_out()) for _ in range(2)]
    await opener.attempts(2)
    connections = pool.attempts
    opener.succeed(1)
    pool.clear(LOST)
    assert counts(pool) == Counts()
    results = await asyncio.gather(*tasks, return_exceptions=True)
    assert [type(result) for result in results] == [PoolClearedError] * 2
    pool.ready()
    opener.at_once = True
    assert (await pool.check_out()).id == 3
    await asyncio.sleep(0)
    assert [connection.is_usable for connection in connections] == [False, False]


async def test_operations_go_on_unless_they_are_interrupted(pools: Any, opener: Opener) -> None:
    """Interrupted ones fail with an error that says why, and that can be tried again."""
    pool = pools()
    connection = await pool.check_out()
    request = asyncio.create_task(connection.request(FIND))
    await asyncio.sleep(0)
    pool.clear(LOST)
    opener.lines[1].reply(n=1)
    assert bson.decode(await request) == {"ok": 1.0, "n": 1}

    request = asyncio.create_task(connection.request(FIND))
    await asyncio.sleep(0)
    pool.clear(LOST, interrupt_in_use_connections=True)
    with pytest.raises(PoolClearedError, match="did not answer its monitor") as caught:
        await request
    assert caught.value.__cause__ is LOST
    pool.check_in(connection)
    assert counts(pool) == Counts()


async def test_a_newer_connection_is_not_interrupted(pools: Any) -> None:
    """Only those that were opened before the pool was cleared."""
    pool = pools(max_pool_size=2)
    old = await pool.check_out()
    pool.clear(LOST)
    pool.ready()
    new = await pool.check_out()
    pool._interrupt(None)
    assert (old.is_usable, new.is_usable) == (False, True)
    pool.check_in(old)
    pool.check_in(new)


async def test_a_closed_pool_stays_closed(pools: Any) -> None:
    """Neither clearing it nor making it ready has an effect."""
    pool = pools()
    pool.close()
    pool.clear(LOST)
    pool.ready()
    assert pool.generation == 0
    assert repr(pool).startswith("<Pool db.example.net:27017 closed ")


# Load balanced


class Balancer(Opener):
    """Leads the connections to one service after the other."""

    def __init__(self, *services: ObjectId) -> None:
        super().__init__()
        self.services = services

    async def establish(self, connection: Connection) -> None:
        service = self.services[(connection.id - 1) % len(self.services)]
        connection.description = replace(description(), service_id=service)
        await super().establish(connection)


MINE, YOURS = ObjectId(), ObjectId()


@pytest.fixture
def balancer(opener: Opener, monkeypatch: pytest.MonkeyPatch) -> Balancer:
    balancer = Balancer(MINE, YOURS)
    monkeypatch.setattr(opener, "establish", balancer.establish)
    return balancer


async def test_one_service_is_cleared(pools: Any, balancer: Balancer) -> None:
    """The connections to the others, and who waits, go on as if nothing had happened."""
    pool = pools(load_balanced=True, max_pool_size=3)
    mine, yours, used = [await pool.check_out() for _ in range(3)]
    pool.check_in(mine)
    waiting = asyncio.create_task(pool.check_out())
    assert await waiting is mine
    waiting = asyncio.create_task(pool.check_out())
    await asyncio.sleep(0)
    pool.clear(LOST, service_id=MINE)
    assert not waiting.done()
    assert (pool.generation, pool.generation_of(MINE), pool.generation_of(YOURS)) == (0, 1, 0)
    assert [pool.is_stale(connection) for connection in (mine, yours, used)] == [True, False, True]
    pool.check_in(yours)
    assert await waiting is yours
    pool.check_in(mine)
    pool.check_in(used)
    assert counts(pool) == Counts(in_use=1)
    assert pool.generation_of(MINE) == 0


async def test_only_the_operations_of_one_service_are_interrupted(pools: Any, balancer: Balancer) -> None:
    """The service whose connections are cleared."""
    pool = pools(load_balanced=True)
    mine, yours = await pool.check_out(), await pool.check_out()
    pool.clear(LOST, service_id=MINE, interrupt_in_use_connections=True)
    assert (mine.is_usable, yours.is_usable) == (False, True)


async def test_a_fault_after_hello_has_the_generation_of_its_service(pools: Any, balancer: Balancer) -> None:
    """So that the topology can tell whether it is news."""
    told: list[int] = []
    pool = pools(load_balanced=True, on_fault=lambda connection, error: told.append(connection.generation))
    await pool.check_out()
    await pool.check_out()
    pool.clear(LOST, service_id=MINE)
    balancer.at_once = False
    task = asyncio.create_task(pool.check_out())
    await balancer.attempts(3)
    balancer.fail(3, LOST)
    with pytest.raises(AutoReconnect):
        await task
    assert told == [1]


@pytest.mark.parametrize("load_balanced", [True, False])
async def test_services_are_cleared_in_load_balanced_mode_only(pools: Any, load_balanced: bool) -> None:
    """The two ways of clearing exclude each other."""
    pool = pools(load_balanced=load_balanced)
    with pytest.raises(InvalidOperation):
        pool.clear(LOST, service_id=None if load_balanced else MINE)


async def test_a_full_pool_tells_what_holds_its_connections(pools: Any, balancer: Balancer) -> None:
    """Cursors and transactions keep theirs for longer than one operation."""
    pool = pools(load_balanced=True, max_pool_size=3, wait_queue_timeout=0.01)
    for pinned in ("cursor", "transaction", None):
        (await pool.check_out()).pinned = pinned
    with pytest.raises(WaitQueueTimeoutError) as caught:
        await pool.check_out()
    assert str(caught.value).endswith(
        "maxPoolSize: 3, connections in use by cursors: 1, connections in use by transactions: 1, "
        "connections in use by other operations: 1"
    )


async def test_lines_are_aborted_or_closed(pools: Any, opener: Opener) -> None:
    """A clean connection says goodbye; one with a request under way has nothing to say."""
    pool = pools()
    clean, busy = await pool.check_out(), await pool.check_out()
    lines: list[Line] = [opener.lines[1], opener.lines[2]]
    busy.write(FIND)
    pool.check_in(busy)
    pool.check_in(clean)
    pool.clear(LOST)
    assert [line.ends for line in lines] == [["close"], ["abort"]]
