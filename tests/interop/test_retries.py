"""PyMongo's retryable writes and reads against our fail points: each write is applied once, whatever is lost."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Iterator
from typing import Any

import pymongo
import pytest
from bson import Int64
from pymongo import DeleteOne, InsertOne, UpdateOne, common
from pymongo.collection import Collection
from pymongo.errors import AutoReconnect, BulkWriteError, OperationFailure, PyMongoError, WriteConcernError

from aiomongo_tls.testing import MongoTestServer, RecordedCommand, ReplicaSet

Users = Collection[dict[str, Any]]
Documents = list[dict[str, Any]]


@pytest.fixture(autouse=True)
def _impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    # After an error PyMongo looks at the server again, at most twice a second if it is left alone.
    monkeypatch.setattr(common, "MIN_HEARTBEAT_INTERVAL", 0.01)


@pytest.fixture(scope="module")
def primary() -> Iterator[MongoTestServer]:
    with MongoTestServer(users=[], tls="off", topology="replica_set") as server:
        yield server


def uri(server: MongoTestServer) -> str:
    # A monitor that streams would not look again at a server that seems gone until that has something to tell.
    return server.uri(serverMonitoringMode="poll")


@pytest.fixture
def users(primary: MongoTestServer) -> Iterator[Users]:
    primary.reset()
    with pymongo.MongoClient[dict[str, Any]](uri(primary)) as client:
        client.app.users.insert_many([{"_id": 1, "x": 11}, {"_id": 2, "x": 22}])
        yield client.app.users


def stored(users: Users) -> Documents:
    return list(users.find().sort("_id"))


def numbers(commands: list[RecordedCommand]) -> list[tuple[bytes, int]]:
    return [(command.document["lsid"]["id"], command.document["txnNumber"]) for command in commands]


INC = {"$inc": {"x": 1}}
WRITES: dict[str, tuple[str, Callable[[Users], Any], Documents]] = {
    "insert_one": (
        "insert",
        lambda c: c.insert_one({"_id": 3}),
        [{"_id": 1, "x": 11}, {"_id": 2, "x": 22}, {"_id": 3}],
    ),
    "insert_many": (
        "insert",
        lambda c: c.insert_many([{"_id": 3}, {"_id": 4}]),
        [{"_id": 1, "x": 11}, {"_id": 2, "x": 22}, {"_id": 3}, {"_id": 4}],
    ),
    "unordered": (
        "insert",
        lambda c: c.insert_many([{"_id": 3}, {"_id": 4}], ordered=False),
        [{"_id": 1, "x": 11}, {"_id": 2, "x": 22}, {"_id": 3}, {"_id": 4}],
    ),
    "update_one": ("update", lambda c: c.update_one({"_id": 1}, INC), [{"_id": 1, "x": 12}, {"_id": 2, "x": 22}]),
    "upsert": (
        "update",
        lambda c: c.update_one({"_id": 3}, INC, upsert=True),
        [{"_id": 1, "x": 11}, {"_id": 2, "x": 22}, {"_id": 3, "x": 1}],
    ),
    "replace_one": ("update", lambda c: c.replace_one({"x": 11}, {"x": 5}), [{"_id": 1, "x": 5}, {"_id": 2, "x": 22}]),
    "delete_one": ("delete", lambda c: c.delete_one({}), [{"_id": 2, "x": 22}]),
    "find_one_and_update": (
        "findAndModify",
        lambda c: c.find_one_and_update({}, INC),
        [{"_id": 1, "x": 12}, {"_id": 2, "x": 22}],
    ),
    "find_one_and_delete": ("findAndModify", lambda c: c.find_one_and_delete({}), [{"_id": 2, "x": 22}]),
}
every_write = pytest.mark.parametrize(("name", "write", "after"), WRITES.values(), ids=WRITES)


def told(result: Any) -> Any:
    """What a result says, without what tells that it was a retry."""
    if isinstance(result, dict | None):
        return result
    raw = getattr(result, "raw_result", None) or {}
    counts = {name: raw[name] for name in ("n", "nModified", "upserted") if name in raw}
    return counts or result.inserted_id if hasattr(result, "inserted_id") else counts


@every_write
def test_a_write_whose_answer_was_lost(
    users: Users, primary: MongoTestServer, name: str, write: Callable[[Users], Any], after: Documents
) -> None:
    """The client sends it again, hears what it did, and it was done once."""
    count = len(primary.commands_named(name))
    with primary.fail_point("onPrimaryTransactionalWrite", {"times": 1}) as point:
        result = write(users)
    assert point.used == 1
    first, second = primary.commands_named(name)[count:]
    assert numbers([first]) == numbers([second])
    assert stored(users) == after
    primary.reset()
    users.insert_many([{"_id": 1, "x": 11}, {"_id": 2, "x": 22}])
    assert told(write(users)) == told(result)


@every_write
def test_a_write_that_was_undone(
    users: Users, primary: MongoTestServer, name: str, write: Callable[[Users], Any], after: Documents
) -> None:
    """It is done when it is sent again; if it fails twice, the error is raised and nothing was done."""
    before = stored(users)
    data = {"failBeforeCommitExceptionCode": 1}
    with (
        primary.fail_point("onPrimaryTransactionalWrite", {"times": 10}, **data),
        pytest.raises(AutoReconnect) as caught,
    ):
        write(users)
    assert caught.value.has_error_label("RetryableWriteError")
    assert stored(users) == before
    with primary.fail_point("onPrimaryTransactionalWrite", {"times": 1}, **data):
        write(users)
    assert stored(users) == after


@every_write
@pytest.mark.parametrize("code", [91, 10107, 11602, 262, 9001])
def test_an_error_that_may_pass(
    users: Users, primary: MongoTestServer, name: str, write: Callable[[Users], Any], after: Documents, code: int
) -> None:
    """The server labels it, and the client tries again."""
    with primary.fail_point(mode={"times": 1}, failCommands=[name], errorCode=code):
        write(users)
    assert stored(users) == after


@pytest.mark.parametrize("code", [2, 50, 11601])
def test_an_error_that_stays(users: Users, primary: MongoTestServer, code: int) -> None:
    """There is no label, and no second try."""
    with primary.fail_point(failCommands=["insert"], errorCode=code) as point:
        with pytest.raises(OperationFailure) as caught:
            users.insert_one({})
        assert (caught.value.code, point.used) == (code, 1)
    assert not caught.value.has_error_label("RetryableWriteError")


def test_labels_decide(users: Users, primary: MongoTestServer) -> None:
    """A label makes any error worth a try; without one none is."""
    labels = ["RetryableWriteError"]
    with primary.fail_point(mode={"times": 1}, failCommands=["insert"], errorCode=112, errorLabels=labels) as point:
        users.insert_one({"_id": 3})
        assert point.used == 1
    with primary.fail_point(failCommands=["insert"], errorCode=91, errorLabels=[]) as point:
        with pytest.raises(PyMongoError):
            users.insert_one({"_id": 4})
        assert point.used == 1
    with primary.fail_point(mode={"times": 1}, failCommands=["insert"], closeConnection=True, errorLabels=[]):
        # The client itself labels an answer that never came.
        users.insert_one({"_id": 5})
    assert [document["_id"] for document in stored(users)] == [1, 2, 3, 5]


@every_write
def test_a_write_concern_that_was_not_met(
    users: Users, primary: MongoTestServer, name: str, write: Callable[[Users], Any], after: Documents
) -> None:
    """The write was done all the same; its second try does nothing."""
    concern = {"code": 91, "errmsg": "Replication is being shut down"}
    with primary.fail_point(mode={"times": 1}, failCommands=[name], writeConcernError=concern) as point:
        write(users)
    assert point.used == 1
    assert stored(users) == after


def test_a_write_concern_error_that_stays(users: Users, primary: MongoTestServer) -> None:
    """It is raised, with labels if there are some, and the write was done once."""
    concern = {"code": 64, "errmsg": "timed out"}
    with (
        primary.fail_point(failCommands=["insert"], writeConcernError=concern),
        pytest.raises(WriteConcernError) as one,
    ):
        users.insert_one({"_id": 3})
    assert not one.value.has_error_label("RetryableWriteError")
    with (
        primary.fail_point(failCommands=["insert"], writeConcernError={"code": 91, "errmsg": "bye"}) as point,
        pytest.raises(WriteConcernError) as two,
    ):
        users.insert_one({"_id": 4})
    assert two.value.has_error_label("RetryableWriteError")
    assert point.used == 2
    assert [document["_id"] for document in stored(users)] == [1, 2, 3, 4]


def test_a_bulk_in_several_commands(users: Users, primary: MongoTestServer) -> None:
    """Whatever is lost on the way, each is applied once."""
    requests: list[InsertOne[dict[str, Any]] | UpdateOne | DeleteOne] = [
        InsertOne({"_id": 3, "x": 33}),
        UpdateOne({"_id": 3}, INC),
        UpdateOne({"_id": 1}, INC),
        DeleteOne({"_id": 2}),
        InsertOne({"_id": 4}),
    ]
    with primary.fail_point("onPrimaryTransactionalWrite", {"skip": 1}) as point:
        # The second command writes twice, and its second try not at all.
        users.bulk_write(requests[:3])
    assert point.used == 2
    assert stored(users) == [{"_id": 1, "x": 12}, {"_id": 2, "x": 22}, {"_id": 3, "x": 34}]
    primary.reset()
    users.insert_many([{"_id": 1, "x": 11}, {"_id": 2, "x": 22}])
    with primary.fail_point("onPrimaryTransactionalWrite", {"times": 5}):
        result = users.bulk_write(requests)
    assert (result.inserted_count, result.modified_count, result.deleted_count) == (2, 2, 1)
    assert stored(users) == [{"_id": 1, "x": 12}, {"_id": 3, "x": 34}, {"_id": 4}]


def test_errors_of_single_writes_are_not_retried(users: Users, primary: MongoTestServer) -> None:
    """A duplicate key stays one in the second try, and its neighbours are not done twice."""
    with primary.fail_point("onPrimaryTransactionalWrite", {"times": 1}), pytest.raises(BulkWriteError) as caught:
        users.insert_many([{"_id": 3}, {"_id": 1}, {"_id": 4}], ordered=False)
    details = caught.value.details
    assert details is not None
    assert (details["nInserted"], [error["code"] for error in details["writeErrors"]]) == (2, [11000])


def test_writes_that_cannot_be_retried(users: Users, primary: MongoTestServer) -> None:
    """Writes to many documents have no number, and fail at once."""
    for write in (lambda: users.update_many({}, INC), lambda: users.delete_many({})):
        with (
            primary.fail_point(failCommands=["update", "delete"], closeConnection=True) as point,
            pytest.raises(AutoReconnect),
        ):
            write()
        assert point.used == 1
    assert "txnNumber" not in primary.commands_named("update")[-1].document


READS: dict[str, tuple[str, Callable[[Users], Any]]] = {
    "find": ("find", lambda c: list(c.find())),
    "find_one": ("find", lambda c: c.find_one()),
    "aggregate": ("aggregate", lambda c: list(c.aggregate([{"$match": {"x": 11}}]))),
    "count_documents": ("aggregate", lambda c: c.count_documents({})),
    "estimated_document_count": ("count", lambda c: c.estimated_document_count()),
    "distinct": ("distinct", lambda c: c.distinct("x")),
    "list_collections": ("listCollections", lambda c: c.database.list_collection_names()),
    "list_indexes": ("listIndexes", lambda c: list(c.list_indexes())),
    "list_databases": ("listDatabases", lambda c: c.database.client.list_database_names()),
}


@pytest.mark.parametrize(("name", "read"), READS.values(), ids=READS)
@pytest.mark.parametrize("data", [{"closeConnection": True}, {"errorCode": 11600}, {"errorCode": 13436}], ids=str)
def test_reads_are_retried_once(
    users: Users, primary: MongoTestServer, name: str, read: Callable[[Users], Any], data: dict[str, Any]
) -> None:
    """One failure does not show, two do."""
    expected = read(users)
    with primary.fail_point(mode={"times": 1}, failCommands=[name], **data) as point:
        assert read(users) == expected
        assert point.used == 1
    with primary.fail_point(mode={"times": 2}, failCommands=[name], **data), pytest.raises(PyMongoError):
        read(users)


def test_getmore_is_not_retried(users: Users, primary: MongoTestServer) -> None:
    """A cursor is where it is."""
    users.insert_many([{} for _ in range(5)])
    with primary.fail_point(failCommands=["getMore"], closeConnection=True) as point:
        with pytest.raises(AutoReconnect):
            list(users.find(batch_size=2))
        assert point.used == 1


def test_a_session_writes_with_rising_numbers(users: Users, primary: MongoTestServer) -> None:
    """One session, one number for each write; an old one by hand is too old."""
    with users.database.client.start_session() as session:
        count = len(primary.commands_named("insert"))
        for _ in range(3):
            users.insert_one({}, session=session)
        sent = numbers(primary.commands_named("insert")[count:])
        first = sent[0][1]
        assert [number for _, number in sent] == [first, first + 1, first + 2]
        assert len({name for name, _ in sent}) == 1
        with pytest.raises(OperationFailure) as caught:
            users.database.command("insert", "users", documents=[{}], txnNumber=Int64(first), session=session)
        assert caught.value.code == 225
        assert list(users.find(batch_size=2, session=session)) == stored(users)


def test_a_standalone_server_has_no_numbers() -> None:
    """PyMongo knows and sends none; one sent by hand is refused with the words that drivers look for."""
    with (
        MongoTestServer(users=[], tls="off") as server,
        pymongo.MongoClient[dict[str, Any]](server.uri()) as client,
    ):
        client.app.users.insert_one({})
        assert "txnNumber" not in server.commands_named("insert")[0].document
        with client.start_session() as session, pytest.raises(OperationFailure) as caught:
            client.app.command("insert", "users", documents=[{}], txnNumber=Int64(1), session=session)
        assert caught.value.code == 20
        assert "Transaction numbers" in str(caught.value)


@pytest.fixture
async def async_users(primary: MongoTestServer) -> AsyncIterator[Any]:
    primary.reset()
    async with pymongo.AsyncMongoClient[dict[str, Any]](uri(primary)) as client:
        yield client.app.users


async def test_the_async_client_retries(async_users: Any, primary: MongoTestServer) -> None:
    """Its writes are applied once too; fail points are set by the client, as its own tests do."""
    admin = async_users.database.client.admin
    await admin.command("configureFailPoint", "onPrimaryTransactionalWrite", mode={"times": 1})
    await async_users.insert_one({"_id": 1})
    data = {"failCommands": ["update"], "errorCode": 10107}
    await admin.command("configureFailPoint", "failCommand", mode={"times": 1}, data=data)
    await async_users.update_one({}, {"$inc": {"x": 1}})
    data = {"failCommands": ["find"], "closeConnection": True}
    await admin.command("configureFailPoint", "failCommand", mode={"times": 1}, data=data)
    assert await async_users.find_one() == {"_id": 1, "x": 1}
    assert [len(primary.commands_named(name)) for name in ("insert", "update", "find")] == [2, 2, 2]


@pytest.fixture
def replica_set() -> Iterator[ReplicaSet]:
    with ReplicaSet(members=3, users=[], tls="off") as members:
        yield members


def test_a_new_primary_knows_what_was_written(replica_set: ReplicaSet) -> None:
    """A write that the old primary carried out is not done again by the new one."""
    old, new = replica_set.primary, replica_set.secondaries[0]
    assert old is not None
    write = {"insert": "users", "documents": [{"_id": 1}], "txnNumber": Int64(1)}
    with pymongo.MongoClient[dict[str, Any]](replica_set.uri()) as client, client.start_session() as session:
        assert "retriedStmtIds" not in client.app.command(write, session=session)
        replica_set.elect(new)
        # The first command after it may still find the old primary.
        client.app.users.count_documents({}, session=session)
        reply = client.app.command(write, session=session)
        assert (reply["n"], reply["retriedStmtIds"]) == (1, [0])
    assert [len(server.commands_named("insert")) for server in (old, new)] == [1, 1]


def test_a_fail_point_belongs_to_one_member(replica_set: ReplicaSet) -> None:
    """One that makes the primary refuse everything does not follow it into the next term."""
    primary, secondary = replica_set.primary, replica_set.secondaries[0]
    assert primary is not None
    with (
        pymongo.MongoClient[dict[str, Any]](replica_set.uri(), retryWrites=False) as client,
        primary.fail_point(failCommands=["insert"], errorCode=8),
    ):
        with pytest.raises(OperationFailure):
            client.app.users.insert_one({})
        replica_set.elect(secondary)
        client.app.users.count_documents({})
        client.app.users.insert_one({})


def test_an_error_of_a_fail_point_is_old_news(replica_set: ReplicaSet) -> None:
    """It has the topologyVersion of hello, so that a client does not take the primary for gone, and goes on at once."""
    primary = replica_set.primary
    assert primary is not None
    with pymongo.MongoClient[dict[str, Any]](replica_set.uri(), retryWrites=False) as client:
        client.app.users.insert_one({})
        with primary.fail_point(mode={"times": 1}, failCommands=["insert"], errorCode=10107):
            with pytest.raises(AutoReconnect) as caught:
                client.app.users.insert_one({})
            version = client.admin.command("hello")["topologyVersion"]
            assert isinstance(caught.value.details, dict)
            assert caught.value.details["topologyVersion"] == version
            assert client.topology_description.has_writable_server()
