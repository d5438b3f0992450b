"""How far secondaries lag behind, and which of them a read accepts (max staleness specification).

Staleness is an estimate from the dates of last writes that servers report at their checks. It is compared between
servers, never with our own clock, and a heartbeat is added for what may have happened since the check.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable
from typing import TYPE_CHECKING

from aiomongo_tls.core.server_type import ServerType
from aiomongo_tls.errors import ConfigurationError

if TYPE_CHECKING:
    from aiomongo_tls.core.sdam.server_description import ServerDescription

_SMALLEST_MAX_STALENESS = 90
# A primary without writes writes a no-op so often, in seconds; below that every secondary looks stale.
_IDLE_WRITE_PERIOD = 10
# Dates are in milliseconds; finer than that are only the rounding errors of floats.
_DIGITS = 3


def check_max_staleness(max_staleness: int, heartbeat_frequency: float) -> None:
    """See to it that a limit can be kept at all by a replica set.

    Args:
        max_staleness: seconds, -1 for no limit.
        heartbeat_frequency: seconds from check to check.

    Raises:
        ConfigurationError: the limit is too small.
    """
    if max_staleness <= 0:
        return
    smallest = max(_SMALLEST_MAX_STALENESS, heartbeat_frequency + _IDLE_WRITE_PERIOD)
    if max_staleness < smallest:
        raise ConfigurationError(
            f"maxStalenessSeconds is {max_staleness}, but has to be at least {smallest:g}: no less than "
            f"{_SMALLEST_MAX_STALENESS}, and no less than heartbeatFrequencyMS ({heartbeat_frequency:g} s) plus "
            f"{_IDLE_WRITE_PERIOD} s"
        )


def fresh_enough(
    candidates: Iterable[ServerDescription],
    servers: Collection[ServerDescription],
    max_staleness: int,
    heartbeat_frequency: float,
) -> list[ServerDescription]:
    """Leave out the secondaries that lag too far behind; one that does not report its last write is left out, too.

    Args:
        candidates: the servers to choose from; those that are not secondaries are never stale.
        servers: all servers of the replica set, to compare with.
        max_staleness: seconds, -1 for no limit.
        heartbeat_frequency: seconds from check to check.
    """
    if max_staleness <= 0:
        return list(candidates)
    primary = next((server for server in servers if server.server_type is ServerType.RS_PRIMARY), None)
    behind = _behind_primary(primary) if primary is not None else _behind_latest(servers)
    return [
        server
        for server in candidates
        if server.server_type is not ServerType.RS_SECONDARY
        or ((lag := behind(server)) is not None and round(lag + heartbeat_frequency, _DIGITS) <= max_staleness)
    ]


def _behind_primary(primary: ServerDescription) -> Callable[[ServerDescription], float | None]:
    reported = primary.last_write_date

    def behind(secondary: ServerDescription) -> float | None:
        if secondary.last_write_date is None or reported is None:
            return None
        # What each had not written yet when it was checked; the checks were at different times.
        return (secondary.last_update_time - secondary.last_write_date) - (primary.last_update_time - reported)

    return behind


def _behind_latest(servers: Iterable[ServerDescription]) -> Callable[[ServerDescription], float | None]:
    latest = max(
        (
            server.last_write_date
            for server in servers
            if server.server_type is ServerType.RS_SECONDARY and server.last_write_date is not None
        ),
        default=0.0,
    )

    def behind(secondary: ServerDescription) -> float | None:
        return None if secondary.last_write_date is None else latest - secondary.last_write_date

    return behind
