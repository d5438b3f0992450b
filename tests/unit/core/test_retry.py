"""Whether a failed attempt is made again."""

from __future__ import annotations

from itertools import product
from typing import Any

import pytest

from aiomongo_tls.address import ServerAddress
from aiomongo_tls.core.error_labels import NO_WRITES_PERFORMED as NOTHING_WRITTEN
from aiomongo_tls.core.error_labels import OVERLOAD as OVERLOADED
from aiomongo_tls.core.error_labels import RETRYABLE_WRITE
from aiomongo_tls.core.retry import (
    NO_ATTEMPTS,
    RETRYABLE_READ_CODES,
    RETRYABLE_WRITE_CODES,
    Attempts,
    Failure,
    GiveUp,
    Retry,
    Retryability,
    RetryPolicy,
    base_backoff,
    decide,
    deserves_label,
    is_lost,
    is_retryable,
)
from aiomongo_tls.deadline import NEVER, Deadline
from aiomongo_tls.errors import (
    AuthenticationFailed,
    AutoReconnect,
    ConfigurationError,
    ConnectionFailure,
    InvalidOperation,
    MongoError,
    NetworkTimeout,
    NotPrimaryError,
    OperationFailure,
    PoolClearedError,
    PoolClosedError,
    ProtocolError,
    ServerCertificateError,
    ServerSelectionTimeoutError,
    TLSHandshakeTimeout,
    TLSProtocolError,
    WaitQueueTimeoutError,
    WriteConcernError,
)

READ, WRITE, READ_ONCE, WRITE_ONCE, COMMAND = (
    Retryability.READ,
    Retryability.WRITE,
    Retryability.READ_ONCE,
    Retryability.WRITE_ONCE,
    Retryability.COMMAND,
)
DEFAULT = RetryPolicy()
HOST, OTHER = ServerAddress("one"), ServerAddress("other")


def answer(code: int, *labels: str, **details: Any) -> OperationFailure:
    return OperationFailure("no", code, details, error_labels=labels)


def lost(*labels: str) -> AutoReconnect:
    return AutoReconnect("lost", host=HOST, error_labels=labels)


def failed(error: MongoError, retryability: Retryability = READ, **changed: Any) -> Failure:
    values: dict[str, Any] = {"was_sent": True, "address": HOST}
    return Failure(error=error, retryability=retryability, **(values | changed))


def follow(
    *failures: Failure, policy: RetryPolicy = DEFAULT, deadline: Deadline = NEVER, chance: float = 0.0
) -> tuple[MongoError | None, int, list[float]]:
    """One failure after the other: the error that is raised in the end, the number of retries, and the pauses."""
    attempts, delays = NO_ATTEMPTS, list[float]()
    for failure in failures:
        what = decide(attempts, failure, policy, deadline=deadline, now=0.0, chance=lambda: chance)
        if isinstance(what, GiveUp):
            return what.failure.error, len(delays), delays
        attempts = what.attempts
        delays.append(what.delay)
    return None, len(delays), delays


# What may be repeated after what


KINDS_OF_ERRORS: dict[str, tuple[MongoError, dict[Retryability, str]]] = {
    "lost": (lost(), {READ: "reads"}),
    "lost, labelled": (lost(RETRYABLE_WRITE), {READ: "reads", WRITE: "writes"}),
    "timed out": (NetworkTimeout("late"), {READ: "reads"}),
    "pool cleared": (PoolClearedError("cleared"), {READ: "reads"}),
    "state change": (NotPrimaryError("no", {"code": 10107}), {READ: "reads"}),
    "state change without a code": (NotPrimaryError("not master"), {READ: "reads"}),
    "state change, labelled": (
        NotPrimaryError("no", {"code": 10107}, error_labels=[RETRYABLE_WRITE]),
        {READ: "reads", WRITE: "writes"},
    ),
    "host unreachable": (answer(6), {READ: "reads"}),
    "no majority yet": (answer(134), {READ: "reads"}),
    "any code, labelled": (answer(2, RETRYABLE_WRITE), {WRITE: "writes"}),
    "unauthorized": (answer(13), {}),
    "handshake: shutting down": (AuthenticationFailed("no", 91), {READ: "reads"}),
    "handshake: wrong password": (AuthenticationFailed("no", 18), {}),
    "overloaded": (
        answer(462, *OVERLOADED),
        {READ: "reads", READ_ONCE: "reads", WRITE: "writes", WRITE_ONCE: "writes", COMMAND: "both"},
    ),
    "overloaded while connecting": (
        lost(*OVERLOADED),
        {READ: "reads", READ_ONCE: "reads", WRITE: "writes", WRITE_ONCE: "writes", COMMAND: "both"},
    ),
    "overloaded but not retryable": (answer(2, "SystemOverloadedError"), {}),
    "retryable but not overloaded": (answer(2, "RetryableError"), {}),
    "no server": (ServerSelectionTimeoutError("none"), {}),
    "queue": (WaitQueueTimeoutError("full"), {}),
    "its server has left": (PoolClosedError("closed"), {READ: "reads"}),
    "closed client": (InvalidOperation("closed"), {}),
    "options": (ConfigurationError("old"), {}),
    "certificate": (ServerCertificateError("bad", reason="unknown-ca"), {}),
    "hung up in the handshake": (TLSProtocolError("end", reason="tls-closed"), {READ: "reads"}),
    "slow handshake": (TLSHandshakeTimeout("slow", reason="handshake-timeout"), {READ: "reads"}),
    "not MongoDB": (ProtocolError("what?"), {}),
}


