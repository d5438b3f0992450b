"""Renewed certificates: noticed by content, proven before they take over, and no operation pays for it."""

from __future__ import annotations

import asyncio
import itertools
import logging
import ssl
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from aiomongo_tls import AsyncClient, TLSIdentity
from aiomongo_tls.testing import Certificate, CertKit, MongoTestServer, ReplicaSet

LOG = "aiomongo_tls.tls"


class Secret:
    """Three mounted files, as Kubernetes has them: `..data` is a link that is swapped."""

    def __init__(self, directory: Path, certificate: Certificate, ca: bytes) -> None:
        self.directory = directory
        self._count = 0
        self.write(certificate, ca)
        for name in ("tls.crt", "tls.key", "ca.crt"):
            (directory / name).symlink_to(Path("..data") / name)

    def write(self, certificate: Certificate, ca: bytes) -> None:
        """Put new content behind all files in one step."""
        self._count += 1
        version = self.directory / f"..{self._count}"
        version.mkdir()
        (version / "tls.crt").write_bytes(certificate.certificate_chain_pem)
        (version / "tls.key").write_bytes(certificate.private_key_pem)
        (version / "ca.crt").write_bytes(ca)
        link = self.directory / "..new"
        link.symlink_to(version.name)
        link.rename(self.directory / "..data")

    @property
    def options(self) -> dict[str, Any]:
        return {
            "tlsCAFile": str(self.directory / "ca.crt"),
            "tlsCertificateFile": str(self.directory / "tls.crt"),
            "tlsCertificateKeyFile": str(self.directory / "tls.key"),
            "authMechanism": "MONGODB-X509",
        }


@pytest.fixture
def kit() -> CertKit:
    return CertKit()


@pytest.fixture
def server(kit: CertKit) -> Iterator[MongoTestServer]:
    with MongoTestServer(ca=kit, users=["CN=ada"]) as made:
        yield made


@pytest.fixture
def secret(kit: CertKit, tmp_path: Path) -> Secret:
    return Secret(tmp_path, kit.client(subject="CN=ada"), kit.ca_pem)


@asynccontextmanager
async def client_of(server: MongoTestServer, secret: Secret, **options: Any) -> AsyncIterator[AsyncClient[Any]]:
    options = {"tlsReloadIntervalMS": 0} | secret.options | options
    async with AsyncClient.connect(f"mongodb://{server.address}/", **options) as client:
        yield client


_days = itertools.count(30)


def ada(kit: CertKit) -> Certificate:
    """A new certificate of the same subject; a kit gives the same one for the same wish."""
    return kit.client(subject="CN=ada", not_after=datetime.now(UTC) + timedelta(days=next(_days)))


def der(certificate: Certificate) -> bytes:
    return ssl.PEM_cert_to_DER_cert(
        certificate.certificate_chain_pem.decode().partition("-----END CERTIFICATE-----")[0]
        + "-----END CERTIFICATE-----\n"
    )


def presented(server: MongoTestServer) -> set[bytes | None]:
    """The client certificates on the server's open connections."""
    return {connection.tls.peer_der for connection in server.connections if connection.tls is not None}


async def use_new_connections(client: AsyncClient[Any], server: MongoTestServer) -> None:
    """As many operations at once as need more connections than there are."""
    count = len(server.connections) + 5
    rule = server.on("find").answers_after(0.05).times(count)
    await asyncio.gather(*(client["app"]["things"].find_one({"n": n}) for n in range(count)))
    assert rule.used


async def test_a_renewed_certificate_is_used(server: MongoTestServer, kit: CertKit, secret: Secret) -> None:
    """New files, same subject: `reload_tls()` says so, and new connections show the new certificate."""
    async with client_of(server, secret) as client:
        assert await client.reload_tls() is False
        renewed = ada(kit)
        secret.write(renewed, kit.ca_pem)
        before = presented(server)
        assert await client.reload_tls() is True
        assert await client.reload_tls() is False
        await use_new_connections(client, server)
        assert der(renewed) in presented(server) - before


