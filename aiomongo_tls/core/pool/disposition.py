"""What becomes of a connection that is given back."""

from __future__ import annotations

from enum import Enum
from typing import Protocol

from aiomongo_tls.core.events.pool_events import ConnectionClosedReason

DRAIN_BYTES = 4 * 1024 * 1024
"""Bytes of a late reply that are worth waiting for. Most replies are far smaller, and opening a connection costs less
than receiving more than that for nobody."""


class Returned(Protocol):
    """What has to be known about a connection to decide."""

    @property
    def is_usable(self) -> bool:
        """Whether it has not been lost or closed."""
        ...

    @property
    def is_dirty(self) -> bool:
        """Whether a reply is still to come, or a request still to leave."""
        ...

    @property
    def can_drain(self) -> bool:
        """Whether a late reply is all that stands between it and its next user."""
        ...

    @property
    def on_late_reply(self) -> object | None:
        """Who is to be told of the late reply; None where nobody would know what to do about it."""
        ...


class Disposition(Enum):
    """What to do with a connection that is given back."""

    KEEP = "keep"
    """The next one may have it."""
    PARK = "park"
    """The next one may have it when the late reply has come."""
    CLOSE = "close"
    """It is of no use any more."""


def disposition(connection: Returned, is_closed: bool, is_stale: bool, may_park: bool) -> Disposition:
    """Decide what becomes of a connection that is given back.

    Whoever used a dirty one next would read the reply to somebody else's request. So it is kept from everybody until
    that reply has come, if this can be waited for; else it is closed.

    Args:
        connection: the connection.
        is_closed: whether its pool is closed.
        is_stale: whether its pool was cleared since it was opened.
        may_park: whether connections may wait for late replies at all (drainTimeoutMS).
    """
    if is_closed or is_stale or not connection.is_usable:
        return Disposition.CLOSE
    if not connection.is_dirty:
        return Disposition.KEEP
    # Without anybody to tell, a cursor that the reply opens would stay on the server.
    if may_park and connection.on_late_reply is not None and connection.can_drain:
        return Disposition.PARK
    return Disposition.CLOSE


def closing_reason(connection: Returned, *, is_closed: bool, is_stale: bool) -> ConnectionClosedReason:
    """Why a connection that is given back is closed, where there are several reasons.

    Args:
        connection: the connection.
        is_closed: whether its pool is closed.
        is_stale: whether its pool was cleared since it was opened.
    """
    if is_closed:
        return ConnectionClosedReason.POOL_CLOSED
    if is_stale and connection.is_usable:
        return ConnectionClosedReason.STALE
    return ConnectionClosedReason.ERROR
