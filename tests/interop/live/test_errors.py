"""The server's refusals: of the right class, with its code and words; the connection goes on."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from typing import Any

import pytest

from aiomongo_tls import (
    AsyncClient,
    AsyncCollection,
    AsyncDatabase,
    BulkWriteError,
    DuplicateKeyError,
    InsertOne,
    OperationFailure,
)

Things = AsyncCollection[dict[str, Any]]


@pytest.fixture(autouse=True)
async def the_connection_goes_on(client: AsyncClient[Any]) -> AsyncIterator[None]:
    """A refusal costs no connection."""
    await client.ping()
    before = {address: status.generation for address, status in client.pool_status().items()}
    yield
    await client.ping()
    for address, status in client.pool_status().items():
        assert (status.generation, status.in_use) == (before[address], 0)


async def test_duplicate_keys(things: Things) -> None:
    """One's own class, code 11000."""
    await things.insert_one({"_id": 1})
    with pytest.raises(DuplicateKeyError) as caught:
        await things.insert_one({"_id": 1})
    assert caught.value.code == 11000
    assert "E11000" in str(caught.value)


@pytest.mark.needs("duplicate key details")
async def test_what_is_there_twice(things: Things) -> None:
    """The key and its value are in the details."""
    await things.insert_one({"_id": 1})
    with pytest.raises(DuplicateKeyError) as caught:
        await things.insert_one({"_id": 1})
    assert caught.value.details is not None
    assert caught.value.details["keyValue"] == {"_id": 1}


@pytest.mark.needs("counts of failed bulks")
async def test_duplicate_keys_in_a_bulk(things: Things) -> None:
    """What went well is counted beside what did not."""
    await things.insert_one({"_id": 2})
    with pytest.raises(BulkWriteError) as caught:
        await things.bulk_write([InsertOne({"_id": n}) for n in (1, 2, 3, 2, 4)], ordered=False)
    assert caught.value.details["nInserted"] == 3
    assert [(error["index"], error["code"]) for error in caught.value.details["writeErrors"]] == [
        (1, 11000),
        (3, 11000),
    ]
    assert [error["op"] for error in caught.value.details["writeErrors"]] == [{"_id": 2}, {"_id": 2}]


@pytest.mark.needs("refusal of commands")
async def test_unknown_commands(database: AsyncDatabase[Any]) -> None:
    """CommandNotFound, 59."""
    with pytest.raises(OperationFailure) as caught:
        await database.command("nonsense")
    assert (caught.value.code, caught.value.code_name) == (59, "CommandNotFound")
    assert "nonsense" in str(caught.value)


@pytest.mark.parametrize(
    "do",
    [
        pytest.param(
            lambda things: things.update_one({"_id": 1}, {"$nonsense": {"a": 1}}),
            marks=pytest.mark.needs("refusal of update operators"),
            id="update operator",
        ),
        pytest.param(
            lambda things: things.find_one({"n": {"$nonsense": 1}}),
            marks=pytest.mark.needs("refusal of query operators"),
            id="query operator",
        ),
        pytest.param(
            lambda things: things.update_one({"_id": 1}, {"$inc": {"s": 1}}),
            marks=pytest.mark.needs("refusal of numeric operators on text"),
            id="increasing a text",
        ),
        pytest.param(
            lambda things: things.update_one({"_id": 1}, {"$set": {"_id": 2}}),
            marks=pytest.mark.needs("refusal of a changed _id"),
            id="changing _id",
        ),
        pytest.param(
            lambda things: things.database.command({"find": things.name, "nonsense": 1}),
            marks=pytest.mark.needs("refusal of unknown parameters"),
            id="parameter",
        ),
        pytest.param(
            lambda things: things.database.command({"create": things.name}),
            marks=pytest.mark.needs("refusal of the same name"),
            id="create twice",
        ),
    ],
)
async def test_refusals(things: Things, do: Callable[[Things], Any]) -> None:
    """OperationFailure with a code and a text, and nothing is changed."""
    await things.insert_one({"_id": 1, "s": "text"})
    with pytest.raises(OperationFailure) as caught:
        await do(things)
    assert isinstance(caught.value.code, int)
    assert caught.value.code > 0
    assert str(caught.value)
    assert await things.find({}).to_list() == [{"_id": 1, "s": "text"}]


async def test_many_refusals_at_the_same_time(things: Things, database: AsyncDatabase[Any]) -> None:
    """Each caller gets its own."""
    await things.insert_many([{"_id": n} for n in range(20)])
    results = await asyncio.gather(*(things.insert_one({"_id": n}) for n in range(40)), return_exceptions=True)
    assert [isinstance(result, DuplicateKeyError) for result in results] == [True] * 20 + [False] * 20
