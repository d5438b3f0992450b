"""Errors that the embedded server answers with: MongoDB's codes and their names."""

from __future__ import annotations

from enum import IntEnum
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Sequence


class ErrorCode(IntEnum):
    """MongoDB's error codes, as far as this server uses them or scripts are likely to."""

    InternalError = 1
    BadValue = 2
    GraphContainsCycle = 5
    HostUnreachable = 6
    HostNotFound = 7
    FailedToParse = 9
    UserNotFound = 11
    Unauthorized = 13
    TypeMismatch = 14
    InvalidLength = 16
    ProtocolError = 17
    AuthenticationFailed = 18
    IllegalOperation = 20
    NamespaceNotFound = 26
    IndexNotFound = 27
    PathNotViable = 28
    ConflictingUpdateOperators = 40
    CursorNotFound = 43
    NamespaceExists = 48
    MaxTimeMSExpired = 50
    DollarPrefixedFieldName = 52
    NotSingleValueField = 54
    CommandNotFound = 59
    ImmutableField = 66
    CannotCreateIndex = 67
    InvalidIdField = 53
    InvalidOptions = 72
    InvalidNamespace = 73
    WriteConcernFailed = 64
    NoReplicationEnabled = 76
    IndexOptionsConflict = 85
    IndexKeySpecsConflict = 86
    NetworkTimeout = 89
    ShutdownInProgress = 91
    OperationFailed = 96
    WriteConflict = 112
    AmbiguousIndexKeyPattern = 181
    CommandNotSupported = 115
    PrimarySteppedDown = 189
    CannotIndexParallelArrays = 171
    TransactionTooLarge = 257
    NotImplemented = 238
    ClientMetadataCannotBeMutated = 186
    ReauthenticationRequired = 391
    InterruptedAtShutdown = 11600
    Interrupted = 11601
    InterruptedDueToReplStateChange = 11602
    NotWritablePrimary = 10107
    NotPrimaryNoSecondaryOk = 13435
    NotPrimaryOrSecondary = 13436
    BSONObjectTooLarge = 10334
    DuplicateKey = 11000


def code_name(code: int) -> str:
    """MongoDB's name of an error code; codes that have none are called `Location` and their number.

    Args:
        code: an error code.
    """
    try:
        return ErrorCode(code).name
    except ValueError:
        return f"Location{code}"


class CommandError(Exception):
    """A command, or one write of a command, ends with an error.

    Args:
        code: MongoDB's error code.
        message: what a person reads.
        labels: error labels.
        details: further fields of the error document, such as `keyPattern` and `keyValue`.
    """

    def __init__(self, code: int, message: str, *, labels: Sequence[str] = (), **details: Any) -> None:
        super().__init__(message)
        self.code = int(code)
        self.message = message
        self.labels = tuple(labels)
        self.details = details

    def reply(self) -> dict[str, Any]:
        """The reply to a command that failed."""
        reply: dict[str, Any] = {
            "ok": 0.0,
            "errmsg": self.message,
            "code": self.code,
            "codeName": code_name(self.code),
            **self.details,
        }
        if self.labels:
            reply["errorLabels"] = list(self.labels)
        return reply

    def write_error(self, index: int) -> dict[str, Any]:
        """The entry in `writeErrors` for one write that failed.

        Args:
            index: the write's place in its command.
        """
        return {"index": index, "code": self.code, "errmsg": self.message, **self.details}


def not_here(what: str) -> CommandError:
    """The error for what MongoDB can do and this server cannot.

    Args:
        what: the operator, option or combination, as the user wrote it.
    """
    return CommandError(ErrorCode.NotImplemented, f"the embedded test server does not support {what}")
