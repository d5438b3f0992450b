"""Further things that the Node.js driver does: GridFS, Stable API, metadata, and what this server has to refuse."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from node_driver import Kept, Node, NodeError

from aiomongo_tls.testing import CertKit, MongoTestServer, ReplicaSet


@pytest.fixture
def client(aiomongo_server: MongoTestServer, connect: Any) -> Kept:
    made: Kept = connect(aiomongo_server.uri(appName="shop"))
    return made


def test_files(node: Node, client: Kept, aiomongo_server: MongoTestServer) -> None:
    """GridFS: a file of many chunks goes in and comes out, is listed, renamed and deleted."""
    told = node.scripts.files(client, "app", 3_000_000).get()
    assert told["written"] == told["read"]
    (found,) = told["found"]
    assert (found["length"], found["chunkSize"], found["filename"]) == (3_000_000, 255 * 1024, "x.bin")
    assert told["renamed"] == ["y.bin"]
    assert told["part"] == told["expectedPart"]
    assert told["left"] == [0, 0]
    chunks = [c for c in aiomongo_server.commands_named("insert") if c.document["insert"] == "fs.chunks"]
    assert sum(len(command.document["documents"]) for command in chunks) == 12


def test_metadata(client: Kept, aiomongo_server: MongoTestServer) -> None:
    """The driver introduces itself in the first hello of each connection, and only there."""
    client.db("app").command({"ping": 1}).get()
    for connection in aiomongo_server.connections:
        hellos = [c for c in aiomongo_server.commands if c.connection_id == connection.id and "client" in c.document]
        assert len(hellos) == 1
        assert hellos[0].document["client"]["application"] == {"name": "shop"}
        assert hellos[0].document["client"]["driver"]["name"] == "nodejs"


def test_the_legacy_hello_leads_to_the_new_one(client: Kept, aiomongo_server: MongoTestServer) -> None:
    """The driver begins with isMaster and helloOk, and goes on with hello where the answer has helloOk."""
    client.db("app").command({"ping": 1}).get()
    spellings = {c.name for c in aiomongo_server.commands if c.name.lower() in ("hello", "ismaster")}
    assert {spelling.lower() for spelling in spellings} <= {"hello", "ismaster"}
    first = next(c for c in aiomongo_server.commands if "client" in c.document)
    assert (first.name, first.document["helloOk"]) == ("ismaster", True)


@pytest.mark.parametrize("strict", [False, True])
def test_stable_api(aiomongo_server: MongoTestServer, connect: Any, strict: bool) -> None:
    """Every command says the version of the API that it means."""
    client = connect(aiomongo_server.uri(), {"serverApi": {"version": "1", "strict": strict}})
    users = client.db("app").collection("users")
    users.insertMany([{"_id": n} for n in range(5)]).get()
    assert len(users.find({}, {"batchSize": 2}).toArray().get()) == 5
    (insert,) = aiomongo_server.commands_named("insert")
    assert (insert.document["apiVersion"], insert.document["apiStrict"]) == ("1", strict)


def test_stable_api_that_is_strict(aiomongo_server: MongoTestServer, connect: Any) -> None:
    """Commands that are not in it are refused."""
    client = connect(aiomongo_server.uri(), {"serverApi": {"version": "1", "strict": True}})
    with pytest.raises(NodeError) as caught:
        client.db("app").collection("users").distinct("a").get()
    assert (caught.value.code, caught.value.details["codeName"]) == (323, "APIStrictError")


def test_a_version_of_the_api_that_is_not_there(client: Kept) -> None:
    """Is refused with the server's code."""
    with pytest.raises(NodeError) as caught:
        client.db("app").command({"ping": 1, "apiVersion": "2"}).get()
    assert (caught.value.code, caught.value.details["codeName"]) == (322, "APIVersionError")


@pytest.mark.parametrize(
    "what",
    [
        lambda client: client.watch().next(),
        lambda client: client.db("app").watch().next(),
        lambda client: client.db("app").collection("users").watch().next(),
        lambda client: client.db("app").stats(),
        lambda client: client.db("admin").admin().serverStatus(),
        lambda client: client.db("app").createCollection("log", {"capped": True, "size": 4096}),
        lambda client: client.db("app").createCollection("odd", {"viewOn": "users", "pipeline": []}),
        lambda client: client.db("app").createCollection("ts", {"timeseries": {"timeField": "at"}}),
    ],
    ids=[
        *("changes of all", "changes of a database", "changes of a collection", "stats", "serverStatus"),
        *("capped", "view", "time series"),
    ],
)
def test_what_this_server_is_not(client: Kept, what: Any) -> None:
    """An error that says so, never a wrong answer."""
    client.db("app").collection("users").insertOne({"_id": 1}).get()
    with pytest.raises(NodeError) as caught:
        what(client).get()
    assert (caught.value.code, caught.value.details["codeName"]) == (238, "NotImplemented")


