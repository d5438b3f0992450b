"""Writes, end to end."""

from __future__ import annotations

from typing import Any

import bson
import pytest
from bson.objectid import ObjectId
from bson.raw_bson import RawBSONDocument

from aiomongo_tls import (
    DESCENDING,
    AsyncCollection,
    AutoReconnect,
    BulkWriteError,
    ConfigurationError,
    DeleteMany,
    DeleteOne,
    DocumentTooLarge,
    DuplicateKeyError,
    InsertOne,
    InvalidOperation,
    NotPrimaryError,
    OperationFailure,
    ReplaceOne,
    ReturnDocument,
    UpdateMany,
    UpdateOne,
    WriteConcern,
    WriteConcernError,
    WriteError,
    WTimeoutError,
)
from aiomongo_tls.testing import MongoTestServer, RecordedCommand

Users = AsyncCollection[dict[str, Any]]


def last(server: MongoTestServer, name: str) -> RecordedCommand:
    return server.commands_named(name)[-1]


# insert_one, insert_many


async def test_insert_one(aiomongo_server: MongoTestServer, users: Users) -> None:
    """The document arrives, in a session, in one command."""
    result = await users.insert_one({"_id": 1, "name": "Ada"}, comment="why")
    assert (result.inserted_id, result.acknowledged) == (1, True)
    assert await users.find_one(1) == {"_id": 1, "name": "Ada"}
    sent = last(aiomongo_server, "insert").document
    assert list(sent) == ["insert", "ordered", "comment", "lsid", "$db", "documents"]
    assert sent["$db"] == "app"


async def test_a_made_up_id_is_in_the_result_and_in_the_document(
    users: Users, aiomongo_server: MongoTestServer
) -> None:
    """And goes first over the wire."""
    document: dict[str, Any] = {"name": "Ada"}
    result = await users.insert_one(document)
    assert isinstance(result.inserted_id, ObjectId)
    assert document == {"name": "Ada", "_id": result.inserted_id}
    assert list(last(aiomongo_server, "insert").document["documents"][0]) == ["_id", "name"]


async def test_a_raw_document_goes_byte_for_byte(users: Users) -> None:
    """With its own `_id`."""
    raw = RawBSONDocument(bson.encode({"a": 1, "_id": 7}))
    assert (await users.insert_one(raw)).inserted_id == 7
    assert await users.find_one(7) == {"_id": 7, "a": 1}


async def test_a_duplicate_key_is_its_own_error(users: Users) -> None:
    """With the server's code and details."""
    await users.insert_one({"_id": 1})
    with pytest.raises(DuplicateKeyError) as raised:
        await users.insert_one({"_id": 1})
    assert raised.value.code == 11000
    details: Any = raised.value.details
    assert details["keyValue"] == {"_id": 1}
    assert isinstance(raised.value, WriteError)


async def test_insert_many(users: Users, aiomongo_server: MongoTestServer) -> None:
    """Any iterable; one command; ids in the caller's order."""
    result = await users.insert_many({"_id": number} for number in range(5))
    assert result.inserted_ids == [0, 1, 2, 3, 4]
    assert await users.count_documents({}) == 5
    assert len(aiomongo_server.commands_named("insert")) == 1


async def test_insert_many_ordered_stops_at_the_first_error(users: Users) -> None:
    """The documents before it are there."""
    with pytest.raises(BulkWriteError) as raised:
        await users.insert_many([{"_id": 1}, {"_id": 1}, {"_id": 2}])
    details: Any = raised.value.details
    assert details["nInserted"] == 1
    assert [(error["index"], error["code"], error["op"]) for error in details["writeErrors"]] == [
        (1, 11000, {"_id": 1})
    ]
    assert await users.distinct("_id") == [1]


async def test_insert_many_unordered_tries_all(users: Users) -> None:
    """The documents behind it are there, too."""
    with pytest.raises(BulkWriteError) as raised:
        await users.insert_many([{"_id": 1}, {"_id": 1}, {"_id": 2}, {"_id": 2}], ordered=False)
    details: Any = raised.value.details
    assert [error["index"] for error in details["writeErrors"]] == [1, 3]
    assert await users.distinct("_id") == [1, 2]


@pytest.mark.parametrize("wrong", [{}, {"a": 1}, [], "ab", 5, None, [5]])
async def test_insert_many_wants_documents(users: Users, wrong: Any, aiomongo_server: MongoTestServer) -> None:
    """One document is not many, although a mapping can be iterated."""
    with pytest.raises(TypeError):
        await users.insert_many(wrong)
    assert not aiomongo_server.commands_named("insert")


