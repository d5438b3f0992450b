"""What listeners hear of a client's whole life, in order."""

from __future__ import annotations

import asyncio
from typing import Any

from events import Events, name_of

from aiomongo_tls import (
    ConnectionClosedEvent,
    ConnectionCreatedEvent,
    ConnectionReadyEvent,
    PoolClearedEvent,
    PoolClosedEvent,
    PoolCreatedEvent,
    PoolReadyEvent,
    ServerClosedEvent,
    ServerDescriptionChangedEvent,
    ServerHeartbeatFailedEvent,
    ServerHeartbeatStartedEvent,
    ServerHeartbeatSucceededEvent,
    ServerOpeningEvent,
    TopologyClosedEvent,
    TopologyDescriptionChangedEvent,
    TopologyOpenedEvent,
)
from aiomongo_tls.address import ServerAddress
from aiomongo_tls.testing import MongoTestServer, ReplicaSet


async def test_one_server() -> None:
    """Found, used and left: every event there is, each in its place."""
    events = Events()
    with MongoTestServer(topology="replica_set") as server:
        async with server.connect(event_listeners=[events], serverMonitoringMode="poll") as client:
            await client.app.users.insert_one({})
        assert events.names == [
            "TopologyOpened",
            "TopologyDescriptionChanged",
            "ServerOpening",
            "PoolCreated",
            "ServerHeartbeatStarted",
            *TLS_HANDSHAKE,
            "ServerHeartbeatSucceeded",
            "ServerDescriptionChanged",
            "TopologyDescriptionChanged",
            "PoolReady",
            *CHECK_OUT_OF_A_NEW_CONNECTION,
            "ConnectionCheckedIn",
            *CHECK_OUT,
            "ConnectionCheckedIn",
            # endSessions
            *CHECK_OUT,
            "ConnectionCheckedIn",
            "ConnectionClosed",
            "PoolClosed",
            "ServerClosed",
            "TopologyDescriptionChanged",
            "TopologyClosed",
        ]
        assert {event.address for event in events.of(PoolCreatedEvent, ConnectionReadyEvent)} == {server.address}
        assert len({event.topology_id for event in events.of(TopologyOpenedEvent, TopologyClosedEvent)}) == 1


TLS_HANDSHAKE = ["TLSHandshakeStarted", "TLSHandshakeSucceeded"]
CHECK_OUT = ["ConnectionCheckOutStarted", "ConnectionCheckedOut"]
CHECK_OUT_OF_A_NEW_CONNECTION = [
    "ConnectionCheckOutStarted",
    "ConnectionCreated",
    *TLS_HANDSHAKE,
    "ConnectionReady",
    "ConnectionCheckedOut",
]


def address_of(event: Any) -> ServerAddress | None:
    for name in ("server_address", "address", "connection_id"):
        value = getattr(event, name, None)
        if isinstance(value, ServerAddress):
            return value
    return None


def of_server(events: Events, address: ServerAddress) -> list[Any]:
    return [event for event in events.all if address_of(event) == address]


async def test_a_replica_set_whose_primary_dies() -> None:
    """What is told of each server is in order, whatever happens to the others; and nothing comes after the end."""
    events = Events()
    with ReplicaSet(members=3) as members:
        async with members.connect(event_listeners=[events], heartbeatFrequencyMS=500) as client:
            await client.app.users.insert_one({})
            await events.until(lambda: len(client.topology_description.known_servers) == 3)
            dead = members.wait_for_primary()
            before = len(events.all)
            await asyncio.to_thread(members.kill, dead)
            await client.app.users.insert_one({})
            await events.occurs(PoolClearedEvent, where=lambda event: event.address == dead.address)
            after_death = [event for event in events.all[before:] if address_of(event) == dead.address]
            await asyncio.to_thread(members.restart, dead)
            await events.until(lambda: len(client.topology_description.known_servers) == 3)
            await client.app.users.insert_one({})
        count = len(events.all)
        addresses = [server.address for server in members.servers]

    assert isinstance(events.all[0], TopologyOpenedEvent)
    assert isinstance(events.all[-1], TopologyClosedEvent)
    assert len(events.of(TopologyOpenedEvent)) == len(events.of(TopologyClosedEvent)) == 1
    types = [e.new_description.topology_type_name for e in events.of(TopologyDescriptionChangedEvent)]
    assert types[0] == "ReplicaSetNoPrimary"
    assert types[-1] == "Unknown"
    assert "ReplicaSetNoPrimary" in types[types.index("ReplicaSetWithPrimary") :]
    for address in addresses:
        check_order(of_server(events, address))
    # Found dead: the check failed, the server is unknown, its pool is not to be used, in this order.
    order = [
        name_of(event)
        for event in after_death
        if isinstance(event, ServerHeartbeatFailedEvent | ServerDescriptionChangedEvent | PoolClearedEvent)
    ]
    found = order.index("ServerDescriptionChanged")
    assert "PoolCleared" in order[found:]
    await asyncio.sleep(0)
    assert len(events.all) == count


def check_order(events: list[Any]) -> None:
    """Of one server: opened, pool made, checked, ready, used; connections and pool closed before the server is."""
    kinds = [type(event) for event in events]
    first = {kind: kinds.index(kind) for kind in set(kinds)}
    assert kinds[0] is ServerOpeningEvent
    assert kinds[-1] is ServerClosedEvent
    for earlier, later in (
        (PoolCreatedEvent, ServerHeartbeatStartedEvent),
        (ServerHeartbeatStartedEvent, ServerHeartbeatSucceededEvent),
        (ServerHeartbeatSucceededEvent, ServerDescriptionChangedEvent),
        (ServerDescriptionChangedEvent, PoolReadyEvent),
        (PoolReadyEvent, ConnectionCreatedEvent),
        (ConnectionCreatedEvent, ConnectionReadyEvent),
    ):
        if later in first:
            assert first[earlier] < first[later]
    assert kinds.count(ConnectionCreatedEvent) == kinds.count(ConnectionClosedEvent)
    last_closed = max((n for n, kind in enumerate(kinds) if kind is ConnectionClosedEvent), default=0)
    assert last_closed < kinds.index(PoolClosedEvent)
    # A pool is ready and cleared by turns, and a check begins when the one before has ended.
    turns = [kind for kind in kinds if kind in (PoolReadyEvent, PoolClearedEvent)]
    assert turns == [PoolReadyEvent, PoolClearedEvent] * (len(turns) // 2) + [PoolReadyEvent] * (len(turns) % 2)
    beats = [event for event in events if name_of(event).startswith("ServerHeartbeat")]
    for started, ended in zip(beats[::2], beats[1::2], strict=False):
        assert isinstance(started, ServerHeartbeatStartedEvent)
        assert not isinstance(ended, ServerHeartbeatStartedEvent)
        assert started.awaited == ended.awaited
