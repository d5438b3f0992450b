"""What a client knows of its servers and connections."""

from __future__ import annotations

import asyncio
import inspect

import pytest

from aiomongo_tls import AsyncClient, InvalidOperation, ReadPreference, ServerSelectionTimeoutError
from aiomongo_tls.core.pool.status import PoolState
from aiomongo_tls.testing import MongoTestServer, ReplicaSet, ShardedCluster


def pair(server: MongoTestServer) -> tuple[str, int | None]:
    return server.address.host, server.address.port


async def test_a_standalone_server() -> None:
    """There is a node and an address, and no set."""
    with MongoTestServer(tls="off") as server:
        async with server.connect() as client:
            assert await client.address == pair(server)
            assert await client.is_primary is True
            assert await client.is_mongos is False
            assert await client.primary is None
            assert await client.secondaries == set()
            assert await client.arbiters == set()
            assert client.nodes == {pair(server)}
            assert client.topology_description.topology_type_name == "Single"


async def test_a_replica_set() -> None:
    """Primary, secondaries, arbiters; after an election the other way round."""
    with ReplicaSet(members=3, arbiters=1, tls="off") as members:
        async with members.connect(heartbeatFrequencyMS=500) as client:
            async with asyncio.timeout(5):
                while len(client.nodes) < 4:  # noqa: ASYNC110
                    await asyncio.sleep(0.001)
            primary = members.wait_for_primary()
            assert await client.primary == await client.address == pair(primary)
            assert await client.secondaries == {pair(server) for server in members.secondaries}
            assert await client.arbiters == {pair(server) for server in members.arbiters}
            assert await client.is_primary is True
            assert len(client.topology_description.server_descriptions()) == 4
            next_one = members.secondaries[0]
            members.elect(next_one)
            async with asyncio.timeout(5):
                while await client.primary != pair(next_one):
                    await client.app.users.insert_one({})
            assert await client.address == pair(next_one)


async def test_several_mongos() -> None:
    """There is no one address then."""
    with ShardedCluster(mongos=2, tls="off") as cluster:
        async with cluster.connect() as client:
            assert await client.is_mongos is True
            with pytest.raises(InvalidOperation, match="nodes"):
                await client.address
            async with asyncio.timeout(5):
                while len(client.nodes) < 2:  # noqa: ASYNC110
                    await asyncio.sleep(0.001)
            assert client.nodes == {pair(server) for server in cluster.servers}


async def test_a_member_that_is_talked_to_directly() -> None:
    """A secondary is connected to, and takes no writes."""
    with ReplicaSet(members=2, tls="off") as members:
        (secondary,) = members.secondaries
        async with secondary.connect(directConnection=True) as client:
            assert await client.address == pair(secondary)
            assert await client.is_primary is False


async def test_connecting_selects_by_the_client_s_read_preference() -> None:
    """A set without a primary can be connected to by who reads from secondaries, and by nobody else."""
    with ReplicaSet(members=3, tls="off", election_delay=1000) as members:
        members.kill(members.wait_for_primary())
        async with members.connect(readPreference="secondary", serverSelectionTimeoutMS=5000) as client:
            assert await client.app.users.find_one() is None
        with pytest.raises(ServerSelectionTimeoutError):
            await members.connect(serverSelectionTimeoutMS=100)


async def test_reads_go_where_they_are_sent() -> None:
    """By the read preference of client, database or collection; commands of the user's own to the primary."""
    with ReplicaSet(members=2, tls="off") as members:
        primary, (secondary,) = members.wait_for_primary(), members.secondaries
        async with members.connect(readPreference="secondary") as client:
            users = client.app.users
            await users.insert_many([{"_id": number} for number in range(5)])
            assert len(await users.find(batch_size=2).to_list()) == 5
            await users.distinct("a")
            assert len(secondary.commands_named("find", "getMore", "distinct")) == 4
            assert len(primary.commands_named("find", "getMore", "distinct")) == 0
            assert secondary.commands_named("find")[0].document["$readPreference"] == {"mode": "secondary"}
            await client.app.command("count", "users")
            await client.app.command("count", "users", read_preference=ReadPreference.SECONDARY)
            assert [len(server.commands_named("count")) for server in (primary, secondary)] == [1, 1]
            await users.aggregate([{"$match": {}}, {"$out": "others"}])
            assert [len(server.commands_named("aggregate")) for server in (primary, secondary)] == [0, 1]


