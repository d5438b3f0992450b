"""PyMongo's discovery, streaming heartbeats and failover against our replica sets, mongos and load balancers."""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from typing import Any

import pymongo
import pytest
from pymongo import ReadPreference, monitoring
from pymongo.errors import (
    AutoReconnect,
    ConfigurationError,
    NotPrimaryError,
    PyMongoError,
    ServerSelectionTimeoutError,
)
from pymongo.read_preferences import Secondary
from pymongo.write_concern import WriteConcern

from aiomongo_tls.testing import CertKit, MongoTestServer, ReplicaSet, ShardedCluster

Client = pymongo.MongoClient[dict[str, Any]]

# PyMongo leaves a socket open whose TLS handshake was reset, and it is collected whenever that may be.
pytestmark = [
    pytest.mark.filterwarnings("ignore:unclosed <:ResourceWarning"),
    pytest.mark.filterwarnings("ignore:Exception ignored in. <ssl.SSLSocket:pytest.PytestUnraisableExceptionWarning"),
]


class Heartbeats(monitoring.ServerHeartbeatListener):
    """Remembers heartbeats."""

    def __init__(self) -> None:
        self.succeeded_ones: list[monitoring.ServerHeartbeatSucceededEvent] = []
        self.failed_ones: list[monitoring.ServerHeartbeatFailedEvent] = []

    def started(self, event: monitoring.ServerHeartbeatStartedEvent) -> None:
        pass

    def succeeded(self, event: monitoring.ServerHeartbeatSucceededEvent) -> None:
        self.succeeded_ones.append(event)

    def failed(self, event: monitoring.ServerHeartbeatFailedEvent) -> None:
        self.failed_ones.append(event)

    @property
    def waited(self) -> int:
        """How many were answers to a question that waited."""
        return sum(event.awaited for event in self.succeeded_ones)


def until(condition: Callable[[], object]) -> None:
    """Wait for something that PyMongo tells only to those who ask."""
    end = time.monotonic() + 5
    while not condition():
        assert time.monotonic() < end
        threading.Event().wait(0.002)


def types(client: Client) -> dict[str, str]:
    """The type of each server by its address."""
    found = client.topology_description.server_descriptions().items()
    return {f"{host}:{port}": description.server_type_name for (host, port), description in found}


@pytest.fixture(scope="module")
def certs() -> CertKit:
    return CertKit()


@pytest.fixture
def rs(certs: CertKit) -> Iterator[ReplicaSet]:
    with ReplicaSet(ca=certs) as made:
        yield made


def expected(rs: ReplicaSet) -> dict[str, str]:
    return {str(member.address): "RSPrimary" if member is rs.primary else "RSSecondary" for member in rs.members}


# Discovery


@pytest.mark.parametrize("seed", [0, 1, 2])
def test_every_member_knows_all(rs: ReplicaSet, seed: int) -> None:
    """From any of them a client finds the others, with types, set name and sessions."""
    with pymongo.MongoClient[dict[str, Any]](rs.members[seed].uri(directConnection=None)) as client:
        assert client.admin.command("ping")["ok"] == 1.0
        until(lambda: types(client) == expected(rs))
        assert client.topology_description.topology_type_name == "ReplicaSetWithPrimary"
        assert client.topology_description.replica_set_name == "rs0"
        assert client.topology_description.logical_session_timeout_minutes == 30
        assert client.primary == ("127.0.0.1", rs.members[0].address.port)
        assert len(client.secondaries) == 2


def test_arbiters_passives_and_tags(certs: CertKit) -> None:
    """They are found and used as what they are."""
    tags = [{"dc": "east"}, {"dc": "west"}, {}, {}]
    with (
        ReplicaSet(2, passives=1, arbiters=1, tags=tags, ca=certs) as rs,
        pymongo.MongoClient[dict[str, Any]](rs.uri()) as client,
    ):
        client.app.users.insert_one({"_id": 1})
        until(lambda: sorted(types(client).values()) == ["RSArbiter", "RSPrimary", "RSSecondary", "RSSecondary"])
        assert client.arbiters == {("127.0.0.1", rs.arbiters[0].address.port)}
        west = client.app.get_collection("users", read_preference=Secondary([{"dc": "west"}]))
        for _ in range(5):
            assert west.find_one() == {"_id": 1}
        assert len(rs.members[1].commands_named("find")) == 5


