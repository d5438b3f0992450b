"""What the error says when no server was found in time: what was wanted, what is there, and why it will not do."""

from __future__ import annotations

import logging
from collections.abc import AsyncIterator, Callable
from typing import Any

import pytest
from peers import HELLO, mongo_peer, resolver_of
from replica_sets import NAME, replica_set

from aiomongo_tls.address import ServerAddress
from aiomongo_tls.core.options.client_options import ClientOptions
from aiomongo_tls.core.options.read_preference import ReadPreference, Secondary
from aiomongo_tls.core.server_type import ServerType
from aiomongo_tls.errors import ServerSelectionTimeoutError
from aiomongo_tls.topology.topology import Topology


@pytest.fixture
async def topologies() -> AsyncIterator[Callable[..., Topology]]:
    """Make a topology that is not patient, and ends with the test."""
    made: list[Topology] = []

    def make(*seeds: ServerAddress, patience: float = 100.0, **options: Any) -> Topology:
        options.setdefault("server_selection_timeout", 0.6)
        made.append(Topology(ClientOptions(seeds=seeds, **options), resolver=resolver_of(), patience=patience))
        return made[-1]

    yield make
    for topology in made:
        await topology.close()


async def nobody(topology: Topology, preference: ReadPreference | None = None) -> ServerSelectionTimeoutError:
    with pytest.raises(ServerSelectionTimeoutError) as caught:
        await topology.check_out(preference=preference)
    return caught.value


async def test_tags_that_nobody_has(topologies: Any) -> None:
    """The read preference is told with its tags; a plain one by its name."""
    async with replica_set() as members:
        topology = topologies(*members.addresses)
        error = await nobody(topology, Secondary(tag_sets=[{"dc": "north"}]))
        assert "a server for Secondary(tag_sets=[{'dc': 'north'}], max_staleness=-1, hedge=None) was not" in str(error)
        assert f"{members.addresses[1]} is RSSecondary" in str(error)
        assert error.errors == {}


async def test_a_selector_that_chooses_nobody(topologies: Any) -> None:
    """The application is told that it was its own function."""
    async with mongo_peer() as peer:
        error = await nobody(topologies(peer.address, server_selector=lambda servers: []))
        assert "server_selector has chosen none of them" in str(error)


async def test_a_selector_is_not_blamed_for_what_is_not_there(topologies: Any, unused_tcp_port: int) -> None:
    """It was not asked."""
    address = ServerAddress("localhost", unused_tcp_port)
    error = await nobody(topologies(address, server_selector=lambda servers: []))
    assert "server_selector" not in str(error)


async def test_a_seed_that_was_refused(topologies: Any, unused_tcp_port: int) -> None:
    """It does not belong to the topology any more, but why it does not is what the user has to know."""
    away = ServerAddress("localhost", unused_tcp_port)
    async with replica_set(1) as members:
        error = await nobody(topologies(members.addresses[0], away, replica_set="other"))
        assert f"{members.addresses[0]} is a member of replica set {NAME!r}, not of 'other'" in str(error)
        assert "nothing listens there" in str(error)
        assert list(error.errors) == [away]


async def test_an_arbiter_is_not_waited_for(topologies: Any, caplog: pytest.LogCaptureFixture) -> None:
    """It is there, and no warning says otherwise."""
    async with mongo_peer() as arbiter:
        me = str(arbiter.address)
        arbiter.answers["hello"] = HELLO | {
            "isWritablePrimary": False,
            "arbiterOnly": True,
            "setName": NAME,
            "hosts": ["away.example.net:1"],
            "arbiters": [me],
            "me": me,
        }
        caplog.set_level(logging.WARNING, "aiomongo_tls.topology")
        topology = topologies(arbiter.address, patience=0.1)
        error = await nobody(topology)
        assert topology.description.servers[arbiter.address].server_type is ServerType.RS_ARBITER
        assert f"{me} is RSArbiter" in str(error)
        assert [record.getMessage().partition(": no connection yet")[0] for record in caplog.records] == [
            "away.example.net:1"
        ]
