"""What becomes of a connection that is given back."""

from __future__ import annotations

from dataclasses import dataclass

import pytest

from aiomongo_tls.core.pool.disposition import Disposition, disposition


@dataclass
class Given:
    """The facts about a connection."""

    is_usable: bool
    is_dirty: bool


@pytest.mark.parametrize(
    ("usable", "dirty", "closed", "expected"),
    [
        (True, False, False, Disposition.KEEP),
        (True, False, True, Disposition.CLOSE),
        (True, True, False, Disposition.ABORT),
        (True, True, True, Disposition.ABORT),
        (False, False, False, Disposition.ABORT),
        (False, True, True, Disposition.ABORT),
    ],
)
def test_only_a_clean_connection_is_kept(usable: bool, dirty: bool, closed: bool, expected: Disposition) -> None:
    """A reply that is still to come, a lost connection or a closed pool each end it."""
    assert disposition(Given(usable, dirty), pool_is_closed=closed) is expected
