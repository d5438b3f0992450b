"""A guard: the hot path does not grow unnoticed.

Bytecode instructions and calls for each operation, everything in the client's thread counted, asyncio too: the same on
every machine and however busy it is. What they are worth in time is measured by `nox -s bench`.

`python tests/support/hot_path.py`, with each Python, prints this table anew; with `--layers` also where they come from.
"""

from __future__ import annotations

import sys

import pytest
from hot_path import efforts

MARGIN = 1.15
"""How much more passes: another patch release of Python, but not a fifth."""

# Instructions and calls.
MEASURED = {
    (3, 11): {
        "find_one": (2616, 212),
        "find_one, timeoutMS": (2712, 223),
        "insert_one": (3047, 259),
        "update_one": (3141, 264),
        "find, 100": (4793, 457),
        "insert_many, 100": (31521, 3856),
    },
    (3, 12): {
        "find_one": (2430, 212),
        "find_one, timeoutMS": (2510, 223),
        "insert_one": (2813, 259),
        "update_one": (2906, 264),
        "find, 100": (4567, 457),
        "insert_many, 100": (27683, 3853),
    },
    (3, 13): {
        "find_one": (2456, 208),
        "find_one, timeoutMS": (2540, 219),
        "insert_one": (2827, 255),
        "update_one": (2922, 260),
        "find, 100": (4693, 453),
        "insert_many, 100": (27406, 3849),
    },
}
HERE = sys.version_info[:2]


@pytest.mark.skipif(sys.implementation.name != "cpython", reason="instructions are CPython's")
@pytest.mark.skipif(HERE not in MEASURED, reason=f"no numbers for Python {HERE} (python tests/support/hot_path.py)")
async def test_the_hot_path_does_not_grow() -> None:
    """An operation takes no more instructions and calls than it did, and a sixth."""
    grown = []
    for name, its in (await efforts()).items():
        for what, found, measured in zip(
            ("instructions", "calls"),
            (its.instructions.total(), its.calls.total()),
            MEASURED[HERE][name],
            strict=True,
        ):
            if found > measured * MARGIN:
                grown.append(f"{name}: {found} {what} where there were {measured}")
            if found * 1.1 < measured:
                # Then a regression of a fifth would go unnoticed.
                grown.append(f"{name}: only {found} {what} where there were {measured}; renew the table")
    assert not grown, "\n".join(grown)
