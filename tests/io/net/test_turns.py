"""Handshake steps share the loop."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

import pytest

from aiomongo_tls.net.turns import HandshakeTurns, turns_of


class Loop:
    """Turns when the test says so; steps take the time that the test says."""

    def __init__(self) -> None:
        self.now = 0.0
        self.soon: list[Callable[[], None]] = []
        self.done: list[str] = []

    def turn(self) -> None:
        soon, self.soon = self.soon, []
        for call in soon:
            call()

    def step(self, name: str, seconds: float) -> Callable[[], None]:
        def run() -> None:
            self.now += seconds
            self.done.append(name)

        return run


def turns(loop: Loop) -> HandshakeTurns:
    return HandshakeTurns(lambda call: loop.soon.append(call), budget=3.0, clock=lambda: loop.now)


def test_steps_run_at_once_while_the_budget_lasts() -> None:
    """The one that exceeds it is finished; those after it wait for the next turns, in their order."""
    loop = Loop()
    line = turns(loop)
    assert line.run(loop.step("a", 2))
    assert line.run(loop.step("b", 2))
    assert not line.run(loop.step("c", 2))
    assert not line.run(loop.step("d", 2))
    assert not line.run(loop.step("e", 2))
    assert loop.done == ["a", "b"]
    loop.turn()
    assert loop.done == ["a", "b", "c", "d"]
    loop.turn()
    assert loop.done == ["a", "b", "c", "d", "e"]


def test_each_turn_has_a_budget_of_its_own() -> None:
    """After a turn the next step runs at once again, and an idle line schedules nothing."""
    loop = Loop()
    line = turns(loop)
    assert line.run(loop.step("a", 5))
    loop.turn()
    assert line.run(loop.step("b", 1))
    loop.turn()
    assert loop.soon == []


def test_nobody_overtakes_the_line() -> None:
    """A new step waits behind those in line although the turn has time left."""
    loop = Loop()
    line = turns(loop)
    line.run(loop.step("a", 5))
    line.run(lambda: line.run(loop.step("late", 0)) and None)
    line.run(loop.step("b", 1))
    loop.turn()
    assert loop.done == ["a", "b", "late"]


def test_a_step_that_raises_does_not_stop_the_line() -> None:
    """The others run in the next turn."""

    def fail() -> None:
        raise ValueError

    loop = Loop()
    line = turns(loop)
    line.run(loop.step("a", 5))
    line.run(fail)
    line.run(loop.step("b", 1))
    with pytest.raises(ValueError):
        loop.turn()
    loop.turn()
    assert loop.done == ["a", "b"]


async def test_who_waits_for_a_step_gets_what_it_returns() -> None:
    """At once, or when its turn has come; what it raises, too."""
    loop = Loop()
    line = turns(loop)
    assert await line.take(lambda: 5) == 5
    line.run(loop.step("a", 5))
    waiting = asyncio.create_task(line.take(lambda: 6))
    failing = asyncio.create_task(line.take(lambda: int("six")))
    await asyncio.sleep(0)
    assert not waiting.done()
    loop.turn()
    assert await waiting == 6
    with pytest.raises(ValueError, match="six"):
        await failing


async def test_a_step_that_nobody_waits_for_any_more_is_left_out() -> None:
    """Its place in the line costs the others nothing."""
    loop = Loop()
    line = turns(loop)
    line.run(loop.step("a", 5))
    waiting = asyncio.create_task(line.take(loop.step("b", 5)))
    await asyncio.sleep(0)
    waiting.cancel()
    with pytest.raises(asyncio.CancelledError):
        await waiting
    assert not line.run(loop.step("c", 1))
    loop.turn()
    assert loop.done == ["a", "c"]


async def test_a_loop_has_one_line() -> None:
    """All its connections share it."""
    loop = asyncio.get_running_loop()
    assert turns_of(loop) is turns_of(loop)
    ran: list[bool] = []
    assert turns_of(loop).run(lambda: ran.append(True))
    assert ran
