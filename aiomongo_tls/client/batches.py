"""A cursor on the server and what is read of it, batch by batch: the common half of both kinds of cursor.

Its life: open, with a batch in hand and an id on the server; at an end when the server has nothing more (the id
becomes 0), when it is closed, or when a getMore fails. However it ends, its session goes back at once, and if the
server still holds it, it is killed there: by `close()` with a killCursors that is awaited; by everything that
cannot wait (a failed or cancelled getMore, the garbage collector) by a note to the executor.

After a getMore has failed, what was not read is lost. Iteration does not end quietly then, as if there had been no
more: it raises CursorNotFound, caused by the failure.

Behind a load balancer the cursor holds the connection that it was opened on, from its first batch to its last, because
only that one leads to the server that has it. It is given back when the cursor is at its end, closed or collected as
garbage; a connection that was lost stays with it until then (load balancers specification, "Behaviour with cursors"),
and no killCursors goes anywhere else.

One task reads a cursor, another one is refused meanwhile. Any task may close it at any time: the reader is told that
there is nothing more. What is under way then holds the session, and behind a load balancer the connection, so these are
given back when its reply has come; elsewhere the cursor is killed at once, in a session of its own.
"""

from __future__ import annotations

import asyncio
from abc import ABC, abstractmethod
from collections import deque
from copy import copy
from typing import TYPE_CHECKING, Any, Generic

from aiomongo_tls.client.reaper import OpenCursor
from aiomongo_tls.core.commands.command import Command
from aiomongo_tls.core.commands.cursors import CURSOR_IS_GONE, Batch, get_more_document, read_batch
from aiomongo_tls.core.commands.decoding import DocumentsIn
from aiomongo_tls.core.commands.document_type import DocumentType
from aiomongo_tls.core.commands.unread import UnreadDocuments
from aiomongo_tls.core.retry import Retryability
from aiomongo_tls.core.sessions import ImplicitSession
from aiomongo_tls.errors import ConnectionFailure, CursorNotFound, InvalidOperation, MongoError, OperationFailure

if TYPE_CHECKING:
    from collections.abc import Mapping
    from types import TracebackType
    from typing import Self

    from aiomongo_tls.address import ServerAddress
    from aiomongo_tls.client.executor import Executor
    from aiomongo_tls.deadline import Deadline
    from aiomongo_tls.net.connection import Connection

_COMMENT_ON_GET_MORE = 9
"""The wire version of MongoDB 4.4, which first took a comment there."""


