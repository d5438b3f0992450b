"""An event loop whose clock jumps: where nothing but a timer is waited for, its time has come.

Sockets are real. Data between two ends on this loop is there by the next turn; so if nothing has come within two real
milliseconds, nothing will come before the next timer. Tests of intervals of seconds take milliseconds, and none of
them depends on how busy the machine is in any other way than by those two milliseconds.
"""

from __future__ import annotations

import asyncio
import selectors
from collections.abc import Coroutine
from typing import Any, TypeVar

T = TypeVar("T")

GRACE = 0.002
"""Real seconds in which sockets may still have something to say."""


class _Selector(selectors.DefaultSelector):
    skipped = 0.0

    def select(self, timeout: float | None = None) -> Any:
        if timeout is None or timeout <= 0:
            return super().select(timeout)
        events = super().select(min(timeout, GRACE))
        if not events:
            self.skipped += timeout
        return events


class VirtualLoop(asyncio.SelectorEventLoop):
    """See the module."""

    def __init__(self) -> None:
        self._selector_of_time = _Selector()
        super().__init__(self._selector_of_time)

    def time(self) -> float:
        return super().time() + self._selector_of_time.skipped


def run(coroutine: Coroutine[Any, Any, T]) -> T:
    """Run a coroutine on a loop of its own whose clock jumps."""
    with asyncio.Runner(loop_factory=VirtualLoop, debug=True) as runner:
        return runner.run(coroutine)
