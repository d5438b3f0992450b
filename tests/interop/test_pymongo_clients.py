"""PyMongo's two clients, the same tests for both: TLS and its refusals, logins, cursors, errors, deployments, load."""

from __future__ import annotations

import asyncio
import datetime
import gc
import inspect
import ssl
import threading
import time
from collections.abc import AsyncIterator, Callable, Iterator
from pathlib import Path
from typing import Any

import bson
import gridfs
import pymongo
import pytest
from bson import Binary, Code, DatetimeMS, DBRef, Decimal128, Int64, MaxKey, MinKey, ObjectId, Regex, Timestamp
from bson.raw_bson import RawBSONDocument
from gridfs.asynchronous import AsyncGridFSBucket
from pymongo import monitoring
from pymongo.errors import BulkWriteError, DuplicateKeyError, OperationFailure
from pymongo.server_api import ServerApi

from aiomongo_tls.testing import Certificate, CertKit, MongoTestServer, ReplicaSet, ShardedCluster

Connect = Callable[..., Any]

# PyMongo leaves sockets and transports open whose TLS handshake has failed. They are collected here, not elsewhere.
pytestmark = [
    pytest.mark.filterwarnings("ignore:unclosed:ResourceWarning"),
    pytest.mark.filterwarnings("ignore:Exception ignored in:pytest.PytestUnraisableExceptionWarning"),
    pytest.mark.usefixtures("_collected"),
]


@pytest.fixture(scope="module")
def _collected() -> Iterator[None]:
    yield
    gc.collect()


async def done(result: Any) -> Any:
    """What a method of either client gives in the end."""
    return await result if inspect.isawaitable(result) else result


def until(condition: Callable[[], bool]) -> None:
    """Wait for something that a server tells only to those who ask."""
    end = time.monotonic() + 5
    while not condition():
        assert time.monotonic() < end
        threading.Event().wait(0.002)


async def everything(cursor: Any) -> list[Any]:
    """Everything in a cursor of either client."""
    cursor = await done(cursor)
    return [each async for each in cursor] if hasattr(cursor, "__aiter__") else list(cursor)


async def together(*calls: Callable[[], Any]) -> list[Any]:
    """All at once: tasks for the one client, threads for the other."""

    async def one(call: Callable[[], Any]) -> Any:
        return await call() if inspect.iscoroutinefunction(call) else await asyncio.to_thread(call)

    return await asyncio.gather(*map(one, calls))


@pytest.fixture(params=[pymongo.MongoClient, pymongo.AsyncMongoClient], ids=["sync", "async"])
def kind(request: pytest.FixtureRequest) -> Any:
    """One of PyMongo's clients."""
    return request.param


# In a test it comes after its servers, which go after its clients: a client that closes later would look for them.
@pytest.fixture
async def connect(kind: Any) -> AsyncIterator[Connect]:
    """Makes clients, which are closed after the test."""
    made: list[Any] = []

    def make(uri: str, **options: Any) -> Any:
        made.append(kind(uri, **options))
        return made[-1]

    yield make
    for client in made:
        await done(client.close())


async def ping(connect: Connect, uri: str) -> None:
    """Connect, ask, and close."""
    client = connect(uri)
    assert (await done(client.admin.command("ping")))["ok"] == 1.0
    await done(client.close())


class Failure(monitoring.ServerHeartbeatListener):
    """Hears why a server cannot be talked to."""

    def __init__(self) -> None:
        self.happened = threading.Event()
        self.error: object = None

    def started(self, event: monitoring.ServerHeartbeatStartedEvent) -> None:
        pass

    def succeeded(self, event: monitoring.ServerHeartbeatSucceededEvent) -> None:
        pass

    def failed(self, event: monitoring.ServerHeartbeatFailedEvent) -> None:
        self.error = event.reply
        self.happened.set()


async def refused(connect: Connect, uri: str) -> str:
    """Why a client cannot connect."""
    heard = Failure()
    client = connect(uri, event_listeners=[heard])
    if isinstance(client, pymongo.AsyncMongoClient):
        await client.aconnect()
    assert await asyncio.to_thread(heard.happened.wait, 10)
    await done(client.close())
    return str(heard.error)


