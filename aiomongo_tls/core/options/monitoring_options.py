"""How servers are watched and chosen."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum


class ServerMonitoringMode(StrEnum):
    """How changes of a server are learned of (`serverMonitoringMode`)."""

    AUTO = "auto"
    """As `stream`, but as `poll` where the program runs as a short-lived function."""
    STREAM = "stream"
    """The server tells of a change when it happens."""
    POLL = "poll"
    """The server is asked every `heartbeatFrequencyMS`."""


@dataclass(frozen=True, slots=True, kw_only=True)
class MonitoringOptions:
    """The monitoring and selection options of one client (server discovery and monitoring specification).

    Args:
        heartbeat_frequency: `heartbeatFrequencyMS` in seconds, the time between two checks of a server.
        server_monitoring_mode: `serverMonitoringMode`.
        local_threshold: `localThresholdMS` in seconds: a server this much slower than the fastest is still used.
    """

    heartbeat_frequency: float = 10.0
    server_monitoring_mode: ServerMonitoringMode = ServerMonitoringMode.AUTO
    local_threshold: float = 0.015
