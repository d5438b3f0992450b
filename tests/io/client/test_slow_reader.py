"""Unacknowledged writes to a server that does not read."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import pytest
from peers import Contexts, MongoPeer, mongo_peer

from aiomongo_tls import AsyncClient, AsyncCollection, NetworkTimeout, PoolClosedError, WriteConcern, timeout

Users = AsyncCollection[dict[str, Any]]
LARGE = {"x": "x" * 4_000_000}


@pytest.fixture
async def deaf() -> AsyncIterator[tuple[MongoPeer, Users]]:
    """A server that has stopped reading, and a collection that asks for no answers."""
    contexts = Contexts()
    async with mongo_peer(contexts.server(client_certificate=True)) as peer:
        options = contexts.options()
        async with AsyncClient.connect(
            "127.0.0.1",
            peer.port,
            tlsCAFile=options.ca_file,
            tlsCertificateKeyFile=options.certificate_key_file,
            authMechanism="MONGODB-X509",
        ) as client:
            # Not a monitor's: those do not authenticate.
            (session,) = (one for one in peer.sessions if "speculativeAuthenticate" in one.commands[0])
            transport = session.transport
            assert transport is not None
            transport._stream.pause_reading()  # type: ignore[union-attr]
            yield peer, client.get_database("app", write_concern=WriteConcern(0))["users"]


async def test_they_wait_and_the_deadline_holds(deaf: tuple[MongoPeer, Users]) -> None:
    """Otherwise a loop of them would fill the memory. The next operation uses another connection."""
    peer, users = deaf
    documents = [dict(LARGE) for _ in range(20)]

    async def write() -> None:
        for document in documents:
            await users.insert_one(document)

    with pytest.raises(NetworkTimeout, match=r"timeout\(0.2\)"), timeout(0.2):
        await write()
    # Only what the kernel's buffers of both ends take has got an `_id` on its way out.
    assert "_id" not in documents[-1]
    assert await users.database.client.ping()
    assert sum("speculativeAuthenticate" in session.commands[0] for session in peer.sessions) == 2


async def test_closing_the_client_ends_the_waiting(deaf: tuple[MongoPeer, Users]) -> None:
    """With an error that says so."""
    _, users = deaf

    async def write() -> None:
        while True:
            await users.insert_one(dict(LARGE))

    writing = asyncio.create_task(write())
    with pytest.raises(TimeoutError):
        async with asyncio.timeout(0.1):
            await asyncio.shield(writing)
    users.database.client.abort()
    with pytest.raises(PoolClosedError):
        await writing