# TLS


@pytest.mark.parametrize(
    ("certificate", "words"),
    [
        (lambda certs: certs.server("other.example"), "IP address mismatch"),
        (lambda certs: certs.server(expired=True), "certificate has expired"),
        (lambda certs: certs.server(self_signed=True), "self-signed certificate"),
        (lambda certs: certs.stranger().server(), "unable to get local issuer certificate"),
        (lambda certs: certs.client("ada"), "unsuitable certificate purpose"),
    ],
    ids=["another host", "expired", "self-signed", "another authority", "a client's"],
)
async def test_server_certificates_that_are_refused(
    aiomongo_server: MongoTestServer, connect: Connect, certificate: Callable[[CertKit], Certificate], words: str
) -> None:
    """Nothing is sent to such a server, and nothing else was wrong."""
    good, uri = aiomongo_server.certificate, aiomongo_server.uri()
    aiomongo_server.rotate(certificate(aiomongo_server.certs))
    assert words.replace("-", " ") in (await refused(connect, uri)).replace("-", " ")
    assert aiomongo_server.commands == []
    aiomongo_server.rotate(good)
    await ping(connect, uri)


@pytest.mark.parametrize(
    ("client", "seen"),
    [
        (lambda certs: None, "PEER_DID_NOT_RETURN_A_CERTIFICATE"),
        (lambda certs: certs.stranger().client("ada"), "CERTIFICATE_VERIFY_FAILED"),
        (lambda certs: certs.client("ada", expired=True), "certificate has expired"),
        (lambda certs: certs.server(), "unsuitable certificate purpose"),
    ],
    ids=["none", "another authority", "expired", "a server's"],
)
@pytest.mark.parametrize("version", [ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3], ids=["TLS 1.2", "TLS 1.3"])
async def test_client_certificates_that_are_refused(
    connect: Connect,
    aiomongo_certs: CertKit,
    client: Callable[[CertKit], Certificate | None],
    seen: str,
    version: ssl.TLSVersion,
) -> None:
    """By the server, in the handshake."""
    with MongoTestServer(ca=aiomongo_certs, maximum_version=version) as server:
        await refused(connect, server.uri(client=client(aiomongo_certs), authMechanism=None))
        # The server makes its note after it has told the client.
        await asyncio.to_thread(until, lambda: any(seen in str(failure) for failure in server.failed_handshakes))
        assert server.commands == []


async def test_an_authority_that_is_not_trusted(aiomongo_server: MongoTestServer, connect: Connect) -> None:
    """By the client: it goes away."""
    assert "certificate" in await refused(
        connect, aiomongo_server.uri(tlsCAFile=aiomongo_server.certs.stranger().ca_path)
    )


async def test_chains_keys_and_names(aiomongo_server: MongoTestServer, connect: Connect) -> None:
    """An intermediate authority on either side, an encrypted key, a host name instead of an address."""
    certs = aiomongo_server.certs
    ada = certs.client("ada", intermediate=True, password="hush")
    aiomongo_server.add_user(ada)
    aiomongo_server.rotate(certs.server(intermediate=True))
    await ping(connect, aiomongo_server.uri(client=ada).replace("127.0.0.1", "localhost"))


async def test_a_list_of_revoked_certificates(
    aiomongo_server: MongoTestServer, connect: Connect, tmp_path: Path
) -> None:
    """The server whose certificate is on it is refused, another one is not."""
    certs = aiomongo_server.certs
    revoked = certs.server("127.0.0.1", subject="CN=revoked")
    path = tmp_path / "crl.pem"
    path.write_bytes(certs.crl(revoked=[revoked]))
    uri = aiomongo_server.uri(tlsCRLFile=path)
    await ping(connect, uri)
    aiomongo_server.rotate(revoked)
    assert "certificate revoked" in await refused(connect, uri)


async def test_a_new_certificate_of_the_server(aiomongo_server: MongoTestServer, connect: Connect) -> None:
    """Connections that are open go on, and new ones see it."""
    client = connect(aiomongo_server.uri())
    await done(client.app.users.insert_one({"_id": 1}))
    aiomongo_server.rotate(aiomongo_server.certs.server("127.0.0.1", subject="CN=new"))
    await done(client.app.users.insert_one({"_id": 2}))
    first, second = aiomongo_server.commands_named("insert")
    assert first.connection_id == second.connection_id
    aiomongo_server.drop_connections()
    assert await done(client.app.users.count_documents({})) == 2


