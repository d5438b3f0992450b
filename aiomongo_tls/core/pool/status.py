"""What a pool looks like from outside."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum


class PoolState(StrEnum):
    """Whether a pool hands out connections."""

    PAUSED = "paused"
    """Not now: its server is not known to be there. Every pool begins like this, and goes back to it when cleared."""
    READY = "ready"
    """Yes."""
    CLOSED = "closed"
    """Never again."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Counts:
    """How many connections there are, and who waits.

    Args:
        idle: connections that the next operation can have.
        in_use: connections that operations have.
        parked: connections that wait for the late reply to an operation that was given up.
        opening: connections that are being opened.
        waiting: operations that wait for a connection.
    """

    idle: int = 0
    in_use: int = 0
    parked: int = 0
    opening: int = 0
    waiting: int = 0

    @property
    def total(self) -> int:
        """What counts against `maxPoolSize`."""
        return self.idle + self.in_use + self.parked + self.opening


@dataclass(frozen=True, slots=True, kw_only=True)
class PoolStatus(Counts):
    """A pool at one moment.

    Args:
        idle: connections that the next operation can have.
        in_use: connections that operations have.
        parked: connections that wait for the late reply to an operation that was given up.
        opening: connections that are being opened.
        waiting: operations that wait for a connection.
        max_pool_size: `maxPoolSize`, 0 for no limit.
        generation: how often the pool was cleared.
        state: whether it hands out connections.
    """

    max_pool_size: int
    generation: int
    state: PoolState
