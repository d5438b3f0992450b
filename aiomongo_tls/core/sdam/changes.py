"""The events that tell of a change (SDAM, "Logging and Monitoring", "Events API").

Order: servers whose description changed, servers that are new, servers that are gone, then the topology as a whole.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from aiomongo_tls.core.events.topology_events import (
    ServerClosedEvent,
    ServerDescriptionChangedEvent,
    ServerEvent,
    ServerOpeningEvent,
    TopologyClosedEvent,
    TopologyDescriptionChangedEvent,
    TopologyEvent,
    TopologyOpenedEvent,
)
from aiomongo_tls.core.sdam.topology_description import NO_TOPOLOGY, TopologyDescription

if TYPE_CHECKING:
    from bson import ObjectId

Change = ServerEvent | TopologyEvent


def opening(topology_id: ObjectId, topology: TopologyDescription) -> list[Change]:
    """The events of a client that begins; before any monitor is started.

    Args:
        topology_id: stands for the client's topology in all its events.
        topology: the first description.
    """
    return [
        TopologyOpenedEvent(topology_id=topology_id),
        TopologyDescriptionChangedEvent(
            topology_id=topology_id, previous_description=NO_TOPOLOGY, new_description=topology
        ),
        *(ServerOpeningEvent(topology_id=topology_id, server_address=address) for address in topology.servers),
    ]


def changes(topology_id: ObjectId, old: TopologyDescription, new: TopologyDescription) -> list[Change]:
    """The events between two descriptions; none if they say the same.

    Args:
        topology_id: stands for the client's topology in all its events.
        old: the description before.
        new: the description after.
    """
    if new is old or new == old:
        return []
    events: list[Change] = [
        ServerDescriptionChangedEvent(
            topology_id=topology_id,
            server_address=address,
            previous_description=old.servers[address],
            new_description=server,
        )
        for address, server in new.servers.items()
        if address in old.servers and server != old.servers[address]
    ]
    events += [
        ServerOpeningEvent(topology_id=topology_id, server_address=address)
        for address in new.servers
        if address not in old.servers
    ]
    events += [
        ServerClosedEvent(topology_id=topology_id, server_address=address)
        for address in old.servers
        if address not in new.servers
    ]
    events.append(
        TopologyDescriptionChangedEvent(topology_id=topology_id, previous_description=old, new_description=new)
    )
    return events


def closing(topology_id: ObjectId, topology: TopologyDescription) -> list[Change]:
    """The events of a client that ends; after its monitors have.

    Args:
        topology_id: stands for the client's topology in all its events.
        topology: the last description.
    """
    return [*changes(topology_id, topology, NO_TOPOLOGY), TopologyClosedEvent(topology_id=topology_id)]
