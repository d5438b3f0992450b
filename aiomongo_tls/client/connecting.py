"""What `AsyncClient.connect()` returns: a coroutine that is also an asynchronous context manager."""

from __future__ import annotations

from collections.abc import Coroutine, Generator
from types import TracebackType
from typing import Any, Protocol, TypeVar, cast


class Closable(Protocol):
    """What a block closes at its end."""

    async def close(self) -> None:
        """Ends it."""


T = TypeVar("T", bound=Closable)


class Connecting(Coroutine[Any, Any, T]):
    """`await` it for the open object, or use it in `async with`, which closes the object at the end.

    It is a coroutine to `asyncio.run` and `create_task`, too. If it is forgotten, the coroutine inside warns that it
    was never awaited.

    Args:
        opening: the coroutine function that opens the object, called.
        name: what to call it in "... was never awaited".
    """

    __slots__ = ("_opened", "_opening")

    def __init__(self, opening: Coroutine[Any, Any, T], name: str) -> None:
        cast(Any, opening).__qualname__ = name
        self._opening = opening
        self._opened: T | None = None

    def send(self, value: Any) -> Any:
        """Resumes it; asyncio's part."""
        return self._opening.send(value)

    def throw(self, *error: Any) -> Any:
        """Raises in it; asyncio's part."""
        return self._opening.throw(*error)

    def close(self) -> None:
        """Drops it unawaited; not to be mistaken for the `close()` of what it opens."""
        self._opening.close()

    def __await__(self) -> Generator[Any, Any, T]:
        return self._opening.__await__()

    async def __aenter__(self) -> T:
        self._opened = await self._opening
        return self._opened

    async def __aexit__(
        self,
        exc_type: type[BaseException] | None,
        exc_val: BaseException | None,
        exc_tb: TracebackType | None,
    ) -> None:
        if self._opened is not None:
            await self._opened.close()
