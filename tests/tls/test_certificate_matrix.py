"""The certificate matrix, TLS 1.2 and 1.3, real sockets: each mistake has its own error, at once, and a working twin.

What a row of `MISTAKES` changes is one thing in a set-up that works (`test_the_set_up_works` proves that it does), so
that nothing but this one thing can be the reason of the failure.
"""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import pytest

from aiomongo_tls import (
    AsyncClient,
    AuthenticationFailed,
    ClientCertificateRejected,
    MongoError,
    ServerCertificateError,
    ServerSelectionTimeoutError,
    TLSProtocolError,
)
from aiomongo_tls.testing import CertKit, MongoTestServer

AT_ONCE = 1.0  # seconds, where PyMongo waits for 30


@pytest.fixture(params=["TLSv1.2", "TLSv1.3"])
def version(request: pytest.FixtureRequest) -> ssl.TLSVersion:
    """Each test runs with both protocol versions."""
    return {"TLSv1.2": ssl.TLSVersion.TLSv1_2, "TLSv1.3": ssl.TLSVersion.TLSv1_3}[request.param]


@contextmanager
def serving(certs: CertKit, version: ssl.TLSVersion, **settings: Any) -> Iterator[MongoTestServer]:
    """A server that speaks one version of TLS, demands a certificate and knows `ada`."""
    settings = {"users": [certs.client("ada")], "tls": "require_client"} | settings
    with MongoTestServer(ca=certs, minimum_version=version, maximum_version=version, **settings) as server:
        yield server


async def fail(uri: str, **options: Any) -> None:
    """Try to connect, with the default time limits; whatever is wrong must be raised at once."""
    async with asyncio.timeout(AT_ONCE), AsyncClient.connect(uri, **options):
        pytest.fail("connected")


async def say_hello(uri: str, **options: Any) -> str:
    """Connect and ask who we are."""
    async with AsyncClient.connect(uri, **options) as client:
        status = await client.admin.command("connectionStatus")
        return status["authInfo"]["authenticatedUsers"][0]["user"]


@dataclass(frozen=True)
class Mistake:
    """One thing that is wrong, and the error that says so."""

    name: str
    error: type[MongoError]
    reason: str
    server: dict[str, Any] = field(default_factory=dict)
    client: dict[str, Any] = field(default_factory=dict)
    options: dict[str, Any] = field(default_factory=dict)
    cause: type[BaseException] = ssl.SSLError
    says: str = ""

    def __str__(self) -> str:
        return self.name


MISTAKES = [
    Mistake(
        "server certificate expired",
        ServerCertificateError,
        "certificate-expired",
        server={"expired": True},
        cause=ssl.SSLCertVerificationError,
    ),
    Mistake(
        "server certificate not yet valid",
        ServerCertificateError,
        "not-yet-valid",
        server={"not_yet_valid": True},
        cause=ssl.SSLCertVerificationError,
    ),
    Mistake(
        "server certificate for another host",
        ServerCertificateError,
        "hostname-mismatch",
        server={"names": ["db.example.net"]},
        cause=ssl.SSLCertVerificationError,
        says="db.example.net",
    ),
    Mistake(
        "address that is not in the certificate's names",
        ServerCertificateError,
        "hostname-mismatch",
        server={"names": ["localhost"]},
        cause=ssl.SSLCertVerificationError,
        says="127.0.0.1",
    ),
    Mistake(
        "self-signed server certificate that is not trusted",
        ServerCertificateError,
        "unknown-ca",
        server={"self_signed": True},
        cause=ssl.SSLCertVerificationError,
    ),
    Mistake(
        "client certificate expired",
        ClientCertificateRejected,
        "client-certificate-expired",
        client={"expired": True},
    ),
    Mistake(
        "user unknown",
        AuthenticationFailed,
        "unknown-user",
        client={"cn": "nobody"},
        cause=MongoError,
        says="createUser",
    ),
]


@pytest.mark.parametrize("mistake", MISTAKES, ids=str)
async def test_mistake(mistake: Mistake, version: ssl.TLSVersion, aiomongo_certs: CertKit) -> None:
    """A mistake is named by class and reason, with host, hint and the original exception."""
    names = mistake.server.get("names", ["localhost", "127.0.0.1"])
    kind = {key: value for key, value in mistake.server.items() if key != "names"}
    certificate = aiomongo_certs.server(*names, **kind)
    me = aiomongo_certs.client(**({"cn": "ada"} | mistake.client))
    with serving(aiomongo_certs, version, certificate=certificate) as server:
        uri = server.uri(client=me, tlsCAFile=aiomongo_certs.ca_path)
        with pytest.raises(mistake.error) as caught:
            await fail(uri, **mistake.options)
        assert_explained(caught.value, mistake.reason, server, mistake.cause)
        assert mistake.says in str(caught.value)


