"""Discovery, monitoring and failover of the Node.js driver against our replica sets, mongos and load balancers."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial
from typing import Any

import pytest
from node_driver import Event, Kept, Node, NodeError

from aiomongo_tls.testing import CertKit, MongoTestServer, RecordedCommand, ReplicaSet, ShardedCluster
from aiomongo_tls.testing.deployment.deployment import Deployment

PRIMARY, SECONDARY = "RSPrimary", "RSSecondary"
TOPOLOGY = "topologyDescriptionChanged"
# A server that is lost is looked at again after 10 ms instead of 500 ms if somebody waits for it, else after 0.1 s.
QUICK = {"minHeartbeatFrequencyMS": 10, "heartbeatFrequencyMS": 100, "serverSelectionTimeoutMS": 10_000}
IMPATIENT = {**QUICK, "serverSelectionTimeoutMS": 500}


@pytest.fixture
def rs(aiomongo_certs: CertKit) -> Iterator[ReplicaSet]:
    with ReplicaSet(ca=aiomongo_certs) as made:
        yield made


def expected(rs: ReplicaSet) -> dict[str, str]:
    return {str(member.address): PRIMARY if member is rs.primary else SECONDARY for member in rs.members}


def see(client: Kept, servers: dict[str, str]) -> Event:
    """Wait until the driver sees these servers as what they are."""
    return client.wait_for(TOPOLOGY, when=lambda events: events and events[-1]["servers"] == servers)[-1]


def kill(client: Kept, deployment: Deployment, server: MongoTestServer) -> None:
    """Kill a server, and wait until the driver has noticed.

    A write that comes before that may fail: mongodb 7.9.0 does not retry one whose socket was reset while it was
    written to, because it raises Node's bare Error there.
    """
    deployment.kill(server)
    client.wait_for(TOPOLOGY, when=lambda events: events[-1]["servers"][str(server.address)] == "Unknown")


def connected(connect: Any, rs: ReplicaSet, *events: str, **options: Any) -> Kept:
    """A client that has seen the whole set."""
    client: Kept = connect(rs.uri(), {**QUICK, **options}, events=[TOPOLOGY, *events])
    see(client, expected(rs))
    return client


def error_of(calls: Any) -> NodeError:
    with pytest.raises(NodeError) as caught:
        calls.get()
    return caught.value


# Discovery


@pytest.mark.parametrize("seed", [0, 1, 2])
def test_every_member_knows_all(rs: ReplicaSet, connect: Any, node: Node, seed: int) -> None:
    """From any of them the driver finds the others, with types and the set's name."""
    uri = rs.members[seed].uri(directConnection=None, replicaSet="rs0")
    client = connect(uri, events=[TOPOLOGY])
    see(client, expected(rs))
    told = node.scripts.describe(client).get()
    assert (told["type"], told["setName"], told["servers"]) == ("ReplicaSetWithPrimary", "rs0", expected(rs))


def test_without_the_name_of_the_set(rs: ReplicaSet, connect: Any) -> None:
    """Several seeds are a set; which one the driver learns."""
    client = connect(rs.uri(replicaSet=None), events=[TOPOLOGY])
    assert see(client, expected(rs))["setName"] == "rs0"


def test_another_set(node: Node, rs: ReplicaSet) -> None:
    """A client that looks for a set of another name finds nothing."""
    with pytest.raises(NodeError) as caught:
        node.connect(rs.uri(replicaSet="other"), IMPATIENT)
    assert caught.value.name == "MongoServerSelectionError"


def test_arbiters_passives_and_tags(connect: Any, aiomongo_certs: CertKit) -> None:
    """They are found and used as what they are."""
    tags = [{"dc": "east"}, {"dc": "west"}, {}, {}]
    with ReplicaSet(2, passives=1, arbiters=1, tags=tags, ca=aiomongo_certs) as rs:
        client = connect(rs.uri(readPreference="secondary", readPreferenceTags="dc:west"), QUICK, events=[TOPOLOGY])
        client.wait_for(
            TOPOLOGY,
            when=lambda e: e and sorted(e[-1]["servers"].values()) == ["RSArbiter", PRIMARY, SECONDARY, SECONDARY],
        )
        users = client.db("app").collection("users")
        users.insertOne({"_id": 1}, {"writeConcern": {"w": "majority"}}).get()
        for _ in range(5):
            assert users.findOne({}).get() == {"_id": 1}
        assert len(rs.members[1].commands_named("find")) == 5
        client.close().get()


