"""Handshake steps take turns, so that a hundred of them at once do not hold up the event loop.

A step of a TLS handshake is 0.2 to 2 ms of arithmetic, and making its engine 0.1 to 0.4 ms (0.2 of that to copy the
session that is resumed). When many connections are made at once their steps arrive
together, and run one after another in one turn of the loop they would hold it for 100 ms and more. Here each turn
has a budget: steps run at once while it lasts, the rest wait in line for the next turns, between which the loop
looks after everything else. Threads were measured too: about the same lag, half as much CPU again.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable
from time import perf_counter
from typing import TypeVar
from weakref import WeakKeyDictionary

T = TypeVar("T")

BUDGET = 0.003
"""Seconds of handshake arithmetic per turn of the loop. The step that exceeds it is finished first."""


class HandshakeTurns:
    """The line in which the handshake steps of one event loop wait.

    Args:
        call_soon: schedules a call for the next turn of the loop.
        budget: seconds per turn.
        clock: what measures the steps.
    """

    def __init__(
        self,
        call_soon: Callable[[Callable[[], None]], object],
        *,
        budget: float = BUDGET,
        clock: Callable[[], float] = perf_counter,
    ) -> None:
        self._call_soon = call_soon
        self._budget = budget
        self._clock = clock
        self._line: deque[Callable[[], None]] = deque()
        self._spent = 0.0
        self._turn_is_due = False

    def run(self, step: Callable[[], None]) -> bool:
        """Run `step` now if this turn has time left and nobody is in line, otherwise in a later turn.

        Returns:
            Whether it ran.
        """
        if not self._turn_is_due:
            self._turn_is_due = True
            self._call_soon(self._next_turn)
        if self._line or self._spent >= self._budget:
            self._line.append(step)
            return False
        self._measure(step)
        return True

    async def take(self, step: Callable[[], T]) -> T:
        """Run `step` in a turn and wait for what it returns or raises. Cancelled, it is not run any more."""
        done: asyncio.Future[T] = asyncio.get_running_loop().create_future()

        def run() -> None:
            if done.done():
                return
            try:
                done.set_result(step())
            except Exception as exc:  # noqa: BLE001 - it belongs to whoever waits
                done.set_exception(exc)

        self.run(run)
        return await done

    def _measure(self, step: Callable[[], None]) -> None:
        started = self._clock()
        try:
            step()
        finally:
            self._spent += self._clock() - started

    def _next_turn(self) -> None:
        self._spent = 0.0
        self._turn_is_due = bool(self._line)
        if self._turn_is_due:
            # Before the work: a step that raises must not leave the others waiting for ever.
            self._call_soon(self._next_turn)
        while self._line and self._spent < self._budget:
            self._measure(self._line.popleft())


_of_loop: WeakKeyDictionary[asyncio.AbstractEventLoop, HandshakeTurns] = WeakKeyDictionary()


def turns_of(loop: asyncio.AbstractEventLoop) -> HandshakeTurns:
    """The line of `loop`, shared by all its connections in both roles."""
    turns = _of_loop.get(loop)
    if turns is None:
        turns = _of_loop[loop] = HandshakeTurns(_call_soon)
    return turns


def _call_soon(callback: Callable[[], None]) -> object:
    # Not `loop.call_soon`: the line would keep its loop alive through the dictionary above.
    return asyncio.get_running_loop().call_soon(callback)