def test_another_set(rs: ReplicaSet) -> None:
    """A client that looks for a set of another name finds nothing."""
    uri = rs.uri(replicaSet="other", serverSelectionTimeoutMS=200)
    with pymongo.MongoClient(uri) as client, pytest.raises(ServerSelectionTimeoutError):
        client.admin.command("ping")


def test_direct_connections(rs: ReplicaSet) -> None:
    """A member alone: reads, and no writes."""
    with pymongo.MongoClient[dict[str, Any]](rs.members[1].uri()) as client:
        assert client.topology_description.topology_type_name == "Single"
        assert client.app.users.find_one() is None
        with pytest.raises(NotPrimaryError, match="not primary"):
            client.app.users.insert_one({"_id": 1})


def test_write_concerns(rs: ReplicaSet) -> None:
    """Up to the number of members they are satisfied."""
    with pymongo.MongoClient[dict[str, Any]](rs.uri()) as client:
        users = client.app.users
        for nodes in (1, 3, "majority"):
            users.with_options(write_concern=WriteConcern(nodes)).insert_one({})
        with pytest.raises(PyMongoError, match="Not enough data-bearing nodes"):
            users.with_options(write_concern=WriteConcern(4)).insert_one({})


def test_sessions_and_causal_consistency(rs: ReplicaSet) -> None:
    """Times are gossiped: a read of a session asks for what the session has written."""
    with pymongo.MongoClient[dict[str, Any]](rs.uri()) as client, client.start_session() as session:
        users = client.app.users
        users.insert_one({"_id": 1}, session=session)
        assert session.operation_time is not None
        secondary = users.with_options(read_preference=ReadPreference.SECONDARY)
        assert secondary.find_one(session=session) == {"_id": 1}
        (find,) = [command for member in rs.secondaries for command in member.commands_named("find")]
        assert find.document["readConcern"] == {"afterClusterTime": session.operation_time}
        assert find.document["$clusterTime"]["clusterTime"] >= session.operation_time


# Streaming


def test_heartbeats_stream(rs: ReplicaSet) -> None:
    """After the first, heartbeats are awaited, and an election arrives without a question."""
    beats = Heartbeats()
    uri = rs.uri(heartbeatFrequencyMS=60_000)
    with pymongo.MongoClient[dict[str, Any]](uri, event_listeners=[beats]) as client:
        client.admin.command("ping")
        for _ in range(4):
            rs.elect(rs.secondaries[0])
            until(lambda: types(client) == expected(rs))
        assert beats.waited
        assert not beats.failed_ones
        for member in rs.members:
            until(lambda member=member: [command.exhaust_allowed for command in member.commands].count(True) == 1)


def test_polling(rs: ReplicaSet) -> None:
    """A client that polls finds an election with its next question."""
    beats = Heartbeats()
    uri = rs.uri(heartbeatFrequencyMS=500, serverMonitoringMode="poll")
    with pymongo.MongoClient[dict[str, Any]](uri, event_listeners=[beats]) as client:
        until(lambda: types(client) == expected(rs))
        rs.step_down()
        until(lambda: types(client) == expected(rs))
        assert not beats.waited


def test_a_standalone_streams_too(certs: CertKit) -> None:
    """As real ones do since 4.4."""
    beats = Heartbeats()
    with (
        MongoTestServer(ca=certs) as server,
        pymongo.MongoClient(server.uri(heartbeatFrequencyMS=500), event_listeners=[beats]),
    ):
        until(lambda: beats.waited >= 2)


# Failover


def disturb(rs: ReplicaSet, number: int) -> None:
    """One of the things that happen to a primary; the set is whole afterwards."""
    primary = rs.wait_for_primary()
    if number % 3 == 0:
        rs.kill(primary)
        rs.wait_for_primary()
        rs.restart(primary)
    elif number % 3 == 1:
        rs.step_down(seconds=0.001)
    else:
        rs.elect(rs.secondaries[0])


# PyMongo 4.20 sends a write without a number if the primary that it chose is seen to be none a moment later, so an
# application may hear of an election. What the server did and said of such a write has to be true nevertheless.


def carried_out(rs: ReplicaSet) -> set[Any]:
    """The ids that were inserted, by what the members remember of it."""
    commands = [command for member in rs.members for command in member.commands_named("insert")]
    return {command.document["documents"][0]["_id"] for command in commands if command.outcome.carried_out}


