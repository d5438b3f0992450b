"""The options that a PoolCreatedEvent reports."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from aiomongo_tls.core.options.pool_options import PoolOptions

if TYPE_CHECKING:
    from collections.abc import Mapping

_DEFAULTS = PoolOptions()

# By their names in a URI, with the factor from our unit to the one of that name.
_NAMES: Mapping[str, tuple[str, int]] = {
    "max_pool_size": ("maxPoolSize", 1),
    "min_pool_size": ("minPoolSize", 1),
    "max_connecting": ("maxConnecting", 1),
    "max_idle_time": ("maxIdleTimeMS", 1000),
    "wait_queue_timeout": ("waitQueueTimeoutMS", 1000),
    "drain_timeout": ("drainTimeoutMS", 1000),
}


def reported_options(options: PoolOptions) -> dict[str, Any]:
    """What differs from the defaults, by the names that the options have in a URI.

    Args:
        options: the pool options.
    """
    return {
        name: round(value * factor)
        for field, (name, factor) in _NAMES.items()
        if (value := getattr(options, field)) != getattr(_DEFAULTS, field) and value is not None
    }
