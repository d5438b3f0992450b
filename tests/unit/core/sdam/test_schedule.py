"""Pauses between attempts."""

from __future__ import annotations

from aiomongo_tls.core.sdam.schedule import Backoff


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
