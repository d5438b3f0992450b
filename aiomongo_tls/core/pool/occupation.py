"""What the connections of a pool are doing, in words: for whoever waited for one in vain."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from aiomongo_tls.core.pool.status import PoolStatus
    from aiomongo_tls.errors import Phase

CURSOR = "cursor"
"""What `Connection.pinned` says of a connection that a cursor holds."""

TRANSACTION = "transaction"
"""What `Connection.pinned` says of a connection that a transaction holds."""


def occupation(status: PoolStatus, phases: Iterable[Phase]) -> str:
    """What the connections are doing.

    Args:
        status: the pool.
        phases: how far the attempts to open connections have come.
    """
    limit = status.max_pool_size
    parts = [f"{status.in_use} in use" + (f" of maxPoolSize={limit}" if limit else "")]
    if status.parked:
        parts.append(f"{status.parked} waiting for late replies to operations that were given up")
    counted = Counter(phase.doing for phase in phases)
    if counted:
        doing = ", ".join(f"{count} {phase}" for phase, count in counted.items())
        parts.append(f"{status.opening} being opened ({doing})")
    if status.waiting:
        parts.append(f"{status.waiting} waiting")
    return ", ".join(parts)


def pinned_occupation(max_pool_size: int, pinned: Iterable[str | None]) -> str:
    """What the connections in use are held by, in load balanced mode (load balancers, "Exhausted Connection Pool").

    Args:
        max_pool_size: `maxPoolSize`.
        pinned: what holds each of the connections in use, None for an operation alone.
    """
    holders = Counter(pinned)
    cursors, transactions = holders.pop(CURSOR, 0), holders.pop(TRANSACTION, 0)
    return (
        f"maxPoolSize: {max_pool_size}, connections in use by cursors: {cursors}, "
        f"connections in use by transactions: {transactions}, "
        f"connections in use by other operations: {holders.total()}"
    )
