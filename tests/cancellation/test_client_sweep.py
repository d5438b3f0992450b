"""A client's operations, cancelled at every step: no connection, session or cursor is lost, and nothing goes on."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from functools import cache
from typing import Any

import pytest
from peers import HELLO, Contexts, MongoPeer, mongo_peer
from sweep import Cancels, World, in_every_way, sweep

from aiomongo_tls import AsyncClient, CursorNotFound, DeleteOne, InsertOne, InvalidOperation, UpdateOne
from aiomongo_tls.core.auth import scram_keys
from aiomongo_tls.core.pool.status import PoolStatus
from aiomongo_tls.testing.scram import ScramServer, make_credential

Client = AsyncClient[dict[str, Any]]
WRITES = ("insert", "update", "delete")


def cursor_reply(batch: str, cursor_id: int) -> dict[str, Any]:
    return {"cursor": {"id": cursor_id, "ns": "app.users", batch: [{"_id": 1}, {"_id": 2}]}, "ok": 1.0}


def client_of(peer: MongoPeer, contexts: Contexts) -> Client:
    options = contexts.options()
    return AsyncClient(
        "127.0.0.1",
        peer.port,
        tlsCAFile=options.ca_file,
        tlsCertificateKeyFile=options.certificate_key_file,
        authMechanism="MONGODB-X509",
        maxPoolSize=1,
    )


class ScramPeer:
    """SCRAM-SHA-256 for a `MongoPeer`."""

    def __init__(self, peer: MongoPeer) -> None:
        credential = make_credential("SCRAM-SHA-256", "ada", "secret", b"salt" * 7, 4096)
        self._begun: dict[str, ScramServer] = {}
        self._make = lambda: ScramServer("SCRAM-SHA-256", lambda _: credential, "server-nonce")
        peer.answers |= {"hello": self.hello, "saslStart": self.start, "saslContinue": self.go_on}

    def hello(self, command: dict[str, Any]) -> dict[str, Any]:
        if "speculativeAuthenticate" not in command:
            # A monitor's.
            return dict(HELLO)
        return {**HELLO, "speculativeAuthenticate": self.start(command["speculativeAuthenticate"])}

    def start(self, command: dict[str, Any]) -> dict[str, Any]:
        scram = self._make()
        payload = scram.first(command["payload"])
        # The nonce tells one conversation from another, whichever connection it is on.
        self._begun[payload.decode().partition(",")[0]] = scram
        return {"conversationId": 1, "done": False, "payload": payload, "ok": 1.0}

    def go_on(self, command: dict[str, Any]) -> dict[str, Any]:
        scram = self._begun[command["payload"].decode().split(",")[1]]
        return {"conversationId": 1, "done": True, "payload": scram.final(command["payload"]), "ok": 1.0}


@pytest.fixture
def quick_keys(monkeypatch: pytest.MonkeyPatch) -> None:
    """Keys are computed once for all runs of a sweep, so that the turns of the loop meanwhile are few."""
    monkeypatch.setattr(scram_keys, "keys", cache(scram_keys.keys))


def status(client: Client) -> PoolStatus:
    (found,) = client.pool_status().values()
    return found


def settled(client: Client) -> bool:
    """What is begun for a client, an attempt to connect, a killCursors, a late reply: all of them are bounded."""
    executor, principal = client._executor, client._executor.topology._principal
    has_begun = principal.beginning._task is None
    if not has_begun or not principal._means.computations.is_idle or not executor._reaper.is_idle:
        return False
    return all(not pool.opening and not pool.parked for pool in client.pool_status().values())


def connections(peer: MongoPeer) -> int:
    """How many connections were opened for operations; monitors do not authenticate."""
    return sum("speculativeAuthenticate" in session.commands[0] for session in peer.sessions if session.commands)


async def check_whole(client: Client, peer: MongoPeer | None = None) -> None:
    """The next operation is served, by one connection and at most one session, and closing leaves nothing.

    With a peer, by the very connection that the victim had: a cancelled operation costs none.
    """
    await client.ping()
    async with asyncio.timeout(5):
        while not settled(client):  # noqa: ASYNC110
            await asyncio.sleep(0)
    pool = status(client)
    assert (pool.idle, pool.in_use, pool.waiting) == (1, 0, 0)
    assert len(client._executor.sessions) == 1
    if peer is not None:
        assert connections(peer) == 1
    await client.close()


@asynccontextmanager
async def connected(contexts: Contexts, *, opened: bool = True) -> AsyncIterator[tuple[MongoPeer, Client]]:
    async with mongo_peer(contexts.server(client_certificate=True)) as peer:
        peer.answers["find"] = cursor_reply("firstBatch", 7)
        peer.answers["getMore"] = cursor_reply("nextBatch", 0)
        client = client_of(peer, contexts)
        try:
            if opened:
                await client.aconnect()
            yield peer, client
        finally:
            client.abort()
            await client.close()


@in_every_way
async def test_connect(contexts: Contexts, cancels: Cancels) -> None:
    """Cancelled, it leaves nothing open; in time, it gives a client."""

    @asynccontextmanager
    async def scenario() -> AsyncIterator[World]:
        async with mongo_peer(contexts.server(client_certificate=True)) as peer:
            client = client_of(peer, contexts)

            async def check(was_cancelled: bool) -> None:
                if was_cancelled:
                    # Before its first step, nothing has happened to it.
                    if not client._executor._is_closed:
                        await client.close()
                    with pytest.raises(InvalidOperation):
                        await client.ping()
                else:
                    await check_whole(client)
                await peer.until(lambda: not peer.open_sessions)

            yield World(client.__aenter__, check)

    steps = await sweep(scenario, cancels=cancels)
    assert steps > 10


@in_every_way
@pytest.mark.usefixtures("quick_keys")
async def test_connect_by_scram(cancels: Cancels) -> None:
    """With a computation on another thread in the middle: nobody is left half logged in, and the key is there."""

    @asynccontextmanager
    async def scenario() -> AsyncIterator[World]:
        async with mongo_peer() as peer:
            ScramPeer(peer)
            client = AsyncClient[dict[str, Any]](
                "127.0.0.1", peer.port, username="ada", password="secret", authMechanism="SCRAM-SHA-256"
            )

            async def check(was_cancelled: bool) -> None:
                if was_cancelled:
                    if not client._executor._is_closed:
                        await client.close()
                else:
                    await check_whole(client)
                await peer.until(lambda: not peer.open_sessions)

            yield World(client.__aenter__, check, settled=lambda: settled(client))

    steps = await sweep(scenario, cancels=cancels)
    assert steps > 10


@in_every_way
@pytest.mark.parametrize("mechanism", ["SCRAM-SHA-256", "MONGODB-X509"])
@pytest.mark.usefixtures("quick_keys")
async def test_authenticating_again(contexts: Contexts, cancels: Cancels, mechanism: str) -> None:
    """A connection that was cut off in the middle of it is closed, and the next operation has another."""

    @asynccontextmanager
    async def scenario() -> AsyncIterator[World]:
        async with mongo_peer(contexts.server(client_certificate=True)) as peer:
            if mechanism == "MONGODB-X509":
                client = client_of(peer, contexts)
            else:
                ScramPeer(peer)
                options = contexts.options()
                client = AsyncClient[dict[str, Any]](
                    "127.0.0.1",
                    peer.port,
                    tlsCAFile=options.ca_file,
                    tlsCertificateKeyFile=options.certificate_key_file,
                    username="ada",
                    password="secret",
                    authMechanism=mechanism,
                    maxPoolSize=1,
                )
            demands = iter([True])
            peer.answers["find"] = lambda _: (
                {"ok": 0.0, "code": 391, "errmsg": "who is there?"}
                if next(demands, False)
                else cursor_reply("firstBatch", 0)
            )
            try:
                await client.aconnect()

                async def check(was_cancelled: bool) -> None:
                    await check_whole(client)

                yield World(client["app"]["users"].find_one, check, settled=lambda: settled(client))
            finally:
                client.abort()
                await client.close()

    steps = await sweep(scenario, cancels=cancels)
    assert steps > 2


@in_every_way
@pytest.mark.parametrize("opened", [True, False])
async def test_find_one(contexts: Contexts, cancels: Cancels, opened: bool) -> None:
    """On an open client, and as the operation that connects."""

    @asynccontextmanager
    async def scenario() -> AsyncIterator[World]:
        async with connected(contexts, opened=opened) as (peer, client):
            peer.answers["find"] = cursor_reply("firstBatch", 0)

            async def check(was_cancelled: bool) -> None:
                await check_whole(client, peer if opened else None)

            yield World(client["app"]["users"].find_one, check, settled=lambda: settled(client))

    steps = await sweep(scenario, cancels=cancels)
    assert steps > (1 if opened else 10)


@in_every_way
async def test_iterating(contexts: Contexts, cancels: Cancels) -> None:
    """A cursor that was cut off says so when it is read again, and is killed where the server still has it."""

    @asynccontextmanager
    async def scenario() -> AsyncIterator[World]:
        async with connected(contexts) as (peer, client):
            cursor = client["app"]["users"].find()

            async def check(was_cancelled: bool) -> None:
                started = cursor._command is not None
                if was_cancelled and started:
                    with pytest.raises(CursorNotFound):
                        await cursor.to_list()
                else:
                    await cursor.to_list()
                assert not cursor.alive
                await check_whole(client, peer)
                # Cut off before the first batch, it is the late reply that tells its id.
                killed = [command["cursors"] for command in peer.commands if "killCursors" in command]
                assert killed == ([[7]] if was_cancelled and started else [])

            yield World(cursor.to_list, check, settled=lambda: settled(client))

    steps = await sweep(scenario, cancels=cancels)
    assert steps > 2


@in_every_way
async def test_closing_a_cursor(contexts: Contexts, cancels: Cancels) -> None:
    """Its killCursors arrives: by the call itself, or by the next operation."""

    @asynccontextmanager
    async def scenario() -> AsyncIterator[World]:
        async with connected(contexts) as (peer, client):
            cursor = client["app"]["users"].find()
            await cursor.next()

            async def check(was_cancelled: bool) -> None:
                await cursor.close()
                assert not cursor.alive
                await check_whole(client, peer)
                killed = [command["cursors"] for command in peer.commands if "killCursors" in command]
                assert killed
                assert all(ids == [7] for ids in killed)

            yield World(cursor.close, check, settled=lambda: settled(client))

    steps = await sweep(scenario, cancels=cancels)
    assert steps > 1


@in_every_way
async def test_a_bulk_of_several_commands(contexts: Contexts, cancels: Cancels) -> None:
    """Nothing more is sent after the cancellation."""

    @asynccontextmanager
    async def scenario() -> AsyncIterator[World]:
        async with connected(contexts) as (peer, client):
            operations = [InsertOne({"_id": 1}), UpdateOne({}, {"$set": {"a": 1}}), DeleteOne({})]

            async def victim() -> None:
                await client["app"]["users"].bulk_write(operations)

            async def check(was_cancelled: bool) -> None:
                count = len(peer.commands)
                await check_whole(client, peer)
                assert [name for command in peer.commands[count:] if (name := next(iter(command))) in WRITES] == []

            yield World(victim, check, settled=lambda: settled(client))

    steps = await sweep(scenario, cancels=cancels)
    assert steps > 3


@in_every_way
@pytest.mark.parametrize("busy", [True, False])
async def test_close(contexts: Contexts, cancels: Cancels, busy: bool) -> None:
    """It goes through, whatever is under way; a second one finds it done."""

    @asynccontextmanager
    async def scenario() -> AsyncIterator[World]:
        async with connected(contexts) as (peer, client):
            await client.ping()
            peer.answers["find"] = None if busy else cursor_reply("firstBatch", 0)
            operation = asyncio.ensure_future(client["app"]["users"].find_one()) if busy else None
            await asyncio.sleep(0)

            async def check(was_cancelled: bool) -> None:
                await client.close()
                if operation is not None:
                    with suppress(Exception):
                        await operation
                assert client.pool_status() == {}
                await peer.until(lambda: not peer.open_sessions)

            yield World(client.close, check)

    steps = await sweep(scenario, cancels=cancels)
    assert steps > 1
