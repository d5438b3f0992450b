"""A client's identity from anywhere, and servers by other names: real TLS, each success with its failing twin."""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.serialization import pkcs12

from aiomongo_tls import (
    AsyncClient,
    ClientCertificateRejected,
    ConfigurationError,
    MongoError,
    ServerCertificateError,
    ServerSelectionTimeoutError,
    TLSIdentity,
)
from aiomongo_tls.testing import CertKit, MongoTestServer
from aiomongo_tls.testing.certs import Certificate

X509 = {"authMechanism": "MONGODB-X509"}
NAME = "db.example.net"


@pytest.fixture(scope="module")
def certs() -> CertKit:
    return CertKit()


@pytest.fixture(scope="module")
def server(certs: CertKit) -> Iterator[MongoTestServer]:
    """A server that demands a certificate and knows `ada`; its own is for `NAME` and for 127.0.0.1."""
    with MongoTestServer(ca=certs, users=[certs.client("ada")], certificate=certs.server(NAME, "127.0.0.1")) as server:
        yield server


@pytest.fixture(scope="module")
def tunnelled(certs: CertKit) -> Iterator[MongoTestServer]:
    """A server whose certificate does not know the address at which it is reached."""
    with MongoTestServer(ca=certs, users=[certs.client("ada")], certificate=certs.server(NAME)) as server:
        yield server


async def user(server: MongoTestServer, uri_options: str = "", **options: Any) -> str:
    """Connect by certificate and ask who we are."""
    uri = f"mongodb://{server.address}/{uri_options}"
    async with AsyncClient.connect(uri, **{**X509, **options}) as client:
        status = await client.admin.command("connectionStatus")
        return str(status["authInfo"]["authenticatedUsers"][0]["user"])


async def refusal(kind: type[MongoError], server: MongoTestServer, uri_options: str = "", **options: Any) -> str:
    """Connect in vain, and be told at once."""
    async with asyncio.timeout(5):
        with pytest.raises(kind) as caught:
            await user(server, uri_options, **options)
    return str(caught.value)


def p12(certificate: Certificate, password: bytes | None, *roots: bytes) -> bytes:
    """The certificate with its key and these roots as PKCS#12."""
    key: Any = serialization.load_pem_private_key(certificate.private_key_pem, None)
    encryption: Any = serialization.NoEncryption()
    if password is not None:
        encryption = serialization.BestAvailableEncryption(password)
    leaf = x509.load_pem_x509_certificate(certificate.certificate_chain_pem)
    return pkcs12.serialize_key_and_certificates(
        b"me", key, leaf, [x509.load_pem_x509_certificate(root) for root in roots], encryption
    )


def der(pem: bytes) -> bytes:
    """The first certificate as DER."""
    return x509.load_pem_x509_certificate(pem).public_bytes(serialization.Encoding.DER)


async def secret() -> str:
    """What a vault would say."""
    await asyncio.sleep(0)
    return "secret"


def secret_too() -> bytes:
    """The same without a loop."""
    return b"secret"


def in_one(certs: CertKit, who: str) -> dict[str, Any]:
    return {"tlsCertificateKeyFile": certs.client(who).pem}


def as_text(certs: CertKit, who: str) -> dict[str, Any]:
    return {"tlsCertificateKeyFile": certs.client(who).pem.decode()}


def apart(certs: CertKit, who: str) -> dict[str, Any]:
    one = certs.client(who)
    return {"tlsCertificateKeyFile": one.private_key_pem, "tlsCertificateFile": der(one.certificate_chain_pem)}


def locked_for(password: Any) -> Callable[[CertKit, str], dict[str, Any]]:
    def make(certs: CertKit, who: str) -> dict[str, Any]:
        one = certs.client(who, password="secret")
        return {"tlsCertificateKeyFile": one.path, "tlsCertificateKeyFilePassword": password}

    return make


def as_pkcs12(certs: CertKit, who: str) -> dict[str, Any]:
    return {
        "tlsCertificateKeyFile": p12(certs.client(who), b"secret"),
        "tlsCertificateKeyFilePassword": secret,
    }


def as_value(certs: CertKit, who: str) -> dict[str, Any]:
    one = certs.client(who, password="secret")
    return {
        "tls_identity": TLSIdentity(key=one.private_key_pem, chain=one.certificate_chain_pem, password=secret),
    }


def from_provider(certs: CertKit, who: str) -> dict[str, Any]:
    class Vault:
        async def identity(self) -> TLSIdentity:
            return TLSIdentity(key=certs.client(who).pem)

    return {"tls_identity": Vault()}


SOURCES = [
    in_one,
    as_text,
    apart,
    locked_for("secret"),
    locked_for(b"secret"),
    locked_for(secret_too),
    locked_for(secret),
    as_pkcs12,
    as_value,
    from_provider,
]


