"""One piece of work for all who wait, until nobody does."""

from __future__ import annotations

import asyncio
from contextvars import ContextVar

import pytest

from aiomongo_tls.errors import ConfigurationError
from aiomongo_tls.net.shared_task import SharedTask


async def turns(count: int = 3) -> None:
    for _ in range(count):
        await asyncio.sleep(0)


class Work:
    """Work that ends when it is told to, and tells how it ended."""

    def __init__(self, *, cleanup: bool = False) -> None:
        self.release = asyncio.Event()
        self.cleanup = asyncio.Event()
        self.end = ""
        if not cleanup:
            self.cleanup.set()

    async def __call__(self) -> int:
        try:
            await self.release.wait()
        except asyncio.CancelledError:
            self.end = "cancelled"
            await self.cleanup.wait()
            self.end = "cleaned up"
            raise
        self.end = "done"
        return 5


async def test_all_get_the_result_of_one() -> None:
    """Also those who come late."""
    work = Work()
    shared = SharedTask(work(), name="work")
    waiters = [asyncio.create_task(shared.result()) for _ in range(3)]
    await turns()
    assert shared.is_open
    work.release.set()
    assert await asyncio.gather(*waiters) == [5, 5, 5]
    assert not shared.is_open
    assert await shared.result() == 5


async def test_one_that_gives_up_leaves_the_others_alone() -> None:
    """Only the last one ends the work."""
    work = Work()
    shared = SharedTask(work(), name="work")
    first, second = (asyncio.create_task(shared.result()) for _ in range(2))
    await turns()
    first.cancel()
    await turns()
    assert first.cancelled()
    assert work.end == ""
    second.cancel()
    await asyncio.wait([second])
    assert second.cancelled()
    assert work.end == "cleaned up"
    assert not shared.is_open


async def test_the_last_one_waits_for_the_cleanup() -> None:
    """When its cancellation comes out nothing is left; a second one does not wait, but the work still ends."""
    for impatient in (False, True):
        work = Work(cleanup=True)
        shared = SharedTask(work(), name="work")
        waiter = asyncio.create_task(shared.result())
        await turns()
        waiter.cancel()
        await turns()
        assert work.end == "cancelled"
        assert not waiter.done()
        assert not shared.is_open
        if impatient:
            waiter.cancel()
            await asyncio.wait([waiter])
            assert work.end == "cancelled"
        work.cleanup.set()
        await asyncio.wait([waiter])
        await turns()
        assert waiter.cancelled()
        assert work.end == "cleaned up"


async def test_each_waiter_gets_an_error_of_its_own() -> None:
    """Equal, with the same cause, and another object."""

    async def work() -> None:
        raise ConfigurationError("broken") from KeyError("x")

    shared = SharedTask(work(), name="work")
    errors = await asyncio.gather(shared.result(), shared.result(), return_exceptions=True)
    assert [str(error) for error in errors] == ["broken", "broken"]
    assert errors[0] is not errors[1]
    assert all(isinstance(error, ConfigurationError) and isinstance(error.__cause__, KeyError) for error in errors)


async def test_an_error_that_nobody_waits_for_is_not_reported_at_exit() -> None:
    """It was nobody's; asyncio would log it."""

    async def work() -> None:
        raise ConfigurationError("broken")

    shared = SharedTask(work(), name="work")
    await shared.ended()
    reports: list[object] = []
    asyncio.get_running_loop().set_exception_handler(lambda _, context: reports.append(context))
    del shared
    await turns()
    assert reports == []


async def test_no_caller_s_context_gets_in() -> None:
    """A caller's time limit is its own."""
    variable: ContextVar[str] = ContextVar("variable", default="nobody's")
    variable.set("the caller's")

    async def work() -> str:
        return variable.get()

    assert await SharedTask(work(), name="work").result() == "nobody's"


async def test_the_name_is_the_task_s() -> None:
    """For whoever looks at what is going on."""

    async def work() -> str:
        task = asyncio.current_task()
        assert task is not None
        return task.get_name()

    assert await SharedTask(work(), name="aiomongo_tls work").result() == "aiomongo_tls work"


async def test_an_exception_that_is_not_ours_passes() -> None:
    """As it is."""

    async def work() -> None:
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        await SharedTask(work(), name="work").result()