@pytest.mark.parametrize("way", ["in place", "by rename", "by link"])
async def test_it_is_noticed_by_itself(
    server: MongoTestServer, kit: CertKit, secret: Secret, tmp_path: Path, way: str, caplog: pytest.LogCaptureFixture
) -> None:
    """However the files are replaced, within tlsReloadIntervalMS; the log names old and new."""
    caplog.set_level(logging.INFO, LOG)
    renewed = ada(kit)
    async with client_of(server, secret, tlsReloadIntervalMS=20) as client:
        real = (tmp_path / "..data").resolve()
        if way == "by link":
            secret.write(renewed, kit.ca_pem)
        else:
            for name, content in (("tls.crt", renewed.certificate_chain_pem), ("tls.key", renewed.private_key_pem)):
                target = real / name if way == "in place" else real / f"{name}.new"
                target.write_bytes(content)
                if way == "by rename":
                    target.replace(real / name)
        async with asyncio.timeout(10):
            # There is no event: the change comes from a thread and a timer of the client's own.
            while not any("was renewed" in record.getMessage() for record in caplog.records):  # noqa: ASYNC110
                await asyncio.sleep(0.01)
        await use_new_connections(client, server)
    (record,) = (record for record in caplog.records if record.levelno == logging.INFO)
    assert record.getMessage().count("CN=ada, not after") == 2


async def test_a_broken_pair_changes_nothing(
    server: MongoTestServer, kit: CertKit, secret: Secret, caplog: pytest.LogCaptureFixture
) -> None:
    """Half of a rotation: the present identity stays, one WARNING says why, and the other half is taken."""
    renewed, other = ada(kit), ada(kit)
    async with client_of(server, secret) as client:
        real = (secret.directory / "..data").resolve()
        (real / "tls.crt").write_bytes(renewed.certificate_chain_pem)
        for _ in range(3):
            assert await client.reload_tls() is False
            await use_new_connections(client, server)
        assert der(renewed) not in presented(server)
        (record,) = caplog.records
        assert record.levelno == logging.WARNING
        assert "cannot be used, the present one stays" in record.getMessage()
        assert "tlsCertificateKeyFile" in record.getMessage()
        (real / "tls.key").write_bytes(other.private_key_pem)
        assert await client.reload_tls() is False
        (real / "tls.key").write_bytes(renewed.private_key_pem)
        assert await client.reload_tls() is True


async def test_a_pair_that_the_server_refuses_changes_nothing(
    server: MongoTestServer, kit: CertKit, secret: Secret, caplog: pytest.LogCaptureFixture
) -> None:
    """Well-formed and refused, by TLS or by authentication: nobody notices but the log; mended, it is taken."""
    stranger = ada(CertKit())
    unknown = kit.client(subject="CN=bob")
    async with client_of(server, secret) as client:
        for refused in (stranger, unknown):
            caplog.clear()
            secret.write(refused, kit.ca_pem)
            for _ in range(3):
                assert await client.reload_tls() is False
                await use_new_connections(client, server)
            (record,) = caplog.records
            assert "is refused, the present one stays in use" in record.getMessage()
        server.add_user(unknown)
        assert await client.reload_tls() is True
        await use_new_connections(client, server)
        assert der(unknown) in presented(server)


