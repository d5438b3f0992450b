"""Which event loop and which process something belongs to: sockets and tasks live on one loop of one process.

What becomes of a client that is used somewhere else:

| where it was used before          | now on another loop                                    |
|-----------------------------------|--------------------------------------------------------|
| nowhere                           | it belongs to this loop from now on                    |
| a loop that is closed             | it begins afresh: what it had died with that loop      |
| a loop that is still open         | `InvalidOperation`; its sockets can be used only there |
| the parent process, before a fork | it begins afresh: the sockets are the parent's         |
"""

from __future__ import annotations

import asyncio
import os
import sys

from aiomongo_tls.errors import InvalidOperation


def running_loop() -> asyncio.AbstractEventLoop:
    """The running event loop.

    Raises:
        InvalidOperation: there is none; says so if this is trio.
    """
    try:
        return asyncio.get_running_loop()
    except RuntimeError as exc:
        raise InvalidOperation(_no_loop()) from exc


def _no_loop() -> str:
    trio = sys.modules.get("trio")
    if trio is not None and trio.lowlevel.in_trio_run():
        return (
            "this client runs on asyncio, and this is trio; use anyio.run(main, backend='asyncio'), or trio-asyncio's "
            "aio_as_trio()"
        )
    return "no asyncio event loop is running here; use the client in a coroutine that asyncio.run() runs"


class LoopBinding:
    """Remembers where something was used first, and says what to do elsewhere."""

    __slots__ = ("_loop", "_process")

    def __init__(self) -> None:
        self._loop: asyncio.AbstractEventLoop | None = None
        self._process = 0

    @property
    def is_bound(self) -> bool:
        """Whether it was bound to any loop yet."""
        return self._loop is not None

    @property
    def is_alive(self) -> bool:
        """Whether the loop that it is bound to can still be used, in this process."""
        return self._loop is not None and not self._loop.is_closed() and self._process == os.getpid()

    def holds(self, loop: asyncio.AbstractEventLoop) -> bool:
        """Whether it is bound to this very loop. After a fork no loop of the parent runs in the child."""
        return self._loop is loop

    def bind(self, loop: asyncio.AbstractEventLoop) -> None:
        """Bind it to this loop and process, afresh if need be.

        Args:
            loop: the running loop.

        Raises:
            InvalidOperation: it is bound to another loop that is still open.
        """
        if self._loop is not loop and self.is_alive:
            raise InvalidOperation(
                f"this client was first used on another event loop, {self._loop!r}, which is still open and where its "
                f"connections are; this one is {loop!r}. Make one client per event loop"
            )
        self._loop = loop
        self._process = os.getpid()
