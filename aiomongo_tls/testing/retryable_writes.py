"""What retryable writes have done, so that none is applied twice. Specification: retryable-writes.

The record belongs to the data: servers that share a store share it, and a write that one primary carried out is known
to the next one. As on a real server a session has one write at a time: a new transaction number ends the old one, and
an older one is refused.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, NamedTuple
from uuid import UUID

from aiomongo_tls.testing.failures import CommandError, ErrorCode

if TYPE_CHECKING:
    from collections.abc import Iterable

LIMIT = 10_000
"""Sessions that are remembered; of more than these the longest unused are forgotten."""


class SessionId(NamedTuple):
    """A session: two users never share one, even if their clients chose the same id.

    Args:
        id: what the client chose.
        user: whose it is, `name@database`; empty without access control.
    """

    id: UUID
    user: str

    def __str__(self) -> str:
        return f"{self.id} - {self.user}" if self.user else str(self.id)


@dataclass(slots=True)
class RetryableWrite:
    """One write command, however often it is sent.

    Args:
        number: its `txnNumber`.
        results: what each of its statements did, by statement id.
    """

    number: int
    results: dict[int, Any] = field(default_factory=dict[int, Any])


class RetryableWrites:
    """The latest retryable write of each session. One thread at a time."""

    def __init__(self) -> None:
        self._latest: dict[SessionId, RetryableWrite] = {}

    def begin(self, session: SessionId, number: int) -> RetryableWrite:
        """The write of this number, begun or gone on with.

        Args:
            session: who writes.
            number: the `txnNumber`.

        Raises:
            CommandError: 225, the session has gone on to a newer number.
        """
        latest = self._latest.pop(session, None)
        write = latest if latest is not None and latest.number >= number else RetryableWrite(number)
        self._latest[session] = write
        if len(self._latest) > LIMIT:
            del self._latest[next(iter(self._latest))]
        if write.number > number:
            raise CommandError(
                ErrorCode.TransactionTooOld,
                f"Retryable write with txnNumber {number} is prohibited on session {session} because a newer "
                f"retryable write with txnNumber {write.number} has already started on this session.",
            )
        return write

    def forget(self, sessions: Iterable[SessionId]) -> None:
        """Forget sessions that have ended."""
        for session in sessions:
            self._latest.pop(session, None)
