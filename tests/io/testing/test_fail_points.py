"""Fail points act as they were told to, as often as they were told to, and refuse what makes no sense."""

from __future__ import annotations

import time
from collections.abc import Mapping
from threading import Barrier, Thread
from typing import Any

import pymongo
import pytest
from pymongo.errors import AutoReconnect, NetworkTimeout, OperationFailure, ServerSelectionTimeoutError

from aiomongo_tls.testing import MongoTestServer
from aiomongo_tls.testing.fail_points import FailPoints
from aiomongo_tls.testing.failures import CommandError, Failure
from aiomongo_tls.testing.recording import RecordedCommand
from aiomongo_tls.testing.scenario import Answers, HangsUp

Client = pymongo.MongoClient[dict[str, Any]]


def command(name: str, *, application: str | None = None, **fields: Any) -> RecordedCommand:
    client = None if application is None else {"application": {"name": application}}
    document = {name: fields.pop("argument", "users"), **fields}
    return RecordedCommand(name=name, database="app", document=document, connection_id=1, client=client, user=None)


def configured(mode: Any = "alwaysOn", **data: Any) -> FailPoints:
    points = FailPoints()
    points.configure({"configureFailPoint": "failCommand", "mode": mode, "data": data})
    return points


def pattern(points: FailPoints, *names: str) -> list[bool]:
    return [points.rule(command(name)) is not None for name in names]


def failure(points: FailPoints, name: str = "find", **fields: Any) -> Failure:
    rule = points.rule(command(name, **fields))
    assert rule is not None
    assert isinstance(rule.act, Answers)
    assert rule.act.failure is not None
    return rule.act.failure


@pytest.mark.parametrize(
    ("mode", "acts"),
    [
        ("off", [False, False, False]),
        ("alwaysOn", [True, True, True]),
        ({"times": 2}, [True, True, False]),
        ({"skip": 1}, [False, True, True]),
        ({"skip": 0}, [True, True, True]),
        ({"times": 2.0}, [True, True, False]),
    ],
    ids=str,
)
def test_when_a_fail_point_acts(mode: Any, acts: list[bool]) -> None:
    """Never, always, so many times, or after so many."""
    assert pattern(configured(mode, failCommands=["find"], errorCode=1), "find", "find", "find") == acts


def test_only_commands_it_is_for_count() -> None:
    """Others pass and do not use it up."""
    points = configured({"times": 1}, failCommands=["find", "insert"], errorCode=1)
    assert pattern(points, "ping", "update", "insert", "find") == [False, False, True, False]


def test_a_second_configuration_replaces_the_first() -> None:
    """The count of how often it acted goes on, and is told."""
    points = configured({"times": 5}, failCommands=["find"], errorCode=1)
    pattern(points, "find", "find")
    again = {
        "configureFailPoint": "failCommand",
        "mode": "alwaysOn",
        "data": {"failCommands": ["ping"], "errorCode": 1},
    }
    assert points.configure(again) == 2
    assert pattern(points, "find", "ping") == [False, True]
    assert points.configure({"configureFailPoint": "failCommand", "mode": "off"}) == 3
    assert pattern(points, "ping") == [False]


def test_it_can_never_take_itself_captive() -> None:
    """The command configureFailPoint works even if it is named, or all commands are."""
    assert pattern(configured(failCommands=["configureFailPoint"], errorCode=1), "configureFailPoint") == [False]
    assert pattern(configured(failAllCommands=True, errorCode=1), "configureFailPoint", "ping") == [False, True]


def test_spellings() -> None:
    """Spellings of one command are one; hello is another command than isMaster."""
    points = configured(failCommands=["isMaster", "findAndModify"], errorCode=1)
    assert pattern(points, "isMaster", "ismaster", "findandmodify", "hello") == [True, True, True, False]


def test_applications() -> None:
    """`appName` is that of the connection's first hello."""
    points = configured(failCommands=["find"], errorCode=1, appName="mine")
    found = [points.rule(command("find", application=name)) is not None for name in ("mine", "yours", None)]
    assert found == [True, False, False]


def test_namespaces() -> None:
    """`namespace` is the collection of a command, of a getMore too."""
    points = configured(failCommands=["find", "getMore"], errorCode=1, namespace="app.users")
    assert points.rule(command("find", argument="users")) is not None
    assert points.rule(command("find", argument="orders")) is None
    assert points.rule(command("getMore", argument=5, collection="users")) is not None


def test_an_error() -> None:
    """A code has its name; labels replace the server's, if there are none too; baseBackoffMS goes with it."""
    found = failure(configured(failCommands=["find"], errorCode=462, errorLabels=["A", "B"], baseBackoffMS=50))
    assert found.labels == ("A", "B")
    assert found.error is not None
    assert found.error.reply() == {
        "ok": 0.0,
        "code": 462,
        "codeName": "IngressRequestRateLimitExceeded",
        "errmsg": "Failing command via 'failCommand' failpoint",
        "baseBackoffMS": 50,
    }
    assert failure(configured(failCommands=["find"], errorCode=91, errorLabels=[])).labels == ()
    assert failure(configured(failCommands=["find"], errorCode=91)).labels is None


