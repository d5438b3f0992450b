"""The embedded server on real sockets: its life, its script, hostile clients. The client is PyMongo's or a socket."""

from __future__ import annotations

import asyncio
import gc
import socket
import ssl
import struct
import threading
import warnings
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import bson
import pymongo
import pytest
import trustme
from pymongo.errors import AutoReconnect, ConnectionFailure, OperationFailure, ServerSelectionTimeoutError

from aiomongo_tls.testing import CertKit, MongoTestServer

Client = pymongo.MongoClient[dict[str, Any]]


@pytest.fixture(scope="module")
def certs() -> CertKit:
    return CertKit()


@pytest.fixture
def plain() -> Iterator[MongoTestServer]:
    """A server without TLS."""
    with MongoTestServer(tls="off") as server:
        yield server


@contextmanager
def client_of(uri: str, **options: Any) -> Iterator[Client]:
    with pymongo.MongoClient(uri, **({"serverSelectionTimeoutMS": 5000} | options)) as client:
        yield client


def message(document: dict[str, Any], flags: int = 0) -> bytes:
    """An OP_MSG, put together by hand."""
    payload = struct.pack("<IB", flags, 0) + bson.encode(document)
    return struct.pack("<iiii", 16 + len(payload), 7, 0, 2013) + payload


def received(sock: socket.socket) -> dict[str, Any]:
    """The document of the next reply."""
    (length,) = struct.unpack("<i", sock.recv(4, socket.MSG_WAITALL))
    rest = sock.recv(length - 4, socket.MSG_WAITALL)
    return bson.decode(rest[12 + 5 :])


# A server that refuses them is tried again by PyMongo until this is over.
GIVE_UP = {"serverSelectionTimeoutMS": 50}


def open_files() -> set[str]:
    """What this process has open; sockets by their inode, so that a number used again is not taken for the old one."""
    found = set[str]()
    for descriptor in Path("/proc/self/fd").iterdir():
        with suppress(FileNotFoundError):
            found.add(f"{descriptor.name} {descriptor.readlink()}")
    return found


def connected(server: MongoTestServer) -> socket.socket:
    return socket.create_connection((server.address.host, server.address.port or 0), timeout=5)


# Life


def test_start_and_stop(plain: MongoTestServer) -> None:
    """After the end no thread and no socket is left, and the address refuses connections."""
    with client_of(plain.uri()) as client:
        assert client.admin.command("ping")["ok"] == 1.0
    name = f"MongoTestServer {plain.address}"
    assert name in [thread.name for thread in threading.enumerate()]
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        plain.stop()
        plain.stop()
        gc.collect()
    assert name not in [thread.name for thread in threading.enumerate()]
    with pytest.raises(ConnectionRefusedError):
        connected(plain)


@pytest.mark.skipif(not Path("/proc/self/fd").exists(), reason="counts descriptors by /proc")
@pytest.mark.parametrize("tls", ["off", "require_client"])
def test_descriptors_are_given_back(certs: CertKit, tls: Any) -> None:
    """A server that ends with connections in every state leaves nothing open."""
    before = open_files()
    with MongoTestServer(ca=certs, tls=tls) as server:
        idle, half, refused = connected(server), connected(server), connected(server)
        half.sendall(b"\x16\x03")
        refused.sendall(b"GET / HTTP/1.1\r\n\r\n")
        server.stalls("accept")
        stalled = connected(server)
    for sock in (idle, half, refused, stalled):
        with sock, suppress(ConnectionResetError):
            while sock.recv(100):
                pass
    assert open_files() - before == set()


def test_it_starts_again_on_its_port(plain: MongoTestServer) -> None:
    """Data and port stay over a stop."""
    uri = plain.uri()
    with client_of(uri) as client:
        client.app.users.insert_one({"_id": 1})
        plain.stop()
        plain.start()
        assert plain.uri() == uri
        assert client.app.users.find_one() == {"_id": 1}


def test_a_taken_port_is_an_error(plain: MongoTestServer) -> None:
    """start() raises, and nothing is left behind."""
    other = MongoTestServer(tls="off", port=plain.address.port or 0)
    with pytest.raises(OSError, match="in use"):
        other.start()
    assert "stopped" in repr(other)


