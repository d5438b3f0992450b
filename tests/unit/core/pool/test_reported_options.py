"""The options that a PoolCreatedEvent reports."""

from __future__ import annotations

from dataclasses import fields

from aiomongo_tls.core.options.pool_options import PoolOptions
from aiomongo_tls.core.pool.reported_options import reported_options


def test_only_what_differs_is_reported() -> None:
    """By the names and in the units of the URI."""
    assert reported_options(PoolOptions()) == {}
    assert reported_options(PoolOptions(max_pool_size=50, max_idle_time=0.1, wait_queue_timeout=2)) == {
        "maxPoolSize": 50,
        "maxIdleTimeMS": 100,
        "waitQueueTimeoutMS": 2000,
    }


def test_every_option_can_be_reported() -> None:
    """None is forgotten."""
    changed = PoolOptions(**{field.name: 7 for field in fields(PoolOptions)})
    assert len(reported_options(changed)) == len(fields(PoolOptions))
