"""Cursors that are open on a server and that nobody reads any more: how they are ended there.

Whoever closes a cursor waits for its killCursors. Whoever cannot wait (the garbage collector, on any thread; a getMore
that was cancelled; a late reply that has opened a cursor for an operation that is gone) leaves a note, which takes no
more than an append. The next operation starts the task that works the notes off.

A cursor behind a load balancer holds a connection of its own, because another one may lead to another server. That one
cannot wait for the next operation, which may be waiting for it: the note wakes the loop.
"""

from __future__ import annotations

import asyncio
from collections import deque
from contextlib import suppress
from contextvars import Context
from typing import TYPE_CHECKING, NamedTuple, Protocol
from weakref import ref

from aiomongo_tls.core.commands.command import Command
from aiomongo_tls.core.commands.cursors import kill_cursors_document
from aiomongo_tls.core.options.read_preference import ReadPreference
from aiomongo_tls.core.retry import Retryability
from aiomongo_tls.core.sessions import ImplicitSession, ServerSessionPool
from aiomongo_tls.deadline import Deadline
from aiomongo_tls.errors import InvalidOperation, MongoError

if TYPE_CHECKING:
    from aiomongo_tls.address import ServerAddress
    from aiomongo_tls.core.commands.cursors import Batch
    from aiomongo_tls.net.connection import Connection

_KILL_LIMIT = 5.0
"""Seconds for a killCursors."""


CURSOR = "cursor"
"""What a connection is pinned to, for the pool's words on what its connections are doing."""


class OpenCursor(NamedTuple):
    """A cursor that is open on a server."""

    batch: Batch
    """What was read last: its id and namespace."""
    address: ServerAddress
    """The server."""
    connection: Connection | None = None
    """The connection that it is pinned to, behind a load balancer."""
    loop: asyncio.AbstractEventLoop | None = None
    """That connection's loop."""


class Executing(Protocol):
    """What the reaper needs of the executor."""

    @property
    def is_closed(self) -> bool:
        """Whether nothing can be carried out any more."""
        ...

    @property
    def sessions(self) -> ServerSessionPool:
        """The client's sessions that nobody is using."""
        ...

    def deadline(self) -> Deadline:
        """The deadline of an operation that begins now."""
        ...

    async def execute(
        self, command: Command, session: ImplicitSession, deadline: Deadline, at: OpenCursor
    ) -> tuple[object, object]:
        """Carry out a command about an open cursor."""
        ...

    def unpin(self, connection: Connection) -> None:
        """Give back a connection that a cursor was pinned to. Plain."""
        ...


class Reaper:
    """Ends the cursors of one client that nobody reads.

    Args:
        executor: carries commands out; owns this, and is not kept alive by it.
    """

    def __init__(self, executor: Executing) -> None:
        self._executor = ref(executor)
        self.notes: deque[OpenCursor] = deque()
        """The cursors to be ended."""
        self._task: asyncio.Task[None] | None = None

    @property
    def is_idle(self) -> bool:
        """Whether no task is at work."""
        return self._task is None or self._task.done()

    def note(self, cursor: OpenCursor) -> None:
        """Take note that nobody reads a cursor any more. Plain, and safe on any thread: garbage is collected anywhere.

        Args:
            cursor: the cursor.
        """
        self.notes.append(cursor)
        if cursor.loop is not None:
            # RuntimeError: the loop is closed, and the connection with it.
            with suppress(RuntimeError):
                cursor.loop.call_soon_threadsafe(self.work)

    def work(self) -> None:
        """Work off the notes in a task, if that is not under way. Plain, on the client's loop."""
        executor = self._executor()
        if executor is None or executor.is_closed or not self.notes:
            return
        loop = asyncio.get_running_loop()
        if self._task is None or self._task.done() or self._task.get_loop() is not loop:
            # In a context of its own: it is the client's task, not that of the operation that happens to come by.
            self._task = loop.create_task(self._work(executor), name="aiomongo_tls killCursors", context=Context())

    async def kill(self, executor: Executing, cursor: OpenCursor, session: ImplicitSession) -> None:
        """End a cursor on the server, and its session. What the server says to it does not matter.

        Args:
            executor: the client's.
            cursor: the cursor.
            session: the cursor's session.
        """
        is_told = False
        try:
            await _send_kill(executor, cursor, session)
            is_told = True
        except MongoError as exc:
            # Who has no time does not wait for it any longer, but it is done.
            is_told = not exc.timeout
        finally:
            session.end()
            if cursor.connection is not None:
                executor.unpin(cursor.connection)
            elif not is_told:
                self.notes.append(cursor)

    def cancel(self) -> None:
        """End the task. Plain."""
        if self._task is not None and not self._task.get_loop().is_closed():
            self._task.cancel()

    async def wait_cancelled(self) -> None:
        """End the task and wait for it, if it is one of the running loop."""
        if self._task is not None and self._task.get_loop() is asyncio.get_running_loop():
            self._task.cancel()
            await asyncio.wait([self._task])

    def forget(self) -> None:
        """Drop everything: this is another process, and the cursors are the parent's."""
        self.notes.clear()
        self._task = None

    async def _work(self, executor: Executing) -> None:
        # A server that does not answer is not asked for the next cursor as well.
        silent: set[ServerAddress] = set()
        loop = asyncio.get_running_loop()
        while self.notes:
            cursor = self.notes.popleft()
            if cursor.loop not in (None, loop):
                # Its connection has gone with the loop before.
                continue
            session = ImplicitSession(executor.sessions)
            try:
                if cursor.address not in silent:
                    await _send_kill(executor, cursor, session)
            except InvalidOperation:
                if cursor.connection is None:
                    # The client is closed, or used on another loop, and this one has no way to the server.
                    self.notes.append(cursor)
                    return
            except MongoError:
                if cursor.connection is None:
                    # Behind a load balancer all servers have one address.
                    silent.add(cursor.address)
            finally:
                session.end()
                if cursor.connection is not None:
                    executor.unpin(cursor.connection)


async def _send_kill(executor: Executing, cursor: OpenCursor, session: ImplicitSession) -> None:
    connection = cursor.connection
    if connection is not None and (not connection.is_usable or connection.is_dirty):
        # It is lost, or nobody can use it any more; what it leads to ends its cursors itself.
        return
    batch = cursor.batch
    command = Command(
        database=batch.database,
        document=kill_cursors_document(batch.collection, [batch.cursor_id]),
        read_preference=ReadPreference.PRIMARY,
        retryability=Retryability.READ_ONCE,
    )
    limit = Deadline.after(_KILL_LIMIT, "closing a cursor", now=asyncio.get_running_loop().time())
    await executor.execute(command, session, limit.tightened(executor.deadline()), cursor)