async def test_async_with() -> None:
    """It is an asynchronous context manager too, and does not touch the loop."""
    async with MongoTestServer(tls="off") as server:
        async with pymongo.AsyncMongoClient[dict[str, Any]](server.uri()) as client:
            assert (await client.admin.command("ping"))["ok"] == 1.0
        assert len(asyncio.all_tasks()) == 1


def test_reset(certs: CertKit) -> None:
    """Data, users, script, log and connections are as at the start; the port is the same."""
    ada = certs.client("ada")
    with MongoTestServer(ca=certs) as server:
        server.add_user(ada)
        server.on("ping").fails(1)
        uri = server.uri(client=ada)
        with client_of(uri) as client:
            client.app.users.insert_one({"_id": 1})
            server.reset()
            assert server.commands == []
            assert server.uri(client=ada) == uri
            with pytest.raises(OperationFailure) as caught:
                client.app.users.find_one()
            assert caught.value.code == 18
        with client_of(server.uri()) as client:
            assert client.admin.command("ping")["ok"] == 1.0
            assert client.app.users.find_one() is None


def test_servers_do_not_share_anything() -> None:
    """Two of them have data of their own."""
    with MongoTestServer(tls="off") as one, MongoTestServer(tls="off") as two:
        with client_of(one.uri()) as client:
            client.app.users.insert_one({"_id": 1})
        with client_of(two.uri()) as client:
            assert client.app.users.find_one() is None
        assert two.commands_named("insert") == []


def test_ipv6() -> None:
    """It listens where it is told."""
    with MongoTestServer(tls="off", host="::1") as server, client_of(server.uri()) as client:
        assert server.uri().startswith("mongodb://[::1]:")
        assert client.admin.command("ping")["ok"] == 1.0


def test_tls_is_one_of_three() -> None:
    """A typing error is told."""
    with pytest.raises(ValueError, match="require_client, require, off"):
        MongoTestServer(tls="on")  # type: ignore[arg-type]


# The URI


def test_the_uri(certs: CertKit) -> None:
    """It has what a client needs; options are added, replaced or left out, and percent-encoded."""
    ada = certs.client("ada", password="a&b")
    server = MongoTestServer(ca=certs, users=[ada])
    assert server.uri() == (
        f"mongodb://127.0.0.1:0/?tls=true&tlsCAFile={certs.ca_path}&tlsCertificateKeyFile={ada.path}"
        "&authMechanism=MONGODB-X509&tlsCertificateKeyFilePassword=a%26b"
    )
    assert server.uri(client=None, database="my app", appName="x y", tlsCAFile=None) == (
        "mongodb://127.0.0.1:0/my%20app?tls=true&appName=x%20y"
    )
    assert MongoTestServer(tls="off").uri(retryWrites=False) == "mongodb://127.0.0.1:0/?retryWrites=false"


def test_a_server_certificate_that_is_its_own_authority(certs: CertKit) -> None:
    """The URI then trusts that certificate."""
    own = certs.server(self_signed=True)
    with MongoTestServer(ca=certs, certificate=own) as server, client_of(server.uri()) as client:
        assert own.ca_path in server.uri()
        assert client.admin.command("ping")["ok"] == 1.0
    with (
        MongoTestServer(ca=certs, certificate=own) as server,
        client_of(server.uri(tlsCAFile=certs.ca_path), **GIVE_UP) as client,
        pytest.raises(ServerSelectionTimeoutError),
    ):
        client.admin.command("ping")


def test_an_authority_of_trustme() -> None:
    """It can be handed over as it is."""
    with MongoTestServer(ca=trustme.CA()) as server, client_of(server.uri()) as client:
        assert client.app.users.find_one() is None


# TLS and users


