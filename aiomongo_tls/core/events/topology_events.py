"""What is found out about servers (specification: server discovery and monitoring, "Logging and Monitoring")."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from bson import ObjectId

    from aiomongo_tls.address import ServerAddress
    from aiomongo_tls.core.sdam.server_description import ServerDescription
    from aiomongo_tls.core.sdam.topology_description import TopologyDescription


@dataclass(frozen=True, slots=True, kw_only=True)
class ServerEvent:
    """Something about one server.

    Args:
        server_address: the server.
        topology_id: stands for the client's topology; the same in all its events.
    """

    server_address: ServerAddress
    topology_id: ObjectId


@dataclass(frozen=True, slots=True, kw_only=True)
class ServerOpeningEvent(ServerEvent):
    """A server belongs to the topology from now on."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ServerClosedEvent(ServerEvent):
    """A server does not belong to the topology any more."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ServerDescriptionChangedEvent(ServerEvent):
    """More, or something else, is known of a server. Round trip times and the last write alone are no change.

    Args:
        server_address: the server.
        topology_id: stands for the client's topology.
        previous_description: what was known before.
        new_description: what is known now.
    """

    previous_description: ServerDescription
    new_description: ServerDescription


@dataclass(frozen=True, slots=True, kw_only=True)
class TopologyEvent:
    """Something about the topology.

    Args:
        topology_id: stands for the client's topology; the same in all its events.
    """

    topology_id: ObjectId


@dataclass(frozen=True, slots=True, kw_only=True)
class TopologyOpenedEvent(TopologyEvent):
    """The client begins to look for its servers."""


@dataclass(frozen=True, slots=True, kw_only=True)
class TopologyClosedEvent(TopologyEvent):
    """The client was closed."""


@dataclass(frozen=True, slots=True, kw_only=True)
class TopologyDescriptionChangedEvent(TopologyEvent):
    """More, or something else, is known of the topology.

    Args:
        topology_id: stands for the client's topology.
        previous_description: what was known before.
        new_description: what is known now.
    """

    previous_description: TopologyDescription
    new_description: TopologyDescription


@dataclass(frozen=True, slots=True, kw_only=True)
class ServerHeartbeatEvent:
    """Something about one check of a server.

    Args:
        connection_id: the server that is checked; PyMongo's name for its address.
        awaited: whether the server answers only when something changes, or after heartbeatFrequencyMS.
    """

    connection_id: ServerAddress
    awaited: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class ServerHeartbeatStartedEvent(ServerHeartbeatEvent):
    """A check begins."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ServerHeartbeatSucceededEvent(ServerHeartbeatEvent):
    """A server answered a check.

    Args:
        connection_id: the server.
        awaited: whether the server answers only when something changes.
        duration: seconds since the check began; for an awaited answer not a round trip.
        reply: its reply to hello.
    """

    duration: float
    reply: Mapping[str, Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class ServerHeartbeatFailedEvent(ServerHeartbeatEvent):
    """A check failed.

    Args:
        connection_id: the server.
        awaited: whether the server answers only when something changes.
        duration: seconds since the check began.
        reply: what went wrong.
    """

    duration: float
    reply: Exception
