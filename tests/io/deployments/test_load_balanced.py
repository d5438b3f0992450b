"""Two mongos behind a load balancer, over TLS: whoever answered is kept where it matters, and blamed alone."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Sequence
from typing import Any

import pytest
from events import Events

from aiomongo_tls import (
    AsyncClient,
    AsyncCursor,
    AutoReconnect,
    ConfigurationError,
    ConnectionClosedEvent,
    ConnectionClosedReason,
    NotPrimaryError,
    PoolClearedEvent,
    ServerHeartbeatStartedEvent,
)
from aiomongo_tls.testing import MongoTestServer, ShardedCluster

Client = AsyncClient[dict[str, Any]]


class Balanced:
    """The cluster, a client with one connection to each mongos, and what it tells."""

    def __init__(self, cluster: ShardedCluster, client: Client, events: Events) -> None:
        self.cluster = cluster
        self.client = client
        self.events = events

    @property
    def in_use(self) -> int:
        (status,) = self.client.pool_status().values()
        return status.in_use


@pytest.fixture
async def balanced() -> AsyncIterator[Balanced]:
    with ShardedCluster(mongos=2, load_balancer=True) as cluster:
        events = Events()
        async with cluster.connect(event_listeners=[events], maxPoolSize=2, retryReads=False) as client:
            users = client.app.users
            await users.insert_many([{"_id": number} for number in range(10)])
            # Two at once need two connections, and the balancer gives them to different mongos.
            await asyncio.gather(*(hold(server, client) for server in cluster.mongos))
            assert [len(server.connections) for server in cluster.mongos] == [1, 1]
            yield Balanced(cluster, client, events)


async def hold(server: MongoTestServer, client: Client) -> None:
    server.on("count").answers_after(0.05).once()
    await client.app.users.estimated_document_count()


async def next_of_each(cursors: Sequence[AsyncCursor[Any]]) -> None:
    """Each holds its connection, so that no two of them are with the same mongos."""
    for cursor in cursors:
        await cursor.next()


async def test_a_cursor_stays_with_its_mongos(balanced: Balanced) -> None:
    """Only there it is open; two cursors have one each, and everything they send goes over one connection."""
    first = balanced.client.app.users.find(batch_size=2)
    second = balanced.client.app.users.find(batch_size=2)
    await first.next()
    await second.next()
    assert balanced.in_use == 2
    assert [len(await cursor.to_list()) for cursor in (first, second)] == [9, 9]
    assert balanced.in_use == 0
    for server in balanced.cluster.mongos:
        said = server.commands_named("find", "getMore")
        assert [command.name for command in said] == ["find", "getMore", "getMore", "getMore", "getMore", "getMore"]
        assert len({command.connection_id for command in said}) == 1


async def test_connections_know_their_service(balanced: Balanced) -> None:
    """Two mongos that are going away are told apart, in errors and in events."""
    cursors = [balanced.client.app.users.find(batch_size=2) for _ in range(2)]
    await next_of_each(cursors)
    for server in balanced.cluster.mongos:
        server.fail_point(mode={"times": 1}, failCommands=["getMore"], errorCode=91)
    services = []
    for cursor in cursors:
        with pytest.raises(NotPrimaryError) as raised:
            await cursor.to_list()
        services.append(raised.value.service_id)
    assert None not in services
    assert len(set(services)) == 2
    cleared = balanced.events.of(PoolClearedEvent)
    assert [event.service_id for event in cleared] == services
    assert not any(event.interrupt_connections for event in cleared)


async def test_an_error_clears_one_service_only(balanced: Balanced) -> None:
    """The other's connection is used on; nothing becomes unknown."""
    lost, kept = balanced.cluster.mongos
    before = {connection.id for connection in kept.connections}
    lost.on("find").hangs_up().once()
    cursors = [balanced.client.app.users.find(batch_size=2) for _ in range(2)]
    with pytest.raises(AutoReconnect) as raised:
        await next_of_each(cursors)
    assert raised.value.service_id is not None
    for cursor in cursors:
        await cursor.close()
    (cleared,) = balanced.events.of(PoolClearedEvent)
    assert cleared.service_id == raised.value.service_id
    assert balanced.client.topology_description.topology_type_name == "LoadBalanced"
    (known,) = balanced.client.topology_description.server_descriptions().values()
    assert (known.server_type_name, known.error) == ("LoadBalancer", None)
    for _ in range(3):
        await balanced.client.app.users.find_one()
    assert {connection.id for connection in kept.connections} >= before
    reasons = [event.reason for event in balanced.events.of(ConnectionClosedEvent)]
    assert reasons == [ConnectionClosedReason.ERROR]


async def test_a_mongos_that_dies(balanced: Balanced) -> None:
    """What was under way there fails, the next operations go to the other, and the dead one's cursors say why."""
    cursors = [balanced.client.app.users.find(batch_size=2) for _ in range(2)]
    await next_of_each(cursors)
    dead = balanced.cluster.mongos[0]
    await asyncio.to_thread(balanced.cluster.kill, dead)
    alive, lost = await asyncio.gather(*(cursor.to_list() for cursor in cursors), return_exceptions=True)
    if isinstance(alive, BaseException):
        alive, lost = lost, alive
    assert isinstance(alive, list)
    assert len(alive) == 9
    assert isinstance(lost, AutoReconnect)
    assert lost.service_id is not None
    for cursor in cursors:
        await cursor.close()
    assert balanced.in_use == 0
    for _ in range(5):
        await balanced.client.app.users.insert_one({})
    assert await balanced.client.app.users.count_documents({}) == 15
    assert not dead.commands_named("killCursors")


async def test_nothing_is_watched(balanced: Balanced) -> None:
    """There are the pool's connections and no others, each of which said so in OP_MSG and hello."""
    assert balanced.events.of(ServerHeartbeatStartedEvent) == []
    hellos = [command for server in balanced.cluster.mongos for command in server.commands_named("hello", "isMaster")]
    assert len(hellos) == 2
    assert {command.name for command in hellos} == {"hello"}
    assert all(command.document["loadBalanced"] is True and not command.op_query for command in hellos)
    names = [task.get_name() for task in asyncio.all_tasks()]
    assert not any("monitor" in name for name in names)


async def test_five_events_at_the_beginning_and_three_at_the_end() -> None:
    """As the specification counts those of topology and server; one pool beside."""
    with ShardedCluster(mongos=1, load_balancer=True) as cluster:
        events = Events()
        async with cluster.connect(event_listeners=[events]):
            began = [name for name in events.names if name.startswith(("Topology", "Server"))]
            events.forget()
        ended = [name for name in events.names if name.startswith(("Topology", "Server"))]
    assert began == [
        "TopologyOpened",
        "TopologyDescriptionChanged",
        "ServerOpening",
        "ServerDescriptionChanged",
        "TopologyDescriptionChanged",
    ]
    assert ended == ["ServerClosed", "TopologyDescriptionChanged", "TopologyClosed"]


async def test_a_server_that_is_behind_no_load_balancer() -> None:
    """It says no serviceId: refused at once, with the specification's words."""
    with MongoTestServer(topology="mongos") as server:
        async with asyncio.timeout(2):
            with pytest.raises(ConfigurationError, match="load balancing mode, but the server does not support this"):
                await server.connect(loadBalanced=True)
