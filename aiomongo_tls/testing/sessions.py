"""The sessions of clients, and what their retryable writes have done. Specification: driver-sessions, retryable-writes.

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
    import datetime
    from collections.abc import Iterator

LIMIT = 10_000
"""Sessions that are remembered; of more than these the longest unused are forgotten."""


class SessionId(NamedTuple):
    """A session: two users never share one, even if their clients chose the same id.

    Args:
        id: what the client chose, the bytes of a UUID.
        user: whose it is, `name@database`; empty if nobody is logged in.
    """

    id: bytes
    user: str

    def __str__(self) -> str:
        return str(UUID(bytes=self.id)) + (f" - {self.user}" if self.user else "")


@dataclass(slots=True)
class RetryableWrite:
    """One write command, however often it is sent.

    Args:
        number: its `txnNumber`.
        results: what each of its statements did, by statement id.
    """

    number: int
    results: dict[int, Any] = field(default_factory=dict[int, Any])


@dataclass(slots=True)
class Session:
    """What is known of one session.

    Args:
        last_use: when its last command came.
        write: its latest retryable write.
    """

    last_use: datetime.datetime
    write: RetryableWrite | None = None


class Sessions:
    """The sessions that were used. One thread at a time."""

    def __init__(self) -> None:
        self._sessions: dict[SessionId, Session] = {}

    def __iter__(self) -> Iterator[tuple[SessionId, Session]]:
        return iter(self._sessions.items())

    def use(self, session: SessionId, now: datetime.datetime) -> None:
        """Take note of a command in a session.

        Args:
            session: the session.
            now: the present time.
        """
        known = self._sessions.pop(session, None) or Session(now)
        known.last_use = now
        self._sessions[session] = known
        if len(self._sessions) > LIMIT:
            del self._sessions[next(iter(self._sessions))]

    def begin(self, session: SessionId, number: int) -> RetryableWrite:
        """The write of this number, begun or gone on with.

        Args:
            session: who writes; it is in use.
            number: the `txnNumber`.

        Raises:
            CommandError: 225, the session has gone on to a newer number.
        """
        known = self._sessions[session]
        if known.write is None or known.write.number < number:
            known.write = RetryableWrite(number)
        if known.write.number > number:
            raise CommandError(
                ErrorCode.TransactionTooOld,
                f"Retryable write with txnNumber {number} is prohibited on session {session} because a newer "
                f"retryable write with txnNumber {known.write.number} has already started on the session.",
            )
        return known.write
