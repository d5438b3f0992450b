"""Looks after a pool when nobody asks it for anything: closes what is idle for too long, keeps minPoolSize open."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from random import random

from aiomongo_tls.core.sdam.schedule import Backoff

FIRST_PAUSE = 1.0
"""Seconds at most after which a failed attempt that nobody asked for is repeated."""

LONGEST_PAUSE = 10.0
"""Seconds at most between such attempts in the long run."""


class Keeper:
    """One timer that calls `look` when something may be due.

    Args:
        look: does what is due; called without arguments.
        call_at: the loop's `call_at`.
        clock: the loop's `time`.
        backoff: the pauses between attempts that fail.
    """

    def __init__(
        self,
        look: Callable[[], None],
        *,
        call_at: Callable[[float, Callable[[], None]], asyncio.Handle],
        clock: Callable[[], float],
        backoff: Backoff | None = None,
    ) -> None:
        self._look = look
        self._call_at = call_at
        self._clock = clock
        self._backoff = backoff or Backoff(FIRST_PAUSE, LONGEST_PAUSE, random)
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
        self._timer = self._call_at(at, self._fire)

    def failed(self) -> None:
        """An attempt has failed: look again after a pause."""
        self.look_at(self._clock() + self._backoff.pause())

    def succeeded(self) -> None:
        """An attempt has succeeded: the next failure is the first again."""
        self._backoff.reset()

    def stop(self) -> None:
        """Look no more."""
        self._is_stopped = True
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _fire(self) -> None:
        self._timer = None
        self._look()
