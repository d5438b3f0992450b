"""MONGODB-X509: the client is who its certificate says.

One command on `$external`, and its success is all there is to it. Sent along with hello, it costs no round trip of its
own. The user name goes in only if the application gave one, and then as given; otherwise the server takes the subject
of the certificate that TLS has already proven.

Specification: auth, "MONGODB-X509"; mongodb-handshake, "Speculative Authentication".
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Final

from aiomongo_tls.core.auth.conversation import CommandDocument, Conversation
from aiomongo_tls.core.auth.x509_cause import likely_cause
from aiomongo_tls.core.reply import error_in, message_in
from aiomongo_tls.errors import AuthenticationFailed, OperationFailure, Phase

if TYPE_CHECKING:
    from aiomongo_tls.core.auth.facts import ConnectionFacts
    from aiomongo_tls.core.options.credential import MongoCredential

MECHANISM: Final = "MONGODB-X509"
"""The mechanism's name."""

_SOURCE = "$external"

# HostUnreachable, HostNotFound, MaxTimeMSExpired, NetworkTimeout, ExceededTimeLimit, SocketException: the server could
# not answer the question now. Anything else but a change of state is a verdict on the credential.
_TRANSIENT_CODES = frozenset({6, 7, 50, 89, 262, 9001})
_TRANSIENT_LABELS = ("RetryableError", "SystemOverloadedError")


def speculative(credential: MongoCredential) -> dict[str, Any]:
    """The command, as it also goes into hello.

    Args:
        credential: the client's credential.
    """
    command: dict[str, Any] = {"authenticate": 1, "mechanism": MECHANISM}
    if credential.username is not None:
        command["user"] = credential.username
    return command


def authenticate(
    credential: MongoCredential, speculative_reply: Mapping[str, Any] | None, facts: ConnectionFacts
) -> Conversation[None]:
    """Authenticate a connection.

    Args:
        credential: the client's credential.
        speculative_reply: `speculativeAuthenticate` of the reply to hello; None if there was none, or to
            authenticate again.
        facts: what is known about the connection.

    Raises:
        AuthenticationFailed: the server refused; says why, as far as it can be told.
        NotPrimaryError: the server is going away.
        OperationFailure: the server could not decide now, or is overloaded.
    """
    # A success has no `ok` of its own, and a failure is left out; whoever sends one all the same is asked again.
    if speculative_reply is not None and speculative_reply.get("ok", 1) == 1:
        return
    reply = yield CommandDocument(_SOURCE, speculative(credential), Phase.AUTH)
    if reply.get("ok") != 1:
        error = error_in(reply, host=facts.host)
        if isinstance(error, OperationFailure) and _is_verdict(error):
            raise _refusal(reply, credential, facts, error.code) from error
        raise error


def _is_verdict(error: OperationFailure) -> bool:
    """Whether the server has judged the credential, rather than being unable to."""
    return error.code not in _TRANSIENT_CODES and not any(map(error.has_error_label, _TRANSIENT_LABELS))


def _refusal(
    reply: Mapping[str, Any], credential: MongoCredential, facts: ConnectionFacts, code: int | None
) -> AuthenticationFailed:
    cause = likely_cause(facts, user=credential.username, code=code)
    return AuthenticationFailed(
        f"{MECHANISM}: {message_in(reply)}",
        code,
        reply,
        reason=cause.reason,
        host=facts.host,
        mechanism=MECHANISM,
        user=credential.username if credential.username is not None else facts.subject,
        hint=cause.hint,
    )
