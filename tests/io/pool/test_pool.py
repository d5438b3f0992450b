"""The pool at work: waiting, time limits, failing attempts, what is lost, the end."""

from __future__ import annotations

import asyncio
import contextvars
import logging
from typing import Any

import pytest
from counts import counts
from openers import Opener

from aiomongo_tls.address import ServerAddress
from aiomongo_tls.core.options.pool_options import PoolOptions
from aiomongo_tls.core.pool.key import PoolKey
from aiomongo_tls.core.pool.status import Counts, PoolState, PoolStatus
from aiomongo_tls.deadline import NEVER, Deadline
from aiomongo_tls.errors import (
    AuthenticationFailed,
    AutoReconnect,
    InvalidOperation,
    NetworkTimeout,
    Phase,
    PoolClearedError,
    PoolClosedError,
    TLSHandshakeTimeout,
    WaitQueueTimeoutError,
)
from aiomongo_tls.net.connection import Connection
from aiomongo_tls.pool.pool import Pool

ADDRESS = ServerAddress("db.example.net")


def soon(seconds: float = 0.02, option: str = "timeoutMS=20") -> Deadline:
    return Deadline.after(seconds, option, now=asyncio.get_running_loop().time())


async def turns(count: int = 5) -> None:
    for _ in range(count):
        await asyncio.sleep(0)


async def test_a_connection_is_opened_used_and_used_again(pools: Any) -> None:
    """The second one to ask gets the connection that the first gave back, without waiting."""
    pool = pools()
    assert pool.try_check_out() is None
    connection = await pool.check_out()
    assert counts(pool) == Counts(in_use=1)
    assert pool.try_check_out() is None
    pool.check_in(connection)
    assert pool.try_check_out() is connection
    assert repr(pool) == "<Pool db.example.net:27017 ready idle=0 in_use=1 opening=0 waiting=0>"


async def test_waiters_are_served_in_their_order(pools: Any) -> None:
    """One connection, three waiters: each gets it from the one before."""
    pool = pools(max_pool_size=1)
    connection = await pool.check_out()
    order: list[str] = []

    async def use(name: str) -> None:
        used = await pool.check_out()
        order.append(name)
        pool.check_in(used)

    tasks = [asyncio.create_task(use(name)) for name in "abc"]
    await turns()
    assert pool.status.waiting == 3
    pool.check_in(connection)
    await asyncio.gather(*tasks)
    assert order == ["a", "b", "c"]
    assert counts(pool) == Counts(idle=1)


async def test_a_crowd_is_served_in_its_order(pools: Any, opener: Opener) -> None:
    """A thousand callers at two connections: nobody is passed over, and no third connection is opened."""
    pool = pools(max_pool_size=2)
    order: list[int] = []

    async def use(number: int) -> None:
        connection = await pool.check_out()
        order.append(number)
        await asyncio.sleep(0)
        pool.check_in(connection)

    async with asyncio.timeout(10):
        await asyncio.gather(*(use(number) for number in range(1000)))
    assert order == list(range(1000))
    assert len(opener.gates) == 2
    assert counts(pool) == Counts(idle=2)


async def test_attempts_run_in_an_empty_context_under_a_name(pools: Any, opener: Opener) -> None:
    """They outlive the operation that wanted them, so they must not carry its context variables."""
    variable: contextvars.ContextVar[str] = contextvars.ContextVar("variable", default="nothing")
    variable.set("something")
    seen: list[tuple[str, str]] = []

    async def establish(connection: Connection) -> None:
        task = asyncio.current_task()
        assert task is not None
        seen.append((variable.get(), task.get_name()))

    pool = Pool(PoolKey(ADDRESS), PoolOptions(), establish)
    pool.ready()
    await pool.check_out()
    assert seen == [("nothing", "aiomongo_tls open connection 1 to db.example.net:27017")]
    pool.abort()


async def test_a_failed_attempt_is_told_to_one_who_waits(pools: Any, opener: Opener) -> None:
    """To the first in line, with the cause; the others are served by the next attempt."""
    pool = pools(max_connecting=1)
    opener.at_once = False
    tasks = [asyncio.create_task(pool.check_out()) for _ in range(3)]
    await opener.attempts(1)
    error = AuthenticationFailed("no", 18)
    error.__cause__ = OSError("cause")
    opener.at_once = True
    opener.fail(1, error)
    results = await asyncio.gather(*tasks, return_exceptions=True)
    assert type(results[0]) is AuthenticationFailed
    assert results[0] is not error
    assert isinstance(results[0].__cause__, OSError)
    assert [connection.id for connection in results[1:]] == [2, 3]


