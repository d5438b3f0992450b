"""Prose tests of server discovery and monitoring, and of connections that survive a step down."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from typing import Any, Literal

import pytest
from events import Events

from aiomongo_tls import (
    AsyncClient,
    AutoReconnect,
    NotPrimaryError,
    PoolClearedEvent,
    PoolReadyEvent,
    ReadPreference,
    ServerDescriptionChangedEvent,
    ServerHeartbeatFailedEvent,
    ServerHeartbeatListener,
    ServerHeartbeatStartedEvent,
    ServerHeartbeatSucceededEvent,
    ServerSelectionTimeoutError,
    TopologyDescriptionChangedEvent,
    WriteConcernError,
)
from aiomongo_tls.address import ServerAddress
from aiomongo_tls.testing import MongoTestServer, ReplicaSet

Client = AsyncClient[dict[str, Any]]

PAUSE = 0.49
"""Seconds between two checks at least, but for the coarseness of clocks."""


@pytest.fixture(params=("standalone", "replica_set", "mongos"))
def server(request: pytest.FixtureRequest) -> Any:
    """As each kind of server that monitors ask for a stream."""
    with MongoTestServer(topology=request.param, tls="off") as running:
        yield running


# Streaming protocol, round trip times, heartbeats


async def test_streaming_1_heartbeats_are_processed_every_500_ms(server: MongoTestServer) -> None:
    """With heartbeatFrequencyMS=500 as with a server that streams; 10 s would be the default."""
    events = Events()
    async with server.connect(heartbeatFrequencyMS=500, event_listeners=[events]) as client:
        await events.occurs(ServerHeartbeatSucceededEvent, 4)
        _, *streamed = events.of(ServerHeartbeatSucceededEvent)
        assert all(event.awaited for event in streamed)
        assert all(event.duration > 0.4 for event in streamed)
        assert await client.is_primary


async def test_rtt_1_the_round_trip_time_is_updated_continuously() -> None:
    """Beside the stream, which says nothing of it: a server that slows down is a slow one soon."""
    events = Events()
    options: Any = {"heartbeatFrequencyMS": 500, "appName": "streamingRttTest", "event_listeners": [events]}
    with MongoTestServer(topology="replica_set") as server:
        async with server.connect(**options) as client:
            await client.app.users.find_one()
            await events.occurs(ServerHeartbeatSucceededEvent, 3)
            described = [event.new_description for event in events.of(ServerDescriptionChangedEvent)]
            assert described
            assert all(description.round_trip_time for description in described)

            def round_trip_time() -> float:
                (description,) = client.topology_description.server_descriptions().values()
                return description.round_trip_time or 0.0

            assert round_trip_time() < 0.25
            with server.fail_point(
                mode={"times": 1000},
                failCommands=["hello", "isMaster"],
                blockConnection=True,
                # Longer than the text has it, since one measurement is a fifth of the average.
                blockTimeMS=1500,
                appName="streamingRttTest",
            ):
                await events.until(lambda: round_trip_time() > 0.25)


async def test_heartbeat_1_the_event_comes_before_the_socket() -> None:
    """A check begins, then its connection is opened, then hello is said, then the check fails."""
    told: list[str] = []

    class Listener(ServerHeartbeatListener):
        def started(self, event: ServerHeartbeatStartedEvent) -> None:
            told.append("serverHeartbeatStartedEvent")

        def failed(self, event: ServerHeartbeatFailedEvent) -> None:
            told.append("serverHeartbeatFailedEvent")

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        told.append("client connected")
        await reader.read(1)
        told.append("client hello received")
        writer.transport.abort()

    async with await asyncio.start_server(answer, "127.0.0.1") as mock:
        port = mock.sockets[0].getsockname()[1]
        with pytest.raises(ServerSelectionTimeoutError):
            await AsyncClient.connect("127.0.0.1", port, serverSelectionTimeoutMS=500, event_listeners=[Listener()])
    assert told[:4] == [
        "serverHeartbeatStartedEvent",
        "client connected",
        "client hello received",
        "serverHeartbeatFailedEvent",
    ]


# Test plan


async def test_all_servers_unavailable() -> None:
    """A client of seeds that are not there is made without an error, and closed without one."""
    client = Client("mongodb://127.0.0.1:1,127.0.0.1:2/?replicaSet=rs0")
    await client.close()


class Observed:
    """A set of three over TLS, and a client that does not try twice and is told of nothing by streams."""

    def __init__(self, members: ReplicaSet, client: Client, events: Events) -> None:
        self.members = members
        self.client = client
        self.events = events

    @property
    def primary(self) -> MongoTestServer:
        return self.members.wait_for_primary()

    @property
    def topology_types(self) -> list[str]:
        changes = self.events.of(TopologyDescriptionChangedEvent)
        return [change.new_description.topology_type_name for change in changes]

    def became(self, address: ServerAddress) -> list[str]:
        """What a server was taken for, one after the other."""
        changes = self.events.of(ServerDescriptionChangedEvent, where=lambda event: event.server_address == address)
        return [change.new_description.server_type_name for change in changes]

    def checks(self, address: ServerAddress) -> list[ServerHeartbeatStartedEvent]:
        return self.events.of(ServerHeartbeatStartedEvent, where=lambda event: event.connection_id == address)


async def knows(client: Client, events: Events, count: int) -> None:
    """The client has found so many servers."""
    await events.until(lambda: len(client.topology_description.known_servers) == count)


async def observe(
    members: ReplicaSet, mode: Literal["poll", "stream"] = "poll", **options: Any
) -> AsyncIterator[Observed]:
    events = Events()
    options = {"retryWrites": False, "retryReads": False, "serverMonitoringMode": mode, **options}
    async with members.connect(event_listeners=[events], **options) as client:
        await client.app.users.insert_one({"_id": 0})
        await knows(client, events, 3)
        events.forget()
        yield Observed(members, client, events)


@pytest.fixture
async def observed() -> AsyncIterator[Observed]:
    with ReplicaSet(members=3) as members:
        async for each in observe(members):
            yield each


async def test_network_error_writing_to_primary(observed: Observed) -> None:
    """It is unknown then and the set without a primary; it is looked at again when somebody needs it."""
    primary, events = observed.primary, observed.events
    primary.on("insert").hangs_up().once()
    with pytest.raises(AutoReconnect):
        await observed.client.app.users.insert_one({"_id": 1})
    assert observed.became(primary.address) == ["Unknown"]
    assert observed.topology_types == ["ReplicaSetNoPrimary"]
    for _ in range(10):
        await asyncio.sleep(0)
    assert observed.checks(primary.address) == []
    assert [event.address for event in events.of(PoolClearedEvent)] == [primary.address]
    await observed.client.app.users.insert_one({"_id": 1})
    assert observed.became(primary.address)[-1] == "RSPrimary"


async def test_not_writable_primary_when_reading(observed: Observed) -> None:
    """A member that was taken for the primary refuses a read: unknown, looked at again, its connections are kept."""
    was = observed.primary
    observed.members.elect(observed.members.secondaries[0])
    with pytest.raises(NotPrimaryError) as raised:
        await observed.client.app.users.find_one()
    assert raised.value.code == 13435
    assert observed.became(was.address) == ["Unknown"]
    assert observed.topology_types[0] == "ReplicaSetNoPrimary"
    assert await observed.client.app.users.find_one() == {"_id": 0}
    await observed.events.until(lambda: observed.became(was.address)[-1] == "RSSecondary")
    assert observed.events.of(PoolClearedEvent) == []


async def test_node_is_recovering_when_reading(observed: Observed) -> None:
    """A secondary refuses a read: unknown, looked at again, and the set has its primary all the time."""
    users = observed.client.app.get_collection("users", read_preference=ReadPreference.SECONDARY)
    for member in observed.members.secondaries:
        member.on("find").fails(13436, "node is recovering").once()
    with pytest.raises(NotPrimaryError) as raised:
        await users.find_one()
    assert raised.value.host is not None
    assert observed.became(raised.value.host) == ["Unknown"]
    await observed.events.until(lambda: observed.became(raised.value.host)[-1] == "RSSecondary")  # type: ignore[arg-type]
    assert set(observed.topology_types) == {"ReplicaSetWithPrimary"}
    assert observed.events.of(PoolClearedEvent) == []


async def test_node_is_recovering_from_a_write_concern_error(observed: Observed) -> None:
    """A write was done and its primary shuts down: unknown, looked at again, its connections are not used any more."""
    primary = observed.primary
    concern = {"code": 91, "errmsg": "Replication is being shut down"}
    with (
        primary.fail_point(mode={"times": 1}, failCommands=["insert"], writeConcernError=concern),
        pytest.raises(WriteConcernError),
    ):
        await observed.client.app.users.insert_one({"_id": 1})
    assert observed.became(primary.address) == ["Unknown"]
    assert observed.topology_types == ["ReplicaSetNoPrimary"]
    assert [event.address for event in observed.events.of(PoolClearedEvent)] == [primary.address]
    await observed.events.until(lambda: observed.became(primary.address)[-1] == "RSPrimary")


@pytest.mark.parametrize("direct", [False, None], ids=["topology discovery", "existing behavior"])
async def test_topology_discovery(direct: bool | None) -> None:
    """From a secondary the primary is found, unless directConnection=true."""
    with ReplicaSet(members=2) as members:
        (secondary,) = members.secondaries
        async with AsyncClient.connect(secondary.uri(directConnection=direct)) as client:
            await client.app.users.insert_one({"_id": 1})


async def test_direct_connection_to_a_secondary() -> None:
    """It reads, whatever the read preference, and takes no writes."""
    with ReplicaSet(members=2) as members:
        (secondary,) = members.secondaries
        async with members.connect() as client:
            await client.app.users.insert_one({"_id": 1})
        async with AsyncClient.connect(secondary.uri(directConnection=True)) as client:
            with pytest.raises(NotPrimaryError) as raised:
                await client.app.users.insert_one({"_id": 2})
            assert raised.value.code == 10107
            assert await client.app.users.find().to_list() == [{"_id": 1}]
            assert client.topology_description.topology_type_name == "Single"
            assert client.nodes == {(secondary.address.host, secondary.address.port)}


async def test_monitors_sleep_at_least_half_a_second_between_checks() -> None:
    """Five checks that fail are five pauses, however urgently somebody waits."""
    events = Events()
    with MongoTestServer(tls="off") as server:
        name = "SDAMMinHeartbeatFrequencyTest"
        server.fail_point(mode={"times": 5}, failCommands=["hello", "isMaster"], errorCode=1234, appName=name)
        loop = asyncio.get_running_loop()
        client = Client(
            server.uri(directConnection=True, appName=name, serverSelectionTimeoutMS=5000), event_listeners=[events]
        )
        began = loop.time()
        async with client:
            await client.admin.command("ping")
            assert loop.time() - began > 2
    failed = events.times_of(ServerHeartbeatFailedEvent)
    started = events.times_of(ServerHeartbeatStartedEvent)
    assert len(failed) == 5
    assert all(later - earlier > PAUSE for earlier, later in zip(failed, started[1:6], strict=True))


async def test_connection_pool_management() -> None:
    """A pool is ready after its server was found, cleared when a check fails, and ready again afterwards."""
    events = Events()
    name = "SDAMPoolManagementTest"
    with MongoTestServer(tls="off") as server:
        options: Any = {"directConnection": True, "appName": name, "heartbeatFrequencyMS": 500}
        async with server.connect(event_listeners=[events], **options):
            kinds = (
                ServerHeartbeatSucceededEvent,
                ServerHeartbeatFailedEvent,
                PoolReadyEvent,
                PoolClearedEvent,
            )
            await events.occurs(PoolReadyEvent)
            assert [type(event) for event in events.of(*kinds)][:2] == [ServerHeartbeatSucceededEvent, PoolReadyEvent]
            events.forget()
            server.fail_point(mode={"times": 2}, failCommands=["hello", "isMaster"], errorCode=1234, appName=name)
            await events.occurs(PoolReadyEvent)
            seen = [type(event) for event in events.of(*kinds)]
            at = seen.index(ServerHeartbeatFailedEvent)
            assert seen[at : at + 2] == [ServerHeartbeatFailedEvent, PoolClearedEvent]
            assert seen[-2:] == [ServerHeartbeatSucceededEvent, PoolReadyEvent]


# Connections survive a step down


@pytest.fixture
async def survivor() -> AsyncIterator[Observed]:
    """A client as those tests have it: no retries of writes, and monitors that are told at once."""
    with ReplicaSet(members=3) as members:
        async for each in observe(members, "stream", retryReads=True, heartbeatFrequencyMS=500):
            yield each


async def test_step_down_get_more_iteration(survivor: Observed) -> None:
    """A cursor goes on over the step down of its server, whose connections stay open."""
    client, members = survivor.client, survivor.members
    users = client["step-down"]["step-down"]
    await users.insert_many([{"_id": number} for number in range(5)])
    cursor = users.find(batch_size=2)
    assert [(await cursor.next())["_id"] for _ in range(2)] == [0, 1]
    async with AsyncClient.connect(members.secondaries[0].uri()) as secondary:
        await secondary.admin.command("replSetFreeze", 0)
    was = survivor.primary
    await client.admin.command("replSetStepDown", 30, force=True)
    assert [document["_id"] for document in await cursor.to_list()] == [2, 3, 4]
    assert cursor.address == (was.address.host, was.address.port)
    assert survivor.events.of(PoolClearedEvent) == []


@pytest.mark.parametrize(
    ("code", "clears"),
    [
        pytest.param(10107, False, id="not primary: keep connection pool"),
        pytest.param(91, True, id="shutdown in progress: reset connection pool"),
        pytest.param(11600, True, id="interrupted at shutdown: reset connection pool"),
    ],
)
async def test_step_down_errors(survivor: Observed, code: int, clears: bool) -> None:
    """The next insert succeeds; the pool is cleared only if its server is going away."""
    users = survivor.client["step-down"]["step-down"]
    with (
        survivor.primary.fail_point(mode={"times": 1}, failCommands=["insert"], errorCode=code),
        pytest.raises(NotPrimaryError) as raised,
    ):
        await users.insert_one({"test": 1})
    assert raised.value.code == code
    await users.insert_one({"test": 1})
    assert bool(survivor.events.of(PoolClearedEvent)) is clears
