"""The pools of one client."""

from __future__ import annotations

import asyncio

import pytest

from aiomongo_tls.address import ServerAddress
from aiomongo_tls.core.options.pool_options import PoolOptions
from aiomongo_tls.core.pool.key import PoolKey
from aiomongo_tls.net.connection import Connection
from aiomongo_tls.pool.pool import Pool
from aiomongo_tls.pool.registry import PoolRegistry

KEY = PoolKey(ServerAddress("db.example.net"), "fingerprint")


async def at_once(connection: Connection) -> None:
    """Open a connection that has nothing to open."""


def make(key: PoolKey) -> Pool:
    return Pool(key, PoolOptions(), at_once)


async def test_equal_keys_share_a_pool() -> None:
    """And only those: another certificate is another pool."""
    registry = PoolRegistry(make)
    pool = registry.get(KEY)
    assert registry.get(PoolKey(ServerAddress("db.example.net"), "fingerprint")) is pool
    assert registry.get(PoolKey(ServerAddress("db.example.net"), "another")) is not pool
    assert len(list(registry)) == 2


async def test_a_goodbye_that_takes_too_long_is_cut_short() -> None:
    """When the time is up what is left is aborted, and that is waited for."""
    aborted = asyncio.Event()

    class Slow(Pool):
        def abort(self) -> None:
            aborted.set()

        async def wait_closed(self) -> None:
            await aborted.wait()

    registry = PoolRegistry(lambda key: Slow(key, PoolOptions(), at_once))
    registry.get(KEY)
    registry.close()
    await registry.wait_closed(0.01)
    assert aborted.is_set()


async def test_a_cancelled_goodbye_is_finished_at_once() -> None:
    """The cancellation arrives when nothing is left, however often it is repeated."""
    aborted = asyncio.Event()
    turns_left = 5

    class Slow(Pool):
        def abort(self) -> None:
            aborted.set()

        async def wait_closed(self) -> None:
            nonlocal turns_left
            await aborted.wait()
            while turns_left:
                turns_left -= 1
                await asyncio.sleep(0)

    registry = PoolRegistry(lambda key: Slow(key, PoolOptions(), at_once))
    registry.get(KEY)
    task = asyncio.create_task(registry.wait_closed(100))
    for _ in range(3):
        await asyncio.sleep(0)
        task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert turns_left == 0
