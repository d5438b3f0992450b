"""`ReplicaSet` in a test's hands: elections, crashes, partitions, its life. Who connects is a socket or PyMongo."""

from __future__ import annotations

import socket
import ssl
import threading
import time
from collections.abc import Iterator
from typing import Any

import pymongo
import pytest
from pymongo.errors import AutoReconnect, NetworkTimeout, NotPrimaryError, OperationFailure

from aiomongo_tls.testing import CertKit, MongoTestServer, ReplicaSet, User

Client = pymongo.MongoClient[dict[str, Any]]


@pytest.fixture(scope="module")
def certs() -> CertKit:
    return CertKit()


@pytest.fixture
def rs() -> Iterator[ReplicaSet]:
    with ReplicaSet(tls="off") as made:
        yield made


def direct(server: MongoTestServer, **options: Any) -> Client:
    """A client of one member, without retries."""
    return pymongo.MongoClient(server.uri(), **({"retryReads": False, "retryWrites": False} | options))


def hello(server: MongoTestServer) -> dict[str, Any]:
    with direct(server) as client:
        return dict(client.admin.command("hello"))


def primary_of(rs: ReplicaSet) -> MongoTestServer:
    assert rs.primary is not None
    return rs.primary


def connected(server: MongoTestServer, timeout: float = 5.0) -> socket.socket:
    return socket.create_connection((server.address.host, server.address.port or 0), timeout)


# Life


def test_it_begins_with_a_primary(rs: ReplicaSet) -> None:
    """The first member, known to everybody."""
    first, second, third = rs.members
    assert rs.primary is first
    assert rs.secondaries == [second, third]
    assert {hello(member)["primary"] for member in rs.members} == {str(first.address)}
    assert (
        repr(rs) == f"<ReplicaSet rs0: {first.address} PRIMARY, {second.address} SECONDARY, {third.address} SECONDARY>"
    )


def test_nothing_is_left_of_it() -> None:
    """No thread, timers included, and no port."""
    with ReplicaSet(tls="off", election_delay=60) as rs:
        rs.step_down()
        names = {f"MongoTestServer {member.address}" for member in rs.members} | {"elections of rs0"}
        assert names <= {thread.name for thread in threading.enumerate()}
    assert not names & {thread.name for thread in threading.enumerate()}
    for member in rs.members:
        with pytest.raises(ConnectionRefusedError):
            connected(member)


def test_it_starts_again(rs: ReplicaSet) -> None:
    """Ports and data stay; every process is a new one."""
    uri, before = rs.uri(), [hello(member)["topologyVersion"]["processId"] for member in rs.members]
    with pymongo.MongoClient(uri) as client:
        client.app.users.insert_one({"_id": 1})
    rs.stop()
    rs.start()
    assert rs.uri() == uri
    after = [hello(member)["topologyVersion"]["processId"] for member in rs.members]
    assert not set(before) & set(after)
    with pymongo.MongoClient[dict[str, Any]](uri) as client:
        assert client.app.users.find_one() == {"_id": 1}


def test_reset(rs: ReplicaSet) -> None:
    """As made: the first member primary, no data, everybody up and connected."""
    first, second, third = rs.members
    with pymongo.MongoClient(rs.uri()) as client:
        client.app.users.insert_one({"_id": 1})
    second.on("ping").fails(1)
    rs.kill(first)
    rs.partition(third)
    assert rs.primary is None
    rs.reset()
    assert rs.primary is first
    assert rs.secondaries == [second, third]
    assert first.commands_named("insert") == []
    with pymongo.MongoClient[dict[str, Any]](rs.uri()) as client:
        assert client.app.users.find_one() is None
        assert client.admin.command("ping")["ok"] == 1.0


async def test_async_with(certs: CertKit) -> None:
    """It is an asynchronous context manager too."""
    async with ReplicaSet(ca=certs) as rs, pymongo.AsyncMongoClient[dict[str, Any]](rs.uri()) as client:
        await client.app.users.insert_one({"_id": 1})
        rs.step_down()
        assert await client.app.users.find_one() == {"_id": 1}


