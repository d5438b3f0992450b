"""The first operation of one identity beside another, cancelled at every step: both are whole afterwards."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import pytest
from peers import Contexts, MongoPeer, mongo_peer
from sweep import Cancels, World, in_every_way, sweep

from aiomongo_tls import AsyncClient

Client = AsyncClient[dict[str, Any]]
in_both_ways = pytest.mark.parametrize("cancels", [1, "scope"])


@pytest.fixture(scope="session")
def bob(contexts: Contexts) -> bytes:
    """Another certificate that the peer lets in."""
    return contexts.ca.issue_cert("bob@example.net", common_name="bob").private_key_and_cert_chain_pem.bytes()


@asynccontextmanager
async def two_clients(contexts: Contexts, bob: bytes) -> AsyncIterator[tuple[MongoPeer, Client, Client]]:
    options = contexts.options()
    async with mongo_peer(contexts.server(client_certificate=True)) as peer:
        first = AsyncClient[dict[str, Any]](
            "127.0.0.1",
            peer.port,
            tlsCAFile=options.ca_file,
            tlsCertificateKeyFile=options.certificate_key_file,
            authMechanism="MONGODB-X509",
            maxPoolSize=1,
        )
        other = first.with_identity(tlsCertificateKeyFile=bob)
        try:
            yield peer, first, other
        finally:
            for client in (other, first):
                client.abort()
                await client.close()


def settled(*clients: Client) -> bool:
    """What is begun for them is bounded."""
    for client in clients:
        if client._executor.topology._principal.beginning._task is not None:
            return False
        if any(pool.opening or pool.parked for pool in client.pool_status().values()):
            return False
    return True


async def check_whole(*clients: Client) -> None:
    """The next operation of each is served by one connection of its own."""
    for client in clients:
        await client.ping()
    async with asyncio.timeout(5):
        while not settled(*clients):  # noqa: ASYNC110
            await asyncio.sleep(0)
    for client in clients:
        (pool,) = client.pool_status().values()
        assert (pool.idle, pool.in_use, pool.waiting) == (1, 0, 0)


@in_both_ways
@pytest.mark.parametrize("first_is_used", [False, True])
async def test_a_first_operation(contexts: Contexts, bob: bytes, cancels: Cancels, first_is_used: bool) -> None:
    """Whether the servers are known already, or have to be found for it."""

    @asynccontextmanager
    async def scenario() -> AsyncIterator[World]:
        async with two_clients(contexts, bob) as (peer, first, other):
            if first_is_used:
                await first.ping()

            async def check(was_cancelled: bool) -> None:
                await check_whole(other, first)
                await other.close()
                await first.ping()
                await first.close()
                await peer.until(lambda: not peer.open_sessions)

            yield World(other.ping, check, settled=lambda: settled(first, other))

    assert await sweep(scenario, cancels=cancels) > 5


@in_both_ways
async def test_connecting(contexts: Contexts, bob: bytes, cancels: Cancels) -> None:
    """Cut off, an `async with` closes its own identity only."""

    @asynccontextmanager
    async def scenario() -> AsyncIterator[World]:
        async with two_clients(contexts, bob) as (peer, first, other):
            await first.ping()

            async def victim() -> None:
                async with other:
                    await other.ping()

            async def check(was_cancelled: bool) -> None:
                again = first.with_identity(tlsCertificateKeyFile=bob)
                await check_whole(first, again)
                await again.close()
                await first.close()
                await other.close()
                await peer.until(lambda: not peer.open_sessions)

            yield World(victim, check, settled=lambda: settled(first))

    assert await sweep(scenario, cancels=cancels) > 5


@in_every_way
@pytest.mark.parametrize("which", ["first", "other"])
async def test_closing(contexts: Contexts, bob: bytes, cancels: Cancels, which: str) -> None:
    """It is done nevertheless; the one that is left goes on, and takes everything with it at its own end."""

    @asynccontextmanager
    async def scenario() -> AsyncIterator[World]:
        async with two_clients(contexts, bob) as (peer, first, other):
            await asyncio.gather(first.ping(), other.ping())
            closed, left = (first, other) if which == "first" else (other, first)

            async def check(was_cancelled: bool) -> None:
                await check_whole(left)
                await closed.close()
                await left.close()
                await peer.until(lambda: not peer.open_sessions)

            yield World(closed.close, check)

    assert await sweep(scenario, cancels=cancels) > 2
