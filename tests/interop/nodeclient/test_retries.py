"""Sessions, retryable writes and reads of the Node.js driver against our fail points: each write is applied once."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import pytest
from bson import Binary, Int64
from node_driver import Calls, Exactly, Kept, Node, NodeError

from aiomongo_tls.testing import CertKit, MongoTestServer, RecordedCommand

Documents = list[dict[str, Any]]
# After an error the driver looks at the server again, at most twice a second if it is left alone.
IMPATIENT = {"minHeartbeatFrequencyMS": 10, "heartbeatFrequencyMS": 500}


@pytest.fixture(scope="module")
def primary(aiomongo_certs: CertKit) -> Iterator[MongoTestServer]:
    with MongoTestServer(ca=aiomongo_certs, topology="replica_set") as server:
        yield server


@pytest.fixture
def client(connect: Any, primary: MongoTestServer) -> Kept:
    primary.reset()
    made: Kept = connect(primary.uri(serverMonitoringMode="poll"), IMPATIENT)
    return made


@pytest.fixture
def users(client: Kept) -> Calls:
    found = client.db("app").collection("users")
    found.insertMany([{"_id": 1, "x": 11}, {"_id": 2, "x": 22}]).get()
    return found


def stored(users: Calls) -> Documents:
    found: Documents = users.find({}).sort({"_id": 1}).toArray().get()
    return found


def numbers(commands: list[RecordedCommand]) -> list[tuple[bytes, int]]:
    """What tells that two writes are the same one."""
    return [(command.document["lsid"]["id"], command.document["txnNumber"]) for command in commands]


ONE, TWO = {"_id": 1, "x": 11}, {"_id": 2, "x": 22}
INC = {"$inc": {"x": 1}}
WRITES: dict[str, tuple[str, Callable[[Calls], Calls], Documents]] = {
    "insertOne": ("insert", lambda c: c.insertOne({"_id": 3}), [ONE, TWO, {"_id": 3}]),
    "insertMany": ("insert", lambda c: c.insertMany([{"_id": 3}, {"_id": 4}]), [ONE, TWO, {"_id": 3}, {"_id": 4}]),
    "updateOne": ("update", lambda c: c.updateOne({"_id": 1}, INC), [{"_id": 1, "x": 12}, TWO]),
    "upsert": ("update", lambda c: c.updateOne({"_id": 3}, INC, {"upsert": True}), [ONE, TWO, {"_id": 3, "x": 1}]),
    "replaceOne": ("update", lambda c: c.replaceOne({"x": 11}, {"x": 5}), [{"_id": 1, "x": 5}, TWO]),
    "deleteOne": ("delete", lambda c: c.deleteOne({}), [TWO]),
    "findOneAndUpdate": ("findAndModify", lambda c: c.findOneAndUpdate({"_id": 1}, INC), [{"_id": 1, "x": 12}, TWO]),
    "findOneAndReplace": (
        "findAndModify",
        lambda c: c.findOneAndReplace({"_id": 1}, {"x": 0}),
        [{"_id": 1, "x": 0}, TWO],
    ),
    "findOneAndDelete": ("findAndModify", lambda c: c.findOneAndDelete({"_id": 1}), [TWO]),
    "bulkWrite": (
        "update",
        lambda c: c.bulkWrite(
            [{"updateOne": {"filter": {"_id": 1}, "update": INC}}, {"updateOne": {"filter": {"_id": 2}, "update": INC}}]
        ),
        [{"_id": 1, "x": 12}, {"_id": 2, "x": 23}],
    ),
}
every_write = pytest.mark.parametrize(("name", "write", "after"), WRITES.values(), ids=WRITES)


@every_write
def test_a_write_whose_answer_was_lost(
    users: Calls, primary: MongoTestServer, name: str, write: Callable[[Calls], Calls], after: Documents
) -> None:
    """It was carried out; the driver sends it again with the same number, and it is not done twice."""
    primary.on(name).hangs_up(carried_out=True).once()
    before = len(primary.commands_named(name))
    write(users).get()
    first, second = primary.commands_named(name)[before:]
    assert numbers([first]) == numbers([second])
    assert first.outcome.carried_out
    assert not first.outcome.answered
    assert stored(users) == after


@every_write
@pytest.mark.parametrize("data", [{"closeConnection": True}, {"errorCode": 91}, {"errorCode": 10107}], ids=str)
def test_a_write_that_was_not_carried_out(
    users: Calls,
    primary: MongoTestServer,
    name: str,
    write: Callable[[Calls], Calls],
    after: Documents,
    data: dict[str, Any],
) -> None:
    """It is carried out when it is sent again."""
    with primary.fail_point(mode={"times": 1}, failCommands=[name], **data) as point:
        write(users).get()
        assert point.used == 1
    assert stored(users) == after


@pytest.mark.parametrize("code", [2, 50, 11601])
def test_an_error_that_stays(users: Calls, primary: MongoTestServer, code: int) -> None:
    """There is no label, and no second try."""
    with primary.fail_point(failCommands=["insert"], errorCode=code) as point:
        with pytest.raises(NodeError) as caught:
            users.insertOne({}).get()
        assert (caught.value.code, point.used) == (code, 1)
    assert "RetryableWriteError" not in caught.value.labels


def test_labels_decide(users: Calls, primary: MongoTestServer) -> None:
    """A label makes any error worth a try; an error that the server did not label is not."""
    labels = ["RetryableWriteError"]
    with primary.fail_point(mode={"times": 1}, failCommands=["insert"], errorCode=112, errorLabels=labels) as point:
        users.insertOne({"_id": 3}).get()
        assert point.used == 1
    with primary.fail_point(failCommands=["insert"], errorCode=91, errorLabels=[]) as point:
        with pytest.raises(NodeError):
            users.insertOne({"_id": 4}).get()
        assert point.used == 1


def test_a_write_that_fails_twice(users: Calls, primary: MongoTestServer) -> None:
    """The second failure is raised, and nothing was written."""
    with primary.fail_point(failCommands=["insert"], errorCode=91) as point:
        with pytest.raises(NodeError) as caught:
            users.insertOne({"_id": 3}).get()
        assert (caught.value.code, point.used) == (91, 2)
    assert "RetryableWriteError" in caught.value.labels
    assert stored(users) == [ONE, TWO]


def test_retries_that_are_switched_off(connect: Any, users: Calls, primary: MongoTestServer) -> None:
    """Then the first failure is raised, and writes have no number."""
    other = connect(primary.uri(), {**IMPATIENT, "retryWrites": False, "retryReads": False})
    with primary.fail_point(mode={"times": 1}, failCommands=["insert"], errorCode=91) as point:
        with pytest.raises(NodeError):
            other.db("app").collection("users").insertOne({"_id": 3}).get()
        assert point.used == 1
    assert "txnNumber" not in primary.commands_named("insert")[-1].document
    with primary.fail_point(mode={"times": 1}, failCommands=["find"], errorCode=91), pytest.raises(NodeError):
        other.db("app").collection("users").findOne({}).get()


def test_writes_to_many_have_no_number(users: Calls, primary: MongoTestServer) -> None:
    """They cannot be tried again, and fail at once."""
    for write in (users.updateMany({}, INC), users.deleteMany({})):
        with primary.fail_point(failCommands=["update", "delete"], closeConnection=True) as point:
            with pytest.raises(NodeError) as caught:
                write.get()
            assert (caught.value.name, point.used) == ("MongoNetworkError", 1)
    assert "txnNumber" not in primary.commands_named("update")[-1].document
    assert stored(users) == [ONE, TWO]


def test_a_write_concern_that_was_not_met(users: Calls, primary: MongoTestServer) -> None:
    """A passing one is not seen; one that stays is raised, and the write was done once all the same."""
    with primary.fail_point(
        mode={"times": 1}, failCommands=["update"], writeConcernError={"code": 91, "errmsg": "going down"}
    ) as point:
        users.updateOne({"_id": 1}, INC).get()
        assert point.used == 1
    with primary.fail_point(failCommands=["update"], writeConcernError={"code": 64, "errmsg": "too slow"}) as point:
        with pytest.raises(NodeError) as caught:
            users.updateOne({"_id": 1}, INC).get()
        assert (caught.value.name, caught.value.code, point.used) == ("MongoWriteConcernError", 64, 1)
    assert stored(users) == [{"_id": 1, "x": 13}, TWO]


def test_a_bulk_in_several_commands(users: Calls, primary: MongoTestServer) -> None:
    """Whatever is lost on the way, each is applied once."""
    models = [
        {"insertOne": {"document": {"_id": 3, "x": 33}}},
        {"updateOne": {"filter": {"_id": 3}, "update": INC}},
        {"updateOne": {"filter": {"_id": 1}, "update": INC}},
        {"deleteOne": {"filter": {"_id": 2}}},
        {"insertOne": {"document": {"_id": 4}}},
    ]
    for name in ("insert", "update", "delete"):
        primary.on(name).hangs_up(carried_out=True).once()
    result = users.bulkWrite(models).get()
    assert (result["insertedCount"], result["modifiedCount"], result["deletedCount"]) == (2, 2, 1)
    assert stored(users) == [{"_id": 1, "x": 12}, {"_id": 3, "x": 34}, {"_id": 4}]


READS: dict[str, tuple[str, Callable[[Calls], Calls]]] = {
    "find": ("find", lambda c: c.find({}).toArray()),
    "findOne": ("find", lambda c: c.findOne({})),
    "aggregate": ("aggregate", lambda c: c.aggregate([{"$match": {"x": 11}}]).toArray()),
    "countDocuments": ("aggregate", lambda c: c.countDocuments({})),
    "estimatedDocumentCount": ("count", lambda c: c.estimatedDocumentCount()),
    "distinct": ("distinct", lambda c: c.distinct("x")),
    "listIndexes": ("listIndexes", lambda c: c.listIndexes().toArray()),
}


@pytest.mark.parametrize(("name", "read"), READS.values(), ids=READS)
@pytest.mark.parametrize("data", [{"closeConnection": True}, {"errorCode": 11600}, {"errorCode": 13436}], ids=str)
def test_reads_are_retried_once(
    users: Calls, primary: MongoTestServer, name: str, read: Callable[[Calls], Calls], data: dict[str, Any]
) -> None:
    """One failure does not show, two do."""
    expected = read(users).get()
    with primary.fail_point(mode={"times": 1}, failCommands=[name], **data) as point:
        assert read(users).get() == expected
        assert point.used == 1
    with primary.fail_point(mode={"times": 2}, failCommands=[name], **data) as point:
        with pytest.raises(NodeError):
            read(users).get()
        assert point.used == 2


# Sessions


def test_every_command_has_a_session(users: Calls, primary: MongoTestServer) -> None:
    """Sessions without a name are used again one after the other, so one is enough here."""
    users.findOne({}).get()
    users.updateOne({"_id": 1}, INC).get()
    lsids = {bytes(c.document["lsid"]["id"]) for c in primary.commands if "lsid" in c.document}
    assert len(lsids) == 1


def test_a_session_writes_with_rising_numbers(node: Node, client: Kept, users: Calls, primary: MongoTestServer) -> None:
    """One session, one number for each write; what it has written it reads, by afterClusterTime."""
    before = len(primary.commands)
    documents = [{"_id": n} for n in (3, 4, 5)]
    told = node.scripts.inSession(client, {"causalConsistency": True}, "app.users", documents).get()
    assert [user["_id"] for user in told["found"]] == [1, 2, 3, 4, 5]
    commands = primary.commands[before:]
    inserts = [command.document for command in commands if command.name == "insert"]
    (find,) = [command.document for command in commands if command.name == "find"]
    rising = [insert["txnNumber"] for insert in inserts]
    assert rising == sorted(set(rising))
    assert {bytes(insert["lsid"]["id"]) for insert in inserts} == {bytes(told["lsid"]["id"])}
    assert find["readConcern"]["afterClusterTime"] <= told["operationTime"]


def test_an_explicit_session(client: Kept, users: Calls, primary: MongoTestServer) -> None:
    """Its cursor stays in it, and after its end it is of no use."""
    session = client.startSession().keep()
    found = users.find({}, {"session": session, "batchSize": 1}).toArray().get()
    assert len(found) == 2
    find, more = primary.commands_named("find")[-1], primary.commands_named("getMore")[-1]
    assert find.document["lsid"] == more.document["lsid"]
    session.endSession().get()
    with pytest.raises(NodeError) as caught:
        users.findOne({}, {"session": session}).get()
    assert caught.value.name == "MongoExpiredSessionError"


def test_sessions_are_ended(connect: Any, primary: MongoTestServer) -> None:
    """When a client closes it tells the server which of its sessions are over."""
    client = connect(primary.uri())
    users = client.db("app").collection("users")
    users.insertOne({"_id": "x"}).get()
    lsid = primary.commands_named("insert")[-1].document["lsid"]
    client.close().get()
    assert lsid in primary.commands_named("endSessions")[-1].document["endSessions"]


def test_transactions_are_not_here(client: Kept, users: Calls) -> None:
    """An error that says so, and nothing is written."""
    session = client.startSession().keep()
    session.startTransaction().get()
    with pytest.raises(NodeError) as caught:
        users.insertOne({"_id": 3}, {"session": session}).get()
    assert caught.value.code == 238
    session.endSession().get()
    assert stored(users) == [ONE, TWO]


def test_numbers_by_hand(client: Kept, users: Calls) -> None:
    """An old number is too old, a number once more is the same write."""
    lsid = {"id": Binary(bytes(range(16)), 4)}

    def insert(number: int, identity: int) -> Any:
        command = {"insert": "users", "documents": [{"_id": identity}], "lsid": lsid, "txnNumber": Int64(number)}
        return client.db("app").command(Exactly(command))

    assert insert(5, 50).get()["n"] == 1
    assert insert(5, 50).get()["n"] == 1
    with pytest.raises(NodeError) as caught:
        insert(4, 51).get()
    assert caught.value.code == 225
    assert [user["_id"] for user in stored(users)] == [1, 2, 50]


def test_a_standalone_server_has_no_numbers(connect: Any, aiomongo_server: MongoTestServer) -> None:
    """The driver knows and sends none."""
    client = connect(aiomongo_server.uri())
    client.db("app").collection("users").insertOne({"_id": 1}).get()
    assert "txnNumber" not in aiomongo_server.commands_named("insert")[0].document
