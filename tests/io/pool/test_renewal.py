"""A pool whose client presents another certificate from now on."""

from __future__ import annotations

import asyncio
from typing import Any

from counts import counts
from openers import Opener
from recording import Recording

from aiomongo_tls.address import ServerAddress
from aiomongo_tls.core.events.pool_events import ConnectionClosedReason
from aiomongo_tls.core.events.publisher import EventPublisher
from aiomongo_tls.core.pool.key import PoolKey
from aiomongo_tls.core.pool.status import Counts
from aiomongo_tls.net.connection import Connection
from aiomongo_tls.pool.pool import Pool

RENEWED = PoolKey(ServerAddress("db.example.net"), "another fingerprint")


async def closed(connection: Connection) -> None:
    """The pool has closed it."""
    async with asyncio.timeout(5):
        while connection.is_usable:  # noqa: ASYNC110 - a timer of the pool does it
            await asyncio.sleep(0.001)


async def test_idle_connections_are_closed_one_by_one(pools: Any) -> None:
    """Each at a moment of its own within the window; the pool goes on, under its new key."""
    pool: Pool = pools()
    first, second = await pool.check_out(), await pool.check_out()
    pool.check_in(first)
    pool.check_in(second)
    moments = iter([0.0, 1.0])
    pool.renew(RENEWED, window=0.05, chance=lambda: next(moments))
    assert pool.key is RENEWED
    assert counts(pool) == Counts(idle=2)
    await asyncio.sleep(0)
    await asyncio.sleep(0)
    assert counts(pool) == Counts(idle=1)
    await closed(first)
    await closed(second)
    assert counts(pool) == Counts()


async def test_what_is_under_way_goes_on(pools: Any) -> None:
    """A connection in use is closed when it is given back, if its time has come by then."""
    pool: Pool = pools()
    connection = await pool.check_out()
    pool.renew(RENEWED, window=0.0)
    await asyncio.sleep(0.002)
    assert connection.is_usable
    pool.check_in(connection)
    assert not connection.is_usable
    other = await pool.check_out()
    assert other is not connection
    pool.check_in(other)
    assert counts(pool) == Counts(idle=1)


async def test_attempts_begin_again_and_who_waits_goes_on_waiting(pools: Any, opener: Opener) -> None:
    """What was being opened for the earlier key is given up, its waiter gets a connection for the new one."""
    opener.at_once = False
    pool: Pool = pools()
    waiting = asyncio.create_task(pool.check_out())
    await opener.attempts(1)
    opener.at_once = True
    pool.renew(RENEWED)
    connection = await waiting
    assert opener.cancelled == [1]
    assert connection.id == 2
    pool.check_in(connection)
    assert counts(pool) == Counts(idle=1)


async def test_closing_forgets_what_was_to_be_closed_later(pools: Any) -> None:
    """No timer is left of a pool that is closed in the window."""
    pool: Pool = pools()
    pool.check_in(await pool.check_out())
    pool.renew(RENEWED, window=1000.0, chance=lambda: 1.0)
    pool.close()
    scheduled = getattr(asyncio.get_running_loop(), "_scheduled", [])
    assert not [timer for timer in scheduled if "_outdate" in repr(timer) and not timer.cancelled()]


async def test_listeners_learn_why(pools: Any) -> None:
    """The reason is `stale`."""
    recording = Recording()
    pool: Pool = pools(publisher=EventPublisher([recording]))
    pool.check_in(await pool.check_out())
    pool.renew(RENEWED, window=0.0)
    await recording.occurs("ConnectionClosed")
    assert getattr(recording.events[-1], "reason", None) is ConnectionClosedReason.STALE
