"""What an application does in a day, by the Node.js driver's own methods."""

from __future__ import annotations

from typing import Any

import pytest
from node_driver import Calls, Kept, Node, NodeError

from aiomongo_tls.testing import MongoTestServer


@pytest.fixture
def client(connect: Any, aiomongo_server: MongoTestServer) -> Kept:
    made: Kept = connect(aiomongo_server.uri())
    return made


@pytest.fixture
def users(client: Kept) -> Calls:
    return client.db("app").collection("users")


def stored(users: Calls) -> list[Any]:
    """Every document, by _id."""
    found: list[Any] = users.find({}).sort({"_id": 1}).toArray().get()
    return found


def test_insert_one(users: Calls, aiomongo_server: MongoTestServer) -> None:
    """The driver makes an _id where there is none."""
    result = users.insertOne({"name": "Ada"}).get()
    assert result["acknowledged"] is True
    (command,) = aiomongo_server.commands_named("insert")
    assert command.document["documents"] == [{"name": "Ada", "_id": result["insertedId"]}]
    assert users.findOne({"name": "Ada"}).get() == {"_id": result["insertedId"], "name": "Ada"}


def test_insert_many(users: Calls) -> None:
    """All of them, with the _ids by their places."""
    result = users.insertMany([{"_id": n} for n in range(1000)]).get()
    assert result["insertedCount"] == 1000
    assert result["insertedIds"] == {str(n): n for n in range(1000)}
    assert len(stored(users)) == 1000


def test_more_than_a_batch_of_writes(users: Calls, aiomongo_server: MongoTestServer) -> None:
    """The driver divides what maxWriteBatchSize does not allow in one command (7.9.0 even takes one less than that)."""
    assert users.insertMany([{"_id": n} for n in range(100_001)]).get()["insertedCount"] == 100_001
    sizes = [len(command.document["documents"]) for command in aiomongo_server.commands_named("insert")]
    assert sizes in ([100_000, 1], [99_999, 2])


@pytest.mark.parametrize(
    ("filtered", "update", "options", "expected"),
    [
        ({"_id": 1}, {"$set": {"n": 9}}, {}, (1, 1, 0)),
        ({"_id": 1}, {"$set": {"n": 1}}, {}, (1, 0, 0)),
        ({"_id": 77}, {"$set": {"n": 1}}, {}, (0, 0, 0)),
        ({"_id": 77}, {"$set": {"n": 1}}, {"upsert": True}, (0, 0, 1)),
        ({"_id": 1}, [{"$set": {"n": {"$add": ["$n", 10]}}}], {}, (1, 1, 0)),
        ({"_id": 1}, {"$push": {"tags.$[tag]": "x"}}, {"arrayFilters": [{"tag": "none"}]}, None),
        ({"_id": 1}, {"$inc": {"n": 1}}, {"hint": {"_id": 1}}, (1, 1, 0)),
    ],
    ids=["changed", "the same", "nothing", "upsert", "pipeline", "no array", "hint"],
)
def test_update_one(users: Calls, filtered: Any, update: Any, options: Any, expected: Any) -> None:
    """The counts are those of the server."""
    users.insertMany([{"_id": n, "n": n} for n in range(3)]).get()
    if expected is None:
        with pytest.raises(NodeError) as caught:
            users.updateOne(filtered, update, options).get()
        assert caught.value.name == "MongoServerError"
        return
    result = users.updateOne(filtered, update, options).get()
    assert (result["matchedCount"], result["modifiedCount"], result["upsertedCount"]) == expected


def test_update_many_and_array_filters(users: Calls) -> None:
    """Elements of arrays that a filter chooses."""
    users.insertMany([{"_id": n, "marks": [{"m": m} for m in range(4)]} for n in range(3)]).get()
    options = {"arrayFilters": [{"mark.m": {"$gte": 2}}]}
    result = users.updateMany({"_id": {"$lt": 2}}, {"$set": {"marks.$[mark].good": True}}, options).get()
    assert result["modifiedCount"] == 2
    good = [[mark.get("good", False) for mark in user["marks"]] for user in stored(users)]
    assert good == [[False, False, True, True]] * 2 + [[False] * 4]


