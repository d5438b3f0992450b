"""The statements of a write command: in a retryable write each is applied once, however often the command is sent.

What was done is recorded if it changed data; a statement that found nothing is tried again, as on a real server, which
has its record from the oplog.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, TypeVar, cast

from aiomongo_tls.testing.data.values import integer, truthy
from aiomongo_tls.testing.fail_points import TRANSACTIONAL_WRITE
from aiomongo_tls.testing.failures import CommandError, ErrorCode

if TYPE_CHECKING:
    from collections.abc import Callable

    from aiomongo_tls.testing.commands.fields import Fields
    from aiomongo_tls.testing.commands.request import Request
    from aiomongo_tls.testing.data.collection import Collection
    from aiomongo_tls.testing.data.values import Document

T = TypeVar("T")


class Statements:
    """The statements of one command.

    Args:
        request: the command.
        fields: its fields; `stmtId` and `stmtIds` number the statements, which are otherwise counted from 0.

    Raises:
        CommandError: 72, both are given.
    """

    def __init__(self, request: Request, fields: Fields) -> None:
        self._request = request
        self._first = fields.whole("stmtId") or 0
        self._numbers = [integer(number) or 0 for number in fields.array("stmtIds")]
        if "stmtId" in fields and "stmtIds" in fields:
            raise CommandError(ErrorCode.InvalidOptions, "May not specify both stmtId and stmtIds in write command")
        self.retried: list[int] = []

    def check_single(self, *, is_single: bool, option: str) -> None:
        """Refuse a statement for many documents in a retryable write.

        Args:
            is_single: whether it is for one document.
            option: what says that it is not.

        Raises:
            CommandError: 72.
        """
        if self._request.retryable_write is not None and not is_single:
            raise CommandError(ErrorCode.InvalidOptions, f"Cannot use (or request) retryable writes with {option}")

    def carry_out(self, index: int, write: Callable[[], T], has_written: Callable[[T], bool]) -> T:
        """Carry a statement out, or tell what it did when it was.

        Args:
            index: its place in the command.
            write: does it.
            has_written: tells from what `write` returned whether data changed.

        Raises:
            CommandError: what `write` raised, or what a fail point wants.
        """
        retryable = self._request.retryable_write
        if retryable is None:
            result = write()
            self._request.connection.writes += has_written(result)
            return result
        number = self._numbers[index] if index < len(self._numbers) else self._first + index
        if number in retryable.results:
            self.retried.append(number)
            name, done = retryable.results[number]
            if name != self._request.name:
                raise CommandError(
                    ErrorCode.IncompleteTransactionHistory,
                    f"statement {number} of the retryable write {retryable.number} was {name}, which "
                    f"{self._request.name} cannot retry",
                )
            return cast("T", done)
        before = self._snapshot()
        result = write()
        if has_written(result):
            self._fail_point(retryable.number, before)
            self._request.connection.writes += 1
            retryable.results[number] = (self._request.name, result)
        return result

    def _snapshot(self) -> Collection | None:
        """The collection as it is, if a fail point may want it back."""
        if not self._request.fail_points.is_on(TRANSACTIONAL_WRITE):
            return None
        return self._request.collection().copy()

    def _fail_point(self, number: int, before: Collection | None) -> None:
        data = self._request.fail_points.enter(TRANSACTIONAL_WRITE)
        if data is None:
            return
        if truthy(data.get("closeConnection", True)):
            self._request.connection.is_ending = True
        code = integer(data.get("failBeforeCommitExceptionCode"))
        if code is None:
            return
        if before is not None:
            self._request.collection().become(before)
        raise CommandError(
            code,
            f"Failing write for {self._request.session}:{number} due to failpoint. The write must not be reflected.",
        )

    def told(self, reply: Document) -> Document:
        """A reply with the statements that were not carried out again."""
        return {**reply, "retriedStmtIds": self.retried} if self.retried else reply
