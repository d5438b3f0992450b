"""Waiting for something that has to happen, although the one who waits is cancelled."""

from __future__ import annotations

import asyncio


async def outlast(task: asyncio.Task[None]) -> None:
    """Waits until a task is done, however often the caller is cancelled meanwhile.

    A cancelled caller gets its CancelledError afterwards. The task must bound its own time.

    Args:
        task: what has to happen.
    """
    cancelled: asyncio.CancelledError | None = None
    while not task.done():
        try:
            # asyncio.wait does not cancel what it waits for.
            await asyncio.wait([task])
        except asyncio.CancelledError as exc:
            cancelled = exc
    if cancelled is not None:
        # Its error, if any, must not be reported as never retrieved.
        _ = task.cancelled() or task.exception()
        raise cancelled
    task.result()
