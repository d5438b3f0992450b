"""Cursors of the Node.js driver: batches, closing, tailing, what happens when the server forgets one."""

from __future__ import annotations

from typing import Any

import pytest
from node_driver import Calls, Exactly, Kept, Node, NodeError

from aiomongo_tls.testing import MongoTestServer


@pytest.fixture
def users(connect: Any, aiomongo_server: MongoTestServer) -> Calls:
    client = connect(aiomongo_server.uri())
    found: Calls = client.db("app").collection("users")
    found.insertMany([{"_id": n, "even": n % 2 == 0} for n in range(500)]).get()
    return found


def batches(server: MongoTestServer) -> list[Any]:
    """The sizes that getMore asked for."""
    return [command.document.get("batchSize") for command in server.commands_named("getMore")]


def test_many_batches(node: Node, users: Calls, aiomongo_server: MongoTestServer) -> None:
    """In order, one getMore for each, and the last one ends it."""
    cursor = users.find({"even": True}, {"batchSize": 7}).keep()
    found = node.scripts.iterate(cursor).get()
    assert [user["_id"] for user in found] == list(range(0, 500, 2))
    assert batches(aiomongo_server) == [7] * 35
    assert aiomongo_server.commands_named("killCursors") == []


def test_the_default_batch(users: Calls, aiomongo_server: MongoTestServer) -> None:
    """101 documents first, then all that fit."""
    assert len(users.find({}).toArray().get()) == 500
    assert len(aiomongo_server.commands_named("getMore")) == 1


@pytest.mark.parametrize(
    ("options", "ids"),
    [
        ({"limit": 150, "batchSize": 40}, range(150)),
        ({"limit": 5}, range(5)),
        ({"skip": 490}, range(490, 500)),
        ({"sort": {"_id": -1}, "skip": 5, "limit": 120, "batchSize": 50}, range(494, 374, -1)),
        ({"limit": -3}, range(3)),
    ],
    ids=["limit and batches", "limit", "skip", "all", "one batch"],
)
def test_shapes(users: Calls, options: Any, ids: Any) -> None:
    """What a find is asked for, with batches or without."""
    assert [user["_id"] for user in users.find({}, options).toArray().get()] == list(ids)


def test_projection(users: Calls) -> None:
    """Fields that are left out, taken in, computed and cut."""
    users.insertOne({"_id": "x", "a": {"b": 1, "c": 2}, "list": [1, 2, 3]}).get()
    one = {"_id": "x"}
    assert users.findOne(one, {"projection": {"a.b": 1}}).get() == {"_id": "x", "a": {"b": 1}}
    assert users.findOne(one, {"projection": {"a": 0, "_id": 0}}).get() == {"list": [1, 2, 3]}
    assert users.findOne(one, {"projection": {"list": {"$slice": -1}, "a": 0}}).get() == {"_id": "x", "list": [3]}
    assert users.findOne(one, {"projection": {"n": {"$size": "$list"}}}).get() == {"_id": "x", "n": 3}


def test_one_by_one(users: Calls) -> None:
    """next, hasNext, tryNext, and null behind the end."""
    cursor = users.find({"_id": {"$lt": 3}}).batchSize(2).keep()
    assert cursor.hasNext().get() is True
    assert [cursor.next().get()["_id"], cursor.tryNext().get()["_id"], cursor.next().get()["_id"]] == [0, 1, 2]
    assert cursor.hasNext().get() is False
    assert cursor.next().get() is None


def test_closing_early(users: Calls, aiomongo_server: MongoTestServer) -> None:
    """The cursor is killed on the server, which then has none."""
    cursor = users.find({}, {"batchSize": 2}).keep()
    cursor.next().get()
    cursor.close().get()
    (kill,) = aiomongo_server.commands_named("killCursors")
    (number,) = kill.document["cursors"]
    assert number != 0
    with pytest.raises(NodeError) as caught:
        cursor.next().get()
    assert caught.value.name == "MongoCursorExhaustedError"


