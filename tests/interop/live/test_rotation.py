"""Renewed certificates under load against a real server: no operation fails, and the server sees the new one."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from live_server import LiveServer

from aiomongo_tls import AsyncClient, AsyncCollection, ClientCertificateRejected
from aiomongo_tls.testing import Certificate, CertKit

Things = AsyncCollection[dict[str, Any]]

pytestmark = pytest.mark.usefixtures("demanding")


def renewed(kit: CertKit, **kind: Any) -> Certificate:
    """A certificate for the same subject with another key."""
    not_after = kind.pop("not_after", None) or datetime.now(UTC) + timedelta(days=1, microseconds=time.monotonic_ns())
    return kit.client("ada", not_after=not_after, **kind)


class Files:
    """A certificate's file that is replaced by rename, as an agent does it."""

    def __init__(self, directory: Path) -> None:
        self.path = directory / "tls.pem"

    def write(self, certificate: Certificate) -> None:
        new = self.path.with_suffix(".new")
        new.write_bytes(certificate.pem)
        new.rename(self.path)


@pytest.fixture
def files(tmp_path: Path) -> Files:
    return Files(tmp_path)


class Load:
    """Tasks that write and read; the first failure ends them."""

    def __init__(self) -> None:
        self.done = 0
        self.over = False

    async def work(self, things: Things, number: int) -> None:
        step = 0
        while not self.over:
            step += 1
            await things.insert_one({"_id": f"{number}-{step}"})
            assert await things.find_one({"_id": f"{number}-{step}"}) is not None
            self.done += 1

    async def goes_on(self, count: int) -> None:
        """Wait for so many more operations."""
        reached = self.done + count
        async with asyncio.timeout(60):
            while self.done < reached:  # noqa: ASYNC110 - all the tasks move it
                await asyncio.sleep(0.001)


@asynccontextmanager
async def load(things: Things, tasks: int) -> AsyncIterator[Load]:
    made = Load()
    async with asyncio.TaskGroup() as group:
        for number in range(tasks):
            group.create_task(made.work(things, number))
        yield made
        made.over = True


async def test_ten_rotations_under_load(server: LiveServer, kit: CertKit, files: Files, run: str, name: str) -> None:
    """Twenty tasks of writes and reads, ten new certificates, and some in between that the server refuses."""
    files.write(renewed(kit))
    async with AsyncClient.connect(server.uri(tlsCertificateKeyFile=files.path), tlsReloadIntervalMS=0) as client:
        async with load(client[run][name], tasks=20) as work:
            for turn in range(10):
                present = client.tls_status().fingerprint
                if turn in (3, 6):
                    files.write(kit.stranger().client("ada") if turn == 3 else kit.client("ada", expired=True))
                    assert await client.reload_tls() is False
                    assert client.tls_status().on_disk_differs
                    await work.goes_on(20)
                    assert client.tls_status().fingerprint == present
                certificate = renewed(kit)
                files.write(certificate)
                assert await client.reload_tls() is True
                assert client.tls_status().fingerprint == certificate.details.fingerprint
                await work.goes_on(40)
        assert await client[run][name].count_documents({}) == work.done


async def test_it_is_noticed_by_itself(server: LiveServer, kit: CertKit, files: Files, run: str, name: str) -> None:
    """Within tlsReloadIntervalMS, under load."""
    files.write(renewed(kit))
    async with (
        AsyncClient.connect(server.uri(tlsCertificateKeyFile=files.path), tlsReloadIntervalMS=50) as client,
        load(client[run][name], tasks=5) as work,
        asyncio.timeout(20),
    ):
        certificate = renewed(kit)
        files.write(certificate)
        while client.tls_status().fingerprint != certificate.details.fingerprint:
            await work.goes_on(1)
        await work.goes_on(20)


async def test_a_certificate_that_lives_for_seconds(
    server: LiveServer, kit: CertKit, files: Files, run: str, name: str
) -> None:
    """Renewed in time; when the old one has ended, which the server knows, connections are made with the new one."""
    end = datetime.now(UTC) + timedelta(seconds=4)
    short = renewed(kit, not_after=end)
    files.write(short)
    options: dict[str, Any] = {"tlsReloadIntervalMS": 0, "tlsExpiryWarning": 0}
    async with AsyncClient.connect(server.uri(tlsCertificateKeyFile=files.path), **options) as client:
        await client[run][name].insert_one({"_id": "first"})
        files.write(renewed(kit))
        assert await client.reload_tls() is True
        async with load(client[run][name], tasks=5):
            # What is waited for here is the end of the certificate.
            while datetime.now(UTC) < end + timedelta(seconds=1):  # noqa: ASYNC110
                await asyncio.sleep(0.05)
            # More tasks than there are connections: new ones are made.
            await asyncio.gather(*(client[run][name].find_one({"_id": "first"}) for _ in range(50)))
        with pytest.raises(ClientCertificateRejected) as caught:
            await AsyncClient.connect(server.uri(tlsCertificateKeyFile=short.path), tlsExpiryWarning=0)
        assert caught.value.reason == "client-certificate-expired"
