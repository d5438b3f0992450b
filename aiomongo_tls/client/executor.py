"""One command on one connection: the way of every operation.

    check out -> complete (lsid, txnNumber, $db, ...) -> encode -> send, one await -> decode -> judge -> check in

The first attempt is straight-line code. If it fails, `core/retry` decides whether there is another, where and when; the
command is completed anew for the server that it goes to then, its statements stay the very same. Between two attempts
nothing is held but the session, whose id and number tell the server that this is the same write.

A connection comes back by a plain call in a `finally`, whatever happened; the pool looks at it and decides whether
it can be used again. What is broken off leaves a reply under way: connection and session are used again when it has
come, and a cursor that it opens is ended. A connection that a cursor is pinned to (load balancers) comes back with it.

A server that wants to be told once more who is there (error 391) is told on that connection, and asked again.

Time: one `Deadline` per operation, from the block (`timeout()`) or from `timeoutMS`; `socketTimeoutMS` bounds the
silence of a server only where there is no such deadline. No `maxTimeMS` is derived from it yet.

Loops and processes: the topology keeps what belongs to an event loop. A process that was forked shares no session and
no cursor with its parent: what is left of them here is forgotten in the moment of the fork.
"""

from __future__ import annotations

import asyncio
import os
import warnings
from asyncio import get_running_loop
from contextvars import Context
from random import random
from typing import TYPE_CHECKING, Any
from weakref import ReferenceType, WeakSet, ref

from aiomongo_tls.client.ending import outlast
from aiomongo_tls.client.goodbye import say_goodbye
from aiomongo_tls.client.late_reply import broken_off, unreadable
from aiomongo_tls.client.reaper import CURSOR, OpenCursor, Reaper
from aiomongo_tls.client.timeout import block_deadline, own_deadline
from aiomongo_tls.core.commands.completion import complete
from aiomongo_tls.core.commands.cursors import read_batch
from aiomongo_tls.core.commands.outcome import error_of, failure_of, news_in
from aiomongo_tls.core.retry import NO_ATTEMPTS, Failure, GiveUp, RetryPolicy, decide
from aiomongo_tls.core.sdam.topology_type import TopologyType
from aiomongo_tls.core.server_type import ServerType
from aiomongo_tls.core.sessions import ImplicitSession, ServerSessionPool
from aiomongo_tls.deadline import NEVER, Deadline
from aiomongo_tls.errors import (
    ConnectionFailure,
    InvalidOperation,
    MongoError,
    NetworkTimeout,
    Phase,
)
from aiomongo_tls.net.loops import running_loop

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Mapping, Sequence

    from aiomongo_tls.address import ServerAddress
    from aiomongo_tls.core.commands.command import Command
    from aiomongo_tls.core.options.client_options import ClientOptions
    from aiomongo_tls.core.sdam.topology_description import TopologyDescription
    from aiomongo_tls.core.wire.op_msg import DocumentSequence
    from aiomongo_tls.net.connection import Connection
    from aiomongo_tls.topology.topology import Topology

REAUTHENTICATION_REQUIRED = 391
"""The code of a server that does not know any more who is at the other end, for example because a token has expired."""

UNACKNOWLEDGED: Mapping[str, Any] = {"ok": 1}
"""Stands for the reply to a command that gets none."""


