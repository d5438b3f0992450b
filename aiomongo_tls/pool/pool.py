"""The pool: opens, hands out and takes back the connections of one key.

`core/pool/slots` decides; here its decisions are carried out. See there for the rules of fairness, and the note of this
package for why connections are opened by tasks of the pool.
"""

from __future__ import annotations

import asyncio
import logging
from collections import deque
from collections.abc import Awaitable, Callable, Iterable
from copy import copy
from random import random
from typing import TYPE_CHECKING

from aiomongo_tls.core.error_labels import OVERLOAD
from aiomongo_tls.core.events.pool_events import ConnectionClosedReason
from aiomongo_tls.core.events.publisher import NOBODY
from aiomongo_tls.core.pool.actions import Abandon, Action, Close, Grant, Open
from aiomongo_tls.core.pool.disposition import DRAIN_BYTES, Disposition, closing_reason, disposition
from aiomongo_tls.core.pool.occupation import occupation, pinned_occupation
from aiomongo_tls.core.pool.overload import may_be_overload
from aiomongo_tls.core.pool.reported_options import reported_options
from aiomongo_tls.core.pool.slots import Slots
from aiomongo_tls.core.pool.status import PoolState, PoolStatus
from aiomongo_tls.core.sdam.schedule import Backoff
from aiomongo_tls.deadline import NEVER, Deadline
from aiomongo_tls.errors import (
    InvalidOperation,
    MongoError,
    Phase,
    PoolClearedError,
    PoolClosedError,
    WaitQueueTimeoutError,
)
from aiomongo_tls.net.connection import Connection
from aiomongo_tls.pool.announcer import PoolAnnouncer
from aiomongo_tls.pool.attempts import Attempts
from aiomongo_tls.pool.keeper import Keeper

if TYPE_CHECKING:
    from bson import ObjectId

    from aiomongo_tls.core.events.publisher import EventPublisher
    from aiomongo_tls.core.options.pool_options import PoolOptions
    from aiomongo_tls.core.pool.key import PoolKey

_log = logging.getLogger("aiomongo_tls.pool")

FIRST_PAUSE = 1.0
"""Seconds at most after which a failed attempt that nobody asked for is repeated."""

LONGEST_PAUSE = 10.0
"""Seconds at most between such attempts in the long run."""

RENEWAL_WINDOW = 10.0
"""Seconds over which connections that show an earlier certificate are closed."""

OUTDATED = -1
"""The generation of a connection for an earlier key: older than any."""

_Waiter = asyncio.Future[Connection]