# update, replace, delete


async def test_update_one_and_many(users: Users) -> None:
    """Counts of what matched and of what is different now."""
    await users.insert_many([{"_id": number, "n": number % 2} for number in range(4)])
    result = await users.update_one({"n": 1}, {"$set": {"x": 1}})
    assert (result.matched_count, result.modified_count, result.upserted_id) == (1, 1, None)
    result = await users.update_many({"n": 1}, {"$set": {"x": 1}})
    assert (result.matched_count, result.modified_count) == (2, 1)
    assert result.raw_result is not None
    assert result.raw_result["updatedExisting"] is True
    assert await users.count_documents({"x": 1}) == 2


async def test_upserts(users: Users) -> None:
    """The new id, and nothing matched."""
    result = await users.update_one({"_id": 7}, {"$set": {"a": 1}}, upsert=True)
    assert (result.matched_count, result.modified_count, result.upserted_id, result.did_upsert) == (0, 0, 7, True)
    result = await users.replace_one({"name": "Bob"}, {"name": "Bob"}, True)
    assert isinstance(result.upserted_id, ObjectId)
    assert await users.find_one({"_id": 7}) == {"_id": 7, "a": 1}


async def test_replace_one(users: Users) -> None:
    """The rest of the fields is gone, the `_id` stays."""
    await users.insert_one({"_id": 1, "a": 1, "b": 1})
    result = await users.replace_one({"a": 1}, {"c": 1})
    assert (result.matched_count, result.modified_count) == (1, 1)
    assert await users.find_one() == {"_id": 1, "c": 1}


async def test_update_options_reach_the_server(users: Users, aiomongo_server: MongoTestServer) -> None:
    """Under the server's names; what was not given is not sent."""
    aiomongo_server.on("update").replies({"n": 1, "nModified": 1})
    await users.update_one(
        {"a": 1},
        {"$set": {"b.$[x]": 1}},
        upsert=True,
        bypass_document_validation=True,
        collation={"locale": "fr"},
        array_filters=[{"x": 1}],
        hint="a_1",
        let={"v": 1},
        sort={"a": -1},
        comment="why",
    )
    sent = last(aiomongo_server, "update").document
    del sent["lsid"]
    assert sent == {
        "update": "users",
        "ordered": True,
        "bypassDocumentValidation": True,
        "let": {"v": 1},
        "comment": "why",
        "$db": "app",
        "updates": [
            {
                "q": {"a": 1},
                "u": {"$set": {"b.$[x]": 1}},
                "arrayFilters": [{"x": 1}],
                "upsert": True,
                "collation": {"locale": "fr"},
                "hint": "a_1",
                "sort": {"a": -1},
            }
        ],
    }


async def test_updates_are_not_replacements(users: Users, aiomongo_server: MongoTestServer) -> None:
    """The mistake that wipes out a document is caught before anything is sent."""
    with pytest.raises(ValueError, match="operators"):
        await users.update_one({}, {"name": "Ada"})
    with pytest.raises(ValueError, match="operators"):
        await users.update_many({}, {"name": "Ada"})
    with pytest.raises(ValueError, match="operator"):
        await users.replace_one({}, {"$set": {"name": "Ada"}})
    assert not aiomongo_server.commands_named("update")


async def test_delete_one_and_many(users: Users) -> None:
    """One, then the rest."""
    await users.insert_many([{"_id": number, "n": 1} for number in range(3)])
    assert (await users.delete_one({"n": 1})).deleted_count == 1
    assert (await users.delete_many({"n": 1})).deleted_count == 2
    assert (await users.delete_many({})).deleted_count == 0


# bulk_write


async def test_a_bulk_of_everything(users: Users, aiomongo_server: MongoTestServer) -> None:
    """Few commands, in order; counts by kind, upserted ids by index."""
    result = await users.bulk_write(
        [
            InsertOne({"_id": 1, "n": 1}),
            InsertOne({"_id": 2, "n": 1}),
            UpdateMany({"n": 1}, {"$inc": {"n": 1}}),
            ReplaceOne({"_id": 9}, {"r": 1}, upsert=True),
            UpdateOne({"_id": 1}, {"$set": {"n": 2}}),
            DeleteOne({"_id": 2}),
            DeleteMany({"n": 99}),
        ]
    )
    assert result.acknowledged
    assert result.inserted_count == 2
    assert result.matched_count == 3
    assert result.modified_count == 2
    assert result.upserted_ids == {3: 9}
    assert result.deleted_count == 1
    names = [command.name for command in aiomongo_server.commands if command.name in ("insert", "update", "delete")]
    assert names == ["insert", "update", "delete"]
    assert await users.distinct("_id") == [1, 9]
    sessions = {
        str(command.document["lsid"]) for command in aiomongo_server.commands_named("insert", "update", "delete")
    }
    assert len(sessions) == 1


