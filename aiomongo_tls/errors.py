"""Every error that aiomongo_tls raises.

    MongoError (= PyMongoError)
    ├── ConfigurationError (ValueError)      what you asked for cannot be; nothing was sent
    │   └── InvalidURI
    ├── ProtocolError                        the peer does not speak MongoDB's wire protocol
    ├── ConnectionFailure (ConnectionError)  a server could not be reached or was lost; has host and phase
    │   ├── AutoReconnect
    │   │   ├── NetworkTimeout (TimeoutError)
    │   │   ├── NotPrimaryError
    │   │   ├── PoolClearedError             its server was lost meanwhile; nothing was sent
    │   │   └── ServerSelectionTimeoutError (TimeoutError)
    │   ├── WaitQueueTimeoutError (TimeoutError)
    │   ├── PoolClosedError
    │   └── TLSError                         has reason, expected, presented, hint
    │       ├── ServerCertificateError       we do not accept the server's certificate
    │       ├── ClientCertificateRejected    the server does not accept ours
    │       ├── TLSProtocolError             no common language
    │       └── TLSHandshakeTimeout (TimeoutError)
    ├── OperationFailure                     the server answered with an error; has code, details
    │   ├── AuthenticationFailed
    │   ├── CursorNotFound, ExecutionTimeout
    │   ├── WriteConcernError
    │   │   └── WTimeoutError
    │   ├── WriteError
    │   │   └── DuplicateKeyError
    │   └── BulkWriteError
    ├── InvalidOperation                     the object is not in a state for this: closed, already used
    ├── DocumentTooLarge, CollectionInvalid
    └── InvalidName (ValueError)

Names that exist in PyMongo mean what they mean there. Each class also inherits the builtin that people already
catch. Errors are values: fields are set at construction, `str()` builds the text from them, and no field ever
holds a password or a key. `copy.copy()` gives an equal error with a traceback of its own, so that one failure
can be reported to several waiting tasks.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from enum import StrEnum
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from bson import ObjectId

    from aiomongo_tls.address import ServerAddress


class Phase(StrEnum):
    """How far the way to a reply had come when something went wrong."""

    SELECTION = "selection"
    QUEUE = "queue"
    DNS = "dns"
    TCP = "tcp"
    TLS = "tls"
    HELLO = "hello"
    AUTH = "auth"
    REQUEST = "request"

    @property
    def doing(self) -> str:
        """The phase in words, to stand after "while"."""
        return _DOING[self]


_DOING = {
    Phase.SELECTION: "selecting a server",
    Phase.QUEUE: "waiting for a free connection",
    Phase.DNS: "looking up the host name",
    Phase.TCP: "opening the TCP connection",
    Phase.TLS: "in the TLS handshake",
    Phase.HELLO: "waiting for the reply to hello",
    Phase.AUTH: "authenticating",
    Phase.REQUEST: "waiting for the reply",
}


def _rebuild(cls: type[MongoError], args: tuple[Any, ...], state: dict[str, Any]) -> MongoError:
    error = cls.__new__(cls)
    error.args = args
    error.__dict__.update(state)
    return error


class MongoError(Exception):
    """The root of all errors of this package. PyMongo's name, `PyMongoError`, is an alias.

    Args:
        message: what happened.
        error_labels: MongoDB's error labels, for example `RetryableWriteError`.

    Attributes:
        service_id: which service behind a load balancer the error came from; None where there is no load balancer.
    """

    service_id: ObjectId | None = None

    def __init__(self, message: str = "", *, error_labels: Iterable[str] = ()) -> None:
        super().__init__(message)
        self._message = message
        self._error_labels = frozenset(error_labels)

    def has_error_label(self, label: str) -> bool:
        """Whether the server or the client put this label on the error."""
        return label in self._error_labels

    def add_error_label(self, label: str) -> None:
        """Put a label on the error; the client's part of retryable writes and overload."""
        self._error_labels |= {label}

    @property
    def timeout(self) -> bool:
        """Whether the operation failed because its time was up."""
        return isinstance(self, TimeoutError)

    def __str__(self) -> str:
        return self._message

    def __reduce__(self) -> tuple[Any, ...]:
        # Keyword-only constructors cannot be called again from `args`; the fields can be carried over.
        return _rebuild, (type(self), self.args, self.__dict__)

    def __copy__(self) -> MongoError:
        twin = _rebuild(type(self), self.args, self.__dict__)
        if hasattr(self, "__notes__"):
            # Each its own: what is noted on one is not said of the other.
            twin.__notes__ = list(self.__notes__)
        twin.__cause__ = self.__cause__
        return twin


