"""One piece of work for all who wait for it; it ends when nobody does any more."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine
from contextvars import Context
from copy import copy
from typing import Any, Generic, TypeVar

from aiomongo_tls.errors import MongoError

T = TypeVar("T")


class SharedTask(Generic[T]):
    """A task for several waiters. One that gives up does not end the waiting of the others; the last one ends the task.

    It runs in an empty context: no caller's time limit or other variable is its business.

    Args:
        work: what to do.
        name: the task's name.
    """

    def __init__(self, work: Coroutine[Any, Any, T], *, name: str) -> None:
        self._task = asyncio.get_running_loop().create_task(work, name=name, context=Context())
        # A failure belongs to those who wait, of whom there may be none left.
        self._task.add_done_callback(lambda task: task.cancelled() or task.exception())
        self._waiters = 0

    @property
    def is_open(self) -> bool:
        """Whether it is running and has not been given up: whoever comes now can wait for it."""
        return not self._task.done() and not self._task.cancelling()

    @property
    def has_ended(self) -> bool:
        """Whether it has come to its end, however."""
        return self._task.done()

    def cancel(self) -> None:
        """End it, whoever waits for it. Plain and idempotent."""
        self._task.cancel()

    async def result(self) -> T:
        """Wait for the result. An error of ours is raised as a copy, so that each waiter has its own."""
        await self.ended()
        try:
            return self._task.result()
        except MongoError as exc:
            # Raising adds to an exception's traceback.
            raise copy(exc) from exc.__cause__

    async def ended(self) -> None:
        """Wait until it has ended, however."""
        self._waiters += 1
        try:
            # Other than awaiting it, this does not cancel it too.
            await asyncio.wait([self._task])
        except asyncio.CancelledError:
            if self._waiters == 1 and self._task.cancel():
                # Whoever cancelled expects that nothing is left; cut in two, this only comes true a little later.
                await asyncio.wait([self._task])
            raise
        finally:
            self._waiters -= 1
