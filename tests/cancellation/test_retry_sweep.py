"""Operations that are tried again, and cursors that hold a connection, cancelled at every step."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import pytest
from bson import ObjectId
from peers import HELLO, MongoPeer, mongo_peer
from sweep import World, sweep

from aiomongo_tls import AsyncClient, CursorNotFound

three_times = pytest.mark.parametrize("cancels", [1, 2, 3])
Client = AsyncClient[dict[str, Any]]

SERVICE = ObjectId()


def settled(client: Client) -> bool:
    """Late replies have come, no attempt to connect and no killCursors is under way."""
    pools = client.pool_status().values()
    return client._executor._reaper.is_idle and all(not pool.opening and not pool.parked for pool in pools)


async def check_whole(client: Client) -> None:
    """The next operation is served by the only connection that there may be."""
    await client.ping()
    async with asyncio.timeout(5):
        while not settled(client):  # noqa: ASYNC110
            await asyncio.sleep(0)
    (pool,) = client.pool_status().values()
    assert (pool.idle, pool.in_use, pool.waiting) == (1, 0, 0)
    assert len(client._executor.sessions) == 1
    await client.close()


@asynccontextmanager
async def connected(hello: dict[str, Any], **options: Any) -> AsyncIterator[tuple[MongoPeer, Client]]:
    async with mongo_peer() as peer:
        peer.answers["hello"] = {**HELLO, **hello}
        client = AsyncClient("127.0.0.1", peer.port, maxPoolSize=1, **options)
        try:
            await client.aconnect()
            yield peer, client
        finally:
            client.abort()
            await client.close()


@three_times
@pytest.mark.parametrize("name", ["find", "insert"])
async def test_an_attempt_after_another(cancels: int, name: str) -> None:
    """Whichever it is, or the pause between them: connection and session are whole, and a write has one number."""
    overloaded = {"ok": 0.0, "code": 462, "errmsg": "no", "errorLabels": ["SystemOverloadedError", "RetryableError"]}
    found = {"cursor": {"id": 0, "ns": "app.users", "firstBatch": []}, "n": 1, "ok": 1.0}
    member = {"setName": "rs", "isWritablePrimary": True, "hosts": []}

    @asynccontextmanager
    async def scenario() -> AsyncIterator[World]:
        async with connected(member, directConnection=True) as (peer, client):
            client._executor._chance = lambda: 0.001
            peer.answers[name] = lambda _: next(replies)
            replies = iter([overloaded, overloaded, found])
            users = client["app"]["users"]

            async def victim() -> None:
                await (users.find_one() if name == "find" else users.insert_one({}))

            async def check(was_cancelled: bool) -> None:
                numbers = {command.get("txnNumber") for command in peer.commands if name in command}
                assert len(numbers) <= 1
                await check_whole(client)

            yield World(victim, check, settled=lambda: settled(client))

    steps = await sweep(scenario, cancels=cancels)
    assert steps > 3


@three_times
async def test_a_cursor_behind_a_load_balancer(cancels: int) -> None:
    """Closed, it holds nothing any more; nobody waits for ever."""

    @asynccontextmanager
    async def scenario() -> AsyncIterator[World]:
        async with connected({"serviceId": SERVICE, "msg": "isdbgrid"}, loadBalanced=True) as (peer, client):
            batch = {"id": 7, "ns": "app.users", "firstBatch": [{"_id": 1}]}
            peer.answers["find"] = {"cursor": batch, "ok": 1.0}
            peer.answers["getMore"] = {"cursor": {"id": 0, "ns": "app.users", "nextBatch": []}, "ok": 1.0}
            cursor = client["app"]["users"].find()

            async def check(was_cancelled: bool) -> None:
                if was_cancelled and cursor._command is not None:
                    with pytest.raises(CursorNotFound):
                        await cursor.to_list()
                await cursor.close()
                await check_whole(client)

            yield World(cursor.to_list, check, settled=lambda: settled(client))

    steps = await sweep(scenario, cancels=cancels)
    assert steps > 2


@three_times
async def test_closing_a_cursor_behind_a_load_balancer(cancels: int) -> None:
    """Its connection is back, or closed if the reply to killCursors is still to come when somebody needs it."""

    @asynccontextmanager
    async def scenario() -> AsyncIterator[World]:
        async with connected({"serviceId": SERVICE, "msg": "isdbgrid"}, loadBalanced=True) as (peer, client):
            batch = {"id": 7, "ns": "app.users", "firstBatch": [{"_id": 1}]}
            peer.answers["find"] = {"cursor": batch, "ok": 1.0}
            cursor = client["app"]["users"].find()
            await cursor.next()

            async def check(was_cancelled: bool) -> None:
                await cursor.close()
                await check_whole(client)

            yield World(cursor.close, check, settled=lambda: settled(client))

    steps = await sweep(scenario, cancels=cancels)
    assert steps > 1


@three_times
@pytest.mark.parametrize("hello", [{}, {"serviceId": SERVICE, "msg": "isdbgrid"}], ids=["single", "load balanced"])
async def test_closing_a_cursor_that_another_task_reads(cancels: int, hello: dict[str, Any]) -> None:
    """Whoever is cancelled, and whenever: connection and session are given back, and once."""

    @asynccontextmanager
    async def scenario() -> AsyncIterator[World]:
        async with connected(hello, loadBalanced=bool(hello)) as (peer, client):
            batch = {"id": 7, "ns": "app.users", "firstBatch": []}
            peer.answers["find"] = {"cursor": batch, "ok": 1.0}
            peer.answers["getMore"] = {"cursor": {"id": 7, "ns": "app.users", "nextBatch": []}, "ok": 1.0}
            cursor = client["app"]["users"].find()

            async def victim() -> None:
                async with asyncio.TaskGroup() as tasks:
                    tasks.create_task(cursor.to_list())
                    await asyncio.sleep(0)
                    await cursor.close()

            async def check(was_cancelled: bool) -> None:
                assert not cursor._is_reading
                await cursor.close()
                # What was opened too late is ended by the next operation.
                await client.ping()
                await check_whole(client)

            yield World(victim, check, settled=lambda: settled(client))

    steps = await sweep(scenario, cancels=cancels)
    assert steps > 1
