"""A retryable write is applied once, however often it is sent."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

import pytest
from bson import Int64
from bson.binary import Binary

from aiomongo_tls.address import ServerAddress
from aiomongo_tls.testing.commands.request import ConnectionState, ServerState
from aiomongo_tls.testing.deployment.cluster_clock import ClusterClock
from aiomongo_tls.testing.deployment.membership import MemberKind, Membership
from aiomongo_tls.testing.deployment.node import Mongos, Node, Standalone
from aiomongo_tls.testing.fail_points import FailPoints
from aiomongo_tls.testing.sessions import LIMIT, RetryableWrite, SessionId, Sessions

Run = Callable[..., dict[str, Any]]


@pytest.fixture
def node() -> Node:
    """The primary of a replica set with one member."""
    clock = ClusterClock(lambda: datetime.now(UTC).replace(tzinfo=None))
    membership = Membership("rs0", clock, lambda: 0.0, [MemberKind.ELECTABLE])
    (member,) = membership.members
    member.started(ServerAddress("localhost", 27017))
    membership.elect(member)
    return member


def session(number: int = 1) -> dict[str, Any]:
    return {"id": Binary(bytes([number] * 16), 4)}


def numbered(document: dict[str, Any], number: int = 1, who: int = 1) -> dict[str, Any]:
    return {**document, "lsid": session(who), "txnNumber": Int64(number)}


@pytest.fixture
def send(run: Run) -> Run:
    """Send a write; the part of the reply that is no gossip."""

    def carry_out(document: dict[str, Any], number: int = 1, who: int = 1) -> dict[str, Any]:
        reply = run(numbered(document, number, who))
        return {name: value for name, value in reply.items() if name not in ("$clusterTime", "operationTime")}

    return carry_out


def stored(run: Run) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = run({"find": "users", "sort": {"_id": 1}})["cursor"]["firstBatch"]
    return found


INCREMENT = {"q": {"_id": 1}, "u": {"$inc": {"n": 1}}}


@pytest.mark.parametrize(
    ("write", "reply", "after"),
    [
        ({"insert": "users", "documents": [{"_id": 2}]}, {"n": 1}, [{"_id": 1, "n": 0}, {"_id": 2}]),
        ({"update": "users", "updates": [INCREMENT]}, {"n": 1, "nModified": 1}, [{"_id": 1, "n": 1}]),
        (
            {"update": "users", "updates": [{"q": {"_id": 2}, "u": {"$inc": {"n": 5}}, "upsert": True}]},
            {"n": 1, "nModified": 0, "upserted": [{"index": 0, "_id": 2}]},
            [{"_id": 1, "n": 0}, {"_id": 2, "n": 5}],
        ),
        ({"delete": "users", "deletes": [{"q": {}, "limit": 1}]}, {"n": 1}, []),
    ],
    ids=["insert", "update", "upsert", "delete"],
)
def test_a_statement_that_is_repeated(
    run: Run, send: Run, write: dict[str, Any], reply: dict[str, Any], after: list[dict[str, Any]]
) -> None:
    """It is told again what it did, and is not done again; with the next number it is a new one."""
    run({"insert": "users", "documents": [{"_id": 1, "n": 0}]})
    assert send(write) == {**reply, "ok": 1.0}
    for _ in range(2):
        assert send(write) == {**reply, "retriedStmtIds": [0], "ok": 1.0}
    assert stored(run) == after
    assert "retriedStmtIds" not in send(write, 2)


@pytest.mark.parametrize("name", ["findAndModify", "findandmodify"])
def test_find_and_modify_is_repeated(run: Run, send: Run, name: str) -> None:
    """The document from then comes back, before or after."""
    run({"insert": "users", "documents": [{"_id": 1, "n": 0}]})
    change = {name: "users", "query": {"_id": 1}, "update": {"$inc": {"n": 1}}, "new": True}
    first = send(change)
    assert first["value"] == {"_id": 1, "n": 1}
    run({"update": "users", "updates": [INCREMENT]})
    assert send(change) == {**first, "retriedStmtId": 0}
    removal = {name: "users", "query": {}, "remove": True, "fields": {"n": 1, "_id": 0}}
    first = send(removal, 2)
    assert (first["value"], first["lastErrorObject"]) == ({"n": 2}, {"n": 1})
    assert send(removal, 2) == {**first, "retriedStmtId": 0}
    assert stored(run) == []


def test_the_rest_of_a_batch(run: Run, send: Run) -> None:
    """Statements that were done are not done again, the others are."""
    run({"insert": "users", "documents": [{"_id": 5}]})
    batch = {"insert": "users", "documents": [{"_id": n} for n in (3, 4, 5, 6)]}
    first = send(batch)
    assert (first["n"], first["writeErrors"][0]["index"]) == (2, 2)
    run({"delete": "users", "deletes": [{"q": {"_id": {"$in": [4, 5]}}, "limit": 0}]})
    assert send(batch) == {"n": 4, "retriedStmtIds": [0, 1], "ok": 1.0}
    # 4 was inserted once, and deleted by somebody else since.
    assert [document["_id"] for document in stored(run)] == [3, 5, 6]


def test_statements_have_numbers(run: Run, send: Run) -> None:
    """`stmtId` counts on from where it says, `stmtIds` names each."""
    one = {"insert": "users", "documents": [{"_id": 1}]}
    assert send({**one, "stmtId": 7})["n"] == 1
    assert send({**one, "stmtIds": [7]})["retriedStmtIds"] == [7]
    two = {"insert": "users", "documents": [{"_id": 2}, {"_id": 1}], "stmtId": 6}
    assert send(two)["retriedStmtIds"] == [7]
    assert send({**one, "stmtId": 1, "stmtIds": [1]})["code"] == 72
    assert len(stored(run)) == 2


def test_what_changed_nothing_is_tried_again(run: Run, send: Run) -> None:
    """There is no record of a statement that found no document."""
    update = {"update": "users", "updates": [INCREMENT]}
    assert send(update)["n"] == 0
    run({"insert": "users", "documents": [{"_id": 1, "n": 0}]})
    assert send(update) == {"n": 1, "nModified": 1, "ok": 1.0}


def test_sessions_are_apart(run: Run, send: Run, connection: ConnectionState) -> None:
    """The same number in another session, or in that of another user, is another write."""
    run({"insert": "users", "documents": [{"_id": 1, "n": 0}]})
    update = {"update": "users", "updates": [INCREMENT]}
    send(update)
    send(update, who=2)
    connection.user = "ada"
    send(update)
    assert stored(run) == [{"_id": 1, "n": 3}]


def test_an_old_number(run: Run, send: Run) -> None:
    """The session has gone on: the write is refused, and not applied."""
    send({"insert": "users", "documents": [{"_id": 1}]}, 5)
    reply = send({"insert": "users", "documents": [{"_id": 2}]}, 4)
    assert (reply["code"], reply["codeName"]) == (225, "TransactionTooOld")
    assert "txnNumber 4 is prohibited" in reply["errmsg"]
    assert "txnNumber 5 has already started" in reply["errmsg"]
    assert stored(run) == [{"_id": 1}]


def test_another_command_with_a_used_number(send: Run) -> None:
    """The record of an insert is no answer to an update."""
    send({"insert": "users", "documents": [{"_id": 1}]})
    (error,) = send({"update": "users", "updates": [INCREMENT]})["writeErrors"]
    assert error["code"] == 217


def test_statements_for_many_documents(run: Run, send: Run) -> None:
    """They cannot be retried: each is an error, and nothing happens."""
    run({"insert": "users", "documents": [{"_id": 1, "n": 0}]})
    (error,) = send({"update": "users", "updates": [{**INCREMENT, "multi": True}]})["writeErrors"]
    assert (error["code"], error["errmsg"]) == (72, "Cannot use (or request) retryable writes with multi=true")
    (error,) = send({"delete": "users", "deletes": [{"q": {}, "limit": 0}]})["writeErrors"]
    assert (error["code"], error["errmsg"]) == (72, "Cannot use (or request) retryable writes with limit=0")
    assert stored(run) == [{"_id": 1, "n": 0}]


@pytest.mark.parametrize(
    ("document", "code"),
    [
        (numbered({"find": "users"}), 50768),
        (numbered({"aggregate": "users", "pipeline": [{"$out": "x"}], "cursor": {}}), 50768),
        (numbered({"create": "other"}), 50768),
        ({"insert": "users", "documents": [{}], "txnNumber": Int64(1)}, 72),
        (numbered({"insert": "users", "documents": [{}]}, -1), 72),
        ({"insert": "users", "documents": [{}], "lsid": session(), "txnNumber": 1}, 14),
        ({"insert": "users", "documents": [{}], "lsid": session(), "autocommit": False}, 72),
        ({**numbered({"insert": "users", "documents": [{}]}), "startTransaction": True}, 72),
        ({**numbered({"insert": "users", "documents": [{}]}), "autocommit": True}, 72),
        ({**numbered({"insert": "users", "documents": [{}]}), "autocommit": False, "startTransaction": True}, 238),
        ({"commitTransaction": 1, "lsid": session()}, 238),
    ],
    ids=str,
)
def test_what_cannot_have_a_number(run: Run, document: dict[str, Any], code: int) -> None:
    """Refused with the server's code; transactions are not here."""
    assert run(document, "admin" if "commitTransaction" in document else "app")["code"] == code


