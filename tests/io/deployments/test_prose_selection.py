"""Prose tests of server selection and max staleness."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Sequence
from typing import Any

import pytest
from events import Events

from aiomongo_tls import (
    AsyncClient,
    ConfigurationError,
    ConnectionReadyEvent,
    ReadPreference,
    Secondary,
    ServerHeartbeatSucceededEvent,
)
from aiomongo_tls.core.sdam.server_description import ServerDescription
from aiomongo_tls.testing import MongoTestServer, ReplicaSet, ShardedCluster


async def test_operation_count_based_selection() -> None:
    """A mongos that is slow gets less than a quarter of the finds; of two that are not each gets its half."""
    random.seed(3)
    events = Events()
    with ShardedCluster(mongos=2, tls="off") as cluster:
        slow, quick = cluster.mongos
        options: Any = {
            "appName": "loadBalancingTest",
            "localThresholdMS": 30_000,
            "minPoolSize": 10,
            "maxPoolSize": 10,
        }
        async with cluster.connect(event_listeners=[events], **options) as client:
            await events.occurs(ConnectionReadyEvent, 20)

            async def find(count: int) -> None:
                for _ in range(count):
                    await client.app.users.find_one()

            async def share_of_slow(count: int) -> float:
                before = [len(server.commands_named("find")) for server in (slow, quick)]
                await asyncio.gather(*(find(count) for _ in range(10)))
                after = [len(server.commands_named("find")) for server in (slow, quick)]
                assert sum(after) - sum(before) == 10 * count
                return (after[0] - before[0]) / (10 * count)

            with slow.fail_point(
                mode={"times": 10_000},
                failCommands=["find"],
                blockConnection=True,
                blockTimeMS=500,
                appName="loadBalancingTest",
            ):
                assert await share_of_slow(10) < 0.25
            assert await share_of_slow(100) == pytest.approx(0.5, abs=0.1)


async def test_application_provided_server_selector() -> None:
    """It is asked whenever there is something to choose from: all ten queries go to the highest port."""
    events = Events()
    asked: list[int] = []

    def highest_port(servers: Sequence[ServerDescription]) -> list[ServerDescription]:
        asked.append(len(servers))
        return sorted(servers, key=lambda server: server.address.port or 0)[-1:]

    with ReplicaSet(members=3) as members:
        options: Any = {"server_selector": highest_port, "event_listeners": [events], "readPreference": "nearest"}
        async with members.connect(**options) as client:
            await events.until(lambda: len(client.topology_description.known_servers) == 3)
            asked.clear()
            for _ in range(10):
                await client.app.users.find_one()
            counts = {server.address.port: len(server.commands_named("find")) for server in members.servers}
            assert counts[max(port for port in counts if port is not None)] == 10
            assert sum(counts.values()) == 10
            assert set(asked) == {3}


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        ("readPreference=primary", None),
        ("readPreference=primaryPreferred", {"mode": "primaryPreferred"}),
        ("readPreference=secondary", {"mode": "secondary"}),
        ("readPreference=secondaryPreferred", {"mode": "secondaryPreferred"}),
        (
            "readPreference=secondaryPreferred&readPreferenceTags=dc:ny",
            {"mode": "secondaryPreferred", "tags": [{"dc": "ny"}]},
        ),
        ("readPreference=nearest", {"mode": "nearest"}),
        ("readPreference=secondary&maxStalenessSeconds=120", {"mode": "secondary", "maxStalenessSeconds": 120}),
    ],
)
async def test_passing_the_read_preference_to_mongos(query: str, expected: dict[str, Any] | None) -> None:
    """In `$readPreference`, with maxStalenessSeconds as an integer and only if there is one."""
    with MongoTestServer(topology="mongos", tls="off") as mongos:
        async with AsyncClient.connect(f"mongodb://{mongos.address}/?{query}") as client:
            await client.app.users.find_one()
        (find,) = mongos.commands_named("find")
        assert find.document.get("$readPreference") == expected
        if expected is not None and "maxStalenessSeconds" in expected:
            assert isinstance(find.document["$readPreference"]["maxStalenessSeconds"], int)


# Max staleness


def max_staleness(query: str) -> int:
    return AsyncClient[Any](f"mongodb://host/?{query}").read_preference.max_staleness


def test_max_staleness_basic() -> None:
    """It is taken from the URI."""
    assert max_staleness("readPreference=secondary&maxStalenessSeconds=120") == 120


@pytest.mark.parametrize("query", ["maxStalenessSeconds=120", "readPreference=primary&maxStalenessSeconds=120"])
def test_no_max_staleness_with_mode_primary(query: str) -> None:
    """Neither by default nor said in so many words."""
    with pytest.raises(ConfigurationError, match="primary"):
        AsyncClient(f"mongodb://host/?{query}")


@pytest.mark.parametrize("mode", ["secondary", "primary"])
def test_no_max_staleness_as_minus_one(mode: str) -> None:
    """It is as if nothing had been said."""
    assert max_staleness(f"readPreference={mode}&maxStalenessSeconds=-1") == -1
    assert AsyncClient[Any](f"mongodb://host/?readPreference={mode}&maxStalenessSeconds=-1").read_preference == (
        ReadPreference.SECONDARY if mode == "secondary" else ReadPreference.PRIMARY
    )


async def test_max_staleness_is_validated_by_its_use() -> None:
    """A client is made with one that is too small; an operation of a replica set says so, and at once."""
    assert max_staleness("readPreference=secondary&maxStalenessSeconds=1") == 1
    with ReplicaSet(members=2) as members:
        async with members.connect() as client:
            users = client.app.get_collection("users", read_preference=Secondary(max_staleness=1))
            with pytest.raises(ConfigurationError, match="maxStalenessSeconds is 1, but has to be at least 90"):
                await users.find_one()


async def test_heartbeat_frequency_in_the_uri() -> None:
    """A standalone server is checked twice per second."""
    events = Events()
    with MongoTestServer(tls="off") as server:
        async with AsyncClient.connect(server.uri(heartbeatFrequencyMS=500), event_listeners=[events]):
            await events.occurs(ServerHeartbeatSucceededEvent, 4)
            first, *_, last = events.times_of(ServerHeartbeatSucceededEvent)[:4]
            assert 1.2 < last - first < 5


async def test_parse_last_write_date() -> None:
    """It is the time of the last write in seconds, and later after the next one."""
    events = Events()
    with MongoTestServer(topology="replica_set") as server:
        async with server.connect(heartbeatFrequencyMS=500, event_listeners=[events]) as client:

            def last_write_date() -> float:
                (description,) = client.topology_description.server_descriptions().values()
                return description.last_write_date or 0.0

            await client.app.users.insert_one({})
            first = last_write_date()
            assert first > 0
            # The server tells it to the second.
            while last_write_date() <= first:
                await client.app.users.insert_one({})
                events.forget()
                await events.occurs(ServerHeartbeatSucceededEvent)
            assert last_write_date() < first + 10
