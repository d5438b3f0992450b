"""What a pool tells its listeners and the log, and in which order."""

from __future__ import annotations

import asyncio
import logging
import re
from typing import Any

import pytest
from openers import Opener, break_off
from recording import Recording

from aiomongo_tls.core.events.pool_events import (
    ConnectionCheckedOutEvent,
    ConnectionCheckOutFailedEvent,
    ConnectionClosedEvent,
    ConnectionReadyEvent,
    PoolClearedEvent,
    PoolCreatedEvent,
)
from aiomongo_tls.core.events.publisher import EventPublisher
from aiomongo_tls.deadline import Deadline
from aiomongo_tls.errors import (
    AutoReconnect,
    InvalidOperation,
    PoolClearedError,
    PoolClosedError,
    WaitQueueTimeoutError,
)
from aiomongo_tls.pool import announcer as announcer_module

LOST = AutoReconnect("the server went away")
OPENED = ["ConnectionCheckOutStarted", "ConnectionCreated", "ConnectionReady", "ConnectionCheckedOut"]


@pytest.fixture
def recording() -> Recording:
    return Recording()


@pytest.fixture
def heard(pools: Any, recording: Recording) -> Any:
    """Make a pool that is listened to."""

    def make(**options: Any) -> Any:
        pool = pools(publisher=EventPublisher([recording]), **options)
        del recording.events[:2]
        return pool

    return make


def reasons(recording: Recording) -> list[tuple[int, str]]:
    """Why which connection was closed."""
    closed = [event for event in recording.events if isinstance(event, ConnectionClosedEvent)]
    return [(event.connection_id, event.reason) for event in closed]


def failures(recording: Recording) -> list[str]:
    """Why check-outs failed."""
    return [event.reason for event in recording.events if isinstance(event, ConnectionCheckOutFailedEvent)]


async def test_a_pool_is_created_and_ready(pools: Any, recording: Recording) -> None:
    """With the options that are not the default."""
    pools(publisher=EventPublisher([recording]), max_pool_size=7, min_pool_size=1)
    assert recording.names == ["PoolCreated", "PoolReady", "ConnectionCreated"]
    created = recording.events[0]
    assert isinstance(created, PoolCreatedEvent)
    assert (str(created.address), created.options) == ("db.example.net:27017", {"maxPoolSize": 7, "minPoolSize": 1})


async def test_out_and_in(heard: Any, recording: Recording) -> None:
    """The first time with a new connection, then without."""
    pool = heard()
    connection = await pool.check_out()
    pool.check_in(connection)
    assert recording.names == [*OPENED, "ConnectionCheckedIn"]
    ready, checked_out = recording.events[2:4]
    assert isinstance(ready, ConnectionReadyEvent)
    assert isinstance(checked_out, ConnectionCheckedOutEvent)
    assert 0 <= ready.duration <= checked_out.duration
    recording.events.clear()
    assert pool.try_check_out() is connection
    assert recording.names == ["ConnectionCheckOutStarted", "ConnectionCheckedOut"]
    assert pool.try_check_out() is None
    assert len(recording.names) == 2


async def test_a_failed_attempt(heard: Any, recording: Recording, opener: Opener) -> None:
    """The pool is cleared before the connection is closed, and then the operation learns of it."""
    pool = heard(on_fault=lambda connection, error: pool.clear(error))
    opener.at_once = False
    task = asyncio.create_task(pool.check_out())
    await opener.attempts(1)
    opener.fail(1, LOST)
    with pytest.raises(AutoReconnect):
        await task
    assert recording.names[2:] == ["PoolCleared", "ConnectionClosed", "ConnectionCheckOutFailed"]
    assert (reasons(recording), failures(recording)) == ([(1, "error")], ["connectionError"])


async def test_a_check_out_that_fails(heard: Any, recording: Recording) -> None:
    """By time, by cancellation, by a paused pool and by a closed one."""
    pool = heard(max_pool_size=1)
    await pool.check_out()
    with pytest.raises(WaitQueueTimeoutError):
        await pool.check_out(Deadline(0, "timeoutMS=1"))
    task = asyncio.create_task(pool.check_out())
    await asyncio.sleep(0)
    task.cancel()
    await asyncio.wait([task])
    pool.clear(LOST)
    with pytest.raises(PoolClearedError):
        await pool.check_out()
    pool.close()
    with pytest.raises(PoolClosedError):
        await pool.check_out()
    assert failures(recording) == ["timeout", "timeout", "connectionError", "poolClosed"]
    assert recording.names.count("ConnectionCheckOutStarted") == 5


async def test_a_cancelled_hand_over_is_no_check_out(heard: Any, recording: Recording) -> None:
    """The caller was cancelled after the connection was granted: nobody had it, so nobody gives it back."""
    pool = heard(max_pool_size=1)
    connection = await pool.check_out()
    task = asyncio.create_task(pool.check_out())
    await asyncio.sleep(0)
    recording.events.clear()
    pool.check_in(connection)
    task.cancel()
    await asyncio.wait([task])
    assert recording.names == ["ConnectionCheckedIn", "ConnectionCheckOutFailed"]


