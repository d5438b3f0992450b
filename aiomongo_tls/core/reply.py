"""What a server's reply means: success, or which error.

The code decides the class; labels and the whole reply stay on the error. Everything in a reply is the peer's word: a
field of the wrong type counts as absent, so that a strange reply becomes an ordinary error and not a TypeError of ours.

Specifications: server-discovery-and-monitoring, "not writable primary and node is recovering"; crud, "error handling".
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, Final

from aiomongo_tls.errors import (
    CursorNotFound,
    DuplicateKeyError,
    ExecutionTimeout,
    NotPrimaryError,
    OperationFailure,
    WriteConcernError,
    WriteError,
    WTimeoutError,
)

if TYPE_CHECKING:
    from aiomongo_tls.address import ServerAddress

NOT_WRITABLE_PRIMARY_CODES: Final = frozenset({10107, 13435, 10058})
"""NotWritablePrimary, NotPrimaryNoSecondaryOk, LegacyNotPrimary."""

RECOVERING_CODES: Final = frozenset({11600, 11602, 13436, 189, 91})
"""InterruptedAtShutdown, InterruptedDueToReplStateChange, NotPrimaryOrSecondary, PrimarySteppedDown,
ShutdownInProgress."""

STATE_CHANGE_CODES: Final = NOT_WRITABLE_PRIMARY_CODES | RECOVERING_CODES
"""Codes that say that the server is not, or no longer, what we took it for."""

_DUPLICATE_KEY_CODES = frozenset({11000, 11001, 12582})
_MAX_TIME_EXPIRED = 50
_WRITE_CONCERN_TIMEOUT = 64

_CLASSES: dict[int, type[OperationFailure]] = {
    43: CursorNotFound,
    _MAX_TIME_EXPIRED: ExecutionTimeout,
    **dict.fromkeys(_DUPLICATE_KEY_CODES, DuplicateKeyError),
}


def raise_for_reply(reply: Mapping[str, Any], *, host: ServerAddress | None = None) -> None:
    """Raise the error that a reply tells of; do nothing for a success.

    Errors of single writes and of the write concern come with `ok: 1` and are not looked at here, see
    `raise_for_write()`.

    Args:
        reply: the decoded reply.
        host: the server that sent it.

    Raises:
        NotPrimaryError: the server is not the primary, or is going away.
        CursorNotFound: code 43.
        ExecutionTimeout: code 50.
        DuplicateKeyError: codes 11000, 11001 and 12582.
        OperationFailure: any other code.
    """
    # Servers send 1.0; this is all that a success costs.
    if reply.get("ok") == 1:
        return
    raise error_in(reply, host=host)


def raise_for_write(reply: Mapping[str, Any], *, host: ServerAddress | None = None) -> None:
    """Raise the error in the reply to a single write: of the command, of the write or of its concern, in that order.

    Args:
        reply: the decoded reply.
        host: the server that sent it.

    Raises:
        DuplicateKeyError: the write would have put a key twice into a unique index.
        WriteError: the write failed otherwise.
        WriteConcernError: see `raise_for_write_concern()`.
        OperationFailure: see `raise_for_reply()`.
    """
    if reply.get("ok") != 1:
        raise error_in(reply, host=host)
    # A success has neither.
    if "writeErrors" in reply:
        errors = _sequence(reply["writeErrors"])
        if errors:
            raise write_error_in(_mapping(errors[-1]), error_labels=_labels(reply))
    if "writeConcernError" in reply:
        raise_for_write_concern(reply)


def raise_for_write_concern(reply: Mapping[str, Any]) -> None:
    """Raise the write concern error of a reply; do nothing if there is none.

    Args:
        reply: the decoded reply.

    Raises:
        WTimeoutError: the write was not acknowledged in time.
        WriteConcernError: the write was not acknowledged as asked.
    """
    error = write_concern_error_in(reply)
    if error is not None:
        raise error


def error_in(reply: Mapping[str, Any], *, host: ServerAddress | None = None) -> NotPrimaryError | OperationFailure:
    """Make the error that a failed reply tells of.

    Args:
        reply: the decoded reply, without `ok: 1`.
        host: the server that sent it.
    """
    code = _code(reply)
    message = message_in(reply)
    if is_state_change(code, message):
        return NotPrimaryError(message, reply, host=host, error_labels=_labels(reply))
    cls = OperationFailure if code is None else _CLASSES.get(code, OperationFailure)
    return cls(message, code, reply, error_labels=_labels(reply))


def write_error_in(error: Mapping[str, Any], *, error_labels: Sequence[str] = ()) -> WriteError:
    """Make the error of one write.

    Args:
        error: one document of a reply's `writeErrors`.
        error_labels: the labels of the reply.
    """
    code = _code(error)
    cls = DuplicateKeyError if code in _DUPLICATE_KEY_CODES else WriteError
    return cls(message_in(error), code, error, error_labels=error_labels)


def write_concern_error_in(reply: Mapping[str, Any]) -> WriteConcernError | None:
    """Make the write concern error of a reply; None if there is none.

    Args:
        reply: the decoded reply.
    """
    concern = reply.get("writeConcernError")
    if not concern:
        return None
    details = dict(_mapping(concern))
    labels = _labels(reply)
    if labels:
        # PyMongo keeps the reply's labels here, too.
        details["errorLabels"] = list(labels)
    code = _code(details)
    timed_out = _mapping(details.get("errInfo")).get("wtimeout") is True
    cls = WTimeoutError if timed_out or code in (_WRITE_CONCERN_TIMEOUT, _MAX_TIME_EXPIRED) else WriteConcernError
    return cls(message_in(details), code, details, error_labels=labels)


def state_change_in(reply: Mapping[str, Any], *, host: ServerAddress | None = None) -> NotPrimaryError | None:
    """Make the error of a reply whose write concern failed because the server changes its state; None for others.

    Its details are the whole reply, with the topology version that says whether this is news.

    Args:
        reply: the decoded reply, with `ok: 1`.
        host: the server that sent it.
    """
    concern = _mapping(reply.get("writeConcernError"))
    code, message = _code(concern), message_in(concern)
    if not is_state_change(code, message):
        return None
    return NotPrimaryError(message, {**reply, "ok": 0, "code": code, "errmsg": message}, host=host)


def is_state_change(code: int | None, message: str) -> bool:
    """Whether an error says that the server is not, or no longer, the primary.

    The message counts only where there is no code.

    Args:
        code: the server's error code.
        message: the server's message.
    """
    if code is not None:
        return code in STATE_CHANGE_CODES
    return "not master" in message or "node is recovering" in message


def message_in(document: Mapping[str, Any]) -> str:
    """Find the server's message.

    Args:
        document: a failed reply, a write error or a write concern error.
    """
    for name in ("errmsg", "$err"):
        message = document.get(name)
        if isinstance(message, str) and message:
            return message
    return "the server gave no message"


def _code(document: Mapping[str, Any]) -> int | None:
    code = document.get("code")
    # A boolean is an int to Python, a double may come from a shell script on the other side.
    if isinstance(code, float) and code.is_integer():
        return int(code)
    return int(code) if isinstance(code, int) and not isinstance(code, bool) else None


def _labels(reply: Mapping[str, Any]) -> tuple[str, ...]:
    return tuple(label for label in _sequence(reply.get("errorLabels")) if isinstance(label, str))


def _mapping(value: Mapping[str, Any] | None) -> Mapping[str, Any]:
    return value if isinstance(value, Mapping) else {}


def _sequence(value: Sequence[Any] | None) -> Sequence[Any]:
    # Text is a sequence, too.
    return value if isinstance(value, Sequence) and not isinstance(value, str | bytes) else ()