@pytest.mark.parametrize(
    ("operators", "expected"),
    [
        ({"$set": {"a.b": 1}, "$unset": {"n": ""}}, {"a": {"b": 1}, "list": [3, 1, 2]}),
        ({"$inc": {"n": 2}, "$mul": {"list.0": 10}}, {"n": 7, "list": [30, 1, 2]}),
        ({"$min": {"n": 3}, "$max": {"m": 4}}, {"n": 3, "m": 4, "list": [3, 1, 2]}),
        ({"$rename": {"n": "m"}}, {"m": 5, "list": [3, 1, 2]}),
        ({"$push": {"list": {"$each": [9, 0], "$sort": 1, "$slice": 4}}}, {"n": 5, "list": [0, 1, 2, 3]}),
        ({"$addToSet": {"list": {"$each": [3, 4]}}}, {"n": 5, "list": [3, 1, 2, 4]}),
        ({"$pull": {"list": {"$lt": 3}}}, {"n": 5, "list": [3]}),
        ({"$pop": {"list": -1}}, {"n": 5, "list": [1, 2]}),
        ({"$bit": {"n": {"or": 8}}}, {"n": 13, "list": [3, 1, 2]}),
    ],
    ids=lambda value: next(iter(value)) if isinstance(value, dict) and next(iter(value)).startswith("$") else "",
)
def test_update_operators(users: Calls, operators: Any, expected: Any) -> None:
    """Each of them, at work."""
    users.insertOne({"_id": 1, "n": 5, "list": [3, 1, 2]}).get()
    users.updateOne({"_id": 1}, operators).get()
    assert users.findOne({}).get() == {"_id": 1, **expected}


def test_replace_one(users: Calls) -> None:
    """The whole document, with upsert too."""
    users.insertOne({"_id": 1, "n": 1}).get()
    assert users.replaceOne({"_id": 1}, {"z": 1}).get()["modifiedCount"] == 1
    assert users.replaceOne({"_id": 2}, {"z": 2}, {"upsert": True}).get()["upsertedId"] == 2
    assert stored(users) == [{"_id": 1, "z": 1}, {"_id": 2, "z": 2}]


def test_deletes(users: Calls) -> None:
    """One, many, and by a hint."""
    users.insertMany([{"_id": n, "n": n % 3} for n in range(9)]).get()
    assert users.deleteOne({"n": 1}).get()["deletedCount"] == 1
    assert users.deleteMany({"n": 1}, {"hint": "_id_"}).get()["deletedCount"] == 2
    assert users.deleteMany({}).get()["deletedCount"] == 6
    assert stored(users) == []


def test_find_one_and(users: Calls) -> None:
    """Before or after, with sort, projection and metadata."""
    users.insertMany([{"_id": n, "n": n} for n in range(4)]).get()
    before = users.findOneAndUpdate({}, {"$inc": {"n": 10}}, {"sort": {"_id": -1}}).get()
    assert before == {"_id": 3, "n": 3}
    after = users.findOneAndUpdate({"_id": 3}, {"$inc": {"n": 10}}, {"returnDocument": "after"}).get()
    assert after == {"_id": 3, "n": 23}
    assert users.findOneAndReplace({"_id": 2}, {"z": 1}, {"projection": {"_id": 0}}).get() == {"n": 2}
    new = users.findOneAndUpdate(
        {"_id": 9}, {"$set": {"n": 9}}, {"upsert": True, "returnDocument": "after", "includeResultMetadata": True}
    ).get()
    assert (new["value"], new["lastErrorObject"]["upserted"]) == ({"_id": 9, "n": 9}, 9)
    assert users.findOneAndDelete({"_id": 9}).get() == {"_id": 9, "n": 9}
    assert users.findOneAndDelete({"_id": 9}).get() is None


def test_bulk_write(users: Calls) -> None:
    """Every model in one call, in order."""
    result = users.bulkWrite(
        [
            {"insertOne": {"document": {"_id": 1}}},
            {"insertOne": {"document": {"_id": 2}}},
            {"updateOne": {"filter": {"_id": 1}, "update": {"$set": {"x": 1}}}},
            {"updateMany": {"filter": {}, "update": {"$set": {"y": 1}}}},
            {"replaceOne": {"filter": {"_id": 3}, "replacement": {"z": 1}, "upsert": True}},
            {"deleteOne": {"filter": {"_id": 2}}},
            {"deleteMany": {"filter": {"nothing": 1}}},
        ]
    ).get()
    names = ("insertedCount", "matchedCount", "modifiedCount", "deletedCount", "upsertedCount", "upsertedIds")
    assert [result[name] for name in names] == [2, 3, 3, 1, 1, {"4": 3}]
    assert stored(users) == [{"_id": 1, "x": 1, "y": 1}, {"_id": 3, "z": 1}]