def test_x509_end_to_end(certs: CertKit) -> None:
    """The certificate's subject is the user; one that is no user is refused with 18."""
    ada, eve = certs.client("ada"), certs.client("eve")
    with MongoTestServer(ca=certs, users=[ada]) as server:
        with client_of(server.uri(client=ada)) as client:
            client.app.users.insert_one({"_id": 1})
            (state,) = [c for c in server.connections if c.user]
            assert state.user == ada.subject
            assert server.commands_named("insert")[0].user == ada.subject
        with client_of(server.uri(client=eve)) as client, pytest.raises(OperationFailure) as caught:
            client.app.users.find_one()
        assert caught.value.code == 18


@pytest.mark.parametrize(("tls", "gets_in"), [("require_client", False), ("require", True)])
def test_a_client_without_certificate(certs: CertKit, tls: Any, gets_in: bool) -> None:
    """It is refused in the handshake or let in, where it then can do nothing that needs a user."""
    options = {} if gets_in else GIVE_UP
    with MongoTestServer(ca=certs, tls=tls) as server, client_of(server.uri(client=None), **options) as client:
        if gets_in:
            assert client.admin.command("ping")["ok"] == 1.0
            with pytest.raises(OperationFailure, match="requires authentication"):
                client.app.users.find_one()
            assert server.failed_handshakes == []
        else:
            with pytest.raises(ServerSelectionTimeoutError, match="certificate required"):
                client.admin.command("ping")
            assert "PEER_DID_NOT_RETURN_A_CERTIFICATE" in str(server.failed_handshakes[0])


@pytest.mark.parametrize("tls", ["require_client", "require"])
def test_a_certificate_of_a_stranger(certs: CertKit, tls: Any) -> None:
    """It is verified in either mode, as by mongod."""
    stranger = certs.stranger().client("ada")
    with MongoTestServer(ca=certs, tls=tls) as server:
        with client_of(server.uri(client=stranger), **GIVE_UP) as client, pytest.raises(ServerSelectionTimeoutError):
            client.admin.command("ping")
        assert "CERTIFICATE_VERIFY_FAILED" in str(server.failed_handshakes[0])


@pytest.mark.parametrize("version", [ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3], ids=str)
def test_one_version_of_tls_only(certs: CertKit, version: ssl.TLSVersion) -> None:
    """It speaks that one and no other."""
    with MongoTestServer(ca=certs, minimum_version=version, maximum_version=version) as server:
        context = ssl.create_default_context(cafile=certs.ca_path)
        context.load_cert_chain(server.client_certificate.path if server.client_certificate else "")
        with context.wrap_socket(connected(server), server_hostname="localhost") as sock:
            assert sock.version() == version.name.replace("_", ".").replace("TLSv1", "TLSv1")
        other = {ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3} - {version}
        context.minimum_version = context.maximum_version = other.pop()
        with connected(server) as sock, pytest.raises(ssl.SSLError):
            context.wrap_socket(sock, server_hostname="localhost")


def test_access_control_is_off_without_users(plain: MongoTestServer) -> None:
    """Then anybody may do anything; the first user that is added switches it on."""
    with client_of(plain.uri()) as client:
        assert client.app.users.find_one() is None
        plain.add_user("CN=ada")
        with pytest.raises(OperationFailure, match="requires authentication"):
            client.app.users.find_one()


def test_a_user_who_was_removed(certs: CertKit) -> None:
    """New connections are refused."""
    with MongoTestServer(ca=certs) as server:
        assert server.client_certificate is not None
        server.remove_user(server.client_certificate)
        with client_of(server.uri()) as client, pytest.raises(OperationFailure) as caught:
            client.app.users.find_one()
        assert caught.value.code == 18


def test_rotation(certs: CertKit) -> None:
    """New connections get the new certificate, open ones stay."""

    def presented(server: MongoTestServer) -> str:
        context = ssl.create_default_context(cafile=certs.ca_path)
        context.check_hostname = False
        with context.wrap_socket(connected(server)) as sock:
            return str((sock.getpeercert() or {})["subjectAltName"])

    with MongoTestServer(ca=certs, tls="require") as server, client_of(server.uri(), maxPoolSize=1) as client:
        client.admin.command("ping")
        before = {state.id for state in server.connections}
        assert "localhost" in presented(server)
        server.rotate(certs.server("somewhere.else"))
        assert presented(server) == "(('DNS', 'somewhere.else'),)"
        client.admin.command("ping")
        assert {state.id for state in server.connections} >= before


