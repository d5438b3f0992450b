"""One broken member of a healthy replica set, over TLS: it costs no operation, and no second of `connect()`."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator
from functools import partial
from typing import Any

import pytest
from events import Events

from aiomongo_tls import (
    PoolClearedEvent,
    ReadPreference,
    ServerCertificateError,
    ServerDescriptionChangedEvent,
)
from aiomongo_tls.testing import CertKit, MongoTestServer, RecordedCommand, ReplicaSet, ShardedCluster

Break = Callable[[ReplicaSet, MongoTestServer], object]

BREAKS: dict[str, Break] = {
    "another authority": lambda members, member: member.rotate(CertKit().server()),
    "another name": lambda members, member: member.rotate(members.certs.server("elsewhere.example.net")),
    "refused": lambda members, member: members.kill(member),
    "silent before TLS": lambda members, member: member.stalls("accept"),
    "silent within TLS": lambda members, member: member.stalls("handshake"),
    "silent after TLS": lambda members, member: member.stalls("hello"),
    "partitioned": lambda members, member: members.partition(member),
}


@pytest.fixture(scope="module")
def certs() -> CertKit:
    return CertKit()


@pytest.fixture
def members(certs: CertKit) -> Iterator[ReplicaSet]:
    with ReplicaSet(members=3, ca=certs) as running:
        yield running


@pytest.mark.parametrize("how", BREAKS)
@pytest.mark.parametrize("number", [0, 2], ids=["was primary", "secondary"])
async def test_a_member_that_is_broken_from_the_beginning(members: ReplicaSet, how: str, number: int) -> None:
    """The others serve: writes, reads from the primary and reads from whoever is near."""
    broken = members.servers[number]
    if number == 0:
        members.elect(members.servers[1])
    BREAKS[how](members, broken)
    before = len(broken.commands_named("find", "insert"))
    loop = asyncio.get_running_loop()
    began = loop.time()
    async with members.connect() as client:
        assert loop.time() - began < 1
        users = client.app.users
        for preference in (ReadPreference.NEAREST, ReadPreference.PRIMARY, ReadPreference.SECONDARY):
            for _ in range(5):
                await users.insert_one({})
                await users.with_options(read_preference=preference).find_one()
        assert await users.count_documents({}) == 15
        began = loop.time()
    # A heartbeat that hangs does not hold up the end.
    assert loop.time() - began < 1
    assert len(broken.commands_named("find", "insert")) == before


@pytest.mark.parametrize("how", ["another authority", "another name"])
async def test_the_certificate_is_told_to_who_looks(members: ReplicaSet, how: str) -> None:
    """The description of the member has the fault, although nobody needs the member."""
    broken = members.servers[2]
    BREAKS[how](members, broken)
    events = Events()
    async with members.connect(event_listeners=[events]) as client:
        await events.until(lambda: client.topology_description.servers[broken.address].error is not None)
        error = client.topology_description.servers[broken.address].error
        assert isinstance(error, ServerCertificateError)
        assert str(broken.address) in str(error)


@pytest.mark.parametrize("how", BREAKS)
@pytest.mark.parametrize("number", [0, 2], ids=["primary", "secondary"])
async def test_a_member_that_breaks_in_use(members: ReplicaSet, how: str, number: int) -> None:
    """Reads and writes are under way all the time: none fails, although the member's connections are gone."""
    broken = members.servers[number]
    options: Any = {"connectTimeoutMS": 500, "heartbeatFrequencyMS": 500, "readPreference": "nearest"}
    events = Events()
    async with members.connect(event_listeners=[events], serverSelectionTimeoutMS=10_000, **options) as client:
        await events.until(lambda: len(client.topology_description.known_servers) == 3)
        users = client.app.users
        is_over = False

        async def work(worker: int) -> int:
            number = 0
            while not is_over:
                await users.insert_one({"_id": f"{worker}/{number}"})
                await users.find_one({"_id": f"{worker}/{number}"})
                number += 1
            return number

        tasks = [asyncio.create_task(work(worker)) for worker in range(20)]
        events.forget()
        # An election may take as long as it likes, in a thread.
        await asyncio.to_thread(BREAKS[how], members, broken)
        if how not in ("refused", "partitioned"):
            # It takes no new connections; and the old ones are lost.
            if number == 0:
                await asyncio.to_thread(members.elect, members.servers[1])
            broken.drop_connections()
        await events.occurs(
            ServerDescriptionChangedEvent,
            where=lambda event: event.server_address == broken.address and event.new_description.error is not None,
        )
        before = await users.count_documents({})
        async with asyncio.timeout(10):
            while await users.count_documents({}) < before + 100:
                await users.find_one()
        is_over = True
        async with asyncio.timeout(10):
            counts = await asyncio.gather(*tasks)
        assert await users.count_documents({}) == sum(counts)
        assert broken.address in {event.address for event in events.of(PoolClearedEvent)}


async def test_an_operation_on_a_member_that_falls_silent(members: ReplicaSet) -> None:
    """It is broken off when the monitor has noticed, and a read is made again elsewhere."""
    options: Any = {"connectTimeoutMS": 500, "heartbeatFrequencyMS": 500, "readPreference": "secondary"}
    events = Events()
    async with members.connect(event_listeners=[events], **options) as client:
        await events.until(lambda: len(client.topology_description.known_servers) == 3)
        asked: list[MongoTestServer] = []

        def is_first(server: MongoTestServer, _: RecordedCommand) -> bool:
            asked.append(server)
            return len(asked) == 1

        for server in members.secondaries:
            server.on("find", where=partial(is_first, server)).stays_silent()
        reading = asyncio.create_task(client.app.users.find_one())
        async with asyncio.timeout(5):
            while not asked:  # noqa: ASYNC110
                await asyncio.sleep(0.001)
        silent = asked[0]
        await asyncio.to_thread(members.partition, silent)
        async with asyncio.timeout(10):
            assert await reading is None
        cleared = events.of(PoolClearedEvent)
        assert [(event.address, event.interrupt_connections) for event in cleared] == [(silent.address, True)]


async def test_a_dead_mongos_of_several() -> None:
    """From the beginning, or from some moment on: the others serve, and nothing fails."""
    with ShardedCluster(mongos=3) as cluster:
        cluster.kill(cluster.mongos[0])
        loop = asyncio.get_running_loop()
        began = loop.time()
        async with cluster.connect(localThresholdMS=1000, heartbeatFrequencyMS=500) as client:
            assert loop.time() - began < 1
            users = client.app.users
            is_over = False

            async def work() -> None:
                while not is_over:
                    await users.insert_one({})
                    await users.find_one()

            tasks = [asyncio.create_task(work()) for _ in range(20)]
            while not all(server.commands_named("insert") for server in cluster.mongos[1:]):
                await users.find_one()
            await asyncio.to_thread(cluster.kill, cluster.mongos[1])
            for _ in range(50):
                await users.find_one()
            await asyncio.to_thread(cluster.restart, cluster.mongos[0])
            async with asyncio.timeout(15):
                while not cluster.mongos[0].commands_named("find"):
                    await users.find_one()
            is_over = True
            async with asyncio.timeout(5):
                await asyncio.gather(*tasks)
