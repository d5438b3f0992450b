"""MONGODB-X509: the client is who its certificate says.

One command on `$external`, and its success is all there is to it. Sent along with hello, it costs no round trip of its
own. The user name goes in only if the application gave one, and then as given; otherwise the server takes the subject
of the certificate that TLS has already proven.

Specification: auth, "MONGODB-X509"; mongodb-handshake, "Speculative Authentication".
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from aiomongo_tls.core.auth.conversation import CommandDocument, Conversation
from aiomongo_tls.core.auth.refusal import verdict_in
from aiomongo_tls.core.auth.x509_cause import likely_cause
from aiomongo_tls.core.reply import error_in, message_in
from aiomongo_tls.errors import AuthenticationFailed, Phase

if TYPE_CHECKING:
    from aiomongo_tls.core.auth.facts import ConnectionFacts
    from aiomongo_tls.core.auth.hello import StreamDescription
    from aiomongo_tls.core.options.credential import MongoCredential

MECHANISM: Final = "MONGODB-X509"
"""The mechanism's name."""

_SOURCE = "$external"


@dataclass(frozen=True, slots=True)
class X509Authentication:
    """The authentication of one connection by MONGODB-X509.

    Args:
        credential: the client's credential.
        facts: what is known about the connection.
    """

    credential: MongoCredential
    facts: ConnectionFacts

    def hello_fields(self) -> dict[str, Any]:
        """The fields that go into hello."""
        return {"speculativeAuthenticate": speculative(self.credential)}

    def converse(self, description: StreamDescription) -> Conversation[None]:
        """Authenticate the connection; see `authenticate()`.

        Args:
            description: what the server said of itself; with its reply to hello's fields, if that is not used up.
        """
        return authenticate(self.credential, description.speculative_reply, self.facts)


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
        verdict = verdict_in(error)
        if verdict is None:
            raise error
        raise _refusal(reply, credential, facts, verdict.code) from error


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
