"""Several servers: discovery, selection, what follows from errors, and that one broken member costs nothing."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from typing import Any

import bson
import pytest
from peers import HELLO, Contexts, mongo_peer, raw_peer, resolver_of
from replica_sets import replica_set

from aiomongo_tls.address import ServerAddress
from aiomongo_tls.core.events.listeners import ConnectionPoolListener, ServerListener, TopologyListener
from aiomongo_tls.core.options.client_options import ClientOptions
from aiomongo_tls.core.options.monitoring_options import MonitoringOptions
from aiomongo_tls.core.options.read_preference import ReadPreference, Secondary
from aiomongo_tls.core.pool.status import PoolState
from aiomongo_tls.core.sdam.topology_type import TopologyType
from aiomongo_tls.core.server_type import ServerType
from aiomongo_tls.deadline import Deadline
from aiomongo_tls.errors import (
    AutoReconnect,
    ConfigurationError,
    NetworkTimeout,
    NotPrimaryError,
    ServerCertificateError,
    ServerSelectionTimeoutError,
)
from aiomongo_tls.topology.topology import Topology

OBJECT_ID = bson.ObjectId()


@pytest.fixture
async def topologies() -> AsyncIterator[Callable[..., Topology]]:
    """Make a topology that ends with the test."""
    made: list[Topology] = []

    def make(*seeds: ServerAddress, **options: Any) -> Topology:
        options.setdefault("server_selection_timeout", 5.0)
        made.append(Topology(ClientOptions(seeds=seeds, **options), resolver=resolver_of()))
        return made[-1]

    yield make
    for topology in made:
        await topology.close()


async def take(topology: Topology, preference: ReadPreference | None = None, **more: Any) -> ServerAddress:
    """Which server an operation goes to."""
    connection = await topology.check_out(preference=preference, **more)
    topology.check_in(connection)
    return connection.address


async def until(topology: Topology, condition: Callable[[Topology], object]) -> None:
    async with asyncio.timeout(5):
        while not condition(topology):
            deployment = topology._life.deployment
            assert deployment is not None
            await deployment.changed.wait()


def types(topology: Topology) -> list[ServerType]:
    return [server.server_type for server in topology.description.servers.values()]


async def test_one_member_is_enough_to_find_the_others(topologies: Any) -> None:
    """A seed tells of the set: writes go to the primary, wherever the search began, reads where they may."""
    async with replica_set() as members:
        topology = topologies(members.addresses[2])
        assert await take(topology) == members.addresses[0]
        assert topology.description.topology_type is TopologyType.REPLICA_SET_WITH_PRIMARY
        assert await take(topology, ReadPreference.PRIMARY) == members.addresses[0]
        await until(topology, lambda topology: types(topology).count(ServerType.RS_SECONDARY) == 2)
        assert await take(topology, ReadPreference.SECONDARY) in members.addresses[1:]
        assert set(topology.description.servers) == set(members.addresses)


async def test_a_direct_connection_stays_where_it_is(topologies: Any) -> None:
    """With directConnection=true nobody else is looked for, and a secondary is used."""
    async with replica_set() as members:
        topology = topologies(members.addresses[1], direct_connection=True)
        assert await take(topology) == members.addresses[1]
        assert list(topology.description.servers) == [members.addresses[1]]


async def test_a_set_of_another_name_is_refused_at_once(topologies: Any) -> None:
    """Nobody is left who could be waited for; the error says what was found."""
    async with replica_set() as members:
        topology = topologies(members.addresses[0], replica_set="other", server_selection_timeout=None)
        with pytest.raises(ConfigurationError, match="is a member of replica set 'rs', not of 'other'"):
            await topology.open()


async def test_writes_wait_for_a_primary(topologies: Any) -> None:
    """Without one a write waits, and a check that it asks for finds it; the error of one that does not says who is."""
    async with replica_set() as members:
        members.elect(None)
        topology = topologies(members.addresses[0])
        await take(topology, ReadPreference.SECONDARY)
        with pytest.raises(ServerSelectionTimeoutError) as caught:
            await take(topology, deadline=Deadline(asyncio.get_running_loop().time() + 0.05, "timeoutMS=50"))
        assert "a server that takes writes was not found until timeoutMS=50 had passed" in str(caught.value)
        assert f"{members.addresses[1]} is RSSecondary" in str(caught.value)
        writing = asyncio.create_task(take(topology))
        members.elect(1)
        assert await writing == members.addresses[1]


async def test_a_primary_that_is_none_any_more_is_looked_at_again(topologies: Any) -> None:
    """NotPrimaryError makes the server unknown and asks for a check; its pool is kept, and the new one is found."""
    async with replica_set() as members:
        topology = topologies(*members.addresses)
        connection = await topology.check_out()
        members.elect(2)
        topology.handle_error(connection, NotPrimaryError("no", {"ok": 0, "code": 10107}, host=connection.address))
        topology.check_in(connection)
        assert topology.description.servers[connection.address].server_type is ServerType.UNKNOWN
        assert await take(topology) == members.addresses[2]
        assert topology.pool_status()[connection.address].generation == 0


async def test_a_lost_connection_clears_the_pool(topologies: Any) -> None:
    """Its server is unknown and its pool paused until a check succeeds; older connections are stale."""
    async with mongo_peer() as peer:
        topology = topologies(peer.address)
        first, second = await topology.check_out(), await topology.check_out()
        topology.handle_error(first, AutoReconnect("gone", host=peer.address))
        status = topology.pool_status()[peer.address]
        assert (status.state, status.generation) == (PoolState.PAUSED, 1)
        # What comes from an older generation says nothing new.
        topology.handle_error(second, AutoReconnect("gone", host=peer.address))
        assert topology.pool_status()[peer.address].generation == 1
        topology.check_in(first)
        topology.check_in(second)
        third = await topology.check_out()
        assert third.generation == 1
        assert not first.is_usable
        topology.check_in(third)


async def test_a_slow_reply_says_nothing_about_the_server(topologies: Any) -> None:
    """A timeout of an operation may be the operation's own fault."""
    async with mongo_peer() as peer:
        topology = topologies(peer.address)
        connection = await topology.check_out()
        topology.handle_error(connection, NetworkTimeout("slow", host=peer.address))
        assert topology.description.has_known_servers
        assert topology.pool_status()[peer.address].generation == 0
        topology.check_in(connection)


