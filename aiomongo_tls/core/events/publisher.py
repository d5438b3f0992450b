"""Between those who have something to tell and those who want to hear it."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from aiomongo_tls.core.events import pool_events, tls_events, topology_events
from aiomongo_tls.core.events.listeners import (
    ConnectionPoolListener,
    ServerHeartbeatListener,
    ServerListener,
    TLSHandshakeListener,
    TopologyListener,
)

# The method that is told of each event, under the class that has it.
_METHODS: dict[type[object], dict[type[object], str]] = {
    ConnectionPoolListener: {
        pool_events.PoolCreatedEvent: "pool_created",
        pool_events.PoolReadyEvent: "pool_ready",
        pool_events.PoolClearedEvent: "pool_cleared",
        pool_events.PoolClosedEvent: "pool_closed",
        pool_events.ConnectionCreatedEvent: "connection_created",
        pool_events.ConnectionReadyEvent: "connection_ready",
        pool_events.ConnectionClosedEvent: "connection_closed",
        pool_events.ConnectionCheckOutStartedEvent: "connection_check_out_started",
        pool_events.ConnectionCheckOutFailedEvent: "connection_check_out_failed",
        pool_events.ConnectionCheckedOutEvent: "connection_checked_out",
        pool_events.ConnectionCheckedInEvent: "connection_checked_in",
    },
    ServerListener: {
        topology_events.ServerOpeningEvent: "opened",
        topology_events.ServerDescriptionChangedEvent: "description_changed",
        topology_events.ServerClosedEvent: "closed",
    },
    ServerHeartbeatListener: {
        topology_events.ServerHeartbeatStartedEvent: "started",
        topology_events.ServerHeartbeatSucceededEvent: "succeeded",
        topology_events.ServerHeartbeatFailedEvent: "failed",
    },
    TopologyListener: {
        topology_events.TopologyOpenedEvent: "opened",
        topology_events.TopologyDescriptionChangedEvent: "description_changed",
        topology_events.TopologyClosedEvent: "closed",
    },
    TLSHandshakeListener: {
        tls_events.TLSHandshakeStartedEvent: "started",
        tls_events.TLSHandshakeSucceededEvent: "succeeded",
        tls_events.TLSHandshakeFailedEvent: "failed",
    },
}


class EventPublisher:
    """Tells the listeners of one client what happens.

    Args:
        listeners: instances of the classes in `listeners`; one may be several of them at once.
        on_error: called with a listener and what it raised; nothing else comes of that.

    Attributes:
        wants_pool: whether anybody wants to know what happens in pools. Read before an event is made.
        wants_server: the same for server events.
        wants_heartbeat: the same for checks of servers.
        wants_topology: the same for topology events.
        wants_tls: the same for TLS handshakes.
        is_telling: whether a listener is being told of an event, in the middle of which it came.
    """

    __slots__ = (
        "_on_error",
        "_subscribers",
        "is_telling",
        "wants_heartbeat",
        "wants_pool",
        "wants_server",
        "wants_tls",
        "wants_topology",
    )

    def __init__(
        self, listeners: Sequence[object] = (), on_error: Callable[[object, BaseException], None] | None = None
    ) -> None:
        self._on_error = on_error
        self.is_telling = False
        # By the class of the event: each listener with the name of its method.
        self._subscribers: dict[type[object], list[tuple[object, str]]] = {}
        for kind, methods in _METHODS.items():
            told = [listener for listener in listeners if isinstance(listener, kind)]
            for event, method in methods.items():
                self._subscribers[event] = [(listener, method) for listener in told]
        self.wants_pool = any(isinstance(listener, ConnectionPoolListener) for listener in listeners)
        self.wants_server = any(isinstance(listener, ServerListener) for listener in listeners)
        self.wants_heartbeat = any(isinstance(listener, ServerHeartbeatListener) for listener in listeners)
        self.wants_topology = any(isinstance(listener, TopologyListener) for listener in listeners)
        self.wants_tls = any(isinstance(listener, TLSHandshakeListener) for listener in listeners)

    def publish(self, event: object) -> None:
        """Tell everybody who wants to know, in the order in which the listeners were given. Plain.

        Args:
            event: one of the events in `pool_events`, `topology_events` or `tls_events`.
        """
        for listener, method in self._subscribers[type(event)]:
            was_telling, self.is_telling = self.is_telling, True
            try:
                getattr(listener, method)(event)
            except (KeyboardInterrupt, SystemExit):
                raise
            except BaseException as exc:  # noqa: BLE001 - a listener is somebody else's code; CancelledError, too
                if self._on_error is not None:
                    self._on_error(listener, exc)
            finally:
                self.is_telling = was_telling


NOBODY = EventPublisher()
"""The publisher of a client without listeners."""
