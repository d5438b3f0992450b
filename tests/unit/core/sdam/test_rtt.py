"""Round trip times of one server."""

from __future__ import annotations

import pytest

from aiomongo_tls.core.sdam.rtt import RoundTripTimes


def test_average() -> None:
    """The first time is the average; later ones count a fifth."""
    times = RoundTripTimes()
    assert times.average is None
    times.add(1.0)
    assert times.average == 1.0
    times.add(2.0)
    assert times.average == pytest.approx(1.2)


def test_minimum() -> None:
    """The shortest of the last ten, and 0 until there are two."""
    times = RoundTripTimes()
    assert times.minimum == 0.0
    times.add(1.0)
    assert times.minimum == 0.0
    times.add(2.0)
    assert times.minimum == 1.0
    for _ in range(9):
        times.add(3.0)
    assert times.minimum == 2.0


def test_reset() -> None:
    """A server that was lost is measured anew."""
    times = RoundTripTimes()
    times.add(1.0)
    times.add(1.0)
    times.reset()
    assert (times.average, times.minimum) == (None, 0.0)
    times.add(5.0)
    assert times.average == 5.0
