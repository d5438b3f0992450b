"""A listener for everything that a client tells, in one list, and for which a test can wait."""

from __future__ import annotations

import asyncio
import inspect
from collections.abc import Callable
from typing import Any, TypeVar

from aiomongo_tls.core.events.listeners import LISTENERS

T = TypeVar("T")

_Listener: Any = type("_Listener", LISTENERS, {})


class Events(_Listener):  # type: ignore[misc]
    """Every event of pools, servers, heartbeats, topologies and TLS handshakes, in the order in which they were told.

    Attributes:
        all: the events.
        times: when each was told, on the loop's clock.
    """

    def __init__(self) -> None:
        self.all: list[Any] = []
        self.times: list[float] = []
        self._changed = asyncio.Event()

    def told(self, event: Any) -> None:
        self.all.append(event)
        self.times.append(asyncio.get_running_loop().time())
        self._changed.set()

    def forget(self) -> None:
        """Begin a new list."""
        self.all.clear()
        self.times.clear()

    def of(self, *kinds: type[T], where: Callable[[Any], object] = lambda event: True) -> list[T]:
        """The events of some classes."""
        return [event for event in self.all if isinstance(event, kinds) and where(event)]

    def times_of(self, *kinds: type[object]) -> list[float]:
        """When the events of some classes were told."""
        return [time for time, event in zip(self.times, self.all, strict=True) if isinstance(event, kinds)]

    @property
    def names(self) -> list[str]:
        """The classes of the events, without their common ending."""
        return [name_of(event) for event in self.all]

    async def until(self, condition: Callable[[], object], seconds: float = 10) -> None:
        """Wait until `condition` holds, which is asked at each event."""
        async with asyncio.timeout(seconds):
            while not condition():
                self._changed.clear()
                await self._changed.wait()

    async def occurs(
        self, kind: type[Any], count: int = 1, where: Callable[[Any], object] = lambda event: True
    ) -> None:
        """Wait until there are so many events of a class, from the beginning of the list."""
        await self.until(lambda: len(self.of(kind, where=where)) >= count)


for _class in LISTENERS:
    for _name, _ in inspect.getmembers(_class, inspect.isfunction):
        setattr(Events, _name, Events.told)


def name_of(event: object) -> str:
    """The class of an event, without the ending that all have."""
    return type(event).__name__.removesuffix("Event")