async def test_members_take_it_one_by_one(kit: CertKit, tmp_path: Path) -> None:
    """A member that does not accept the new certificate yet goes on with the old one, the others do not wait for it."""
    bob = kit.client(subject="CN=bob")
    secret = Secret(tmp_path, ada(kit), kit.ca_pem)
    with ReplicaSet(members=3, ca=kit, users=["CN=ada", "CN=bob"]) as replica_set:
        late = replica_set.secondaries[0]
        is_late = True
        rule = late.on("*", where=lambda command: is_late and "speculativeAuthenticate" in command.document).hangs_up()
        options = {"tlsReloadIntervalMS": 0, "heartbeatFrequencyMS": 500} | secret.options
        hosts = ",".join(map(str, replica_set.addresses))
        async with AsyncClient.connect(f"mongodb://{hosts}/?replicaSet={replica_set.name}", **options) as client:
            secret.write(bob, kit.ca_pem)
            assert await client.reload_tls() is True
            assert rule.used
            assert replica_set.primary is not None
            await use_new_connections(client, replica_set.primary)
            assert der(bob) in presented(replica_set.primary)
            assert der(bob) not in {
                connection.tls.peer_der
                for connection in late.connections
                if connection.user is not None and connection.tls
            }
            # The late one is not forgotten, however often somebody asks in the meantime.
            assert await client.reload_tls() is False
            assert client.tls_status().on_disk_differs
            is_late = False
            assert await client.reload_tls() is True
            assert not client.tls_status().on_disk_differs


async def test_a_ready_context_is_its_owners(server: MongoTestServer, kit: CertKit) -> None:
    """Given another certificate in place, it is shown after `reload_tls()`: sessions that show the old one are gone."""
    context = ssl.create_default_context(cafile=kit.ca_path)
    context.load_cert_chain(ada(kit).path)
    uri = f"mongodb://{server.address}/?authMechanism=MONGODB-X509"
    async with AsyncClient.connect(uri, ssl_context=context) as client:
        await use_new_connections(client, server)
        renewed = ada(kit)
        context.load_cert_chain(renewed.path)
        assert await client.reload_tls() is False
        await use_new_connections(client, server)
        assert der(renewed) in presented(server)


async def test_an_identity_from_a_provider_is_asked_for_again(server: MongoTestServer, kit: CertKit) -> None:
    """`refresh_after` says when, `reload_tls()` asks at once."""
    asked: list[Certificate] = []

    class Provider:
        async def identity(self) -> TLSIdentity:
            asked.append(ada(kit))
            return TLSIdentity(
                key=asked[-1].private_key_pem, chain=asked[-1].certificate_chain_pem, ca=kit.ca_pem, refresh_after=3600
            )

    uri = f"mongodb://{server.address}/?authMechanism=MONGODB-X509"
    async with AsyncClient.connect(uri, tls_identity=Provider(), tlsReloadIntervalMS=0) as client:
        assert len(asked) == 1
        assert await client.reload_tls() is True
        await use_new_connections(client, server)
        assert len(asked) == 2
        assert der(asked[-1]) in presented(server)


async def test_ten_rotations_under_load_fail_no_operation(
    kit: CertKit, server: MongoTestServer, secret: Secret
) -> None:
    """Fifty tasks of reads and writes, ten new certificates, then a new CA with overlap; broken ones in between."""
    new_kit = CertKit()
    done = 0
    over = False

    async def work(number: int) -> None:
        nonlocal done
        things = client["app"]["things"]
        step = 0
        while not over:
            step += 1
            await things.insert_one({"_id": f"{number}-{step}"})
            assert await things.find_one({"_id": f"{number}-{step}"}) is not None
            done += 1

    async with client_of(server, secret) as client:
        tasks = [asyncio.create_task(work(number)) for number in range(50)]
        for turn in range(10):
            if turn in (3, 6):
                secret.write(ada(CertKit()), kit.ca_pem)
                assert await client.reload_tls() is False
            renewed = ada(kit)
            secret.write(renewed, kit.ca_pem + (new_kit.ca_pem if turn > 7 else b""))
            assert await client.reload_tls() is True
            before = {connection.id for connection in server.connections}
            reached = done + 100
            while done < reached:  # noqa: ASYNC110 - fifty tasks move it
                await asyncio.sleep(0)
            made_since = [connection for connection in server.connections if connection.id not in before]
            assert all(each.tls is not None and each.tls.peer_der == der(renewed) for each in made_since if each.user)
        # The server's own certificate comes from the new authority; the client trusts both.
        server.rotate(new_kit.server())
        over = True
        await asyncio.gather(*tasks)
        await use_new_connections(client, server)
