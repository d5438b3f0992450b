"""Reads, end to end."""

from __future__ import annotations

import uuid
from typing import Any

import pytest
from bson.codec_options import CodecOptions
from bson.raw_bson import RawBSONDocument
from bson.son import SON

from aiomongo_tls import (
    AsyncClient,
    AsyncCollection,
    ConfigurationError,
    DeleteOne,
    ExecutionTimeout,
    InsertOne,
    NetworkTimeout,
    OperationFailure,
    ProtocolError,
    ReadConcern,
    ReadPreference,
    UpdateOne,
    WriteConcern,
    timeout,
)
from aiomongo_tls.testing import MongoTestServer

Users = AsyncCollection[dict[str, Any]]


@pytest.fixture
async def ten(users: Users) -> Users:
    await users.insert_many([{"_id": number, "even": number % 2 == 0, "n": number // 2} for number in range(10)])
    return users


def last(server: MongoTestServer, name: str) -> dict[str, Any]:
    return server.commands_named(name)[-1].document


# find_one


async def test_find_one(ten: Users, aiomongo_server: MongoTestServer) -> None:
    """By a filter, by an id, or any; None if there is none."""
    assert await ten.find_one({"n": 2, "even": False}) == {"_id": 5, "even": False, "n": 2}
    assert await ten.find_one(3) == {"_id": 3, "even": False, "n": 1}
    assert await ten.find_one(0) == {"_id": 0, "even": True, "n": 0}
    assert await ten.find_one() is not None
    assert await ten.find_one("nobody") is None
    sent = last(aiomongo_server, "find")
    assert list(sent) == ["find", "filter", "limit", "singleBatch", "lsid", "$db"]
    assert sent["filter"] == {"_id": "nobody"}


async def test_find_one_takes_what_find_takes(ten: Users, aiomongo_server: MongoTestServer) -> None:
    """Projection, skip, sort, ..., in PyMongo's order or by name."""
    assert await ten.find_one({"even": True}, ["n"], sort=[("_id", -1)], skip=1) == {"_id": 6, "n": 3}
    assert await ten.find_one({"even": True}, {"n": 1, "_id": 0}, 1, sort="_id") == {"n": 1}
    sent = last(aiomongo_server, "find")
    assert (sent["limit"], sent["singleBatch"], sent["skip"]) == (1, True, 1)
    assert await ten.find_one({}, sort=[("_id", 1)], limit=5) == {"_id": 0, "even": True, "n": 0}
    with pytest.raises(TypeError, match="projection"):
        await ten.find_one({}, 5)  # type: ignore[arg-type]
    with pytest.raises(TypeError, match="skip"):
        await ten.find_one({}, skip="1")  # type: ignore[arg-type]


# count, distinct, aggregate


async def test_counting(ten: Users, aiomongo_server: MongoTestServer) -> None:
    """One by one with a filter, or by what the server knows."""
    assert await ten.count_documents({"even": True}) == 5
    assert await ten.count_documents({}, skip=3, limit=4, comment="why") == 4
    assert await ten.count_documents({"n": 99}) == 0
    assert await ten.estimated_document_count(maxTimeMS=1000) == 10
    assert last(aiomongo_server, "count")["maxTimeMS"] == 1000
    assert await ten.database["nothing"].estimated_document_count() == 0
    with pytest.raises(ConfigurationError, match="session"):
        await ten.estimated_document_count(session=None)


async def test_distinct(ten: Users) -> None:
    """Values of any type."""
    assert await ten.distinct("n") == [0, 1, 2, 3, 4]
    assert await ten.distinct("n", {"even": True, "_id": {"$gt": 5}}) == [3, 4]
    assert await ten.find({"even": False, "_id": {"$lt": 4}}).distinct("n") == [0, 1]
    assert await ten.distinct("nothing") == []


async def test_aggregate(ten: Users, aiomongo_server: MongoTestServer) -> None:
    """In batches."""
    cursor = await ten.aggregate([{"$match": {"even": True}}, {"$sort": {"_id": -1}}], batchSize=2, comment="why")
    assert [document["_id"] async for document in cursor] == [8, 6, 4, 2, 0]
    sent = last(aiomongo_server, "aggregate")
    assert sent["cursor"] == {"batchSize": 2}
    more = aiomongo_server.commands_named("getMore")
    assert [(command.document["batchSize"], command.document["comment"]) for command in more] == [(2, "why")] * 2
    assert all(command.document["lsid"] == sent["lsid"] for command in more)


async def test_aggregate_that_writes(ten: Users, aiomongo_server: MongoTestServer) -> None:
    """With the write concern, without batches; an unmet concern is raised."""
    aiomongo_server.on("aggregate").replies(
        {
            "cursor": {"id": 0, "ns": "app.users", "firstBatch": []},
            "writeConcernError": {"code": 64, "errmsg": "waiting timed out"},
        }
    )
    safe = ten.with_options(write_concern=WriteConcern("majority"))
    with pytest.raises(OperationFailure, match="waiting timed out"):
        await safe.aggregate([{"$out": "copy"}], batchSize=5)
    sent = last(aiomongo_server, "aggregate")
    assert (sent["cursor"], sent["writeConcern"]) == ({}, {"w": "majority"})
    assert await (await safe.aggregate([{"$match": {}}])).to_list() == []


async def test_database_aggregate(client: AsyncClient[dict[str, Any]], aiomongo_server: MongoTestServer) -> None:
    """On the database itself: the collection is 1."""
    reply = {"cursor": {"id": 0, "ns": "app.$cmd.aggregate", "firstBatch": [{"a": 1}]}}
    aiomongo_server.on("aggregate").replies(reply)
    cursor = await client["app"].aggregate([{"$documents": [{"a": 1}]}], let={"x": 1})
    assert await cursor.to_list() == [{"a": 1}]
    sent = last(aiomongo_server, "aggregate")
    assert (sent["aggregate"], sent["let"]) == (1, {"x": 1})


# Options


async def test_document_classes(ten: Users) -> None:
    """The documents are of the class that was asked for, in find_one, find, aggregate and find_one_and_update."""
    for cls in (SON, RawBSONDocument):
        other: Any = ten.with_options(CodecOptions(document_class=cls))
        assert type(await other.find_one(3)) is cls
        found = await other.find({"_id": {"$lt": 5}}, batch_size=2).to_list()
        assert [type(document) for document in found] == [cls] * 5
        assert [document["_id"] for document in found] == [0, 1, 2, 3, 4]
        assert type((await (await other.aggregate([{"$match": {"_id": 3}}])).to_list())[0]) is cls
        assert type(await other.find_one_and_update({"_id": 3}, {"$set": {"x": 1}})) is cls
        assert (await other.insert_one({"_id": f"{cls}"})).inserted_id == f"{cls}"


async def test_uuids_as_the_options_say(aiomongo_server: MongoTestServer) -> None:
    """In documents, filters, results and upserted ids."""
    ident = uuid.UUID(int=5)
    async with aiomongo_server.connect(uuidRepresentation="standard") as client:
        users = client["app"]["users"]
        result = await users.update_one({"_id": ident}, {"$set": {"a": 1}}, upsert=True)
        assert result.upserted_id == ident
        assert await users.find_one(ident) == {"_id": ident, "a": 1}
        assert await users.distinct("_id") == [ident]
        with pytest.raises(Exception, match="duplicate") as raised:
            await users.insert_one({"_id": ident})
        assert raised.value.details["keyValue"] == {"_id": ident}  # type: ignore[attr-defined]


async def test_concerns_and_preferences_are_inherited(aiomongo_server: MongoTestServer) -> None:
    """From the client to the collection; the server's default is left out."""
    async with aiomongo_server.connect(readConcernLevel="local", w="majority") as client:
        users = client["app"]["users"]
        await users.find_one()
        assert last(aiomongo_server, "find")["readConcern"] == {"level": "local"}
        await users.find().to_list()
        assert last(aiomongo_server, "find")["readConcern"] == {"level": "local"}
        await users.insert_one({})
        assert last(aiomongo_server, "insert")["writeConcern"] == {"w": "majority"}
        plain = client.get_database("app", read_concern=ReadConcern(), write_concern=WriteConcern())["users"]
        await plain.find_one()
        await plain.insert_one({})
        assert "readConcern" not in last(aiomongo_server, "find")
        assert "writeConcern" not in last(aiomongo_server, "insert")
        await client["app"].command("ping")
        assert "readConcern" not in last(aiomongo_server, "ping")


@pytest.mark.aiomongo(tls="off")
@pytest.mark.parametrize(
    ("hello", "asked", "sent"),
    [
        ({}, ReadPreference.SECONDARY, None),
        ({"setName": "rs", "secondary": True}, ReadPreference.PRIMARY, {"mode": "primaryPreferred"}),
        ({"setName": "rs", "secondary": True}, ReadPreference.SECONDARY, {"mode": "secondary"}),
        ({"msg": "isdbgrid"}, ReadPreference.PRIMARY, None),
        ({"msg": "isdbgrid"}, ReadPreference.NEAREST, {"mode": "nearest"}),
    ],
)
async def test_read_preferences_depend_on_the_server(
    aiomongo_server: MongoTestServer, hello: dict[str, Any], asked: ReadPreference, sent: dict[str, Any] | None
) -> None:
    """A standalone gets none, a member of a set that is talked to directly is told that it may answer."""
    aiomongo_server.on("hello").replies({"minWireVersion": 0, "maxWireVersion": 21, **hello})
    async with aiomongo_server.connect(directConnection="msg" not in hello) as client:
        users = client.get_database("app", read_preference=asked)["users"]
        await users.find_one()
        await users.insert_one({})
    assert last(aiomongo_server, "find").get("$readPreference") == sent
    assert "$readPreference" not in last(aiomongo_server, "insert")
    # That hello offers no sessions.
    assert "lsid" not in last(aiomongo_server, "find")


# Errors and time


async def test_errors_of_the_server(ten: Users, aiomongo_server: MongoTestServer) -> None:
    """Classes, codes and details; the connection goes on."""
    with pytest.raises(OperationFailure) as raised:
        await ten.find_one({"$nonsense": 1})
    assert raised.value.code == 2
    aiomongo_server.on("count").fails(50, "operation exceeded time limit").once()
    with pytest.raises(ExecutionTimeout) as expired:
        await ten.estimated_document_count()
    assert expired.value.timeout
    with pytest.raises(ConfigurationError, match="explain"):
        await ten.aggregate([], explain=True)
    assert await ten.count_documents({}) == 10
    assert sum(connection.user is not None for connection in aiomongo_server.connections) == 1


async def test_a_garbled_reply_is_an_error_and_not_a_hang(ten: Users, aiomongo_server: MongoTestServer) -> None:
    """The next operation uses another connection."""
    aiomongo_server.on("find").garbles().once()
    with pytest.raises(ProtocolError):
        await ten.find_one()
    aiomongo_server.on("find").replies({"surprise": 1}).once()
    with pytest.raises(ProtocolError, match="cursor"):
        await ten.find_one()
    assert await ten.find_one(1)


async def test_a_silent_server_costs_the_deadline_and_no_more(ten: Users, aiomongo_server: MongoTestServer) -> None:
    """The phase is named; the next operation works."""
    aiomongo_server.on("find").stays_silent().once()
    with pytest.raises(NetworkTimeout, match=r"timeout\(0.1\)") as raised, timeout(0.1):
        await ten.find_one()
    assert raised.value.timeout
    assert raised.value.phase == "request"
    assert await ten.find_one(1)


async def test_one_deadline_for_a_whole_bulk(aiomongo_server: MongoTestServer) -> None:
    """Not one for each of its commands."""
    aiomongo_server.on("insert", "update", "delete").answers_after(0.6)
    # A second, because connecting has no more of it either, on a busy machine.
    async with aiomongo_server.connect(timeoutMS=1000) as client:
        users = client["app"]["users"]
        with pytest.raises(NetworkTimeout, match="timeoutMS=1000"):
            await users.bulk_write([InsertOne({"_id": 1}), UpdateOne({}, {"$set": {"a": 1}}), DeleteOne({})])
    assert not aiomongo_server.commands_named("delete")