class Executor:
    """Carries out the commands of one client.

    Args:
        options: the client's.
        topology: where connections come from.
        new_session_id: makes the 16 bytes of a UUID version 4.
        chance: returns a number from 0 to 1, for the pauses before retries.
        sleep: waits so many seconds.
    """

    def __init__(
        self,
        options: ClientOptions,
        topology: Topology,
        new_session_id: Callable[[], bytes],
        *,
        chance: Callable[[], float] = random,
        sleep: Callable[[float], Awaitable[object]] = asyncio.sleep,
    ) -> None:
        self._topology = topology
        self._new_session_id = new_session_id
        self.sessions = ServerSessionPool(new_session_id)
        topology.subject_changed = _forgetting_sessions(ref(self))
        self._chance = chance
        self._sleep = sleep
        self._timeout = options.timeout
        self._timeout_option = f"timeoutMS={(options.timeout or 0) * 1000:g}"
        self._socket_timeout = options.socket_timeout
        self._socket_timeout_option = f"socketTimeoutMS={(options.socket_timeout or 0) * 1000:g}"
        self._policy = RetryPolicy(
            reads=options.retry_reads,
            writes=options.retry_writes,
            max_adaptive_retries=options.max_adaptive_retries,
            overload_retargeting=options.enable_overload_retargeting,
        )
        self._retry_writes = options.retry_writes
        self._read_preference = options.read_preference
        # Whether there may be something open, so that forgetting to close it is worth a warning.
        self._is_used = False
        self._is_closed = False
        self._closing: asyncio.Task[None] | None = None
        self._reaper = Reaper(self)
        _executors.add(self)

    @property
    def is_closed(self) -> bool:
        """Whether nothing can be carried out any more."""
        return self._is_closed

    @property
    def topology(self) -> Topology:
        """Where connections come from."""
        return self._topology

    @property
    def description(self) -> TopologyDescription:
        """What is known of the deployment."""
        return self._topology.description

    def deadline(self, timeout_ms: float | None = None) -> Deadline:
        """The deadline of an operation that begins now.

        Args:
            timeout_ms: the operation's own limit, instead of the client's; 0 for none.

        Raises:
            TypeError: not a number.
            ValueError: negative.
        """
        block = block_deadline()
        if timeout_ms is not None:
            return own_deadline(timeout_ms).tightened(block or NEVER)
        if block is not None:
            return block
        if self._timeout is None:
            return NEVER
        return Deadline.after(self._timeout, self._timeout_option, now=running_loop().time())

    async def open(self, deadline: Deadline | None = None) -> None:
        """See to it that there is a connection.

        Args:
            deadline: when to give up; the operation's own if None.

        Raises:
            MongoError: there cannot be one, or not in time.
        """
        if self._is_closed:
            raise InvalidOperation("the client is closed")
        running_loop()
        self._is_used = True
        await self._topology.open(deadline or self.deadline(), self._read_preference)

    async def find_writable(self) -> tuple[ServerAddress, ServerType]:
        """Find the server that takes writes, and what it is. Waits for it.

        Raises:
            MongoError: there was none in time.
        """
        if self._is_closed:
            raise InvalidOperation("the client is closed")
        connection = self._topology.try_check_out()
        if connection is None:
            self._is_used = True
            connection = await self._topology.check_out(self.deadline())
        description = connection.description
        self._topology.check_in(connection)
        return connection.address, description.server_type if description is not None else ServerType.UNKNOWN

    async def run(self, command: Command, deadline: Deadline | None = None) -> Mapping[str, Any]:
        """Carry out a command in an implicit session of its own.

        Args:
            command: the command.
            deadline: when to give up; the operation's own if None.

        Returns:
            The decoded reply.

        Raises:
            MongoError: no connection, no reply, or a reply that is an error.
        """
        reply, _ = await self.execute(command, None, self.deadline() if deadline is None else deadline)
        return reply

    async def execute(
        self,
        command: Command,
        session: ImplicitSession | None,
        deadline: Deadline,
        at: OpenCursor | None = None,
        *,
        pins: bool = False,
    ) -> tuple[Mapping[str, Any], Connection]:
        """Carry out a command, more than once if `core/retry` says so.

        Args:
            command: the command.
            session: a session of the caller's, who ends it; None for one of its own.
            deadline: when to give up.
            at: the open cursor that the command is about, whose server is the only one that can answer it.
            pins: whether a cursor that the command opens keeps its connection behind a load balancer.

        Returns:
            The decoded reply, and the connection that it came from. It is checked in already unless it is pinned:
            then whoever reads the cursor gives it to `unpin()`.

        Raises:
            MongoError: no connection, no reply, or a reply that is an error.
        """
        if self._is_closed:
            raise InvalidOperation("the client is closed")
        if self._reaper.notes:
            self._reaper.work()
        own: ImplicitSession | None = None
        if session is None:
            session = own = ImplicitSession(self.sessions)
        topology = self._topology
        attempts = NO_ATTEMPTS
        answered: Connection | None = None
        try:
            while True:
                connection: Connection | None = None
                body: bytes | None = None
                try:
                    if at is not None:
                        connection = await self._check_out_at(at, deadline)
                    else:
                        connection = topology.try_check_out(command.read_preference, attempts.deprioritized)
                        if connection is None:
                            self._is_used = True
                            connection = await topology.check_out(
                                deadline, command.read_preference, attempts.deprioritized
                            )
                    now = get_running_loop().time()
                    body, sequences = complete(
                        command, session, connection.description, attempts, self._retry_writes, topology, now
                    )
                    if not command.acknowledged:
                        return await self._send(connection, body, sequences, deadline), connection
                    reply = await self._exchange(connection, command, body, sequences, session, deadline, now)
                    if reply.get("ok") == 1 and "writeConcernError" not in reply:
                        if pins and connection.service_id is not None:
                            self._pin(connection, reply)
                        return reply, connection
                    answered = connection
                    failure = self._answered_with_error(reply, command, connection)
                    if failure is None:
                        return reply, connection
                except MongoError as exc:
                    failure = self._failed(exc, command, connection, was_sent=body is not None)
                finally:
                    if connection is not None and connection.pinned is None:
                        topology.check_in(connection)
                now = get_running_loop().time()
                what = decide(attempts, failure, self._policy, deadline=deadline, now=now, chance=self._chance)
                if isinstance(what, GiveUp):
                    told = what.failure
                    if told.reply is not None and answered is not None:
                        return told.reply, answered
                    try:
                        if told is not failure and not self._is_closed:
                            told.error.add_note(f"it was tried again, in vain: {failure.error}")
                        raise told.error
                    finally:
                        del failure, what, told
                attempts, delay = what.attempts, what.delay
                del failure, what
                if delay:
                    await self._sleep(delay)
        finally:
            if own is not None:
                own.end()
            # The errors' tracebacks lead to this frame; no way leads back, so that neither keeps the other alive.
            del attempts

    async def _check_out_at(self, cursor: OpenCursor, deadline: Deadline) -> Connection:
        if cursor.connection is not None:
            if cursor.loop is not running_loop():
                raise InvalidOperation("this cursor's connection belongs to another event loop, on which it was opened")
            return cursor.connection
        connection = self._topology.try_check_out_from(cursor.address)
        return connection or await self._topology.check_out_from(cursor.address, deadline)

    async def _exchange(
        self,
        connection: Connection,
        command: Command,
        body: bytes,
        sequences: Sequence[DocumentSequence],
        session: ImplicitSession,
        deadline: Deadline,
        now: float,
    ) -> Mapping[str, Any]:
        if self._socket_timeout is not None and not deadline.is_finite:
            deadline = Deadline.after(self._socket_timeout, self._socket_timeout_option, now=now)
        is_known_again = False
        while True:
            answer: asyncio.Future[bytes] | None = None
            try:
                answer = connection.begin_request(body, sequences, deadline, now)
                data = await answer
            except BaseException:
                if answer is not None:
                    connection.broken_off(answer)
                    # The error's traceback leads to this frame, and the future to the error.
                    answer = None
                broken_off(connection, command, session, self._reaper)
                raise
            try:
                reply = command.decoder.decode(data, command.documents_in)
            except Exception:
                unreadable(connection, command, data, self._reaper)
                raise
            if reply.get("ok") == 1 or reply.get("code") != REAUTHENTICATION_REQUIRED or is_known_again:
                return reply
            if not await connection.reauthenticate(deadline):
                return reply
            # The server has done nothing yet, so that the same bytes may go again, whatever they are; but only once.
            is_known_again, now = True, get_running_loop().time()

    async def _send(
        self, connection: Connection, body: bytes, sequences: Sequence[DocumentSequence], deadline: Deadline
    ) -> Mapping[str, Any]:
        connection.send(body, sequences)
        await _drain(connection, deadline)
        return UNACKNOWLEDGED

    # What has failed

    def _answered_with_error(
        self, reply: Mapping[str, Any], command: Command, connection: Connection
    ) -> Failure | None:
        """Why a reply is no success; None if it is one to the caller."""
        news = news_in(reply, connection.address)
        if news is not None:
            self._topology.handle_error(connection, news)
        error, handed_back = error_of(reply, command, connection.address)
        return None if error is None else self._failure(error, command, connection, was_sent=True, reply=handed_back)

    def _failed(self, error: MongoError, command: Command, connection: Connection | None, *, was_sent: bool) -> Failure:
        """What an attempt that raised means, for the topology and for the decision on the next one."""
        if connection is not None and was_sent and isinstance(error, ConnectionFailure):
            self._topology.handle_error(connection, error)
        return self._failure(error, command, connection, was_sent=was_sent)

    def _failure(
        self,
        error: MongoError,
        command: Command,
        connection: Connection | None,
        *,
        was_sent: bool,
        reply: Mapping[str, Any] | None = None,
    ) -> Failure:
        return failure_of(
            error,
            command,
            connection.description if connection is not None else None,
            retry_writes=self._policy.writes,
            is_sharded=self.description.topology_type is TopologyType.SHARDED,
            was_sent=was_sent,
            reply=reply,
        )

    # Cursors

    def _pin(self, connection: Connection, reply: Mapping[str, Any]) -> None:
        if read_batch(reply).cursor_id:
            connection.pinned = CURSOR

    def unpin(self, connection: Connection) -> None:
        """Give back a connection that a cursor was pinned to. Plain, on the client's loop.

        Args:
            connection: the connection.
        """
        if connection.pinned is not None:
            connection.pinned = None
            self._topology.check_in(connection)

    async def kill_cursor(self, cursor: OpenCursor, session: ImplicitSession) -> None:
        """End a cursor on the server, and its session. What the server says to it does not matter.

        It takes no longer than other operations; what cannot be done in that time is done later.

        Args:
            cursor: the cursor.
            session: the cursor's session.
        """
        if session.pool is self.sessions:
            # Otherwise it is a cursor of the process that this one was forked from.
            await self._reaper.kill(self, cursor, session)

    def abandon(self, cursor: OpenCursor, session: ImplicitSession) -> None:
        """Take note that nobody reads a cursor any more. Plain, and safe on any thread: garbage is collected anywhere.

        Args:
            cursor: the cursor.
            session: the cursor's session, which is ended.
        """
        session.end()
        if session.pool is self.sessions:
            # As in `kill_cursor()`.
            self._reaper.note(cursor)

    # The end

    async def close(self) -> None:
        """End the sessions on the server and close every connection, within a second. Idempotent.

        A cancelled caller gets its CancelledError when it is done.

        Raises:
            InvalidOperation: the client belongs to another event loop, which is still in use.
        """
        loop = running_loop()
        closing = self._closing
        if closing is None or (closing.get_loop() is not loop and (closing.cancelled() or not closing.done())):
            # Or the loop that it was begun on has ended before it.
            self._is_closed = True
            closing = loop.create_task(self._close(), name="aiomongo_tls close", context=Context())
            self._closing = closing
        try:
            await outlast(closing)
        except InvalidOperation:
            # Called on another event loop than the client's own, which can still close it.
            self._closing = None
            self._is_closed = False
            raise

    def abort(self) -> None:
        """Close every connection at once, without a word to the server. Plain and idempotent.

        Raises:
            InvalidOperation: the client belongs to another event loop, which is still in use.
        """
        self._topology.abort()
        self._is_closed = True
        self._reaper.cancel()

    async def _close(self) -> None:
        try:
            await self._reaper.wait_cancelled()
            await say_goodbye(self.sessions, self._topology)
        except asyncio.CancelledError:
            # The loop is ending and takes every task with it.
            self._topology.abort()
            raise

    def forked(self) -> None:
        """Forget what belongs to the process that this one was forked from. Plain."""
        self.sessions = ServerSessionPool(self._new_session_id)
        self._reaper.forget()
        self._closing = None
        self._is_used = False

    def __del__(self) -> None:
        if getattr(self, "_is_used", False) and not self._is_closed:
            warnings.warn(
                "a client was not closed; use `async with AsyncClient.connect(...)`, or await its close()",
                ResourceWarning,
                stacklevel=2,
                source=self,
            )


_executors: WeakSet[Executor] = WeakSet()


def _forked() -> None:
    for executor in list(_executors):
        executor.forked()


if hasattr(os, "register_at_fork"):  # not on Windows, which cannot fork
    os.register_at_fork(after_in_child=_forked)


def _forgetting_sessions(executor: ReferenceType[Executor]) -> Callable[[], None]:
    """Drops the sessions of a user that the client is no more; weak, because the topology is the executor's own."""

    def forget() -> None:
        alive = executor()
        if alive is not None:
            alive.sessions.forget()

    return forget


async def _drain(connection: Connection, deadline: Deadline) -> None:
    """Waits until a write without a reply has left, so that a loop of them gives way and cannot fill the memory."""
    await asyncio.sleep(0)
    try:
        async with asyncio.timeout_at(deadline.at if deadline.is_finite else None):
            await connection.drain()
    except TimeoutError as exc:
        connection.abort()
        raise NetworkTimeout(
            f"{deadline.option} has passed while a write was being sent", host=connection.address, phase=Phase.REQUEST
        ) from exc
