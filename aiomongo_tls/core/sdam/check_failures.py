"""What a failed check says about its server (server monitoring, "Network or command error during server check")."""

from __future__ import annotations

from dataclasses import dataclass

from aiomongo_tls.core.sdam.server_description import ServerDescription, unknown
from aiomongo_tls.errors import ConnectionFailure, NotPrimaryError


@dataclass(frozen=True, slots=True, kw_only=True)
class CheckFailure:
    """What to do about a failed check. The monitor's connection is closed and the server's pool cleared in any case.

    Args:
        description: the Unknown description to take over, before the pool is cleared.
        interrupts: whether connections in use are closed, too: a silent server would let them wait for ever.
        checks_again: whether the next check begins without a pause. It is made once: if it fails as well, the server
            was Unknown already.
    """

    description: ServerDescription
    interrupts: bool
    checks_again: bool


def check_failure(error: Exception, previous: ServerDescription, *, now: float) -> CheckFailure:
    """Decide what a failed check means.

    Args:
        error: what the check raised: a network error, an error in the reply, a reply that cannot be understood.
        previous: what was known of the server.
        now: the time of the check.
    """
    is_network_error = isinstance(error, ConnectionFailure) and not isinstance(error, NotPrimaryError)
    return CheckFailure(
        description=unknown(previous.address, error=error, now=now),
        interrupts=is_network_error and isinstance(error, TimeoutError),
        checks_again=is_network_error and previous.is_server_type_known,
    )
