"""Connections that wait for the late reply to an operation that was given up."""

from __future__ import annotations

import asyncio
from typing import Any

import bson
import pytest
from counts import counts
from openers import Opener, break_off

from aiomongo_tls.core.pool.status import Counts
from aiomongo_tls.errors import AutoReconnect, WaitQueueTimeoutError


async def test_a_cancelled_operation_costs_no_connection(pools: Any, opener: Opener) -> None:
    """It is parked until the reply has come, which whoever asked for it is told; then it serves again."""
    pool = pools(max_pool_size=1)
    told: list[Any] = []
    connection = await pool.check_out()
    await break_off(connection, told)
    pool.check_in(connection)
    assert counts(pool) == Counts(parked=1)
    assert pool.try_check_out() is None
    assert "parked=1" in repr(pool)
    opener.lines[1].reply(late=True)
    assert [bson.decode(body) for body in told] == [{"ok": 1.0, "late": True}]
    assert counts(pool) == Counts(idle=1)
    assert pool.try_check_out() is connection


async def test_twenty_cancelled_operations_cost_no_connection(pools: Any, opener: Opener) -> None:
    """Not even if others wait for theirs: the replies come soon."""
    pool = pools(max_pool_size=20)
    told: list[Any] = []
    connections = [await pool.check_out() for _ in range(20)]
    waiting = [asyncio.create_task(pool.check_out()) for _ in range(20)]
    for connection in connections:
        await break_off(connection, told)
        pool.check_in(connection)
    assert counts(pool) == Counts(parked=20, waiting=20)
    for line in list(opener.lines.values()):
        line.reply()
    assert [connection.id for connection in await asyncio.gather(*waiting)] == list(range(1, 21))
    assert len(told) == len(opener.gates) == 20


async def test_a_parked_connection_makes_room_for_who_waits(pools: Any, opener: Opener) -> None:
    """The server hangs, and the pool is full: after a moment the connection is given up for a new one."""
    pool = pools(max_pool_size=1)
    told: list[Any] = []
    connection = await pool.check_out()
    await break_off(connection, told)
    pool.check_in(connection)
    async with asyncio.timeout(5):
        assert (await pool.check_out()).id == 2
    assert told == [None]
    assert opener.lines[1].ends == ["abort"]


async def test_a_late_reply_is_waited_for_only_so_long(pools: Any) -> None:
    """Then the connection is closed, and whoever waits for the reply is told that none will come."""
    pool = pools(drain_timeout=0.02)
    ended = asyncio.get_running_loop().create_future()
    connection = await pool.check_out()
    await break_off(connection, [])
    pool.check_in(connection)
    connection.on_late_reply = ended.set_result
    async with asyncio.timeout(5):
        assert await ended is None
    assert counts(pool) == Counts()


async def test_parking_can_be_switched_off(pools: Any) -> None:
    """With drainTimeoutMS=0 a connection that is not clean is closed at once."""
    pool = pools(drain_timeout=0)
    told: list[Any] = []
    connection = await pool.check_out()
    await break_off(connection, told)
    pool.check_in(connection)
    assert counts(pool) == Counts()
    assert told == [None]


async def test_half_a_request_cannot_be_taken_back(pools: Any, opener: Opener) -> None:
    """If not every byte has left, the server would wait for the rest: the connection is closed."""
    pool = pools()
    connection = await pool.check_out()
    await break_off(connection, [])
    opener.lines[1].has_backlog = True
    pool.check_in(connection)
    assert counts(pool) == Counts()
    assert not connection.is_usable


async def test_without_anybody_to_tell_nothing_is_parked(pools: Any) -> None:
    """A cursor that the reply opens would stay on the server."""
    pool = pools()
    connection = await pool.check_out()
    connection.write(bson.encode({"find": "things", "$db": "test"}))
    pool.check_in(connection)
    assert counts(pool) == Counts()


async def test_a_parked_connection_that_is_lost_leaves(pools: Any) -> None:
    """At once, and a waiter gets a new one."""
    pool = pools(max_pool_size=1)
    connection = await pool.check_out()
    await break_off(connection, [])
    pool.check_in(connection)
    waiting = asyncio.create_task(pool.check_out())
    await asyncio.sleep(0)
    connection.stream_lost(None)
    assert (await waiting).id == 2


@pytest.mark.parametrize("how", ["clear", "close", "abort"])
async def test_parked_connections_end_with_the_pool(pools: Any, how: str) -> None:
    """Cleared, closed or aborted."""
    pool = pools()
    told: list[Any] = []
    connection = await pool.check_out()
    await break_off(connection, told)
    pool.check_in(connection)
    getattr(pool, how)()
    assert told == [None]
    assert not connection.is_usable
    assert counts(pool) == Counts()


async def test_a_stale_connection_is_not_parked(pools: Any) -> None:
    """There is no point: nobody will have it."""
    pool = pools()
    connection = await pool.check_out()
    await break_off(connection, [])
    pool.clear(AutoReconnect("gone"))
    pool.check_in(connection)
    assert not connection.is_usable
    assert counts(pool) == Counts()


async def test_wait_queue_timeout_tells_of_parked_connections(pools: Any) -> None:
    """They are the reason why there was none."""
    pool = pools(max_pool_size=2, wait_queue_timeout=0.01)
    await pool.check_out()
    connection = await pool.check_out()
    await break_off(connection, [])
    pool.check_in(connection)
    with pytest.raises(WaitQueueTimeoutError, match="1 in use of maxPoolSize=2, 1 waiting for late replies"):
        await pool.check_out()