def test_hanging_up_goes_before_an_error_and_waiting_before_both() -> None:
    """All keys at once: it waits, then hangs up."""
    points = configured(failCommands=["find"], errorCode=1, closeConnection=True, blockConnection=True, blockTimeMS=250)
    rule = points.rule(command("find"))
    assert rule is not None
    assert (rule.act, rule.delay) == (HangsUp(), 0.25)


@pytest.mark.parametrize("data", [{}, {"blockTimeMS": "long"}, {"blockTimeMS": -1}])
def test_waiting_for_no_time(data: Mapping[str, Any]) -> None:
    """As on a real server the command that it stops has to hear of the mistake."""
    found = failure(configured(failCommands=["find"], blockConnection=True, **data))
    assert found.error is not None
    assert found.error.code == 72


def test_write_concern_errors_are_for_writes() -> None:
    """Other commands neither get one nor use the fail point up; an error goes before it."""
    concern = {"code": 91, "errmsg": "shutting down"}
    points = configured({"times": 2}, failCommands=["find", "insert", "aggregate"], writeConcernError=concern)
    assert points.rule(command("find")) is None
    assert points.rule(command("aggregate", pipeline=[])) is None
    assert failure(points, "aggregate", pipeline=[{"$out": "x"}]).write_concern_error == concern
    assert failure(points, "insert") == Failure(write_concern_error=concern)
    both = configured(failCommands=["insert"], writeConcernError=concern, errorCode=1)
    assert failure(both, "insert").write_concern_error is None


@pytest.mark.parametrize(
    "data",
    [
        {"failCommands": ["find"]},
        {"failCommands": ["find"], "closeConnection": False, "blockConnection": False},
        {"failCommands": ["find"], "errorCode": "BadValue"},
        {"failCommands": "find", "errorCode": 1},
        {"errorCode": 1},
    ],
    ids=str,
)
def test_data_that_say_nothing(data: Mapping[str, Any]) -> None:
    """What a real server ignores is ignored."""
    assert pattern(configured("alwaysOn", **data), "find") == [False]


@pytest.mark.parametrize(
    ("document", "code"),
    [
        ({"configureFailPoint": "nonesuch", "mode": "off"}, 266),
        ({"configureFailPoint": 1, "mode": "off"}, 266),
        ({"configureFailPoint": "failCommand"}, 20),
        ({"configureFailPoint": "failCommand", "mode": "sometimes"}, 2),
        ({"configureFailPoint": "failCommand", "mode": 1}, 14),
        ({"configureFailPoint": "failCommand", "mode": {}}, 2),
        ({"configureFailPoint": "failCommand", "mode": {"times": -1}}, 2),
        ({"configureFailPoint": "failCommand", "mode": {"skip": 2**31}}, 2),
        ({"configureFailPoint": "failCommand", "mode": {"times": "2"}}, 14),
        ({"configureFailPoint": "failCommand", "mode": {"activationProbability": 0.5}}, 238),
        ({"configureFailPoint": "failCommand", "mode": "alwaysOn", "data": []}, 14),
        ({"configureFailPoint": "failCommand", "mode": "alwaysOn", "data": {"threadName": "x"}}, 238),
    ],
    ids=str,
)
def test_documents_that_are_refused(document: Mapping[str, Any], code: int) -> None:
    """With the server's code; what was configured before stays."""
    points = configured(failCommands=["find"], errorCode=1)
    with pytest.raises(CommandError) as caught:
        points.configure(document)
    assert caught.value.code == code
    assert pattern(points, "find") == [True]


# On a server


@pytest.fixture
def server() -> Any:
    with MongoTestServer(users=[], tls="off") as server:
        yield server


def client_of(server: MongoTestServer, **options: Any) -> Client:
    # Without retries each failure is seen, and its connection's end is not.
    return Client(server.uri(retryReads=False, retryWrites=False, **options))


def test_a_fail_point_for_a_test(server: MongoTestServer) -> None:
    """It holds inside `with`, counts, and is off afterwards; a wrong one is a ValueError."""
    with client_of(server) as client:
        with server.fail_point(failCommands=["ping"], errorCode=8) as point:
            for _ in range(2):
                with pytest.raises(OperationFailure) as caught:
                    client.admin.command("ping")
                assert caught.value.code == 8
            assert point.used == 2
        client.admin.command("ping")
    with pytest.raises(ValueError, match="unknown mode: never"):
        server.fail_point(mode="never")


def test_a_reset_turns_fail_points_off(server: MongoTestServer) -> None:
    """And so do `off()`, and the end of the server, which they belong to."""
    server.fail_point(failCommands=["ping"], errorCode=8)
    server.reset()
    server.fail_point(failCommands=["hello", "isMaster"], errorCode=8)
    server.stop()
    server.start()
    with client_of(server) as client:
        client.admin.command("ping")
        point = server.fail_point(failCommands=["ping"], errorCode=8)
        point.off()
        client.admin.command("ping")