async def test_a_broken_member_costs_nothing(topologies: Any, contexts: Contexts) -> None:
    """A wrong certificate, a closed port and a silent peer beside a good primary: no operation and no second."""
    stranger = Contexts()
    async with (
        replica_set(2, contexts=[contexts.server(), stranger.server()]) as members,
        raw_peer(lambda reader, writer: asyncio.sleep(0)) as silent,
        mongo_peer() as gone,
    ):
        refused = gone.address
        members.missing = [silent, ServerAddress("localhost", 1), refused]
        topology = topologies(members.addresses[1], silent, *members.addresses[:1], tls=contexts.options())
        async with asyncio.timeout(1):
            await topology.open()
            for _ in range(20):
                assert await take(topology) == members.addresses[0]
        await until(topology, lambda topology: topology.description.servers[members.addresses[1]].error is not None)
        assert isinstance(topology.description.servers[members.addresses[1]].error, ServerCertificateError)


async def test_a_member_that_turns_out_to_be_broken(topologies: Any, contexts: Contexts) -> None:
    """Its pool meets a wrong certificate before its monitor does: the operation goes elsewhere."""
    async with replica_set(2, contexts=[contexts.server()] * 2) as members:
        topology = topologies(*members.addresses, tls=contexts.options())
        await topology.open()
        await until(topology, lambda topology: types(topology).count(ServerType.RS_SECONDARY) == 1)
        members.peers[1].context = Contexts().server()
        assert await take(topology, ReadPreference.SECONDARY_PREFERRED) == members.addresses[0]
        assert isinstance(topology.description.servers[members.addresses[1]].error, ServerCertificateError)


async def test_a_cursor_whose_server_turns_out_to_be_broken(topologies: Any, contexts: Contexts) -> None:
    """No other server will do, so the fault is raised at once."""
    async with replica_set(2, contexts=[contexts.server()] * 2) as members:
        topology = topologies(*members.addresses, tls=contexts.options(), server_selection_timeout=None)
        await topology.open()
        await until(topology, lambda topology: types(topology).count(ServerType.RS_SECONDARY) == 1)
        members.peers[1].context = Contexts().server()
        async with asyncio.timeout(1):
            with pytest.raises(ServerCertificateError):
                await topology.check_out_from(members.addresses[1])


