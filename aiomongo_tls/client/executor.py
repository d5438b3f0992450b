"""One command on one connection: the way of every operation.

    check out -> complete (lsid, $db, $readPreference) -> encode -> send, one await -> decode -> check in -> judge

A connection comes back by a plain call in a `finally`, whatever happened; the pool looks at it and decides whether
it can be used again. A session is dirty from the moment its command is sent until the reply is there.

A server that wants to be told once more who is there (error 391) is told on that connection, and asked again.

Time: one `Deadline` per operation, from the block (`timeout()`) or from `timeoutMS`; `socketTimeoutMS` bounds the
silence of a server only where there is no such deadline. No `maxTimeMS` is derived from it yet.

Cursors that nobody will read are ended when there is an occasion: `abandon()` may be called by the garbage collector,
on any thread, so it only takes notes; the next operation starts the task that sends killCursors.
"""

from __future__ import annotations

import asyncio
import warnings
from collections import deque
from contextlib import suppress
from contextvars import Context
from typing import TYPE_CHECKING, Any

import bson

from aiomongo_tls.client.ending import outlast
from aiomongo_tls.client.timeout import block_deadline
from aiomongo_tls.core.commands.command import Command
from aiomongo_tls.core.commands.cursors import Batch, kill_cursors_document
from aiomongo_tls.core.commands.routing import read_preference_field
from aiomongo_tls.core.options.read_preference import ReadPreference
from aiomongo_tls.core.reply import error_in, raise_for_write_concern
from aiomongo_tls.core.sessions import ImplicitSession, ServerSessionPool
from aiomongo_tls.deadline import NEVER, Deadline
from aiomongo_tls.errors import ConfigurationError, InvalidOperation, MongoError, NetworkTimeout, Phase

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from aiomongo_tls.core.auth.hello import StreamDescription
    from aiomongo_tls.core.options.client_options import ClientOptions
    from aiomongo_tls.core.wire.op_msg import DocumentSequence
    from aiomongo_tls.net.connection import Connection
    from aiomongo_tls.topology.topology import Topology

CLOSE_LIMIT = 1.0
"""Seconds that `close()` may take in all."""

_GOODBYE_LIMIT = 0.5
"""Seconds of them for endSessions."""

