"""One deadline goes down the stack with an operation and is only ever tightened.

It holds a point in time of whatever monotonic clock the caller uses; nothing here looks at a clock.
"""

from __future__ import annotations

from dataclasses import dataclass
from math import inf


@dataclass(frozen=True, slots=True)
class Deadline:
    """A point in time that an operation must not pass.

    Args:
        at: the time in seconds on the caller's monotonic clock; infinity for no deadline.
        option: the option (or call) that set it, for messages: `timeoutMS=1000`.
    """

    at: float = inf
    option: str = ""

    @classmethod
    def after(cls, seconds: float | None, option: str, *, now: float) -> Deadline:
        """The deadline `seconds` from `now`; None or 0 seconds means none, as MongoDB's options have it."""
        return cls(now + seconds, option) if seconds else NEVER

    @property
    def is_finite(self) -> bool:
        """Whether there is a limit at all."""
        return self.at != inf

    def has_passed(self, now: float) -> bool:
        """Whether the time is up."""
        return now >= self.at

    def tightened(self, other: Deadline) -> Deadline:
        """The earlier of the two."""
        return other if other.at < self.at else self


NEVER = Deadline()
