"""When to try a server again, and when to check it."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Final

from aiomongo_tls.core.options.monitoring_options import ServerMonitoringMode

if TYPE_CHECKING:
    from aiomongo_tls.core.sdam.topology_version import TopologyVersion

MIN_HEARTBEAT_FREQUENCY: Final = 0.5
"""Seconds that lie between two checks of a server at least, however many are asked for."""


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


def streams(mode: ServerMonitoringMode, *, is_faas: bool, topology_version: TopologyVersion | None) -> bool:
    """Whether the server is to tell of changes by itself (server monitoring, "Streaming disabled").

    Args:
        mode: `serverMonitoringMode`.
        is_faas: whether the program runs as a short-lived function, which is frozen between its calls.
        topology_version: what the server's last reply had; servers before 4.4 have none.
    """
    if mode is ServerMonitoringMode.POLL or (mode is ServerMonitoringMode.AUTO and is_faas):
        return False
    return topology_version is not None


def check_time_limit(connect_timeout: float | None, heartbeat_frequency: float, *, awaits: bool) -> float | None:
    """Seconds that a check may take, None for any (server monitoring, "Socket timeout").

    Args:
        connect_timeout: `connectTimeoutMS` in seconds, None or 0 for no limit.
        heartbeat_frequency: `heartbeatFrequencyMS` in seconds.
        awaits: whether the server keeps its reply back until something changes.
    """
    if not connect_timeout:
        return None
    return connect_timeout + heartbeat_frequency if awaits else connect_timeout


def next_check(ended: float, heartbeat_frequency: float, *, requested: bool) -> float:
    """When the next check is due (server monitoring, "Requesting an immediate check").

    Args:
        ended: when the last one ended.
        heartbeat_frequency: `heartbeatFrequencyMS` in seconds.
        requested: whether somebody asked for a check since.
    """
    return ended + (MIN_HEARTBEAT_FREQUENCY if requested else heartbeat_frequency)
