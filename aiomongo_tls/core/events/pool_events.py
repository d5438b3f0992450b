"""What happens in connection pools (specification: connection monitoring and pooling, "Events")."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from bson import ObjectId

    from aiomongo_tls.address import ServerAddress


class ConnectionClosedReason(StrEnum):
    """Why a connection was closed."""

    STALE = "stale"
    """The pool was cleared since it was opened."""
    IDLE = "idle"
    """Nobody had needed it for maxIdleTimeMS."""
    ERROR = "error"
    """It was lost, could not be opened, or had a reply under way that nobody could wait for."""
    POOL_CLOSED = "poolClosed"
    """Its pool was closed."""


class ConnectionCheckOutFailedReason(StrEnum):
    """Why somebody did not get a connection."""

    TIMEOUT = "timeout"
    """None became free in time, or the caller was cancelled while it waited."""
    POOL_CLOSED = "poolClosed"
    """The pool was closed."""
    CONN_ERROR = "connectionError"
    """One could not be opened, or the pool was cleared."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PoolEvent:
    """Something that happened in one pool.

    Args:
        address: the server that the pool's connections lead to.
    """

    address: ServerAddress


@dataclass(frozen=True, slots=True, kw_only=True)
class PoolCreatedEvent(PoolEvent):
    """A pool was made; it opens no connections yet.

    Args:
        address: the server that the pool's connections lead to.
        options: the pool options that are not the default, by their names in the URI (`maxPoolSize`).
    """

    options: Mapping[str, Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class PoolReadyEvent(PoolEvent):
    """A pool may open connections: its server was found."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PoolClearedEvent(PoolEvent):
    """The connections of a pool are not to be used any more: its server was lost.

    Args:
        address: the server that the pool's connections lead to.
        service_id: behind a load balancer, the service whose connections are meant; None for all.
        interrupt_connections: whether operations that are under way are broken off.
    """

    service_id: ObjectId | None = None
    interrupt_connections: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class PoolClosedEvent(PoolEvent):
    """A pool was closed."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ConnectionEvent(PoolEvent):
    """Something that happened to one connection.

    Args:
        address: the server that the connection leads to.
        connection_id: its number in its pool, from 1.
    """

    connection_id: int


@dataclass(frozen=True, slots=True, kw_only=True)
class ConnectionCreatedEvent(ConnectionEvent):
    """A connection is about to be opened. It counts against maxPoolSize from now on."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ConnectionReadyEvent(ConnectionEvent):
    """A connection is open, greeted and authenticated.

    Args:
        address: the server that the connection leads to.
        connection_id: its number in its pool, from 1.
        duration: seconds since it was created.
    """

    duration: float


@dataclass(frozen=True, slots=True, kw_only=True)
class ConnectionClosedEvent(ConnectionEvent):
    """A connection was closed.

    Args:
        address: the server that the connection leads to.
        connection_id: its number in its pool, from 1.
        reason: why.
    """

    reason: ConnectionClosedReason


@dataclass(frozen=True, slots=True, kw_only=True)
class ConnectionCheckOutStartedEvent(PoolEvent):
    """Somebody needs a connection."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ConnectionCheckOutFailedEvent(PoolEvent):
    """Somebody did not get a connection.

    Args:
        address: the server that the pool's connections lead to.
        reason: why.
        duration: seconds since it was asked for.
    """

    reason: ConnectionCheckOutFailedReason
    duration: float


@dataclass(frozen=True, slots=True, kw_only=True)
class ConnectionCheckedOutEvent(ConnectionEvent):
    """Somebody got a connection.

    Args:
        address: the server that the connection leads to.
        connection_id: its number in its pool, from 1.
        duration: seconds since it was asked for.
    """

    duration: float


@dataclass(frozen=True, slots=True, kw_only=True)
class ConnectionCheckedInEvent(ConnectionEvent):
    """A connection was given back, in whatever state it is."""
