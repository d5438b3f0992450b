"""The events between two descriptions."""

from __future__ import annotations

from bson import ObjectId
from descriptions import at, server, topology

from aiomongo_tls.core.events.topology_events import (
    ServerClosedEvent,
    ServerDescriptionChangedEvent,
    ServerOpeningEvent,
    TopologyClosedEvent,
    TopologyDescriptionChangedEvent,
    TopologyOpenedEvent,
)
from aiomongo_tls.core.sdam.changes import changes, closing, opening
from aiomongo_tls.core.sdam.server_description import load_balancer, unknown
from aiomongo_tls.core.sdam.topology_description import NO_TOPOLOGY, initial
from aiomongo_tls.core.sdam.topology_type import TopologyType
from aiomongo_tls.core.sdam.transitions import update
from aiomongo_tls.core.server_type import ServerType

A, B, C, D = at("a"), at("b"), at("c"), at("d")
ID = ObjectId()


def test_order() -> None:
    """Servers that changed, servers that are new, servers that are gone, then the topology."""
    old = topology(
        TopologyType.REPLICA_SET_WITH_PRIMARY,
        server("a", ServerType.RS_PRIMARY),
        server("b", ServerType.UNKNOWN),
        server("c", ServerType.UNKNOWN),
    )
    new = topology(
        TopologyType.REPLICA_SET_WITH_PRIMARY,
        server("a", ServerType.RS_PRIMARY, round_trip_time=1.0),
        server("b", ServerType.RS_SECONDARY),
        server("d", ServerType.UNKNOWN),
    )
    assert changes(ID, old, new) == [
        ServerDescriptionChangedEvent(
            topology_id=ID, server_address=B, previous_description=old.servers[B], new_description=new.servers[B]
        ),
        ServerOpeningEvent(topology_id=ID, server_address=D),
        ServerClosedEvent(topology_id=ID, server_address=C),
        TopologyDescriptionChangedEvent(topology_id=ID, previous_description=old, new_description=new),
    ]


def test_no_change() -> None:
    """A check that finds nothing new is no event."""
    old = topology(TopologyType.SINGLE, server("a", ServerType.STANDALONE, round_trip_time=1.0))
    assert changes(ID, old, old) == []
    assert (
        changes(ID, old, topology(TopologyType.SINGLE, server("a", ServerType.STANDALONE, round_trip_time=2.0))) == []
    )


def test_change_of_the_topology_alone() -> None:
    """The topology can change while its servers stay as they are."""
    one = server("a", ServerType.UNKNOWN)
    old, new = topology(TopologyType.REPLICA_SET_WITH_PRIMARY, one), topology(TopologyType.REPLICA_SET_NO_PRIMARY, one)
    assert [type(event) for event in changes(ID, old, new)] == [TopologyDescriptionChangedEvent]


def test_load_balancer() -> None:
    """Behind a load balancer there are five events at the start and three at the end, and no others."""
    first = initial([A], load_balanced=True)
    described = update(first, load_balancer(A)).topology
    assert [*opening(ID, first), *changes(ID, first, described)] == [
        TopologyOpenedEvent(topology_id=ID),
        TopologyDescriptionChangedEvent(topology_id=ID, previous_description=NO_TOPOLOGY, new_description=first),
        ServerOpeningEvent(topology_id=ID, server_address=A),
        ServerDescriptionChangedEvent(
            topology_id=ID, server_address=A, previous_description=unknown(A), new_description=load_balancer(A)
        ),
        TopologyDescriptionChangedEvent(topology_id=ID, previous_description=first, new_description=described),
    ]
    assert closing(ID, described) == [
        ServerClosedEvent(topology_id=ID, server_address=A),
        TopologyDescriptionChangedEvent(topology_id=ID, previous_description=described, new_description=NO_TOPOLOGY),
        TopologyClosedEvent(topology_id=ID),
    ]


def test_closing_without_servers() -> None:
    """A client whose servers were all removed only says that it ends."""
    assert closing(ID, NO_TOPOLOGY) == [TopologyClosedEvent(topology_id=ID)]