# Logins


async def test_a_certificate_that_is_no_user(aiomongo_server: MongoTestServer, connect: Connect) -> None:
    """It gets through TLS and no further; once it is a user it does, and no longer after it was removed."""
    ada = aiomongo_server.certs.client("ada")
    uri = aiomongo_server.uri(client=ada)
    with pytest.raises(OperationFailure) as caught:
        await done(connect(uri).app.users.find_one())
    assert caught.value.code == 18
    aiomongo_server.add_user(ada)
    status = await done(connect(uri).admin.command("connectionStatus"))
    assert status["authInfo"]["authenticatedUsers"] == [{"user": ada.subject, "db": "$external"}]
    aiomongo_server.remove_user(ada)
    with pytest.raises(OperationFailure):
        await done(connect(uri).app.users.find_one())


async def test_without_a_login(aiomongo_server: MongoTestServer, connect: Connect) -> None:
    """A certificate alone is not a login."""
    client = connect(aiomongo_server.uri(authMechanism=None))
    await done(client.admin.command("ping"))
    with pytest.raises(OperationFailure) as caught:
        await done(client.app.users.find_one())
    assert caught.value.code == 13


# Documents

VALUES: dict[str, Any] = {
    "doubles": [1.5, 1.0, -0.0, float("inf"), 5e-324],
    "strings": ["Größe \U0001f600 \u0000 end", ""],
    "documents": [{"b": 1, "a": {"": None}}, {}],
    "binary": [b"\x00", b"", Binary(b"x", 0x80), Binary(b"x", 2), Binary(bytes(16), 4), Binary(bytes(16), 3)],
    "vector": Binary(b"\x03\x00\x01\x02", 9),
    "ObjectId": ObjectId("0123456789abcdef01234567"),
    "bools": [True, False],
    "dates": [datetime.datetime(2026, 5, 6, 7, 8, 9, 10_000), datetime.datetime(1815, 12, 10)],
    "far dates": [DatetimeMS(8_640_000_000_000_000), DatetimeMS(-8_640_000_000_000_000)],
    "null": None,
    "regex": Regex("^x/[a-z]+$", "im"),
    "DBRef": DBRef("things", 5, "elsewhere"),
    "code": [Code("x"), Code("x", {"x": 1})],
    "integers": [-(2**31), Int64(1), Int64(2**63 - 1)],
    "Timestamp": Timestamp(4_294_967_295, 1),
    "decimals": [Decimal128("-1.10E+3")],
    "ends": [MinKey(), MaxKey()],
}


@pytest.mark.parametrize("name", VALUES)
async def test_every_type(aiomongo_server: MongoTestServer, connect: Connect, name: str) -> None:
    """Stored to the last bit, and found by its value."""
    client = connect(aiomongo_server.uri(), document_class=RawBSONDocument)
    document = {"_id": 1, "value": VALUES[name]}
    await done(client.app.users.insert_one(document))
    found = await done(client.app.users.find_one({"value": {"$eq": VALUES[name]}}))
    assert found.raw == bson.encode(document)


async def test_cursors(aiomongo_server: MongoTestServer, connect: Connect) -> None:
    """Many batches in order; one that is closed early is killed."""
    users = connect(aiomongo_server.uri()).app.users
    await done(users.insert_many([{"_id": n} for n in range(500)]))
    assert [user["_id"] for user in await everything(users.find(batch_size=7))] == list(range(500))
    assert len(aiomongo_server.commands_named("getMore")) == 71
    found = users.aggregate([{"$match": {"_id": {"$gte": 100}}}], batchSize=30)
    assert len(await everything(found)) == 400
    cursor = users.find(batch_size=2)
    await done(cursor.next())
    number = cursor.cursor_id
    await done(cursor.close())
    assert aiomongo_server.wait_for("killCursors")[0].document["cursors"] == [number]


