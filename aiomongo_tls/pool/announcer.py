"""Tells what happens in a pool: to the listeners of the client, and to the log at level DEBUG.

Nothing is made - no event, no text - unless somebody wants it: on the way of every operation stands one question,
`is_heard`, which the pool asks in two parts there. The messages are those of the connection monitoring and pooling
specification, "Connection Pool Logging".
"""

from __future__ import annotations

import logging
from functools import partial
from typing import TYPE_CHECKING, Any

from aiomongo_tls.core.events.pool_events import (
    ConnectionCheckedInEvent,
    ConnectionCheckedOutEvent,
    ConnectionCheckOutFailedEvent,
    ConnectionCheckOutFailedReason,
    ConnectionCheckOutStartedEvent,
    ConnectionClosedEvent,
    ConnectionClosedReason,
    ConnectionCreatedEvent,
    ConnectionReadyEvent,
    PoolClearedEvent,
    PoolClosedEvent,
    PoolCreatedEvent,
    PoolReadyEvent,
)
from aiomongo_tls.errors import PoolClosedError

if TYPE_CHECKING:
    from collections.abc import Mapping

    from bson import ObjectId

    from aiomongo_tls.address import ServerAddress
    from aiomongo_tls.core.events.publisher import EventPublisher

_log = logging.getLogger("aiomongo_tls.pool")

_CLOSED = {
    ConnectionClosedReason.STALE: "the pool was cleared since it was opened",
    ConnectionClosedReason.IDLE: "nobody needed it for maxIdleTimeMS",
    ConnectionClosedReason.ERROR: "it was lost or could not be used any more",
    ConnectionClosedReason.POOL_CLOSED: "the pool was closed",
}


class PoolAnnouncer:
    """Between one pool and whoever wants to know of it. To be asked `is_heard` before it is told anything.

    Args:
        address: the server that the pool's connections lead to.
        publisher: knows the listeners.

    Attributes:
        has_listeners: whether there are any.
    """

    __slots__ = ("_address", "_publisher", "has_listeners")

    is_logged = staticmethod(partial(_log.isEnabledFor, logging.DEBUG))
    """Whether the log wants to know."""

    def __init__(self, address: ServerAddress, publisher: EventPublisher) -> None:
        self._address = address
        self._publisher = publisher
        self.has_listeners = publisher.wants_pool

    @property
    def is_heard(self) -> bool:
        """Whether anybody wants to know."""
        return self.has_listeners or self.is_logged()

    def _tell(self, event: object, message: str, *values: object) -> None:
        _log.debug(message, *values)
        if self.has_listeners:
            self._publisher.publish(event)

    # The pool

    def pool_created(self, options: Mapping[str, Any]) -> None:
        """The pool was made, with `options` that differ from the defaults."""
        event = PoolCreatedEvent(address=self._address, options=options)
        using = ", ".join(f"{name}={value}" for name, value in options.items()) or "no options"
        self._tell(event, "Connection pool created for %s using %s", self._address, using)

    def pool_ready(self) -> None:
        """The pool hands out connections from now on."""
        self._tell(PoolReadyEvent(address=self._address), "Connection pool ready for %s", self._address)

    def pool_cleared(self, service_id: ObjectId | None, *, interrupts: bool, error: Exception | None) -> None:
        """The connections so far are stale, and why."""
        event = PoolClearedEvent(address=self._address, service_id=service_id, interrupt_connections=interrupts)
        service = f" for serviceId {service_id}" if service_id is not None else ""
        self._tell(event, "Connection pool for %s cleared%s: %s", self._address, service, error)

    def pool_closed(self) -> None:
        """The pool was closed."""
        self._tell(PoolClosedEvent(address=self._address), "Connection pool closed for %s", self._address)

    # One connection

    def connection_created(self, connection_id: int) -> None:
        """A connection is about to be opened."""
        event = ConnectionCreatedEvent(address=self._address, connection_id=connection_id)
        self._tell(event, "Connection created: address=%s, driver-generated ID=%d", self._address, connection_id)

    def connection_ready(self, connection_id: int, seconds: float) -> None:
        """A connection is open; how long that took."""
        event = ConnectionReadyEvent(address=self._address, connection_id=connection_id, duration=seconds)
        self._tell(
            event,
            "Connection ready: address=%s, driver-generated ID=%d, established in=%.3f ms",
            self._address,
            connection_id,
            seconds * 1000,
        )

    def connection_closed(
        self, connection_id: int, reason: ConnectionClosedReason, error: BaseException | None
    ) -> None:
        """A connection was closed, and why."""
        event = ConnectionClosedEvent(address=self._address, connection_id=connection_id, reason=reason)
        self._tell(
            event,
            "Connection closed: address=%s, driver-generated ID=%d. Reason: %s. Error: %s",
            self._address,
            connection_id,
            _CLOSED[reason],
            error if reason is ConnectionClosedReason.ERROR else None,
        )

    # Out and in

    def check_out_started(self) -> None:
        """Somebody needs a connection."""
        event = ConnectionCheckOutStartedEvent(address=self._address)
        self._tell(event, "Checkout started for connection to %s", self._address)

    def check_out_failed(self, error: BaseException, seconds: float, *, is_timeout: bool) -> None:
        """Somebody did not get a connection; why, and after how long."""
        if is_timeout:
            reason = ConnectionCheckOutFailedReason.TIMEOUT
        elif isinstance(error, PoolClosedError):
            reason = ConnectionCheckOutFailedReason.POOL_CLOSED
        else:
            reason = ConnectionCheckOutFailedReason.CONN_ERROR
        event = ConnectionCheckOutFailedEvent(address=self._address, reason=reason, duration=seconds)
        self._tell(
            event,
            "Checkout failed for connection to %s. Reason: %s. Error: %s. Duration: %.3f ms",
            self._address,
            reason,
            error or type(error).__name__,
            seconds * 1000,
        )

    def checked_out(self, connection_id: int, seconds: float) -> None:
        """Somebody got a connection, after how long."""
        event = ConnectionCheckedOutEvent(address=self._address, connection_id=connection_id, duration=seconds)
        self._tell(
            event,
            "Connection checked out: address=%s, driver-generated ID=%d, duration=%.3f ms",
            self._address,
            connection_id,
            seconds * 1000,
        )

    def checked_in(self, connection_id: int) -> None:
        """A connection was given back."""
        event = ConnectionCheckedInEvent(address=self._address, connection_id=connection_id)
        self._tell(event, "Connection checked in: address=%s, driver-generated ID=%d", self._address, connection_id)