class TestSources:
    """Wherever an identity comes from, it is who it says."""

    @pytest.mark.parametrize("source", SOURCES)
    async def test_it_gets_in_and_is_itself(
        self, source: Callable[[CertKit, str], dict[str, Any]], certs: CertKit, server: MongoTestServer
    ) -> None:
        """The right one is let in under its own name, one of another authority is not."""
        # A certificate with a locked key is another certificate, so its user is known by its subject.
        assert await user(server, tlsCAFile=certs.ca_pem, **source(certs, "ada")) == certs.client("ada").subject
        strangers = source(certs.stranger(), "ada")
        await refusal(ClientCertificateRejected, server, tlsCAFile=certs.ca_pem, **strangers)

    @pytest.mark.parametrize("source", SOURCES)
    async def test_the_server_is_verified_with_each_of_them(
        self, source: Callable[[CertKit, str], dict[str, Any]], certs: CertKit, server: MongoTestServer
    ) -> None:
        """Where an identity comes from says nothing about whom to trust."""
        text = await refusal(ServerCertificateError, server, tlsCAFile=certs.stranger().ca_pem, **source(certs, "ada"))
        assert "unknown-ca" in text

    async def test_pkcs12_from_a_uri_with_its_root(
        self, certs: CertKit, server: MongoTestServer, tmp_path: Path
    ) -> None:
        """The root in the file is enough; tlsCAFile beside it counts alone."""
        path = tmp_path / "me.p12"
        path.write_bytes(p12(certs.client("ada"), b"secret", certs.ca_pem))
        uri = f"?tlsCertificateKeyFile={path}&tlsCertificateKeyFilePassword=secret"
        assert await user(server, uri) == certs.client("ada").subject
        path.write_bytes(p12(certs.client("ada"), b"secret", certs.stranger().ca_pem))
        assert "one in the PKCS#12 file of the client's key" in await refusal(ServerCertificateError, server, uri)
        assert await user(server, f"{uri}&tlsCAFile={certs.ca_path}")
        assert "is not the password" in await refusal(ConfigurationError, server, uri.replace("secret", "wrong"))

    async def test_an_identity_says_whom_to_trust(self, certs: CertKit, server: MongoTestServer) -> None:
        """By its `ca`, in place of tlsCAFile."""
        ada = certs.client("ada")
        assert await user(server, tls_identity=TLSIdentity(key=ada.pem, ca=certs.ca_pem)) == ada.subject
        identity = TLSIdentity(key=ada.pem, ca=certs.stranger().ca_pem)
        assert "one in TLSIdentity.ca" in await refusal(ServerCertificateError, server, tls_identity=identity)

    async def test_a_refused_identity_is_called_by_its_name(self, certs: CertKit, server: MongoTestServer) -> None:
        """No option is blamed that was not given."""
        identity = TLSIdentity(key=certs.stranger().client("ada").pem, ca=certs.ca_pem)
        text = await refusal(ClientCertificateRejected, server, tls_identity=identity)
        assert "client-certificate-unknown-ca" in text
        assert "BEGIN" not in text


class Waiting:
    """A provider that answers what its list says; None is for ever."""

    def __init__(self, *answers: Any) -> None:
        self.answers = list(answers)
        self.asked = 0
        self.asking = asyncio.Event()
        self.is_waiting = False

    async def identity(self) -> TLSIdentity:
        self.asked += 1
        self.asking.set()
        answer = self.answers.pop(0) if len(self.answers) > 1 else self.answers[0]
        if isinstance(answer, Exception):
            raise answer
        if isinstance(answer, TLSIdentity):
            return answer
        self.is_waiting = True
        try:
            await asyncio.Event().wait()
        finally:
            self.is_waiting = False
        raise AssertionError


class TestProvider:
    """What is told of a provider, and when it is asked."""

    async def test_it_is_not_asked_by_operations(self, certs: CertKit, server: MongoTestServer) -> None:
        """Once for the client, however many connections it has."""
        vault = Waiting(TLSIdentity(key=certs.client("ada").pem, ca=certs.ca_pem))
        async with AsyncClient.connect(f"mongodb://{server.address}/", **X509, tls_identity=vault) as client:  # type: ignore[arg-type]
            await asyncio.gather(*(client.ping() for _ in range(20)))
        assert vault.asked == 1

    async def test_one_that_is_away_is_asked_again(self, certs: CertKit, server: MongoTestServer) -> None:
        """As a server is that has not been started yet."""
        vault = Waiting(
            ConnectionRefusedError(), TimeoutError(), TLSIdentity(key=certs.client("ada").pem, ca=certs.ca_pem)
        )
        assert await user(server, tls_identity=vault) == certs.client("ada").subject
        assert vault.asked == 3

    async def test_one_that_stays_away_is_waited_for_until_the_time_is_up(self, server: MongoTestServer) -> None:
        """As a server is that never comes."""
        vault = Waiting(ConnectionRefusedError("no route"))
        with pytest.raises(ServerSelectionTimeoutError, match="serverSelectionTimeoutMS=100"):
            await user(server, tls_identity=vault, serverSelectionTimeoutMS=100)
        assert vault.asked > 1

    async def test_one_that_is_broken_is_told_at_once(self, server: MongoTestServer) -> None:
        """Asking again does not mend a program."""
        vault = Waiting(KeyError("data"))
        text = await refusal(ConfigurationError, server, tls_identity=vault)
        assert "Waiting.identity() raised KeyError" in text
        assert vault.asked == 1

    async def test_a_silent_one_costs_a_caller_its_own_time_only(self, server: MongoTestServer) -> None:
        """And when nobody waits any more nothing of it is left."""
        vault = Waiting(None)
        before = asyncio.all_tasks()
        with pytest.raises(ServerSelectionTimeoutError, match="serverSelectionTimeoutMS=50"):
            await user(server, tls_identity=vault, serverSelectionTimeoutMS=50)
        assert vault.asked == 1
        assert not vault.is_waiting
        assert asyncio.all_tasks() == before

    async def test_closing_the_client_ends_the_asking(self, server: MongoTestServer) -> None:
        """No task of ours is left when `close()` is done."""
        vault = Waiting(None)
        before = asyncio.all_tasks()
        client: AsyncClient[Any] = AsyncClient(f"mongodb://{server.address}/", **X509, tls_identity=vault)  # type: ignore[arg-type]
        ping = asyncio.create_task(client.ping())
        await vault.asking.wait()
        await asyncio.sleep(0)
        assert vault.is_waiting
        await client.close()
        assert not vault.is_waiting
        with pytest.raises(MongoError):
            await ping
        assert asyncio.all_tasks() == before


