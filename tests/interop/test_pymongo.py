"""PyMongo's clients against our server, over TLS by MONGODB-X509: what an application does in a day."""

from __future__ import annotations

import datetime
from collections.abc import AsyncIterator, Iterator
from typing import Any

import bson
import pymongo
import pytest
from bson import Decimal128, Int64, ObjectId, Regex, Timestamp
from pymongo import ASCENDING, DESCENDING, DeleteOne, IndexModel, InsertOne, ReplaceOne, ReturnDocument, UpdateMany
from pymongo.asynchronous.collection import AsyncCollection
from pymongo.collection import Collection
from pymongo.errors import BulkWriteError, DuplicateKeyError, OperationFailure

from aiomongo_tls.testing import MongoTestServer

Users = Collection[dict[str, Any]]
AsyncUsers = AsyncCollection[dict[str, Any]]


@pytest.fixture
def users(aiomongo_server: MongoTestServer) -> Iterator[Users]:
    with pymongo.MongoClient[dict[str, Any]](aiomongo_server.uri()) as client:
        yield client.app.users


@pytest.fixture
async def async_users(aiomongo_server: MongoTestServer) -> AsyncIterator[AsyncUsers]:
    async with pymongo.AsyncMongoClient[dict[str, Any]](aiomongo_server.uri()) as client:
        yield client.app.users


def test_who_is_logged_in(users: Users, aiomongo_server: MongoTestServer) -> None:
    """The certificate's subject, since the connection's first hello."""
    status = users.database.client.admin.command("connectionStatus")
    assert aiomongo_server.client_certificate is not None
    assert status["authInfo"]["authenticatedUsers"] == [
        {"user": aiomongo_server.client_certificate.subject, "db": "$external"}
    ]
    assert aiomongo_server.commands_named("authenticate") == []


def test_several_batches(users: Users) -> None:
    """A find goes through a cursor, in order, whatever the size of its batches."""
    users.insert_many([{"_id": n, "even": n % 2 == 0} for n in range(500)])
    assert [d["_id"] for d in users.find({"even": True}, batch_size=7)] == list(range(0, 500, 2))
    assert [d["_id"] for d in users.find().sort("_id", DESCENDING).skip(5).limit(150).batch_size(50)] == [
        *range(494, 344, -1)
    ]
    assert len(list(users.find(limit=-3))) == 3


def test_a_cursor_that_is_closed_early(users: Users, aiomongo_server: MongoTestServer) -> None:
    """It is killed on the server."""
    users.insert_many([{} for _ in range(10)])
    with users.find(batch_size=2) as cursor:
        next(cursor)
        number = cursor.cursor_id
    assert aiomongo_server.commands_named("killCursors")[0].document["cursors"] == [number]


def test_large_documents_over_several_messages(users: Users) -> None:
    """More than one message in either direction."""
    users.insert_many([{"_id": n, "x": "x" * 3_000_000} for n in range(20)])
    assert sum(len(d["x"]) for d in users.find()) == 60_000_000


def test_every_type_survives(users: Users) -> None:
    """What is stored comes back, to the last bit."""
    document: dict[str, Any] = {
        "_id": ObjectId(),
        "int": 1,
        "long": Int64(1),
        "double": 1.0,
        "decimal": Decimal128("1.10"),
        "bool": True,
        "null": None,
        "date": datetime.datetime(2026, 5, 6, 7, 8, 9, 10_000),
        "bytes": b"\x00\xff",
        "regex": Regex("^x", "i"),
        "timestamp": Timestamp(5, 6),
        "ref": bson.DBRef("things", 5),
        "nested": {"b": 1, "a": [{}, [], "é"]},
    }
    raw = bson.encode(document)
    users.insert_one(document)
    assert bson.encode(users.find_one() or {}) == raw


def test_updates_and_deletes(users: Users) -> None:
    """Counts are those of the server."""
    users.insert_many([{"_id": n, "n": n} for n in range(10)])
    result = users.update_many({"n": {"$lt": 5}}, {"$inc": {"n": 100}})
    assert (result.matched_count, result.modified_count) == (5, 5)
    assert users.update_one({"_id": 0}, {"$set": {"n": 100}}).modified_count == 0
    assert users.replace_one({"_id": 1}, {"z": 1}).modified_count == 1
    assert users.update_one({"_id": "new"}, {"$set": {"a": 1}}, upsert=True).upserted_id == "new"
    assert users.delete_many({"n": {"$gte": 100}}).deleted_count == 4
    assert users.delete_one({"_id": "new"}).deleted_count == 1
    assert users.count_documents({}) == users.estimated_document_count() == 6
    assert users.distinct("n", {"n": {"$gt": 7}}) == [8, 9]


def test_find_one_and(users: Users) -> None:
    """The document before or after."""
    users.insert_one({"_id": 1, "n": 1})
    assert users.find_one_and_update({"_id": 1}, {"$inc": {"n": 1}}) == {"_id": 1, "n": 1}
    after = users.find_one_and_replace({"_id": 1}, {"z": 1}, return_document=ReturnDocument.AFTER)
    assert after == {"_id": 1, "z": 1}
    assert users.find_one_and_delete({"_id": 1}) == {"_id": 1, "z": 1}
    assert users.find_one_and_delete({"_id": 1}) is None


