"""PyMongo Async with the same certificate beside us: what one writes the other reads, and both are told the same."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping
from typing import Any

import bson
import pymongo
import pytest
from bson import CodecOptions
from bson.raw_bson import RawBSONDocument
from live_capabilities import VALUES, Capabilities
from live_server import LiveServer
from pymongo.asynchronous.collection import AsyncCollection as PyMongoCollection
from pymongo.errors import BulkWriteError as PyMongoBulkWriteError
from pymongo.errors import OperationFailure as PyMongoFailure

import aiomongo_tls
from aiomongo_tls import AsyncCollection, BulkWriteError, OperationFailure

Things = AsyncCollection[dict[str, Any]]
TheirThings = PyMongoCollection[dict[str, Any]]


# What a replica set tells with every reply, and what is never the same twice.
MOMENTS = ("$clusterTime", "operationTime", "electionId", "opTime")


def steady(reply: Mapping[str, Any]) -> dict[str, Any]:
    """A reply without the moment that it is of."""
    return {name: value for name, value in reply.items() if name not in MOMENTS}


@pytest.fixture
async def theirs(server: LiveServer, run: str, name: str) -> AsyncIterator[TheirThings]:
    """The same collection through PyMongo."""
    async with pymongo.AsyncMongoClient[dict[str, Any]](server.uri()) as client:
        yield client[run][name]


@pytest.fixture
def document(capabilities: Capabilities) -> dict[str, Any]:
    """A value of every type that the server keeps."""
    values = {name: value for name, value in VALUES.items() if capabilities.missing(f"value: {name}") is None}
    assert len(values) > 10
    return {"_id": 1, **values}


async def test_they_read_what_we_write(things: Things, theirs: TheirThings, document: dict[str, Any]) -> None:
    """Byte by byte."""
    await things.insert_one(document)
    found = await theirs.with_options(CodecOptions(RawBSONDocument)).find_one()
    assert found is not None
    assert found.raw == bson.encode(document)


async def test_we_read_what_they_write(things: Things, theirs: TheirThings, document: dict[str, Any]) -> None:
    """Byte by byte."""
    await theirs.insert_one(document)
    found = await things.with_options(CodecOptions(RawBSONDocument)).find_one()
    assert found is not None
    assert found.raw == bson.encode(document)


async def test_many_documents(things: Things, theirs: TheirThings) -> None:
    """In the same order, with the same counts."""
    await things.insert_many([{"_id": n, "third": n % 3} for n in range(5000)])
    assert await theirs.count_documents({}) == 5000
    ours = await things.find({"third": 1}).sort("_id", -1).batch_size(100).to_list()
    assert ours == await theirs.find({"third": 1}).sort("_id", -1).batch_size(100).to_list()
    assert sorted(await things.distinct("third")) == sorted(await theirs.distinct("third"))


@pytest.mark.parametrize(
    "command",
    [
        {"nonsense": 1},
        {"find": 1},
        {"drop": "not there"},
        {"getMore": bson.Int64(12345), "collection": "x"},
        {"update": "x", "updates": [{"q": {}, "u": {"$nonsense": 1}}]},
        {"aggregate": "x", "pipeline": [{"$nonsense": 1}], "cursor": {}},
        {"create": ""},
    ],
    ids=lambda command: next(iter(command)),
)
async def test_the_same_answer_to_the_same_command(
    things: Things, theirs: TheirThings, command: dict[str, Any]
) -> None:
    """The result, or code, name and text of the refusal."""
    await things.insert_one({})

    def told(error: OperationFailure | PyMongoFailure) -> object:
        details = error.details or {}
        return type(error).__name__, error.code, details.get("codeName"), details.get("errmsg")

    ours: object
    other: object
    try:
        ours = steady(await things.database.command(command))
    except OperationFailure as error:
        ours = told(error)
    try:
        other = steady(await theirs.database.command(command))
    except PyMongoFailure as error:
        other = told(error)
    assert ours == other


async def test_the_same_errors_of_a_bulk(things: Things, theirs: TheirThings) -> None:
    """Their places, codes and texts, and the counts of what went well."""
    await things.insert_many([{"_id": 3}, {"_id": 5}])
    with pytest.raises(BulkWriteError) as ours:
        await things.insert_many([{"_id": n} for n in (1, 3, 2, 5)], ordered=False)
    await things.delete_many({"_id": {"$in": [1, 2]}})
    with pytest.raises(PyMongoBulkWriteError) as other:
        await theirs.insert_many([{"_id": n} for n in (1, 3, 2, 5)], ordered=False)
    assert ours.value.details == other.value.details


async def test_the_same_results(things: Things, theirs: TheirThings) -> None:
    """Every kind of write has the same result through both."""

    async def told(collection: Any, names: Any) -> list[object]:
        await collection.drop()
        inserted = await collection.insert_many([{"_id": n, "n": n} for n in range(5)])
        updated = await collection.update_many({"n": {"$gt": 1}}, {"$inc": {"n": 1}})
        upserted = await collection.update_one({"_id": "new"}, {"$set": {"n": 1}}, upsert=True)
        replaced = await collection.replace_one({"_id": 0}, {"m": 1})
        deleted = await collection.delete_many({"n": 4})
        bulk = await collection.bulk_write([names.InsertOne({"_id": 9}), names.DeleteMany({"_id": {"$lt": 2}})])
        return [
            inserted.inserted_ids,
            steady(updated.raw_result),
            steady(upserted.raw_result),
            steady(replaced.raw_result),
            steady(deleted.raw_result),
            bulk.bulk_api_result,
            await collection.find({}).sort("n").to_list(),
        ]

    assert await told(things, aiomongo_tls) == await told(theirs, pymongo)


async def test_indexes(things: Things, theirs: TheirThings) -> None:
    """What we create they see, as we do."""
    await things.create_index([("a", 1), ("b", -1)], name="mine")
    assert await theirs.index_information() == await things.index_information()
    assert "mine" in await theirs.index_information()