def test_bulk_write_with_errors(users: Calls) -> None:
    """Ordered it stops at the first, unordered it goes on; the places are the caller's."""
    models = [{"insertOne": {"document": {"_id": n}}} for n in (1, 1, 2, 2, 3)]
    with pytest.raises(NodeError) as caught:
        users.bulkWrite(models).get()
    assert caught.value.name == "MongoBulkWriteError"
    assert [(error["index"], error["code"]) for error in caught.value.details["writeErrors"]] == [(1, 11000)]
    assert [user["_id"] for user in stored(users)] == [1]
    users.deleteMany({}).get()
    with pytest.raises(NodeError) as caught:
        users.bulkWrite(models, {"ordered": False}).get()
    assert [error["index"] for error in caught.value.details["writeErrors"]] == [1, 3]
    assert [user["_id"] for user in stored(users)] == [1, 2, 3]


def test_the_bulk_builder(users: Calls) -> None:
    """initializeUnorderedBulkOp, as old applications have it."""
    bulk = users.initializeUnorderedBulkOp().keep()
    for n in range(5):
        bulk.insert({"_id": n}).keep()
    bulk.find({"_id": 3}).delete().keep()
    bulk.find({"_id": 7}).upsert().updateOne({"$set": {"x": 1}}).keep()
    result = bulk.execute().get()
    assert (result["insertedCount"], result["deletedCount"], result["upsertedCount"]) == (5, 1, 1)


def test_a_bulk_of_the_client(client: Kept) -> None:
    """Is a command of MongoDB 8.0, and this server is a 7.0; the driver sends it all the same."""
    with pytest.raises(NodeError) as caught:
        client.bulkWrite([{"namespace": "app.users", "name": "insertOne", "document": {"_id": 1}}]).get()
    assert "no such command: 'bulkWrite'" in caught.value.story


def test_counting_and_distinct(users: Calls) -> None:
    """By filter, by metadata, and the values of a field."""
    users.insertMany([{"_id": n, "k": n % 4, "tags": ["a", "b"]} for n in range(20)]).get()
    assert users.countDocuments({"k": 1}).get() == 5
    assert users.countDocuments({"k": {"$ne": 1}}, {"skip": 3, "limit": 10}).get() == 10
    assert users.estimatedDocumentCount().get() == 20
    assert users.count({"k": 2}).get() == 5
    assert sorted(users.distinct("k", {"_id": {"$gt": 1}}).get()) == [0, 1, 2, 3]
    assert users.distinct("tags").get() == ["a", "b"]


@pytest.mark.parametrize(
    ("query", "ids"),
    [
        ({"n": {"$gt": 1, "$lte": 3}}, [2, 3]),
        ({"n": {"$in": [0, 4]}}, [0, 4]),
        ({"n": {"$nin": [0, 4]}}, [1, 2, 3]),
        ({"$or": [{"n": 1}, {"name": "u3"}]}, [1, 3]),
        ({"$nor": [{"n": {"$lt": 3}}]}, [3, 4]),
        ({"n": {"$mod": [2, 1]}}, [1, 3]),
        ({"name": {"$regex": "U[12]", "$options": "i"}}, [1, 2]),
        ({"list": {"$all": [1, 2]}}, [1, 2]),
        ({"list": {"$size": 3}}, [2]),
        ({"list": {"$elemMatch": {"$gt": 2, "$lt": 4}}}, [2, 3]),
        ({"odd": {"$exists": True}}, [1, 3]),
        ({"name": {"$type": "string"}, "n": {"$not": {"$lt": 4}}}, [4]),
        ({"deep.er": 3}, [3]),
        ({"$expr": {"$eq": ["$n", {"$size": "$list"}]}}, [0, 1]),
    ],
    ids=lambda value: str(value) if isinstance(value, dict) else "",
)
def test_queries(users: Calls, query: Any, ids: list[int]) -> None:
    """Operators of filters."""
    lists: list[list[int]] = [[], [1, 2][:2], [1, 2, 3], [3], []]
    users.insertMany(
        [
            {"_id": n, "n": n, "name": f"u{n}", "list": lists[n], "deep": {"er": n}, **({"odd": 1} if n % 2 else {})}
            for n in range(5)
        ]
    ).get()
    if "$expr" in query:
        users.updateOne({"_id": 1}, {"$set": {"list": [7]}}).get()
    assert [user["_id"] for user in users.find(query).sort({"_id": 1}).toArray().get()] == ids


