"""What `connect()` returns."""

from __future__ import annotations

import asyncio
import gc
import inspect
from collections.abc import Coroutine

import pytest

from aiomongo_tls.client.connecting import Connecting


class Thing:
    """Something that is opened and closed."""

    def __init__(self) -> None:
        self.closed = 0

    async def close(self) -> None:
        self.closed += 1


async def opened(thing: Thing) -> Thing:
    await asyncio.sleep(0)
    return thing


def connecting(thing: Thing) -> Connecting[Thing]:
    return Connecting(opened(thing), "Thing.connect")


async def test_awaiting_it_gives_the_object_open() -> None:
    """The caller closes it."""
    thing = Thing()
    assert await connecting(thing) is thing
    assert not thing.closed


async def test_a_block_closes_the_object_once() -> None:
    """Also when the block fails."""
    thing = Thing()
    async with connecting(thing) as inside:
        assert inside is thing
        assert not thing.closed
    assert thing.closed == 1
    with pytest.raises(KeyError):
        async with connecting(thing):
            raise KeyError
    assert thing.closed == 2


async def test_tasks_take_it_for_a_coroutine() -> None:
    """`create_task`, a TaskGroup, `wait_for`, `gather`."""
    thing = Thing()
    assert isinstance(connecting := Connecting(opened(thing), "x"), Coroutine)
    assert inspect.isawaitable(connecting)
    assert await asyncio.create_task(connecting) is thing
    assert await asyncio.wait_for(Connecting(opened(thing), "x"), 5) is thing
    async with asyncio.TaskGroup() as group:
        task = group.create_task(Connecting(opened(thing), "x"))
    assert task.result() is thing


def test_run_takes_it_for_a_coroutine() -> None:
    """`asyncio.run(AsyncClient.connect(uri))`."""
    thing = Thing()
    assert asyncio.run(connecting(thing)) is thing


async def test_cancelling_the_task_reaches_the_opening() -> None:
    """`throw` goes through."""
    seen: list[BaseException] = []

    async def slow() -> Thing:
        try:
            await asyncio.Event().wait()
        except BaseException as exc:
            seen.append(exc)
            raise
        raise AssertionError

    task = asyncio.create_task(Connecting(slow(), "x"))
    await asyncio.sleep(0)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert [type(error) for error in seen] == [asyncio.CancelledError]


def test_a_forgotten_await_warns_by_its_name() -> None:
    """As for any coroutine."""

    def forget() -> None:
        connecting(Thing())
        gc.collect()

    with pytest.warns(RuntimeWarning, match="'Thing.connect' was never awaited"):
        forget()


def test_it_can_be_dropped_on_purpose() -> None:
    """`close()` is a coroutine's, and no warning follows."""
    connecting(Thing()).close()
    gc.collect()


async def test_an_opening_that_fails_closes_nothing() -> None:
    """There is nothing to close; the opening cleans up after itself."""

    async def fails() -> Thing:
        raise KeyError

    with pytest.raises(KeyError):
        async with Connecting(fails(), "x"):
            raise AssertionError