def test_only_the_latest_sessions_are_kept() -> None:
    """A server can run for days."""
    sessions = Sessions()

    def write(number: int) -> RetryableWrite:
        session = SessionId(number.to_bytes(16), "")
        sessions.use(session, datetime.now(UTC))
        return sessions.begin(session, 1)

    first = write(0)
    for number in range(1, LIMIT):
        write(number)
    assert write(0) is first
    write(LIMIT)
    assert write(0) is first
    assert len(list(sessions)) == LIMIT
    assert SessionId((1).to_bytes(16), "") not in dict(sessions)


# Fail points


def ends(connection: ConnectionState) -> bool:
    return connection.is_ending


def on_write(points: FailPoints, mode: Any = "alwaysOn", **data: Any) -> None:
    points.configure({"configureFailPoint": "onPrimaryTransactionalWrite", "mode": mode, "data": data})


def test_a_write_that_is_not_reflected(
    run: Run, send: Run, fail_points: FailPoints, connection: ConnectionState
) -> None:
    """It is undone with all that belongs to it, and done when it is sent again; the connection ends unless told not."""
    run({"createIndexes": "users", "indexes": [{"key": {"n": 1}, "name": "n", "unique": True}]})
    run({"insert": "users", "documents": [{"_id": n, "n": n} for n in (1, 2, 3)]})
    before = stored(run)
    writes: list[dict[str, Any]] = [
        {"insert": "users", "documents": [{"_id": 4, "n": 4}]},
        {"update": "users", "updates": [{"q": {"_id": 2}, "u": {"$inc": {"n": 10}}}]},
        {"update": "users", "updates": [{"q": {"_id": 8}, "u": {"$set": {"n": 8}}, "upsert": True}]},
        {"delete": "users", "deletes": [{"q": {"_id": 1}, "limit": 1}]},
        {"insert": "fresh", "documents": [{"_id": 4}]},
    ]
    for number, write in enumerate(writes):
        on_write(fail_points, {"times": 1}, failBeforeCommitExceptionCode=1, closeConnection=False)
        (error,) = send(write, number)["writeErrors"]
        assert error["code"] == 1
        assert "must not be reflected" in error["errmsg"]
        assert run({"find": "users"})["cursor"]["firstBatch"] == before
        assert run({"find": "fresh"})["cursor"]["firstBatch"] == []
    assert not ends(connection)
    for number, write in enumerate(writes, start=10):
        assert send(write, number)["n"] == 1
    assert [document["n"] for document in stored(run)] == [12, 3, 4, 8]
    on_write(fail_points, failBeforeCommitExceptionCode=1)
    assert send({"findAndModify": "users", "remove": True}, 20)["code"] == 1
    assert ends(connection)


