"""TLS by Java and Netty: both versions, its certificates, its refusals, its keys."""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pymongo
import pytest
import uvloop
from live_javaserver import JavaServer

from aiomongo_tls import (
    AsyncClient,
    AuthenticationFailed,
    AutoReconnect,
    ServerCertificateError,
    ServerSelectionTimeoutError,
    TLSError,
    TLSHandshakeTimeout,
)
from aiomongo_tls.testing import Certificate, CertKit

Document = dict[str, Any]
Servers = Callable[..., JavaServer]


def context_of(kit: CertKit) -> ssl.SSLContext:
    return ssl.create_default_context(cadata=kit.ca_pem.decode())


def bare_uri(server: JavaServer, **options: object) -> str:
    """For a client with a context of its own."""
    return server.uri(tlsCAFile=None, **options)


def told(client: AsyncClient[Document]) -> tuple[str, str]:
    """Version and cipher, as the client says."""
    (found,) = client.tls_status().servers.values()
    return found.version, found.cipher


async def test_each_version_alone(tls_server: JavaServer, version: str, name: str) -> None:
    """A day's work, and the client says which version it was."""
    async with AsyncClient.connect(tls_server.uri()) as client:
        things = client["javaserver"][name]
        await things.insert_many([{"_id": number} for number in range(300)])
        await things.update_many({"_id": {"$lt": 100}}, {"$set": {"x": 1}})
        assert await things.count_documents({"x": 1}) == 100
        assert len(await things.find({}, batch_size=50).to_list()) == 300
        assert told(client)[0] == version


async def test_the_newest_of_both_is_taken(server: JavaServer) -> None:
    """TLS 1.3, if nobody forbids it."""
    async with AsyncClient.connect(server.uri()) as client:
        assert told(client)[0] == "TLSv1.3"


async def test_versions_that_do_not_meet(tls_server: JavaServer, version: str, kit: CertKit) -> None:
    """Java's alert is read, and becomes advice. For an old client it is the one for ciphers."""
    context = context_of(kit)
    if version == "TLSv1.2":
        context.minimum_version = ssl.TLSVersion.TLSv1_3
    else:
        context.maximum_version = ssl.TLSVersion.TLSv1_2
    with pytest.raises(TLSError) as caught:
        async with AsyncClient.connect(bare_uri(tls_server), ssl_context=context):
            pass
    assert caught.value.reason == ("protocol-version" if version == "TLSv1.2" else "no-shared-cipher")
    assert "TLS version" in str(caught.value)


@pytest.mark.parametrize("cipher", ["ECDHE-ECDSA-AES256-GCM-SHA384", "ECDHE-ECDSA-AES128-GCM-SHA256"])
async def test_ciphers_of_tls_1_2(server: JavaServer, kit: CertKit, cipher: str) -> None:
    """Each that both know can be the one."""
    context = context_of(kit)
    context.maximum_version = ssl.TLSVersion.TLSv1_2
    context.set_ciphers(cipher)
    async with AsyncClient.connect(bare_uri(server), ssl_context=context) as client:
        assert told(client) == ("TLSv1.2", cipher)


@pytest.mark.parametrize("cipher", ["ECDHE-RSA-AES256-GCM-SHA384", "ECDHE-ECDSA-CHACHA20-POLY1305"])
async def test_no_cipher_in_common(server: JavaServer, kit: CertKit, cipher: str) -> None:
    """The server's key is elliptic, or Netty leaves the cipher out. Java's alert is handshake_failure."""
    context = context_of(kit)
    context.maximum_version = ssl.TLSVersion.TLSv1_2
    context.set_ciphers(cipher)
    with pytest.raises(TLSError) as caught:
        async with AsyncClient.connect(bare_uri(server), ssl_context=context):
            pass
    assert caught.value.reason == "no-shared-cipher"


@pytest.mark.parametrize(
    ("kind", "reason"),
    [
        (lambda kit: kit.server("elsewhere.example"), "hostname-mismatch"),
        (lambda kit: kit.server("localhost", "127.0.0.1", expired=True), "certificate-expired"),
        (lambda kit: kit.server("localhost", "127.0.0.1", not_yet_valid=True), "not-yet-valid"),
        (lambda kit: kit.server("localhost", "127.0.0.1", self_signed=True), None),
        (lambda kit: kit.stranger().server("localhost", "127.0.0.1"), "unknown-ca"),
        (lambda kit: kit.client("mallory"), "certificate-invalid"),
    ],
    ids=["other host", "expired", "not yet valid", "self-signed", "unknown authority", "for clients"],
)
async def test_certificates_that_are_refused(
    servers: Servers, kit: CertKit, kind: Callable[[CertKit], Certificate], reason: str | None
) -> None:
    """At once, with what was expected and what Java presented."""
    server = servers(kit, certificate=kind(kit))
    with pytest.raises(ServerCertificateError) as caught:
        async with AsyncClient.connect(server.uri()):
            pass
    if reason is not None:
        assert caught.value.reason == reason
    assert caught.value.expected
    assert caught.value.presented
    assert caught.value.hint


