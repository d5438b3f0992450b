"""Cancel a scenario at every step of the event loop, and ask whether everything is still in order.

A *scenario* is a fresh little world (a server, a pool, ...) with one coroutine in it, the victim. The sweep runs the
victim again and again in fresh worlds: first it is cancelled before its first step, then after one turn of the loop,
after two, ... until it is done before the cancellation would have come. Cancelled once, twice or three times in a row:
code that survives one cancellation often does not survive the second, which hits its cleanup.

After each run the world says what has to hold: slots counted right, the next caller served. The sweep itself looks for
what everybody may forget: tasks that go on, descriptors that stay open.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from contextlib import AbstractAsyncContextManager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

_MOST_STEPS = 2000


@dataclass
class World:
    """What a scenario provides.

    Args:
        victim: what is cancelled.
        check: what has to hold afterwards; is told whether the victim was cancelled before it was done.
        settled: whether what is allowed to go on after a cancellation has come to its end; then the check is made.
    """

    victim: Callable[[], Awaitable[Any]]
    check: Callable[[bool], Awaitable[None]]
    settled: Callable[[], bool] = lambda: True


Scenario = Callable[[], AbstractAsyncContextManager[World]]


def descriptors() -> set[str]:
    """The sockets that this process has open."""
    found: set[str] = set()
    for link in Path("/proc/self/fd").iterdir():
        # OSError: the descriptor with which the folder was read.
        with suppress(OSError):
            target = str(link.readlink())
            if target.startswith("socket:"):
                found.add(target)
    return found


async def turns(count: int) -> None:
    """Let the loop turn."""
    for _ in range(count):
        await asyncio.sleep(0)


async def sweep(scenario: Scenario, *, cancels: int) -> int:
    """Run a scenario with its victim cancelled at every step.

    Args:
        scenario: makes a fresh world.
        cancels: how many cancellations follow each other, one turn of the loop apart.

    Returns:
        After how many turns of the loop the victim was done: it was cancelled at each step before.
    """
    for step in range(_MOST_STEPS):
        if not await _run(scenario, step, cancels):
            return step
    raise AssertionError(f"the victim was not done after {_MOST_STEPS} turns of the loop")


async def _run(scenario: Scenario, step: int, cancels: int) -> bool:
    """One run; returns whether the victim was cancelled before it was done."""
    me = asyncio.current_task()
    sockets = descriptors()
    async with scenario() as world:
        victim = asyncio.ensure_future(world.victim())
        await turns(step)
        in_time = not victim.done()
        for _ in range(cancels):
            victim.cancel()
            await turns(1)
        await asyncio.wait([victim])
        if not victim.cancelled() and victim.exception() is not None:
            raise AssertionError(f"cancelled {cancels} times after {step} turns") from victim.exception()
        was_cancelled = victim.cancelled()
        async with asyncio.timeout(5):
            while not world.settled():  # noqa: ASYNC110 - there is no event for what goes on inside
                await asyncio.sleep(0)
        try:
            async with asyncio.timeout(5):
                await world.check(was_cancelled)
        except Exception as exc:
            raise AssertionError(f"cancelled {cancels} times after {step} turns: {exc!r}") from exc
    await turns(5)
    left = [task.get_name() for task in asyncio.all_tasks() if task is not me]
    assert not left, f"cancelled {cancels} times after {step} turns: tasks left: {left}"
    open_still = descriptors() - sockets
    assert not open_still, f"cancelled {cancels} times after {step} turns: sockets left: {open_still}"
    return in_time
