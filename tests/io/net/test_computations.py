"""Slow work on threads: each once, whoever waits, whoever gives up."""

from __future__ import annotations

import asyncio
import threading
from typing import Any

import pytest

from aiomongo_tls.core.auth.conversation import Computation
from aiomongo_tls.net.computations import Computations


class Work:
    """Counts its runs, and holds each until it is let go."""

    def __init__(self) -> None:
        self.runs: list[threading.Thread] = []
        self.go = threading.Event()
        self.error: Exception | None = None

    def run(self) -> Any:
        self.runs.append(threading.current_thread())
        assert self.go.wait(5)
        if self.error is not None:
            raise self.error
        return len(self.runs)

    def of(self, key: object) -> Computation:
        return Computation(key=key, run=self.run)


async def test_callers_share_one_run() -> None:
    """All of a storm wait for the first, on another thread; later ones have the result at once."""
    work, computations = Work(), Computations()
    storm = [asyncio.create_task(computations.result(work.of("k"))) for _ in range(100)]
    await asyncio.sleep(0)
    assert not computations.is_idle
    work.go.set()
    assert await asyncio.gather(*storm) == [1] * 100
    assert await computations.result(work.of("k")) == 1
    (thread,) = work.runs
    assert thread is not threading.current_thread()
    assert computations.is_idle


async def test_other_keys_are_other_work() -> None:
    """The twin."""
    work, computations = Work(), Computations()
    work.go.set()
    assert [await computations.result(work.of(key)) for key in "ab"] == [1, 2]


async def test_one_who_gives_up_does_not_take_it_from_the_others() -> None:
    """Not even the one who began it; if all give up the result is kept nevertheless."""
    work, computations = Work(), Computations()
    first, second = (asyncio.create_task(computations.result(work.of("k"))) for _ in range(2))
    await asyncio.sleep(0)
    first.cancel()
    with pytest.raises(asyncio.CancelledError):
        await first
    work.go.set()
    assert await second == 1


async def test_a_failure_is_not_kept() -> None:
    """Everybody who waits is told; the next one tries again."""
    work, computations = Work(), Computations()
    work.error = MemoryError("x")
    work.go.set()
    for error in await asyncio.gather(*(computations.result(work.of("k")) for _ in range(3)), return_exceptions=True):
        assert isinstance(error, MemoryError)
    work.error = None
    assert await computations.result(work.of("k")) == 2


async def test_a_failure_that_nobody_waits_for() -> None:
    """Is dropped without a complaint of asyncio's."""
    work, computations = Work(), Computations()
    work.error = MemoryError("x")
    task = asyncio.create_task(computations.result(work.of("k")))
    await asyncio.sleep(0)
    task.cancel()
    work.go.set()
    async with asyncio.timeout(5):
        while not computations.is_idle:  # noqa: ASYNC110
            await asyncio.sleep(0)


async def test_what_was_not_asked_for_the_longest_goes() -> None:
    """So that it stays bounded."""
    work, computations = Work(), Computations(limit=2)
    work.go.set()
    assert [await computations.result(work.of(key)) for key in "abacab"] == [1, 2, 1, 3, 1, 4]
    assert repr(computations) == "<Computations kept=2 running=0>"


def test_no_secret_in_a_repr() -> None:
    """A key holds a password."""
    assert "hunter2" not in repr(Work().of(("hunter2",)))