def test_one_certificate_for_each_member(certs: CertKit) -> None:
    """Each has its own subject, and names that clients can verify."""
    with ReplicaSet(2, ca=certs, hosts=["127.0.0.1", "127.0.0.2"], name="north") as rs:
        context = ssl.create_default_context(cafile=certs.ca_path)
        context.load_cert_chain(certs.client("tester").path)
        subjects = []
        for member in rs.members:
            with connected(member) as sock, context.wrap_socket(sock, server_hostname=member.address.host) as stream:
                peer: Any = stream.getpeercert()
                subjects.append(dict(pair for (pair,) in peer["subject"])["commonName"])
        assert subjects == ["north-0", "north-1"]
        with pymongo.MongoClient(rs.uri()) as client:
            assert client.admin.command("ping")["ok"] == 1.0


def test_names_of_its_own(certs: CertKit) -> None:
    """Members can be called what no resolver knows; hello and the URI say so."""
    with ReplicaSet(2, ca=certs, names=["a.example.net", "b.example.net"]) as rs:
        ports = [member.address.port for member in rs.members]
        assert rs.uri().startswith(f"mongodb://a.example.net:{ports[0]},b.example.net:{ports[1]}/?")
        assert rs.members[0].certificate.details.sans == ("a.example.net", "127.0.0.1")
        with socket.create_connection(("127.0.0.1", ports[0] or 0)):
            pass


@pytest.mark.parametrize(
    "wrong",
    [{"members": 0}, {"arbiters": -1}, {"members": 51}, {"hosts": ["127.0.0.1"]}, {"names": ["a"]}, {"tls": "on"}],
)
def test_what_is_no_set(wrong: dict[str, Any]) -> None:
    """It is refused where it is written."""
    with pytest.raises(ValueError, match=r"members|entries|tls"):
        ReplicaSet(**wrong)


def test_users_are_those_of_the_set(certs: CertKit) -> None:
    """A user who is added can log in everywhere, with a password as well."""
    with ReplicaSet(ca=certs, tls="off", users=[]) as rs:
        ada = User("ada", "secret")
        rs.add_user(ada)
        for member in rs.members:
            with pymongo.MongoClient(member.uri(user=ada)) as client:
                assert client.admin.command("ping")["ok"] == 1.0
            with direct(member) as nobody, pytest.raises(OperationFailure, match="requires authentication"):
                nobody.admin.command("listDatabases")
        rs.remove_user(ada)
        with pymongo.MongoClient(rs.uri(user=ada)) as client, pytest.raises(OperationFailure):
            client.app.users.find_one()


# Reading and writing at a member


def test_secondaries(rs: ReplicaSet) -> None:
    """They have the data at once, take no writes, and reads only from those who say so."""
    with pymongo.MongoClient(rs.uri()) as client:
        client.app.users.insert_one({"_id": 1})
    # A direct connection says so by itself, unless the database is told otherwise.
    with direct(rs.secondaries[0]) as client:
        assert client.app.users.find_one() == {"_id": 1}
        with pytest.raises(NotPrimaryError) as caught:
            client.app.users.insert_one({"_id": 2})
        details: Any = caught.value.details
        assert (details["code"], details["topologyVersion"]["counter"]) == (10107, 1)
        reply = client.admin.command("ping")
        assert reply["$clusterTime"]["clusterTime"] >= reply["operationTime"]


def test_cursors_belong_to_their_server(rs: ReplicaSet) -> None:
    """A cursor survives its server's step down, not its end."""
    with direct(primary_of(rs)) as client:
        client.app.users.insert_many([{} for _ in range(5)])
        cursor = client.app.users.find(batch_size=2)
        next(cursor)
        rs.step_down()
        next(cursor)
        next(cursor)
        server = rs.members[0]
        rs.kill(server)
        rs.restart(server)
        next(cursor)
        with pytest.raises((AutoReconnect, OperationFailure)):
            next(cursor)


