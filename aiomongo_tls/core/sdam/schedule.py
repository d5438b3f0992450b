"""How long to pause between attempts to reach a server."""

from __future__ import annotations

from collections.abc import Callable


class Backoff:
    """Pauses that double from attempt to attempt, with chance in them so that many clients do not come in step.

    Args:
        first: seconds of the first pause, at most.
        limit: seconds of the longest pause.
        chance: returns a number from 0 to 1; the pause is at least half of what it is at most.
    """

    def __init__(self, first: float, limit: float, chance: Callable[[], float]) -> None:
        self._first = first
        self._limit = limit
        self._chance = chance
        self._next = first

    def pause(self) -> float:
        """Seconds to pause now; the next pause is longer."""
        longest = self._next
        self._next = min(self._limit, longest * 2)
        return longest * (0.5 + 0.5 * self._chance())

    def reset(self) -> None:
        """Begin again with the first pause."""
        self._next = self._first
