"""What the server adds to a reply at the end: write concern errors of fail points, and error labels.

Specification: retryable-writes, "RetryableWriteError labels". A mongod labels what the client may try again, a mongos
does not. A fail point's labels stand in the place of the server's own.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from aiomongo_tls.testing.data.values import is_document
from aiomongo_tls.testing.failures import ErrorCode

if TYPE_CHECKING:
    from aiomongo_tls.testing.commands.request import Request
    from aiomongo_tls.testing.data.values import Document

RETRYABLE_CODES = frozenset(
    {
        ErrorCode.HostUnreachable,
        ErrorCode.HostNotFound,
        ErrorCode.NetworkTimeout,
        ErrorCode.ShutdownInProgress,
        ErrorCode.ReadConcernMajorityNotAvailableYet,
        ErrorCode.PrimarySteppedDown,
        ErrorCode.ExceededTimeLimit,
        ErrorCode.SocketException,
        ErrorCode.NotWritablePrimary,
        ErrorCode.InterruptedAtShutdown,
        ErrorCode.InterruptedDueToReplStateChange,
        ErrorCode.NotPrimaryNoSecondaryOk,
        ErrorCode.NotPrimaryOrSecondary,
    }
)
"""Codes of errors after which a server calls a write retryable."""


def finished(reply: Document, request: Request) -> Document:
    """A reply with everything that does not depend on which command it answers.

    Args:
        reply: what the command answered, `ok` included.
        request: the command.
    """
    failure = request.failure
    if failure is not None and failure.write_concern_error is not None:
        reply = {**reply, "writeConcernError": dict(failure.write_concern_error)}
    labels = _labels(reply, request) if failure is None or failure.labels is None else failure.labels
    return {**reply, "errorLabels": list(labels)} if labels else reply


def _labels(reply: Document, request: Request) -> list[str]:
    if "txnNumber" not in request.document or "autocommit" in request.document:
        return []
    concern: Any = reply.get("writeConcernError")
    codes = {reply.get("code"), concern.get("code") if is_document(concern) else None}
    if request.node.is_router or not codes & RETRYABLE_CODES:
        return []
    return ["RetryableWriteError", *(["NoWritesPerformed"] if _wrote_nothing(reply, request) else [])]


def _wrote_nothing(reply: Document, request: Request) -> bool:
    """Whether it is certain that nothing was written.

    A server tells it from the connection's last write before and after, so it is not certain on a connection that
    never wrote, nor for a command that was refused beforehand.
    """
    return "code" in reply and 0 < request.connection.writes == request.writes_before
