"""What connections are doing, in words."""

from __future__ import annotations

from typing import Any

from aiomongo_tls.core.pool.occupation import occupation, pinned_occupation
from aiomongo_tls.core.pool.status import PoolState, PoolStatus
from aiomongo_tls.errors import Phase


def status(**counts: Any) -> PoolStatus:
    return PoolStatus(**({"max_pool_size": 10, "generation": 0, "state": PoolState.READY} | counts))


def test_what_is_not_there_is_not_told() -> None:
    """A pool that is simply busy."""
    assert occupation(status(in_use=10), ()) == "10 in use of maxPoolSize=10"
    assert occupation(status(in_use=10, max_pool_size=0), ()) == "10 in use"


def test_everything_that_holds_connections_is_told() -> None:
    """Operations, late replies, attempts with what they are doing, and how many others wait."""
    told = occupation(status(in_use=5, parked=2, opening=3, waiting=4), [Phase.TLS, Phase.HELLO, Phase.TLS])
    assert told == (
        "5 in use of maxPoolSize=10, 2 waiting for late replies to operations that were given up, "
        "3 being opened (2 in the TLS handshake, 1 waiting for the reply to hello), 4 waiting"
    )


def test_who_holds_pinned_connections_is_told() -> None:
    """In the words that the load balancer specification prescribes."""
    assert pinned_occupation(4, ["cursor", None, "transaction", "cursor"]) == (
        "maxPoolSize: 4, connections in use by cursors: 2, connections in use by transactions: 1, "
        "connections in use by other operations: 1"
    )