@pytest.mark.parametrize("delay", [0.0, 0.02])
def test_failover(certs: CertKit, delay: float) -> None:
    """Threads write while primaries come and go: what was acknowledged is there, and what is there was carried out."""
    acknowledged: list[str] = []
    ending = threading.Event()

    def write(client: Client, worker: int) -> None:
        number = 0
        while not ending.is_set():
            number += 1
            with suppress(AutoReconnect):
                client.app.log.insert_one({"_id": f"{worker} {number}"})
                acknowledged.append(f"{worker} {number}")

    with ReplicaSet(ca=certs, election_delay=delay) as rs, pymongo.MongoClient[dict[str, Any]](rs.uri()) as client:
        threads = [threading.Thread(target=write, args=(client, worker)) for worker in range(4)]
        for thread in threads:
            thread.start()
        try:
            for number in range(9):
                so_far = len(acknowledged)
                disturb(rs, number)
                until(lambda so_far=so_far: len(acknowledged) >= so_far + 10)
        finally:
            ending.set()
            for thread in threads:
                thread.join(10)
        found = {entry["_id"] for entry in client.app.log.find()}
        assert set(acknowledged) <= found == carried_out(rs)


async def test_failover_async(rs: ReplicaSet) -> None:
    """The same for PyMongo's asynchronous client."""
    async with pymongo.AsyncMongoClient[dict[str, Any]](rs.uri()) as client:
        acknowledged: set[int] = set()

        async def write(worker: int) -> None:
            for number in range(worker * 100, worker * 100 + 30):
                with suppress(AutoReconnect):
                    await client.app.log.insert_one({"_id": number})
                    acknowledged.add(number)

        async def disturb_often() -> None:
            for number in range(6):
                disturb(rs, number)
                with suppress(AutoReconnect):
                    await client.admin.command("ping")

        async with asyncio.TaskGroup() as group:
            group.create_task(disturb_often())
            for worker in range(5):
                group.create_task(write(worker))
        found = {entry["_id"] async for entry in client.app.log.find()}
        assert acknowledged <= found == carried_out(rs)
        assert len(acknowledged) > 75


def test_a_retried_write_is_applied_once(rs: ReplicaSet) -> None:
    """It was carried out, its primary died before it could say so, and the next one knows."""
    first = rs.members[0]
    first.on("insert").hangs_up(carried_out=True).once()
    with pymongo.MongoClient[dict[str, Any]](rs.uri()) as client:
        client.admin.command("ping")
        client.app.users.insert_one({"n": 1})
        assert client.app.users.count_documents({}) == 1
    sent = [command.document for member in rs.members for command in member.commands_named("insert")]
    assert len(sent) == 2
    assert sent[0]["txnNumber"] == sent[1]["txnNumber"]


def test_a_write_that_a_step_down_broke_off(rs: ReplicaSet) -> None:
    """It is tried again at the new primary, and the application hears nothing of it."""
    first = rs.members[0]
    first.on("insert").answers_after(60)
    with pymongo.MongoClient[dict[str, Any]](rs.uri()) as client:
        client.admin.command("ping")
        thread = threading.Thread(target=lambda: client.app.users.insert_one({"_id": 1}))
        thread.start()
        first.wait_for("insert")
        rs.step_down()
        thread.join(5)
        assert client.app.users.find_one() == {"_id": 1}
    assert rs.members[1].commands_named("insert")[0].outcome.carried_out


def test_no_majority(rs: ReplicaSet) -> None:
    """What is left is read from, and not written to."""
    with pymongo.MongoClient[dict[str, Any]](rs.uri(serverSelectionTimeoutMS=300)) as client:
        client.app.users.insert_one({"_id": 1})
        rs.kill(rs.members[0])
        rs.kill(rs.members[1])
        until(lambda: "RSPrimary" not in types(client).values())
        with pytest.raises(ServerSelectionTimeoutError):
            client.app.users.insert_one({"_id": 2})
        nearest = client.app.users.with_options(read_preference=ReadPreference.NEAREST)
        assert nearest.find_one() == {"_id": 1}
        rs.restart(rs.members[0])
        client.app.users.insert_one({"_id": 2})


