"""Sessions of TLS that Java resumes: its tickets, its restarts."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

import pytest
from events import Events
from live_javaserver import JavaServer

from aiomongo_tls import AsyncClient, AutoReconnect, TLSHandshakeSucceededEvent
from aiomongo_tls.testing import CertKit

Document = dict[str, Any]
Servers = Callable[..., JavaServer]


def resumed(events: Events) -> list[bool]:
    """For each connection, in order, whether its handshake was an abbreviated one."""
    return [event.resumed for event in events.of(TLSHandshakeSucceededEvent)]


async def ping_until_it_works(client: AsyncClient[Document]) -> None:
    async with asyncio.timeout(30):
        while True:
            try:
                await client.admin.command("ping")
            except AutoReconnect:
                continue
            return


@pytest.fixture
def security(version: str) -> dict[str, str]:
    """A Java that speaks one version."""
    return {"jdk.tls.disabledAlgorithms": "TLSv1.3" if version == "TLSv1.2" else "TLSv1.2"}


async def test_connections_are_resumed(servers: Servers, security: Document, version: str) -> None:
    """At least 95 % after the first few, of pools and monitors, over many clients."""
    server = servers(security=security)
    events = Events()
    for _ in range(12):
        async with AsyncClient.connect(server.uri(), event_listeners=[events]) as client:
            await asyncio.gather(*(client.admin.command("ping") for _ in range(4)))
            (status,) = client.tls_status().servers.values()
            assert status.version == version
    found = resumed(events)
    assert len(found) >= 24
    assert sum(found[5:]) >= 0.95 * len(found[5:])


async def test_not_with_another_certificate(servers: Servers, security: Document) -> None:
    """Two principals of one process never share a session, though this server never asks who they are."""
    kit = CertKit()
    server = servers(kit, security=security)
    ada, bob = Events(), Events()
    for _ in range(3):
        uri = server.uri(tlsCertificateKeyFile=kit.client("ada").path)
        async with AsyncClient.connect(uri, event_listeners=[ada]) as client:
            await client.admin.command("ping")
    uri = server.uri(tlsCertificateKeyFile=kit.client("bob").path)
    async with AsyncClient.connect(uri, event_listeners=[bob]) as client:
        await client.admin.command("ping")
    assert not resumed(ada)[0]
    assert not resumed(bob)[0]
    assert any(resumed(ada))


async def test_tickets_of_a_server_that_was_restarted(servers: Servers, security: Document) -> None:
    """Java's new process cannot read the old one's: a full handshake follows, no error, and new tickets."""
    server = servers(security=security)
    events = Events()
    async with AsyncClient.connect(server.uri(), event_listeners=[events]) as client:
        await ping_until_it_works(client)
        for _ in range(2):
            await asyncio.to_thread(server.kill)
            before = len(resumed(events))
            await asyncio.to_thread(server.restart)
            await ping_until_it_works(client)
            await events.until(lambda: len(resumed(events)) >= before + 1)  # noqa: B023 - awaited here
            assert not resumed(events)[before]
            await asyncio.gather(*(ping_until_it_works(client) for _ in range(5)))
    async with AsyncClient.connect(server.uri(), event_listeners=[events]) as client:
        await client.admin.command("ping")
    assert resumed(events)[-1]


async def test_a_server_without_tickets(servers: Servers) -> None:
    """By Java's own switch: sessions of TLS 1.2 are resumed by their id, those of TLS 1.3 by its cache."""
    server = servers(java_options=["-Djdk.tls.server.enableSessionTicketExtension=false"])
    events = Events()
    for _ in range(6):
        async with AsyncClient.connect(server.uri(), event_listeners=[events]) as client:
            await client.admin.command("ping")
    assert len(resumed(events)) >= 12
    assert any(resumed(events)[3:])