def assert_explained(
    error: MongoError, reason: str, server: MongoTestServer, cause: type[BaseException] = ssl.SSLError
) -> None:
    """The error has reason, host, hint, the original exception, and shows them."""
    assert error.reason == reason  # type: ignore[attr-defined]
    assert error.host == server.address  # type: ignore[attr-defined]
    assert error.hint  # type: ignore[attr-defined]
    assert isinstance(error.__cause__, cause)
    assert str(server.address) in str(error)
    assert error.hint in str(error)  # type: ignore[attr-defined]


async def test_the_set_up_works(version: ssl.TLSVersion, aiomongo_certs: CertKit) -> None:
    """The twin of all mistakes: the same set-up without any connects."""
    me = aiomongo_certs.client("ada")
    with serving(aiomongo_certs, version, certificate=aiomongo_certs.server("localhost", "127.0.0.1")) as server:
        assert await say_hello(server.uri(client=me)) == me.subject


async def test_unknown_ca(version: ssl.TLSVersion, aiomongo_certs: CertKit) -> None:
    """A server whose authority is not in tlsCAFile; with it, the same server is accepted."""
    me = aiomongo_certs.client("ada")
    with serving(aiomongo_certs, version) as server:
        with pytest.raises(ServerCertificateError) as caught:
            await fail(server.uri(client=me, tlsCAFile=aiomongo_certs.stranger().ca_path))
        assert_explained(caught.value, "unknown-ca", server, ssl.SSLCertVerificationError)
        assert "tlsCAFile" in str(caught.value)
        assert await say_hello(server.uri(client=me, tlsCAFile=aiomongo_certs.ca_path)) == me.subject


async def test_no_client_certificate(version: ssl.TLSVersion, aiomongo_certs: CertKit) -> None:
    """A server that demands a certificate, and a client without one; where it is optional the client gets in."""
    with serving(aiomongo_certs, version) as server:
        with pytest.raises(ClientCertificateRejected) as caught:
            await fail(server.uri(client=None))
        assert_explained(caught.value, "client-certificate-required", server)
        assert "tlsCertificateKeyFile" in str(caught.value)
    with serving(aiomongo_certs, version, tls="require") as server:
        async with AsyncClient.connect(server.uri(client=None)) as client:
            await client.ping()


async def test_client_certificate_of_another_ca(version: ssl.TLSVersion, aiomongo_certs: CertKit) -> None:
    """The server does not know the authority of our certificate; a certificate of its own authority gets in."""
    stranger, me = aiomongo_certs.stranger().client("ada"), aiomongo_certs.client("ada")
    with serving(aiomongo_certs, version, users=[me, stranger]) as server:
        with pytest.raises(ClientCertificateRejected) as caught:
            await fail(server.uri(client=stranger, tlsCAFile=aiomongo_certs.ca_path))
        assert_explained(caught.value, "client-certificate-unknown-ca", server)
        assert await say_hello(server.uri(client=me)) == me.subject


async def test_self_signed_server_certificate_as_its_own_ca(version: ssl.TLSVersion, aiomongo_certs: CertKit) -> None:
    """A self-signed server certificate is accepted where tlsCAFile holds just it."""
    certificate, me = aiomongo_certs.server("127.0.0.1", self_signed=True), aiomongo_certs.client("ada")
    with serving(aiomongo_certs, version, certificate=certificate) as server:
        assert await say_hello(server.uri(client=me, tlsCAFile=certificate.ca_path)) == me.subject
        with pytest.raises(ServerCertificateError, match="unknown-ca"):
            await fail(server.uri(client=me, tlsCAFile=aiomongo_certs.ca_path))


async def test_ip_address_in_the_names(version: ssl.TLSVersion, aiomongo_certs: CertKit) -> None:
    """Connecting by an IP address that the certificate names works; by another one it does not."""
    me = aiomongo_certs.client("ada")
    with serving(aiomongo_certs, version, certificate=aiomongo_certs.server("127.0.0.1")) as server:
        assert await say_hello(server.uri(client=me)) == me.subject
    with (
        serving(aiomongo_certs, version, certificate=aiomongo_certs.server("127.0.0.2")) as server,
        pytest.raises(ServerCertificateError, match="hostname-mismatch"),
    ):
        await fail(server.uri(client=me))


