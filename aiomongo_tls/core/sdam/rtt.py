"""Round trip times of one server (server selection, "Calculation of Average Round Trip Times").

Only a hello that the server answers at once is a measure; the first one of a connection is, the replies of a stream
are not.
"""

from __future__ import annotations

from collections import deque

_WEIGHT = 0.2
_RECENT = 10
_ENOUGH = 2


class RoundTripTimes:
    """An average in which the latest times weigh most, and the shortest of the last ten."""

    def __init__(self) -> None:
        self._average: float | None = None
        self._recent: deque[float] = deque(maxlen=_RECENT)

    def add(self, seconds: float) -> None:
        """Take in one time.

        Args:
            seconds: from sending a hello to its reply.
        """
        self._recent.append(seconds)
        self._average = seconds if self._average is None else _WEIGHT * seconds + (1 - _WEIGHT) * self._average

    @property
    def average(self) -> float | None:
        """Seconds, None without any time."""
        return self._average

    @property
    def minimum(self) -> float:
        """Seconds; 0 until there are two times, as one may be an outlier."""
        return min(self._recent) if len(self._recent) >= _ENOUGH else 0.0

    def reset(self) -> None:
        """Forget everything: the server was lost, and what comes back may be another one."""
        self._average = None
        self._recent.clear()
