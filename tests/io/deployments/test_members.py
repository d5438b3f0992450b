"""A replica set over TLS, as its clients see it: found from one seed, read from where they want, monitored safely."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from datetime import timedelta
from functools import partial
from typing import Any

import pytest
from events import Events

from aiomongo_tls import (
    AsyncClient,
    ClientCertificateRejected,
    ConfigurationError,
    Nearest,
    NotPrimaryError,
    PoolClearedEvent,
    Secondary,
    ServerHeartbeatStartedEvent,
    ServerHeartbeatSucceededEvent,
    ServerSelectionTimeoutError,
)
from aiomongo_tls.core.events.topology_events import ServerHeartbeatEvent
from aiomongo_tls.testing import MongoTestServer, ReplicaSet

Client = AsyncClient[dict[str, Any]]


@pytest.fixture
def members() -> Iterator[ReplicaSet]:
    """The first in New York, the others in Lisbon, one for backups, one that only votes."""
    tags = [{"dc": "ny"}, {"dc": "li", "use": "web"}, {"dc": "li", "use": "reports"}, {"dc": "ny", "use": "backup"}]
    with ReplicaSet(members=3, passives=1, arbiters=1, tags=tags) as running:
        yield running


async def all_found(client: Client, events: Events, count: int) -> None:
    await events.until(lambda: len(client.topology_description.known_servers) == count)


@pytest.mark.parametrize("seed", range(5), ids=["primary", "secondary", "secondary", "passive", "arbiter"])
async def test_found_from_one_seed(members: ReplicaSet, seed: int) -> None:
    """Whoever it is, and with or without the set's name."""
    for replica_set in (members.name, None):
        events = Events()
        uri = members.servers[seed].uri(directConnection=None, replicaSet=replica_set)
        async with Client.connect(uri, event_listeners=[events]) as client:
            await client.app.users.insert_one({})
            await all_found(client, events, 5)
            primary = members.wait_for_primary()
            assert await client.primary == (primary.address.host, primary.address.port)
            assert len(await client.secondaries) == 3
            assert len(await client.arbiters) == 1


async def test_a_set_of_another_name(members: ReplicaSet) -> None:
    """Nobody of it will do, and no waiting would help."""
    async with asyncio.timeout(2):
        with pytest.raises(ConfigurationError, match="'rs0', not of 'other'"):
            await members.connect(replicaSet="other")


async def counts(members: ReplicaSet, name: str = "find") -> list[int]:
    return [len(server.commands_named(name)) for server in members.servers]


async def test_reads_by_tags(members: ReplicaSet) -> None:
    """The first set of tags that anybody matches decides; without a match a secondary read finds nobody."""
    events = Events()
    async with members.connect(event_listeners=[events], localThresholdMS=1000) as client:
        await all_found(client, events, 5)
        for tag_sets, expected in (
            ([{"use": "reports"}], {2}),
            ([{"dc": "mars"}, {"dc": "li"}], {1, 2}),
            ([{"dc": "li", "use": "web"}, {}], {1}),
            ([{"dc": "mars"}, {}], {1, 2, 3}),
        ):
            users = client.app.get_collection("users", read_preference=Secondary(tag_sets=tag_sets))
            before = await counts(members)
            for _ in range(15):
                await users.find_one()
            after = await counts(members)
            served = {number for number, count in enumerate(after) if count > before[number]}
            assert served <= expected
            assert sum(after) - sum(before) == 15
        nearest = client.app.get_collection("users", read_preference=Nearest(tag_sets=[{"dc": "ny"}]))
        await nearest.find_one()
        uri = members.uri(readPreference="secondary", readPreferenceTags="dc:mars", serverSelectionTimeoutMS=500)
        with pytest.raises(ServerSelectionTimeoutError, match=r"Secondary.* was not found"):
            await Client.connect(uri)


async def test_reads_of_secondaries_that_are_not_too_far_behind() -> None:
    """With maxStalenessSeconds a secondary that lags is passed over, and used without."""
    with ReplicaSet(members=3) as members:
        behind, fresh = members.secondaries
        async with Client.connect(behind.uri()) as direct:
            hello = await direct.admin.command("hello")
        # It has no topologyVersion, so that it is polled.
        lagging = {name: value for name, value in hello.items() if name not in ("topologyVersion", "$clusterTime")}
        last_write = lagging["lastWrite"]
        lagging["lastWrite"] = {**last_write, "lastWriteDate": last_write["lastWriteDate"] - timedelta(seconds=200)}
        behind.on("hello").replies(lagging)
        events = Events()
        async with members.connect(event_listeners=[events], localThresholdMS=1000) as client:
            await all_found(client, events, 3)
            users = client.app.users
            for staleness, expected in ((90, {fresh}), (250, {fresh, behind}), (-1, {fresh, behind})):
                before = [len(server.commands_named("find")) for server in (behind, fresh)]
                preference = Secondary(max_staleness=staleness)
                for _ in range(20):
                    await users.with_options(read_preference=preference).find_one()
                after = [len(server.commands_named("find")) for server in (behind, fresh)]
                served = {s for s, b, a in zip((behind, fresh), before, after, strict=True) if a > b}
                assert served == expected