# The script


def test_replies_and_failures(plain: MongoTestServer) -> None:
    """A scripted document or error takes the place of the answer; nothing is carried out."""
    with client_of(plain.uri(), retryReads=False) as client:
        plain.on("insert").fails(11600, "not now", labels=["RetryableWriteError"]).once()
        with pytest.raises(AutoReconnect) as caught:
            client.app.users.insert_one({"_id": 1})
        assert caught.value.has_error_label("RetryableWriteError")
        client.app.users.insert_one({"_id": 1})
        plain.on("find").replies({"cursor": {"id": 0, "ns": "app.users", "firstBatch": [{"_id": "scripted"}]}})
        assert client.app.users.find_one() == {"_id": "scripted"}


def test_hanging_up_and_garbling(plain: MongoTestServer) -> None:
    """The connection ends without an answer, or with one that is none; the next command works."""
    with client_of(plain.uri(), retryReads=False) as client:
        plain.on("find").hangs_up().once()
        with pytest.raises(AutoReconnect):
            client.app.users.find_one()
        assert client.app.users.find_one() is None
    sock = connected(plain)
    plain.on("ping").garbles(b"nonsense").once()
    sock.sendall(message({"ping": 1, "$db": "admin"}))
    assert sock.recv(8, socket.MSG_WAITALL) == b"nonsense"
    sock.close()


def test_answering_late(plain: MongoTestServer) -> None:
    """The answer waits, other connections do not."""
    plain.on("ping").answers_after(0.02).once()
    with connected(plain) as sock:
        sock.sendall(message({"ping": 1, "$db": "admin"}))
        with connected(plain) as other:
            other.sendall(message({"ping": 1, "$db": "admin"}))
            assert received(other)["ok"] == 1.0
        assert received(sock)["ok"] == 1.0


def test_what_comes_during_a_wait_keeps_its_place(plain: MongoTestServer) -> None:
    """An unacknowledged write that waits is carried out before the question behind it."""
    plain.on("insert").answers_after(0.02)
    with connected(plain) as sock:
        sock.sendall(message({"insert": "users", "documents": [{"_id": 1}], "$db": "app"}, flags=2))
        sock.sendall(message({"count": "users", "$db": "app"}))
        assert received(sock)["n"] == 1


def test_staying_silent(plain: MongoTestServer) -> None:
    """There is no answer, ever; the command was received."""
    plain.on("find").stays_silent()
    with connected(plain) as sock:
        sock.sendall(message({"find": "users", "$db": "app"}))
        plain.wait_for("find")
        sock.settimeout(0.05)
        with pytest.raises(TimeoutError):
            sock.recv(1)


@pytest.mark.parametrize("where", ["accept", "handshake", "hello"])
def test_stalling(certs: CertKit, where: Any) -> None:
    """New connections get no further than that, and the server ends cleanly with them open."""
    with MongoTestServer(ca=certs) as server:
        server.stalls(where)
        context = ssl.create_default_context(cafile=certs.ca_path)
        assert server.client_certificate is not None
        context.load_cert_chain(server.client_certificate.path)
        sock = connected(server)
        sock.settimeout(0.2)
        if where == "hello":
            sock = context.wrap_socket(sock, server_hostname="localhost")
            sock.sendall(message({"hello": 1, "$db": "admin"}))
            server.wait_for("hello")
            with pytest.raises(TimeoutError):
                sock.recv(1)
        else:
            with pytest.raises(TimeoutError):
                context.wrap_socket(sock, server_hostname="localhost", do_handshake_on_connect=True)
        sock.close()
        server.stalls(None)
        with client_of(server.uri()) as client:
            assert client.admin.command("ping")["ok"] == 1.0


