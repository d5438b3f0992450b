"""What the user wants of a connection pool."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class PoolOptions:
    """The pool options of one client (connection monitoring and pooling specification, "Connection Pool Options").

    Args:
        max_pool_size: `maxPoolSize`, the most connections to one server; 0 for no limit.
        min_pool_size: `minPoolSize`, connections to one server that are kept open.
        max_connecting: `maxConnecting`, connections to one server that are being opened at the same time.
        max_idle_time: `maxIdleTimeMS` in seconds, after which an unused connection is closed; None for never.
        wait_queue_timeout: `waitQueueTimeoutMS` in seconds, the longest wait for a connection; None for no limit.
        drain_timeout: `drainTimeoutMS` in seconds, how long a connection waits for the reply to an operation that was
            given up; 0 to close it at once.
    """

    max_pool_size: int = 100
    min_pool_size: int = 0
    max_connecting: int = 2
    max_idle_time: float | None = None
    wait_queue_timeout: float | None = None
    drain_timeout: float = 5.0