@pytest.mark.parametrize("preference", ["primary", "primaryPreferred", "secondary", "secondaryPreferred", "nearest"])
def test_read_preferences(rs: ReplicaSet, connect: Any, preference: str) -> None:
    """Where reads go, and what the server is told."""
    client = connected(connect, rs, readPreference=preference, localThresholdMS=10_000)
    users = client.db("app").collection("users")
    users.insertOne({"_id": 1}).get()
    for _ in range(12):
        assert users.findOne({}).get() == {"_id": 1}
    finds = [len(member.commands_named("find")) for member in rs.members]
    assert sum(finds) == 12
    if preference.startswith("primary"):
        assert finds == [12, 0, 0]
    elif preference.startswith("secondary"):
        assert finds[0] == 0
        assert min(finds[1:]) > 0


def test_direct_connections(rs: ReplicaSet, connect: Any, node: Node) -> None:
    """A member alone: reads, and no writes."""
    client = connect(rs.members[1].uri())
    assert node.scripts.describe(client).get()["type"] == "Single"
    users = client.db("app").collection("users")
    assert users.findOne({}).get() is None
    error = error_of(users.insertOne({"_id": 1}))
    assert error.code == 10107


def test_write_concerns(rs: ReplicaSet, connect: Any) -> None:
    """Up to the number of members they are satisfied."""
    users = connected(connect, rs).db("app").collection("users")
    for nodes in (1, 3, "majority"):
        users.insertOne({}, {"writeConcern": {"w": nodes, "journal": True}}).get()
    error = error_of(users.insertOne({}, {"writeConcern": {"w": 4}}))
    assert (error.name, error.code) == ("MongoWriteConcernError", 100)


def test_causal_consistency(rs: ReplicaSet, connect: Any) -> None:
    """Times are gossiped: a secondary is asked for what the session has written on the primary."""
    client = connected(connect, rs)
    session = client.startSession({"causalConsistency": True}).keep()
    users = client.db("app").collection("users")
    users.insertOne({"_id": 1}, {"session": session}).get()
    assert users.findOne({}, {"session": session, "readPreference": "secondary"}).get() == {"_id": 1}
    (find,) = [command for member in rs.secondaries for command in member.commands_named("find")]
    assert find.document["$clusterTime"]["clusterTime"] >= find.document["readConcern"]["afterClusterTime"]
    session.endSession().get()


# Monitoring


def test_heartbeats_stream(rs: ReplicaSet, connect: Any) -> None:
    """After the first, heartbeats are awaited, and an election arrives without a question."""
    client = connected(connect, rs, "serverHeartbeatSucceeded", "serverHeartbeatFailed", heartbeatFrequencyMS=60_000)
    for _ in range(4):
        rs.elect(rs.secondaries[0])
        see(client, expected(rs))
    beats = client.events("serverHeartbeatSucceeded")
    assert sum(beat["awaited"] for beat in beats) >= 8
    assert client.events("serverHeartbeatFailed") == []
    for member in rs.members:
        assert [command.exhaust_allowed for command in member.commands].count(True) == 1


def test_polling(rs: ReplicaSet, connect: Any) -> None:
    """A client that polls finds an election with its next question."""
    client = connected(connect, rs, "serverHeartbeatSucceeded", heartbeatFrequencyMS=500, serverMonitoringMode="poll")
    rs.step_down()
    see(client, expected(rs))
    assert not any(beat["awaited"] for beat in client.events("serverHeartbeatSucceeded"))
    assert not any(command.exhaust_allowed for member in rs.members for command in member.commands)


