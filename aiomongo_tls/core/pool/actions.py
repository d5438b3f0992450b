"""What the books of a pool want done."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Generic, TypeVar

if TYPE_CHECKING:
    from aiomongo_tls.core.events.pool_events import ConnectionClosedReason

C = TypeVar("C")
W = TypeVar("W")


@dataclass(frozen=True, slots=True)
class Grant(Generic[C, W]):
    """Hand this connection to this waiter."""

    waiter: W
    connection: C


@dataclass(frozen=True, slots=True)
class Open:
    """Open a new connection; `opened()` or `failed()` must follow, unless it is abandoned before."""

    connection_id: int


@dataclass(frozen=True, slots=True)
class Abandon:
    """End this attempt to open a connection; it is not in the books any more."""

    connection_id: int
    reason: ConnectionClosedReason


@dataclass(frozen=True, slots=True)
class Close(Generic[C]):
    """Close this connection, which is not in the books any more."""

    connection: C
    reason: ConnectionClosedReason


@dataclass(frozen=True, slots=True)
class Fail(Generic[W]):
    """End the waiting of this waiter."""

    waiter: W


Action = Grant[C, W] | Open | Abandon | Close[C] | Fail[W]
"""Something to be done now."""