@pytest.mark.parametrize("kind", KINDS_OF_ERRORS)
def test_what_may_be_repeated(kind: str) -> None:
    """By the kind of command and the option that allows it; everything else is raised."""
    error, allowed = KINDS_OF_ERRORS[kind]
    for retryability, reads, writes in product(Retryability, (True, False), (True, False)):
        needs = allowed.get(retryability)
        expected = {"reads": reads, "writes": writes, "both": reads and writes, None: False}[needs]
        policy = RetryPolicy(reads=reads, writes=writes)
        assert is_retryable(failed(error, retryability), policy) is expected, (retryability, policy)


def test_the_codes() -> None:
    """Of the specifications' tables."""
    assert len(RETRYABLE_READ_CODES) == 13
    assert 134 in RETRYABLE_READ_CODES
    for code in (262, 11600, 11602, 10107, 13435, 13436, 189, 91, 7, 6, 89, 9001):
        assert code in RETRYABLE_WRITE_CODES
    assert len(RETRYABLE_WRITE_CODES) == 12


def test_what_is_a_lost_connection() -> None:
    """Nothing that this client has decided itself, nor an answer of the server."""
    assert is_lost(ConnectionFailure("refused"))
    assert not is_lost(NotPrimaryError("no"))
    assert not is_lost(answer(89))


# Labels


@pytest.mark.parametrize(
    ("error", "wire_version", "is_mongos", "expected"),
    [
        (lost(), 21, False, True),
        (lost(), 0, False, True),
        (PoolClearedError("cleared"), 21, False, True),
        (NetworkTimeout("late"), 21, True, True),
        (ServerSelectionTimeoutError("none"), 21, False, False),
        (answer(91), 8, False, True),
        (answer(91), 8, True, True),
        (answer(91), 9, False, False),
        (answer(91), 21, False, False),
        (answer(11601), 8, False, False),
        (WriteConcernError("late", 91), 8, False, True),
        (WriteConcernError("late", 91), 8, True, False),
        (WriteConcernError("late", 91), 9, False, False),
        (WriteConcernError("late", 64), 8, False, False),
        # In the handshake, before the version is known.
        (NotPrimaryError("no", {"code": 91}), 0, False, True),
    ],
)
def test_the_client_s_label(error: MongoError, wire_version: int, is_mongos: bool, expected: bool) -> None:
    """Servers since MongoDB 4.4 label their replies themselves; where none came, nobody else can."""
    assert deserves_label(error, max_wire_version=wire_version, is_mongos=is_mongos) is expected


# How often


def test_once() -> None:
    """Without a deadline; the second error is as good as the first."""
    first, second = lost(), lost()
    assert follow(failed(first), failed(second)) == (second, 1, [0.0])


def test_as_often_as_the_deadline_allows() -> None:
    """Retries are not counted then; when the time is up, the last error is raised."""
    errors = [lost() for _ in range(20)]
    until = Deadline(1.0, "timeoutMS=1000")
    assert follow(*(failed(error) for error in errors), deadline=until) == (None, 20, [0.0] * 20)
    what = decide(NO_ATTEMPTS, failed(errors[0]), RetryPolicy(), deadline=until, now=1.0, chance=lambda: 0.0)
    assert what == GiveUp(failed(errors[0]))


