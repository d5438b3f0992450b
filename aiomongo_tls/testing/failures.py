"""Errors that the embedded server answers with: MongoDB's codes and their names."""

from __future__ import annotations

from dataclasses import dataclass
from enum import IntEnum
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence


class ErrorCode(IntEnum):
    """MongoDB's error codes, as far as this server uses them or scripts are likely to."""

    InternalError = 1
    BadValue = 2
    GraphContainsCycle = 5
    HostUnreachable = 6
    HostNotFound = 7
    UnknownError = 8
    FailedToParse = 9
    UserNotFound = 11
    Unauthorized = 13
    TypeMismatch = 14
    InvalidLength = 16
    ProtocolError = 17
    AuthenticationFailed = 18
    IllegalOperation = 20
    InvalidBSON = 22
    LockTimeout = 24
    NamespaceNotFound = 26
    IndexNotFound = 27
    PathNotViable = 28
    RoleNotFound = 31
    ConflictingUpdateOperators = 40
    CursorNotFound = 43
    NamespaceExists = 48
    MaxTimeMSExpired = 50
    DollarPrefixedFieldName = 52
    InvalidIdField = 53
    NotSingleValueField = 54
    EmptyFieldName = 56
    CommandNotFound = 59
    WriteConcernFailed = 64
    ImmutableField = 66
    CannotCreateIndex = 67
    InvalidOptions = 72
    InvalidNamespace = 73
    NoReplicationEnabled = 76
    UnknownReplWriteConcern = 79
    IndexOptionsConflict = 85
    IndexKeySpecsConflict = 86
    NetworkTimeout = 89
    ShutdownInProgress = 91
    NotSecondary = 95
    OperationFailed = 96
    UnsatisfiableWriteConcern = 100
    WriteConflict = 112
    CommandNotSupported = 115
    NotAReplicaSet = 123
    FailedToSatisfyReadPreference = 133
    ReadConcernMajorityNotAvailableYet = 134
    InvalidPipelineOperator = 168
    CannotIndexParallelArrays = 171
    AmbiguousIndexKeyPattern = 181
    ClientMetadataCannotBeMutated = 186
    PrimarySteppedDown = 189
    InvalidIndexSpecificationOption = 197
    ClusterTimeFailsRateLimiter = 205
    NoSuchSession = 206
    IncompleteTransactionHistory = 217
    TransactionTooOld = 225
    RetryChangeStream = 234
    NotImplemented = 238
    SnapshotUnavailable = 246
    NoSuchTransaction = 251
    TransactionTooLarge = 257
    ExceededTimeLimit = 262
    FailPointSetFailed = 266
    APIVersionError = 322
    APIStrictError = 323
    MechanismUnavailable = 334
    UnsupportedOpQueryCommand = 352
    LoadBalancerSupportMismatch = 354
    ReauthenticationRequired = 391
    IngressRequestRateLimitExceeded = 462
    SocketException = 9001
    NotWritablePrimary = 10107
    BSONObjectTooLarge = 10334
    DuplicateKey = 11000
    InterruptedAtShutdown = 11600
    Interrupted = 11601
    InterruptedDueToReplStateChange = 11602
    MergeStageNoMatchingDocument = 13113
    NotPrimaryNoSecondaryOk = 13435
    NotPrimaryOrSecondary = 13436


NOT_PRIMARY = frozenset(
    {
        *(ErrorCode.NotWritablePrimary, ErrorCode.NotPrimaryNoSecondaryOk, ErrorCode.NotPrimaryOrSecondary),
        *(ErrorCode.InterruptedDueToReplStateChange, ErrorCode.PrimarySteppedDown),
    }
)
"""Errors that tell of a member that is no primary."""

STATE_CHANGES = NOT_PRIMARY | {ErrorCode.InterruptedAtShutdown, ErrorCode.ShutdownInProgress}
"""Errors after which a server is not what it was."""


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


@dataclass(frozen=True, slots=True, kw_only=True)
class Failure:
    """What a fail point does to a command that is answered.

    Args:
        error: the error to answer with instead of carrying the command out.
        write_concern_error: what the reply tells of the write concern.
        labels: the reply's error labels, in the place of those that the server would give; None for the server's.
    """

    error: CommandError | None = None
    write_concern_error: Mapping[str, Any] | None = None
    labels: tuple[str, ...] | None = None


def not_here(what: str) -> CommandError:
    """The error for what MongoDB can do and this server cannot.

    Args:
        what: the operator, option or combination, as the user wrote it.
    """
    return CommandError(ErrorCode.NotImplemented, f"the embedded test server does not support {what}")