async def test_every_write(aiomongo_server: MongoTestServer, connect: Connect) -> None:
    """With the counts of the server."""
    users = connect(aiomongo_server.uri()).app.users
    await done(users.insert_many([{"_id": n, "n": n} for n in range(10)]))
    assert (await done(users.update_many({"n": {"$lt": 5}}, {"$inc": {"n": 100}}))).modified_count == 5
    assert (await done(users.replace_one({"_id": 1}, {"z": 1}))).modified_count == 1
    assert (await done(users.update_one({"_id": "new"}, {"$set": {"a": 1}}, upsert=True))).upserted_id == "new"
    assert (await done(users.delete_many({"n": {"$gte": 100}}))).deleted_count == 4
    assert await done(users.find_one_and_update({"_id": 5}, {"$inc": {"n": 1}})) == {"_id": 5, "n": 5}
    after = {"return_document": pymongo.ReturnDocument.AFTER}
    assert await done(users.find_one_and_replace({"_id": 5}, {"z": 2}, **after)) == {"_id": 5, "z": 2}
    assert await done(users.find_one_and_delete({"_id": 5})) == {"_id": 5, "z": 2}
    models = [pymongo.InsertOne({"_id": 7}), pymongo.InsertOne({"_id": 70}), pymongo.DeleteOne({"_id": 8})]
    with pytest.raises(BulkWriteError) as caught:
        await done(users.bulk_write(models, ordered=False))
    details = caught.value.details
    assert details is not None
    assert (details["nInserted"], details["nRemoved"], details["writeErrors"][0]["index"]) == (1, 1, 0)
    assert sorted(await done(users.distinct("n"))) == [6, 7, 9]


@pytest.mark.parametrize(
    "write",
    [
        lambda users: users.insert_one({"_id": 1}),
        lambda users: users.update_one({"_id": 2}, {"$set": {"email": "a"}}),
        lambda users: users.replace_one({"_id": 2}, {"email": "a"}),
        lambda users: users.update_one({"_id": 3}, {"$set": {"email": "a"}}, upsert=True),
        lambda users: users.find_one_and_update({"_id": 2}, {"$set": {"email": "a"}}),
    ],
    ids=["insert", "update", "replace", "upsert", "findAndModify"],
)
async def test_a_duplicate_key(aiomongo_server: MongoTestServer, connect: Connect, write: Callable[[Any], Any]) -> None:
    """With keyPattern and keyValue, by whatever it is written."""
    users = connect(aiomongo_server.uri()).app.users
    await done(users.create_index("email", unique=True, sparse=True))
    await done(users.insert_many([{"_id": 1, "email": "a"}, {"_id": 2, "email": "b"}]))
    with pytest.raises(DuplicateKeyError) as caught:
        await done(write(users))
    details = caught.value.details
    assert details is not None
    assert list(details["keyPattern"]) == list(details["keyValue"])
    assert len(details["keyPattern"]) == 1


async def test_a_document_that_is_too_large(aiomongo_server: MongoTestServer, connect: Connect) -> None:
    """What the server refuses of what the client lets pass; the connection goes on."""
    users = connect(aiomongo_server.uri()).app.users
    await done(users.insert_one({"_id": 1, "x": "x" * (16 * 1024 * 1024 - 100)}))
    with pytest.raises(OperationFailure) as caught:
        await done(users.update_one({"_id": 1}, {"$set": {"y": "y" * 200}}))
    assert caught.value.code == 17419
    assert await done(users.count_documents({"y": {"$exists": True}})) == 0


async def test_files(aiomongo_server: MongoTestServer, kind: Any, connect: Connect) -> None:
    """GridFS: a file of many chunks."""
    database = connect(aiomongo_server.uri()).app
    made: Any = gridfs.GridFSBucket if kind is pymongo.MongoClient else AsyncGridFSBucket
    bucket: Any = made(database)
    content = bytes(range(256)) * 4000
    identity = await done(bucket.upload_from_stream("x.bin", content))
    stream = await done(bucket.open_download_stream(identity))
    assert await done(stream.read()) == content
    await done(bucket.delete(identity))
    assert await done(database["fs.chunks"].count_documents({})) == 0