class Pool:
    """The connections of one key, on the running event loop. It is paused until `ready()` is called.

    Args:
        key: the server, and who its connections are for.
        options: the pool options.
        establish: opens a new connection; has a time limit of its own and leaves nothing open when it fails.
        publisher: knows who wants to be told what happens; nobody by default.
        on_fault: called with the connection and the error when an attempt has failed, before anybody else learns of
            it. It may clear the pool; then all who wait get that error.
        load_balanced: whether each connection belongs to a service behind a load balancer, and is stale by its
            generation.
        backoff: the pauses between attempts that nobody asked for and that fail.
    """

    def __init__(
        self,
        key: PoolKey,
        options: PoolOptions,
        establish: Callable[[Connection], Awaitable[None]],
        *,
        publisher: EventPublisher | None = None,
        on_fault: Callable[[Connection, Exception], None] | None = None,
        load_balanced: bool = False,
        backoff: Backoff | None = None,
    ) -> None:
        self.key = key
        self._options = options
        self._on_fault = on_fault
        self._load_balanced = load_balanced
        self._backoff = backoff or Backoff(FIRST_PAUSE, LONGEST_PAUSE, random)
        self._loop = asyncio.get_running_loop()
        self._now = self._loop.time
        self._slots: Slots[Connection, _Waiter] = Slots(options)
        self._generations = self._slots.generations
        # What is on the way of every operation and never changes.
        self._may_park = options.drain_timeout > 0
        self._max_idle_time = options.max_idle_time
        # Whether a connection of today that is given back is kept if it is in order, without further questions.
        self._keeps_all = options.max_idle_time is None and not load_balanced
        self._attempts = Attempts(establish, self._attempted)
        # Every connection whose socket may still be open, and as many again that are gone: pruned now and then.
        self._connections: set[Connection] = set()
        self._keeper = Keeper(self._look, call_at=self._loop.call_at, now=self._now)
        # What closes the connections for an earlier key.
        self._retirements: list[asyncio.TimerHandle] = []
        # Why the pool was cleared.
        self._cleared_by: Exception | None = None
        self._closed_because = ""
        # The error of the attempt that `on_fault` is being told of.
        self._telling: Exception | None = None
        self._has_reported_fault = False
        self._announcer = PoolAnnouncer(key.address, publisher or NOBODY)
        if self._announcer.is_heard:
            self._announcer.pool_created(reported_options(options))

    def __repr__(self) -> str:
        status = self.status
        parked = f"parked={status.parked} " if status.parked else ""
        return (
            f"<Pool {self.key.address} {status.state} idle={status.idle} in_use={status.in_use} {parked}"
            f"opening={status.opening} waiting={status.waiting}>"
        )

    @property
    def status(self) -> PoolStatus:
        """How many connections there are, how many callers wait, and whether connections are handed out."""
        return self._slots.status

    @property
    def is_ready(self) -> bool:
        """Whether connections are handed out."""
        return self._slots.state is PoolState.READY

    @property
    def operation_count(self) -> int:
        """How many operations have a connection or wait for one."""
        return self._slots.operation_count

    @property
    def attempts(self) -> list[Connection]:
        """The connections that are being opened, the oldest first; their `progress` says how far that has come."""
        return self._attempts.connections

    @property
    def generation(self) -> int:
        """How often the pool was cleared."""
        return self._generations.pool

    def generation_of(self, service_id: ObjectId | None) -> int:
        """How often the connections to one service behind a load balancer were cleared; None for the whole pool."""
        return self._generations.of(service_id)

    def is_stale(self, connection: Connection) -> bool:
        """Whether the pool was cleared since this connection was opened."""
        return connection.generation != self._generations.of(connection.service_id if self._load_balanced else None)

    # Out and in

    def try_check_out(self) -> Connection | None:
        """An idle connection, if there is one and nobody waits."""
        connection = self._slots.take(0.0 if self._max_idle_time is None else self._now())
        announcer = self._announcer
        if connection is not None and (announcer.has_listeners or announcer.is_logged()):
            announcer.check_out_started()
            announcer.checked_out(connection.id, 0.0)
        return connection

    async def check_out(self, deadline: Deadline = NEVER) -> Connection:
        """Get a connection: an idle one, or the next that is given back or opened.

        Args:
            deadline: when to stop waiting. An attempt to open a connection goes on nevertheless.

        Returns:
            A connection that is this caller's until it is given to `check_in()`.

        Raises:
            WaitQueueTimeoutError: none became free in time (waitQueueTimeoutMS, or the deadline).
            NetworkTimeout: the deadline passed while one was being opened; says how far that had come.
            TLSHandshakeTimeout: the same, within the TLS handshake.
            PoolClearedError: the pool is paused, or was cleared meanwhile.
            PoolClosedError: the pool is closed.
            Exception: a copy of the error with which an attempt to open a connection has failed.
        """
        announcer = self._announcer
        if not announcer.is_heard:
            return await self._acquire(deadline)
        started = self._now()
        announcer.check_out_started()
        try:
            connection = await self._acquire(deadline)
        except BaseException as exc:
            # Whoever cancels one that waits has run out of patience.
            is_timeout = isinstance(exc, (WaitQueueTimeoutError, asyncio.CancelledError))
            announcer.check_out_failed(exc, self._now() - started, is_timeout=is_timeout)
            raise
        announcer.checked_out(connection.id, self._now() - started)
        return connection

    def check_in(self, connection: Connection) -> None:
        """Give a connection back, in whatever state it is. Plain: nothing can get in between.

        Raises:
            InvalidOperation: it is not in use: it was given back before, or belongs to another pool.
        """
        announcer = self._announcer
        if announcer.has_listeners or announcer.is_logged():
            self._slots.check_in_use(connection)
            announcer.checked_in(connection.id)
        if self._keeps_all and connection.generation == self._generations.pool and connection.is_ready:
            # The common case, on the way of every operation.
            actions = self._slots.give_back(connection, 0.0)
            if actions:
                self._carry_out(actions)
        else:
            self._take_back(connection)

    # The pool as a whole

    def ready(self) -> None:
        """Hand out connections from now on, and keep minPoolSize open. Plain; without effect unless paused."""
        now = self._now()
        if not self._slots.ready(now):
            return
        self._cleared_by = None
        if self._announcer.is_heard:
            self._announcer.pool_ready()
        self._carry_out(self._slots.plan(now))

    def clear(
        self,
        error: Exception | None = None,
        *,
        interrupt_in_use_connections: bool = False,
        service_id: ObjectId | None = None,
        pauses: bool = True,
    ) -> None:
        """Make all connections stale. Plain.

        Idle connections are closed at once, and those in use when they are given back. Unless only one service behind a
        load balancer is meant, the pool is paused: who waits is turned away, attempts are given up.

        Args:
            error: what was seen of the server; the cause of the errors that follow.
            interrupt_in_use_connections: whether operations that are under way are broken off, with a
                PoolClearedError.
            service_id: the service whose connections are meant; to be given in load balanced mode, and only there.
            pauses: whether nothing is opened until `ready()`, because the server is not known to be there. Otherwise
                who waits is turned away all the same, and the next one is served.

        Raises:
            InvalidOperation: a service was given without load balanced mode, or none with it.
        """
        if self._load_balanced is (service_id is None):
            raise InvalidOperation("in load balanced mode, and only there, one service at a time is cleared")
        state = self._slots.state
        if state is PoolState.CLOSED:
            return
        actions = (
            self._slots.clear(pauses=pauses)
            if service_id is None
            else self._slots.clear_service(service_id, self._now())
        )
        self._cleared_by = error or self._cleared_by
        if (state is PoolState.READY or service_id is not None) and self._announcer.is_heard:
            self._announcer.pool_cleared(service_id, interrupts=interrupt_in_use_connections, error=error)
        self._carry_out(actions, self._telling or self._not_ready())
        if interrupt_in_use_connections:
            self._interrupt(service_id)

    def renew(self, key: PoolKey, *, window: float = RENEWAL_WINDOW, chance: Callable[[], float] = random) -> None:
        """Open connections for another key from now on: the client presents another certificate. Plain.

        Who waits goes on waiting, and what is under way goes on. Connections made before are closed one by one, each at
        a moment of its own within `window` seconds, those in use when they are given back after that. Attempts to open
        one begin again.

        Args:
            key: what the new connections are for.
            window: seconds.
            chance: returns a number from 0 to 1.
        """
        self.key = key
        begun = self.attempts
        for connection in self._connections:
            if connection.is_usable and connection not in begun:
                self._retirements.append(self._loop.call_later(window * chance(), self._outdate, connection))
        for connection in begun:
            self._slots.failed(connection.id)
            self._abandon(Abandon(connection.id, ConnectionClosedReason.STALE))
        self._carry_out(self._slots.plan(self._now()))

    def _outdate(self, connection: Connection) -> None:
        """Close a connection for an earlier key, or see to it that nobody else gets it."""
        connection.generation = OUTDATED
        actions = self._slots.lost(connection, self._now())
        if actions is not None:
            self._shut(connection, ConnectionClosedReason.STALE)
            self._carry_out(actions)

    def retire(self) -> None:
        """The server has left the deployment: turn away who waits and close what is idle. Plain and idempotent.

        Operations that are under way go on; their connections are closed when they are given back, or by `close()`.
        """
        self._end("the server belongs to the deployment no longer")

    def close(self) -> None:
        """Close every connection in order, end every attempt and turn away who waits. Plain and idempotent."""
        self._end("the client was closed", Connection.close)

    def abort(self) -> None:
        """The same at once, without saying goodbye to the server. Plain and idempotent."""
        self._end("the client was closed", Connection.abort)

    @property
    def is_gone(self) -> bool:
        """Whether nothing is left after `retire()`, `close()` or `abort()`: no task, no socket."""
        return self._attempts.have_ended and all(connection.is_gone for connection in self._connections)

    async def wait_closed(self) -> None:
        """Wait until nothing is left after `close()` or `abort()`: no task, no socket."""
        await self._attempts.wait_ended()
        for connection in list(self._connections):
            await connection.wait_closed()
        self._connections.clear()

    def _end(self, because: str, how: Callable[[Connection], None] | None = None) -> None:
        self._keeper.stop()
        for retirement in self._retirements:
            retirement.cancel()
        self._retirements.clear()
        is_first = self._slots.state is not PoolState.CLOSED
        if is_first:
            self._carry_out(self._slots.close(), PoolClosedError(because, host=self.key.address))
        self._closed_because = because
        self._keeps_all = False
        if how is not None:
            for connection in self._connections:
                how(connection)
        if is_first and self._announcer.is_heard:
            self._announcer.pool_closed()

    def _interrupt(self, service_id: ObjectId | None) -> None:
        """Break off what is under way on stale connections."""
        error = PoolClearedError(
            "the operation was interrupted, because the server did not answer its monitor in time",
            host=self.key.address,
        )
        error.__cause__ = self._cleared_by
        for connection in self._slots.in_use:
            if self.is_stale(connection) and (service_id is None or connection.service_id == service_id):
                connection.stream_lost(error)
                connection.abort()

    def _not_ready(self) -> Exception:
        """Why nobody gets a connection."""
        if self._slots.state is PoolState.CLOSED:
            return PoolClosedError(self._closed_because, host=self.key.address)
        fault = self._cleared_by
        why = f"its pool was cleared: {fault}" if fault is not None else "it is not known to be there"
        error = PoolClearedError(f"no connection is handed out to the server now, because {why}", host=self.key.address)
        error.__cause__ = fault
        return error

    # Taking back

    def _take_back(self, connection: Connection) -> None:
        slots = self._slots
        is_closed = slots.state is PoolState.CLOSED
        is_stale = self.is_stale(connection) if self._load_balanced else connection.generation != self._generations.pool
        what = disposition(connection, is_closed, is_stale, self._may_park)
        if what is Disposition.KEEP:
            limit = self._max_idle_time
            now = 0.0 if limit is None else self._now()
            actions = slots.give_back(connection, now)
            if actions:
                self._carry_out(actions)
            elif limit is not None:
                # If others have been idle for longer, the keeper looks earlier anyway.
                self._keeper.look_at(now + limit)
        elif what is Disposition.PARK:
            actions = slots.park(connection, self._now())
            connection.drain_late(self._drained, DRAIN_BYTES)
            self._carry_out(actions)
        else:
            actions = slots.remove(connection, self._now())
            self._shut(connection, closing_reason(connection, is_closed=is_closed, is_stale=is_stale))
            self._carry_out(actions)

    def _drained(self, connection: Connection) -> None:
        self._carry_out(self._slots.drained(connection, self._now()))

    def _lost(self, connection: Connection) -> None:
        actions = self._slots.lost(connection, self._now())
        if actions is None:
            return
        if self._announcer.is_heard:
            self._announcer.connection_closed(connection.id, ConnectionClosedReason.ERROR, connection.fault)
        self._carry_out(actions)

    def _shut(self, connection: Connection, reason: ConnectionClosedReason) -> None:
        """Close a connection that is not in the books any more."""
        if self._announcer.is_heard:
            self._announcer.connection_closed(connection.id, reason, connection.fault)
        if connection.is_dirty:
            # There is nothing to say on it that would be understood.
            connection.abort()
        else:
            connection.close()

    # Waiting

    async def _acquire(self, deadline: Deadline) -> Connection:
        while True:
            connection = self._slots.take(self._now()) or await self._wait(deadline)
            if connection.is_usable:
                return connection
            # Lost between being handed over and being picked up.
            self._take_back(connection)

    async def _wait(self, deadline: Deadline) -> Connection:
        if self._slots.state is PoolState.PAUSED:
            # Whoever tries again at once must not hold up the loop, by which the news comes that the server is there.
            await asyncio.sleep(0)
        now = self._now()
        limit = deadline.tightened(self._queue_limit(now))
        if limit.has_passed(now) and self._slots.state is PoolState.READY:
            raise self._time_is_up(limit, deadline)
        waiter: _Waiter = self._loop.create_future()
        timer = self._loop.call_at(limit.at, self._expire, waiter, limit, deadline) if limit.is_finite else None
        actions = self._slots.join(waiter, now)
        self._carry_out(actions, None if self._slots.state is PoolState.READY else self._not_ready())
        try:
            return await waiter
        except BaseException:
            if waiter.done() and not waiter.cancelled() and waiter.exception() is None:
                # Granted, but the caller was cancelled before it could take it.
                self._take_back(waiter.result())
            else:
                self._slots.leave(waiter)
            raise
        finally:
            if timer is not None:
                timer.cancel()

    def _queue_limit(self, now: float) -> Deadline:
        seconds = self._options.wait_queue_timeout
        return Deadline.after(seconds, f"waitQueueTimeoutMS={(seconds or 0) * 1000:g}", now=now)

    def _expire(self, waiter: _Waiter, limit: Deadline, deadline: Deadline) -> None:
        if not waiter.done():
            self._slots.leave(waiter)
            waiter.set_exception(self._time_is_up(limit, deadline))

    def _time_is_up(self, limit: Deadline, deadline: Deadline) -> Exception:
        option = limit.option or "the deadline"
        attempts = self.attempts
        if limit is deadline and attempts:
            # The one that has come furthest in time is the best answer to "what was it waiting for?".
            return attempts[0].progress.time_is_up(option)
        if self._load_balanced:
            held = (connection.pinned for connection in self._slots.in_use)
            doing = pinned_occupation(self._options.max_pool_size, held)
        else:
            doing = occupation(self.status, (connection.progress.phase for connection in attempts))
        return WaitQueueTimeoutError(
            f"{option} has passed while {Phase.QUEUE.doing}: {doing}", host=self.key.address, phase=Phase.QUEUE
        )

    # Carrying out

    def _carry_out(self, actions: Iterable[Action[Connection, _Waiter]], error: BaseException | None = None) -> None:
        todo = deque(actions)
        while todo:
            action = todo.popleft()
            if isinstance(action, Grant):
                if action.waiter.done():
                    # It was cancelled in this very turn of the loop. The next one gets the connection.
                    todo.extend(self._slots.give_back(action.connection, self._now()))
                else:
                    action.waiter.set_result(action.connection)
            elif isinstance(action, Open):
                self._open(action.connection_id)
            elif isinstance(action, Close):
                self._shut(action.connection, action.reason)
            elif isinstance(action, Abandon):
                self._abandon(action)
            elif not action.waiter.done() and error is not None:
                action.waiter.set_exception(_twin(error))
        self._keeper.look_at(self._slots.next_look)

    def _look(self) -> None:
        self._carry_out(self._slots.look(self._now()))

    # Opening

    def _open(self, connection_id: int) -> None:
        connection = Connection(self.key.address, connection_id)
        connection.home = self
        connection.generation = self._generations.pool
        if len(self._connections) >= 2 * self._slots.total:
            self._connections = {other for other in self._connections if not other.is_gone}
        self._connections.add(connection)
        if self._announcer.is_heard:
            self._announcer.connection_created(connection_id)
        self._attempts.begin(connection)

    def _abandon(self, action: Abandon) -> None:
        if self._announcer.is_heard:
            self._announcer.connection_closed(action.connection_id, action.reason, None)
        self._attempts.abandon(action.connection_id)

    def _attempted(self, connection: Connection, seconds: float, error: BaseException | None) -> None:
        """An attempt has come to its end."""
        if error is None:
            self._opened(connection, seconds)
        else:
            self._failed(connection, error)

    def _opened(self, connection: Connection, seconds: float) -> None:
        connection.on_lost = self._lost
        self._has_reported_fault = False
        self._backoff.reset()
        if self._announcer.is_heard:
            self._announcer.connection_ready(connection.id, seconds)
        service_id = connection.service_id if self._load_balanced else None
        connection.generation = self._generations.of(service_id)
        self._carry_out(self._slots.opened(connection.id, connection, self._now(), service_id))

    def _failed(self, connection: Connection, error: BaseException) -> None:
        self._slots.failed(connection.id)
        if isinstance(error, MongoError) and may_be_overload(error):
            for label in OVERLOAD:
                error.add_error_label(label)
        self._tell_fault(connection, error)
        if self._announcer.is_heard:
            self._announcer.connection_closed(connection.id, ConnectionClosedReason.ERROR, error)
        now = self._now()
        is_short = self._slots.is_short and self._slots.state is PoolState.READY
        actions = self._slots.after_failure(now, now + self._backoff.pause() if is_short else now)
        if is_short and not self._slots.counts.waiting and not actions and not self._has_reported_fault:
            # Nobody waits who could be told.
            self._has_reported_fault = True
            _log.warning("no connection could be opened to keep minPoolSize: %s", error)
        self._carry_out(actions, error)

    def _tell_fault(self, connection: Connection, error: BaseException) -> None:
        """Let the topology know, which may clear the pool."""
        if self._on_fault is None or not isinstance(error, Exception) or isinstance(error, PoolClosedError):
            return
        if self._load_balanced:
            connection.generation = self._generations.of(connection.service_id)
        self._telling = error
        try:
            self._on_fault(connection, error)
        except Exception as exc:  # noqa: BLE001 - whoever waits must be told all the same
            self._loop.call_exception_handler({"message": f"{self!r}: a fault could not be told", "exception": exc})
        finally:
            self._telling = None


def _twin(error: BaseException) -> BaseException:
    """An error for one waiter; each its own, because raising adds to an exception's traceback."""
    try:
        return copy(error)
    except Exception:  # noqa: BLE001 - one of no class of ours, whose constructor wants more than it keeps
        return error
