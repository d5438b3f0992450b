"""Operations that are given up, cancelled or out of time, cost no connection: the server counts them, over TLS."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from functools import partial
from typing import Any

import anyio
import pytest

from aiomongo_tls import AsyncClient, AsyncCollection, NetworkTimeout, timeout
from aiomongo_tls.core.pool.status import PoolStatus
from aiomongo_tls.testing import MongoTestServer

COUNT = 20
Operation = Callable[[], Awaitable[Any]]
GiveUp = Callable[[list[Operation], Callable[[], Awaitable[Any]]], Awaitable[None]]


# Ways to give up: each begins all operations, waits until the server has them, and ends them


async def cancelled(times: int, operations: list[Operation], sent: Callable[[], Awaitable[Any]]) -> None:
    tasks = [asyncio.ensure_future(operation()) for operation in operations]
    await sent()
    for _ in range(times):
        for task in tasks:
            task.cancel()
        await asyncio.sleep(0)
    await asyncio.wait(tasks)
    assert all(task.cancelled() for task in tasks)


async def in_a_scope(operations: list[Operation], sent: Callable[[], Awaitable[Any]]) -> None:
    async with anyio.create_task_group() as group:
        for operation in operations:
            group.start_soon(operation)
        await sent()
        group.cancel_scope.cancel()


async def all_within(limit: Callable[[], Any], operations: list[Operation]) -> None:
    async def one(operation: Operation) -> None:
        with pytest.raises((NetworkTimeout, TimeoutError)):
            async with limit():
                await operation()

    await asyncio.gather(*map(one, operations))


@asynccontextmanager
async def block() -> AsyncIterator[None]:
    with timeout(0.1):
        yield


async def out_of_time_in_a_block(operations: list[Operation], sent: Callable[[], Awaitable[Any]]) -> None:
    await all_within(block, operations)


async def out_of_time_in_asyncio(operations: list[Operation], sent: Callable[[], Awaitable[Any]]) -> None:
    await all_within(lambda: asyncio.timeout(0.1), operations)


async def out_of_time_by_option(operations: list[Operation], sent: Callable[[], Awaitable[Any]]) -> None:
    """`timeoutMS`; see the test."""
    done = await asyncio.gather(*(operation() for operation in operations), return_exceptions=True)
    assert all(isinstance(error, NetworkTimeout) for error in done)


in_every_way = pytest.mark.parametrize(
    "give_up",
    [
        pytest.param(partial(cancelled, 1), id="cancelled"),
        pytest.param(partial(cancelled, 3), id="cancelled-thrice"),
        in_a_scope,
        out_of_time_in_a_block,
        out_of_time_in_asyncio,
        out_of_time_by_option,
    ],
)


# The client


@dataclass
class Bench:
    """A client with all its connections open."""

    server: MongoTestServer
    client: AsyncClient[dict[str, Any]]

    @property
    def users(self) -> AsyncCollection[dict[str, Any]]:
        return self.client["app"]["users"]

    @property
    def pool(self) -> PoolStatus:
        return self.client.pool_status()[self.server.address]

    async def until(self, condition: Callable[[], object]) -> None:
        """Wait for something that is told to nobody."""
        async with asyncio.timeout(10):
            while not condition():  # noqa: ASYNC110
                await asyncio.sleep(0.001)

    async def at_rest(self) -> None:
        """All late replies have come, and every connection waits for work."""
        reaper = self.client._executor._reaper
        await self.until(lambda: self.pool.idle == COUNT and reaper.is_idle)
        assert (self.pool.in_use, self.pool.waiting, self.pool.parked, self.pool.opening) == (0, 0, 0, 0)

    def accepted(self) -> set[int]:
        """The connections that were ever opened for operations."""
        commands = self.server.commands
        return {command.connection_id for command in commands if "speculativeAuthenticate" in command.document}

    def sessions(self) -> set[bytes]:
        """The sessions that the server has ever heard of."""
        return {bytes(lsid["id"]) for command in self.server.commands if (lsid := command.document.get("lsid"))}

    async def all_at_once(self) -> None:
        """As many operations as there are connections."""
        await asyncio.gather(*(self.users.find_one() for _ in range(COUNT)))

    async def operations(self, command: str) -> list[Operation]:
        """Twenty operations whose next command is this one."""
        if command == "getMore":
            cursors = [self.users.find(batch_size=2) for _ in range(COUNT)]
            for cursor in cursors:
                await cursor.to_list(2)
            return [cursor.next for cursor in cursors]
        if command == "insert":
            return [partial(self.users.insert_one, {"from": "a late one"}) for _ in range(COUNT)]
        return [self.users.find(batch_size=2).to_list for _ in range(COUNT)]

    def sent(self, command: str) -> Callable[[], Awaitable[Any]]:
        """What waits until the server has twenty more of a command."""
        count = len(self.server.commands_named(command)) + COUNT
        return lambda: asyncio.to_thread(self.server.wait_for, command, count=count)


@asynccontextmanager
async def bench(server: MongoTestServer, give_up: GiveUp, **options: Any) -> AsyncIterator[Bench]:
    """A client that gives up in that way."""
    if give_up is out_of_time_by_option:
        options["timeoutMS"] = 500
    # Monitoring by polling has one connection, whatever time passes.
    async with server.connect(
        maxPoolSize=COUNT, minPoolSize=COUNT, maxConnecting=10, serverMonitoringMode="poll", **options
    ) as client:
        made = Bench(server, client)
        await made.users.insert_many([{"_id": number} for number in range(5)])
        await made.at_rest()
        yield made


@in_every_way
@pytest.mark.parametrize("command", ["find", "getMore", "insert"])
async def test_twenty_operations_cost_no_connection(
    aiomongo_server: MongoTestServer, give_up: GiveUp, command: str
) -> None:
    """Nor a session, nor a cursor on the server: with the late replies everything is as before."""
    async with bench(aiomongo_server, give_up) as made:
        operations = await made.operations(command)
        before = made.accepted()
        assert len(before) == COUNT
        late = 0.8 if give_up is out_of_time_by_option else 0.2
        rule = aiomongo_server.on(command).answers_after(late).times(COUNT)
        await give_up(operations, made.sent(command))
        assert rule.used == COUNT
        assert (made.pool.in_use, made.pool.parked + made.pool.idle) == (0, COUNT)
        await made.at_rest()
        await made.all_at_once()
        await made.at_rest()
        assert made.accepted() == before
        assert len(made.client._executor.sessions) == len(made.sessions())
        await made.until(lambda: not aiomongo_server._backend._state.cursors)


@in_every_way
async def test_without_draining_they_cost_one_each(aiomongo_server: MongoTestServer, give_up: GiveUp) -> None:
    """The twin: with drainTimeoutMS=0 nobody waits for late replies."""
    async with bench(aiomongo_server, give_up, drainTimeoutMS=0) as made:
        operations = await made.operations("find")
        before = made.accepted()
        aiomongo_server.on("find").stays_silent().times(COUNT)
        await give_up(operations, made.sent("find"))
        await made.at_rest()
        await made.all_at_once()
        await made.at_rest()
        assert len(made.accepted() - before) == COUNT


@pytest.mark.parametrize("give_up", [partial(cancelled, 1), in_a_scope, out_of_time_in_a_block])
async def test_a_server_that_never_answers(aiomongo_server: MongoTestServer, give_up: GiveUp) -> None:
    """What waits for its late reply is given up after drainTimeoutMS, and makes room before if somebody waits."""
    async with bench(aiomongo_server, give_up, drainTimeoutMS=60_000) as made:
        operations = await made.operations("find")
        aiomongo_server.on("find").stays_silent().times(COUNT)
        await give_up(operations, made.sent("find"))
        assert made.pool.parked == COUNT
        assert await made.users.find_one() is not None
        assert (made.pool.parked, made.pool.idle) == (COUNT - 1, 1)
