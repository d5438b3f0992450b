"""A listener that remembers what it was told, and for whose events a test can wait."""

from __future__ import annotations

import asyncio
import inspect
from collections.abc import Callable

from aiomongo_tls.core.events.listeners import ConnectionPoolListener
from aiomongo_tls.core.events.pool_events import PoolEvent


class Recording(ConnectionPoolListener):
    """Every event of a pool, in order."""

    def __init__(self) -> None:
        self.events: list[PoolEvent] = []
        self._changed = asyncio.Event()

    def told(self, event: PoolEvent) -> None:
        self.events.append(event)
        self._changed.set()

    @property
    def names(self) -> list[str]:
        """The classes of the events, without their common ending."""
        return [type(event).__name__.removesuffix("Event") for event in self.events]

    async def until(self, condition: Callable[[], object], seconds: float = 5) -> None:
        """Wait until `condition` holds, which is asked at each event."""
        async with asyncio.timeout(seconds):
            while not condition():
                self._changed.clear()
                await self._changed.wait()

    async def occurs(self, name: str, count: int = 1, seconds: float = 5) -> None:
        """Wait until an event of this name has come so often, from the beginning."""
        await self.until(lambda: self.names.count(name) >= count, seconds)


for _name, _ in inspect.getmembers(ConnectionPoolListener, inspect.isfunction):
    setattr(Recording, _name, Recording.told)
