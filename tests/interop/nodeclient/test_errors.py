"""Errors of the server as the Node.js driver tells them: type, code, name and details."""

from __future__ import annotations

from typing import Any

import pytest
from bson import Int64, Regex
from node_driver import Calls, Exactly, Kept, NodeError

from aiomongo_tls.testing import MongoTestServer


@pytest.fixture
def client(connect: Any, aiomongo_server: MongoTestServer) -> Kept:
    made: Kept = connect(aiomongo_server.uri())
    return made


@pytest.fixture
def users(client: Kept) -> Calls:
    return client.db("app").collection("users")


def error_of(calls: Calls) -> NodeError:
    """What the calls fail with."""
    with pytest.raises(NodeError) as caught:
        calls.get()
    return caught.value


def test_a_duplicate_key(users: Calls) -> None:
    """With keyPattern and keyValue, by which applications tell which key it was."""
    users.createIndex({"email": 1, "n": -1}, {"unique": True}).get()
    users.insertOne({"_id": 1, "email": "a", "n": 2}).get()
    error = error_of(users.insertOne({"_id": 2, "email": "a", "n": 2}))
    assert (error.name, error.code) == ("MongoServerError", 11000)
    assert "E11000 duplicate key error collection: app.users index: email_1_n_-1" in error.message
    details = error.details["response"]
    assert (details["keyPattern"], details["keyValue"]) == ({"email": 1, "n": -1}, {"email": "a", "n": 2})


@pytest.mark.parametrize(
    "operation",
    [
        lambda users: users.insertOne({"_id": 1}),
        lambda users: users.updateOne({"_id": 2}, {"$set": {"email": "a"}}),
        lambda users: users.replaceOne({"_id": 2}, {"email": "a"}),
        lambda users: users.updateOne({"_id": 3}, {"$set": {"email": "a"}}, {"upsert": True}),
        lambda users: users.findOneAndUpdate({"_id": 2}, {"$set": {"email": "a"}}),
        lambda users: users.findOneAndReplace({"_id": 9}, {"email": "a"}, {"upsert": True}),
        lambda users: users.bulkWrite([{"insertOne": {"document": {"_id": 5, "email": "a"}}}]),
        lambda users: users.insertMany([{"_id": 5, "email": "a"}]),
    ],
    ids=["insert", "update", "replace", "upsert", "findOneAndUpdate", "findOneAndReplace", "bulkWrite", "insertMany"],
)
def test_a_duplicate_key_in_every_write(users: Calls, operation: Any) -> None:
    """11000, and nothing has changed."""
    users.createIndex({"email": 1}, {"unique": True, "sparse": True}).get()
    before: list[dict[str, Any]] = [{"_id": 1, "email": "a"}, {"_id": 2, "email": "b"}]
    users.insertMany(before).get()
    assert error_of(operation(users)).code == 11000
    assert users.find({}).sort({"_id": 1}).toArray().get() == before


@pytest.mark.parametrize(
    ("command", "code", "name"),
    [
        ({"nonsense": 1}, 59, "CommandNotFound"),
        ({"find": "users", "nonsense": 1}, 40415, "Location40415"),
        ({"find": "users", "filter": 5}, 14, "TypeMismatch"),
        ({"find": ""}, 73, "InvalidNamespace"),
        ({"find": "users", "filter": {"$nonsense": 1}}, 2, "BadValue"),
        ({"find": "users", "filter": {"a": {"$nonsense": 1}}}, 2, "BadValue"),
        ({"aggregate": "users", "pipeline": [{"$nonsense": {}}], "cursor": {}}, 40324, "Location40324"),
        ({"aggregate": "users", "pipeline": []}, 9, "FailedToParse"),
        ({"update": "users", "updates": [{"q": {}, "u": {"$nonsense": {"a": 1}}}]}, 9, None),
        ({"update": "users", "updates": [{"q": {}, "u": {"$set": {"_id": 7}}}]}, 66, None),
        ({"update": "users", "updates": [{"q": {}, "u": {"a": 1}, "multi": True}]}, 9, None),
        ({"insert": "users", "documents": []}, 16, "InvalidLength"),
        ({"getMore": Int64(12345), "collection": "users"}, 43, "CursorNotFound"),
        ({"dropIndexes": "users", "index": "nothing"}, 27, "IndexNotFound"),
        ({"create": "users", "validator": {"a": 1}}, 238, "NotImplemented"),
        ({"listDatabases": 1}, 13, "Unauthorized"),
        ({"renameCollection": "app.users", "to": "app.others"}, 13, "Unauthorized"),
    ],
    ids=lambda value: str(value) if isinstance(value, dict) else "",
)
def test_commands_that_are_wrong(
    client: Kept, users: Calls, aiomongo_server: MongoTestServer, command: Any, code: int, name: str | None
) -> None:
    """Each with the code of a real server, as a whole or for its only write; the connection goes on."""
    users.insertOne({"_id": 1}).get()
    calls = client.db("app").command(Exactly(command))
    if name is None:
        (error,) = calls.get()["writeErrors"]
        assert error["code"] == code
    else:
        failed = error_of(calls)
        assert (failed.name, failed.code, failed.details["codeName"]) == ("MongoServerError", code, name)
    assert users.find({}).toArray().get() == [{"_id": 1}]
    assert len({c.connection_id for c in aiomongo_server.commands if c.name in (*command, "find")}) == 1