def test_a_standalone_streams_too(connect: Any, aiomongo_server: MongoTestServer) -> None:
    """As real ones do since 4.4: an answer every heartbeatFrequencyMS, and one exhaust request for all of them."""
    client = connect(aiomongo_server.uri(), {"heartbeatFrequencyMS": 500}, events=["serverHeartbeatSucceeded"])
    client.wait_for("serverHeartbeatSucceeded", when=lambda beats: len(beats) >= 4)
    assert [command.exhaust_allowed for command in aiomongo_server.commands].count(True) == 1


def test_events_of_a_life(node: Node, aiomongo_server: MongoTestServer) -> None:
    """Of a topology, a server, a pool, connections and commands: in order, and every beginning has an end."""
    names = [
        *("topologyOpening", "serverOpening", TOPOLOGY, "serverDescriptionChanged", "topologyClosed", "serverClosed"),
        *("connectionPoolCreated", "connectionPoolReady", "connectionPoolClosed", "connectionCreated"),
        *("connectionReady", "connectionClosed", "connectionCheckedOut", "connectionCheckedIn"),
        *("commandStarted", "commandSucceeded", "commandFailed"),
    ]
    client = node.connect(aiomongo_server.uri(), {"monitorCommands": True}, events=names)
    client.db("app").collection("users").insertOne({"_id": 1}).get()
    error_of(client.db("app").collection("users").insertOne({"_id": 1}))
    error_of(client.db("app").command({"nonsense": 1}))
    client.close().get()
    order = [event["event"] for event in client.events()]
    assert order.index("topologyOpening") < order.index("serverOpening") < order.index("connectionPoolReady")
    assert order[-1] in ("topologyClosed", "connectionPoolClosed", "serverClosed", TOPOLOGY)
    for opened, closed in [
        ("topologyOpening", "topologyClosed"),
        ("serverOpening", "serverClosed"),
        ("connectionPoolCreated", "connectionPoolClosed"),
        ("connectionCreated", "connectionClosed"),
        ("connectionCheckedOut", "connectionCheckedIn"),
    ]:
        assert order.count(opened) == order.count(closed) > 0
    commands = [event["command"] for event in client.events("commandStarted")]
    assert commands == ["insert", "insert", "nonsense", "endSessions"]
    assert [event["command"] for event in client.events("commandFailed")] == ["nonsense"]


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


def at_least(count: int, events: list[Event]) -> bool:
    return len(events) >= count


def carried_out(rs: ReplicaSet) -> set[Any]:
    """The ids that were inserted, by what the members remember of it."""
    commands = [command for member in rs.members for command in member.commands_named("insert")]
    return {command.document["documents"][0]["_id"] for command in commands if command.outcome.carried_out}


@pytest.mark.parametrize("delay", [0.0, 0.02])
def test_failover(connect: Any, node: Node, aiomongo_certs: CertKit, delay: float) -> None:
    """Writers write while primaries come and go: what was acknowledged is there, and what is there was carried out."""
    with ReplicaSet(ca=aiomongo_certs, election_delay=delay) as rs:
        client = connected(connect, rs)
        users = client.db("app").collection("log")
        writers = Kept(node, node.scripts.writers(client, "app", "log", 4).get())
        for number in range(9):
            enough = len(writers.events("acknowledged")) + 10
            disturb(rs, number)
            writers.wait_for("acknowledged", when=partial(at_least, enough))
        told = writers.end().get()
        found = {entry["_id"] for entry in users.find({}).toArray().get()}
        assert set(told["acknowledged"]) <= found == carried_out(rs)
        client.close().get()


def test_the_driver_follows_a_new_primary(rs: ReplicaSet, connect: Any) -> None:
    """After a kill the next write goes to the next primary; the old one comes back as a secondary."""
    client = connected(connect, rs, "connectionPoolCleared")
    users = client.db("app").collection("users")
    users.insertOne({"_id": 1}).get()
    first = rs.members[0]
    kill(client, rs, first)
    users.insertOne({"_id": 2}).get()
    assert rs.members[1].commands_named("insert")[0].outcome.carried_out
    client.wait_for("connectionPoolCleared", when=lambda e: any(p["address"] == str(first.address) for p in e))
    rs.restart(first)
    see(client, expected(rs))
    assert users.countDocuments().get() == 2