async def test_a_failed_attempt_that_clears_the_pool_is_told_to_all_who_wait(pools: Any, opener: Opener) -> None:
    """The topology was told first; what made it clear the pool is what they all learn, each from a copy of its own."""
    told: list[tuple[int, str, int]] = []

    def on_fault(connection: Connection, error: Exception) -> None:
        told.append((connection.id, str(error), pool.status.waiting))
        pool.clear(error)

    pool = pools(max_connecting=1, on_fault=on_fault)
    opener.at_once = False
    tasks = [asyncio.create_task(pool.check_out()) for _ in range(3)]
    await opener.attempts(1)
    opener.fail(1, AuthenticationFailed("no", 18))
    results = await asyncio.gather(*tasks, return_exceptions=True)
    assert told == [(1, "no (code 18) [authentication-failed]", 3)]
    assert [type(result) for result in results] == [AuthenticationFailed] * 3
    assert len({id(result) for result in results}) == 3
    assert counts(pool) == Counts()
    with pytest.raises(PoolClearedError, match="its pool was cleared: no") as caught:
        await pool.check_out()
    assert type(caught.value.__cause__) is AuthenticationFailed


async def test_a_failure_that_cannot_be_copied_is_told_all_the_same(pools: Any, opener: Opener) -> None:
    """An exception of a stranger, whose constructor wants more than it keeps: nobody may wait for ever."""

    class Strange(Exception):
        def __init__(self, one: int, two: int) -> None:
            super().__init__(f"{one} {two}")

    pool = pools()
    opener.at_once = False
    task = asyncio.create_task(pool.check_out())
    await opener.attempts(1)
    opener.fail(1, Strange(1, 2))
    async with asyncio.timeout(5):
        with pytest.raises(Strange):
            await task


async def test_who_waits_is_told_although_the_topology_stumbles(pools: Any, opener: Opener) -> None:
    """A mistake in drawing conclusions from a fault is reported, and the operation has its error."""

    def on_fault(connection: Connection, error: Exception) -> None:
        raise ValueError("stumbled")

    reported: list[Any] = []
    asyncio.get_running_loop().set_exception_handler(lambda loop, context: reported.append(context["exception"]))
    pool = pools(on_fault=on_fault)
    opener.at_once = False
    task = asyncio.create_task(pool.check_out())
    await opener.attempts(1)
    opener.fail(1, AutoReconnect("gone"))
    async with asyncio.timeout(5):
        with pytest.raises(AutoReconnect):
            await task
    assert [str(error) for error in reported] == ["stumbled"]


@pytest.mark.parametrize(("phase", "labelled"), [(Phase.HELLO, True), (Phase.AUTH, False)])
async def test_what_may_be_overload_is_labelled(pools: Any, opener: Opener, phase: Phase, labelled: bool) -> None:
    """Before the topology is told of it, so that it leaves server and pool alone."""
    told: list[Exception] = []
    pool = pools(on_fault=lambda connection, error: told.append(error))
    opener.at_once = False
    task = asyncio.create_task(pool.check_out())
    await opener.attempts(1)
    opener.fail(1, AutoReconnect("gone", phase=phase))
    with pytest.raises(AutoReconnect) as caught:
        await task
    for error in (told[0], caught.value):
        assert isinstance(error, AutoReconnect)
        assert error.has_error_label("SystemOverloadedError") is labelled
        assert error.has_error_label("RetryableError") is labelled


async def test_a_connection_lost_right_after_it_was_opened_is_a_failure(pools: Any, opener: Opener) -> None:
    """It tells host and phase, and why as its cause."""
    pool = pools()
    opener.at_once = False
    task = asyncio.create_task(pool.check_out())
    await opener.attempts(1)
    (connection,) = pool.attempts
    connection.progress.enter(Phase.REQUEST)
    connection.stream_lost(None)
    opener.succeed(1)
    with pytest.raises(AutoReconnect, match="lost right after it was opened") as caught:
        await task
    assert (caught.value.host, caught.value.phase) == (ADDRESS, Phase.REQUEST)
    assert "the server closed the connection" in str(caught.value.__cause__)


async def test_an_attempt_outlives_the_operation_that_wanted_it(pools: Any, opener: Opener) -> None:
    """The operation ends by its own deadline and says how far the attempt had come; the connection is kept."""
    pool = pools()
    opener.at_once = False
    with pytest.raises(NetworkTimeout, match="timeoutMS=20 has passed while looking up the host name") as caught:
        await pool.check_out(soon())
    assert caught.value.phase is Phase.DNS
    assert pool.status.opening == 1
    opener.succeed(1)
    await turns()
    assert counts(pool) == Counts(idle=1)
    assert (await pool.check_out()).id == 1


