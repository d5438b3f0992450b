"""Waiting that survives cancellation."""

from __future__ import annotations

import asyncio

import pytest

from aiomongo_tls.client.ending import outlast


async def test_it_waits_however_often_it_is_cancelled() -> None:
    """And the CancelledError comes afterwards."""
    go, done = asyncio.Event(), False

    async def work() -> None:
        nonlocal done
        await go.wait()
        done = True

    task = asyncio.create_task(work())
    waiter = asyncio.create_task(outlast(task))
    for _ in range(3):
        await asyncio.sleep(0)
        waiter.cancel()
    await asyncio.sleep(0)
    assert not waiter.done()
    go.set()
    with pytest.raises(asyncio.CancelledError):
        await waiter
    assert done


async def test_without_cancellation_the_task_s_error_is_raised() -> None:
    """Nothing is hidden."""

    async def fail() -> None:
        raise KeyError("x")

    with pytest.raises(KeyError):
        await outlast(asyncio.create_task(fail()))


async def test_a_cancelled_caller_hides_the_task_s_error_without_a_complaint() -> None:
    """The error counts as retrieved: no "exception was never retrieved" at the end."""
    go = asyncio.Event()

    async def fail() -> None:
        await go.wait()
        raise KeyError("x")

    task = asyncio.create_task(fail())
    waiter = asyncio.create_task(outlast(task))
    await asyncio.sleep(0)
    waiter.cancel()
    await asyncio.sleep(0)
    go.set()
    with pytest.raises(asyncio.CancelledError):
        await waiter
    assert not task._log_traceback