_KILL_LIMIT = 5.0
"""Seconds for a killCursors."""

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
    """

    def __init__(self, options: ClientOptions, topology: Topology, new_session_id: Callable[[], bytes]) -> None:
        self._topology = topology
        self.sessions = ServerSessionPool(new_session_id)
        self._timeout = options.timeout
        self._timeout_option = f"timeoutMS={(options.timeout or 0) * 1000:g}"
        self._socket_timeout = options.socket_timeout
        self._socket_timeout_option = f"socketTimeoutMS={(options.socket_timeout or 0) * 1000:g}"
        self._is_single = len(options.seeds) == 1 and not options.replica_set and not options.load_balanced
        # Whether there may be something open, so that forgetting to close it is worth a warning.
        self._is_used = False
        self._is_closed = False
        self._closing: asyncio.Task[None] | None = None
        # Cursors that are open on the server and that nobody reads any more.
        self._abandoned: deque[Batch] = deque()
        self._reaper: asyncio.Task[None] | None = None

    def deadline(self) -> Deadline:
        """The deadline of an operation that begins now."""
        block = block_deadline()
        if block is not None:
            return block
        if self._timeout is None:
            return NEVER
        return Deadline.after(self._timeout, self._timeout_option, now=asyncio.get_running_loop().time())

    async def open(self) -> None:
        """See to it that there is a connection.

        Raises:
            MongoError: there cannot be one, or not in time.
        """
        if self._is_closed:
            raise InvalidOperation("the client is closed")
        self._is_used = True
        await self._topology.open(self.deadline())

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
        session = ImplicitSession(self.sessions)
        try:
            reply, _ = await self.execute(command, session, self.deadline() if deadline is None else deadline)
        finally:
            session.end()
        return reply

    async def execute(
        self, command: Command, session: ImplicitSession, deadline: Deadline
    ) -> tuple[Mapping[str, Any], Connection]:
        """Carry out a command in a session of the caller's.

        One attempt for now. Retryable reads and writes, and those of an overloaded server, are a loop around this
        body: nothing in it is used up by a failed attempt, except for the batch that a bulk has taken.

        Args:
            command: the command.
            session: the session, which the caller ends.
            deadline: when to give up.

        Returns:
            The decoded reply, and the connection that it came from, which is checked in already.

        Raises:
            MongoError: no connection, no reply, or a reply that is an error.
        """
        if self._is_closed:
            raise InvalidOperation("the client is closed")
        if self._abandoned:
            self._reap()
        connection = self._topology.try_check_out()
        if connection is None:
            self._is_used = True
            connection = await self._topology.check_out(deadline)
        try:
            reply = await self._exchange(connection, command, session, deadline)
        finally:
            self._topology.check_in(connection)
        if reply.get("ok") != 1:
            _raise_unless_allowed(command, reply, connection)
        elif command.raises_write_concern and "writeConcernError" in reply:
            raise_for_write_concern(reply)
        return reply, connection

    async def _exchange(
        self, connection: Connection, command: Command, session: ImplicitSession, deadline: Deadline
    ) -> Mapping[str, Any]:
        description = connection.description
        assert description is not None, "the pool hands out connections that have said hello"  # noqa: S101
        self._complete(command, session, description)
        body = bson.encode(command.document, codec_options=command.codec_options)
        sequences = () if command.batches is None else (command.batches.take(len(body), description),)
        if not command.acknowledged:
            connection.send(body, sequences)
            await _drain(connection, deadline)
            return UNACKNOWLEDGED
        if self._socket_timeout is not None and not deadline.is_finite:
            now = asyncio.get_running_loop().time()
            deadline = Deadline.after(self._socket_timeout, self._socket_timeout_option, now=now)
        data = await _ask(connection, body, sequences, session, deadline)
        reply = command.decoder.decode(data, command.documents_in)
        if reply.get("ok") != 1 and reply.get("code") == REAUTHENTICATION_REQUIRED:
            is_known_again = await connection.reauthenticate(deadline)
            # The server has done nothing yet, so that the same bytes may go again, whatever they are; but only once.
            data = await _ask(connection, body, sequences, session, deadline) if is_known_again else data
            reply = command.decoder.decode(data, command.documents_in)
        return reply

    def _complete(self, command: Command, session: ImplicitSession, description: StreamDescription) -> None:
        """Writes into the command what depends on the connection."""
        requires = command.requires
        if requires is not None and description.max_wire_version < requires.wire_version:
            raise ConfigurationError(requires.message)
        document = command.document
        minutes = description.logical_session_timeout_minutes
        if minutes is not None and command.acknowledged and command.in_session:
            document["lsid"] = session.lsid(asyncio.get_running_loop().time(), minutes)
        preference = read_preference_field(command.read_preference, description.server_type, is_single=self._is_single)
        if preference is not None:
            document["$readPreference"] = preference
        document["$db"] = command.database

    # Cursors that nobody reads

    async def kill_cursor(self, batch: Batch, session: ImplicitSession) -> None:
        """End a cursor on the server, and its session. What the server says to it does not matter.

        Args:
            batch: the last batch of the cursor.
            session: the cursor's session.
        """
        is_told = False
        try:
            with suppress(MongoError):
                await self._send_kill(batch, session)
            is_told = True
        finally:
            if not is_told:
                self._abandoned.append(batch)
            session.end()

    def abandon(self, batch: Batch, session: ImplicitSession) -> None:
        """Take note that nobody reads a cursor any more. Plain, and safe on any thread: garbage is collected anywhere.

        Args:
            batch: the last batch of the cursor.
            session: the cursor's session, which is ended.
        """
        self._abandoned.append(batch)
        session.end()

    def _reap(self) -> None:
        if self._reaper is None or self._reaper.done():
            # In a context of its own: it is the client's task, not that of the operation that happens to come by.
            self._reaper = asyncio.get_running_loop().create_task(
                self._kill_abandoned(), name="aiomongo_tls killCursors", context=Context()
            )

    async def _kill_abandoned(self) -> None:
        while self._abandoned and not self._is_closed:
            batch = self._abandoned.popleft()
            session = ImplicitSession(self.sessions)
            try:
                with suppress(MongoError):
                    await self._send_kill(batch, session)
            finally:
                session.end()

    async def _send_kill(self, batch: Batch, session: ImplicitSession) -> None:
        command = Command(
            database=batch.database,
            document=kill_cursors_document(batch.collection, [batch.cursor_id]),
            read_preference=ReadPreference.PRIMARY,
        )
        now = asyncio.get_running_loop().time()
        await self.execute(command, session, Deadline.after(_KILL_LIMIT, "closing a cursor", now=now))

    # The end

    async def close(self) -> None:
        """End the sessions on the server and close every connection, within a second. Idempotent.

        A cancelled caller gets its CancelledError when it is done.

        Raises:
            InvalidOperation: the client belongs to another event loop, which is still in use.
        """
        if self._closing is None:
            self._is_closed = True
            self._closing = asyncio.get_running_loop().create_task(
                self._close(), name="aiomongo_tls close", context=Context()
            )
        try:
            await outlast(self._closing)
        except InvalidOperation:
            # Called on another event loop than the client's own, which can still close it.
            self._closing = None
            self._is_closed = False
            raise

    def abort(self) -> None:
        """Close every connection at once, without a word to the server. Plain and idempotent."""
        self._is_closed = True
        if self._reaper is not None:
            self._reaper.cancel()
        self._topology.abort()

    async def _close(self) -> None:
        loop = asyncio.get_running_loop()
        end = loop.time() + CLOSE_LIMIT
        try:
            if self._reaper is not None and self._reaper.get_loop() is loop:
                self._reaper.cancel()
                await asyncio.wait([self._reaper])
            with suppress(MongoError):
                await self._end_sessions(Deadline(loop.time() + _GOODBYE_LIMIT, "closing the client"))
            with suppress(TimeoutError):
                async with asyncio.timeout_at(end):
                    await self._topology.close()
        except asyncio.CancelledError:
            # The loop is ending and takes every task with it.
            self._topology.abort()
            raise

    async def _end_sessions(self, deadline: Deadline) -> None:
        # Only where a connection is at hand: opening one to say goodbye helps nobody.
        connection = self._topology.try_check_out() if len(self.sessions) else None
        if connection is None:
            return
        try:
            for ids in self.sessions.end_all():
                command = Command(
                    database="admin",
                    document={"endSessions": ids},
                    read_preference=ReadPreference.PRIMARY_PREFERRED,
                    in_session=False,
                )
                await self._exchange(connection, command, ImplicitSession(self.sessions), deadline)
        finally:
            self._topology.check_in(connection)

    def __del__(self) -> None:
        if getattr(self, "_is_used", False) and not self._is_closed:
            warnings.warn(
                "a client was not closed; use `async with AsyncClient.connect(...)`, or await its close()",
                ResourceWarning,
                stacklevel=2,
                source=self,
            )


async def _ask(
    connection: Connection,
    body: bytes,
    sequences: Sequence[DocumentSequence],
    session: ImplicitSession,
    deadline: Deadline,
) -> bytes:
    try:
        return await connection.request(body, sequences, deadline=deadline)
    except BaseException:
        session.mark_dirty()
        raise


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


def _raise_unless_allowed(command: Command, reply: Mapping[str, Any], connection: Connection) -> None:
    if not command.check:
        return
    allowed = command.allowable_errors
    if allowed and (reply.get("code") in allowed or reply.get("errmsg") in allowed):
        return
    raise error_in(reply, host=connection.address)
