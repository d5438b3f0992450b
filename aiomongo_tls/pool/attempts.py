"""The connections of a pool that are being opened, each by a task of its own."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from contextvars import Context
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING

from aiomongo_tls.errors import AutoReconnect, PoolClosedError

if TYPE_CHECKING:
    from aiomongo_tls.net.connection import Connection


@dataclass(frozen=True, slots=True)
class _Attempt:
    connection: Connection
    task: asyncio.Task[None]
    since: float


class Attempts:
    """Opens connections, side by side.

    Args:
        establish: opens a connection; leaves nothing open when it fails.
        ended: called with the connection, the seconds it took, and why it cannot be used, None if it can. Not called
            for an attempt that was abandoned.
    """

    def __init__(
        self,
        establish: Callable[[Connection], Awaitable[None]],
        ended: Callable[[Connection, float, BaseException | None], None],
    ) -> None:
        self._establish = establish
        self._ended = ended
        self._loop = asyncio.get_running_loop()
        # By the number of their connection, the oldest first.
        self._attempts: dict[int, _Attempt] = {}
        # Also those of attempts that were abandoned and have not come to their end yet.
        self._tasks: set[asyncio.Task[None]] = set()

    @property
    def connections(self) -> list[Connection]:
        """The connections that are being opened, the oldest first."""
        return [attempt.connection for attempt in self._attempts.values()]

    @property
    def have_ended(self) -> bool:
        """Whether no task is left, of abandoned attempts neither."""
        return not self._tasks

    def begin(self, connection: Connection) -> None:
        """Open a connection."""
        name = f"aiomongo_tls open connection {connection.id} to {connection.address}"
        task = self._loop.create_task(self._open(connection), name=name, context=Context())
        self._attempts[connection.id] = _Attempt(connection, task, self._loop.time())
        self._tasks.add(task)
        # In a callback and not at the end of the task, which may be cancelled before it has begun.
        task.add_done_callback(partial(self._done, connection))

    def abandon(self, connection_id: int) -> None:
        """End an attempt; whatever becomes of it is nobody's business any more."""
        self._attempts.pop(connection_id).task.cancel()

    async def wait_ended(self) -> None:
        """Wait until no task is left."""
        for task in list(self._tasks):
            await asyncio.wait([task])

    async def _open(self, connection: Connection) -> None:
        await self._establish(connection)

    def _done(self, connection: Connection, task: asyncio.Task[None]) -> None:
        self._tasks.discard(task)
        error = _fault(connection, task)
        attempt = self._attempts.pop(connection.id, None)
        if attempt is None:
            # Abandoned, perhaps in the very turn in which it succeeded.
            connection.abort()
        else:
            self._ended(connection, self._loop.time() - attempt.since, error)


def _fault(connection: Connection, task: asyncio.Task[None]) -> BaseException | None:
    """Why an attempt has not led to a connection."""
    if task.cancelled():
        return PoolClosedError("the attempt to open a connection was cancelled", host=connection.address)
    error = task.exception()
    if error is None and not connection.is_usable:
        lost = AutoReconnect(
            "the connection was lost right after it was opened",
            host=connection.address,
            phase=connection.progress.phase,
        )
        lost.__cause__ = connection.fault
        return lost
    return error
