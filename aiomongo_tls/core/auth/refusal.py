"""Whether an error in answer to a credential is a verdict on it, and what a likely cause is; for every mechanism."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from aiomongo_tls.core.error_labels import OVERLOAD
from aiomongo_tls.errors import OperationFailure

if TYPE_CHECKING:
    from aiomongo_tls.errors import NotPrimaryError

UNKNOWN_MECHANISM = frozenset({59, 334})
"""CommandNotFound and MechanismUnavailable: FerretDB 1 gives the first, a server with a mechanism switched off the
second."""

# HostUnreachable, HostNotFound, MaxTimeMSExpired, NetworkTimeout, ExceededTimeLimit, SocketException: the server could
# not answer the question now. Anything else but a change of state is a verdict on the credential.
_TRANSIENT_CODES = frozenset({6, 7, 50, 89, 262, 9001})


class LikelyCause(NamedTuple):
    """Why the server refused, as far as it can be told."""

    reason: str
    """A stable slug."""
    hint: str
    """What to do about it."""


def verdict_in(error: NotPrimaryError | OperationFailure) -> OperationFailure | None:
    """The error, if the server has judged the credential with it; None if it was unable to.

    Args:
        error: what the server answered.
    """
    if not isinstance(error, OperationFailure) or error.code in _TRANSIENT_CODES:
        return None
    return None if any(map(error.has_error_label, OVERLOAD)) else error
