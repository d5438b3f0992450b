"""A server that is killed and comes back: what callers are told, what is there afterwards, and that nothing hangs."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from typing import Any

import pytest
from events import Events
from live_server import LiveServer

from aiomongo_tls import (
    AsyncClient,
    AsyncCollection,
    AutoReconnect,
    BulkWriteError,
    ConnectionFailure,
    InsertOne,
    MongoError,
    ServerHeartbeatSucceededEvent,
    ServerSelectionTimeoutError,
)

Things = AsyncCollection[dict[str, Any]]


@pytest.fixture
def mortal(another: Callable[..., LiveServer], server: LiveServer) -> LiveServer:
    """A server of this test's own, which may be killed."""
    if not server.can_restart:
        pytest.skip("a given URI is not ours to kill")
    return another()


@pytest.fixture
def durable(mortal: LiveServer) -> LiveServer:
    """One that keeps its data."""
    if not mortal.is_durable:
        pytest.skip("the server keeps its data in memory")
    return mortal


async def restart(server: LiveServer) -> None:
    """Kill it and start it again, while the loop goes on."""
    server.kill()
    await asyncio.to_thread(server.restart)


@pytest.fixture
async def connected(mortal: LiveServer) -> AsyncIterator[AsyncClient[Any]]:
    """A client of it, with a limit that is longer than a start."""
    async with AsyncClient.connect(mortal.uri(), serverSelectionTimeoutMS=20_000) as client:
        yield client


async def test_the_data_is_still_there(durable: LiveServer, connected: AsyncClient[Any]) -> None:
    """Documents and indexes, through the same client, which needs no help."""
    things = connected["app"]["things"]
    await things.create_index("n", unique=True)
    await things.insert_many([{"_id": n, "n": n} for n in range(1000)])
    for turn in range(3):
        await restart(durable)
        # A read is tried again on a connection that is found dead.
        assert await things.count_documents({}) == 1000 + turn
        await things.insert_one({"_id": 1000 + turn, "n": 1000 + turn})
    assert sorted(await things.index_information()) == ["_id_", "n_1"]


async def test_while_it_is_gone(mortal: LiveServer, connected: AsyncClient[Any]) -> None:
    """A typed error within the time that was given; soon after it is back, all is well."""
    mortal.kill()
    async with asyncio.timeout(10):
        with pytest.raises(ConnectionFailure) as caught:
            await connected.ping(timeoutMS=1500)
    assert caught.value.timeout or isinstance(caught.value, AutoReconnect)
    await asyncio.to_thread(mortal.restart)
    async with asyncio.timeout(10):
        assert (await connected.ping())["ok"] == 1


async def test_who_waits_is_served_when_it_is_back(mortal: LiveServer) -> None:
    """Fifty reads that began while it was gone."""
    events = Events()
    options: dict[str, Any] = {"serverSelectionTimeoutMS": 20_000, "heartbeatFrequencyMS": 500}
    async with AsyncClient.connect(mortal.uri(), event_listeners=[events], **options) as client:
        # A monitor looks again at once when its connection is lost, but not within half a second of the first look:
        # till then a read that is refused twice is told so.
        await events.occurs(ServerHeartbeatSucceededEvent, 2)
        mortal.kill()
        things = client["app"]["things"]
        waiting = [asyncio.create_task(things.find_one({"_id": n})) for n in range(50)]
        await asyncio.to_thread(mortal.restart)
        async with asyncio.timeout(30):
            assert await asyncio.gather(*waiting) == [None] * 50


async def test_a_client_that_comes_too_early(mortal: LiveServer) -> None:
    """Connecting waits for the server, within serverSelectionTimeoutMS."""
    mortal.kill()
    with pytest.raises(ServerSelectionTimeoutError) as caught:
        await AsyncClient.connect(mortal.uri(), serverSelectionTimeoutMS=600)
    assert "nothing listens there" in str(caught.value)

    async def early() -> Any:
        async with AsyncClient.connect(mortal.uri(), serverSelectionTimeoutMS=30_000) as client:
            return await client.ping()

    connecting = asyncio.create_task(early())
    await asyncio.to_thread(mortal.restart)
    assert (await connecting)["ok"] == 1


