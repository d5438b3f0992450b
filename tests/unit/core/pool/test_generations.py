"""Which connections are stale."""

from __future__ import annotations

from bson import ObjectId

from aiomongo_tls.core.pool.generations import Generations


def test_a_pool_has_one_generation() -> None:
    """Each clearing is the next."""
    generations = Generations()
    assert generations.of(None) == 0
    generations.next(None)
    assert (generations.of(None), generations.pool) == (1, 1)


def test_each_service_has_its_own() -> None:
    """It is counted while there are connections to it, and forgotten with the last."""
    generations = Generations()
    mine, yours = ObjectId(), ObjectId()
    for service in (mine, mine, yours):
        generations.opened(service)
    generations.next(mine)
    assert (generations.of(mine), generations.of(yours), generations.pool) == (1, 0, 0)
    generations.closed(mine)
    assert generations.of(mine) == 1
    generations.closed(mine)
    assert generations.of(mine) == 0


def test_a_service_without_connections_has_nothing_to_make_stale() -> None:
    """Clearing it leaves no trace."""
    generations = Generations()
    service = ObjectId()
    generations.next(service)
    generations.opened(service)
    assert generations.of(service) == 0