def test_a_write_whose_answer_is_lost(
    run: Run, send: Run, fail_points: FailPoints, connection: ConnectionState
) -> None:
    """Without a code the write stays and the connection ends; writes without a number do not count."""
    on_write(fail_points, {"skip": 1})
    run({"insert": "users", "documents": [{"_id": 1, "n": 0}]})
    send({"insert": "users", "documents": [{"_id": 2}]})
    assert not ends(connection)
    send({"update": "users", "updates": [{"q": {"_id": 9}, "u": {"$set": {"n": 1}}}]}, 2)
    assert not ends(connection)
    send({"update": "users", "updates": [INCREMENT]}, 3)
    assert ends(connection)
    assert stored(run) == [{"_id": 1, "n": 1}, {"_id": 2}]


# Labels


@pytest.mark.parametrize(
    ("code", "labels"), [(91, ["RetryableWriteError"]), (10107, ["RetryableWriteError"]), (2, None), (11601, None)]
)
def test_labels_of_errors(send: Run, run: Run, fail_points: FailPoints, code: int, labels: list[str] | None) -> None:
    """A retryable write that fails with a retryable code is labelled; nothing else is."""
    on_write(fail_points, failBeforeCommitExceptionCode=code)
    change = {"findAndModify": "users", "update": {"x": 1}, "upsert": True}
    assert send(change).get("errorLabels") == labels
    assert "errorLabels" not in run(change)