PyMongoError = MongoError


class ConfigurationError(MongoError, ValueError):
    """An option, argument or file cannot be used; raised before anything is sent. Says which one and the mend.

    Args:
        message: what is wrong and what to do.
        reason: a stable slug where a file or what is in it cannot be used: `file-not-found`, `key-mismatch`, ...; None
            otherwise.
        error_labels: MongoDB's error labels.
    """

    def __init__(self, message: str = "", *, reason: str | None = None, error_labels: Iterable[str] = ()) -> None:
        super().__init__(message, error_labels=error_labels)
        self.reason = reason


class InvalidURI(ConfigurationError):
    """The connection string breaks the rules of MongoDB's connection string specification."""


class InvalidName(MongoError, ValueError):
    """A database or collection name that MongoDB does not allow."""


class CollectionInvalid(MongoError):
    """A collection cannot be created, most often because it exists."""


class DocumentTooLarge(MongoError, ValueError):
    """A document is larger than the server takes (maxBsonObjectSize); nothing was sent."""


class InvalidOperation(MongoError):
    """The object is not in a state for this: a closed client, a cursor that was already iterated."""


class ProtocolError(MongoError):
    """The peer sent bytes that are not MongoDB's wire protocol, or a reply to a request that was not made."""


class ConnectionFailure(MongoError, ConnectionError):
    """A server could not be reached, or the connection to it was lost.

    Args:
        message: what happened.
        host: the server concerned.
        phase: how far the connection or the request had come.
        error_labels: MongoDB's error labels.
    """

    def __init__(
        self,
        message: str = "",
        *,
        host: ServerAddress | None = None,
        phase: Phase | None = None,
        error_labels: Iterable[str] = (),
    ) -> None:
        super().__init__(message, error_labels=error_labels)
        self.host = host
        self.phase = phase

    def __str__(self) -> str:
        return f"{self.host}: {self._message}" if self.host is not None else self._message


class AutoReconnect(ConnectionFailure):
    """The connection was lost; the operation may or may not have happened. The next one uses a new connection."""


class NetworkTimeout(AutoReconnect, TimeoutError):
    """A peer was silent until a deadline passed. `phase` says where."""


class NotPrimaryError(AutoReconnect):
    """The server answered that it is not, or no longer, the primary.

    Args:
        message: what happened.
        details: the server's reply.
        host: the server concerned.
        error_labels: MongoDB's error labels.
    """

    def __init__(
        self,
        message: str = "",
        details: Mapping[str, Any] | None = None,
        *,
        host: ServerAddress | None = None,
        error_labels: Iterable[str] = (),
    ) -> None:
        super().__init__(message, host=host, phase=Phase.REQUEST, error_labels=error_labels)
        self.details = details

    @property
    def code(self) -> int | None:
        """The server's error code, if it gave one."""
        return (self.details or {}).get("code")


class ServerSelectionTimeoutError(AutoReconnect, TimeoutError):
    """No suitable server was found in time.

    Args:
        message: what was waited for.
        errors: the last fault of each server; the first is also the `__cause__`.
        host: the server concerned, where there is only one.
    """

    def __init__(
        self,
        message: str = "",
        errors: Mapping[ServerAddress, Exception] | None = None,
        *,
        host: ServerAddress | None = None,
    ) -> None:
        super().__init__(message, host=host, phase=Phase.SELECTION)
        self.errors: Mapping[ServerAddress, Exception] = errors or {}


