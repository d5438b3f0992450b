"""Opening and using a connection, cancelled at every step: nothing stays open, no reply is mixed up."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace

import bson
import pytest
from events import Events
from peers import Contexts, MongoPeer, Recorder, mongo_peer, resolver_of
from sweep import Cancels, World, in_every_way, sweep

from aiomongo_tls.core.events.publisher import EventPublisher
from aiomongo_tls.core.options.credential import MongoCredential
from aiomongo_tls.net.connection import Connection
from aiomongo_tls.net.dns import Endpoint, Resolver
from aiomongo_tls.net.establish import Establisher
from aiomongo_tls.net.identity import Identity
from aiomongo_tls.net.transport import Transport, open_connection

X509 = MongoCredential(username=None, password=None, source="$external", mechanism="MONGODB-X509")
PING = bson.encode({"ping": 1, "$db": "admin"})


def establisher(peer: MongoPeer, identity: Identity) -> Establisher:
    return Establisher(address=peer.address, client={}, identity=identity, credential=X509, resolver=resolver_of())


@in_every_way
@pytest.mark.parametrize("addresses", [1, 2])
async def test_open_connection(contexts: Contexts, identity: Identity, cancels: Cancels, addresses: int) -> None:
    """Whatever `open_connection()` had opened is closed; what it returned works."""

    @asynccontextmanager
    async def scenario() -> AsyncIterator[World]:
        async with mongo_peer(contexts.server(client_certificate=True)) as peer:
            endpoint = Endpoint(2, ("127.0.0.1", peer.port))
            resolver = Resolver(lambda host, port: [endpoint] * addresses)
            opened: list[Transport] = []

            async def victim() -> None:
                opened.append(
                    await open_connection(
                        peer.address, receiver=Recorder(), setup=identity.setup, resolver=resolver, stagger=0
                    )
                )

            async def check(was_cancelled: bool) -> None:
                assert bool(opened) is not was_cancelled
                for transport in opened:
                    await transport.handshake()
                    transport.close()
                    await transport.wait_closed()
                # The look-up that nobody waits for any more.
                await asyncio.to_thread(lambda: None)

            yield World(victim, check, settled=lambda: not resolver._jobs)

    steps = await sweep(scenario, cancels=cancels)
    assert steps > 5


@in_every_way
async def test_told_handshakes(contexts: Contexts, identity: Identity, cancels: Cancels) -> None:
    """A handshake of which listeners were told that it begins has one end, whenever nobody needs it any more."""

    @asynccontextmanager
    async def scenario() -> AsyncIterator[World]:
        async with mongo_peer(contexts.server(client_certificate=True)) as peer:
            told = Events()
            maker = replace(establisher(peer, identity), publisher=EventPublisher([told]))
            connection = Connection(peer.address, 1)

            async def check(was_cancelled: bool) -> None:
                connection.close()
                await connection.wait_closed()

            def at_once() -> None:
                assert told.names in (
                    [],
                    ["TLSHandshakeStarted", "TLSHandshakeFailed"],
                    ["TLSHandshakeStarted", "TLSHandshakeSucceeded"],
                )

            yield World(
                lambda: maker.establish(connection),
                check,
                settled=lambda: not maker.resolver._jobs,
                at_once=at_once,
            )

    steps = await sweep(scenario, cancels=cancels)
    assert steps > 5


@in_every_way
async def test_establish(contexts: Contexts, identity: Identity, cancels: Cancels) -> None:
    """The same up to the authenticated connection."""

    @asynccontextmanager
    async def scenario() -> AsyncIterator[World]:
        async with mongo_peer(contexts.server(client_certificate=True)) as peer:
            maker = establisher(peer, identity)
            connection = Connection(peer.address, 1)

            begun: list[bool] = []

            async def victim() -> None:
                begun.append(True)
                await maker.establish(connection)

            async def check(was_cancelled: bool) -> None:
                if begun:
                    assert connection.is_usable is not was_cancelled
                    assert (connection.description is not None) is not was_cancelled
                connection.close()
                await connection.wait_closed()

            yield World(victim, check, settled=lambda: not maker.resolver._jobs)

    steps = await sweep(scenario, cancels=cancels)
    assert steps > 5


@in_every_way
async def test_request(contexts: Contexts, identity: Identity, cancels: Cancels) -> None:
    """Afterwards the connection is clean and answers the next request with its own reply, or it is dirty."""

    @asynccontextmanager
    async def scenario() -> AsyncIterator[World]:
        async with mongo_peer(contexts.server(client_certificate=True)) as peer:
            peer.answers["echo"] = lambda command: {"ok": 1.0, "echo": command["echo"]}
            connection = Connection(peer.address, 1)
            await establisher(peer, identity).establish(connection)

            async def echo(text: str) -> str:
                reply = await connection.request(bson.encode({"echo": text, "$db": "admin"}))
                return str(bson.decode(reply)["echo"])

            async def victim() -> None:
                await echo("first")

            async def check(was_cancelled: bool) -> None:
                assert connection.is_usable
                if not connection.is_dirty:
                    assert await echo("second") == "second"
                connection.abort()
                await connection.wait_closed()

            yield World(victim, check)

    steps = await sweep(scenario, cancels=cancels)
    assert steps > 0
