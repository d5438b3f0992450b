"""Pauses between attempts, and the timing of checks."""

from __future__ import annotations

import pytest
from bson import ObjectId

from aiomongo_tls.core.options.monitoring_options import ServerMonitoringMode
from aiomongo_tls.core.sdam.schedule import Backoff, check_time_limit, next_check, streams
from aiomongo_tls.core.sdam.topology_version import TopologyVersion


def test_pauses_double_up_to_the_limit() -> None:
    """With chance at its highest they are as long as they can be."""
    backoff = Backoff(0.05, 0.5, lambda: 1.0)
    assert [backoff.pause() for _ in range(6)] == [0.05, 0.1, 0.2, 0.4, 0.5, 0.5]
    backoff.reset()
    assert backoff.pause() == 0.05


def test_chance_shortens_a_pause_by_half_at_most() -> None:
    """So that many clients do not come in step."""
    backoff = Backoff(0.05, 0.5, lambda: 0.0)
    assert [backoff.pause() for _ in range(3)] == [0.025, 0.05, 0.1]


RUN = TopologyVersion(ObjectId(), 1)


@pytest.mark.parametrize(
    ("mode", "is_faas", "topology_version", "expected"),
    [
        (ServerMonitoringMode.AUTO, False, RUN, True),
        (ServerMonitoringMode.AUTO, True, RUN, False),
        (ServerMonitoringMode.STREAM, True, RUN, True),
        (ServerMonitoringMode.POLL, False, RUN, False),
        (ServerMonitoringMode.STREAM, False, None, False),
        (ServerMonitoringMode.AUTO, False, None, False),
    ],
)
def test_streaming(
    mode: ServerMonitoringMode, is_faas: bool, topology_version: TopologyVersion | None, expected: bool
) -> None:
    """A server tells of changes itself if it can, unless the program is frozen now and then or asked not to."""
    assert streams(mode, is_faas=is_faas, topology_version=topology_version) is expected


@pytest.mark.parametrize(
    ("connect_timeout", "awaits", "expected"),
    [(20.0, False, 20.0), (20.0, True, 30.0), (None, True, None), (0, False, None)],
)
def test_time_limit_of_a_check(connect_timeout: float | None, awaits: bool, expected: float | None) -> None:
    """A reply that is kept back may take a heartbeat longer; no limit stays no limit."""
    assert check_time_limit(connect_timeout, 10.0, awaits=awaits) == expected


def test_next_check() -> None:
    """A check follows after the heartbeat, a requested one as soon as may be."""
    assert next_check(100.0, 10.0, requested=False) == 110.0
    assert next_check(100.0, 10.0, requested=True) == 100.5
    assert next_check(100.0, 0.5, requested=False) == 100.5
