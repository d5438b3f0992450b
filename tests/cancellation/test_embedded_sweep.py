"""One client of the embedded server, over TLS, cancelled at every step: it goes on working on the same connections.

The server has a thread of its own, so that the turns that an operation takes vary: each is swept several times.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Any

import pytest
from sweep import Cancels, World, in_every_way, sweep

from aiomongo_tls import AsyncClient, InsertOne, UpdateOne
from aiomongo_tls.core.pool.status import PoolStatus
from aiomongo_tls.testing import MongoTestServer

Client = AsyncClient[dict[str, Any]]
CONNECTIONS = 2
SWEEPS = 5


class Bench:
    """A client with all its connections open, and what its server has seen of it."""

    def __init__(self, server: MongoTestServer, client: Client) -> None:
        self.server = server
        self.client = client
        self.users = client["app"]["users"]

    @property
    def pool(self) -> PoolStatus:
        return self.client.pool_status()[self.server.address]

    @property
    def is_at_rest(self) -> bool:
        """Whether nothing is under way: no late reply, no killCursors, no attempt."""
        pool = self.pool
        return not pool.parked and not pool.opening and self.client._executor._reaper.is_idle

    def accepted(self) -> set[int]:
        """The connections that were ever opened for operations."""
        commands = self.server.commands
        return {command.connection_id for command in commands if "speculativeAuthenticate" in command.document}

    def sessions(self) -> set[bytes]:
        """The sessions that the server has ever heard of."""
        return {bytes(lsid["id"]) for command in self.server.commands if (lsid := command.document.get("lsid"))}

    def open_cursors(self) -> int:
        """How many cursors the server holds."""
        return len(self.server._backend._state.cursors)

    async def until(self, condition: Callable[[], object]) -> None:
        """Wait for something that is told to nobody."""
        async with asyncio.timeout(5):
            while not condition():  # noqa: ASYNC110
                await asyncio.sleep(0)

    async def check(self, was_cancelled: bool) -> None:
        """Nothing is in use, nobody waits, and the next operation is served."""
        pool = self.pool
        assert (pool.idle, pool.in_use, pool.waiting) == (CONNECTIONS, 0, 0)
        assert await self.users.find_one({"_id": 1}) is not None
        await self.until(lambda: self.is_at_rest)

    async def swept(self, victim: Callable[[], Awaitable[Any]], cancels: Cancels) -> None:
        """Sweep an operation of several commands."""

        @asynccontextmanager
        async def scenario() -> AsyncIterator[World]:
            yield World(victim, self.check, settled=lambda: self.is_at_rest)

        steps = [await sweep(scenario, cancels=cancels) for _ in range(SWEEPS)]
        assert max(steps) > 3


@pytest.fixture
async def bench(aiomongo_server: MongoTestServer) -> AsyncIterator[Bench]:
    # Monitoring by polling opens nothing later on.
    async with aiomongo_server.connect(
        maxPoolSize=CONNECTIONS, minPoolSize=CONNECTIONS, serverMonitoringMode="poll"
    ) as client:
        made = Bench(aiomongo_server, client)
        await made.users.insert_many([{"_id": number} for number in range(7)])
        await made.until(lambda: made.pool.idle == CONNECTIONS)
        before = made.accepted()
        yield made
        # However many operations were cancelled: no connection, session or cursor was lost.
        await made.check(False)
        assert made.accepted() == before
        assert len(client._executor.sessions) == len(made.sessions())
        assert made.open_cursors() == 0


@in_every_way
async def test_several_batches(bench: Bench, cancels: Cancels) -> None:
    """A find and three getMores."""

    async def victim() -> None:
        assert len(await bench.users.find(batch_size=2).to_list()) == 7

    await bench.swept(victim, cancels)


@in_every_way
async def test_a_cursor_that_is_left_in_the_middle(bench: Bench, cancels: Cancels) -> None:
    """`async with` ends it on the server, by itself or by the next operation."""

    async def victim() -> None:
        async with bench.users.find(batch_size=2) as cursor:
            for _ in range(3):
                await cursor.next()

    await bench.swept(victim, cancels)


@in_every_way
async def test_writes(bench: Bench, cancels: Cancels) -> None:
    """Several commands one after the other."""

    async def victim() -> None:
        await bench.users.bulk_write([UpdateOne({"_id": 2}, {"$inc": {"n": 1}}), InsertOne({})])
        await bench.users.find_one_and_update({"_id": 2}, {"$inc": {"n": 1}})

    await bench.swept(victim, cancels)


@in_every_way
async def test_operations_that_stand_in_line(bench: Bench, cancels: Cancels) -> None:
    """Six for two connections, all of them cancelled together."""

    async def victim() -> None:
        async with asyncio.TaskGroup() as group:
            for number in range(6):
                group.create_task(bench.users.find_one({"_id": number}))

    await bench.swept(victim, cancels)
