"""Cursors: many batches, every option of a find, and what becomes of a cursor that nobody reads to its end."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from aiomongo_tls import ASCENDING, DESCENDING, AsyncClient, AsyncCollection, AsyncDatabase, CursorNotFound, CursorType

Things = AsyncCollection[dict[str, Any]]


@pytest.fixture
async def numbers(things: Things) -> Things:
    """A thousand documents."""
    await things.insert_many([{"_id": n, "n": n, "third": n % 3} for n in range(1000)])
    return things


@pytest.mark.parametrize("size", [0, 1, 2, 7, 101, 999, 1000, 1001, 5000])
async def test_batches_of_every_size(numbers: Things, size: int) -> None:
    """Nothing is lost or doubled where one batch ends and the next begins."""
    count = 50 if size in (1, 2) else 1000
    cursor = numbers.find({"n": {"$lt": count}}).batch_size(size).sort("n")
    assert [document["n"] async for document in cursor] == list(range(count))
    assert not cursor.alive


async def test_sort_skip_and_limit(numbers: Things) -> None:
    """As with lists."""
    found = await numbers.find({}).sort("n", DESCENDING).skip(10).limit(25).batch_size(10).to_list()
    assert [document["n"] for document in found] == list(range(989, 964, -1))
    by_two = await numbers.find({}).sort([("third", ASCENDING), ("n", DESCENDING)]).limit(3).to_list()
    assert [document["n"] for document in by_two] == [999, 996, 993]
    assert len(await numbers.find({}, limit=-7).to_list()) == 7
    assert await numbers.find({}).skip(2000).to_list() == []


@pytest.mark.parametrize(
    ("projection", "found"),
    [
        (["n"], {"_id": 5, "n": 5}),
        ({"n": 1, "_id": 0}, {"n": 5}),
        ({"n": 0}, {"_id": 5, "third": 2}),
        ({"_id": 1}, {"_id": 5}),
    ],
    ids=str,
)
async def test_projection(numbers: Things, projection: Any, found: dict[str, Any]) -> None:
    """Only the wanted fields come."""
    assert await numbers.find({"_id": 5}, projection).to_list() == [found]


@pytest.mark.parametrize(
    ("query", "count"),
    [
        ({}, 1000),
        ({"n": 5}, 1),
        ({"n": {"$in": [1, 2, 5000]}}, 2),
        ({"n": {"$gte": 10, "$lt": 20}}, 10),
        ({"$or": [{"n": 1}, {"n": {"$gt": 997}}]}, 3),
        ({"$and": [{"third": 0}, {"n": {"$lt": 9}}]}, 3),
        ({"$nor": [{"third": 0}, {"third": 1}]}, 333),
        ({"n": {"$not": {"$gt": 3}}}, 4),
        ({"missing": {"$exists": False}}, 1000),
        ({"n": {"$mod": [100, 1]}}, 10),
        ({"n": {"$type": "int"}}, 1000),
        ({"n": {"$nin": list(range(990))}}, 10),
    ],
    ids=str,
)
async def test_filters(numbers: Things, query: dict[str, Any], count: int) -> None:
    """The server's own operators reach it as they are."""
    assert len(await numbers.find(query).to_list()) == count
    assert await numbers.count_documents(query) == count


@pytest.mark.parametrize(
    "option",
    [
        pytest.param({"hint": "_id_"}, marks=pytest.mark.needs("hint"), id="hint"),
        pytest.param({"comment": "why"}, marks=pytest.mark.needs("comment"), id="comment"),
        pytest.param({"max_time_ms": 20_000}, marks=pytest.mark.needs("max_time_ms"), id="max_time_ms"),
    ],
)
async def test_options(numbers: Things, option: dict[str, Any]) -> None:
    """Options that change nothing in what is found do not."""
    assert len(await numbers.find({"n": {"$lt": 300}}, batch_size=100, **option).to_list()) == 300


async def test_to_list_in_parts(numbers: Things) -> None:
    """So many at most, and the rest later."""
    cursor = numbers.find({}).sort("n").batch_size(30)
    assert [document["n"] for document in await cursor.to_list(100)] == list(range(100))
    assert [document["n"] for document in await cursor.to_list()] == list(range(100, 1000))


async def test_a_cursor_that_is_closed_early(client: AsyncClient[Any], numbers: Things) -> None:
    """It is gone from the server, and the connection is as good as before."""
    async with numbers.find({}).batch_size(5) as cursor:
        await cursor.next()
        number = cursor.cursor_id
    assert number
    assert not cursor.alive
    assert await numbers.count_documents({}) == 1000
    (pool,) = (status for status in client.pool_status().values() if status.total)
    assert (pool.in_use, pool.parked) == (0, 0)


@pytest.mark.needs("refusal of killed cursors")
async def test_a_cursor_that_the_server_has_lost(numbers: Things, database: AsyncDatabase[Any]) -> None:
    """CursorNotFound, and the next find works."""
    cursor = numbers.find({}).batch_size(5)
    await cursor.next()
    await database.command({"killCursors": numbers.name, "cursors": [cursor.cursor_id]})
    with pytest.raises(CursorNotFound) as caught:
        await cursor.to_list()
    assert caught.value.code == 43
    assert len(await numbers.find({}).to_list()) == 1000


async def test_many_cursors_at_the_same_time(numbers: Things) -> None:
    """Each is read on by itself, in turns."""
    cursors = [numbers.find({"third": n % 3}).sort("n").batch_size(10) for n in range(12)]
    seen: list[list[int]] = [[] for _ in cursors]
    for _ in range(30):
        for cursor, numbers_seen in zip(cursors, seen, strict=True):
            numbers_seen.append((await cursor.next())["n"])
    rest = await asyncio.gather(*(cursor.to_list() for cursor in cursors))
    for n, (numbers_seen, documents) in enumerate(zip(seen, rest, strict=True)):
        assert numbers_seen + [document["n"] for document in documents] == list(range(n % 3, 1000, 3))


@pytest.mark.needs("tailable cursor")
async def test_a_tailable_cursor(database: AsyncDatabase[Any], name: str) -> None:
    """It waits on the server for what comes next."""
    capped = await database.create_collection(name, capped=True, size=1_000_000)
    await capped.insert_one({"n": 0})
    cursor = capped.find({}, cursor_type=CursorType.TAILABLE_AWAIT).max_await_time_ms(200)
    assert (await cursor.next())["n"] == 0
    waiting = asyncio.create_task(anext(cursor))
    await capped.insert_one({"n": 1})
    async with asyncio.timeout(20):
        assert (await waiting)["n"] == 1
    await cursor.close()