@pytest.mark.parametrize("most", [0, 1, 2, 5])
@pytest.mark.parametrize("deadline", [NEVER, Deadline(1000.0, "timeoutMS")])
@pytest.mark.parametrize("retryability", list(Retryability))
def test_overload_caps_the_retries(most: int, deadline: Deadline, retryability: Retryability) -> None:
    """MaxAdaptiveRetries, with a deadline as well (backpressure, prose tests 3 and 4)."""
    failures = [failed(answer(462, *OVERLOADED), retryability) for _ in range(10)]
    error, retries, _ = follow(*failures, policy=RetryPolicy(max_adaptive_retries=most), deadline=deadline)
    assert retries == most
    assert error is failures[most].error
    assert all(error.has_error_label(label) for label in OVERLOADED)


@pytest.mark.parametrize("retryability", [READ, WRITE])
def test_the_cap_holds_for_all_retries_after_it(retryability: Retryability) -> None:
    """Of other errors, too (retryable reads, prose test 4; retryable writes, prose test 6 case 4)."""
    failures = [failed(answer(91, *OVERLOADED), retryability)]
    failures += [failed(answer(91, "RetryableError", RETRYABLE_WRITE), retryability) for _ in range(5)]
    error, retries, _ = follow(*failures)
    assert (error, retries) == (failures[2].error, 2)


@pytest.mark.parametrize("retryability", [READ, WRITE])
def test_overload_at_the_second_attempt_allows_a_third(retryability: Retryability) -> None:
    """The first one counts, too."""
    failures = [failed(lost(RETRYABLE_WRITE), retryability)]
    failures += [failed(answer(462, *OVERLOADED), retryability) for _ in range(5)]
    assert follow(*failures)[1] == 2


# Pauses


def test_the_pause_grows() -> None:
    """0.2 s and 0.4 s at most (backpressure, prose test 1); by chance down to nothing."""
    failures = [failed(answer(2, *OVERLOADED), WRITE_ONCE) for _ in range(3)]
    assert follow(*failures, chance=1.0)[2] == pytest.approx([0.2, 0.4])
    assert follow(*failures, chance=0.5)[2] == pytest.approx([0.1, 0.2])
    assert follow(*failures, chance=0.0)[2] == [0.0, 0.0]


def test_the_server_may_name_the_base() -> None:
    """With 50 ms it is 0.1 s and 0.2 s (backpressure, prose test 5); nonsense counts as nothing."""
    failures = [failed(answer(462, *OVERLOADED, baseBackoffMS=50)) for _ in range(3)]
    assert follow(*failures, chance=1.0)[2] == pytest.approx([0.1, 0.2])
    for nonsense in (0, -5, True, "50", None):
        assert base_backoff(answer(462, baseBackoffMS=nonsense)) == 0.1
    assert base_backoff(NotPrimaryError("no", {"baseBackoffMS": 20.0})) == 0.02
    assert base_backoff(lost()) == 0.1


def test_the_pause_has_an_end() -> None:
    """Ten seconds."""
    failures = [failed(answer(2, *OVERLOADED)) for _ in range(1200)]
    delays = follow(*failures, policy=RetryPolicy(max_adaptive_retries=1199), chance=1.0)[2]
    assert delays[-1] == 10.0
    assert max(delays) == 10.0


def test_no_pause_without_overload() -> None:
    """Even after one with it (retryable reads, prose test 5)."""
    failures = [failed(answer(91, *OVERLOADED)), failed(answer(91, "RetryableError")), failed(lost())]
    assert follow(*failures, chance=1.0)[2] == pytest.approx([0.2, 0.0])


def test_no_pause_beyond_the_deadline() -> None:
    """Waiting would be in vain."""
    failure = failed(answer(2, *OVERLOADED))
    assert follow(failure, deadline=Deadline(0.19), chance=1.0) == (failure.error, 0, [])
    assert follow(failure, deadline=Deadline(0.21), chance=1.0)[1] == 1


# Where


@pytest.mark.parametrize(
    ("error", "is_sharded", "retargets", "expected"),
    [
        (lost(), True, False, (HOST,)),
        (answer(6), True, False, (HOST,)),
        (answer(6), False, False, ()),
        (answer(6), False, True, ()),
        (answer(6, *OVERLOADED), False, False, ()),
        (answer(6, *OVERLOADED), False, True, (HOST,)),
        (answer(6, *OVERLOADED), True, False, (HOST,)),
    ],
)
def test_who_is_avoided(error: MongoError, is_sharded: bool, retargets: bool, expected: tuple[Any, ...]) -> None:
    """A mongos always; a member that is overloaded if the option says so (reads, prose tests 2 and 3)."""
    policy = RetryPolicy(overload_retargeting=retargets)
    failure = failed(error, is_sharded=is_sharded)
    what = decide(NO_ATTEMPTS, failure, policy, deadline=NEVER, now=0.0, chance=lambda: 0.0)
    assert isinstance(what, Retry)
    assert what.attempts.deprioritized == expected