async def test_a_cursor_is_closed_where_it_is_open() -> None:
    """On its own server, whoever is nearer."""
    with ReplicaSet(members=3, tls="off") as members:
        async with members.connect(readPreference="nearest") as client:
            users = client.app.users
            await users.insert_many([{"_id": number} for number in range(5)])
            for _ in range(5):
                async with users.find(batch_size=2) as cursor:
                    await cursor.next()
                    address = cursor.address
                (server,) = (server for server in members.members if pair(server) == address)
                assert server.commands_named("killCursors")


async def test_the_status_of_the_pools() -> None:
    """Plain, per server; what is cut off is parked and comes back."""
    with MongoTestServer(tls="off") as server:
        client = AsyncClient(server.uri(), maxPoolSize=3)
        assert client.pool_status() == {}
        async with client:
            server.on("find").answers_after(0.2).once()
            task = asyncio.create_task(client.app.users.find_one())
            await asyncio.to_thread(server.wait_for, "find")
            status = client.pool_status()[server.address]
            assert (status.in_use, status.max_pool_size, status.state) == (1, 3, PoolState.READY)
            task.cancel()
            with pytest.raises(asyncio.CancelledError):
                await task
            status = client.pool_status()[server.address]
            assert (status.in_use, status.parked) == (0, 1)
            async with asyncio.timeout(5):
                while client.pool_status()[server.address].parked:  # noqa: ASYNC110
                    await asyncio.sleep(0.001)
            assert client.pool_status()[server.address].idle == 1
        assert client.pool_status() == {}


async def test_twenty_cancelled_operations_cost_no_connection() -> None:
    """And no session: when their replies have come, everything is as before."""
    with MongoTestServer(tls="off") as server:
        async with server.connect(maxPoolSize=20, serverMonitoringMode="poll") as client:
            users = client.app.users
            server.on("find").answers_after(0.4).times(20)
            tasks = [asyncio.create_task(users.find_one()) for _ in range(20)]
            await asyncio.to_thread(server.wait_for, "find", count=20)
            before = {connection.id for connection in server.connections}
            for task in tasks:
                task.cancel()
            await asyncio.wait(tasks)
            assert client.pool_status()[server.address].parked == 20
            async with asyncio.timeout(5):
                while client.pool_status()[server.address].parked:  # noqa: ASYNC110
                    await asyncio.sleep(0.001)
            await asyncio.gather(*(users.find_one() for _ in range(20)))
            assert {connection.id for connection in server.connections} == before
            assert len(client._executor.sessions) == 20


async def test_a_late_cursor_is_killed() -> None:
    """The find was given up, its reply opens a cursor: nobody but us could end it."""
    with MongoTestServer(tls="off") as server:
        async with server.connect() as client:
            users = client.app.users
            await users.insert_many([{"_id": number} for number in range(5)])
            server.on("find").answers_after(0.05).once()
            task = asyncio.create_task(users.find(batch_size=2).to_list())
            await asyncio.to_thread(server.wait_for, "find")
            task.cancel()
            with pytest.raises(asyncio.CancelledError):
                await task
            await asyncio.to_thread(server.wait_for, "killCursors")


def test_reading_a_property_does_nothing_yet() -> None:
    """Tools may look; to forget `await` in a condition is an error, not the truth."""
    client = AsyncClient("nowhere.invalid")
    names = {name for name, _ in inspect.getmembers(client)}
    assert {"address", "arbiters", "is_mongos", "is_primary", "primary", "secondaries"} <= names
    assert repr(client.primary) == "<primary, to be awaited>"
    with pytest.raises(TypeError, match=r"await client\.is_primary"):
        bool(client.is_primary)


async def test_a_client_that_is_closed_waits_for_nothing() -> None:
    """It knows of no server."""
    client = AsyncClient("nowhere.invalid")
    await client.close()
    assert client.nodes == frozenset()
    assert await client.primary is None
    with pytest.raises(InvalidOperation, match="closed"):
        await client.address
