"""What a client tells of its TLS: itself, its renewals, its servers."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from aiomongo_tls import AsyncClient, ClientCertificateRejected, ServerTLSStatus, TLSStatus
from aiomongo_tls.testing import Certificate, CertKit, MongoTestServer, User
from aiomongo_tls.tls.certificate import CertificateDetails

END = datetime.now(UTC).replace(microsecond=0) + timedelta(days=30)


@pytest.fixture
def kit() -> CertKit:
    return CertKit()


@pytest.fixture
def server(kit: CertKit) -> Iterator[MongoTestServer]:
    with MongoTestServer(ca=kit, users=["CN=ada"]) as made:
        yield made


def client_of(server: MongoTestServer, kit: CertKit, certificate: Path, **options: Any) -> AsyncClient[Any]:
    files = {"tlsCAFile": kit.ca_path, "tlsCertificateKeyFile": certificate}
    options = files | {"authMechanism": "MONGODB-X509", "tlsReloadIntervalMS": 0} | options
    return AsyncClient(f"mongodb://{server.address}/", **options)


def write(path: Path, certificate: Certificate) -> Path:
    path.write_bytes(certificate.private_key_pem + certificate.certificate_chain_pem)
    return path


async def test_it_tells_who_the_client_is(server: MongoTestServer, kit: CertKit, tmp_path: Path) -> None:
    """One's own certificate, the user, and what was agreed with the server."""
    ada = kit.client(subject="CN=ada", not_after=END)
    async with client_of(server, kit, write(tmp_path / "ada.pem", ada)) as client:
        status = client.tls_status()
    assert status.subject == status.user == "CN=ada"
    assert status.issuer == ada.details.issuer
    assert status.sans == ()
    assert (status.not_before, status.not_after) == (ada.details.not_before, END)
    assert status.fingerprint == ada.details.fingerprint
    assert (status.last_reload, status.last_reload_error, status.on_disk_differs) == (None, None, False)
    (peer,) = status.servers.values()
    assert set(status.servers) == {server.address}
    assert peer.version == "TLSv1.3"
    assert peer.cipher.startswith("TLS_")
    assert peer.server_name == server.address.host
    assert "localhost" in peer.peer_names
    assert peer.not_after is not None


async def test_it_is_empty_before_the_first_use_and_without_tls(server: MongoTestServer, kit: CertKit) -> None:
    """Nothing is known then; the servers are an empty mapping."""
    client = client_of(server, kit, Path(kit.client(subject="CN=ada").path))
    assert client.tls_status() == TLSStatus(servers={})
    with MongoTestServer(tls="off") as plain:
        async with plain.connect() as unencrypted:
            assert unencrypted.tls_status() == TLSStatus(servers={})


async def test_it_tells_of_renewals(server: MongoTestServer, kit: CertKit, tmp_path: Path) -> None:
    """What was found and refused, then when it was brought into use."""
    path = write(tmp_path / "ada.pem", kit.client(subject="CN=ada"))
    bob = kit.client(subject="CN=bob", not_after=END)
    async with client_of(server, kit, path) as client:
        write(path, bob)
        assert await client.reload_tls() is False
        status = client.tls_status()
        assert status.subject == status.user == "CN=ada"
        assert status.on_disk_differs
        assert status.last_reload_error is not None
        assert "CN=bob" in str(status.last_reload_error)
        server.add_user(bob)
        assert await client.reload_tls() is True
        status = client.tls_status()
        assert status.subject == status.user == "CN=bob"
        assert status.not_after == END
        assert not status.on_disk_differs
        assert status.last_reload_error is None
        assert status.last_reload is not None
        assert status.last_reload.tzinfo is UTC


async def test_without_cryptography_the_fingerprint_is_left(
    server: MongoTestServer, kit: CertKit, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Details of one's own certificate are None; a verified server's come from the `ssl` module."""
    ada = kit.client(subject="CN=ada")
    fingerprint = ada.details.fingerprint
    path = write(tmp_path / "ada.pem", ada)
    monkeypatch.setitem(sys.modules, "cryptography", None)
    async with client_of(server, kit, path) as client:
        status = client.tls_status()
    assert status.subject is status.issuer is status.sans is status.not_before is status.not_after is None
    assert status.user is None
    assert status.fingerprint == fingerprint
    (peer,) = status.servers.values()
    assert "localhost" in peer.peer_names


async def test_a_server_that_was_not_verified(server: MongoTestServer, kit: CertKit, tmp_path: Path) -> None:
    """Its certificate is read by `cryptography` then."""
    path = write(tmp_path / "ada.pem", kit.client(subject="CN=ada"))
    async with client_of(server, kit, path, tlsAllowInvalidCertificates=True) as client:
        (peer,) = client.tls_status().servers.values()
    assert "localhost" in peer.peer_names
    assert peer.not_after is not None


async def test_the_newest_connection_counts(server: MongoTestServer, kit: CertKit, tmp_path: Path) -> None:
    """A server that renews its certificate shows the new one with the next connection, a pool's or a monitor's."""
    path = write(tmp_path / "ada.pem", kit.client(subject="CN=ada"))
    async with client_of(server, kit, path, heartbeatFrequencyMS=500) as client:
        before = client.tls_status().servers[server.address]
        server.rotate(kit.server(not_after=END))
        server.drop_connections()
        await client.ping()
        after = client.tls_status().servers[server.address]
    assert before.not_after != after.not_after == END


async def test_nothing_is_parsed_again(
    server: MongoTestServer, kit: CertKit, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A second call reads no certificate."""
    path = write(tmp_path / "ada.pem", kit.client(subject="CN=ada"))
    async with client_of(server, kit, path) as client:
        first = client.tls_status()

        def parsed(*_: object) -> None:
            pytest.fail("a certificate was parsed again")

        monkeypatch.setattr(CertificateDetails, "from_der", parsed)
        monkeypatch.setattr(CertificateDetails, "from_ssl_dict", parsed)
        second = client.tls_status()
        assert second == first
        assert second.servers[server.address] is first.servers[server.address]
        assert isinstance(second.servers[server.address], ServerTLSStatus)


async def test_a_named_user_is_the_user(kit: CertKit) -> None:
    """With a password, and a certificate for TLS only, the user is the one with the password."""
    ada = kit.client(subject="CN=ada")
    with MongoTestServer(ca=kit, users=[User("eve", "secret")]) as server:
        uri = f"mongodb://eve:secret@{server.address}/"
        options: dict[str, Any] = {"tlsCAFile": kit.ca_path, "tlsCertificateKeyFile": ada.path}
        async with AsyncClient.connect(uri, **options) as client:
            status = client.tls_status()
    assert (status.user, status.subject) == ("eve", "CN=ada")


async def test_a_refused_client_has_no_server(server: MongoTestServer, kit: CertKit, tmp_path: Path) -> None:
    """Its own certificate is told all the same: it is what one wants to look at then."""
    path = write(tmp_path / "stranger.pem", CertKit().client(subject="CN=ada"))
    client = client_of(server, kit, path)
    with pytest.raises(ClientCertificateRejected):
        await client.ping()
    assert client.tls_status().subject == "CN=ada"
    assert client.tls_status().servers == {}
    await client.close()
