"""Several identities over one client's servers: each by its own certificate, none at the expense of another."""

from __future__ import annotations

import asyncio
import time
from typing import Any

import pytest
from events import Events
from live_server import LiveServer

from aiomongo_tls import (
    AsyncClient,
    ClientCertificateRejected,
    TLSHandshakeFailedEvent,
    TLSHandshakeStartedEvent,
    TLSHandshakeSucceededEvent,
)
from aiomongo_tls.testing import CertKit

ENDS = (TLSHandshakeSucceededEvent, TLSHandshakeFailedEvent)

pytestmark = pytest.mark.usefixtures("demanding")


async def test_two_certificates(client: AsyncClient[Any], kit: CertKit, run: str, name: str) -> None:
    """Both work on the same data, at the same time; each tells of its own certificate."""
    bob = kit.client("bob")
    async with client.with_identity(tlsCertificateKeyFile=bob.path) as other:
        things, theirs = client[run][name], other[run][name]
        await asyncio.gather(*(things.insert_one({"_id": n}) for n in range(50)))
        found = await asyncio.gather(*(theirs.find_one({"_id": n}) for n in range(50)))
        assert [document["_id"] for document in found if document] == list(range(50))
        assert other.tls_status().fingerprint == bob.details.fingerprint
        assert client.tls_status().fingerprint == kit.client().details.fingerprint
    assert await things.count_documents({}) == 50


async def test_no_session_is_shared(server: LiveServer, kit: CertKit) -> None:
    """The first connection of another certificate is a full handshake, those after it are resumed."""
    told = Events()
    async with AsyncClient.connect(server.uri(), event_listeners=[told]) as client:
        await client.ping()
        for person in ("carol", "dave"):
            # A connection that nobody waits for any more may still be on its way.
            await told.until(lambda: len(told.of(TLSHandshakeStartedEvent)) == len(told.of(*ENDS)))
            told.forget()
            async with client.with_identity(
                tlsCertificateKeyFile=kit.client(f"{person} {time.monotonic_ns()}").path
            ) as other:
                await asyncio.gather(*(other.ping() for _ in range(5)))
                await asyncio.gather(*(other.ping() for _ in range(5)))
            own = [event.resumed for event in told.of(TLSHandshakeSucceededEvent) if not event.monitors]
            assert own
            assert not own[0]
            assert own.count(False) <= 2
            assert own[-1]


@pytest.mark.parametrize("fault", ["unknown-ca", "expired"])
async def test_a_bad_one_beside_a_good_one(
    client: AsyncClient[Any], kit: CertKit, run: str, name: str, fault: str
) -> None:
    """Refused by the server each time, at once; the other one's operations do not fail, nor do its connections."""
    bad = kit.stranger().client("eve") if fault == "unknown-ca" else kit.client("eve", expired=True)
    things = client[run][name]
    over = False

    async def work(number: int) -> int:
        step = 0
        while not over:
            step += 1
            await things.insert_one({"_id": f"{number}-{step}"})
        return step

    await client.ping()
    generations = [status.generation for status in client.pool_status().values()]
    tasks = [asyncio.create_task(work(number)) for number in range(5)]
    for _ in range(5):
        async with asyncio.timeout(5):
            with pytest.raises(ClientCertificateRejected) as caught:
                async with client.with_identity(tlsCertificateKeyFile=bad.path) as other:
                    await other.ping()
        assert caught.value.reason == f"client-certificate-{fault}"
    over = True
    assert await things.count_documents({}) <= sum(await asyncio.gather(*tasks))
    assert await things.count_documents({}) == sum(task.result() for task in tasks)
    assert [status.generation for status in client.pool_status().values()] == generations


async def test_they_outlive_the_first(server: LiveServer, kit: CertKit, run: str, name: str) -> None:
    """A client that is closed leaves the others at work."""
    client = await AsyncClient.connect(server.uri())
    other = client.with_identity(tlsCertificateKeyFile=kit.client("frank").path)
    await other[run][name].insert_one({"_id": 1})
    await client.close()
    assert await other[run][name].find_one({}) == {"_id": 1}
    await other.close()
