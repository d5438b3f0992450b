"""What it refuses, in its own words; and where it hangs up instead."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

import bson
import pymongo
import pytest
from bson import Binary, Code, Int64
from events import Events
from live_javaserver import JavaServer

from aiomongo_tls import (
    AsyncClient,
    AsyncCollection,
    AutoReconnect,
    BulkWriteError,
    CollectionInvalid,
    ConnectionClosedEvent,
    CursorNotFound,
    DocumentTooLarge,
    DuplicateKeyError,
    InsertOne,
    MongoError,
    OperationFailure,
    ProtocolError,
    UpdateOne,
    WriteConcern,
    WriteError,
)

Document = dict[str, Any]
Things = AsyncCollection[Document]
Ask = Callable[[Things], Awaitable[object]]


async def twice(things: Things) -> None:
    await things.insert_one({"_id": 1})
    await things.insert_one({"_id": 1})


async def unique(things: Things) -> None:
    await things.create_index("a", unique=True)
    await things.insert_one({"a": 1})
    await things.update_one({"_id": 1}, {"$set": {"a": 1}}, upsert=True)


async def updated(things: Things, update: Document) -> None:
    await things.insert_one({"_id": 1, "n": 1, "text": "text"})
    await things.update_one({"_id": 1}, update)


async def aggregated(things: Things, *stages: Document) -> None:
    await things.insert_one({"_id": 1, "n": 1})
    await (await things.aggregate(list(stages))).to_list()


async def found(things: Things, condition: Document) -> None:
    await things.insert_one({"_id": 1, "n": 1})
    await things.find(condition).to_list()


async def dropped(things: Things) -> None:
    await things.insert_one({})
    await things.drop_index("nope")


async def killed(things: Things) -> None:
    await things.insert_many([{} for _ in range(5)])
    database = things.database
    reply = await database.command({"find": things.name, "batchSize": 1})
    number = Int64(reply["cursor"]["id"])
    assert (await database.command({"killCursors": things.name, "cursors": [number]}))["cursorsKilled"] == [number]
    await database.command({"getMore": number, "collection": things.name})


REFUSALS: dict[str, tuple[Ask, type[MongoError], int | None, str]] = {
    "a key twice": (twice, DuplicateKeyError, 11000, "E11000 duplicate key error collection"),
    "a unique index": (unique, DuplicateKeyError, 11000, "E11000 duplicate key error collection"),
    "an unknown command": (
        lambda c: c.database.command("nonsense"),
        OperationFailure,
        59,
        "no such command: 'nonsense'",
    ),
    "explain": (lambda c: c.database.command("explain", {"find": c.name}), OperationFailure, 59, "'explain'"),
    "startSession": (lambda c: c.database.client.admin.command("startSession"), OperationFailure, 59, "'startSession'"),
    "an unknown query operator": (
        lambda c: found(c, {"n": {"$nope": 1}}),
        OperationFailure,
        2,
        "unknown operator: $nope",
    ),
    "$where": (lambda c: found(c, {"$where": "1"}), OperationFailure, 2, "unknown top level operator: $where"),
    "an unknown update operator": (lambda c: updated(c, {"$nope": {"n": 1}}), WriteError, 9, "Unknown modifier: $nope"),
    "another _id": (lambda c: updated(c, {"$set": {"_id": 2}}), WriteError, 66, "immutable field '_id'"),
    "counting with text": (lambda c: updated(c, {"$inc": {"text": 1}}), WriteError, 14, "Cannot apply \\$inc"),
    "pushing into a number": (lambda c: updated(c, {"$push": {"n": 1}}), WriteError, 2, "must be an array"),
    "an unknown stage": (lambda c: aggregated(c, {"$nope": {}}), OperationFailure, 40324, "stage name: '$nope'"),
    "dividing by zero": (
        lambda c: aggregated(c, {"$project": {"x": {"$divide": ["$n", 0]}}}),
        OperationFailure,
        16608,
        "can't \\$divide by zero",
    ),
    "an index that is not there": (dropped, OperationFailure, 27, "index not found with name"),
    "a killed cursor": (killed, CursorNotFound, 43, "does not exist"),
    "another database than admin": (
        lambda c: c.database.client.admin.command("replSetGetStatus"),
        OperationFailure,
        76,
        "not running with --replSet",
    ),
    "an exception in Java": (
        lambda c: c.database.command("triggerInternalException"),
        OperationFailure,
        None,
        "Unknown error: For testing purposes",
    ),
}


@pytest.mark.parametrize("what", REFUSALS)
async def test_refusals(things: Things, what: str) -> None:
    """Class, code and text are PyMongo's for the same reply; the reply has a field `$err` that no MongoDB sends."""
    ask, cls, code, words = REFUSALS[what]
    with pytest.raises(cls, match=words.replace("$", r"\$").replace(r"\\$", r"\$")) as caught:
        await ask(things)
    error = caught.value
    assert isinstance(error, OperationFailure)
    assert (type(error), error.code) == (cls, code)
    assert error.details is not None
    if not isinstance(error, WriteError):
        assert error.details["$err"] == error.details["errmsg"]
        assert error.details["ok"] == 0
    # The connection is as good as before.
    assert await things.database.command("ping") == {"ok": 1.0}


async def test_a_collection_that_is_there(things: Things) -> None:
    """PyMongo's error, of the client's own look."""
    await things.insert_one({})
    with pytest.raises(CollectionInvalid):
        await things.database.create_collection(things.name)
    with pytest.raises(OperationFailure, match="already exists") as caught:
        await things.database.command({"create": things.name})
    assert caught.value.code == 48