def test_a_step_down_keeps_connections(rs: ReplicaSet, connect: Any) -> None:
    """Nothing is closed, by the server's word since 4.2."""
    client = connected(connect, rs, "connectionPoolCleared")
    users = client.db("app").collection("users")
    users.insertOne({"_id": 1}).get()
    before = rs.members[0].commands_named("insert")[0].connection_id
    client.db("admin").command({"replSetStepDown": 60, "force": True}).get()
    users.insertOne({"_id": 2}).get()
    see(client, expected(rs))
    assert rs.primary is rs.members[1]
    assert before in [connection.id for connection in rs.members[0].connections]


def test_a_retried_write_is_applied_once(rs: ReplicaSet, connect: Any) -> None:
    """It was carried out, its primary died before it could say so, and the next one knows."""
    rs.members[0].on("insert").hangs_up(carried_out=True).once()
    client = connected(connect, rs)
    users = client.db("app").collection("users")
    users.insertOne({"n": 1}).get()
    assert users.countDocuments().get() == 1
    sent = [command.document for member in rs.members for command in member.commands_named("insert")]
    assert len(sent) == 2
    assert sent[0]["txnNumber"] == sent[1]["txnNumber"]


def test_a_write_that_a_step_down_broke_off(rs: ReplicaSet, connect: Any) -> None:
    """It is tried again at the new primary, and the application hears nothing of it."""
    rs.members[0].on("insert").answers_after(60)
    client = connected(connect, rs)
    users = client.db("app").collection("users")
    writing = users.insertOne({"_id": 1}).begin()
    rs.members[0].wait_for("insert")
    rs.step_down()
    writing.result(10)
    assert users.findOne({}).get() == {"_id": 1}
    assert rs.members[1].commands_named("insert")[0].outcome.carried_out


def test_no_majority(rs: ReplicaSet, connect: Any) -> None:
    """What is left is read from, and not written to."""
    client = connected(connect, rs, serverSelectionTimeoutMS=500)
    users = client.db("app").collection("users")
    users.insertOne({"_id": 1}).get()
    rs.kill(rs.members[0])
    rs.kill(rs.members[1])
    client.wait_for(TOPOLOGY, when=lambda events: PRIMARY not in events[-1]["servers"].values())
    assert error_of(users.insertOne({"_id": 2})).name == "MongoServerSelectionError"
    assert users.findOne({}, {"readPreference": "nearest"}).get() == {"_id": 1}
    rs.restart(rs.members[0])
    client.wait_for(TOPOLOGY, when=lambda events: PRIMARY in events[-1]["servers"].values())
    users.insertOne({"_id": 2}).get()


def test_a_primary_that_is_cut_off(rs: ReplicaSet, connect: Any) -> None:
    """The driver learns of the new one from the others, and goes there."""
    client = connected(connect, rs)
    users = client.db("app").collection("users")
    users.insertOne({"_id": 1}).get()
    rs.partition(rs.members[0])
    client.wait_for(TOPOLOGY, when=lambda e: e[-1]["servers"][str(rs.members[1].address)] == PRIMARY)
    users.insertOne({"_id": 2}).get()
    rs.heal(rs.members[0])
    assert users.countDocuments().get() == 2
    see(client, expected(rs))


def test_the_whole_set_restarts(rs: ReplicaSet, connect: Any) -> None:
    """Operations wait while nobody is there, and go on afterwards; the data are there."""
    client = connected(connect, rs)
    users = client.db("app").collection("users")
    users.insertOne({"_id": 1}).get()
    for member in rs.members:
        rs.kill(member)
    client.wait_for(TOPOLOGY, when=lambda events: set(events[-1]["servers"].values()) == {"Unknown"})
    waiting = users.insertOne({"_id": 2}).begin()
    for member in rs.members:
        rs.restart(member)
    waiting.result(15)
    see(client, expected(rs))
    assert users.countDocuments().get() == 2