def test_leaving_a_loop(node: Node, users: Calls, aiomongo_server: MongoTestServer) -> None:
    """`break` out of `for await` kills the cursor."""
    cursor = users.find({}, {"batchSize": 2}).keep()
    assert len(node.scripts.iterate(cursor, 3).get()) == 3
    assert len(aiomongo_server.commands_named("killCursors")) == 1


def test_rewinding_and_cloning(users: Calls) -> None:
    """A cursor from its beginning again, and another like it."""
    cursor = users.find({}, {"batchSize": 3}).sort({"_id": 1}).keep()
    assert [cursor.next().get()["_id"] for _ in range(5)] == [0, 1, 2, 3, 4]
    other = cursor.clone().keep()
    cursor.rewind().get()
    assert [cursor.next().get()["_id"], other.next().get()["_id"]] == [0, 0]
    cursor.close().get()
    other.close().get()


def test_a_cursor_that_the_server_has_killed(users: Calls, connect: Any, aiomongo_server: MongoTestServer) -> None:
    """The next getMore fails with 43."""
    cursor = users.find({}, {"batchSize": 2}).keep()
    for _ in range(3):
        cursor.next().get()
    number = aiomongo_server.commands_named("getMore")[0].document["getMore"]
    kill = Exactly({"killCursors": "users", "cursors": [number]})
    assert len(connect(aiomongo_server.uri()).db("app").command(kill).get()["cursorsKilled"]) == 1
    cursor.next().get()
    with pytest.raises(NodeError) as caught:
        cursor.next().get()
    assert (caught.value.code, caught.value.details["codeName"]) == (43, "CursorNotFound")


def test_a_failing_getmore(users: Calls, aiomongo_server: MongoTestServer) -> None:
    """It is not tried again, and the error is the application's to see."""
    data = {"failCommands": ["getMore"], "errorCode": 8}
    with aiomongo_server.fail_point("failCommand", {"times": 1}, **data):
        with pytest.raises(NodeError) as caught:
            users.find({}, {"batchSize": 50}).toArray().get()
        assert caught.value.code == 8
    assert len(users.find({}, {"batchSize": 50}).toArray().get()) == 500


def test_many_cursors_at_once(users: Calls) -> None:
    """Each has its own place."""
    running = [users.find({}, {"batchSize": 10 + n}).toArray().begin() for n in range(30)]
    assert all(len(each.result(20)) == 500 for each in running)


def test_batches_of_an_aggregation(users: Calls, aiomongo_server: MongoTestServer) -> None:
    """A pipeline's results go through a cursor as well."""
    found = users.aggregate([{"$project": {"n": {"$add": ["$_id", 1]}}}], {"batchSize": 30}).toArray().get()
    assert [user["n"] for user in found] == list(range(1, 501))
    assert batches(aiomongo_server) == [30] * 16


def test_lists_with_batches(connect: Any, aiomongo_server: MongoTestServer) -> None:
    """Those of listCollections and listIndexes are cursors too."""
    client: Kept = connect(aiomongo_server.uri())
    database = client.db("many")
    for n in range(7):
        database.createCollection(f"c{n}").keep()
    listed = database.listCollections({}, {"batchSize": 2}).toArray().get()
    assert sorted(one["name"] for one in listed) == [f"c{n}" for n in range(7)]
    assert len(aiomongo_server.commands_named("getMore")) >= 3


def test_large_documents_fill_batches(users: Calls, aiomongo_server: MongoTestServer) -> None:
    """A reply has at most 16 MB, whatever batchSize says."""
    users.deleteMany({}).get()
    for n in range(8):
        users.insertOne({"_id": n, "x": "x" * 5_000_000}).get()
    assert len(users.find({}, {"batchSize": 100}).toArray().get()) == 8
    assert len(aiomongo_server.commands_named("getMore")) == 2