async def test_a_deadline_within_the_tls_handshake_is_a_handshake_timeout(pools: Any, opener: Opener) -> None:
    """The class tells what the attempt was doing."""
    pool = pools()
    opener.at_once = False
    task = asyncio.create_task(pool.check_out(soon()))
    await opener.attempts(1)
    pool.attempts[0].progress.enter(Phase.TLS)
    with pytest.raises(TLSHandshakeTimeout):
        await task


async def test_waiting_for_a_busy_pool_ends_by_wait_queue_timeout(pools: Any) -> None:
    """The option waitQueueTimeoutMS bounds it, and the error says what the connections are doing."""
    pool = pools(max_pool_size=2, wait_queue_timeout=0.02)
    await pool.check_out()
    await pool.check_out()
    with pytest.raises(WaitQueueTimeoutError) as caught:
        await pool.check_out()
    assert str(caught.value) == (
        "db.example.net:27017: waitQueueTimeoutMS=20 has passed while waiting for a free connection: "
        "2 in use of maxPoolSize=2"
    )
    assert caught.value.phase is Phase.QUEUE
    assert pool.status.waiting == 0


async def test_wait_queue_timeout_tells_what_is_being_opened(pools: Any, opener: Opener) -> None:
    """If it is the queue's own limit, the class is the queue's, and the phase stands in the text."""
    pool = pools(wait_queue_timeout=0.02)
    opener.at_once = False
    with pytest.raises(WaitQueueTimeoutError, match=r"0 in use .*, 1 being opened \(1 looking up the host name\)"):
        await pool.check_out()


async def test_a_deadline_in_a_busy_pool_is_a_wait_queue_timeout(pools: Any) -> None:
    """Nothing was being opened, so that is what it waited for."""
    pool = pools(max_pool_size=1)
    await pool.check_out()
    with pytest.raises(WaitQueueTimeoutError, match="timeoutMS=20 has passed"):
        await pool.check_out(soon())


async def test_a_deadline_that_has_passed_opens_nothing(pools: Any, opener: Opener) -> None:
    """There is no point in an attempt that nobody can wait for; an idle connection is handed out."""
    pool = pools()
    with pytest.raises(WaitQueueTimeoutError):
        await pool.check_out(Deadline(0, "timeoutMS=1"))
    assert not opener.gates
    connection = await pool.check_out()
    pool.check_in(connection)
    assert await pool.check_out(Deadline(0, "timeoutMS=1")) is connection


async def test_a_dirty_connection_is_not_kept(pools: Any) -> None:
    """A reply is still to come: the next one gets another connection."""
    pool = pools(max_pool_size=1)
    connection = await pool.check_out()
    connection.begin(b"\x05\x00\x00\x00\x00")
    assert connection.is_dirty
    pool.check_in(connection)
    assert not connection.is_usable
    assert pool.status.total == 0
    assert (await pool.check_out()).id == 2


async def test_a_dirty_connection_makes_room_for_a_waiter(pools: Any) -> None:
    """In its place one is opened for whoever waits."""
    pool = pools(max_pool_size=1)
    connection = await pool.check_out()
    waiting = asyncio.create_task(pool.check_out())
    await turns()
    connection.begin(b"\x05\x00\x00\x00\x00")
    pool.check_in(connection)
    assert (await waiting).id == 2


async def test_an_idle_connection_that_is_lost_leaves_at_once(pools: Any) -> None:
    """Not when somebody stumbles upon it."""
    pool = pools()
    connection = await pool.check_out()
    pool.check_in(connection)
    assert pool.status.idle == 1
    connection.stream_lost(None)
    assert pool.status.total == 0


async def test_a_connection_lost_on_its_way_to_a_waiter_is_replaced(pools: Any) -> None:
    """Granted and lost in the same turn of the loop: the waiter gets another one."""
    pool = pools(max_pool_size=1)
    connection = await pool.check_out()
    waiting = asyncio.create_task(pool.check_out())
    await turns()
    pool.check_in(connection)
    connection.stream_lost(None)
    assert (await waiting).id == 2
    assert counts(pool) == Counts(in_use=1)


async def test_a_grant_to_a_cancelled_waiter_goes_to_the_next(pools: Any) -> None:
    """Cancelled in the same turn, before or after the connection was handed over."""
    pool = pools(max_pool_size=1)
    for cancel_first in (True, False):
        connection = await pool.check_out()
        first = asyncio.create_task(pool.check_out())
        second = asyncio.create_task(pool.check_out())
        await turns()
        if cancel_first:
            first.cancel()
            pool.check_in(connection)
        else:
            pool.check_in(connection)
            first.cancel()
        assert await second is connection
        assert first.cancelled()
        pool.check_in(connection)
        assert counts(pool) == Counts(idle=1)