def test_hanging_up(server: MongoTestServer) -> None:
    """The command is lost with its connection, and was not carried out."""
    with (
        client_of(server) as client,
        server.fail_point(mode={"times": 1}, failCommands=["insert"], closeConnection=True),
    ):
        with pytest.raises(AutoReconnect):
            client.app.users.insert_one({})
        assert client.app.users.count_documents({}) == 0


def test_waiting_holds_up_no_other_connection(server: MongoTestServer) -> None:
    """While one command waits, other connections are answered, and a second fail point can be set by a client."""
    waits = {"failCommands": ["insert"], "blockConnection": True, "blockTimeMS": 60_000}
    with client_of(server, maxPoolSize=2) as client:
        client.admin.command("ping")
        client.admin.command({"configureFailPoint": "failCommand", "mode": {"times": 1}, "data": waits})
        failed: list[Exception] = []

        def insert() -> None:
            with pytest.raises(AutoReconnect) as caught:
                client.app.users.insert_one({})
            failed.append(caught.value)

        thread = Thread(target=insert)
        thread.start()
        server.wait_for("insert")
        assert client.app.users.find_one() is None
        client.admin.command("configureFailPoint", "failCommand", mode="off")
        server.drop_connections()
        thread.join()
    assert len(failed) == 1


def test_a_command_that_waits_longer_than_its_client(server: MongoTestServer) -> None:
    """The client gives up; the next command is answered."""
    with client_of(server, socketTimeoutMS=100) as client:
        with (
            server.fail_point(mode={"times": 1}, failCommands=["find"], blockConnection=True, blockTimeMS=60_000),
            pytest.raises(NetworkTimeout),
        ):
            client.app.users.find_one()
        assert client.app.users.find_one() is None


def test_hello_waits_as_a_whole(server: MongoTestServer) -> None:
    """A monitor's or a new connection's hello is held for the time, for this application only."""
    with server.fail_point(failCommands=["hello", "isMaster"], blockConnection=True, blockTimeMS=80, appName="slow"):
        start = time.monotonic()
        with client_of(server, appname="slow") as client:
            client.admin.command("ping")
        # One hello of the monitor, and then one of the connection for the command.
        assert time.monotonic() - start >= 0.16
        before = server.commands_named("ismaster")
        with client_of(server, appname="quick") as client:
            client.admin.command("ping")
        assert len(server.commands_named("ismaster")) > len(before)


def test_hello_fails(server: MongoTestServer) -> None:
    """Closed, or answered with an error: no client gets in until it is over."""
    failures: list[dict[str, Any]] = [{"closeConnection": True}, {"errorCode": 91}]
    for data in failures:
        with (
            server.fail_point(failCommands=["hello", "isMaster"], **data),
            client_of(server, serverSelectionTimeoutMS=50) as client,
            pytest.raises(ServerSelectionTimeoutError),
        ):
            client.admin.command("ping")
    with client_of(server) as client:
        client.admin.command("ping")


def test_logging_in_fails() -> None:
    """The command saslContinue is one like others."""
    from aiomongo_tls.testing import User

    with MongoTestServer(users=[User("ada", "secret")], tls="off") as server:
        with server.fail_point(failCommands=["saslContinue"], errorCode=18), client_of(server) as client:
            with pytest.raises(OperationFailure) as caught:
                client.admin.command("ping")
            assert caught.value.code == 18
        with client_of(server) as client:
            client.admin.command("ping")


def test_getmore_fails_after_it_found_its_cursor(server: MongoTestServer) -> None:
    """One for a cursor that is not there is not counted; without a code it is an internal error."""
    with client_of(server) as client:
        client.app.users.insert_many([{} for _ in range(5)])
        with server.fail_point("failGetMoreAfterCursorCheckout", {"times": 1}) as point:
            with pytest.raises(OperationFailure) as missing:
                client.app.command("getMore", 5, collection="users")
            assert (missing.value.code, point.used) == (43, 0)
            with pytest.raises(OperationFailure) as caught:
                list(client.app.users.find(batch_size=2))
            assert (caught.value.code, point.used) == (1, 1)
        with (
            server.fail_point("failGetMoreAfterCursorCheckout", errorCode=91, closeConnection=True),
            pytest.raises(AutoReconnect) as closed,
        ):
            list(client.app.users.find(batch_size=2))
        assert "connection closed" in str(closed.value)


def test_many_threads_count_right(server: MongoTestServer) -> None:
    """Of many commands at once exactly as many fail as were to."""
    barrier = Barrier(8)
    failed: list[int] = []
    with client_of(server) as client, server.fail_point(mode={"times": 11}, failCommands=["ping"], errorCode=8):

        def ping() -> None:
            barrier.wait()
            for _ in range(10):
                try:
                    client.admin.command("ping")
                except OperationFailure:
                    failed.append(1)

        threads = [Thread(target=ping) for _ in range(8)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    assert len(failed) == 11