async def test_why_connections_are_closed(heard: Any, recording: Recording, opener: Opener) -> None:
    """Stale, lost, given up, or closed with the pool."""
    pool = heard(max_pool_size=10)
    idle, lost, dirty, stale, used = [await pool.check_out() for _ in range(5)]
    for connection in (lost, idle):
        pool.check_in(connection)
    lost.stream_lost(None)
    await break_off(dirty, [])
    dirty.on_late_reply = None
    pool.check_in(dirty)
    pool.clear(LOST)
    pool.check_in(stale)
    pool.close()
    pool.check_in(used)
    assert reasons(recording) == [
        (lost.id, "error"),
        (dirty.id, "error"),
        (idle.id, "stale"),
        (stale.id, "stale"),
        (used.id, "poolClosed"),
    ]


async def test_idle_connections_are_closed_when_they_are_too_old(heard: Any, recording: Recording) -> None:
    """By the keeper."""
    pool = heard(max_idle_time=0.001)
    pool.check_in(await pool.check_out())
    await recording.occurs("ConnectionClosed")
    assert reasons(recording) == [(1, "idle")]


async def test_a_pool_ends_after_its_connections(heard: Any, recording: Recording, opener: Opener) -> None:
    """What is idle or being opened is closed first; it is told once."""
    pool = heard()
    pool.check_in(await pool.check_out())
    pool.try_check_out()
    opener.at_once = False
    task = asyncio.create_task(pool.check_out())
    await opener.attempts(2)
    recording.events.clear()
    pool.close()
    pool.abort()
    await asyncio.wait([task])
    assert recording.names == ["ConnectionClosed", "PoolClosed", "ConnectionCheckOutFailed"]
    assert task.exception() is not None


async def test_clearing_is_told_once(heard: Any, recording: Recording) -> None:
    """Not again while the pool is paused; with what was asked for."""
    pool = heard()
    pool.clear(LOST, interrupt_in_use_connections=True)
    pool.clear(LOST)
    pool.ready()
    pool.ready()
    assert recording.names == ["PoolCleared", "PoolReady"]
    assert recording.events[0] == PoolClearedEvent(address=pool.key.address, interrupt_connections=True)


async def test_a_parked_connection_was_given_back(heard: Any, recording: Recording, opener: Opener) -> None:
    """What it does until it is clean is nobody's business."""
    pool = heard()
    connection = await pool.check_out()
    await break_off(connection, [])
    recording.events.clear()
    pool.check_in(connection)
    opener.lines[1].reply()
    assert recording.names == ["ConnectionCheckedIn"]


async def test_what_is_refused_is_not_told(heard: Any, recording: Recording) -> None:
    """A connection that is not in use was not given back."""
    pool = heard()
    connection = await pool.check_out()
    pool.check_in(connection)
    recording.events.clear()
    with pytest.raises(InvalidOperation):
        pool.check_in(connection)
    assert recording.names == []


async def test_a_listener_that_raises_harms_nobody(pools: Any) -> None:
    """The operation goes on, and the pool too."""
    errors: list[Exception] = []

    class Broken(Recording):
        def told(self, event: object) -> None:
            raise ValueError("broken")

    for name in ("connection_created", "connection_checked_out", "connection_checked_in"):
        setattr(Broken, name, Broken.told)
    pool = pools(publisher=EventPublisher([Broken()], lambda listener, error: errors.append(error)))
    pool.check_in(await pool.check_out())
    assert len(errors) == 3
    assert pool.status.idle == 1


async def test_no_event_is_made_for_nobody(pools: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """Neither events nor texts: the way of every operation stays short."""
    for name in announcer_module.__dict__:
        if name.endswith("Event"):
            monkeypatch.setattr(announcer_module, name, None)
    pool = pools()
    pool.check_in(await pool.check_out())
    pool.clear(LOST)
    pool.close()


async def test_the_log_tells_the_same(pools: Any, caplog: pytest.LogCaptureFixture) -> None:
    """At level DEBUG, also if nobody listens."""
    caplog.set_level(logging.DEBUG, "aiomongo_tls.pool")
    pool = pools(max_pool_size=3)
    connection = await pool.check_out()
    pool.clear(LOST)
    pool.check_in(connection)
    with pytest.raises(PoolClearedError):
        await pool.check_out()
    pool.close()
    here = "db.example.net:27017"
    told = [re.sub(r"[\d.]+ ms", "0 ms", record.message) for record in caplog.records]
    assert told == [
        f"Connection pool created for {here} using maxPoolSize=3",
        f"Connection pool ready for {here}",
        f"Checkout started for connection to {here}",
        f"Connection created: address={here}, driver-generated ID=1",
        f"Connection ready: address={here}, driver-generated ID=1, established in=0 ms",
        f"Connection checked out: address={here}, driver-generated ID=1, duration=0 ms",
        f"Connection pool for {here} cleared: the server went away",
        f"Connection checked in: address={here}, driver-generated ID=1",
        f"Connection closed: address={here}, driver-generated ID=1. "
        "Reason: the pool was cleared since it was opened. Error: None",
        f"Checkout started for connection to {here}",
        f"Checkout failed for connection to {here}. Reason: connectionError. Error: {here}: no connection is handed "
        "out to the server now, because its pool was cleared: the server went away. Duration: 0 ms",
        f"Connection pool closed for {here}",
    ]
    assert {record.levelno for record in caplog.records} == {logging.DEBUG}