def test_all_that_failed_are_avoided() -> None:
    """Each once; one that never had an address cannot be."""
    attempts = NO_ATTEMPTS
    for address in (HOST, OTHER, HOST, None):
        failure = failed(lost(), address=address, is_sharded=True)
        what = decide(attempts, failure, RetryPolicy(), deadline=Deadline(9.0), now=0.0, chance=lambda: 0.0)
        assert isinstance(what, Retry)
        attempts = what.attempts
    assert attempts.deprioritized == (HOST, OTHER)
    assert attempts.count == 4
    assert attempts.was_sent


# Which error


NO_SERVER = ServerSelectionTimeoutError("none")


@pytest.mark.parametrize(
    ("errors", "expected"),
    [
        # (error, was it sent?); the position of the one that is raised.
        ([(answer(91, *OVERLOADED), True), (answer(10107, *OVERLOADED), True)], 1),
        ([(answer(91, *OVERLOADED, NOTHING_WRITTEN), True), (answer(10107, *OVERLOADED, NOTHING_WRITTEN), True)], 0),
        ([(answer(91, *OVERLOADED), True), (answer(91, *OVERLOADED, NOTHING_WRITTEN), True)], 0),
        ([(answer(91, *OVERLOADED, NOTHING_WRITTEN), True), (answer(91, *OVERLOADED), True)], 1),
        ([(WriteConcernError("w", 91, error_labels=[RETRYABLE_WRITE]), True), (NO_SERVER, False)], 0),
        ([(lost(RETRYABLE_WRITE), True), (lost(RETRYABLE_WRITE), False)], 0),
        ([(lost(RETRYABLE_WRITE), False), (lost(RETRYABLE_WRITE), True)], 1),
        ([(PoolClearedError("c", error_labels=[RETRYABLE_WRITE]), False), (NO_SERVER, False)], 0),
        ([(answer(91, RETRYABLE_WRITE, NOTHING_WRITTEN), True), (NO_SERVER, False)], 0),
        ([(lost(RETRYABLE_WRITE), True), (answer(13), True)], 1),
        ([(lost(RETRYABLE_WRITE), True), (ConfigurationError("too old"), False)], 0),
        ([(NO_SERVER, False)], 0),
    ],
)
@pytest.mark.parametrize("retryability", [WRITE, WRITE_ONCE, COMMAND])
def test_the_error_of_a_write_tells_whether_it_may_have_happened(
    errors: list[tuple[MongoError, bool]], expected: int, retryability: Retryability
) -> None:
    """The last that may have; if none may, the first (retryable writes, prose tests 3 and 6)."""
    attempts = NO_ATTEMPTS
    for error, was_sent in errors:
        what = decide(
            attempts,
            failed(error, retryability, was_sent=was_sent),
            RetryPolicy(max_adaptive_retries=1),
            deadline=NEVER,
            now=0.0,
            chance=lambda: 0.0,
        )
        if isinstance(what, Retry):
            attempts = what.attempts
    if retryability is not WRITE and not errors[0][0].has_error_label(OVERLOADED[0]):
        # Such a command would not have been repeated.
        return
    assert isinstance(what, GiveUp)
    assert what.failure.error is errors[expected][0]


def test_the_error_of_a_read() -> None:
    """The last attempt's; one that was none says nothing, and nothing is written by a read."""
    first, second = lost(), lost()
    assert follow(failed(first), failed(second, was_sent=False))[0] is first
    assert follow(failed(first), failed(NO_SERVER, was_sent=False))[0] is first
    labelled = answer(91, NOTHING_WRITTEN)
    assert follow(failed(first), failed(labelled))[0] is labelled


def test_a_history_is_a_value() -> None:
    """Deciding changes nothing."""
    earlier = Attempts(count=1)
    decide(earlier, failed(lost()), RetryPolicy(), deadline=Deadline(9.0), now=0.0, chance=lambda: 0.0)
    assert earlier == Attempts(count=1)
