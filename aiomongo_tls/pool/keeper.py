"""Looks after a pool when nobody asks it for anything: closes what waits for too long, keeps minPoolSize open.

It looks when the loop keeps up. A timer that fires late stands for a loop that was busy: late replies may have come
that nobody has read, and a connection would be closed because of us, not because of its server. So the look is put off,
but not for ever.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from contextvars import Context

LATE = 0.02
"""Seconds by which a timer may be late on a loop that keeps up."""

PUT_OFF = 0.05
"""Seconds by which a look is put off if it is later than that."""

MOST = 10
"""How often in a row."""


class Keeper:
    """One timer that calls `look` when something may be due.

    Args:
        look: does what is due; called without arguments.
        call_at: the loop's `call_at`. It is given a context of ours: the timer may stand for hours, and must not keep
            what the operation that set it had in its context variables, nor have listeners called among those.
        now: the loop's `time`.
    """

    def __init__(
        self, look: Callable[[], None], *, call_at: Callable[..., asyncio.Handle], now: Callable[[], float]
    ) -> None:
        self._context = Context()
        self._look = look
        self._call_at = call_at
        self._now = now
        self._timer: asyncio.Handle | None = None
        # For when it is set. Not asked of the timer: uvloop's has no `when()` if its time has come already.
        self._at = 0.0
        # When it was set, if that was later.
        self._set_at = 0.0
        self._put_off = 0
        self._is_stopped = False

    def look_at(self, at: float | None) -> None:
        """Look at `at` or earlier; None asks for nothing."""
        if at is None or self._is_stopped:
            return
        if self._timer is not None:
            if self._at <= at:
                return
            self._timer.cancel()
        self._at, self._set_at = at, self._now()
        self._timer = self._call_at(at, self._fire, context=self._context)

    def stop(self) -> None:
        """Look no more."""
        self._is_stopped = True
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _fire(self) -> None:
        self._timer = None
        now = self._now()
        if now > max(self._at, self._set_at) + LATE and self._put_off < MOST:
            self._put_off += 1
            self.look_at(now + PUT_OFF)
            return
        self._put_off = 0
        self._look()