def test_a_transaction_in_a_callback(aiomongo_certs: CertKit, connect: Any, node: Node) -> None:
    """A callback of withTransaction ends with the server's refusal, at once, and nothing was written."""
    with ReplicaSet(1, ca=aiomongo_certs) as rs:
        client = connect(rs.uri())
        with pytest.raises(NodeError) as caught:
            node.scripts.transaction(client, "app", "users").get()
        assert caught.value.code == 238
        assert client.db("app").collection("users").countDocuments().get() == 0
        client.close().get()


def test_staleness(aiomongo_certs: CertKit, connect: Any) -> None:
    """With maxStalenessSeconds nothing changes here: members that are up to date are not stale."""
    with ReplicaSet(ca=aiomongo_certs) as rs:
        client = connect(rs.uri(readPreference="secondary", maxStalenessSeconds=90))
        client.db("app").collection("users").insertOne({"_id": 1}).get()
        assert client.db("app").collection("users").findOne({}).get() == {"_id": 1}
        (find,) = [c for member in rs.secondaries for c in member.commands_named("find")]
        assert find.document["$readPreference"]["mode"] == "secondary"
        client.close().get()


@pytest.mark.parametrize("level", ["local", "available", "majority", "linearizable"])
def test_read_concerns(client: Kept, aiomongo_server: MongoTestServer, level: str) -> None:
    """Every level there is; a standalone refuses the last."""
    users = client.db("app").collection("users")
    users.insertOne({"_id": 1}).get()
    found = users.find({}, {"readConcern": {"level": level}}).toArray()
    if level == "linearizable":
        with pytest.raises(NodeError) as caught:
            found.get()
        assert caught.value.code == 123
    else:
        assert found.get() == [{"_id": 1}]
    assert aiomongo_server.commands_named("find")[0].document["readConcern"] == {"level": level}


def test_a_client_that_connects_by_itself(aiomongo_server: MongoTestServer, connect: Any) -> None:
    """Without connect() the first operation does it, and after close() the next one may not."""
    client = connect(aiomongo_server.uri(), lazy=True)
    assert aiomongo_server.commands == []
    client.db("app").collection("users").insertOne({"_id": 1}).get()
    client.close().get()
    with pytest.raises(NodeError) as caught:
        client.db("app").collection("users").findOne({}).get()
    assert caught.value.name in ("MongoNotConnectedError", "MongoClientClosedError")


def test_a_client_that_closes_itself(node: Node, aiomongo_server: MongoTestServer) -> None:
    """Every connection that it opened is closed, and the server has been told that its sessions are over."""
    client = node.connect(
        aiomongo_server.uri(minPoolSize=3), events=["connectionReady", "connectionClosed", "topologyClosed"]
    )
    client.wait_for("connectionReady", when=lambda events: len(events) >= 3)
    client.db("app").command({"ping": 1}).get()
    client.close().get()
    ready, closed = client.events("connectionReady"), client.events("connectionClosed")
    assert {event["connection"] for event in ready} == {event["connection"] for event in closed}
    assert len(aiomongo_server.commands_named("endSessions")) == 1
    assert client.events("topologyClosed")


def test_a_list_of_revoked_certificates(node: Node, aiomongo_server: MongoTestServer, tmp_path: Path) -> None:
    """By tlsCRLFile: the server whose certificate is on it is refused, another one is not."""
    certs = aiomongo_server.certs
    revoked = certs.server("127.0.0.1", subject="CN=revoked")
    path = tmp_path / "crl.pem"
    path.write_bytes(certs.crl(revoked=[revoked]))
    uri = aiomongo_server.uri(tlsCRLFile=path)
    node.connect(uri).close().get()
    aiomongo_server.rotate(revoked)
    with pytest.raises(NodeError) as caught:
        node.connect(uri, {"serverSelectionTimeoutMS": 500})
    assert "certificate revoked" in caught.value.story
    node.connect(aiomongo_server.uri()).close().get()
