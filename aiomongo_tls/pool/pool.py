"""The pool: opens, hands out and takes back the connections of one key.

`core/pool/slots` decides; here its decisions are carried out. See there for the rules of fairness, and the note of this
package for why connections are opened by tasks of the pool.
"""

from __future__ import annotations

import asyncio
import logging
from collections import Counter, deque
from collections.abc import Awaitable, Callable, Iterable
from contextvars import Context
from copy import copy
from functools import partial
from typing import TYPE_CHECKING

from aiomongo_tls.core.pool.disposition import Disposition, disposition
from aiomongo_tls.core.pool.slots import Action, Close, Counts, Grant, Open, Slots
from aiomongo_tls.deadline import NEVER, Deadline
from aiomongo_tls.errors import AutoReconnect, Phase, PoolClosedError, WaitQueueTimeoutError
from aiomongo_tls.net.connection import Connection
from aiomongo_tls.pool.keeper import Keeper

if TYPE_CHECKING:
    from aiomongo_tls.core.options.pool_options import PoolOptions
    from aiomongo_tls.core.pool.key import PoolKey
    from aiomongo_tls.core.sdam.schedule import Backoff

_log = logging.getLogger("aiomongo_tls.pool")

_Waiter = asyncio.Future[Connection]


class Pool:
    """The connections of one key, on the running event loop.

    Args:
        key: the server, and who its connections are for.
        options: the pool options.
        establish: opens a new connection; has a time limit of its own and leaves nothing open when it fails.
        backoff: the pauses between attempts that nobody asked for and that fail.
    """

    def __init__(
        self,
        key: PoolKey,
        options: PoolOptions,
        establish: Callable[[Connection], Awaitable[None]],
        *,
        backoff: Backoff | None = None,
    ) -> None:
        self.key = key
        self._options = options
        self._establish = establish
        self._loop = asyncio.get_running_loop()
        self._now = self._loop.time
        self._slots: Slots[Connection, _Waiter] = Slots(options)
        # The attempts by the number of their connection, the oldest first.
        self._attempts: dict[int, tuple[Connection, asyncio.Task[None]]] = {}
        # Every connection whose socket may still be open, and as many again that are gone: pruned now and then.
        self._connections: set[Connection] = set()
        self._keeper = Keeper(self._look, call_at=self._loop.call_at, clock=self._now, backoff=backoff)
        self._has_reported_fault = False

    def __repr__(self) -> str:
        counts = self.status
        state = "closed " if self._slots.is_closed else ""
        return (
            f"<Pool {self.key.address} {state}idle={counts.idle} in_use={counts.in_use} "
            f"opening={counts.opening} waiting={counts.waiting}>"
        )

    @property
    def status(self) -> Counts:
        """How many connections there are, and how many callers wait."""
        return self._slots.counts

    @property
    def attempts(self) -> list[Connection]:
        """The connections that are being opened, the oldest first; their `progress` says how far that has come."""
        return [connection for connection, _ in self._attempts.values()]

    # Out and in

    def try_check_out(self) -> Connection | None:
        """An idle connection, if there is one and nobody waits."""
        return self._slots.take(self._now())

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
            PoolClosedError: the pool is closed.
            Exception: a copy of the error with which an attempt to open a connection has failed.
        """
        while True:
            connection = self.try_check_out() or await self._wait(deadline)
            if connection.is_usable:
                return connection
            # Lost between being handed over and being picked up.
            self.check_in(connection)

    def check_in(self, connection: Connection) -> None:
        """Give a connection back, in whatever state it is."""
        what = disposition(connection, pool_is_closed=self._slots.is_closed)
        actions = self._slots.give_back(connection, self._now(), keep=what is Disposition.KEEP)
        if what is Disposition.KEEP:
            self._keeper.look_at(self._slots.next_look)
        elif what is Disposition.CLOSE:
            connection.close()
        else:
            connection.abort()
        if actions:
            self._carry_out(actions)

    # The end

    def close(self) -> None:
        """Close every connection in order, end every attempt and turn away who waits. Plain and idempotent."""
        self._end(Connection.close)

    def abort(self) -> None:
        """The same at once, without saying goodbye to the server. Plain and idempotent."""
        self._end(Connection.abort)

    async def wait_closed(self) -> None:
        """Wait until nothing is left after `close()` or `abort()`: no task, no socket."""
        for _, task in list(self._attempts.values()):
            await asyncio.wait([task])
        for connection in list(self._connections):
            await connection.wait_closed()
        self._connections.clear()

    def _end(self, how: Callable[[Connection], None]) -> None:
        self._keeper.stop()
        if not self._slots.is_closed:
            error = PoolClosedError("the client was closed", host=self.key.address)
            self._carry_out(self._slots.close(), error)
        for _, task in self._attempts.values():
            task.cancel()
        for connection in self._connections:
            how(connection)

    # Waiting

    async def _wait(self, deadline: Deadline) -> Connection:
        now = self._now()
        limit = deadline.tightened(self._queue_limit(now))
        if limit.has_passed(now):
            raise self._time_is_up(limit, deadline)
        waiter: _Waiter = self._loop.create_future()
        timer = self._loop.call_at(limit.at, self._expire, waiter, limit, deadline) if limit.is_finite else None
        self._carry_out(self._slots.join(waiter, now), PoolClosedError("the client is closed", host=self.key.address))
        try:
            return await waiter
        except BaseException:
            if waiter.done() and not waiter.cancelled() and waiter.exception() is None:
                # Granted, but the caller was cancelled before it could take it.
                self.check_in(waiter.result())
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
        if limit is deadline and self._attempts:
            # The one that has come furthest in time is the best answer to "what was it waiting for?".
            return self.attempts[0].progress.time_is_up(option)
        return WaitQueueTimeoutError(
            f"{option} has passed while {Phase.QUEUE.doing}: {self._occupation()}",
            host=self.key.address,
            phase=Phase.QUEUE,
        )

    def _occupation(self) -> str:
        """What the connections are doing, in words."""
        counts = self.status
        limit = self._options.max_pool_size
        text = f"{counts.in_use} in use" + (f" of maxPoolSize={limit}" if limit else "")
        phases = Counter(connection.progress.phase.doing for connection in self.attempts)
        if phases:
            doing = ", ".join(f"{count} {phase}" for phase, count in phases.items())
            text += f", {counts.opening} being opened ({doing})"
        return f"{text}, {counts.waiting} waiting" if counts.waiting else text

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
                action.connection.close()
            elif not action.waiter.done() and error is not None:
                action.waiter.set_exception(_twin(error))
        self._keeper.look_at(self._slots.next_look)

    def _open(self, connection_id: int) -> None:
        connection = Connection(self.key.address, connection_id)
        if len(self._connections) >= 2 * self.status.total:
            self._connections = {other for other in self._connections if not other.is_gone}
        self._connections.add(connection)
        name = f"aiomongo_tls open connection {connection_id} to {self.key.address}"
        task = self._loop.create_task(self._open_it(connection), name=name, context=Context())
        self._attempts[connection_id] = connection, task
        # In a callback and not at the end of the task, which may be cancelled before it has begun.
        task.add_done_callback(partial(self._attempted, connection_id, connection))

    async def _open_it(self, connection: Connection) -> None:
        await self._establish(connection)

    def _attempted(self, connection_id: int, connection: Connection, task: asyncio.Task[None]) -> None:
        del self._attempts[connection_id]
        error = self._fault(connection, task)
        if error is None:
            connection.on_lost = self._lost
            self._has_reported_fault = False
            self._keeper.succeeded()
            self._carry_out(self._slots.opened(connection_id, connection, self._now()))
            return
        actions = self._slots.failed(connection_id)
        self._carry_out(actions, error)
        if self._slots.is_short and not self._slots.is_closed:
            self._keeper.failed()
            if not actions and not self._has_reported_fault:
                # Nobody waits who could be told.
                _log.warning("no connection could be opened to keep minPoolSize: %s", error)
            self._has_reported_fault = True

    def _fault(self, connection: Connection, task: asyncio.Task[None]) -> BaseException | None:
        """Why an attempt has not led to a connection."""
        if task.cancelled():
            return PoolClosedError("the client was closed", host=self.key.address)
        error = task.exception()
        if error is None and not connection.is_usable:
            lost = AutoReconnect(
                "the connection was lost right after it was opened", host=self.key.address, phase=Phase.HELLO
            )
            lost.__cause__ = connection.fault
            return lost
        return error

    def _lost(self, connection: Connection) -> None:
        self._carry_out(self._slots.lost(connection, self._now()))

    def _look(self) -> None:
        self._carry_out(self._slots.fill(self._now()))


def _twin(error: BaseException) -> BaseException:
    """An error for one waiter; each its own, because raising adds to an exception's traceback."""
    try:
        return copy(error)
    except Exception:  # noqa: BLE001 - one of no class of ours, whose constructor wants more than it keeps
        return error