def test_a_half_handshake_has_said_something(certs: CertKit) -> None:
    """Stalled in the handshake, the server has sent a part of its flight; stalled before it, nothing."""
    context = ssl.create_default_context(cafile=certs.ca_path)
    incoming, outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
    with pytest.raises(ssl.SSLWantReadError):
        context.wrap_bio(incoming, outgoing, server_hostname="localhost").do_handshake()
    hello = outgoing.read()
    with MongoTestServer(ca=certs) as server:
        server.stalls("handshake")
        with connected(server) as sock:
            sock.sendall(hello)
            assert sock.recv(1) == b"\x16"
        server.stalls("accept")
        with connected(server) as sock:
            sock.sendall(hello)
            sock.settimeout(0.05)
            with pytest.raises(TimeoutError):
                sock.recv(1)


def test_the_log(plain: MongoTestServer) -> None:
    """It has each command whole, with its connection and its client."""
    with client_of(plain.uri(appName="log test")) as client:
        client.app.users.insert_many([{"_id": 1}, {"_id": 2}])
    (insert,) = plain.commands_named("insert")
    assert insert.database == "app"
    assert insert.document["documents"] == [{"_id": 1}, {"_id": 2}]
    assert insert.document["$db"] == "app"
    assert insert.client is not None
    assert insert.client["application"] == {"name": "log test"}
    assert insert.wants_reply
    assert not insert.op_query
    hello = plain.commands[0]
    assert (hello.name, hello.client) == ("ismaster", hello.document["client"])


# The wire


def test_unacknowledged_writes(plain: MongoTestServer) -> None:
    """A command that wants no reply gets none, and is carried out."""
    with connected(plain) as sock:
        sock.sendall(message({"insert": "users", "documents": [{"_id": 1}], "$db": "app"}, flags=2))
        sock.sendall(message({"find": "users", "$db": "app"}))
        assert received(sock)["cursor"]["firstBatch"] == [{"_id": 1}]
    assert not plain.commands_named("insert")[0].wants_reply


def test_document_sequences_are_merged(plain: MongoTestServer) -> None:
    """Kind-1 sections stand in the command as arrays; one that is there already is an error."""
    documents = bson.encode({"_id": 1}) + bson.encode({"_id": 2})
    section = struct.pack("<Bi", 1, 4 + len(b"documents\0") + len(documents)) + b"documents\0" + documents
    for command, expected in (({"insert": "users"}, 2), ({"insert": "users", "documents": []}, None)):
        payload = struct.pack("<I", 0) + section + b"\0" + bson.encode({**command, "$db": "app"})
        with connected(plain) as sock:
            sock.sendall(struct.pack("<iiii", 16 + len(payload), 1, 0, 2013) + payload)
            reply = received(sock)
            assert reply.get("n") == expected
            assert expected is not None or reply["code"] == 40436


def test_op_query_is_for_hello_only(plain: MongoTestServer) -> None:
    """Older drivers' first hello is answered in its own format; any other command is not."""

    def query(document: dict[str, Any]) -> bytes:
        payload = struct.pack("<i", 4) + b"admin.$cmd\0" + struct.pack("<ii", 0, -1) + bson.encode(document)
        return struct.pack("<iiii", 16 + len(payload), 9, 0, 2004) + payload

    with connected(plain) as sock:
        for document, ok in (({"isMaster": 1}, 1.0), ({"$query": {"ismaster": 1}}, 1.0), ({"ping": 1}, 0.0)):
            sock.sendall(query(document))
            (length, _, response_to, op_code) = struct.unpack("<iiii", sock.recv(16, socket.MSG_WAITALL))
            reply = bson.decode(sock.recv(length - 16, socket.MSG_WAITALL)[20:])
            assert (response_to, op_code, reply["ok"]) == (9, 1, ok)
    assert plain.commands[0].op_query


def test_references_are_documents(plain: MongoTestServer) -> None:
    """A DBRef is stored and found by its fields."""
    with client_of(plain.uri()) as client:
        reference = bson.DBRef("things", 5, "db")
        client.app.users.insert_one({"_id": 1, "of": reference})
        assert client.app.users.find_one({"of.$id": 5}) == {"_id": 1, "of": reference}
        assert client.app.users.find_one({"of": reference}) is not None
        assert client.app.users.find_one({"of.$id": 6}) is None


