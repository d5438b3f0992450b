"""Server sessions: the ids that tie commands together, and the pool they come from (sessions specification).

The pool is last in, first out: an id that was used a moment ago is the furthest from its timeout, and those at the
bottom age until they are thrown away. Time and chance are arguments; nothing here waits, so that giving back is a
plain function.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from math import inf
from typing import Any

from bson.binary import UUID_SUBTYPE, Binary
from bson.int64 import Int64

_MARGIN = 60.0
"""Seconds before its timeout at which an id is no longer handed out."""
_END_SESSIONS_AT_ONCE = 10_000


class ServerSession:
    """One id under which a server keeps what belongs together.

    A command that was broken off may still be running under it. Until its reply has come nobody else may have the
    session, and if that never comes, nobody ever will.

    Args:
        id: the 16 bytes of a UUID version 4.
    """

    __slots__ = ("_home", "_late_replies", "id", "is_dirty", "last_use", "transaction_number")

    def __init__(self, id: bytes) -> None:  # noqa: A002 - the field's name on the wire
        self.id: Mapping[str, Any] = {"id": Binary(id, UUID_SUBTYPE)}
        self.last_use = 0.0
        self.is_dirty = False
        """Whether a command under it may still be running: the connection was lost before its reply."""
        self.transaction_number = 0
        """The number of the last retryable write under it."""
        self._late_replies = 0
        # Where it goes when the last late reply has come; None while its user has it.
        self._home: ServerSessionPool | None = None

    def expect_late_reply(self) -> None:
        """Take note of a command that was broken off and whose reply is still to come."""
        self._late_replies += 1

    def late_reply(self, *, came: bool) -> None:
        """Take note of how that ended.

        Args:
            came: whether the reply came; otherwise the connection was lost.
        """
        self._late_replies -= 1
        self.is_dirty |= not came
        home, self._home = self._home, None
        if home is not None:
            self.go_to(home)

    def go_to(self, home: ServerSessionPool) -> None:
        """Go back to the pool as soon as it can be used again; never if it is dirty."""
        if self._late_replies:
            self._home = home
        elif not self.is_dirty:
            home.give_back(self)

    def __repr__(self) -> str:
        return f"ServerSession({self.id['id'].hex()}{', dirty' if self.is_dirty else ''})"


class ServerSessionPool:
    """The sessions of one client that nobody is using.

    Args:
        new_id: makes the 16 bytes of a new UUID version 4.
    """

    __slots__ = ("_idle", "_new_id")

    def __init__(self, new_id: Callable[[], bytes]) -> None:
        self._new_id = new_id
        self._idle: list[ServerSession] = []

    def __len__(self) -> int:
        return len(self._idle)

    def take(self, now: float, timeout_minutes: int | None) -> ServerSession:
        """The session that was used last, or a new one.

        Args:
            now: the time in seconds.
            timeout_minutes: the server's logicalSessionTimeoutMinutes; None behind a load balancer, where no session
                is thrown away.
        """
        expiry = -inf if timeout_minutes is None else now - timeout_minutes * 60 + _MARGIN
        while self._idle:
            session = self._idle.pop()
            if session.last_use > expiry:
                session.last_use = now
                return session
        session = ServerSession(self._new_id())
        session.last_use = now
        return session

    def give_back(self, session: ServerSession) -> None:
        """Puts a clean session back. Those that expire below it go when they are met."""
        self._idle.append(session)

    def forget(self) -> None:
        """Empties the pool without a word to the server, which lets them time out."""
        self._idle.clear()

    def end_all(self) -> Iterator[Sequence[Mapping[str, Any]]]:
        """Empties the pool, for endSessions: the ids in portions that one command takes."""
        ids = [session.id for session in self._idle]
        self._idle.clear()
        for start in range(0, len(ids), _END_SESSIONS_AT_ONCE):
            yield ids[start : start + _END_SESSIONS_AT_ONCE]


class ImplicitSession:
    """The session of one operation, or of one cursor from its first command to its last.

    Nothing is taken from the pool before a connection is at hand, because only its server's hello says whether there
    are sessions at all, and because an operation that waits for a connection should not hold one.

    Args:
        pool: the client's sessions.
    """

    __slots__ = ("pool", "taken")

    def __init__(self, pool: ServerSessionPool) -> None:
        self.pool = pool
        self.taken: ServerSession | None = None
        """What it has taken from the pool; None before its first command and after its end."""

    def lsid(self, now: float, timeout_minutes: int | None) -> Mapping[str, Any]:
        """The id to send, the same for every command of one session.

        Args:
            now: the time in seconds.
            timeout_minutes: the server's logicalSessionTimeoutMinutes; None behind a load balancer.
        """
        taken = self.taken
        if taken is None:
            taken = self.taken = self.pool.take(now, timeout_minutes)
        taken.last_use = now
        return taken.id

    def next_transaction_number(self) -> Int64:
        """The number of a retryable write that begins now: larger than any before under the same id."""
        assert self.taken is not None, "a transaction number stands beside an lsid"  # noqa: S101
        self.taken.transaction_number += 1
        return Int64(self.taken.transaction_number)

    def mark_dirty(self) -> None:
        """A command was sent and its reply will not be read; the session is not used again."""
        if self.taken is not None:
            self.taken.is_dirty = True

    def end(self) -> None:
        """Gives the server session back. Plain and idempotent."""
        taken, self.taken = self.taken, None
        if taken is not None:
            taken.go_to(self.pool)
