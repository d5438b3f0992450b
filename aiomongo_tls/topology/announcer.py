"""Tells what happens in a topology: to the listeners of the client, and to the log at level DEBUG.

Nothing is made - no event, no text - unless somebody wants it. Log messages are those of the server discovery and
monitoring specification, "Logging".
"""

from __future__ import annotations

import logging
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from aiomongo_tls.core.events.topology_events import (
    ServerClosedEvent,
    ServerHeartbeatFailedEvent,
    ServerHeartbeatStartedEvent,
    ServerHeartbeatSucceededEvent,
    ServerOpeningEvent,
    TopologyClosedEvent,
    TopologyDescriptionChangedEvent,
    TopologyOpenedEvent,
)

if TYPE_CHECKING:
    from aiomongo_tls.address import ServerAddress
    from aiomongo_tls.core.events.publisher import EventPublisher

log = logging.getLogger("aiomongo_tls.topology")

_MESSAGES: Mapping[type[object], str] = {
    TopologyOpenedEvent: "Starting topology monitoring",
    TopologyClosedEvent: "Stopped topology monitoring",
    TopologyDescriptionChangedEvent: "Topology description changed",
    ServerOpeningEvent: "Starting server monitoring",
    ServerClosedEvent: "Stopped server monitoring",
    ServerHeartbeatStartedEvent: "Server heartbeat started",
    ServerHeartbeatSucceededEvent: "Server heartbeat succeeded",
    ServerHeartbeatFailedEvent: "Server heartbeat failed",
}


def listener_failed(listener: object, error: BaseException) -> None:
    """Report a listener that raised; what it was told of goes on."""
    logging.getLogger("aiomongo_tls").error(
        "the event listener %r has raised %s: %s", listener, type(error).__name__, error, exc_info=error
    )


class Announcer:
    """Between the parts of a topology and whoever wants to know of them.

    Args:
        publisher: knows the listeners.
    """

    def __init__(self, publisher: EventPublisher) -> None:
        self.publisher = publisher

    @property
    def wants_changes(self) -> bool:
        """Whether anybody wants to know of servers and topologies."""
        publisher = self.publisher
        return publisher.wants_server or publisher.wants_topology or log.isEnabledFor(logging.DEBUG)

    def tell(self, event: object) -> None:
        """Tell of an event. Plain.

        Args:
            event: one of the events of `core/events/topology_events`.
        """
        message = _MESSAGES.get(type(event))
        if message is not None and log.isEnabledFor(logging.DEBUG):
            log.debug("%s: %s", message, event)
        self.publisher.publish(event)

    @property
    def _wants_heartbeats(self) -> bool:
        return self.publisher.wants_heartbeat or log.isEnabledFor(logging.DEBUG)

    def heartbeat_started(self, address: ServerAddress, *, awaited: bool) -> None:
        """A check begins; before a connection for it is opened."""
        if self._wants_heartbeats:
            self.tell(ServerHeartbeatStartedEvent(connection_id=address, awaited=awaited))

    def heartbeat_succeeded(
        self, address: ServerAddress, *, awaited: bool, duration: float, reply: Mapping[str, Any]
    ) -> None:
        """A check has led to a reply, after `duration` seconds."""
        if self._wants_heartbeats:
            self.tell(
                ServerHeartbeatSucceededEvent(connection_id=address, awaited=awaited, duration=duration, reply=reply)
            )

    def heartbeat_failed(self, address: ServerAddress, *, awaited: bool, duration: float, error: Exception) -> None:
        """A check has failed, after `duration` seconds."""
        if self._wants_heartbeats:
            self.tell(
                ServerHeartbeatFailedEvent(connection_id=address, awaited=awaited, duration=duration, reply=error)
            )
