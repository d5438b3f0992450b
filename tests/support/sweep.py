"""Cancel a scenario at every step of the event loop, and ask whether everything is still in order.

A *scenario* is a fresh little world (a server, a pool, ...) with one coroutine in it, the victim. The sweep runs the
victim again and again in fresh worlds: first it is cancelled before its first step, then after one turn of the loop,
after two, ... until it is done before the cancellation would have come. Cancelled once, twice or three times in a row:
code that survives one cancellation often does not survive the second, which hits its cleanup. Or cancelled by a scope
of anyio, which cancels again on every turn of the loop until the victim has left it, however long its cleanup takes.

After each run the world says what has to hold: slots counted right, the next caller served. The sweep itself looks for
what everybody may forget: tasks that go on, descriptors that stay open, a cancellation that is swallowed.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from contextlib import AbstractAsyncContextManager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import anyio
import pytest

_MOST_STEPS = 2000

Cancels = int | Literal["scope"]
"""How often the victim is cancelled, one turn of the loop apart; or by a scope of anyio's: on every turn."""

in_every_way = pytest.mark.parametrize("cancels", [1, 2, 3, "scope"])


@dataclass
class World:
    """What a scenario provides.

    Args:
        victim: what is cancelled.
        check: what has to hold afterwards; is told whether the victim was cancelled before it was done.
        at_once: what has to hold in the very moment in which the victim is done.
        settled: whether what is allowed to go on after a cancellation has come to its end; then the check is made.
    """

    victim: Callable[[], Awaitable[Any]]
    check: Callable[[bool], Awaitable[None]]
    settled: Callable[[], bool] = lambda: True
    at_once: Callable[[], None] = lambda: None


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


async def sweep(scenario: Scenario, *, cancels: Cancels) -> int:
    """Run a scenario with its victim cancelled at every step.

    Args:
        scenario: makes a fresh world.
        cancels: how the victim is cancelled.

    Returns:
        After how many turns of the loop the victim was done: it was cancelled at each step before.
    """
    for step in range(_MOST_STEPS):
        if not await _run(scenario, step, cancels):
            return step
    raise AssertionError(f"the victim was not done after {_MOST_STEPS} turns of the loop")


async def _run(scenario: Scenario, step: int, cancels: Cancels) -> bool:
    """One run; returns whether the victim was cancelled before it was done."""
    # A scenario may stand beside a client that outlives it.
    tasks, sockets = asyncio.all_tasks(), descriptors()
    how = f"cancelled {cancels} times after {step} turns" if cancels != "scope" else f"in a scope, after {step} turns"
    async with scenario() as world:
        victim = _Victim(world.victim, cancels)
        await turns(step)
        in_time = not victim.task.done()
        await victim.cancel()
        await asyncio.wait([victim.task])
        if not victim.task.cancelled() and victim.task.exception() is not None:
            raise AssertionError(how) from victim.task.exception()
        was_cancelled = victim.was_cancelled
        # A scope does not cancel what has its result already.
        assert was_cancelled or not in_time or cancels == "scope", f"{how}: the cancellation was swallowed"
        world.at_once()
        async with asyncio.timeout(5):
            while not world.settled():  # noqa: ASYNC110 - there is no event for what goes on inside
                await asyncio.sleep(0)
        try:
            async with asyncio.timeout(5):
                await world.check(was_cancelled)
        except Exception as exc:
            raise AssertionError(f"{how}: {exc!r}") from exc
    await turns(5)
    left = [task.get_name() for task in asyncio.all_tasks() - tasks]
    assert not left, f"{how}: tasks left: {left}"
    open_still = descriptors() - sockets
    assert not open_still, f"{how}: sockets left: {open_still}"
    return in_time


class _Victim:
    """The task that is cancelled."""

    def __init__(self, what: Callable[[], Awaitable[Any]], cancels: Cancels) -> None:
        self._what = what
        self._cancels = cancels
        self._scope = anyio.CancelScope()
        self.task = asyncio.ensure_future(what() if cancels != "scope" else self._in_scope())

    @property
    def was_cancelled(self) -> bool:
        return self._scope.cancelled_caught or self.task.cancelled()

    async def _in_scope(self) -> None:
        with self._scope:
            await self._what()

    async def cancel(self) -> None:
        if self._cancels == "scope":
            # Entered already or not yet: cancelled before it is entered, it acts at the first `await` in it.
            self._scope.cancel()
            return
        for _ in range(self._cancels):
            self.task.cancel()
            await turns(1)
