"""The deadline of a block."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from aiomongo_tls.client.timeout import block_deadline, timeout
from aiomongo_tls.deadline import NEVER


def seconds_left() -> float:
    deadline = block_deadline()
    assert deadline is not None
    return deadline.at - asyncio.get_running_loop().time()


async def test_a_block_has_a_deadline_and_its_surroundings_have_none() -> None:
    """It says where it comes from."""
    assert block_deadline() is None
    with timeout(60):
        assert 59 < seconds_left() <= 60
        deadline = block_deadline()
        assert deadline is not None
        assert deadline.option == "timeout(60)"
    assert block_deadline() is None


async def test_an_inner_block_can_only_shorten_it() -> None:
    """And the outer one holds again afterwards."""
    with timeout(60):
        with timeout(600):
            assert seconds_left() <= 60
        with timeout(5):
            assert seconds_left() <= 5
        assert seconds_left() > 50


@pytest.mark.parametrize("nothing", [None, 0, 0.0])
async def test_none_lifts_the_client_s_limit_but_not_a_block_s(nothing: float | None) -> None:
    """Within `timeout(None)`, `timeoutMS` does not count; an outer block does."""
    with timeout(nothing):
        assert block_deadline() is NEVER
    with timeout(60), timeout(nothing):
        assert seconds_left() <= 60


async def test_tasks_inherit_the_block_they_are_made_in() -> None:
    """A context variable: siblings outside do not see it."""

    async def has_deadline() -> bool:
        return block_deadline() is not None

    outside = asyncio.create_task(has_deadline())
    with timeout(60):
        inside = asyncio.create_task(has_deadline())
    assert await inside
    assert not await outside


async def test_it_ends_with_an_exception_too() -> None:
    """A failing block leaves nothing behind."""
    with pytest.raises(KeyError), timeout(60):
        raise KeyError
    assert block_deadline() is None


@pytest.mark.parametrize(("wrong", "error"), [(-1, ValueError), ("3", TypeError), (True, TypeError)])
def test_wrong_values_are_refused_by_the_call(wrong: Any, error: type[Exception]) -> None:
    """Before the block, even without a loop."""
    with pytest.raises(error, match="timeout"):
        timeout(wrong)