class BatchCursor(ABC, Generic[DocumentType]):
    """Documents in batches. Iterate with `async for`; use `async with`, or `close()`, if you may not read to the end.

    Args:
        executor: carries commands out.
    """

    # At the class for cursors whose own construction fails, and for the finalizer that sees them.
    _batch: Batch | None = None
    _pinned: Connection | None = None

    def __init__(self, executor: Executor) -> None:
        self._executor = executor
        self._session = ImplicitSession(executor.sessions)
        self._batch = None
        self._buffer: deque[DocumentType] = deque()
        # What of a large batch is not decoded yet; it comes after the buffer.
        self._unread: UnreadDocuments | None = None
        self._command: Command | None = None
        self._address: ServerAddress | None = None
        self._takes_comment = False
        # Behind a load balancer, as long as the cursor is open: its connection, and the loop of that.
        self._pinned: Connection | None = None
        self._loop: asyncio.AbstractEventLoop | None = None
        self._is_ended = False
        # Whether a command of it is under way, and whether `close()` was called.
        self._is_reading = False
        self._is_closed = False
        self._failure: BaseException | None = None
        self._retrieved = 0

    # What users read

    @property
    def alive(self) -> bool:
        """Whether there may be more documents: at hand, or on the server."""
        return bool(self._buffer) or self._unread is not None or not self._is_ended

    @property
    def cursor_id(self) -> int | None:
        """The server's id of the cursor: 0 when the server has ended it, None before it was opened."""
        return self._batch.cursor_id if self._batch is not None else None

    @property
    def address(self) -> tuple[str, int | None] | None:
        """Host and port of the server that holds the cursor; None before it was opened."""
        return None if self._address is None else (self._address.host, self._address.port)

    @property
    def session(self) -> None:
        """The session that was given; always None, for there are only implicit ones."""

    # Reading

    def __aiter__(self) -> Self:
        return self

    async def __anext__(self) -> DocumentType:
        if self._buffer:
            return self._buffer.popleft()
        while self._read_on() or await self._advance():
            if self._buffer:
                return self._buffer.popleft()
            if self._waits_at_the_end and self._unread is None:
                break
        raise StopAsyncIteration

    async def next(self) -> DocumentType:
        """The next document.

        Raises:
            StopAsyncIteration: there is none; a tailable cursor that is still `alive` may have one later.
            CursorNotFound: the server has lost the cursor, or an earlier call has failed.
            InvalidOperation: another task is waiting for the next batch.
        """
        return await self.__anext__()

    async def to_list(self, length: int | None = None) -> list[DocumentType]:
        """The rest of the documents, as a list.

        Args:
            length: at most so many.

        Raises:
            ValueError: a length below 1.
        """
        if length is not None and length < 1:
            raise ValueError("to_list() takes a length of at least 1, or None for all")
        found: list[DocumentType] = []
        while length is None or len(found) < length:
            if not self._has_more and (not await self._advance() or (self._waits_at_the_end and not self._has_more)):
                break
            if length is None:
                found += self._buffer
                self._buffer.clear()
                found += self._read_rest()
            elif self._buffer or self._read_on():
                while self._buffer and len(found) < length:
                    found.append(self._buffer.popleft())
        return found

    # The end

    async def close(self) -> None:
        """End the cursor here and on the server. Idempotent; what the server says to it does not matter."""
        self._buffer.clear()
        self._unread = None
        self._is_ended = self._is_closed = True
        self._failure = None
        await self._kill()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self,
        exc_type: type[BaseException] | None,
        exc_val: BaseException | None,
        exc_tb: TracebackType | None,
    ) -> None:
        await self.close()

    def __del__(self) -> None:
        cursor = self._open_cursor()
        if cursor is not None:
            self._executor.abandon(cursor, self._session)

    # For the two kinds

    @property
    def _waits_at_the_end(self) -> bool:
        """Whether an empty batch means "nothing now" (a tailable cursor)."""
        return False

    @abstractmethod
    async def _advance(self) -> bool:
        """Fetches the next batch; false if there is none to fetch."""

    async def _open(self, command: Command, deadline: Deadline | None = None) -> None:
        """Sends the command that opens the cursor, and takes its first batch."""
        self._check_alone()
        if self._session.pool is not self._executor.sessions:
            # The process was forked since the cursor was made.
            self._session = ImplicitSession(self._executor.sessions)
        self._command = command
        try:
            reply, connection = await self._ask(command, deadline=deadline)
            if connection.pinned is not None:
                self._pinned, self._loop = connection, asyncio.get_running_loop()
            self._address = connection.address
            description = connection.description
            self._takes_comment = description is not None and description.max_wire_version >= _COMMENT_ON_GET_MORE
            self._take(read_batch(reply))
        except BaseException as exc:
            self._lose(exc, is_on_server=False)
            raise

    async def _get_more(self, batch_size: int, max_time_ms: int | None = None) -> bool:
        """Fetches the next batch of an open cursor; false if it is at its end."""
        self._check_alone()
        batch, opened, cursor = self._batch, self._command, self._open_cursor()
        if self._failure is not None:
            raise CursorNotFound(
                "the cursor was lost when fetching a batch failed; what it had not returned yet is missing. "
                "rewind() begins again"
            ) from self._failure
        if batch is None or opened is None or cursor is None or self._is_ended:
            return False
        if self._session.pool is not self._executor.sessions:
            raise InvalidOperation(
                "this cursor is the parent process's, which may be reading it; open another one here"
            )
        # listCollections, listIndexes: not repeated (enumeration specifications).
        is_repeated = self._takes_comment and opened.name in ("find", "aggregate")
        comment = opened.document.get("comment") if is_repeated else None
        command = Command(
            database=batch.database,
            document=get_more_document(batch, batch_size=batch_size, max_time_ms=max_time_ms, comment=comment),
            read_preference=opened.read_preference,
            codec_options=opened.codec_options,
            decoder=opened.decoder,
            documents_in=DocumentsIn.CURSOR,
            retryability=Retryability.READ_ONCE,
        )
        try:
            reply, _ = await self._ask(command, cursor)
            self._take(read_batch(reply))
        except OperationFailure as exc:
            gone = exc.code in CURSOR_IS_GONE
            self._lose(exc, is_on_server=not gone)
            if gone and (self._waits_at_the_end or self._is_closed):
                # The capped collection has overtaken the reader, or another task has closed the cursor: an end as any
                # other, the caller looks at `alive`.
                self._failure = None
                return False
            raise
        except BaseException as exc:
            self._lose(exc, is_on_server=True)
            raise
        return True

    def _check_alone(self) -> None:
        if self._is_reading:
            raise InvalidOperation("another task is reading this cursor; only one may at a time")

    async def _ask(
        self, command: Command, at: OpenCursor | None = None, deadline: Deadline | None = None
    ) -> tuple[Mapping[str, Any], Connection]:
        """Has a command of the cursor carried out."""
        executor = self._executor
        self._is_reading = True
        try:
            return await executor.execute(command, self._session, deadline or executor.deadline(), at, pins=at is None)
        finally:
            self._is_reading = False

    async def _kill(self) -> None:
        """Ends the cursor on the server, if it is still open there, and its session."""
        if self._is_reading and (self._batch is None or self._pinned is not None):
            # There is nothing to kill yet, or nothing to do it with: who reads will see to it.
            return
        cursor = self._end()
        if cursor is not None:
            self._pinned = None
            session = ImplicitSession(self._executor.sessions) if self._is_reading else self._session
            await self._executor.kill_cursor(cursor, session)

    def _take(self, batch: Batch) -> None:
        if self._is_closed:
            # By another task, while this batch was on its way; if it was open then, it was killed.
            was_killed = self._batch is not None and not self._batch.cursor_id
            self._batch = batch._replace(documents=[], cursor_id=0 if was_killed else batch.cursor_id)
            self._let_go()
            return
        documents = batch.documents
        if isinstance(documents, UnreadDocuments):
            self._unread = documents
        else:
            self._buffer.extend(documents)
        self._retrieved += len(documents)
        # The documents are in the buffer; the batch is kept for where to ask for more.
        self._batch = batch._replace(documents=[])
        if not batch.cursor_id:
            self._is_ended = True
            self._session.end()
            self._unpin()

    @property
    def _has_more(self) -> bool:
        """Whether there are documents at hand."""
        return bool(self._buffer) or self._unread is not None

    def _read_on(self) -> bool:
        """Decode some more of a large batch; false if there is nothing left to decode."""
        unread = self._unread
        if unread is None:
            return False
        try:
            self._buffer.extend(unread.read_some())
        except Exception as exc:
            self._spoilt(exc)
            raise
        if not unread.is_left:
            self._unread = None
        return True

    def _read_rest(self) -> list[DocumentType]:
        """Decode all that is left of a large batch."""
        unread, self._unread = self._unread, None
        try:
            return unread.read_all() if unread is not None else []
        except Exception as exc:
            self._spoilt(exc)
            raise

    def _spoilt(self, error: Exception) -> None:
        """A document cannot be decoded: the cursor ends as if fetching its batch had failed."""
        self._unread = None
        self._lose(error, is_on_server=True)

    def _lose(self, error: BaseException, *, is_on_server: bool) -> None:
        if not self._is_closed:
            # A copy has no traceback, whose frames would keep the cursor alive.
            self._failure = copy(error) if isinstance(error, (MongoError, asyncio.CancelledError)) else error
        if self._pinned is not None and isinstance(error, ConnectionFailure) and not self._is_closed:
            # Nothing leads to the cursor any more; its connection stays until it is closed.
            self._is_ended = True
            self._session.end()
            return
        self._let_go(is_on_server=is_on_server)

    def _let_go(self, *, is_on_server: bool = True) -> None:
        """Ends the cursor without waiting, and its session."""
        cursor = self._end()
        if cursor is not None and is_on_server:
            self._pinned = None
            self._executor.abandon(cursor, self._session)
        else:
            self._session.end()
            self._unpin()

    def _unpin(self) -> None:
        pinned, self._pinned = self._pinned, None
        if pinned is not None:
            self._executor.unpin(pinned)

    def _open_cursor(self) -> OpenCursor | None:
        """What is open on the server."""
        if self._batch is None or not self._batch.cursor_id or self._address is None:
            return None
        return OpenCursor(self._batch, self._address, self._pinned, self._loop)

    def _end(self) -> OpenCursor | None:
        """Marks the cursor as ended here; returns what is still open on the server."""
        cursor = self._open_cursor()
        self._is_ended = True
        if cursor is not None:
            self._batch = cursor.batch._replace(cursor_id=0)
        return cursor