# Elections


def test_step_down(rs: ReplicaSet) -> None:
    """Another member is primary at once; connections stay open."""
    with direct(rs.members[0]) as client:
        client.admin.command("ping")
        before = {state.id for state in rs.members[0].connections}
        rs.step_down()
        assert rs.primary is rs.members[1]
        client.admin.command("ping")
        assert before <= {state.id for state in rs.members[0].connections}


def test_step_down_without_another() -> None:
    """For as long as it was told there is no primary."""
    with MongoTestServer(tls="off", topology="replica_set") as server, direct(server, directConnection=True) as client:
        command = client.admin.command
        assert command("hello")["isWritablePrimary"]
        with pytest.raises(OperationFailure, match="No electable secondaries"):
            command("replSetStepDown", 60)
        command("replSetStepDown", 1, force=True)
        reply = command("hello")
        assert not reply["isWritablePrimary"]
        # The server holds this question until it is primary again.
        assert command("hello", topologyVersion=reply["topologyVersion"], maxAwaitTimeMS=30_000)["isWritablePrimary"]


def test_freeze_and_elect(rs: ReplicaSet) -> None:
    """Who is frozen is passed over; who is elected by hand is primary, frozen or not."""
    first, second, third = rs.members
    rs.freeze(second, 600)
    rs.step_down()
    assert rs.primary is third
    rs.elect(second)
    assert rs.primary is second
    with pytest.raises(ValueError, match="is the primary"):
        rs.freeze(second, 5)
    rs.freeze(third, 600)
    # The first one still waits after its step down.
    rs.step_down()
    assert rs.primary is None
    rs.freeze(first, 0)
    assert rs.primary is first


def test_who_cannot_be_elected() -> None:
    """Dead members, arbiters, passive ones, strangers; nobody without a majority."""
    with ReplicaSet(2, tls="off", passives=1, arbiters=1) as rs, MongoTestServer(tls="off") as stranger:
        first, second, passive, arbiter = rs.members
        assert rs.arbiters == [arbiter]
        for member in (passive, arbiter, stranger):
            with pytest.raises(ValueError, match=r"cannot be elected|does not belong"):
                rs.elect(member)
        rs.kill(second)
        with pytest.raises(ValueError, match="cannot be elected"):
            rs.elect(second)
        rs.kill(passive)
        assert rs.primary is None
        with pytest.raises(ValueError, match="no majority"):
            rs.elect(first)
        assert hello(first)["secondary"]
        rs.restart(passive)
        assert rs.primary is first


def test_an_election_that_takes_time() -> None:
    """Until then there is no primary; `wait_for_primary()` waits for it."""
    with ReplicaSet(tls="off", election_delay=0.05) as rs:
        assert rs.primary is rs.members[0]
        began = time.monotonic()
        rs.kill(rs.members[0])
        assert rs.primary is None
        assert rs.wait_for_primary() is rs.members[1]
        assert time.monotonic() - began >= 0.05
        rs.kill(rs.members[1])
        with pytest.raises(TimeoutError, match="rs0 has no primary"):
            rs.wait_for_primary(0.01)


# Crashes and partitions


def test_kill(rs: ReplicaSet) -> None:
    """Connections are reset and the port is closed; another member is primary."""
    first = rs.members[0]
    with connected(first) as sock:
        hello(first)
        rs.kill(first)
        rs.kill(first)
        with pytest.raises(ConnectionResetError):
            sock.recv(1)
        with pytest.raises(ConnectionRefusedError):
            connected(first)
    assert rs.primary is rs.members[1]
    rs.restart(first)
    assert rs.primary is rs.members[1]
    assert hello(first)["secondary"]