def test_aggregation(users: Calls, client: Kept) -> None:
    """Groups, joins, arrays taken apart, and results written to another collection."""
    users.insertMany([{"_id": n, "k": n % 3, "tags": ["x", "y"]} for n in range(30)]).get()
    groups = users.aggregate(
        [
            {"$match": {"_id": {"$gte": 3}}},
            {"$group": {"_id": "$k", "n": {"$sum": 1}, "all": {"$push": "$_id"}, "top": {"$max": "$_id"}}},
            {"$sort": {"_id": 1}},
            {"$project": {"n": 1, "top": 1, "first": {"$arrayElemAt": ["$all", 0]}}},
        ]
    )
    assert groups.toArray().get() == [{"_id": k, "n": 9, "top": 27 + k, "first": 3 + k} for k in range(3)]
    assert users.aggregate([{"$unwind": "$tags"}, {"$count": "n"}]).toArray().get() == [{"n": 60}]
    join = {"from": "users", "localField": "_id", "foreignField": "k", "as": "same"}
    joined = users.aggregate([{"$match": {"_id": 2}}, {"$lookup": join}, {"$project": {"n": {"$size": "$same"}}}])
    assert joined.toArray().get() == [{"_id": 2, "n": 10}]
    facets = users.aggregate([{"$facet": {"all": [{"$count": "n"}], "two": [{"$limit": 2}, {"$project": {"k": 1}}]}}])
    assert facets.toArray().get() == [{"all": [{"n": 30}], "two": [{"_id": 0, "k": 0}, {"_id": 1, "k": 1}]}]
    users.aggregate([{"$match": {"k": 1}}, {"$out": "ones"}]).toArray().get()
    assert client.db("app").collection("ones").countDocuments().get() == 10
    users.aggregate([{"$match": {"k": 2}}, {"$merge": {"into": "ones"}}]).toArray().get()
    assert client.db("app").collection("ones").countDocuments().get() == 20


def test_indexes(users: Calls) -> None:
    """Made, listed, asked about, dropped."""
    assert users.createIndex({"email": 1}, {"unique": True, "sparse": True}).get() == "email_1"
    names = users.createIndexes([{"key": {"a": 1, "b": -1}}, {"key": {"at": 1}, "expireAfterSeconds": 60}]).get()
    assert names == ["a_1_b_-1", "at_1"]
    assert [index["name"] for index in users.indexes().get()] == ["_id_", "email_1", "a_1_b_-1", "at_1"]
    assert users.indexExists(["email_1", "at_1"]).get() is True
    assert users.indexInformation().get()["a_1_b_-1"] == [["a", 1], ["b", -1]]
    assert users.listIndexes().toArray().get()[0]["name"] == "_id_"
    users.dropIndex("at_1").get()
    with pytest.raises(NodeError) as caught:
        users.dropIndex("at_1").get()
    assert (caught.value.code, caught.value.details["codeName"]) == (27, "IndexNotFound")
    users.dropIndexes().get()
    assert [index["name"] for index in users.indexes().get()] == ["_id_"]


def test_a_hint(users: Calls) -> None:
    """An index that there is, and one that there is not."""
    users.createIndex({"n": 1}).get()
    users.insertOne({"_id": 1, "n": 1}).get()
    assert users.find({"n": 1}, {"hint": "n_1"}).toArray().get() == [{"_id": 1, "n": 1}]
    with pytest.raises(NodeError) as caught:
        users.find({"n": 1}, {"hint": "m_1"}).toArray().get()
    assert caught.value.code == 2


def test_databases_and_collections(client: Kept, users: Calls) -> None:
    """Made, listed, renamed, dropped."""
    database = client.db("app")
    database.createCollection("empty").keep()
    users.insertOne({"_id": 1}).get()
    listed = database.listCollections({}, {"nameOnly": True}).toArray().get()
    assert sorted(one["name"] for one in listed) == ["empty", "users"]
    assert [one["name"] for one in database.listCollections({"name": "users"}).toArray().get()] == ["users"]
    with pytest.raises(NodeError) as caught:
        database.createCollection("empty", {"capped": True, "size": 5}).get()
    assert caught.value.name == "MongoServerError"
    users.rename("people").keep()
    assert database.collection("people").countDocuments().get() == 1
    assert database.dropCollection("empty").get() is True
    assert [one["name"] for one in client.db().admin().listDatabases().get()["databases"]] == ["app"]
    assert database.dropDatabase().get() is True
    assert client.db().admin().listDatabases({"nameOnly": True}).get()["databases"] == []