async def test_a_direct_connection_to_each_kind(members: ReplicaSet) -> None:
    """It stays there: what has data reads, only the primary writes, an arbiter does neither."""
    primary, arbiter = members.wait_for_primary(), members.arbiters[0]
    async with members.connect() as client:
        await client.app.users.insert_one({"_id": 1})
    for server in members.servers:
        if server is arbiter:
            # It has no data, so that nobody can log in there; the test set lets them.
            continue
        async with Client.connect(server.uri(directConnection=True)) as client:
            cursor = client.app.users.find()
            assert await cursor.to_list() == [{"_id": 1}]
            assert cursor.address == (server.address.host, server.address.port)
            if server is primary:
                await client.app.users.update_one({"_id": 1}, {"$set": {"a": 1}})
                await client.app.users.update_one({"_id": 1}, {"$unset": {"a": 1}})
            else:
                with pytest.raises(NotPrimaryError):
                    await client.app.users.insert_one({"_id": 2})
            assert client.nodes == {(server.address.host, server.address.port)}


def is_of(server: MongoTestServer, event: ServerHeartbeatEvent) -> bool:
    return event.connection_id == server.address


@pytest.mark.parametrize("how", ["kill", "step_down", "partition"])
async def test_failover_of_a_client_that_polls(how: str) -> None:
    """With serverMonitoringMode=poll nobody is told by a stream: errors and requested checks find the next primary."""
    with ReplicaSet(members=3) as members:
        events = Events()
        options: Any = {"serverMonitoringMode": "poll", "heartbeatFrequencyMS": 500, "connectTimeoutMS": 500}
        async with members.connect(event_listeners=[events], **options) as client:
            users = client.app.users
            await users.insert_one({"_id": 0})
            # Each has been asked again: no monitor has just begun.
            for server in members.servers:
                await events.occurs(ServerHeartbeatSucceededEvent, 2, partial(is_of, server))
            was = members.wait_for_primary()
            if how == "step_down":
                await asyncio.to_thread(members.step_down)
            else:
                await asyncio.to_thread(getattr(members, how), was)
            async with asyncio.timeout(10):
                for number in range(1, 6):
                    await users.insert_one({"_id": number})
            assert await users.count_documents({}) == 6
            now = members.wait_for_primary()
            assert await client.primary == (now.address.host, now.address.port)
            assert now is not was
            if how == "step_down":
                # It is a secondary, and its connections are as good as before.
                assert events.of(PoolClearedEvent) == []
        assert not any(event.awaited for event in events.of(ServerHeartbeatStartedEvent))
        hellos = [command for server in members.servers for command in server.commands_named("hello")]
        assert not any("topologyVersion" in hello.document for hello in hellos)


async def test_a_client_that_streams_learns_of_an_election_at_once() -> None:
    """Without a question, and without an error: nobody has used the old primary."""
    with ReplicaSet(members=3) as members:
        events = Events()
        async with members.connect(event_listeners=[events]) as client:
            await all_found(client, events, 3)
            await events.until(
                lambda: len(events.of(ServerHeartbeatStartedEvent, where=lambda event: event.awaited)) == 3
            )
            next_one = members.secondaries[0]
            await asyncio.to_thread(members.elect, next_one)
            loop = asyncio.get_running_loop()
            began = loop.time()
            await events.until(lambda: has_primary(client, next_one))
            # The heartbeat's ten seconds would be a question.
            assert loop.time() - began < 2
            await client.app.users.insert_one({})
            assert len(next_one.commands_named("insert")) == 1
        assert events.of(PoolClearedEvent) == []


def has_primary(client: Client, server: MongoTestServer) -> bool:
    primary = client.topology_description.primary
    return primary is not None and primary.address == server.address


async def test_monitors_use_the_client_s_certificate_and_never_log_in() -> None:
    """The members demand a certificate of every connection; only those of the pool log in with it."""
    with ReplicaSet(members=3) as members:
        events = Events()
        options: Any = {"heartbeatFrequencyMS": 500, "readPreference": "nearest", "localThresholdMS": 1000}
        async with members.connect(event_listeners=[events], **options) as client:
            await all_found(client, events, 3)
            for server in members.servers:
                # The connection that measures round trips is opened after an interval.
                await asyncio.to_thread(until_pinged, server)
            for _ in range(20):
                await client.app.users.find_one()
            for server in members.servers:
                connections = server.connections
                users = {connection.user for connection in connections}
                assert len(connections) >= 2
                assert None in users
                assert {connection.certificate_subject for connection in connections} == {SUBJECT}
                assert all(connection.tls is not None for connection in connections)
                monitors = {connection.id for connection in connections if connection.user is None}
                assert len(monitors) == 2
                said = [command for command in server.commands if command.connection_id in monitors]
                assert {command.name for command in said} <= {"hello", "isMaster"}
                assert not any("speculativeAuthenticate" in command.document for command in said)
                assert not any("saslSupportedMechs" in command.document for command in said)
                assert not any("$clusterTime" in command.document or "lsid" in command.document for command in said)
            logged_in = {c.user for server in members.servers for c in server.connections} - {None}
            assert logged_in == {SUBJECT}


SUBJECT = "CN=tester,OU=clients,O=aiomongo_tls tests"


def until_pinged(server: MongoTestServer) -> None:
    """Two connections have said hello without wanting to log in."""
    server.wait_for("hello", "isMaster", count=5)


async def test_a_client_without_a_certificate(members: ReplicaSet) -> None:
    """Its monitors are refused by every member, which no waiting mends; the error tells what to do."""
    async with asyncio.timeout(3):
        with pytest.raises(ClientCertificateRejected) as raised:
            await members.connect(client=None)
    assert "tlsCertificateKeyFile" in str(raised.value)
