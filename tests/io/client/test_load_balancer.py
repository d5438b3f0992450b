"""A client of services behind a load balancer."""

from __future__ import annotations

import asyncio
import gc
from collections.abc import AsyncIterator
from typing import Any

import pytest

from aiomongo_tls import AsyncClient, AutoReconnect, NotPrimaryError, WaitQueueTimeoutError, timeout
from aiomongo_tls.testing import MongoTestServer

Client = AsyncClient[dict[str, Any]]


@pytest.fixture
async def balanced() -> AsyncIterator[tuple[MongoTestServer, Client]]:
    with MongoTestServer(topology="load_balanced", tls="off") as server:
        async with server.connect(maxPoolSize=1, loadBalanced=True) as client:
            await client.app.users.insert_many([{"_id": number} for number in range(5)])
            yield server, client


def in_use(client: Client) -> int:
    (status,) = client.pool_status().values()
    return status.in_use


async def test_a_cursor_holds_its_connection(balanced: tuple[MongoTestServer, Client]) -> None:
    """To its end; nobody else gets it meanwhile, and the wait says why."""
    server, client = balanced
    cursor = client.app.users.find(batch_size=2)
    await cursor.next()
    assert in_use(client) == 1
    with pytest.raises(WaitQueueTimeoutError, match="connections in use by cursors: 1"), timeout(0.05):
        await client.ping()
    assert len(await cursor.to_list()) == 4
    assert in_use(client) == 0
    connections = {command.connection_id for command in server.commands_named("find", "getMore")}
    assert len(connections) == 1


async def test_sessions_are_supported(balanced: tuple[MongoTestServer, Client]) -> None:
    """And so are retryable writes."""
    server, client = balanced
    with server.fail_point(mode={"times": 1}, failCommands=["insert"], closeConnection=True):
        await client.app.users.insert_one({"_id": 7})
    first, second = (command.document for command in server.commands_named("insert")[1:])
    assert (first["lsid"], first["txnNumber"]) == (second["lsid"], second["txnNumber"])


async def test_closing_a_cursor_frees_its_connection(balanced: tuple[MongoTestServer, Client]) -> None:
    """By `close()`, by a block, or by the garbage collector while another operation waits for just that connection."""
    server, client = balanced
    async with client.app.users.find(batch_size=2) as cursor:
        await cursor.next()
    assert in_use(client) == 0
    forgotten = client.app.users.find(batch_size=2)
    await forgotten.next()
    waiting = asyncio.create_task(client.ping())
    await asyncio.sleep(0)
    assert not waiting.done()
    del forgotten
    gc.collect()
    async with asyncio.timeout(5):
        await waiting
    assert len(server.commands_named("killCursors")) == 2


async def test_a_lost_connection_is_kept_until_the_cursor_is_closed(balanced: tuple[MongoTestServer, Client]) -> None:
    """Then no killCursors goes anywhere."""
    server, client = balanced
    cursor = client.app.users.find(batch_size=2)
    await cursor.next()
    with (
        server.fail_point(mode={"times": 1}, failCommands=["getMore"], closeConnection=True),
        pytest.raises(AutoReconnect),
    ):
        await cursor.to_list()
    assert in_use(client) == 1
    await cursor.close()
    assert in_use(client) == 0
    assert not server.commands_named("killCursors")
    assert await client.app.users.count_documents({}) == 5


async def test_errors_name_the_service(balanced: tuple[MongoTestServer, Client]) -> None:
    """All services have the same address."""
    server, client = balanced
    with server.fail_point(failCommands=["find"], errorCode=91), pytest.raises(NotPrimaryError) as raised:
        await client.app.users.find_one()
    assert raised.value.service_id is not None


async def test_a_cancelled_cursor_costs_its_connection_and_nothing_hangs(
    balanced: tuple[MongoTestServer, Client],
) -> None:
    """Only over it the cursor could have been ended."""
    server, client = balanced
    cursor = client.app.users.find(batch_size=2)
    await cursor.next()
    server.on("getMore").stays_silent().once()
    task = asyncio.create_task(cursor.to_list())
    await asyncio.to_thread(server.wait_for, "getMore")
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    async with asyncio.timeout(5):
        assert await client.app.users.count_documents({}) == 5


@pytest.mark.parametrize("last", [0, 7])
async def test_a_cursor_is_closed_while_another_task_reads_it(
    balanced: tuple[MongoTestServer, Client], last: int
) -> None:
    """Its one connection is given back once, after the reply, and is whole."""
    server, client = balanced
    cursor = client.app.users.find(batch_size=2)
    await cursor.next()
    await cursor.next()
    batch = {"cursor": {"id": last, "ns": "app.users", "nextBatch": [{"_id": 9}]}}
    server.on("getMore").replies(batch).answers_after(0.05).once()
    task = asyncio.create_task(cursor.next())
    await asyncio.to_thread(server.wait_for, "getMore")
    await cursor.close()
    with pytest.raises(StopAsyncIteration):
        await task
    async with asyncio.timeout(5):
        assert await client.app.users.count_documents({}) == 5
    assert in_use(client) == 0
    assert len({command.connection_id for command in server.commands_named("find", "getMore", "aggregate")}) == 1