def test_a_write_that_was_begun_when_its_primary_stepped_down(rs: ReplicaSet) -> None:
    """It is broken off with 11602 and has done nothing; a read goes on."""
    first = rs.members[0]
    first.on("insert", "find").answers_after(60)
    found: list[Any] = []

    def insert() -> None:
        with direct(first) as client:
            try:
                client.app.users.insert_one({"_id": 1})
            except NotPrimaryError as error:
                found.append(error.details)

    thread = threading.Thread(target=insert)
    thread.start()
    first.wait_for("insert")
    rs.step_down()
    thread.join(5)
    (details,) = found
    # The election behind the step down may have been counted already.
    assert details["code"] == 11602
    assert details["topologyVersion"]["counter"] in (2, 3)
    (command,) = first.commands_named("insert")
    assert (command.outcome.carried_out, command.outcome.answered) == (False, True)


def test_a_write_that_nobody_was_told_of(rs: ReplicaSet) -> None:
    """The log says what the client cannot know."""
    first = rs.members[0]
    first.on("insert").hangs_up(carried_out=True).once()
    with direct(first) as client:
        with pytest.raises(AutoReconnect):
            client.app.users.insert_one({"_id": 1})
        client.app.users.insert_one({"_id": 2})
        assert client.app.users.count_documents({}) == 2
    outcomes = [command.outcome for command in first.commands_named("insert")]
    assert [(outcome.carried_out, outcome.answered) for outcome in outcomes] == [(True, False), (True, True)]


def test_a_write_that_a_crash_came_before(rs: ReplicaSet) -> None:
    """Neither carried out nor answered."""
    first = rs.members[0]
    first.on("insert").answers_after(60)
    errors: list[Exception] = []

    def insert() -> None:
        with direct(first) as client:
            try:
                client.app.users.insert_one({"_id": 1})
            except AutoReconnect as error:
                errors.append(error)

    thread = threading.Thread(target=insert)
    thread.start()
    (command,) = first.wait_for("insert")
    rs.kill(first)
    thread.join(5)
    assert len(errors) == 1
    assert (command.outcome.carried_out, command.outcome.answered) == (False, False)


@pytest.mark.parametrize("tls", ["off", "require_client"])
def test_partition(certs: CertKit, tls: Any) -> None:
    """Open connections and new ones hang, nothing is refused; the others elect. Afterwards all is answered."""
    with ReplicaSet(ca=certs, tls=tls) as rs:
        first = rs.members[0]
        with direct(first, socketTimeoutMS=50, connectTimeoutMS=50, maxPoolSize=1) as client:
            client.app.users.insert_one({"_id": 1})
            rs.partition(first)
            assert rs.primary is rs.members[1]
            assert rs.secondaries == [rs.members[2]]
            with pytest.raises(NetworkTimeout):
                client.app.users.insert_one({"_id": 2})
            with connected(first, 0.05) as sock, pytest.raises(TimeoutError):
                sock.recv(1)
            rs.heal(first)
            rs.heal(first)
        # What was sent meanwhile comes now, and is refused: a primary it is no more.
        first.wait_for("insert", count=2)
        assert hello(first)["secondary"]
        with pymongo.MongoClient[dict[str, Any]](rs.uri()) as client:
            assert list(client.app.users.find()) == [{"_id": 1}]


def test_what_waits_while_its_server_is_cut_off(rs: ReplicaSet) -> None:
    """An answer that is due then is given afterwards."""
    first = rs.members[0]
    first.on("ping").answers_after(0.01)
    with direct(first, socketTimeoutMS=5000) as client:
        client.admin.command("ping")
        found: list[Any] = []
        thread = threading.Thread(target=lambda: found.append(client.admin.command("ping")["ok"]))
        thread.start()
        first.wait_for("ping", count=2)
        rs.partition(first)
        # It cannot be told from outside when the timer is over; the member can be healed at any time.
        rs.heal(first)
        thread.join(5)
        assert found == [1.0]


def test_a_server_of_another_deployment(rs: ReplicaSet) -> None:
    """It is not this one's to kill."""
    with MongoTestServer(tls="off") as stranger:
        for act in (rs.kill, rs.restart, rs.partition, rs.heal):
            with pytest.raises(ValueError, match="does not belong to"):
                act(stranger)
