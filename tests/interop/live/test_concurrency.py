"""Many tasks at once, and callers who give up: replies reach whom they belong to, and no connection is lost."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
from live_server import LiveServer

from aiomongo_tls import AsyncClient, AsyncCollection, MongoError, timeout

Things = AsyncCollection[dict[str, Any]]

COUNT = 1000


@pytest.mark.parametrize("pool", [1, 3, 100])
async def test_each_task_gets_its_own_reply(server: LiveServer, run: str, name: str, pool: int) -> None:
    """A hundred tasks over few and many connections."""
    async with AsyncClient.connect(server.uri(), maxPoolSize=pool) as client:
        things = client[run][name]

        async def work(n: int) -> None:
            await things.insert_one({"_id": n, "text": str(n) * (n % 50)})
            assert await things.find_one({"_id": n}) == {"_id": n, "text": str(n) * (n % 50)}
            assert (await things.update_one({"_id": n}, {"$set": {"seen": n}})).modified_count == 1
            assert (await things.find_one_and_update({"_id": n}, {"$set": {"done": True}})) is not None
            assert await things.count_documents({"seen": n}) == 1

        await asyncio.gather(*(work(n) for n in range(100)))
        assert await things.count_documents({"done": True}) == 100
        (status,) = (status for status in client.pool_status().values() if status.total)
        assert status.total <= pool
        assert (status.in_use, status.waiting) == (0, 0)


@pytest.mark.needs("increases of several clients at the same time")
async def test_counting_together(things: Things) -> None:
    """No increase of many tasks is lost or done twice."""
    await things.insert_one({"_id": 1, "n": 0})

    async def increase() -> None:
        for _ in range(5):
            await things.update_one({"_id": 1}, {"$inc": {"n": 1}})

    await asyncio.gather(*(increase() for _ in range(20)))
    assert await things.find_one({"_id": 1}) == {"_id": 1, "n": 100}


async def test_large_and_small_together(things: Things) -> None:
    """Replies of megabytes beside replies of bytes."""
    # Texts as ids: a server may have an index for them that it does not have for numbers.
    await things.insert_many([{"_id": f"d{n}", "b": bytes([n]) * (1_000_000 if n % 2 else 10)} for n in range(10)])
    found = await asyncio.gather(*(things.find_one({"_id": f"d{n % 10}"}) for n in range(40)))
    assert [(document or {})["b"][:1] for document in found] == [bytes([n % 10]) for n in range(40)]


async def settled(client: AsyncClient[Any]) -> None:
    """Wait until every connection is free again."""
    async with asyncio.timeout(30):
        while any(status.in_use or status.parked for status in client.pool_status().values()):  # noqa: ASYNC110
            await asyncio.sleep(0.01)


@pytest.fixture
async def many(things: Things) -> Things:
    """Documents enough to keep a server busy for a while."""
    await things.insert_many([{"_id": n, "n": (n * 7919) % COUNT, "text": "x" * 50} for n in range(COUNT)])
    return things


async def test_callers_who_give_up(client: AsyncClient[Any], many: Things) -> None:
    """`asyncio.timeout` at every moment of an operation: the next one gets its own reply, and no connection is lost."""
    loop = asyncio.get_running_loop()
    began = loop.time()
    await many.find({}).sort("n").limit(5).to_list()
    duration = loop.time() - began
    given_up = 0
    for step in range(30):
        try:
            async with asyncio.timeout(duration * step / 25):
                await many.find({}).sort("n").limit(5).to_list()
        except TimeoutError:
            given_up += 1
        found = await many.find_one({"_id": step})
        assert found is not None
        assert found["_id"] == step
    assert given_up
    await settled(client)
    assert await many.count_documents({}) == COUNT


async def test_tasks_that_are_cancelled(client: AsyncClient[Any], many: Things) -> None:
    """A hundred at different steps, all at once, over few connections."""
    tasks = [asyncio.create_task(many.find({"n": n}).to_list()) for n in range(100)]
    for n, task in enumerate(tasks):
        if n % 2:
            await asyncio.sleep(0)
            task.cancel()
    results = await asyncio.gather(*tasks, return_exceptions=True)
    for n, result in enumerate(results):
        if isinstance(result, BaseException):
            assert isinstance(result, asyncio.CancelledError)
        else:
            assert {document["n"] for document in result} <= {n}
    assert all(isinstance(result, list) for result in results[::2])
    await settled(client)
    assert await many.count_documents({}) == COUNT


@pytest.mark.parametrize("share", [0.02, 0.2, 0.6])
async def test_timeouts_of_the_client(client: AsyncClient[Any], many: Things, share: float) -> None:
    """`timeout()` over writes and reads: an error that says that it is one, or the result; the connection goes on."""
    loop = asyncio.get_running_loop()
    few = {"n": {"$lt": 100}}
    began = loop.time()
    await many.update_many(few, {"$set": {"seen": 0}})
    duration = loop.time() - began
    errors: list[MongoError] = []
    for turn in range(5):
        try:
            # The first one cannot be in time; of the others nobody knows.
            with timeout(duration * share if turn else 1e-6):
                await many.update_many(few, {"$set": {"seen": turn}})
        except MongoError as error:
            errors.append(error)
        assert (await client.ping())["ok"] == 1
    assert errors
    assert all(error.timeout for error in errors)
    await settled(client)
    # What was given up may have been carried out.
    await many.update_many(few, {"$set": {"seen": "last"}})
    assert await many.distinct("seen") == ["last"]
