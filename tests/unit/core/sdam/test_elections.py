"""Which of two primaries was elected later."""

from __future__ import annotations

import pytest
from bson import ObjectId

from aiomongo_tls.core.sdam.elections import Election, newest

OLD, NEW = ObjectId("7fffffff0000000000000001"), ObjectId("ff0000000000000000000000")
NONE = Election(None, None)


@pytest.mark.parametrize(
    ("told", "known", "expected"),
    [
        (Election(OLD, 1), NONE, Election(OLD, 1)),
        (NONE, NONE, NONE),
        (Election(NEW, 1), Election(OLD, 2), Election(NEW, 1)),
        (Election(OLD, 2), Election(NEW, 1), None),
        (Election(OLD, 1), Election(OLD, 1), Election(OLD, 1)),
        (Election(OLD, 1), Election(OLD, 2), None),
        (Election(OLD, None), Election(OLD, 1), None),
        (Election(None, 9), Election(OLD, 1), None),
        (Election(None, 2), Election(None, 1), Election(None, 2)),
    ],
)
def test_from_6_0_on(told: Election, known: Election, expected: Election | None) -> None:
    """The election counts before the version, bytewise, and what is not told is least."""
    assert newest(told, known, 17) == expected


@pytest.mark.parametrize(
    ("told", "known", "expected"),
    [
        (Election(OLD, 1), NONE, Election(OLD, 1)),
        (NONE, NONE, NONE),
        (Election(NEW, 1), Election(OLD, 2), None),
        (Election(OLD, 2), Election(NEW, 1), Election(OLD, 2)),
        (Election(OLD, 1), Election(NEW, 1), None),
        (Election(OLD, 1), Election(OLD, 1), Election(OLD, 1)),
        (Election(OLD, None), Election(NEW, 1), Election(NEW, 1)),
        (Election(None, 1), Election(NEW, 2), Election(NEW, 2)),
        (Election(None, 3), Election(NEW, 2), Election(NEW, 3)),
        (Election(OLD, 1), Election(None, 2), Election(OLD, 2)),
    ],
)
def test_before_6_0(told: Election, known: Election, expected: Election | None) -> None:
    """The version counts before the election, and an incomplete pair is compared with nothing."""
    assert newest(told, known, 16) == expected