async def test_a_certificate_from_an_intermediate_authority(servers: Servers, kit: CertKit) -> None:
    """Java sends the chain along."""
    server = servers(kit, certificate=kit.server("localhost", "127.0.0.1", intermediate=True))
    async with AsyncClient.connect(server.uri()) as client:
        assert await client.admin.command("ping")


async def test_by_host_name(server: JavaServer) -> None:
    """With SNI, which an address does not have."""
    async with AsyncClient.connect(server.uri().replace("127.0.0.1", "localhost")) as client:
        (found,) = client.tls_status().servers.values()
        assert found.server_name == "localhost"
        assert set(found.peer_names) == {"localhost", "127.0.0.1"}


async def test_a_revoked_certificate(servers: Servers, tmp_path: Path) -> None:
    """By a list of the authority; its twin is not on the list."""
    kit = CertKit()
    revoked, good = kit.server("localhost", "127.0.0.1"), kit.server("127.0.0.1", "localhost")
    crl = tmp_path / "crl.pem"
    crl.write_bytes(kit.crl(revoked=[revoked]))
    with pytest.raises(ServerCertificateError, match="revoked"):
        async with AsyncClient.connect(servers(kit, certificate=revoked).uri(tlsCRLFile=crl)):
            pass
    async with AsyncClient.connect(servers(kit, certificate=good).uri(tlsCRLFile=crl)) as client:
        assert await client.admin.command("ping")


async def test_a_client_certificate_that_nobody_asks_for(server: JavaServer, kit: CertKit) -> None:
    """It does no harm, and nobody is logged in by it."""
    ada = kit.client("ada")
    async with AsyncClient.connect(server.uri(tlsCertificateKeyFile=ada.path)) as client:
        status = client.tls_status()
        assert (status.subject, status.user) == (ada.subject, None)
        info = await client.admin.command("connectionStatus")
        assert info["authInfo"]["authenticatedUsers"] == []


@pytest.mark.parametrize(
    ("login", "options", "refused"),
    [
        ("", {"authMechanism": "MONGODB-X509", "tlsCertificateKeyFile": True}, "authenticate"),
        ("ada:secret@", {}, "saslStart"),
        ("ada:secret@", {"authMechanism": "SCRAM-SHA-1"}, "saslStart"),
        ("ada:secret@", {"authMechanism": "SCRAM-SHA-256"}, "saslStart"),
    ],
    ids=["MONGODB-X509", "default", "SCRAM-SHA-1", "SCRAM-SHA-256"],
)
async def test_nobody_can_log_in(server: JavaServer, kit: CertKit, login: str, options: Document, refused: str) -> None:
    """At once, in the server's words, and the password is in none of them."""
    if options.get("tlsCertificateKeyFile"):
        options = options | {"tlsCertificateKeyFile": kit.client("ada").path}
    uri = server.uri(**options).replace("mongodb://", f"mongodb://{login}")
    with pytest.raises(AuthenticationFailed, match=f"no such command: '{refused}'") as caught:
        async with AsyncClient.connect(uri):
            pass
    assert (caught.value.code, caught.value.reason) == (59, "mechanism-unavailable")
    assert "secret" not in str(caught.value)


async def test_without_tls_at_the_port_with_tls(server: JavaServer) -> None:
    """Netty hangs up on what is no TLS."""
    uri = server.uri(tls=None, tlsCAFile=None, serverSelectionTimeoutMS=700)
    with pytest.raises(ServerSelectionTimeoutError) as caught:
        async with AsyncClient.connect(uri):
            pass
    assert isinstance(caught.value.__cause__, AutoReconnect)
    assert "the server closed the connection while waiting for the reply to hello" in str(caught.value)


async def test_with_tls_at_the_port_without_tls(server: JavaServer, kit: CertKit) -> None:
    """It takes the first bytes of TLS for the length of a long message, and waits for the rest of it."""
    uri = server.plain_uri(tls=True, tlsCAFile=kit.ca_path, serverSelectionTimeoutMS=700)
    with pytest.raises(ServerSelectionTimeoutError, match="check that this port speaks TLS") as caught:
        async with AsyncClient.connect(uri):
            pass
    assert isinstance(caught.value.__cause__, TLSHandshakeTimeout)