def test_certificates_of_all_members_are_changed(rs: ReplicaSet, connect: Any) -> None:
    """One after the other, as administrators do it, under writes: nothing is lost, and no client needs to know."""
    client = connected(connect, rs, "connectionPoolCleared")
    users = client.db("app").collection("users")
    for number, member in enumerate(rs.members):
        member.rotate(rs.certs.server("127.0.0.1", subject=f"CN=member-{number}"))
        primary = member is rs.primary
        kill(client, rs, member)
        users.insertOne({"_id": number, "primary": primary}).get()
        rs.restart(member)
        see(client, expected(rs))
    assert users.countDocuments().get() == 3
    assert all(member.failed_handshakes == [] for member in rs.members)


def test_a_member_with_a_wrong_certificate(rs: ReplicaSet, connect: Any) -> None:
    """It is not talked to: to the driver it is not there, and the set works without it."""
    client = connected(connect, rs)
    member = rs.members[2]
    member.rotate(rs.certs.stranger().server())
    rs.kill(member)
    rs.restart(member)
    client.wait_for(TOPOLOGY, when=lambda e: e[-1]["servers"][str(member.address)] == "Unknown")
    users = client.db("app").collection("users")
    users.insertOne({"_id": 1}).get()
    member.rotate(rs.certs.server())
    see(client, expected(rs))


# Other topologies


def test_mongos(connect: Any, node: Node, aiomongo_certs: CertKit) -> None:
    """Both are used; when one goes the other goes on."""
    with ShardedCluster(mongos=2, ca=aiomongo_certs) as cluster:
        client = connect(cluster.uri(localThresholdMS=10_000), QUICK, events=[TOPOLOGY])
        both = {str(mongos.address): "Mongos" for mongos in cluster.mongos}
        see(client, both)
        assert node.scripts.describe(client).get()["type"] == "Sharded"
        users = client.db("app").collection("users")
        users.insertOne({"_id": 1}).get()
        for _ in range(30):
            assert users.findOne({}).get() == {"_id": 1}
        assert all(mongos.commands_named("find") for mongos in cluster.mongos)
        kill(client, cluster, cluster.mongos[0])
        users.insertOne({"_id": 2}).get()
        cluster.restart(cluster.mongos[0])
        see(client, both)
        kill(client, cluster, cluster.mongos[1])
        assert users.countDocuments().get() == 2
        client.close().get()


def test_cursors_stay_with_their_mongos(connect: Any, aiomongo_certs: CertKit) -> None:
    """A getMore goes where its find went."""
    with ShardedCluster(mongos=3, ca=aiomongo_certs) as cluster:
        client = connect(cluster.uri(localThresholdMS=10_000), QUICK, events=[TOPOLOGY])
        see(client, {str(mongos.address): "Mongos" for mongos in cluster.mongos})
        users = client.db("app").collection("users")
        users.insertMany([{"_id": n} for n in range(20)]).get()
        running = [users.find({}, {"batchSize": 2}).toArray().begin() for _ in range(15)]
        assert [len(each.result(20)) for each in running] == [20] * 15
        for mongos in cluster.mongos:
            assert len(mongos.commands_named("getMore")) == 10 * len(mongos.commands_named("find"))
        client.close().get()


@pytest.mark.parametrize(
    ("topology", "kind"),
    [
        ("standalone", "Single"),
        ("replica_set", "ReplicaSetWithPrimary"),
        ("mongos", "Sharded"),
        ("load_balanced", "LoadBalanced"),
    ],
)
def test_one_server_as_each(connect: Any, node: Node, aiomongo_certs: CertKit, topology: Any, kind: str) -> None:
    """The URI says what is needed to see it so."""
    with MongoTestServer(ca=aiomongo_certs, topology=topology) as server:
        client = connect(server.uri())
        users = client.db("app").collection("users")
        users.insertMany([{"_id": n} for n in range(5)]).get()
        assert len(users.find({}, {"batchSize": 2}).toArray().get()) == 5
        assert node.scripts.describe(client).get()["type"] == kind
        client.close().get()


