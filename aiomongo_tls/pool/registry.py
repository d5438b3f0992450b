"""The pools of one client by their keys."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from aiomongo_tls.core.pool.key import PoolKey
    from aiomongo_tls.pool.pool import Pool


class PoolRegistry:
    """The pools of one client. A connection never leaves the pool of its key.

    Args:
        make: makes the pool of a key.
    """

    def __init__(self, make: Callable[[PoolKey], Pool]) -> None:
        self._make = make
        self._pools: dict[PoolKey, Pool] = {}

    def __iter__(self) -> Iterator[Pool]:
        return iter(self._pools.values())

    def get(self, key: PoolKey) -> Pool:
        """The pool of `key`, made if there is none."""
        pool = self._pools.get(key)
        if pool is None:
            pool = self._pools[key] = self._make(key)
        return pool

    def close(self) -> None:
        """Close all pools in order. Plain and idempotent."""
        for pool in self:
            pool.close()

    def abort(self) -> None:
        """Close all pools at once. Plain and idempotent."""
        for pool in self:
            pool.abort()

    async def wait_closed(self, seconds: float) -> None:
        """Wait until nothing is left of the pools that were closed: no task, no socket.

        When the time is up, or the caller is cancelled, they are aborted, which takes a few turns of the loop that are
        waited for; only then is a cancellation passed on.

        Args:
            seconds: how long saying goodbye may take.
        """
        cancelled: asyncio.CancelledError | None = None
        limit: float | None = seconds
        while True:
            try:
                async with asyncio.timeout(limit):
                    for pool in list(self):
                        await pool.wait_closed()
                    break
            except TimeoutError:
                pass
            except asyncio.CancelledError as exc:
                cancelled = exc
            limit = None
            self.abort()
        if cancelled is not None:
            raise cancelled
