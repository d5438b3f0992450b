"""A blocking call on a daemon thread of its own.

Not an executor: asyncio waits for its executor's threads when it shuts down, so that one look-up at a dead DNS server
would hold up the end of the program, and calls of different kinds would wait for each other. A thread costs 0.1 ms,
which the rare calls made here (a name look-up, the building of an SSLContext) do not notice.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from contextlib import suppress
from threading import Thread
from typing import TypeVar

T = TypeVar("T")


def in_thread(function: Callable[[], T], *, name: str) -> asyncio.Future[T]:
    """Call `function` on a new daemon thread.

    Args:
        function: what to call.
        name: the thread's name.

    Returns:
        A future of its result or exception, of the running loop. Cancelling it does not stop the thread; whatever the
        thread returns is then dropped.
    """
    loop = asyncio.get_running_loop()
    future: asyncio.Future[T] = loop.create_future()

    def settle(result: T | None, error: BaseException | None) -> None:
        if future.done():
            return
        if error is not None:
            future.set_exception(error)
        else:
            future.set_result(result)  # type: ignore[arg-type]

    def run() -> None:
        result: T | None = None
        error: BaseException | None = None
        try:
            result = function()
        except BaseException as exc:  # noqa: BLE001 - it belongs to whoever awaits the future
            error = exc
        # RuntimeError: the loop was closed in the meantime.
        with suppress(RuntimeError):
            loop.call_soon_threadsafe(settle, result, error)

    try:
        Thread(target=run, name=name, daemon=True).start()
    except RuntimeError as exc:
        # No more threads, or the interpreter is shutting down.
        future.set_exception(exc)
    return future
