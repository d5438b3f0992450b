"""The timer that looks after a pool."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from contextvars import Context, ContextVar
from dataclasses import dataclass, field
from typing import Any

from aiomongo_tls.pool.keeper import LATE, MOST, PUT_OFF, Keeper


@dataclass
class Timer:
    """One scheduled call. It does not tell for when, as uvloop's does not if that time has come."""

    at: float
    call: Callable[[], None]
    is_cancelled: bool = False

    def cancel(self) -> None:
        self.is_cancelled = True


@dataclass
class Clock:
    """A clock that the test winds."""

    now: float = 0.0
    timers: list[Timer] = field(default_factory=list)

    def call_at(self, at: float, call: Callable[[], None], *, context: Context) -> Any:
        self.timers.append(Timer(at, call))
        return self.timers[-1]

    @property
    def due(self) -> list[float]:
        return [timer.at for timer in self.timers if not timer.is_cancelled]

    def fire(self, late: float = 0.0) -> None:
        (timer,) = [timer for timer in self.timers if not timer.is_cancelled]
        timer.is_cancelled = True
        self.now = max(self.now, timer.at) + late
        timer.call()


def keeper_of(clock: Clock, looks: list[float]) -> Keeper:
    return Keeper(lambda: looks.append(clock.now), call_at=clock.call_at, now=lambda: clock.now)


def test_the_earliest_look_counts() -> None:
    """One timer stands at most; an earlier wish moves it, a later one does not."""
    clock, looks = Clock(), list[float]()
    keeper = keeper_of(clock, looks)
    keeper.look_at(None)
    assert clock.due == []
    keeper.look_at(10)
    keeper.look_at(20)
    assert clock.due == [10]
    keeper.look_at(5)
    assert clock.due == [5]
    clock.fire()
    assert looks == [5]
    assert clock.due == []


def test_a_busy_loop_is_given_time() -> None:
    """What fires late is put off, because what came meanwhile has not been read; but not for ever."""
    clock, looks = Clock(), list[float]()
    keeper = keeper_of(clock, looks)
    keeper.look_at(10)
    clock.fire(late=0.3)
    assert (looks, clock.due) == ([], [10.3 + PUT_OFF])
    clock.fire(late=LATE / 2)
    assert len(looks) == 1
    keeper.look_at(20)
    for _ in range(MOST):
        clock.fire(late=1)
        assert len(looks) == 1
    clock.fire(late=1)
    assert len(looks) == 2
    # Something that was due before anybody asked for it is not late.
    keeper.look_at(1)
    clock.fire()
    assert len(looks) == 3


async def test_a_look_is_nobodys_business() -> None:
    """The timer does not keep the context of the operation that set it, and does not look in it."""
    whose = ContextVar("whose", default="nobody's")
    loop = asyncio.get_running_loop()
    looked = loop.create_future()
    keeper = Keeper(lambda: looked.set_result(whose.get()), call_at=loop.call_at, now=loop.time)
    whose.set("a request's")
    keeper.look_at(loop.time())
    assert await looked == "nobody's"


def test_a_stopped_keeper_looks_no_more() -> None:
    """Nor does it take new wishes."""
    clock, looks = Clock(), list[float]()
    keeper = keeper_of(clock, looks)
    keeper.look_at(10)
    keeper.stop()
    keeper.look_at(20)
    assert clock.due == []