def test_nothing_was_written(run: Run, send: Run, fail_points: FailPoints) -> None:
    """The server says so if it can tell: the connection wrote before, and not in this command."""
    on_write(fail_points, failBeforeCommitExceptionCode=11600)
    insert = {"insert": "users", "documents": [{"_id": 1}, {"_id": 2}]}
    assert send(insert)["errorLabels"] == ["RetryableWriteError"]
    run({"insert": "users", "documents": [{"_id": 9}]})
    reply = send(insert, 2)
    assert (reply["code"], reply["errorLabels"]) == (11600, ["RetryableWriteError", "NoWritesPerformed"])
    on_write(fail_points, {"skip": 1}, failBeforeCommitExceptionCode=11600)
    assert send(insert, 3)["errorLabels"] == ["RetryableWriteError"]
    assert [document["_id"] for document in stored(run)] == [1, 9]


class TestMongos:
    """A mongos takes numbers, and calls no error retryable."""

    @pytest.fixture
    def node(self) -> Node:
        return Mongos(ClusterClock(lambda: datetime.now(UTC).replace(tzinfo=None)))

    def test_labels(self, send: Run, fail_points: FailPoints) -> None:
        """Its shards tried twice."""
        on_write(fail_points, {"times": 1}, failBeforeCommitExceptionCode=10107)
        reply = send({"findAndModify": "users", "update": {"x": 1}, "upsert": True})
        assert reply["code"] == 10107
        assert "errorLabels" not in reply
        assert "topologyVersion" not in reply


class TestStandalone:
    """A server alone has no transaction numbers."""

    @pytest.fixture
    def node(self) -> Node:
        return Standalone()

    def test_numbers_are_refused(self, run: Run, server: ServerState) -> None:
        """With the words that drivers look for."""
        reply = run(numbered({"insert": "users", "documents": [{}]}))
        assert reply["code"] == 20
        assert reply["errmsg"] == "Transaction numbers are only allowed on a replica set member or mongos"
        assert server.store.find("app", "users") is None