class TestServerNames:
    """tlsServerNames: an address that is not in the certificate, and full verification all the same."""

    async def test_without_it_the_address_is_what_counts(self, certs: CertKit, tunnelled: MongoTestServer) -> None:
        """The tunnel's end is not the server; the hint knows the way out."""
        text = await refusal(ServerCertificateError, tunnelled, tlsCAFile=certs.ca_pem, **in_one(certs, "ada"))
        assert "hostname-mismatch" in text
        assert "tlsServerNames" in text

    async def test_the_name_is_asked_for_and_verified(self, certs: CertKit, tunnelled: MongoTestServer) -> None:
        """By host and port, by host, in a URI; the server hears it as SNI."""
        own = {"tlsCAFile": certs.ca_pem, **in_one(certs, "ada")}
        address = tunnelled.address
        for names in ({str(address): NAME}, {address.host: NAME}, f"{address}:{NAME}", {str(address): f"{NAME}."}):
            assert await user(tunnelled, tlsServerNames=names, **own)
        assert await user(tunnelled, f"?tls=true&tlsServerNames={address}:{NAME}", **own)

    async def test_a_wrong_name_is_refused_with_both(self, certs: CertKit, tunnelled: MongoTestServer) -> None:
        """The address that was dialled and the name that was verified."""
        own = {"tlsCAFile": certs.ca_pem, **in_one(certs, "ada")}
        text = await refusal(
            ServerCertificateError, tunnelled, tlsServerNames={str(tunnelled.address): "other.example.net"}, **own
        )
        assert text.startswith(f"{tunnelled.address}: ")
        assert "it was asked for as other.example.net, by tlsServerNames" in text
        assert "[hostname-mismatch]" in text
        assert f"presented: a certificate for {NAME}" in text
        assert "hint: correct the name in tlsServerNames" in text
        # A name for another port is not one for this.
        names = {f"127.0.0.1:{tunnelled.address.port - 1}": NAME}  # type: ignore[operator]
        assert "hostname-mismatch" in await refusal(ServerCertificateError, tunnelled, tlsServerNames=names, **own)

    async def test_whom_to_trust_is_not_relaxed(self, certs: CertKit, tunnelled: MongoTestServer) -> None:
        """The right name from a wrong authority; the error names both here, too."""
        text = await refusal(
            ServerCertificateError,
            tunnelled,
            tlsCAFile=certs.stranger().ca_pem,
            tlsServerNames={str(tunnelled.address): NAME},
            **in_one(certs, "ada"),
        )
        assert "unknown-ca" in text
        assert f"{tunnelled.address}: " in text
        assert f"asked for as {NAME}" in text

    async def test_a_name_that_makes_a_good_certificate_bad(self, certs: CertKit, server: MongoTestServer) -> None:
        """The address is in this certificate, but it is no longer what counts."""
        own = {"tlsCAFile": certs.ca_pem, **in_one(certs, "ada")}
        assert await user(server, **own)
        names = {str(server.address): "other.example.net"}
        assert "hostname-mismatch" in await refusal(ServerCertificateError, server, tlsServerNames=names, **own)

    async def test_beside_a_supplied_context(self, certs: CertKit, tunnelled: MongoTestServer) -> None:
        """Which verifies by the name that it is given."""
        context = ssl.create_default_context(cadata=certs.ca_pem.decode())
        context.load_cert_chain(certs.client("ada").path)
        names = {str(tunnelled.address): NAME}
        assert await user(tunnelled, ssl_context=context, tlsServerNames=names)
        assert "hostname-mismatch" in await refusal(ServerCertificateError, tunnelled, ssl_context=context)
