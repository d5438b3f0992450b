"""A guard: the hot path does not grow unnoticed.

Bytecode instructions and calls for each operation, everything in the client's thread counted, asyncio too: the same on
every machine and however busy it is. What they are worth in time is measured by `nox -s bench`.

The bounds are in `hot_path.json`; `python tests/support/hot_path.py --renew`, with each Python, writes them anew, and
with `--layers` it prints where they come from.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path

import pytest
from effort import effort
from hot_path import efforts

MARGIN = 1.15
"""How much more passes: another patch release of Python, but not a fifth."""

HERE = f"{sys.version_info[0]}.{sys.version_info[1]}"
MEASURED = json.loads(Path(__file__).with_name("hot_path.json").read_text(encoding="utf-8"))


@pytest.mark.skipif(sys.implementation.name != "cpython", reason="instructions are CPython's")
@pytest.mark.skipif(HERE not in MEASURED, reason=f"no numbers for Python {HERE} (tests/support/hot_path.py --renew)")
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
                grown.append(f"{name}: only {found} {what} where there were {measured}: renew the bounds")
    assert not grown, "\n".join(grown)


async def test_each_instruction_and_each_call_is_counted() -> None:
    """What does a fifth more counts for a fifth more, whoever does it."""

    def calls(count: int) -> None:
        for _ in range(count):
            len("")

    async def operation(count: int) -> None:
        calls(count)

    few, more = [await effort(lambda count=count: operation(count)) for count in (1000, 1200)]
    assert more.calls.total() - few.calls.total() == 200
    assert 1.19 < more.instructions.total() / few.instructions.total() < 1.21