@pytest.mark.parametrize("ordered", [True, False])
async def test_errors_of_a_bulk(server: JavaServer, things: Things, ordered: bool) -> None:
    """Each has its index, code and text. The server counts the failed one as inserted, which PyMongo repeats too."""
    documents: list[Document] = [{"_id": 1}, {"_id": 1}, {"_id": 2}]
    with pytest.raises(BulkWriteError) as ours:
        await things.insert_many(documents, ordered=ordered)
    (error,) = ours.value.details["writeErrors"]
    assert (error["index"], error["code"]) == (1, 11000)
    assert await things.count_documents({}) == (1 if ordered else 2)
    with pymongo.MongoClient[Document](server.uri()) as client:
        theirs = client["javaserver"][f"{things.name}_theirs"]
        with pytest.raises(pymongo.errors.BulkWriteError) as also:
            theirs.insert_many(documents, ordered=ordered)
    assert ours.value.details["nInserted"] == also.value.details["nInserted"] == 3


async def test_upserts_in_a_bulk(things: Things) -> None:
    """Each is told by its place."""
    operations = [UpdateOne({"_id": n}, {"$set": {"x": 1}}, upsert=True) for n in range(3)]
    result = await things.bulk_write([InsertOne({"_id": 1}), *operations])
    assert (result.inserted_count, result.matched_count, result.upserted_ids) == (1, 1, {1: 0, 3: 2})


async def test_a_document_that_is_too_large(things: Things) -> None:
    """Not even sent."""
    with pytest.raises(DocumentTooLarge, match="16777216"):
        await things.insert_one({"data": b"x" * 16_777_300})
    assert await things.count_documents({}) == 0


async def test_a_document_that_became_too_large(things: Things) -> None:
    """This server lets it grow; it is read back whole, since nothing in the protocol forbids it."""
    await things.insert_one({"_id": 1, "a": b"x" * 12_000_000})
    await things.update_one({"_id": 1}, {"$set": {"b": b"y" * 8_000_000}})
    document = await things.find_one()
    assert document is not None
    assert len(bson.encode(document)) > 20_000_000


async def test_a_reply_that_is_too_long(server: JavaServer, name: str) -> None:
    """It fills a batch with all there is, beyond its own `maxMessageSizeBytes`: refused by us and PyMongo alike.

    The connection is closed, the next operation has another; with a batch size all is well.
    """
    events = Events()
    async with AsyncClient.connect(server.uri(), event_listeners=[events]) as client:
        things = client["javaserver"][name]
        await things.insert_many([{"_id": number, "data": b"x" * 1_000_000} for number in range(50)])
        with pytest.raises(ProtocolError, match="48000000"):
            await things.find({}).to_list()
        await events.occurs(ConnectionClosedEvent)
        assert len(await things.find({}, batch_size=10).to_list()) == 50
    with pymongo.MongoClient[Document](server.uri()) as theirs:
        with pytest.raises(pymongo.errors.ProtocolError, match="48000000"):
            list(theirs["javaserver"][name].find())
        theirs["javaserver"].drop_collection(name)


@pytest.mark.parametrize(
    "value",
    [Code("x", {"a": 1}), Binary(b"x", 9), Binary(b"x", 129)],
    ids=["code with scope", "subtype 9", "subtype 129"],
)
async def test_values_that_it_cannot_read(things: Things, value: object) -> None:
    """It hangs up, without a word. The error says where; the next operation has another connection."""
    with pytest.raises(AutoReconnect, match="closed the connection while waiting for the reply") as caught:
        await things.insert_one({"_id": 1, "value": value})
    assert "127.0.0.1" in str(caught.value)
    assert await things.find_one() is None


async def test_a_read_that_it_hangs_up_on(server: JavaServer, name: str) -> None:
    """Tried once more, on another connection, and then told."""
    events = Events()
    async with AsyncClient.connect(server.uri(), event_listeners=[events]) as client:
        events.forget()
        with pytest.raises(AutoReconnect):
            await client["javaserver"][name].find_one({"value": Binary(b"x", 9)})
        await events.occurs(ConnectionClosedEvent, 2)
        assert await client["javaserver"][name].find_one() is None


async def test_writes_without_a_reply(server: JavaServer, name: str) -> None:
    """It hangs up on them too (`flags=2 not yet supported`); sooner or later the client works again by itself."""
    events = Events()
    async with AsyncClient.connect(server.uri(), event_listeners=[events]) as client:
        careless = client["javaserver"].get_collection(name, write_concern=WriteConcern(w=0))
        result = await careless.insert_one({"_id": 1})
        assert not result.acknowledged
        await events.occurs(ConnectionClosedEvent)
        async with asyncio.timeout(10):
            while True:
                try:
                    assert await client["javaserver"][name].count_documents({}) == 0
                except AutoReconnect:
                    continue
                break
    await asyncio.to_thread(server.says, "flags=2 not yet supported")


async def test_cursors_outlive_connections(server: JavaServer, things: Things) -> None:
    """They belong to the server: another client may read on, if it says how far."""
    await things.insert_many([{"_id": number} for number in range(10)])
    reply = await things.database.command({"find": things.name, "batchSize": 4})
    async with AsyncClient.connect(server.uri()) as other:
        more = {"getMore": Int64(reply["cursor"]["id"]), "collection": things.name}
        with pytest.raises(OperationFailure, match="Illegal number to return: 0"):
            await other["javaserver"].command(more)
        rest = await other["javaserver"].command(more | {"batchSize": 100})
    batches = [*reply["cursor"]["firstBatch"], *rest["cursor"]["nextBatch"]]
    assert [document["_id"] for document in batches] == list(range(10))
    assert rest["cursor"]["id"] == 0
