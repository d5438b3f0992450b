"""What came of one attempt of a command: a reply that is the caller's, or a failure for `core/retry` to judge."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from aiomongo_tls.core.error_labels import RETRYABLE_WRITE
from aiomongo_tls.core.reply import error_in, state_change_in, write_concern_error_in
from aiomongo_tls.core.retry import Failure, Retryability, deserves_label
from aiomongo_tls.core.server_type import ServerType
from aiomongo_tls.errors import MongoError, NotPrimaryError, OperationFailure

if TYPE_CHECKING:
    from aiomongo_tls.address import ServerAddress
    from aiomongo_tls.core.auth.hello import StreamDescription
    from aiomongo_tls.core.commands.command import Command

_ILLEGAL_OPERATION = 20
_NO_RETRYABLE_WRITES = (
    "This MongoDB deployment does not support retryable writes. Please add retryWrites=false to your connection string."
)


def error_of(
    reply: Mapping[str, Any], command: Command, host: ServerAddress
) -> tuple[MongoError | None, Mapping[str, Any] | None]:
    """The error in a reply, and the reply itself where the caller gets that instead; None for what is a success to it.

    Args:
        reply: the decoded reply, which is not simply a success.
        command: the command.
        host: the server that sent it.
    """
    if reply.get("ok") == 1:
        return write_concern_error_in(reply), None if command.raises_write_concern else reply
    if not command.check:
        return error_in(reply, host=host), reply
    allowed = command.allowable_errors
    if allowed and (reply.get("code") in allowed or reply.get("errmsg") in allowed):
        return None, reply
    return error_in(reply, host=host), None


def news_in(reply: Mapping[str, Any], host: ServerAddress) -> NotPrimaryError | None:
    """What a reply says about the server itself: that it is not, or no longer, what we took it for; None for nothing.

    Args:
        reply: the decoded reply, which is not simply a success.
        host: the server that sent it.
    """
    if reply.get("ok") == 1:
        return state_change_in(reply, host=host)
    error = error_in(reply, host=host)
    return error if isinstance(error, NotPrimaryError) else None


def failure_of(
    error: MongoError,
    command: Command,
    description: StreamDescription | None,
    *,
    retry_writes: bool,
    is_sharded: bool,
    was_sent: bool,
    reply: Mapping[str, Any] | None = None,
) -> Failure:
    """What a failed attempt is to the decision on the next one; the client's label is put on the error here.

    Args:
        error: what went wrong.
        command: the command.
        description: what the connection's hello told; None if there was no connection.
        retry_writes: `retryWrites`.
        is_sharded: whether the deployment is a sharded cluster.
        was_sent: whether the command was handed over.
        reply: the reply that the caller gets instead of the error.
    """
    retryability = command.retryability
    address: ServerAddress | None = getattr(error, "host", None)
    if description is not None:
        address = description.address or address
        error.service_id = description.service_id
    if retryability is Retryability.WRITE and retry_writes:
        if was_sent and "txnNumber" not in command.document:
            # The server has no retryable writes, or a statement touches several documents.
            retryability = Retryability.WRITE_ONCE
        else:
            wire_version = description.max_wire_version if description is not None else 0
            is_mongos = description is not None and description.server_type is ServerType.MONGOS
            if deserves_label(error, max_wire_version=wire_version, is_mongos=is_mongos):
                error.add_error_label(RETRYABLE_WRITE)
            error = _in_clearer_words(error)
    return Failure(
        error=error,
        retryability=retryability,
        address=address,
        was_sent=was_sent,
        is_sharded=is_sharded,
        reply=reply,
    )


def _in_clearer_words(error: MongoError) -> MongoError:
    """The error of a server that does not know what a transaction number is, in the words that the spec has for it."""
    if not isinstance(error, OperationFailure) or error.code != _ILLEGAL_OPERATION:
        return error
    if not str(error).startswith("Transaction numbers"):
        return error
    details = error.details or {}
    clearer = OperationFailure(_NO_RETRYABLE_WRITES, error.code, details, error_labels=details.get("errorLabels", ()))
    clearer.service_id = error.service_id
    clearer.__cause__ = error
    return clearer
