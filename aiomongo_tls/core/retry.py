"""Whether a failed attempt is made again: retryable reads, retryable writes and client backpressure as one decision.

What may be repeated after what, where the client's option allows it:

| the command is                      | lost, pool cleared | retryable code | RetryableWriteError | overloaded  |
|-------------------------------------|--------------------|----------------|---------------------|-------------|
| a retryable read (`READ`)           | retryReads         | retryReads     | -                   | retryReads  |
| another read, getMore (`READ_ONCE`) | -                  | -              | -                   | retryReads  |
| a retryable write (`WRITE`)         | by its label       | by its label   | retryWrites         | retryWrites |
| another write (`WRITE_ONCE`)        | -                  | -              | -                   | retryWrites |
| the user's own (`COMMAND`)          | -                  | -              | -                   | both        |

How often: once; without a limit while a deadline bounds the operation; but `maxAdaptiveRetries` times in all as soon as
one of its attempts has met an overloaded server, because retrying on and on is what overloads it further. Only after
such an attempt there is a pause.

Which error is raised in the end: the last one after which something may have been carried out; if none is, the first.
A caller who reads "no server found" must be able to conclude that nothing was written.

Specifications: retryable-reads, retryable-writes, client-backpressure. They leave two things to us: a retry of a write
that was never sent needs no server with sessions (nothing can happen twice), and an address is remembered once.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum
from math import inf
from typing import TYPE_CHECKING, Any, Final

from aiomongo_tls.core.error_labels import NO_WRITES_PERFORMED, RETRYABLE, RETRYABLE_WRITE, SYSTEM_OVERLOADED
from aiomongo_tls.core.sdam.failures import is_permanent
from aiomongo_tls.errors import (
    ConnectionFailure,
    MongoError,
    NotPrimaryError,
    ServerSelectionTimeoutError,
    WaitQueueTimeoutError,
    WriteConcernError,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from aiomongo_tls.address import ServerAddress
    from aiomongo_tls.deadline import Deadline

RETRYABLE_WRITE_CODES: Final = frozenset({6, 7, 89, 91, 189, 262, 9001, 10107, 11600, 11602, 13435, 13436})
"""What servers before MongoDB 4.4 would have labelled RetryableWriteError, had they known the label."""

RETRYABLE_READ_CODES: Final = RETRYABLE_WRITE_CODES | {134}
"""Those, and ReadConcernMajorityNotAvailableYet."""

BASE_BACKOFF: Final = 0.1
"""Seconds; the server may name another (`baseBackoffMS`)."""

MAX_BACKOFF: Final = 10.0
"""Seconds."""

_LABELS_BY_SERVER = 9
"""The wire version of MongoDB 4.4, which labels what may be repeated."""

# ConnectionFailures that tell of this client or of a reply, not of a connection that was lost. A pool that was closed
# is not among them: its server has left the deployment. If the client was closed, a retry finds no connection anyway.
_NOT_LOST = (NotPrimaryError, ServerSelectionTimeoutError, WaitQueueTimeoutError)


class Retryability(Enum):
    """What kind of command it is, as far as repeating it goes."""

    READ = "a retryable read"
    READ_ONCE = "a read that would not return the same again"
    WRITE = "a retryable write: the server knows by its transaction number whether it has been done"
    WRITE_ONCE = "a write that would be done twice"
    COMMAND = "a command of the user's own, of which nothing is known"

    @property
    def is_read(self) -> bool:
        """Whether nothing is written, so that it does not matter what became of an attempt."""
        return self in (Retryability.READ, Retryability.READ_ONCE)


@dataclass(frozen=True, slots=True, kw_only=True)
class RetryPolicy:
    """What the client's options say.

    Args:
        reads: `retryReads`.
        writes: `retryWrites`.
        max_adaptive_retries: `maxAdaptiveRetries`.
        overload_retargeting: `enableOverloadRetargeting`: an overloaded member of a replica set is avoided.
    """

    reads: bool = True
    writes: bool = True
    max_adaptive_retries: int = 2
    overload_retargeting: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Failure:
    """One failed attempt.

    Args:
        error: what went wrong.
        retryability: what kind of command it was there: a write to a server without retryable writes is `WRITE_ONCE`.
        address: the server, if it had come to one.
        was_sent: whether the command was handed over, so that it may have been carried out.
        is_sharded: whether the server is one of several equal ones, mongos.
        reply: the reply, where the caller gets it instead of the error.
    """

    error: MongoError
    retryability: Retryability
    address: ServerAddress | None = None
    was_sent: bool = False
    is_sharded: bool = False
    reply: Mapping[str, Any] | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Attempts:
    """The failed attempts of one operation so far.

    Args:
        count: how many.
        told: the one whose error is raised if there is no other attempt.
        met_overload: whether a server was overloaded.
        was_sent: whether the command was sent in any of them.
        deprioritized: servers to be avoided.
    """

    count: int = 0
    told: Failure | None = None
    met_overload: bool = False
    was_sent: bool = False
    deprioritized: tuple[ServerAddress, ...] = ()


NO_ATTEMPTS: Final = Attempts()


@dataclass(frozen=True, slots=True)
class Retry:
    """Try again.

    Args:
        attempts: the failed attempts, the last included.
        delay: seconds to wait before, 0 for at once.
    """

    attempts: Attempts
    delay: float


@dataclass(frozen=True, slots=True)
class GiveUp:
    """Do not try again.

    Args:
        failure: the one that the caller is told of.
    """

    failure: Failure


def decide(
    earlier: Attempts,
    failure: Failure,
    policy: RetryPolicy,
    *,
    deadline: Deadline,
    now: float,
    chance: Callable[[], float],
) -> Retry | GiveUp:
    """Decide what follows a failed attempt.

    Args:
        earlier: the failed attempts before.
        failure: the attempt that has failed.
        policy: the client's options.
        deadline: when the operation's time is up.
        now: the time on the same clock.
        chance: returns a number from 0 to 1.
    """
    attempts = _after(earlier, failure, policy)
    told = attempts.told or failure
    allowed = policy.max_adaptive_retries if attempts.met_overload else inf if deadline.is_finite else 1
    if attempts.count > allowed or not is_retryable(failure, policy) or deadline.has_passed(now):
        return GiveUp(told)
    delay = 0.0
    if failure.error.has_error_label(SYSTEM_OVERLOADED):
        # The exponent is bounded, because no float holds two to the thousandth retry.
        delay = chance() * min(MAX_BACKOFF, base_backoff(failure.error) * 2 ** min(attempts.count, 64))
    return GiveUp(told) if now + delay > deadline.at else Retry(attempts, delay)


def is_retryable(failure: Failure, policy: RetryPolicy) -> bool:
    """Whether a command of this kind may be sent again after this error, ever."""
    error, kind = failure.error, failure.retryability
    if error.has_error_label(SYSTEM_OVERLOADED) and error.has_error_label(RETRYABLE):
        if kind is Retryability.COMMAND:
            return policy.reads and policy.writes
        return policy.reads if kind.is_read else policy.writes
    if kind is Retryability.READ:
        is_state_change = isinstance(error, NotPrimaryError)
        return policy.reads and (is_lost(error) or is_state_change or _code(error) in RETRYABLE_READ_CODES)
    return kind is Retryability.WRITE and policy.writes and error.has_error_label(RETRYABLE_WRITE)


def is_lost(error: MongoError) -> bool:
    """Whether an error says that a connection was lost, could not be made, or was cleared away: a network error."""
    return isinstance(error, ConnectionFailure) and not isinstance(error, _NOT_LOST) and not is_permanent(error)


def deserves_label(error: MongoError, *, max_wire_version: int, is_mongos: bool) -> bool:
    """Whether the client has to put RetryableWriteError on the error of a retryable write.

    Where no reply came, nobody else can; servers since MongoDB 4.4 label their replies themselves.

    Args:
        error: the error.
        max_wire_version: the server's; 0 if it is not known, because the connection was not there yet.
        is_mongos: whether it is a mongos, whose write concern errors are not its own.
    """
    if is_lost(error):
        return True
    if max_wire_version >= _LABELS_BY_SERVER or (is_mongos and isinstance(error, WriteConcernError)):
        return False
    return _code(error) in RETRYABLE_WRITE_CODES


def base_backoff(error: MongoError) -> float:
    """The seconds that the pause after an error grows from: the server's word, or `BASE_BACKOFF`."""
    details: Mapping[str, Any] = getattr(error, "details", None) or {}
    milliseconds = details.get("baseBackoffMS")
    if isinstance(milliseconds, (int, float)) and not isinstance(milliseconds, bool) and milliseconds > 0:
        return milliseconds / 1000
    return BASE_BACKOFF


def _after(earlier: Attempts, failure: Failure, policy: RetryPolicy) -> Attempts:
    """The history with one more failure."""
    met_overload = failure.error.has_error_label(SYSTEM_OVERLOADED)
    deprioritized = earlier.deprioritized
    avoids = failure.is_sharded or (met_overload and policy.overload_retargeting)
    if avoids and failure.address is not None and failure.address not in deprioritized:
        deprioritized = (*deprioritized, failure.address)
    return Attempts(
        count=earlier.count + 1,
        told=failure if earlier.told is None or _may_have_happened(failure) else earlier.told,
        met_overload=earlier.met_overload or met_overload,
        was_sent=earlier.was_sent or failure.was_sent,
        deprioritized=deprioritized,
    )


def _may_have_happened(failure: Failure) -> bool:
    """Whether an attempt may have been carried out; one that certainly was not tells less than one before."""
    if not failure.was_sent:
        return False
    return failure.retryability.is_read or not failure.error.has_error_label(NO_WRITES_PERFORMED)


def _code(error: MongoError) -> int | None:
    return getattr(error, "code", None)