async def test_the_stable_api(aiomongo_server: MongoTestServer, connect: Connect) -> None:
    """Strict about it, a client may do what is in it and nothing else."""
    users = connect(aiomongo_server.uri(), server_api=ServerApi("1", strict=True)).app.users
    await done(users.insert_many([{"_id": n} for n in range(5)]))
    assert len(await everything(users.find(batch_size=2))) == 5
    with pytest.raises(OperationFailure) as caught:
        await done(users.distinct("a"))
    assert caught.value.code == 323


# Sessions and retries


@pytest.mark.aiomongo(topology="replica_set")
@pytest.mark.parametrize("data", [{"closeConnection": True}, {"errorCode": 91}, {"errorCode": 10107}], ids=str)
async def test_writes_and_reads_are_tried_again(
    aiomongo_server: MongoTestServer, connect: Connect, monkeypatch: pytest.MonkeyPatch, data: dict[str, Any]
) -> None:
    """Each is carried out once, with one number."""
    # After an error PyMongo looks at the server again, at most twice a second if it is left alone.
    monkeypatch.setattr(pymongo.common, "MIN_HEARTBEAT_INTERVAL", 0.01)
    users = connect(aiomongo_server.uri(serverMonitoringMode="poll")).app.users
    await done(users.insert_one({"_id": 1, "n": 0}))
    calls: dict[str, Callable[[], Any]] = {
        "update": lambda: users.update_one({"_id": 1}, {"$inc": {"n": 1}}),
        "findAndModify": lambda: users.find_one_and_update({"_id": 1}, {"$inc": {"n": 1}}),
        "find": lambda: users.find_one({"_id": 1}),
    }
    for name, call in calls.items():
        with aiomongo_server.fail_point(mode={"times": 1}, failCommands=[name], **data) as point:
            await done(call())
            assert point.used == 1
    assert await done(users.find_one()) == {"_id": 1, "n": 2}
    numbers = [command.document["txnNumber"] for command in aiomongo_server.commands_named("update")]
    assert len(numbers) == 2
    assert len(set(numbers)) == 1


async def test_a_session(aiomongo_server: MongoTestServer, connect: Connect) -> None:
    """What is done in one has its number, and it is ended when the client closes."""
    client = connect(aiomongo_server.uri())
    session = await done(client.start_session())
    await done(client.app.users.insert_one({"_id": 1}, session=session))
    assert len(await everything(client.app.users.find(session=session))) == 1
    lsids = [c.document["lsid"] for name in ("insert", "find") for c in aiomongo_server.commands_named(name)]
    assert lsids == [session.session_id] * 2
    await done(session.end_session())
    await done(client.close())
    assert lsids[0] in aiomongo_server.commands_named("endSessions")[0].document["endSessions"]


# Deployments


class Commands(monitoring.CommandListener):
    """Remembers where commands went."""

    def __init__(self) -> None:
        self.succeeded_ones: list[tuple[str, Any]] = []
        self.failed_ones: list[str] = []

    def started(self, event: monitoring.CommandStartedEvent) -> None:
        pass

    def succeeded(self, event: monitoring.CommandSucceededEvent) -> None:
        self.succeeded_ones.append((event.command_name, event.connection_id))

    def failed(self, event: monitoring.CommandFailedEvent) -> None:
        self.failed_ones.append(event.command_name)


async def test_commands_are_told(aiomongo_replica_set: ReplicaSet, connect: Connect) -> None:
    """To listeners, with the member that carried them out."""
    heard = Commands()
    client = connect(aiomongo_replica_set.uri(), event_listeners=[heard])
    await done(client.app.users.insert_one({"_id": 1}))
    secondary = client.app.users.with_options(read_preference=pymongo.ReadPreference.SECONDARY)
    await done(secondary.find_one())
    with pytest.raises(OperationFailure):
        await done(client.app.command("nonsense"))
    (insert, primary), (find, other) = heard.succeeded_ones
    assert (insert, find, heard.failed_ones) == ("insert", "find", ["nonsense"])
    members = aiomongo_replica_set.members
    assert primary == ("127.0.0.1", members[0].address.port)
    assert other in [("127.0.0.1", member.address.port) for member in members[1:]]


