"""A cursor on the server and what is read of it, batch by batch: the common half of both kinds of cursor.

Its life: open, with a batch in hand and an id on the server; at an end when the server has nothing more (the id
becomes 0), when it is closed, or when a getMore fails. However it ends, its session goes back at once, and if the
server still holds it, it is killed there: by `close()` with a killCursors that is awaited; by everything that
cannot wait (a failed or cancelled getMore, the garbage collector) by a note to the executor.

After a getMore has failed, what was not read is lost. Iteration does not end quietly then, as if there had been no
more: it raises CursorNotFound, caused by the failure.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections import deque
from copy import copy
from typing import TYPE_CHECKING, Any, Generic

from aiomongo_tls.core.commands.command import Command
from aiomongo_tls.core.commands.cursors import CURSOR_IS_GONE, Batch, get_more_document, read_batch
from aiomongo_tls.core.commands.decoding import DocumentsIn
from aiomongo_tls.core.commands.document_type import DocumentType
from aiomongo_tls.core.sessions import ImplicitSession
from aiomongo_tls.errors import CursorNotFound, MongoError, OperationFailure

if TYPE_CHECKING:
    from types import TracebackType
    from typing import Self

    from aiomongo_tls.client.executor import Executor
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

    def __init__(self, executor: Executor) -> None:
        self._executor = executor
        self._session = ImplicitSession(executor.sessions)
        self._batch = None
        self._buffer: deque[DocumentType] = deque()
        self._command: Command | None = None
        self._connection: Connection | None = None
        self._is_ended = False
        self._failure: BaseException | None = None
        self._retrieved = 0

    # What users read

    @property
    def alive(self) -> bool:
        """Whether there may be more documents: at hand, or on the server."""
        return bool(self._buffer) or not self._is_ended

    @property
    def cursor_id(self) -> int | None:
        """The server's id of the cursor: 0 when the server has ended it, None before it was opened."""
        return self._batch.cursor_id if self._batch is not None else None

    @property
    def address(self) -> tuple[str, int | None] | None:
        """Host and port of the server that holds the cursor; None before it was opened."""
        if self._connection is None:
            return None
        return self._connection.address.host, self._connection.address.port

    @property
    def session(self) -> None:
        """The session that was given; always None, for there are only implicit ones."""

    # Reading

    def __aiter__(self) -> Self:
        return self

    async def __anext__(self) -> DocumentType:
        if self._buffer:
            return self._buffer.popleft()
        while await self._advance():
            if self._buffer:
                return self._buffer.popleft()
            if self._waits_at_the_end:
                break
        raise StopAsyncIteration

    async def next(self) -> DocumentType:
        """The next document.

        Raises:
            StopAsyncIteration: there is none; a tailable cursor that is still `alive` may have one later.
            CursorNotFound: the server has lost the cursor, or an earlier call has failed.
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
            if not self._buffer and (not await self._advance() or (self._waits_at_the_end and not self._buffer)):
                break
            while self._buffer and (length is None or len(found) < length):
                found.append(self._buffer.popleft())
        return found

    # The end

    async def close(self) -> None:
        """End the cursor here and on the server. Idempotent; what the server says to it does not matter."""
        self._buffer.clear()
        self._is_ended = True
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
        if self._batch is not None and self._batch.cursor_id:
            self._executor.abandon(self._batch, self._session)

    # For the two kinds

    @property
    def _waits_at_the_end(self) -> bool:
        """Whether an empty batch means "nothing now" (a tailable cursor)."""
        return False

    @abstractmethod
    async def _advance(self) -> bool:
        """Fetches the next batch; false if there is none to fetch."""

    async def _open(self, command: Command) -> None:
        """Sends the command that opens the cursor, and takes its first batch."""
        self._command = command
        try:
            reply, self._connection = await self._executor.execute(command, self._session, self._executor.deadline())
            self._take(read_batch(reply))
        except BaseException as exc:
            self._lose(exc, is_on_server=False)
            raise

    async def _get_more(self, batch_size: int, max_time_ms: int | None = None) -> bool:
        """Fetches the next batch of an open cursor; false if it is at its end."""
        batch, opened, connection = self._batch, self._command, self._connection
        if self._failure is not None:
            raise CursorNotFound(
                "the cursor was lost when fetching a batch failed; what it had not returned yet is missing. "
                "rewind() begins again"
            ) from self._failure
        if batch is None or opened is None or connection is None or self._is_ended:
            return False
        command = Command(
            database=batch.database,
            document=get_more_document(
                batch, batch_size=batch_size, max_time_ms=max_time_ms, comment=_comment(opened, connection)
            ),
            read_preference=opened.read_preference,
            codec_options=opened.codec_options,
            decoder=opened.decoder,
            documents_in=DocumentsIn.CURSOR,
        )
        try:
            reply, _ = await self._executor.execute(command, self._session, self._executor.deadline())
            self._take(read_batch(reply))
        except OperationFailure as exc:
            gone = exc.code in CURSOR_IS_GONE
            self._lose(exc, is_on_server=not gone)
            if gone and self._waits_at_the_end:
                # The capped collection has overtaken the reader: an end as any other, the caller looks at `alive`.
                self._failure = None
                return False
            raise
        except BaseException as exc:
            self._lose(exc, is_on_server=True)
            raise
        return True

    async def _kill(self) -> None:
        """Ends the cursor on the server, if it is still open there, and its session."""
        batch = self._end()
        if batch is not None:
            await self._executor.kill_cursor(batch, self._session)

    def _take(self, batch: Batch) -> None:
        self._buffer.extend(batch.documents)
        self._retrieved += len(batch.documents)
        # The documents are in the buffer; the batch is kept for where to ask for more.
        self._batch = batch._replace(documents=[])
        if not batch.cursor_id:
            self._is_ended = True
            self._session.end()

    def _lose(self, error: BaseException, *, is_on_server: bool) -> None:
        # A copy has no traceback, whose frames would keep the cursor alive.
        self._failure = copy(error) if isinstance(error, MongoError) else error
        batch = self._end()
        if batch is not None and is_on_server:
            self._executor.abandon(batch, self._session)
        self._session.end()

    def _end(self) -> Batch | None:
        """Marks the cursor as ended here; returns what is still open on the server."""
        batch = self._batch
        self._is_ended = True
        if batch is None or not batch.cursor_id:
            return None
        self._batch = batch._replace(cursor_id=0)
        return batch


def _comment(opened: Command, connection: Connection) -> Any:
    description = connection.description
    if description is None or description.max_wire_version < _COMMENT_ON_GET_MORE:
        return None
    # listCollections, listIndexes: not repeated (enumeration specifications).
    return opened.document.get("comment") if opened.name in ("find", "aggregate") else None