class PoolClearedError(AutoReconnect):
    """The pool was cleared while an operation waited for one of its connections; nothing was sent.

    Its server was lost, stepped down or is being restarted; `__cause__` says what was seen. Says nothing new about the
    server, so it never changes what is known of it.
    """


class WaitQueueTimeoutError(ConnectionFailure, TimeoutError):
    """No connection of the pool became free in time (waitQueueTimeoutMS, timeoutMS)."""


class PoolClosedError(ConnectionFailure):
    """The pool was closed while an operation waited for one of its connections."""


class TLSError(ConnectionFailure):
    """TLS could not be established, or broke.

    Args:
        message: what happened, in one sentence.
        host: the server concerned.
        phase: almost always `Phase.TLS`; with TLS 1.3 a refused client certificate shows one step later.
        reason: a stable slug, the same in messages, logs and events: `unknown-ca`, `hostname-mismatch`, ...
        expected: what would have been accepted.
        presented: what was there instead.
        hint: what to do next.
        error_labels: MongoDB's error labels.
    """

    def __init__(
        self,
        message: str = "",
        *,
        reason: str,
        host: ServerAddress | None = None,
        phase: Phase | None = Phase.TLS,
        expected: str | None = None,
        presented: str | None = None,
        hint: str | None = None,
        error_labels: Iterable[str] = (),
    ) -> None:
        super().__init__(message, host=host, phase=phase, error_labels=error_labels)
        self.reason = reason
        self.expected = expected
        self.presented = presented
        self.hint = hint

    def __str__(self) -> str:
        parts = [f"{super().__str__()} [{self.reason}]"]
        if self.expected:
            parts.append(f"expected: {self.expected}")
        if self.presented:
            parts.append(f"presented: {self.presented}")
        if self.hint:
            parts.append(f"hint: {self.hint}")
        return "; ".join(parts)


class ServerCertificateError(TLSError):
    """The server's certificate was not accepted.

    `reason` is one of `unknown-ca`, `hostname-mismatch`, `certificate-expired`, `not-yet-valid`, `revoked`,
    `revocation-unknown`, `crl-missing`, `crl-expired`, `crl-invalid`, `certificate-invalid`.
    """


class ClientCertificateRejected(TLSError):
    """The server did not accept the client's certificate, or wanted one and got none.

    `reason` is one of `client-certificate-required`, `client-certificate-unknown-ca`,
    `client-certificate-expired`, `client-certificate-rejected`.
    """


class TLSProtocolError(TLSError):
    """Client and server have no common TLS language.

    `reason` is one of `not-tls`, `protocol-version`, `no-shared-cipher`, `tls-failure`, `tls-closed`.
    """


class TLSHandshakeTimeout(TLSError, TimeoutError):
    """The TLS handshake did not end in time; `reason` is `handshake-timeout`."""


class OperationFailure(MongoError):
    """The server answered a command with an error.

    Args:
        error: the server's message.
        code: the server's error code.
        details: the server's whole reply.
        error_labels: MongoDB's error labels; taken from `details` where not given.
    """

    def __init__(
        self,
        error: str = "",
        code: int | None = None,
        details: Mapping[str, Any] | None = None,
        *,
        error_labels: Iterable[str] | None = None,
    ) -> None:
        labels = (details or {}).get("errorLabels", ()) if error_labels is None else error_labels
        super().__init__(error, error_labels=labels)
        self._code = code
        self._details = details

    @property
    def code(self) -> int | None:
        """The server's error code, None if it gave none."""
        return self._code

    @property
    def code_name(self) -> str | None:
        """The server's name for the code, for example `Unauthorized`."""
        return (self._details or {}).get("codeName")

    @property
    def details(self) -> Mapping[str, Any] | None:
        """The server's whole reply."""
        return self._details

    @property
    def timeout(self) -> bool:
        """Whether the server gave up because the time was up (MaxTimeMSExpired)."""
        return self._code == 50 or isinstance(self, TimeoutError)

    def __str__(self) -> str:
        if self._code is None:
            return self._message
        name = f" {self.code_name}" if self.code_name else ""
        return f"{self._message} (code {self._code}{name})"


