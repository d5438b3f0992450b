"""What becomes of a connection that is given back."""

from __future__ import annotations

from enum import Enum
from typing import Protocol


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


class Disposition(Enum):
    """What to do with a connection that is given back."""

    KEEP = "keep"
    """The next one may have it."""
    CLOSE = "close"
    """Its stream is in order but nobody needs it any more: say goodbye."""
    ABORT = "abort"
    """What belongs to an earlier request is under way, or nothing will ever be: drop it."""


def disposition(connection: Returned, *, pool_is_closed: bool) -> Disposition:
    """Decide what becomes of a connection that is given back.

    A dirty one is dropped: whoever used it next would read the reply to somebody else's request.

    Args:
        connection: the connection.
        pool_is_closed: whether the pool takes nothing back any more.
    """
    if not connection.is_usable or connection.is_dirty:
        return Disposition.ABORT
    return Disposition.CLOSE if pool_is_closed else Disposition.KEEP