def test_questions_about_the_server(client: Kept) -> None:
    """What administrators' tools ask first."""
    admin = client.db("admin").admin()
    assert admin.ping().get()["ok"] == 1
    assert admin.buildInfo().get()["version"].startswith("7.")
    assert admin.serverInfo().get()["versionArray"][0] == 7
    assert client.db("app").command({"hello": 1}).get()["isWritablePrimary"] is True
    assert client.db("admin").command({"getParameter": 1, "featureCompatibilityVersion": 1}).get()["ok"] == 1


def test_an_unacknowledged_write(users: Calls, aiomongo_server: MongoTestServer) -> None:
    """It arrives, and is not answered."""
    result = users.insertOne({"_id": 1}, {"writeConcern": {"w": 0}}).get()
    assert result["acknowledged"] is False
    (command,) = aiomongo_server.wait_for("insert")
    assert not command.wants_reply
    assert users.findOne({}).get() == {"_id": 1}


def test_options_that_are_only_passed_on(users: Calls, aiomongo_server: MongoTestServer) -> None:
    """comment, maxTimeMS, bypassDocumentValidation, readConcern, allowDiskUse."""
    users.insertOne({"_id": 1}, {"comment": "why", "bypassDocumentValidation": True}).get()
    found = users.find(
        {},
        {"comment": {"trace": 7}, "maxTimeMS": 5000, "readConcern": {"level": "local"}, "allowDiskUse": True},
    )
    assert found.toArray().get() == [{"_id": 1}]
    (insert,) = aiomongo_server.commands_named("insert")
    (find,) = aiomongo_server.commands_named("find")
    assert insert.document["comment"] == "why"
    assert (find.document["comment"], find.document["maxTimeMS"]) == ({"trace": 7}, 5000)


def test_a_server_that_does_not_answer(connect: Any, aiomongo_server: MongoTestServer) -> None:
    """After socketTimeoutMS the driver gives the connection up, and reads on another one."""
    client = connect(aiomongo_server.uri(), {"socketTimeoutMS": 700})
    users = client.db("app").collection("users")
    users.insertOne({"_id": 1}).get()
    aiomongo_server.on("find").stays_silent().once()
    assert users.findOne({}).get() == {"_id": 1}
    first, second = aiomongo_server.commands_named("find")
    assert first.connection_id != second.connection_id
    assert not first.outcome.answered
    aiomongo_server.on("insert").stays_silent().once()
    with pytest.raises(NodeError) as caught:
        users.insertOne({"_id": 2}).get()
    assert caught.value.name == "MongoNetworkTimeoutError"


def test_an_operation_that_is_aborted(node: Node, client: Kept, aiomongo_server: MongoTestServer) -> None:
    """By an AbortSignal, while the server is at it: the client goes on with another connection."""
    users = client.db("app").collection("users")
    users.insertOne({"_id": 1}).get()
    aiomongo_server.on("find").stays_silent().once()
    abort = node.scripts.aborting(client, "app", "users").keep()
    aiomongo_server.wait_for("find")
    assert abort.now().get()["name"] == "AbortError"
    assert users.findOne({}).get() == {"_id": 1}


@pytest.mark.parametrize(
    "what",
    [
        lambda users: users.find({"$where": "true"}).toArray(),
        lambda users: users.find({"$text": {"$search": "x"}}).toArray(),
        lambda users: users.find({}, {"collation": {"locale": "en", "strength": 1}}).toArray(),
        lambda users: users.find({}).explain(),
        lambda users: users.aggregate([{"$graphLookup": {}}]).toArray(),
        lambda users: users.createIndex({"name": "text"}),
    ],
    ids=["$where", "$text", "collation", "explain", "$graphLookup", "text index"],
)
def test_what_the_server_cannot_do(users: Calls, what: Any) -> None:
    """Is an error that says so, never a wrong answer."""
    users.insertOne({"_id": 1}).get()
    with pytest.raises(NodeError) as caught:
        what(users).get()
    assert (caught.value.code, caught.value.details["codeName"]) == (238, "NotImplemented")