def test_clients_that_do_not_know_of_a_load_balancer(node: Node, aiomongo_certs: CertKit) -> None:
    """They are told, in hello; and those that expect one elsewhere notice."""
    with MongoTestServer(ca=aiomongo_certs, topology="load_balanced") as server, pytest.raises(NodeError) as caught:
        node.connect(server.uri(loadBalanced=None), IMPATIENT)
    assert "balanc" in caught.value.story
    with MongoTestServer(ca=aiomongo_certs, topology="mongos") as server, pytest.raises(NodeError) as caught:
        node.connect(server.uri(loadBalanced=True), IMPATIENT)
    assert "load balanc" in caught.value.story


def test_mongos_behind_a_load_balancer(connect: Any, aiomongo_certs: CertKit) -> None:
    """Connections are spread over the mongos; a cursor keeps its connection."""
    with ShardedCluster(mongos=2, ca=aiomongo_certs, load_balancer=True) as cluster:
        client = connect(cluster.uri())
        users = client.db("app").collection("users")
        users.insertMany([{"_id": n} for n in range(6)]).get()
        cursors = [users.find({}, {"batchSize": 2}).keep() for _ in range(4)]
        assert [cursor.next().get()["_id"] for cursor in cursors] == [0, 0, 0, 0]
        assert all(mongos.commands_named("find") for mongos in cluster.mongos)
        assert [[user["_id"] for user in cursor.toArray().get()] for cursor in cursors] == [[1, 2, 3, 4, 5]] * 4
        client.close().get()


# Load


@pytest.mark.parametrize("size", [1, 10, 100])
def test_many_operations_at_once(rs: ReplicaSet, connect: Any, node: Node, size: int) -> None:
    """Five kinds of operation, a hundred at a time, on pools of any size: all counted, none lost."""
    client = connected(connect, rs, maxPoolSize=size)
    assert node.scripts.load(client, "app", "users", 100).get() == 100
    assert client.db("app").collection("users").countDocuments({"n": 2}).get() == 50
    opened = {command.connection_id for command in rs.members[0].commands_named("insert", "update", "find")}
    assert len(opened) <= size


def test_many_operations_with_failures(rs: ReplicaSet, connect: Any, node: Node) -> None:
    """Every tenth update loses its answer; what was acknowledged was applied once, what failed once at most.

    Some fail: who waits for a connection while the pool is cleared has used up one of two attempts.
    """
    seen: set[tuple[bytes, int]] = set()

    def is_lost(command: RecordedCommand) -> bool:
        write = (bytes(command.document["lsid"]["id"]), command.document["txnNumber"])
        is_first = write not in seen
        seen.add(write)
        return is_first and len(seen) % 10 == 0

    client = connected(connect, rs, maxPoolSize=5)
    users = client.db("app").collection("users")
    users.insertMany([{"_id": worker, "n": 0} for worker in range(20)]).get()
    lost = rs.members[0].on("update", where=is_lost).hangs_up(carried_out=True)
    told = node.scripts.increments(client, "app", "users", 20, 10).get()
    assert lost.used >= 10
    counts = [user["n"] for user in users.find({}).sort({"_id": 1}).toArray().get()]
    for count, worker in zip(counts, told, strict=True):
        assert worker["acknowledged"] <= count <= worker["acknowledged"] + worker["failed"] == 10
    assert sum(worker["acknowledged"] for worker in told) > 100


def test_a_pool_that_waits(rs: ReplicaSet, connect: Any) -> None:
    """Who waits too long for a connection is told so; the others are served."""
    client = connected(connect, rs, maxPoolSize=1, waitQueueTimeoutMS=1000)
    users = client.db("app").collection("users")
    users.insertOne({"_id": 1}).get()
    rs.members[0].on("find").stays_silent().once()
    stuck = users.findOne({}).begin()
    rs.members[0].wait_for("find")
    assert error_of(users.findOne({})).name == "MongoWaitQueueTimeoutError"
    rs.members[0].drop_connections()
    assert stuck.result(10) == {"_id": 1}
