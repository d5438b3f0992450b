"""AsyncCommandCursor: the documents that a command such as aggregate returns."""

from __future__ import annotations

from typing import TYPE_CHECKING

from aiomongo_tls.client.batches import BatchCursor
from aiomongo_tls.client.not_here import refuse_session, refuses_what_is_not_here
from aiomongo_tls.core.commands.arguments import check_not_negative
from aiomongo_tls.core.commands.cursors import Batch
from aiomongo_tls.core.commands.document_type import DocumentType

if TYPE_CHECKING:
    from collections.abc import Sequence
    from typing import Self

    from aiomongo_tls.client.executor import Executor
    from aiomongo_tls.core.commands.command import Command
    from aiomongo_tls.deadline import Deadline


@refuses_what_is_not_here
class AsyncCommandCursor(BatchCursor[DocumentType]):
    """What `aggregate`, `list_indexes`, `list_collections` and `list_databases` return.

    Iterate over it with `async for`. An `async with` block, or `close()`, ends it on the server if you may not read
    to the end.

    Args:
        executor: carries commands out.
        batch_size: documents per batch, 0 for the server's choice.
        max_await_time_ms: how long the server waits for more data, for cursors that wait.
    """

    def __init__(self, executor: Executor, batch_size: int = 0, max_await_time_ms: int | None = None) -> None:
        super().__init__(executor)
        self._batch_size = batch_size
        self._max_await_time_ms = max_await_time_ms

    @classmethod
    async def opened_by(
        cls,
        executor: Executor,
        command: Command,
        session: object,
        *,
        deadline: Deadline | None = None,
        batch_size: int = 0,
        max_await_time_ms: int | None = None,
    ) -> Self:
        """The cursor that a command opens, with its first batch.

        Args:
            executor: carries commands out.
            command: the command.
            session: must be None.
            deadline: when to give up; the command's own if None.
            batch_size: documents per batch, 0 for the server's choice.
            max_await_time_ms: how long the server waits for more data, for cursors that wait.
        """
        refuse_session(session)
        cursor = cls(executor, batch_size, max_await_time_ms)
        await cursor._open(command, deadline)
        return cursor

    @classmethod
    def over(cls, executor: Executor, documents: Sequence[DocumentType]) -> Self:
        """A cursor over documents that are all at hand.

        Args:
            executor: the client's.
            documents: the documents.
        """
        cursor = cls(executor)
        cursor._take(Batch(0, "", "", list(documents)))
        return cursor

    def batch_size(self, batch_size: int) -> Self:
        """Set how many documents the next batches have, 0 for the server's choice.

        Raises:
            TypeError: not an integer.
            ValueError: negative.
        """
        self._batch_size = check_not_negative("batch_size", batch_size)
        return self

    async def try_next(self) -> DocumentType | None:
        """The next document, or None if there is none now; fetches one batch at most."""
        if not self._buffer and not self._read_on() and await self._advance():
            self._read_on()
        return self._buffer.popleft() if self._buffer else None

    async def _advance(self) -> bool:
        return await self._get_more(self._batch_size, self._max_await_time_ms)