async def test_an_ordered_bulk_stops_with_the_caller_s_index(users: Users) -> None:
    """Across runs: what follows is not sent."""
    with pytest.raises(BulkWriteError) as raised:
        await users.bulk_write(
            [
                InsertOne({"_id": 1}),
                UpdateOne({"_id": 1}, {"$set": {"a": 1}}),
                InsertOne({"_id": 2}),
                InsertOne({"_id": 1}),
                DeleteMany({}),
            ]
        )
    details: Any = raised.value.details
    assert (details["nInserted"], details["nModified"], details["nRemoved"]) == (2, 1, 0)
    (error,) = details["writeErrors"]
    assert (error["index"], error["op"]) == (3, {"_id": 1})
    assert await users.distinct("_id") == [1, 2]


async def test_an_unordered_bulk_tries_everything(users: Users, aiomongo_server: MongoTestServer) -> None:
    """One command for each kind, errors with the caller's indexes."""
    await users.insert_one({"_id": 1})
    with pytest.raises(BulkWriteError) as raised:
        await users.bulk_write(
            [
                DeleteOne({"_id": 1}),
                InsertOne({"_id": 1}),
                InsertOne({"_id": 2}),
                UpdateOne({"_id": 2}, {"$set": {"a": 1}}),
                InsertOne({"_id": 2}),
            ],
            ordered=False,
        )
    details: Any = raised.value.details
    assert [error["index"] for error in details["writeErrors"]] == [1, 4]
    assert (details["nInserted"], details["nModified"], details["nRemoved"]) == (1, 1, 1)
    names = [command.name for command in aiomongo_server.commands_named("insert", "update", "delete")]
    assert names == ["insert", "insert", "update", "delete"]


@pytest.fixture
def small(aiomongo_server: MongoTestServer) -> None:
    """A server with small limits."""
    aiomongo_server.on("hello").replies(
        {
            "isWritablePrimary": True,
            "maxBsonObjectSize": 2000,
            "maxMessageSizeBytes": 4000,
            "maxWriteBatchSize": 10,
            "logicalSessionTimeoutMinutes": 30,
            "minWireVersion": 0,
            "maxWireVersion": 21,
        }
    )


@pytest.mark.usefixtures("small")
@pytest.mark.aiomongo(tls="off")
async def test_a_bulk_is_cut_by_all_three_limits(aiomongo_server: MongoTestServer) -> None:
    """By number, by the size of the message; a document over the limit is refused; indexes count through."""
    async with aiomongo_server.connect() as client:
        users = client["app"]["users"]
        result = await users.insert_many([{"_id": number} for number in range(25)])
        assert len(result.inserted_ids) == 25
        assert [len(sent.document["documents"]) for sent in aiomongo_server.commands_named("insert")] == [10, 10, 5]
        await users.insert_many([{"_id": f"large {number}", "x": "x" * 1500} for number in range(5)])
        assert [len(sent.document["documents"]) for sent in aiomongo_server.commands_named("insert")[3:]] == [2, 2, 1]
        with pytest.raises(DocumentTooLarge, match=r"documents\[0\] has 20\d\d bytes.* 2000 "):
            await users.insert_one({"_id": "too large", "x": "x" * 2000})
        with pytest.raises(BulkWriteError) as raised:
            await users.bulk_write([InsertOne({"_id": 100 + number}) for number in range(12)] + [InsertOne({"_id": 0})])
        assert [error["index"] for error in (raised.value.details or {})["writeErrors"]] == [12]
        assert (raised.value.details or {})["nInserted"] == 12
        assert await users.count_documents({}) == 25 + 5 + 12


async def test_bulks_check_their_operations_first(users: Users, aiomongo_server: MongoTestServer) -> None:
    """Nothing is sent of a bulk with a mistake in it."""
    for wrong, error in (
        ([], InvalidOperation),
        (5, TypeError),
        ([InsertOne({}), 5], TypeError),
        ([InsertOne({}), UpdateOne({}, {"a": 1})], ValueError),
    ):
        with pytest.raises(error):
            await users.bulk_write(wrong)  # type: ignore[arg-type]
    assert not aiomongo_server.commands_named("insert")