def test_bulk_writes(users: Users) -> None:
    """Mixed, ordered and unordered, errors with the caller's indexes."""
    result = users.bulk_write(
        [
            InsertOne({"_id": 1}),
            InsertOne({"_id": 2}),
            UpdateMany({}, {"$set": {"x": 1}}),
            ReplaceOne({"_id": 3}, {"y": 1}, upsert=True),
            DeleteOne({"_id": 1}),
        ]
    )
    assert (result.inserted_count, result.modified_count, result.deleted_count) == (2, 2, 1)
    assert result.upserted_ids == {3: 3}
    with pytest.raises(BulkWriteError) as caught:
        users.bulk_write([InsertOne({"_id": 5}), InsertOne({"_id": 5}), InsertOne({"_id": 6})], ordered=False)
    (error,) = caught.value.details["writeErrors"]
    assert (error["index"], error["code"]) == (1, 11000)
    assert users.count_documents({"_id": {"$in": [5, 6]}}) == 2


def test_many_documents_in_one_call(users: Users) -> None:
    """More than one write batch."""
    assert len(users.insert_many([{"_id": n} for n in range(100_001)]).inserted_ids) == 100_001
    assert users.estimated_document_count() == 100_001


def test_aggregation(users: Users) -> None:
    """Pipelines, over several batches too."""
    users.insert_many([{"_id": n, "k": n % 10} for n in range(300)])
    groups = users.aggregate([{"$group": {"_id": "$k", "n": {"$sum": 1}}}, {"$sort": {"_id": 1}}], batchSize=3)
    assert list(groups) == [{"_id": k, "n": 30} for k in range(10)]
    users.aggregate([{"$match": {"k": 3}}, {"$out": "threes"}])
    assert users.database.threes.count_documents({}) == 30


def test_indexes(users: Users) -> None:
    """Made, listed, hinted at, enforced, dropped."""
    assert users.create_index([("email", ASCENDING)], unique=True) == "email_1"
    assert users.create_indexes([IndexModel([("a", 1), ("b", -1)]), IndexModel("ttl", expireAfterSeconds=5)]) == [
        "a_1_b_-1",
        "ttl_1",
    ]
    assert users.index_information()["email_1"]["unique"] is True
    users.insert_one({"_id": 1, "email": "a"})
    with pytest.raises(DuplicateKeyError) as caught:
        users.insert_one({"_id": 2, "email": "a"})
    assert caught.value.details is not None
    assert caught.value.details["keyValue"] == {"email": "a"}
    assert users.find_one(hint="email_1") is not None
    with pytest.raises(OperationFailure, match="hint"):
        users.find_one(hint="nope")
    users.drop_index("email_1")
    users.drop_indexes()
    assert list(users.index_information()) == ["_id_"]


def test_databases_and_collections(users: Users) -> None:
    """Listed, made, renamed, dropped."""
    database = users.database
    database.create_collection("empty")
    users.insert_one({})
    assert sorted(database.list_collection_names()) == ["empty", "users"]
    with pytest.raises(pymongo.errors.CollectionInvalid):
        database.create_collection("empty")
    users.rename("people")
    assert database.people.count_documents({}) == 1
    database.drop_collection("empty")
    assert database.client.list_database_names() == ["app"]
    database.client.drop_database("app")
    assert database.client.list_database_names() == []


def test_an_unacknowledged_write(users: Users, aiomongo_server: MongoTestServer) -> None:
    """It arrives, and is not answered."""
    users.with_options(write_concern=pymongo.WriteConcern(w=0)).insert_one({"_id": 1})
    (command,) = aiomongo_server.wait_for("insert")
    assert not command.wants_reply
    assert users.find_one() == {"_id": 1}


def test_what_the_server_cannot_do_is_an_error(users: Users) -> None:
    """Transactions, change streams, text search, collations: an error with a code, never a wrong answer."""
    users.insert_one({"name": "Ada"})
    refused = [
        lambda: users.find_one({"$text": {"$search": "Ada"}}),
        lambda: users.find_one({"$where": "true"}),
        lambda: users.find_one({"name": "ada"}, collation={"locale": "en", "strength": 2}),
        lambda: users.watch().next(),
        lambda: users.create_index([("name", pymongo.TEXT)]),
        lambda: users.find().explain(),
        lambda: list(users.aggregate([{"$graphLookup": {}}])),
    ]
    for operation in refused:
        with pytest.raises(OperationFailure) as caught:
            operation()
        assert caught.value.code == 238


async def test_async_pymongo(async_users: AsyncUsers) -> None:
    """The asynchronous client: several batches, updates, bulk, aggregation, indexes."""
    await async_users.insert_many([{"_id": n, "k": n % 3} for n in range(300)])
    assert [d["_id"] async for d in async_users.find({"k": 1}, batch_size=9)] == list(range(1, 300, 3))
    assert (await async_users.update_many({"k": 0}, {"$set": {"z": True}})).modified_count == 100
    assert (await async_users.delete_many({"k": 1})).deleted_count == 100
    result = await async_users.bulk_write([InsertOne({"_id": -1}), DeleteOne({"_id": 0})])
    assert (result.inserted_count, result.deleted_count) == (1, 1)
    cursor = await async_users.aggregate([{"$group": {"_id": "$k", "n": {"$sum": 1}}}, {"$sort": {"_id": 1}}])
    assert await cursor.to_list() == [{"_id": None, "n": 1}, {"_id": 0, "n": 99}, {"_id": 2, "n": 100}]
    await async_users.create_index("k")
    assert list(await async_users.index_information()) == ["_id_", "k_1"]
    with pytest.raises(DuplicateKeyError):
        await async_users.insert_one({"_id": 3})