class AuthenticationFailed(OperationFailure):
    """The server refused the credential, or could not prove that it is the server.

    Args:
        error: what happened.
        code: the server's error code, 18 for every cause on purpose; None where we ended it.
        details: the server's reply.
        reason: a stable slug for the likely cause. X.509: `unknown-user`, `user-mismatch`, `no-client-certificate`,
            `no-tls`, `tls-terminated`. SCRAM: `bad-credentials`, `server-not-trusted` (it did not prove that it knows
            the password), `too-few-iterations`. Both: `mechanism-unavailable`. `authentication-failed` where nothing
            more is known.
        host: the server concerned.
        mechanism: the mechanism used, for example `MONGODB-X509`.
        user: the user name that was used, for X.509 the certificate's subject if it is known.
        hint: the likely cause and what to do, for X.509 the `createUser` command to run.
    """

    def __init__(
        self,
        error: str = "",
        code: int | None = None,
        details: Mapping[str, Any] | None = None,
        *,
        reason: str = "authentication-failed",
        host: ServerAddress | None = None,
        mechanism: str | None = None,
        user: str | None = None,
        hint: str | None = None,
        error_labels: Iterable[str] | None = None,
    ) -> None:
        super().__init__(error, code, details, error_labels=error_labels)
        self.reason = reason
        self.host = host
        self.phase = Phase.AUTH
        self.mechanism = mechanism
        self.user = user
        self.hint = hint

    def __str__(self) -> str:
        text = f"{super().__str__()} [{self.reason}]"
        if self.host is not None:
            text = f"{self.host}: {text}"
        return f"{text}; hint: {self.hint}" if self.hint else text


class CursorNotFound(OperationFailure):
    """The server no longer has the cursor: it timed out or was killed."""


class ExecutionTimeout(OperationFailure):
    """The server gave up because maxTimeMS had passed."""


class WriteConcernError(OperationFailure):
    """The write happened but its write concern was not satisfied."""


class WTimeoutError(WriteConcernError):
    """The write happened but was not acknowledged as asked within wtimeout."""

    @property
    def timeout(self) -> bool:
        """True: time was the reason."""
        return True


class WriteError(OperationFailure):
    """One write of a command failed."""


class DuplicateKeyError(WriteError):
    """A write would have put a key twice into a unique index."""


class BulkWriteError(OperationFailure):
    """Some writes of a bulk failed.

    Args:
        results: PyMongo's `details` document: `writeErrors` (with the caller's indexes), `writeConcernErrors`,
            `nInserted`, `nMatched`, `nModified`, `nRemoved`, `nUpserted`, `upserted`.
    """

    def __init__(self, results: Mapping[str, Any], *, error_labels: Iterable[str] = ()) -> None:
        errors: Sequence[Mapping[str, Any]] = results.get("writeErrors", ())
        concerns: Sequence[Mapping[str, Any]] = results.get("writeConcernErrors", ())
        first = errors[0].get("errmsg", "") if errors else concerns[0].get("errmsg", "") if concerns else ""
        super().__init__(
            f"batch op errors occurred: {len(errors)} failed write(s), "
            f"{len(concerns)} write concern error(s), the first: {first}",
            65,
            results,
            error_labels=error_labels,
        )

    @property
    def details(self) -> Mapping[str, Any]:
        """What went well and what did not, as PyMongo spells it: never None here."""
        return self._details or {}

    @property
    def timeout(self) -> bool:
        """Whether time was the reason of any of the errors: MaxTimeMSExpired, or a write concern's wtimeout."""
        details = self.details
        return any(
            error.get("code") in (50, 64) or error.get("errInfo", {}).get("wtimeout") is True
            for error in (*details["writeErrors"], *details["writeConcernErrors"])
        )
