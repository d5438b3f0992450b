"""Both event loops, certificates for the peers of this folder, and pools that end with the test."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Mapping
from typing import Any

import pytest
import uvloop
from openers import Opener
from peers import Contexts

from aiomongo_tls.address import ServerAddress
from aiomongo_tls.core.options.pool_options import PoolOptions
from aiomongo_tls.core.pool.key import PoolKey
from aiomongo_tls.core.sdam.schedule import Backoff
from aiomongo_tls.pool.pool import Pool


def pytest_asyncio_loop_factories(config: object, item: object) -> Mapping[str, Callable[[], Any]]:
    """Every test of this folder runs on asyncio's loop and on uvloop's."""
    return {"asyncio": asyncio.new_event_loop, "uvloop": uvloop.new_event_loop}


@pytest.fixture(scope="session")
def contexts() -> Contexts:
    return Contexts()


@pytest.fixture
def opener() -> Opener:
    return Opener()


@pytest.fixture
async def pools(opener: Opener) -> AsyncIterator[Callable[..., Pool]]:
    """Make a pool of `db.example.net` that is ready, unless told otherwise, and ends with the test."""
    made: list[Pool] = []

    def make(
        *, ready: bool = True, publisher: Any = None, on_fault: Any = None, load_balanced: bool = False, **options: Any
    ) -> Pool:
        pool = Pool(
            PoolKey(ServerAddress("db.example.net")),
            PoolOptions(**options),
            opener.establish,
            publisher=publisher,
            on_fault=on_fault,
            load_balanced=load_balanced,
            backoff=Backoff(0.001, 0.001, lambda: 1.0),
        )
        made.append(pool)
        if ready:
            pool.ready()
        return pool

    yield make
    for pool in made:
        pool.abort()
        await pool.wait_closed()