async def test_connections_that_are_idle_for_too_long_are_closed(pools: Any) -> None:
    """By the keeper, without anybody asking."""
    pool = pools(max_idle_time=0.02)
    connection = await pool.check_out()
    lost = asyncio.get_running_loop().create_future()
    pool.check_in(connection)
    connection.on_lost = lambda _: lost.set_result(None)
    async with asyncio.timeout(5):
        await lost
    assert pool.status.total == 0


async def test_connections_that_are_too_old_at_once_are_closed_in_the_next_turn(pools: Any) -> None:
    """A limit shorter than the clock's resolution: a timer whose time has come when it is set."""
    pool = pools(max_idle_time=1e-9)
    first, second = await pool.check_out(), await pool.check_out()
    pool.check_in(first)
    pool.check_in(second)
    async with asyncio.timeout(5):
        while pool.status.total:  # noqa: ASYNC110 - there is no event for what the keeper does
            await asyncio.sleep(0)
    assert not first.is_usable


async def test_min_pool_size_is_kept_after_failures(
    pools: Any, opener: Opener, caplog: pytest.LogCaptureFixture
) -> None:
    """The keeper tries again after a pause; one WARNING tells of the first failure, since nobody waits."""
    opener.at_once = False
    pool = pools(min_pool_size=2, max_connecting=1)
    for number in (1, 2):
        await opener.attempts(number)
        opener.fail(number, AutoReconnect("gone", host=ADDRESS))
    for number in (3, 4):
        await opener.attempts(number)
        opener.succeed(number)
    await turns()
    assert counts(pool) == Counts(idle=2)
    assert [(record.name, record.levelno) for record in caplog.records] == [("aiomongo_tls.pool", logging.WARNING)]
    assert "gone" in caplog.text


async def test_closing_ends_everything(pools: Any, opener: Opener) -> None:
    """Idle connections are closed, attempts cancelled, those who wait are told, those in use fail."""
    pool = pools(max_pool_size=3)
    used, idle = await pool.check_out(), await pool.check_out()
    pool.check_in(idle)
    taken = await pool.check_out()
    assert taken is idle
    opener.at_once = False
    waiting = asyncio.create_task(pool.check_out())
    await opener.attempts(3)
    pool.close()
    pool.close()
    with pytest.raises(PoolClosedError):
        await waiting
    await pool.wait_closed()
    assert opener.cancelled == [3]
    assert not used.is_usable
    pool.check_in(used)
    pool.check_in(taken)
    assert pool.status.total == 0
    with pytest.raises(PoolClosedError):
        await pool.check_out()


async def test_closing_before_an_attempt_has_begun(pools: Any) -> None:
    """A task that is cancelled before its first step runs no code of its own; the books are right nevertheless."""
    pool = pools()
    task = asyncio.create_task(pool.check_out())
    await asyncio.sleep(0)
    assert pool.status.opening == 1
    pool.close()
    await pool.wait_closed()
    assert pool.status.total == 0
    with pytest.raises(PoolClosedError):
        await task


async def test_a_connection_given_back_to_a_closed_pool_is_closed(pools: Any) -> None:
    """In order, since it is clean."""
    pool = pools()
    connection = await pool.check_out(NEVER)
    pool.close()
    pool.check_in(connection)
    assert not connection.is_usable
    assert pool.status.total == 0


async def test_what_is_given_back_twice_is_refused(pools: Any) -> None:
    """And a connection of another pool too: the books stay as they are, and so does the connection."""
    pool, other = pools(), pools()
    connection, foreign = await pool.check_out(), await other.check_out()
    pool.check_in(connection)
    for stray in (connection, foreign):
        with pytest.raises(InvalidOperation, match="given back before, or belongs to another pool"):
            pool.check_in(stray)
        assert stray.is_usable
    assert counts(pool) == Counts(idle=1)
    assert (foreign.home, counts(other)) == (other, Counts(in_use=1))


async def test_what_the_status_tells(pools: Any, opener: Opener) -> None:
    """Everything that a client shows of a pool."""
    pool = pools(max_pool_size=7)
    await pool.check_out()
    opener.at_once = False
    waiting = asyncio.create_task(pool.check_out())
    await opener.attempts(2)
    assert pool.status == PoolStatus(
        in_use=1, opening=1, waiting=1, max_pool_size=7, generation=0, state=PoolState.READY
    )
    assert pool.status.total == 2
    assert pool.operation_count == 2
    waiting.cancel()


async def test_what_is_left_of_a_closed_pool(pools: Any, opener: Opener) -> None:
    """An attempt that was given up needs a few turns of the loop until it has come to its end."""
    pool = pools()
    assert pool.is_gone
    opener.at_once = False
    task = asyncio.create_task(pool.check_out())
    await opener.attempts(1)
    pool.close()
    assert not pool.is_gone
    await pool.wait_closed()
    assert pool.is_gone
    await asyncio.wait([task])
    assert isinstance(task.exception(), PoolClosedError)
