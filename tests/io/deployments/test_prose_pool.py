"""Prose tests of connection monitoring and pooling, and of pools under a rate limiter."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
from events import Events
from gate import gate

from aiomongo_tls import (
    AsyncClient,
    AuthenticationFailed,
    AutoReconnect,
    ConnectionCheckedInEvent,
    ConnectionCheckedOutEvent,
    ConnectionCheckOutFailedEvent,
    ConnectionCheckOutFailedReason,
    ConnectionCheckOutStartedEvent,
    ConnectionCreatedEvent,
    ConnectionPoolListener,
    ConnectionReadyEvent,
    MongoError,
    PoolClearedEvent,
    PoolCreatedEvent,
    PoolReadyEvent,
)
from aiomongo_tls.testing import MongoTestServer, ReplicaSet, User
from aiomongo_tls.testing.tls_context import TLSMode

POOL_OPTIONS: dict[str, Any] = {
    "maxPoolSize": 7,
    "minPoolSize": 1,
    "maxIdleTimeMS": 60_000,
    "maxConnecting": 3,
    "waitQueueTimeoutMS": 5_000,
}


async def created(client: AsyncClient[Any], events: Events, count: int) -> list[PoolCreatedEvent]:
    """The pools of a client that has found so many servers."""
    async with client:
        await events.occurs(PoolReadyEvent, count)
        return events.of(PoolCreatedEvent)


@pytest.mark.parametrize("name", POOL_OPTIONS)
def test_1_pool_options_are_the_client_s(name: str) -> None:
    """Databases and collections take none."""
    client = AsyncClient[Any]("nowhere.invalid", **{name: POOL_OPTIONS[name]})
    makers: list[Any] = [client.get_database, client.app.with_options, client.app.get_collection]
    for make in makers:
        with pytest.raises(TypeError, match=name):
            make("other", **{name: 1})


async def test_2_pool_options_are_the_same_for_all_pools() -> None:
    """Of three members, two of which were found by the third."""
    events = Events()
    with ReplicaSet(members=3, tls="off") as members:
        client = AsyncClient[Any](
            members.servers[0].uri(directConnection=None), event_listeners=[events], **POOL_OPTIONS
        )
        pools = await created(client, events, 3)
        assert {pool.address for pool in pools} == {server.address for server in members.servers}
        assert all(pool.options == POOL_OPTIONS for pool in pools)


async def test_3_pool_options_in_the_uri() -> None:
    """All of them."""
    events = Events()
    with MongoTestServer(tls="off") as server:
        (pool,) = await created(AsyncClient(server.uri(**POOL_OPTIONS), event_listeners=[events]), events, 1)
        assert pool.options == POOL_OPTIONS


async def test_4_listeners() -> None:
    """An object of a class of one's own, with the methods one wants."""
    told: list[Any] = []

    class Listener(ConnectionPoolListener):
        def connection_checked_out(self, event: ConnectionCheckedOutEvent) -> None:
            told.append(event)

        def connection_checked_in(self, event: ConnectionCheckedInEvent) -> None:
            told.append(event)

    with MongoTestServer() as server:
        async with server.connect(event_listeners=[Listener()]) as client:
            told.clear()
            await client.app.users.find_one()
            assert [type(event) for event in told] == [ConnectionCheckedOutEvent, ConnectionCheckedInEvent]
            assert {(event.address, event.connection_id) for event in told} == {(server.address, 1)}


@pytest.mark.parametrize("password", ["secret", "wrong"], ids=["hello", "authentication"])
async def test_5_a_connection_that_cannot_be_set_up(password: str) -> None:
    """The check out fails with the reason connectionError, whether in the first hello or when logging in."""
    events = Events()
    with MongoTestServer(users=[User("ada", "secret")], tls="off") as server:
        if password == "secret":
            # What a monitor says names no user.
            server.on("hello", where=lambda command: "saslSupportedMechs" in command.document).hangs_up()
        client = AsyncClient[Any](server.uri(user=User("ada", password)), event_listeners=[events])
        client._executor._chance = lambda: 0.0
        with pytest.raises(AutoReconnect if password == "secret" else AuthenticationFailed):
            await client.app.users.find_one()
        await client.close()
    failed = events.of(ConnectionCheckOutFailedEvent)
    assert failed
    assert {event.reason for event in failed} == {ConnectionCheckOutFailedReason.CONN_ERROR}
    kinds = (
        ConnectionCheckOutStartedEvent,
        ConnectionCreatedEvent,
        ConnectionReadyEvent,
        ConnectionCheckOutFailedEvent,
    )
    assert [type(event) for event in events.of(*kinds)][:3] == [
        ConnectionCheckOutStartedEvent,
        ConnectionCreatedEvent,
        ConnectionCheckOutFailedEvent,
    ]


@pytest.mark.parametrize("tls", ["require_client", "off"])
async def test_connection_pool_backpressure(tls: TLSMode) -> None:
    """A server that turns most new connections away, in the TLS handshake or in hello, is not taken for lost."""
    events = Events()
    with MongoTestServer(tls=tls) as server:
        async with gate(server.address) as limiter:
            uri = server.uri().replace(str(server.address), f"127.0.0.1:{limiter.port}")
            async with AsyncClient.connect(uri, maxConnecting=100, event_listeners=[events]) as client:
                client._executor._chance = lambda: 0.0
                await client.test.test.insert_one({})
                limiter.admits = lambda number: number % 4 == 0
                with server.fail_point(failCommands=["find"], blockConnection=True, blockTimeMS=200):
                    found = await asyncio.gather(
                        *(client.test.test.find_one() for _ in range(100)), return_exceptions=True
                    )
                limiter.admits = lambda number: True
                assert await client.test.test.find_one()
    assert limiter.refused >= 10
    assert len(events.of(ConnectionCheckOutFailedEvent)) >= 10
    assert events.of(PoolClearedEvent) == []
    errors = [each for each in found if isinstance(each, BaseException)]
    assert all(isinstance(error, MongoError) and error.has_error_label("SystemOverloadedError") for error in errors)
