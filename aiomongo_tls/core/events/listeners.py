"""The classes that listeners inherit from. Each method does nothing unless it is overridden.

A listener is called in the middle of what it is told, on the client's event loop: it must be quick, and cannot await.
What it raises is logged and goes no further.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from aiomongo_tls.core.events.pool_events import (
        ConnectionCheckedInEvent,
        ConnectionCheckedOutEvent,
        ConnectionCheckOutFailedEvent,
        ConnectionCheckOutStartedEvent,
        ConnectionClosedEvent,
        ConnectionCreatedEvent,
        ConnectionReadyEvent,
        PoolClearedEvent,
        PoolClosedEvent,
        PoolCreatedEvent,
        PoolReadyEvent,
    )
    from aiomongo_tls.core.events.tls_events import (
        TLSHandshakeFailedEvent,
        TLSHandshakeStartedEvent,
        TLSHandshakeSucceededEvent,
    )
    from aiomongo_tls.core.events.topology_events import (
        ServerClosedEvent,
        ServerDescriptionChangedEvent,
        ServerHeartbeatFailedEvent,
        ServerHeartbeatStartedEvent,
        ServerHeartbeatSucceededEvent,
        ServerOpeningEvent,
        TopologyClosedEvent,
        TopologyDescriptionChangedEvent,
        TopologyOpenedEvent,
    )


class ConnectionPoolListener:
    """Is told what happens in the connection pools of a client."""

    def pool_created(self, event: PoolCreatedEvent) -> None:
        """A pool was made."""

    def pool_ready(self, event: PoolReadyEvent) -> None:
        """A pool may open connections."""

    def pool_cleared(self, event: PoolClearedEvent) -> None:
        """The connections of a pool are not to be used any more."""

    def pool_closed(self, event: PoolClosedEvent) -> None:
        """A pool was closed."""

    def connection_created(self, event: ConnectionCreatedEvent) -> None:
        """A connection is about to be opened."""

    def connection_ready(self, event: ConnectionReadyEvent) -> None:
        """A connection is open, greeted and authenticated."""

    def connection_closed(self, event: ConnectionClosedEvent) -> None:
        """A connection was closed."""

    def connection_check_out_started(self, event: ConnectionCheckOutStartedEvent) -> None:
        """Somebody needs a connection."""

    def connection_check_out_failed(self, event: ConnectionCheckOutFailedEvent) -> None:
        """Somebody did not get a connection."""

    def connection_checked_out(self, event: ConnectionCheckedOutEvent) -> None:
        """Somebody got a connection."""

    def connection_checked_in(self, event: ConnectionCheckedInEvent) -> None:
        """A connection was given back."""


class ServerListener:
    """Is told what is found out about each server."""

    def opened(self, event: ServerOpeningEvent) -> None:
        """A server belongs to the topology from now on."""

    def description_changed(self, event: ServerDescriptionChangedEvent) -> None:
        """More, or something else, is known of a server."""

    def closed(self, event: ServerClosedEvent) -> None:
        """A server does not belong to the topology any more."""


class ServerHeartbeatListener:
    """Is told of each check of a server."""

    def started(self, event: ServerHeartbeatStartedEvent) -> None:
        """A check begins."""

    def succeeded(self, event: ServerHeartbeatSucceededEvent) -> None:
        """A server answered a check."""

    def failed(self, event: ServerHeartbeatFailedEvent) -> None:
        """A check failed."""


class TopologyListener:
    """Is told what is found out about the topology."""

    def opened(self, event: TopologyOpenedEvent) -> None:
        """The client begins to look for its servers."""

    def description_changed(self, event: TopologyDescriptionChangedEvent) -> None:
        """More, or something else, is known of the topology."""

    def closed(self, event: TopologyClosedEvent) -> None:
        """The client was closed."""


class TLSHandshakeListener:
    """Is told of each TLS handshake, those of monitors included."""

    def started(self, event: TLSHandshakeStartedEvent) -> None:
        """A handshake begins."""

    def succeeded(self, event: TLSHandshakeSucceededEvent) -> None:
        """A handshake is done, and the server has answered."""

    def failed(self, event: TLSHandshakeFailedEvent) -> None:
        """A handshake failed, or the server refused the client's certificate right after it."""


LISTENERS = (ConnectionPoolListener, ServerListener, ServerHeartbeatListener, TopologyListener, TLSHandshakeListener)
"""Everything that `event_listeners` takes: instances of a subclass of one of these."""
