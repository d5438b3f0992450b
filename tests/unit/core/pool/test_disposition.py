"""What becomes of a connection that is given back."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import pytest

from aiomongo_tls.core.events.pool_events import ConnectionClosedReason
from aiomongo_tls.core.pool.disposition import Disposition, closing_reason, disposition


@dataclass
class Given:
    """The facts about a connection."""

    is_usable: bool = True
    is_dirty: bool = False
    can_drain: bool = False
    on_late_reply: object | None = None


CLEAN = Given()
LATE = Given(is_dirty=True, can_drain=True, on_late_reply=print)
NOBODY_KNOWS = Given(is_dirty=True, can_drain=True)
HALF_SENT = Given(is_dirty=True, on_late_reply=print)
LOST = Given(is_usable=False)


@pytest.mark.parametrize(
    ("connection", "pool", "expected"),
    [
        (CLEAN, {}, Disposition.KEEP),
        (CLEAN, {"is_closed": True}, Disposition.CLOSE),
        (CLEAN, {"is_stale": True}, Disposition.CLOSE),
        (CLEAN, {"may_park": False}, Disposition.KEEP),
        (LATE, {}, Disposition.PARK),
        (LATE, {"is_closed": True}, Disposition.CLOSE),
        (LATE, {"is_stale": True}, Disposition.CLOSE),
        (LATE, {"may_park": False}, Disposition.CLOSE),
        (NOBODY_KNOWS, {}, Disposition.CLOSE),
        (HALF_SENT, {}, Disposition.CLOSE),
        (LOST, {}, Disposition.CLOSE),
    ],
)
def test_what_becomes_of_it(connection: Given, pool: dict[str, Any], expected: Disposition) -> None:
    """A clean one is kept, one with a late reply is parked, and everything else is closed."""
    facts = {"is_closed": False, "is_stale": False, "may_park": True} | pool
    assert disposition(connection, **facts) is expected


@pytest.mark.parametrize(
    ("connection", "is_closed", "is_stale", "expected"),
    [
        (LATE, False, False, ConnectionClosedReason.ERROR),
        (CLEAN, False, True, ConnectionClosedReason.STALE),
        (LOST, False, True, ConnectionClosedReason.ERROR),
        (LOST, True, True, ConnectionClosedReason.POOL_CLOSED),
    ],
)
def test_the_reason_that_says_most(
    connection: Given, is_closed: bool, is_stale: bool, expected: ConnectionClosedReason
) -> None:
    """The end of the pool before the error, the error before the age."""
    assert closing_reason(connection, is_closed=is_closed, is_stale=is_stale) is expected