async def test_both_ports_have_the_same_data(server: JavaServer, name: str) -> None:
    """With TLS and without, through our client and PyMongo."""
    with pymongo.MongoClient[Document](server.plain_uri()) as theirs:
        theirs["javaserver"][name].insert_one({"_id": 1, "by": "PyMongo"})
    async with AsyncClient.connect(server.uri()) as ours:
        assert await ours["javaserver"][name].find_one() == {"_id": 1, "by": "PyMongo"}


async def test_the_largest_document_both_ways(tls_server: JavaServer, name: str) -> None:
    """Sixteen megabytes are a thousand records in each direction."""
    document = {"_id": 1, "data": bytes(range(256)) * (65_536 - 1)}
    async with AsyncClient.connect(tls_server.uri()) as client:
        things = client["javaserver"][name]
        await things.insert_one(document)
        assert await things.find_one() == document


async def test_java_changes_its_keys(servers: Servers, name: str) -> None:
    """A KeyUpdate of TLS 1.3 every 64 KB, which asks for one of ours (RFC 8446, 4.6.3), in the middle of replies."""
    server = servers(
        security={"jdk.tls.keyLimits": "AES/GCM/NoPadding KeyUpdate 2^16"},
        java_options=["-Djavax.net.debug=ssl,handshake"],
    )
    data = bytes(range(256)) * 4096
    async with AsyncClient.connect(server.uri(maxPoolSize=1)) as client:
        things = client["javaserver"][name]
        for number in range(4):
            await things.insert_one({"_id": number, "data": data})
            assert await things.find_one({"_id": number}) == {"_id": number, "data": data}
    log = server.log.read_text(errors="replace")
    assert log.count("Produced KeyUpdate") >= 10
    assert log.count("Consuming KeyUpdate") >= 10


async def test_many_at_the_same_time(tls_server: JavaServer, name: str) -> None:
    """Two hundred tasks on twenty connections: everybody gets the own reply."""
    async with AsyncClient.connect(tls_server.uri(maxPoolSize=20)) as client:
        things = client["javaserver"][name]

        async def one(number: int) -> None:
            await things.insert_one({"_id": number, "data": "x" * number * 50})
            found = await things.find_one({"_id": number})
            assert found is not None
            assert len(found["data"]) == number * 50

        await asyncio.gather(*map(one, range(200)))
        assert await things.count_documents({}) == 200


async def test_tasks_that_give_up(tls_server: JavaServer, name: str) -> None:
    """Cancelled in the middle of requests and replies; what follows on the connections is right."""
    async with AsyncClient.connect(tls_server.uri(maxPoolSize=5)) as client:
        things = client["javaserver"][name]
        await things.insert_many([{"_id": number, "data": "x" * 100_000} for number in range(20)])
        for steps in range(25):
            reading = [asyncio.create_task(things.find({}).to_list()) for _ in range(5)]
            for _ in range(steps):
                await asyncio.sleep(0)
            for task in reading:
                task.cancel()
            await asyncio.gather(*reading, return_exceptions=True)
            found = await things.find_one({"_id": steps % 20}, {"data": 0})
            assert found == {"_id": steps % 20}


def test_on_uvloop(tls_server: JavaServer, name: str) -> None:
    """The other event loop."""

    async def work() -> int:
        async with AsyncClient.connect(tls_server.uri()) as client:
            await client["javaserver"][name].insert_many([{"data": "x" * 1000} for _ in range(2000)])
            return len(await client["javaserver"][name].find({}, batch_size=100).to_list())

    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        assert runner.run(work()) == 2000


async def test_the_server_learns_why_the_client_hangs_up(tls_server: JavaServer, version: str) -> None:
    """By an alert. In TLS 1.3 OpenSSL sends it in the clear, with any program, and Java calls that too short."""
    with pytest.raises(ServerCertificateError):
        async with AsyncClient.connect(tls_server.uri(tlsCAFile=CertKit().ca_path)):
            pass
    words = {"TLSv1.2": "Received fatal alert: unknown_ca", "TLSv1.3": "Insufficient buffer remaining for AEAD"}
    await asyncio.to_thread(tls_server.says, words[version])
    async with AsyncClient.connect(tls_server.uri()) as client:
        await client.admin.command("ping")
