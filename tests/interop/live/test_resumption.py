"""TLS sessions are resumed against a stack that is not OpenSSL."""

from __future__ import annotations

import asyncio
import ssl
import time
from collections.abc import Callable
from typing import Any

import pytest
from events import Events
from live_server import LiveServer

from aiomongo_tls import AsyncClient, TLSHandshakeFailedEvent, TLSHandshakeSucceededEvent
from aiomongo_tls.testing import CertKit


@pytest.fixture(params=["TLSv1_2", "TLSv1_3"])
def version(request: pytest.FixtureRequest) -> ssl.TLSVersion:
    """Both versions that are in use."""
    found: ssl.TLSVersion = ssl.TLSVersion[request.param]
    return found


@pytest.fixture
def told() -> Events:
    return Events()


def connecting(
    server: LiveServer, kit: CertKit, version: ssl.TLSVersion, told: Events, **options: Any
) -> AsyncClient[Any]:
    """A client with one version of TLS and sessions of its own: those of a ready context are not shared."""
    context = ssl.create_default_context(cafile=kit.ca_path)
    context.load_cert_chain(kit.client().path)
    context.minimum_version = context.maximum_version = version
    uri = server.uri(tlsCAFile=None, tlsCertificateKeyFile=None)
    return AsyncClient(uri, ssl_context=context, event_listeners=[told], **options)


def resumed(told: Events) -> list[bool]:
    """For each handshake that succeeded, whether a session was resumed in it; none failed."""
    assert told.of(TLSHandshakeFailedEvent, where=lambda event: event.reason != "cancelled") == []
    return [event.resumed for event in told.of(TLSHandshakeSucceededEvent)]


async def test_one_connection_after_another(
    server: LiveServer, kit: CertKit, version: ssl.TLSVersion, told: Events
) -> None:
    """All but the first are resumed, also when each session is used and replaced, and they serve as well as others."""
    async with connecting(server, kit, version, told, maxIdleTimeMS=1) as client:
        for _ in range(30):
            await client.ping()
            # Long enough that the connection is too old for the next one.
            await asyncio.sleep(0.005)
        (status,) = client.tls_status().servers.values()
        assert (status.version, status.resumed) == (version.name.replace("_", "."), True)
    assert len(resumed(told)) >= 25
    assert resumed(told).count(False) == 1


async def test_a_burst_of_connections(server: LiveServer, kit: CertKit, version: ssl.TLSVersion, told: Events) -> None:
    """Many at once, each from a session of those before."""
    async with connecting(server, kit, version, told, maxConnecting=10) as client:
        things = client["aiomongo_tls_none"]["things"]
        for _ in range(3):
            await asyncio.gather(*(things.find_one({}) for _ in range(50)))
    assert len(resumed(told)) >= 10
    assert resumed(told).count(False) == 1


async def test_one_client_after_another(server: LiveServer, kit: CertKit, told: Events) -> None:
    """Clients with the same certificate share their sessions."""
    certificate = kit.client(f"ada {time.monotonic_ns()}")
    for _ in range(10):
        uri = server.uri(tlsCertificateKeyFile=certificate.path)
        async with AsyncClient.connect(uri, event_listeners=[told]) as client:
            await client.ping()
    assert len(resumed(told)) >= 20
    assert resumed(told).count(False) == 1


async def test_two_certificates_share_no_session(server: LiveServer, kit: CertKit, told: Events) -> None:
    """The second one's first connection is a full handshake."""
    for person in ("ada", "bob"):
        told.forget()
        certificate = kit.client(f"{person} {time.monotonic_ns()}")
        for _ in range(2):
            uri = server.uri(tlsCertificateKeyFile=certificate.path)
            async with AsyncClient.connect(uri, event_listeners=[told]) as client:
                await client.ping()
        assert resumed(told).count(False) == 1
        assert not resumed(told)[0]


async def test_a_restarted_server_knows_no_session(
    another: Callable[..., LiveServer], kit: CertKit, version: ssl.TLSVersion, told: Events
) -> None:
    """What it refuses to resume is a full handshake, and no error."""
    server = another()
    async with connecting(server, kit, version, told, retryReads=True) as client:
        await client.ping()
        assert resumed(told)[-1]
        server.kill()
        await asyncio.to_thread(server.restart)
        told.forget()
        things = client["aiomongo_tls_none"]["things"]
        for _ in range(3):
            await asyncio.gather(*(things.find_one({}) for _ in range(20)))
    # Those that were told before it was back are failures to connect, not of TLS.
    after = [event.resumed for event in told.of(TLSHandshakeSucceededEvent)]
    assert not after[0]
    assert after[-1]