# Concerns


async def test_unacknowledged_writes(users: Users, aiomongo_server: MongoTestServer) -> None:
    """w=0: no session, no reply, nothing to count; they happen nevertheless."""
    silent = users.with_options(write_concern=WriteConcern(0))
    assert not (await silent.insert_one({"_id": 1})).acknowledged
    await silent.insert_many([{"_id": 2}, {"_id": 2}, {"_id": 3}], ordered=False)
    await silent.update_many({}, {"$set": {"a": 1}})
    await silent.replace_one({"_id": 2}, {"b": 1})
    result = await silent.delete_one({"_id": 3})
    bulk = await silent.bulk_write([InsertOne({"_id": 4})], ordered=False)
    assert not bulk.acknowledged
    with pytest.raises(InvalidOperation):
        _ = result.deleted_count
    assert await users.find().sort("_id").to_list() == [{"_id": 1, "a": 1}, {"_id": 2, "b": 1}, {"_id": 4}]
    for command in aiomongo_server.commands_named("insert", "update", "delete"):
        assert not command.wants_reply
        assert "lsid" not in command.document
        assert command.document["writeConcern"] == {"w": 0}


async def test_an_unacknowledged_bulk_in_order_stops_at_the_first_error(
    users: Users, aiomongo_server: MongoTestServer
) -> None:
    """For that each answer is waited for; nobody is told what it was."""
    silent = users.with_options(write_concern=WriteConcern(0))
    await users.insert_one({"_id": 1})
    result = await silent.bulk_write([InsertOne({"_id": 2}), InsertOne({"_id": 1}), DeleteMany({})])
    assert not result.acknowledged
    assert result.bulk_api_result == {}
    assert not (await silent.insert_many([{"_id": 3}, {"_id": 1}, {"_id": 4}])).acknowledged
    assert not aiomongo_server.commands_named("delete")
    assert await users.distinct("_id") == [1, 2, 3]
    aiomongo_server.on("insert").fails(13).once()
    await silent.bulk_write([InsertOne({"_id": 5}), DeleteMany({})])
    assert not aiomongo_server.commands_named("delete")


async def test_an_unacknowledged_update_is_not_sorted_by_a_server_that_cannot(
    users: Users, aiomongo_server: MongoTestServer
) -> None:
    """Its refusal would not be heard."""
    silent = users.with_options(write_concern=WriteConcern(0))
    with pytest.raises(ConfigurationError, match="sort"):
        await silent.update_one({}, {"$set": {"a": 1}}, sort={"a": 1})
    assert not aiomongo_server.commands_named("update")


async def test_a_thousand_unacknowledged_writes_give_way(users: Users) -> None:
    """Each lets the loop turn, so that other tasks and the socket get their share."""
    silent = users.with_options(write_concern=WriteConcern(0))
    for number in range(1000):
        await silent.insert_one({"_id": number, "x": "x" * 1000})
    assert await users.count_documents({}) == 1000


async def test_an_unmet_write_concern_is_raised(users: Users, aiomongo_server: MongoTestServer) -> None:
    """The write has happened."""
    concern = {"code": 64, "errmsg": "waiting for replication timed out", "errInfo": {"wtimeout": True}}
    aiomongo_server.on("insert").replies({"n": 1, "writeConcernError": concern}).once()
    with pytest.raises(WTimeoutError) as raised:
        await users.with_options(write_concern=WriteConcern(2, wtimeout=1)).insert_one({})
    assert raised.value.details == concern
    assert last(aiomongo_server, "insert").document["writeConcern"] == {"w": 2, "wtimeout": 1}
    aiomongo_server.on("insert").replies({"n": 1, "writeConcernError": {"code": 100, "errmsg": "no"}}).once()
    with pytest.raises(WriteConcernError):
        await users.insert_one({})
    concern = {"code": 100, "errmsg": "no"}
    aiomongo_server.on("insert").replies({"n": 1, "writeConcernError": concern, "errorLabels": ["Why"]}).once()
    with pytest.raises(BulkWriteError) as bulk:
        await users.insert_many([{}])
    details: Any = bulk.value.details
    assert details["writeConcernErrors"] == [{**concern, "errorLabels": ["Why"]}]
    assert details["nInserted"] == 1