async def test_if_all_are_broken_the_first_fault_is_raised(topologies: Any, contexts: Contexts) -> None:
    """Every server has a wrong certificate: no waiting, and the other faults stand in the notes."""
    async with replica_set(2, contexts=[contexts.server()] * 2) as members:
        topology = topologies(
            *members.addresses, tls=contexts.options(trust=contexts.stranger_ca), server_selection_timeout=None
        )
        async with asyncio.timeout(1):
            with pytest.raises(ServerCertificateError) as caught:
                await topology.open()
        assert caught.value.__cause__ is not None
        (note,) = caught.value.__notes__
        assert str(members.addresses[1]) in note or str(members.addresses[0]) in note


async def test_a_fault_that_was_mended_is_found_out(topologies: Any, contexts: Contexts) -> None:
    """After a permanent fault the next operation awaits a fresh check, and raises or goes on as that turns out."""
    async with mongo_peer(contexts.server()) as peer:
        topology = topologies(peer.address, tls=contexts.options(), server_selection_timeout=None)
        good, peer.context = peer.context, Contexts().server()
        for _ in range(2):
            with pytest.raises(ServerCertificateError):
                await take(topology)
        peer.context = good
        assert await take(topology) == peer.address


async def test_a_fault_is_looked_at_afresh_though_the_clock_stands_still(
    topologies: Any, contexts: Contexts, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whoever tries again at once gets a new check, too, and so does not keep the loop from everybody else."""
    async with mongo_peer(contexts.server()) as peer:
        topology = topologies(peer.address, tls=contexts.options(), server_selection_timeout=None)
        good, peer.context = peer.context, Contexts().server()
        with pytest.raises(ServerCertificateError):
            await take(topology)
        peer.context = good
        loop, deployment = asyncio.get_running_loop(), topology._life.deployment
        assert deployment is not None
        checked = deployment.description.servers[peer.address].last_update_time
        again = asyncio.create_task(take(topology))
        with monkeypatch.context() as patch:
            patch.setattr(loop, "time", lambda: checked)
            await asyncio.sleep(0)
        assert await again == peer.address


async def test_reads_are_spread_and_deprioritised_servers_passed_over(topologies: Any) -> None:
    """Of two in the window the one with less to do is taken; one that failed the operation only if it is the last."""
    async with replica_set() as members:
        topology = topologies(*members.addresses, monitoring=MonitoringOptions(local_threshold=100.0))
        await topology.open()
        await until(topology, lambda topology: types(topology).count(ServerType.RS_SECONDARY) == 2)
        busy = await topology.check_out(preference=ReadPreference.SECONDARY)
        other = ({*members.addresses[1:]} - {busy.address}).pop()
        for _ in range(10):
            assert await take(topology, ReadPreference.SECONDARY) == other
        assert await take(topology, ReadPreference.SECONDARY, deprioritized=[other]) == busy.address
        assert (
            await take(topology, ReadPreference.PRIMARY, deprioritized=[members.addresses[0]]) == members.addresses[0]
        )
        topology.check_in(busy)


async def test_the_application_has_its_say(topologies: Any) -> None:
    """`server_selector` gets the suitable servers and chooses among them."""
    async with replica_set() as members:
        highest = max(members.addresses[1:], key=lambda address: address.port or 0)
        topology = topologies(
            *members.addresses,
            server_selector=lambda servers: sorted(servers, key=lambda server: server.address.port or 0)[-1:],
        )
        await topology.open()
        await until(topology, lambda topology: types(topology).count(ServerType.RS_SECONDARY) == 2)
        for _ in range(5):
            assert await take(topology, Secondary()) == highest


async def test_a_cursor_finds_its_server_again(topologies: Any) -> None:
    """Later commands of a cursor go to one server, whatever it is by then; one that left cannot be asked."""
    async with replica_set() as members:
        topology = topologies(*members.addresses)
        await topology.open()
        await until(topology, lambda topology: types(topology).count(ServerType.RS_SECONDARY) == 2)
        connection = await topology.check_out_from(members.addresses[2])
        assert connection.address == members.addresses[2]
        topology.check_in(connection)
        assert topology.try_check_out_from(members.addresses[2]) is connection
        topology.check_in(connection)
        with pytest.raises(ServerSelectionTimeoutError, match="belongs to the deployment no longer"):
            await topology.check_out_from(ServerAddress("elsewhere", 1))


async def test_a_member_that_leaves_is_closed(topologies: Any) -> None:
    """When the primary no longer names it, its monitor and its pool end, and connections come back to nowhere."""
    async with replica_set() as members:
        topology = topologies(*members.addresses)
        await topology.open()
        await until(topology, lambda topology: types(topology).count(ServerType.RS_SECONDARY) == 2)
        connection = await topology.check_out_from(members.addresses[2])
        gone = members.peers.pop()
        assert topology._life.deployment is not None
        topology._life.deployment.request_checks()
        await until(topology, lambda topology: gone.address not in topology.description.servers)
        topology.check_in(connection)
        await gone.until(lambda: not gone.open_sessions)
        assert gone.address not in topology.pool_status()


async def test_too_new_a_server_is_refused_at_once(topologies: Any) -> None:
    """No wire version in common: nothing is sent, and the versions are named."""
    async with mongo_peer() as peer:
        peer.answers["hello"] = HELLO | {"minWireVersion": 999, "maxWireVersion": 999}
        topology = topologies(peer.address, server_selection_timeout=None)
        with pytest.raises(ConfigurationError, match="requires wire version 999"):
            await topology.open()


async def test_a_load_balancer_is_not_watched(topologies: Any) -> None:
    """It is used at once; each connection says which service it reached, and one without is refused."""
    async with mongo_peer() as peer:
        peer.answers["hello"] = HELLO | {"msg": "isdbgrid", "serviceId": OBJECT_ID}
        topology = topologies(peer.address, load_balanced=True)
        connection = await topology.check_out()
        assert connection.service_id == OBJECT_ID
        assert peer.commands[0]["loadBalanced"] is True
        assert next(iter(peer.commands[0])) == "hello"
        assert len(peer.sessions) == 1
        assert types(topology) == [ServerType.LOAD_BALANCER]
        topology.check_in(connection)
    async with mongo_peer() as peer:
        topology = topologies(peer.address, load_balanced=True)
        with pytest.raises(ConfigurationError, match="load balancing mode"):
            await topology.open()


class Everything(ServerListener, TopologyListener, ConnectionPoolListener):
    """Remembers the names of events in their order."""

    def __init__(self) -> None:
        self.names: list[str] = []

    def _note(self, event: Any) -> None:
        self.names.append(type(event).__name__.removesuffix("Event"))

    opened = description_changed = closed = _note  # type: ignore[assignment]
    pool_created = pool_ready = pool_cleared = pool_closed = _note  # type: ignore[assignment]
    connection_created = connection_ready = connection_closed = _note  # type: ignore[assignment]
    connection_check_out_started = connection_check_out_failed = _note  # type: ignore[assignment]
    connection_checked_out = connection_checked_in = _note  # type: ignore[assignment]


async def test_listeners_are_told_in_order(topologies: Any) -> None:
    """A life from beginning to end; the pool is ready after its server was described."""
    everything = Everything()
    async with mongo_peer() as peer:
        topology = topologies(peer.address, event_listeners=(everything,))
        await topology.open()
        await topology.close()
    assert everything.names == [
        "TopologyOpened",
        "TopologyDescriptionChanged",
        "ServerOpening",
        "PoolCreated",
        "ServerDescriptionChanged",
        "TopologyDescriptionChanged",
        "PoolReady",
        "ConnectionCheckOutStarted",
        "ConnectionCreated",
        "ConnectionReady",
        "ConnectionCheckedOut",
        "ConnectionCheckedIn",
        "ConnectionClosed",
        "PoolClosed",
        "ServerClosed",
        "TopologyDescriptionChanged",
        "TopologyClosed",
    ]


async def test_nothing_is_left(topologies: Any) -> None:
    """After `close()` no task of ours and no connection remains, with streams and round trips under way."""
    async with replica_set() as members:
        for peer in members.peers:
            version = {"processId": bson.ObjectId(), "counter": bson.Int64(1)}
            peer.answers["hello"] = lambda command, peer=peer, version=version: (
                None if "topologyVersion" in command else members.hello(peer) | {"topologyVersion": version}
            )
        topology = topologies(*members.addresses)
        await topology.open()
        await topology.close()
        names = [task.get_name() for task in asyncio.all_tasks()]
        assert not [name for name in names if name.startswith("aiomongo_tls")]
        for peer in members.peers:
            await peer.until(lambda peer=peer: not peer.open_sessions)