async def test_under_load(mortal: LiveServer, connected: AsyncClient[Any]) -> None:
    """Every operation ends, with a result or an error that says that the connection failed; afterwards all succeed."""
    things = connected["app"]["things"]
    counts = {"done": 0, "failed": 0}
    over = False

    async def work(number: int) -> None:
        step = 0
        while not over:
            step += 1
            try:
                await things.insert_one({"_id": f"{number}-{step}"})
                counts["done"] += 1
            except ConnectionFailure:
                counts["failed"] += 1

    async def goes_on() -> None:
        reached = counts["done"] + 200
        async with asyncio.timeout(60):
            while counts["done"] < reached:  # noqa: ASYNC110 - all the tasks move it
                await asyncio.sleep(0.001)

    async with asyncio.TaskGroup() as group:
        for number in range(20):
            group.create_task(work(number))
        for _ in range(3):
            await goes_on()
            await restart(mortal)
        await goes_on()
        over = True
    async with asyncio.timeout(30):
        await asyncio.gather(*(things.find_one({}) for _ in range(20)))
    for status in connected.pool_status().values():
        assert (status.in_use, status.waiting) == (0, 0)


@pytest.mark.parametrize("way", ["insert_many", "bulk_write"])
async def test_killed_during_a_bulk_insert(durable: LiveServer, connected: AsyncClient[Any], way: str) -> None:
    """Everything that was acknowledged is there afterwards; what was not may be, but whole."""
    things = connected["app"]["things"]
    acknowledged: list[int] = []
    repeated: list[dict[str, Any]] = []
    size = 50

    async def work(number: int) -> None:
        for turn in range(10_000):
            first = (number * 10_000 + turn) * size
            documents = [{"_id": n, "text": "x" * 100} for n in range(first, first + size)]
            try:
                if way == "insert_many":
                    acknowledged.extend((await things.insert_many(documents)).inserted_ids)
                else:
                    result = await things.bulk_write([InsertOne(document) for document in documents], ordered=False)
                    assert result.inserted_count == size
                    acknowledged.extend(range(first, first + size))
            except BulkWriteError as error:
                # A repetition of what had been carried out before the connection was lost, where the server does
                # not know the number of the attempt.
                repeated.extend(error.details["writeErrors"])
                return
            except ConnectionFailure:
                return

    tasks = [asyncio.create_task(work(number)) for number in range(8)]
    async with asyncio.timeout(60):
        while len(acknowledged) < 2000:  # noqa: ASYNC110 - the tasks move it
            await asyncio.sleep(0.001)
    durable.kill()
    await asyncio.to_thread(durable.restart)
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)
    found = {document["_id"]: document["text"] async for document in things.find({})}
    assert set(acknowledged) <= found.keys()
    assert {error["code"] for error in repeated} <= {11000}
    assert set(found.values()) == {"x" * 100}


async def test_a_cursor_whose_server_dies(mortal: LiveServer, connected: AsyncClient[Any]) -> None:
    """Reading on is an error, not a wait without end and not a shortened result."""
    things = connected["app"]["things"]
    await things.insert_many([{"_id": n} for n in range(500)])
    cursor = things.find({}).batch_size(10)
    await cursor.next()
    await restart(mortal)
    async with asyncio.timeout(30):
        with pytest.raises(MongoError):
            await cursor.to_list()


async def test_a_large_write_that_is_cut_off(durable: LiveServer, connected: AsyncClient[Any]) -> None:
    """Killed while sixteen megabytes are on their way: an error or a result, and what was there before is there."""
    things = connected["app"]["things"]
    await things.insert_one({"_id": "before"})
    writing = asyncio.create_task(things.insert_one({"_id": "large", "b": b"x" * 15_000_000}))
    for _ in range(5):
        await asyncio.sleep(0)
    await restart(durable)
    (outcome,) = await asyncio.gather(writing, return_exceptions=True)
    assert await things.find_one({"_id": "before"}) == {"_id": "before"}
    large = await things.find_one({"_id": "large"})
    if isinstance(outcome, BaseException):
        assert isinstance(outcome, MongoError)
    else:
        assert large is not None
    assert large is None or len(large["b"]) == 15_000_000