def test_a_primary_that_is_cut_off(rs: ReplicaSet) -> None:
    """The client learns of the new one from the others, and goes there."""
    with pymongo.MongoClient[dict[str, Any]](rs.uri()) as client:
        client.app.users.insert_one({"_id": 1})
        until(lambda: types(client) == expected(rs))
        rs.partition(rs.members[0])
        until(lambda: types(client)[str(rs.members[1].address)] == "RSPrimary")
        client.app.users.insert_one({"_id": 2})
        rs.heal(rs.members[0])
        assert client.app.users.count_documents({}) == 2


# Other topologies


def test_mongos(certs: CertKit) -> None:
    """Both are used; when one goes the other goes on."""
    with ShardedCluster(mongos=2, ca=certs) as cluster:
        uri = cluster.uri(localThresholdMS=10_000)
        with pymongo.MongoClient[dict[str, Any]](uri) as client:
            client.app.users.insert_one({"_id": 1})
            for _ in range(30):
                assert client.app.users.find_one() == {"_id": 1}
            assert client.topology_description.topology_type_name == "Sharded"
            assert all(mongos.commands_named("find") for mongos in cluster.mongos)
            cluster.kill(cluster.mongos[0])
            client.app.users.insert_one({"_id": 2})
            cluster.restart(cluster.mongos[0])
            cluster.kill(cluster.mongos[1])
            assert client.app.users.count_documents({}) == 2


@pytest.mark.parametrize(
    ("topology", "kind"),
    [
        ("standalone", "Single"),
        ("replica_set", "ReplicaSetWithPrimary"),
        ("mongos", "Sharded"),
        ("load_balanced", "LoadBalanced"),
    ],
)
def test_one_server_as_each(certs: CertKit, topology: Any, kind: str) -> None:
    """The URI says what is needed to see it so."""
    with MongoTestServer(ca=certs, topology=topology) as server:
        uri = server.uri()
        with pymongo.MongoClient[dict[str, Any]](uri) as client:
            client.app.users.insert_many([{"_id": n} for n in range(5)])
            with client.app.users.find(batch_size=2) as cursor:
                assert [user["_id"] for user in cursor] == [0, 1, 2, 3, 4]
            # A new client's description is that of its seeds until it has found the server.
            assert client.topology_description.topology_type_name == kind


def test_clients_that_do_not_know_of_a_load_balancer(certs: CertKit) -> None:
    """They are told, in hello; and those that expect one elsewhere notice."""
    with MongoTestServer(ca=certs, topology="load_balanced") as server:
        uri = server.uri(loadBalanced=None, serverSelectionTimeoutMS=100)
        with pymongo.MongoClient(uri) as client, pytest.raises(ServerSelectionTimeoutError, match="balancing enabled"):
            client.admin.command("ping")
    with MongoTestServer(ca=certs, topology="mongos") as server:
        uri = server.uri(loadBalanced=True)
        with pymongo.MongoClient(uri) as client, pytest.raises(ConfigurationError, match="load balancing mode"):
            client.admin.command("ping")


def test_mongos_behind_a_load_balancer(certs: CertKit) -> None:
    """Connections are spread over the mongos; a cursor stays with its own."""
    with ShardedCluster(mongos=2, ca=certs, load_balancer=True) as cluster:
        uri = cluster.uri()
        assert uri.startswith(f"mongodb://{cluster.addresses[0]}/?")
        with pymongo.MongoClient[dict[str, Any]](uri) as client:
            client.app.users.insert_many([{"_id": n} for n in range(6)])
            cursors = [client.app.users.find(batch_size=2) for _ in range(4)]
            first = [next(cursor)["_id"] for cursor in cursors]
            assert first == [0, 0, 0, 0]
            assert [len(mongos.commands_named("find")) for mongos in cluster.mongos] == [2, 2]
            assert [[user["_id"] for user in cursor] for cursor in cursors] == [[1, 2, 3, 4, 5]] * 4
            cluster.kill(cluster.mongos[0])
            for _ in range(4):
                assert client.app.users.count_documents({}) == 6
            cluster.kill(cluster.mongos[1])
            with pytest.raises(AutoReconnect):
                client.admin.command("ping")
        cluster.restart(cluster.mongos[1])
        with pymongo.MongoClient[dict[str, Any]](uri) as client:
            assert client.app.users.count_documents({}) == 6
