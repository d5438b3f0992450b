"""Deadlines are only ever tightened."""

from __future__ import annotations

from math import inf

from hypothesis import given
from hypothesis import strategies as st

from aiomongo_tls.deadline import NEVER, Deadline

seconds = st.floats(min_value=0.001, max_value=1e6)


def test_none_and_zero_mean_no_limit() -> None:
    """As MongoDB's options have it, 0 is no limit rather than no time."""
    assert Deadline.after(None, "timeoutMS", now=5.0) is NEVER
    assert Deadline.after(0, "timeoutMS=0", now=5.0) is NEVER
    assert not NEVER.is_finite
    assert NEVER.at == inf
    assert not NEVER.has_passed(1e9)


def test_it_passes_at_its_time() -> None:
    """Before its time it has not passed, from then on it has."""
    deadline = Deadline.after(2.0, "timeoutMS=2000", now=10.0)
    assert not deadline.has_passed(11.9)
    assert deadline.has_passed(12.0)
    assert deadline.has_passed(99.0)


@given(seconds, seconds)
def test_tightened_is_the_earlier(first: float, second: float) -> None:
    """The earlier of two deadlines wins and keeps the name of the option that set it."""
    one, two = Deadline.after(first, "one", now=0.0), Deadline.after(second, "two", now=0.0)
    assert one.tightened(two).at == min(first, second)
    assert one.tightened(NEVER) is one
    assert NEVER.tightened(two) is two