async def test_server_errors_have_their_class_code_labels_and_details(
    users: Users, aiomongo_server: MongoTestServer
) -> None:
    """Whatever the method."""
    aiomongo_server.on("insert").fails(11600, "going away", labels=["RetryableWriteError"]).times(2)
    for write in (users.insert_one({}), users.insert_many([{}])):
        with pytest.raises(NotPrimaryError) as raised:
            await write
        assert raised.value.has_error_label("RetryableWriteError")
        assert raised.value.code == 11600
    aiomongo_server.on("delete").fails(13, "not allowed", extra=1).once()
    with pytest.raises(OperationFailure) as failed:
        await users.delete_one({})
    details: Any = failed.value.details
    assert (failed.value.code, failed.value.code_name, details["extra"]) == (13, "Unauthorized", 1)


async def test_documents_that_bson_cannot_hold_are_refused(users: Users, aiomongo_server: MongoTestServer) -> None:
    """The connection is fine afterwards."""
    with pytest.raises(bson.errors.InvalidDocument):
        await users.insert_one({"x": object()})
    await users.insert_one({"x": 1})
    assert sum(connection.user is not None for connection in aiomongo_server.connections) == 1


# find_one_and_...


async def test_find_one_and_update(users: Users) -> None:
    """Before or after, None if there is nothing."""
    await users.insert_one({"_id": 1, "n": 1})
    assert await users.find_one_and_update({"_id": 1}, {"$inc": {"n": 1}}) == {"_id": 1, "n": 1}
    after = await users.find_one_and_update(
        {"_id": 1}, {"$inc": {"n": 1}}, projection=["n"], return_document=ReturnDocument.AFTER
    )
    assert after == {"_id": 1, "n": 3}
    assert await users.find_one_and_update({"_id": 2}, {"$inc": {"n": 1}}) is None
    new = await users.find_one_and_update(
        {"_id": 2}, {"$inc": {"n": 1}}, upsert=True, return_document=ReturnDocument.AFTER
    )
    assert new == {"_id": 2, "n": 1}


async def test_find_one_and_replace_and_delete(users: Users) -> None:
    """Sorted; the old document comes back."""
    await users.insert_many([{"_id": number, "n": 1} for number in range(3)])
    assert await users.find_one_and_replace({"n": 1}, {"m": 1}, sort=[("_id", DESCENDING)]) == {"_id": 2, "n": 1}
    assert await users.find_one(2) == {"_id": 2, "m": 1}
    assert await users.find_one_and_delete({"n": 1}, sort={"_id": -1}, projection={"_id": 1}) == {"_id": 1}
    assert await users.find_one_and_delete({"n": 5}) is None
    assert await users.distinct("_id") == [0, 2]
    with pytest.raises(ValueError, match="operator"):
        await users.find_one_and_replace({}, {"$set": {}})
    with pytest.raises(ValueError, match="operators"):
        await users.find_one_and_update({}, {"a": 1})


async def test_find_one_and_update_raises_what_the_server_says(users: Users, aiomongo_server: MongoTestServer) -> None:
    """A duplicate key, an unmet write concern."""
    await users.create_index("n", unique=True)
    await users.insert_many([{"_id": 1, "n": 1}, {"_id": 2, "n": 2}])
    with pytest.raises(DuplicateKeyError):
        await users.find_one_and_update({"_id": 1}, {"$set": {"n": 2}})
    aiomongo_server.on("findAndModify").replies({"value": None, "writeConcernError": {"code": 64, "errmsg": "late"}})
    with pytest.raises(WTimeoutError):
        await users.find_one_and_delete({})


# A bulk that is broken off


async def test_what_was_done_before_a_bulk_broke_off(aiomongo_server: MongoTestServer, users: Users) -> None:
    """A document too large, or a lost connection, does not hide what the server had confirmed before."""
    too_large = {"text": "x" * 17_000_000}
    with pytest.raises(DocumentTooLarge) as caught:
        await users.bulk_write([InsertOne({"_id": 1}), UpdateOne({}, {"$set": {"a": 1}}), InsertOne(too_large)])
    assert caught.value.__notes__ == ["of this bulk was carried out before: 1 inserted, 1 matched, 1 modified"]

    aiomongo_server.on("delete").hangs_up().once()
    with pytest.raises(AutoReconnect) as lost:
        await users.bulk_write([InsertOne({"_id": 2}), DeleteOne({"_id": 2})])
    assert lost.value.__notes__ == ["of this bulk was carried out before: 1 inserted"]


async def test_a_bulk_that_did_nothing_has_nothing_to_tell(users: Users) -> None:
    """Without anything done there is no note."""
    with pytest.raises(DocumentTooLarge) as caught:
        await users.insert_many([{"text": "x" * 17_000_000}])
    assert not hasattr(caught.value, "__notes__")