async def test_encrypted_key(version: ssl.TLSVersion, aiomongo_certs: CertKit) -> None:
    """An encrypted key opens with its password as str, bytes or from a callable, and with no other."""
    me = aiomongo_certs.client("ada", password="correct horse")
    with serving(aiomongo_certs, version) as server:
        uri = server.uri(client=None, authMechanism="MONGODB-X509", tlsCertificateKeyFile=me.path)
        for password in ("correct horse", b"correct horse", lambda: "correct horse"):
            assert await say_hello(uri, tlsCertificateKeyFilePassword=password) == me.subject
        with pytest.raises(MongoError, match="tlsCertificateKeyFilePassword") as caught:
            await fail(uri, tlsCertificateKeyFilePassword="battery staple")
        assert "staple" not in str(caught.value)


async def test_chain_with_an_intermediate(version: ssl.TLSVersion, aiomongo_certs: CertKit) -> None:
    """Both sides send their intermediate authority along; without it the client's certificate leads nowhere."""
    me = aiomongo_certs.client("ada", intermediate=True)
    certificate = aiomongo_certs.server("127.0.0.1", intermediate=True)
    with serving(aiomongo_certs, version, certificate=certificate, users=[me]) as server:
        assert await say_hello(server.uri(client=me)) == me.subject
        leaf = me.certificate_chain_pem.split(b"-----END CERTIFICATE-----")[0] + b"-----END CERTIFICATE-----\n"
        with pytest.raises(ClientCertificateRejected) as caught:
            await fail(
                server.uri(client=None, authMechanism="MONGODB-X509"),
                tlsCertificateKeyFile=me.private_key_pem + leaf,
            )
        assert_explained(caught.value, "client-certificate-unknown-ca", server)


async def test_material_from_memory_in_any_order(version: ssl.TLSVersion, aiomongo_certs: CertKit) -> None:
    """Content instead of a path works, with the leaf at any position; the key of another certificate does not."""
    me, other = aiomongo_certs.client("ada", intermediate=True), aiomongo_certs.client("eve")
    leaf, _, rest = me.certificate_chain_pem.partition(b"-----END CERTIFICATE-----\n")
    bundle = rest + leaf + b"-----END CERTIFICATE-----\n" + me.private_key_pem
    with serving(aiomongo_certs, version, users=[me]) as server:
        uri = server.uri(client=None, authMechanism="MONGODB-X509")
        ca = aiomongo_certs.ca_pem
        assert await say_hello(uri, tlsCertificateKeyFile=bundle, tlsCAFile=ca) == me.subject
        assert (
            await say_hello(
                uri, tlsCertificateFile=me.certificate_chain_pem, tlsCertificateKeyFile=me.private_key_pem, tlsCAFile=ca
            )
            == me.subject
        )
        with pytest.raises(MongoError, match="tlsCertificateKeyFile"):
            await fail(
                uri,
                tlsCertificateFile=me.certificate_chain_pem,
                tlsCertificateKeyFile=other.private_key_pem,
                tlsCAFile=ca,
            )


async def test_plain_server(aiomongo_certs: CertKit) -> None:
    """A MongoDB server without TLS; without TLS the same server answers."""
    with MongoTestServer(tls="off") as server:
        uri = f"mongodb://{server.address}/"
        with pytest.raises(TLSProtocolError) as caught:
            await fail(uri, tls=True, tlsCAFile=aiomongo_certs.ca_path)
        assert_explained(caught.value, "not-tls", server)
        async with AsyncClient.connect(uri) as client:
            await client.ping()


async def test_a_server_that_hangs_up_on_everybody(aiomongo_certs: CertKit) -> None:
    """What hangs up without a word, with or without TLS, may be restarting: it is waited for, then named."""

    def hang_up(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.close()

    async with await asyncio.start_server(hang_up, "127.0.0.1", 0) as silent:
        uri = f"mongodb://127.0.0.1:{silent.sockets[0].getsockname()[1]}/?serverSelectionTimeoutMS=300"
        with pytest.raises(ServerSelectionTimeoutError) as caught:
            await fail(uri, tls=True, tlsCAFile=aiomongo_certs.ca_path)
        assert isinstance(caught.value.__cause__, TLSProtocolError)
        assert caught.value.__cause__.reason == "tls-closed"


async def test_http_server(aiomongo_certs: CertKit) -> None:
    """An HTTP server on the port is recognised as one."""

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read(1)
        writer.write(b"HTTP/1.1 400 Bad Request\r\nConnection: close\r\n\r\n")
        await writer.drain()
        writer.close()

    async with await asyncio.start_server(serve, "127.0.0.1", 0) as http:
        port = http.sockets[0].getsockname()[1]
        with pytest.raises(TLSProtocolError, match="HTTP") as caught:
            await fail(f"mongodb://127.0.0.1:{port}/", tls=True, tlsCAFile=aiomongo_certs.ca_path)
        assert caught.value.reason == "not-tls"
        assert isinstance(caught.value.__cause__, ssl.SSLError)
        assert caught.value.hint