def test_a_document_that_is_too_large(users: Calls) -> None:
    """It is refused with the server's codes, by an insert and by what an update would make; nothing is stored."""
    large = {"_id": 1, "x": "x" * (16 * 1024 * 1024)}
    error = error_of(users.insertOne(large))
    assert (error.code, error.message[:26]) == (2, "object to insert too large")
    assert error_of(users.bulkWrite([{"insertOne": {"document": large}}])).name == "MongoInvalidArgumentError"
    users.insertOne({"_id": 1, "x": "x" * (16 * 1024 * 1024 - 100)}).get()
    assert error_of(users.updateOne({"_id": 1}, {"$set": {"y": "y" * 200}})).code == 17419
    assert users.countDocuments({"y": {"$exists": True}}).get() == 0


def test_update_that_cannot_be(users: Calls) -> None:
    """Paths through what is no document, sums of what is no number."""
    users.insertOne({"_id": 1, "n": 1, "text": "x", "list": [1]}).get()
    for update, code in [
        ({"$set": {"n.a": 1}}, 28),
        ({"$inc": {"text": 1}}, 14),
        ({"$push": {"n": 1}}, 2),
        ({"$set": {"a": 1}, "$unset": {"a": 1}}, 40),
        ({"$set": {"list.x": 1}}, 28),
        ({"$rename": {"n": "n"}}, 2),
        ({"$set": {"": 1}}, 56),
    ]:
        error = error_of(users.updateOne({"_id": 1}, update))
        assert (update, error.code) == (update, code)


def test_what_the_driver_refuses(users: Calls, aiomongo_server: MongoTestServer) -> None:
    """Nothing is sent."""
    for calls in [
        users.updateOne({}, {"a": 1}),
        users.replaceOne({}, {"$set": {"a": 1}}),
        users.bulkWrite([]),
        users.insertMany([]),
    ]:
        assert error_of(calls).name.startswith("Mongo")
    assert {command.name for command in aiomongo_server.commands} <= {"hello", "isMaster", "ismaster", "endSessions"}


def test_an_error_of_a_script(users: Calls, aiomongo_server: MongoTestServer) -> None:
    """Code, name and labels of whatever a test has the server say."""
    aiomongo_server.on("find").fails(292, "no memory", labels=["SomeLabel"], extra={"a": 1}).once()
    error = error_of(users.findOne({}))
    assert (error.code, error.message, list(error.labels)) == (292, "no memory", ["SomeLabel"])
    assert error.details["response"]["extra"] == {"a": 1}
    assert users.findOne({}).get() is None


@pytest.mark.parametrize("act", ["garbles", "hangs_up"])
def test_a_broken_connection(users: Calls, aiomongo_server: MongoTestServer, act: str) -> None:
    """An error of the network, and the next operation has a new connection."""
    users.insertOne({"_id": 1}).get()
    getattr(aiomongo_server.on("insert"), act)().once()
    assert error_of(users.insertOne({"_id": 2})).name in ("MongoNetworkError", "MongoParseError")
    users.insertOne({"_id": 3}).get()
    assert len({command.connection_id for command in aiomongo_server.commands_named("insert")}) == 2


@pytest.mark.parametrize(("identity", "code"), [([1], 53), (Regex("x"), 53), ({"$a": 1}, 52)], ids=str)
def test_what_cannot_be_an_identity(users: Calls, identity: Any, code: int) -> None:
    """Arrays, regular expressions, documents with a field that begins with a dollar."""
    assert error_of(users.insertOne(Exactly({"_id": identity}))).code == code
    assert users.countDocuments().get() == 0