@pytest.mark.parametrize(
    "data",
    [
        b"\xff" * 64,
        b"GET / HTTP/1.1\r\nHost: x\r\n\r\n",
        struct.pack("<iiii", 2**31 - 1, 1, 0, 2013),
        struct.pack("<iiii", 15, 1, 0, 2013),
        struct.pack("<iiii", 16, 1, 0, 2013),
        struct.pack("<iiii", 20, 1, 0, 9999) + b"\0" * 4,
        struct.pack("<iiiiIB", 26, 1, 0, 2013, 1 << 5, 0) + bson.encode({}),
        b"\0" * 1000,
    ],
    ids=["ff", "http", "2 GiB", "too short", "empty", "opcode", "flags", "zeros"],
)
def test_hostile_bytes(plain: MongoTestServer, data: bytes) -> None:
    """The connection is closed, and the server lives."""
    with connected(plain) as sock:
        sock.sendall(data)
        # Bytes that the server had not read make its kernel reset the connection.
        with suppress(ConnectionResetError):
            assert sock.recv(1) == b""
    with client_of(plain.uri()) as client:
        assert client.admin.command("ping")["ok"] == 1.0


def test_invalid_bson_is_an_error_reply(plain: MongoTestServer) -> None:
    """A message that is framed well and holds no document."""
    payload = struct.pack("<IB", 0, 0) + struct.pack("<i", 12) + b"\x99a\0" + b"\0" * 5
    with connected(plain) as sock:
        sock.sendall(struct.pack("<iiii", 16 + len(payload), 1, 0, 2013) + payload)
        assert received(sock)["code"] == 22
        sock.sendall(message({"ping": 1}))
        assert received(sock)["code"] == 40571


def test_a_reply_that_cannot_be_sent(plain: MongoTestServer) -> None:
    """A scripted reply beyond the largest message becomes an error."""
    plain.on("ping").replies({"x": "x" * 48_000_001})
    with connected(plain) as sock:
        sock.sendall(message({"ping": 1, "$db": "admin"}))
        assert received(sock)["code"] == 10334


def test_dropping_connections(plain: MongoTestServer) -> None:
    """All of them end at once; a client connects anew."""
    with connected(plain) as sock, client_of(plain.uri()) as client:
        sock.sendall(message({"ping": 1, "$db": "admin"}))
        assert received(sock)["ok"] == 1.0
        plain.drop_connections()
        assert sock.recv(1) == b""
        assert client.admin.command("ping")["ok"] == 1.0


def test_many_threads(plain: MongoTestServer) -> None:
    """Commands of many connections are carried out one by one."""
    with client_of(plain.uri()) as client:
        client.app.counters.insert_one({"_id": 1, "n": 0})

        def count() -> None:
            for _ in range(20):
                client.app.counters.update_one({"_id": 1}, {"$inc": {"n": 1}})

        threads = [threading.Thread(target=count) for _ in range(8)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert client.app.counters.find_one() == {"_id": 1, "n": 160}


def test_a_condition_of_a_rule_may_use_the_server(plain: MongoTestServer) -> None:
    """It is called on the server's thread, from where the server's methods work too."""
    plain.on("ping", where=lambda _: bool(plain.connections)).fails(1).once()
    with client_of(plain.uri()) as client:
        with pytest.raises(OperationFailure):
            client.admin.command("ping")
        assert client.admin.command("ping")["ok"] == 1.0


def test_a_condition_of_a_rule_that_fails(plain: MongoTestServer) -> None:
    """The client is told, and the server lives."""
    plain.on("ping", where=lambda command: command.document["nonsense"])
    with client_of(plain.uri()) as client:
        with pytest.raises(OperationFailure, match="condition of a rule for ping failed: KeyError: 'nonsense'"):
            client.admin.command("ping")
        assert client.app.users.find_one() is None


def test_connection_failure_is_told_apart(certs: CertKit) -> None:
    """A client without TLS at a server with TLS is refused."""
    with MongoTestServer(ca=certs) as server:
        address = server.address
        with (
            client_of(f"mongodb://{address}/", **GIVE_UP) as client,
            pytest.raises(ConnectionFailure),
        ):
            client.admin.command("ping")
