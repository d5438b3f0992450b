"""Looks after a pool when nobody asks it for anything: closes what waits for too long, keeps minPoolSize open."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from contextvars import Context


class Keeper:
    """One timer that calls `look` when something may be due.

    Args:
        look: does what is due; called without arguments.
        call_at: the loop's `call_at`. It is given a context of ours: the timer may stand for hours, and must not keep
            what the operation that set it had in its context variables, nor have listeners called among those.
    """

    def __init__(self, look: Callable[[], None], *, call_at: Callable[..., asyncio.Handle]) -> None:
        self._context = Context()
        self._look = look
        self._call_at = call_at
        self._timer: asyncio.Handle | None = None
        # For when it is set. Not asked of the timer: uvloop's has no `when()` if its time has come already.
        self._at = 0.0
        self._is_stopped = False

    def look_at(self, at: float | None) -> None:
        """Look at `at` or earlier; None asks for nothing."""
        if at is None or self._is_stopped:
            return
        if self._timer is not None:
            if self._at <= at:
                return
            self._timer.cancel()
        self._at = at
        self._timer = self._call_at(at, self._fire, context=self._context)

    def stop(self) -> None:
        """Look no more."""
        self._is_stopped = True
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _fire(self) -> None:
        self._timer = None
        self._look()
