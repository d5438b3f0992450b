"""Server sessions: the ids that tie commands together, and the pool they come from (sessions specification).

The pool is last in, first out: an id that was used a moment ago is the furthest from its timeout, and those at the
bottom age until they are thrown away. Time and chance are arguments; nothing here waits, so that giving back is a
plain function.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

from bson.binary import UUID_SUBTYPE, Binary

_MARGIN = 60.0
"""Seconds before its timeout at which an id is no longer handed out."""
_END_SESSIONS_AT_ONCE = 10_000


class ServerSession:
    """One id under which a server keeps what belongs together.

    Args:
        id: the 16 bytes of a UUID version 4.
    """

    __slots__ = ("id", "is_dirty", "last_use")

    def __init__(self, id: bytes) -> None:  # noqa: A002 - the field's name on the wire
        self.id: Mapping[str, Any] = {"id": Binary(id, UUID_SUBTYPE)}
        self.last_use = 0.0
        self.is_dirty = False
        """Whether a command under it may still be running: the connection was lost before its reply."""

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

    def take(self, now: float, timeout_minutes: int) -> ServerSession:
        """The session that was used last, or a new one.

        Args:
            now: the time in seconds.
            timeout_minutes: the server's logicalSessionTimeoutMinutes.
        """
        expiry = now - timeout_minutes * 60 + _MARGIN
        while self._idle:
            session = self._idle.pop()
            if session.last_use > expiry:
                session.last_use = now
                return session
        session = ServerSession(self._new_id())
        session.last_use = now
        return session

    def give_back(self, session: ServerSession) -> None:
        """Puts a session back, unless it is dirty. Those that expire below it go when they are met."""
        if not session.is_dirty:
            self._idle.append(session)

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

    __slots__ = ("_pool", "_taken")

    def __init__(self, pool: ServerSessionPool) -> None:
        self._pool = pool
        self._taken: ServerSession | None = None

    def lsid(self, now: float, timeout_minutes: int) -> Mapping[str, Any]:
        """The id to send, the same for every command of one session.

        Args:
            now: the time in seconds.
            timeout_minutes: the server's logicalSessionTimeoutMinutes.
        """
        if self._taken is None:
            self._taken = self._pool.take(now, timeout_minutes)
        self._taken.last_use = now
        return self._taken.id

    def mark_dirty(self) -> None:
        """A command was sent and its reply will not be read; the session is not used again."""
        if self._taken is not None:
            self._taken.is_dirty = True

    def end(self) -> None:
        """Gives the server session back. Plain and idempotent."""
        if self._taken is not None:
            self._pool.give_back(self._taken)
            self._taken = None
