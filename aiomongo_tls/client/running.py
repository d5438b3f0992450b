"""The event loop that is running, or an error that says what to do."""

from __future__ import annotations

import asyncio

from aiomongo_tls.errors import InvalidOperation


def running_loop() -> asyncio.AbstractEventLoop:
    """The running asyncio event loop.

    Raises:
        InvalidOperation: there is none, because this is plain code or runs under trio.
    """
    try:
        return asyncio.get_running_loop()
    except RuntimeError:
        raise InvalidOperation(
            "no asyncio event loop is running here; use the client in a coroutine under asyncio.run(), or with anyio "
            "on its asyncio backend (trio cannot run it)"
        ) from None