async def test_a_write_that_a_step_down_broke_off(aiomongo_replica_set: ReplicaSet, connect: Connect) -> None:
    """It is tried again at the new primary, and the application hears nothing of it."""
    rs = aiomongo_replica_set
    rs.members[0].on("insert").answers_after(60)
    client = connect(rs.uri())
    await done(client.admin.command("ping"))

    async def in_task() -> None:
        await client.app.users.insert_one({"_id": 1})

    def in_thread() -> None:
        client.app.users.insert_one({"_id": 1})

    def step_down() -> None:
        rs.members[0].wait_for("insert")
        rs.step_down()

    await together(in_task if isinstance(client, pymongo.AsyncMongoClient) else in_thread, step_down)
    assert await done(client.app.users.find_one()) == {"_id": 1}
    assert rs.members[1].commands_named("insert")[0].outcome.carried_out


async def test_a_retried_write_is_applied_once(aiomongo_replica_set: ReplicaSet, connect: Connect) -> None:
    """It was carried out, its primary died before it could say so, and the next one knows."""
    rs = aiomongo_replica_set
    rs.members[0].on("insert").hangs_up(carried_out=True).once()
    client = connect(rs.uri())
    await done(client.app.users.insert_one({"n": 1}))
    assert await done(client.app.users.count_documents({})) == 1
    sent = [command.document for member in rs.members for command in member.commands_named("insert")]
    assert [document["txnNumber"] for document in sent] == [sent[0]["txnNumber"]] * 2


async def test_several_mongos(aiomongo_certs: CertKit, connect: Connect) -> None:
    """Both are used, cursors stay with theirs, and when one goes the other goes on."""
    with ShardedCluster(mongos=2, ca=aiomongo_certs) as cluster:
        client = connect(cluster.uri(localThresholdMS=10_000))
        users = client.app.users
        await done(users.insert_many([{"_id": n} for n in range(6)]))
        for _ in range(20):
            assert len(await everything(users.find(batch_size=2))) == 6
        for mongos in cluster.mongos:
            assert len(mongos.commands_named("getMore")) == 3 * len(mongos.commands_named("find")) > 0
        cluster.kill(cluster.mongos[0])
        assert await done(users.count_documents({})) == 6
        await done(client.close())


async def test_behind_a_load_balancer(aiomongo_certs: CertKit, connect: Connect) -> None:
    """Cursors keep their connections."""
    with ShardedCluster(mongos=2, ca=aiomongo_certs, load_balancer=True) as cluster:
        client = connect(cluster.uri())
        await done(client.app.users.insert_many([{"_id": n} for n in range(6)]))
        cursors = [client.app.users.find(batch_size=2) for _ in range(4)]
        assert [(await done(cursor.next()))["_id"] for cursor in cursors] == [0] * 4
        assert [len(mongos.commands_named("find")) for mongos in cluster.mongos] == [2, 2]
        assert [len(await everything(cursor)) for cursor in cursors] == [5] * 4
        await done(client.close())


async def test_many_operations_at_once(aiomongo_server: MongoTestServer, kind: Any, connect: Connect) -> None:
    """Forty tasks or threads on ten connections: everything is counted, nothing is lost."""
    users = connect(aiomongo_server.uri(maxPoolSize=10)).app.users

    async def in_task(worker: int) -> None:
        for number in range(5):
            await users.insert_one({"_id": f"{worker} {number}", "n": 0})
            await users.update_one({"_id": f"{worker} {number}"}, {"$inc": {"n": 1}})
            assert (await users.find_one({"_id": f"{worker} {number}"}))["n"] == 1

    def in_thread(worker: int) -> None:
        for number in range(5):
            users.insert_one({"_id": f"{worker} {number}", "n": 0})
            users.update_one({"_id": f"{worker} {number}"}, {"$inc": {"n": 1}})
            assert users.find_one({"_id": f"{worker} {number}"})["n"] == 1

    def of(worker: int) -> Callable[[], Any]:
        async def task() -> None:
            await in_task(worker)

        return task if kind is pymongo.AsyncMongoClient else lambda: in_thread(worker)

    await together(*map(of, range(40)))
    assert await done(users.count_documents({"n": 1})) == 200
    assert len({command.connection_id for command in aiomongo_server.commands_named("insert")}) <= 10
