"""SCRAM-SHA-256 and SCRAM-SHA-1: client and server prove to each other that they know a password, and neither says it.

    client  n,,n=user,r=nonce                        saslStart, also along with hello
    server  r=nonce+more,s=salt,i=iterations
            (the keys are computed of password, salt and iterations: slow on purpose, and a `Computation`)
    client  c=biws,r=nonce+more,p=proof              saslContinue
    server  v=signature                              checked before anything is sent over the connection
    (an older server: one more saslContinue without content, in spite of skipEmptyExchange)

A server that sends another's nonce, a wrong signature or no signature does not know the password: it is somebody else,
and the error says so. One that asks for few iterations wants to learn the password from the proof.

Where no mechanism was chosen, hello asks for the user's mechanisms and speculates on SHA-256. The choice is SHA-256
where it is listed, SHA-1 in every other case, and nothing else ever; a speculation that does not fit is forgotten.

The user's name is escaped and otherwise sent as it is: MongoDB does not want it prepared by SASLprep, unlike RFC 5802.
There is no channel binding.

Specifications: auth, "SCRAM-SHA-256"; mongodb-handshake, "Speculative Authentication"; RFC 5802, RFC 7677.
"""

from __future__ import annotations

import binascii
import hmac
from base64 import b64decode, b64encode
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import partial
from typing import TYPE_CHECKING, Any, NoReturn

from aiomongo_tls.core.auth import scram_keys
from aiomongo_tls.core.auth.conversation import CommandDocument, Computation, Conversation
from aiomongo_tls.core.auth.refusal import verdict_in
from aiomongo_tls.core.auth.scram_cause import likely_cause
from aiomongo_tls.core.auth.scram_keys import LEAST_ITERATIONS, MOST_ITERATIONS, SHA_1, SHA_256, ScramKeys
from aiomongo_tls.core.reply import error_in, message_in
from aiomongo_tls.errors import AuthenticationFailed, ConfigurationError, Phase

if TYPE_CHECKING:
    from aiomongo_tls.core.auth.facts import ConnectionFacts
    from aiomongo_tls.core.auth.hello import StreamDescription
    from aiomongo_tls.core.options.credential import MongoCredential

NO_BINDING = "n,,"
"""RFC 5802's header: no channel binding, and no authorization as somebody else."""


@dataclass(frozen=True, slots=True)
class _ServerFirst:
    nonce: str
    salt: bytes
    iterations: int


@dataclass(slots=True)
class ScramAuthentication:
    """The authentication of one connection by SCRAM.

    Args:
        credential: the client's credential.
        facts: what is known about the connection.
        new_nonce: makes text that nobody can foresee.
    """

    credential: MongoCredential
    facts: ConnectionFacts
    new_nonce: Callable[[], str] = field(repr=False)
    # What was sent along with hello: its mechanism and nonce.
    _speculation: tuple[str, str] | None = field(default=None, init=False, repr=False)

    def hello_fields(self) -> dict[str, Any]:
        """The fields that go into hello."""
        credential = self.credential
        mechanism, nonce = self._speculation = credential.mechanism or SHA_256, self.new_nonce()
        speculative = {**self._start(mechanism, nonce), "db": credential.source}
        if credential.mechanism is not None:
            return {"speculativeAuthenticate": speculative}
        return {
            "saslSupportedMechs": f"{credential.source}.{credential.username}",
            "speculativeAuthenticate": speculative,
        }

    def converse(self, description: StreamDescription) -> Conversation[None]:
        """Authenticate the connection.

        Args:
            description: what the server said of itself; with its reply to hello's fields, if that is not used up.

        Raises:
            AuthenticationFailed: the server refused, or is not to be trusted; `reason` says which.
            ConfigurationError: the password has characters that cannot be used.
            NotPrimaryError: the server is going away.
            OperationFailure: the server could not decide now, or is overloaded.
        """
        mechanism = self.credential.mechanism or _chosen(description.hello)
        reply = description.speculative_reply
        if reply is not None and reply.get("ok", 1) == 1 and self._speculation and self._speculation[0] == mechanism:
            nonce = self._speculation[1]
        else:
            nonce = self.new_nonce()
            reply = yield self._command(self._start(mechanism, nonce))
            self._check(mechanism, reply)
        yield from self._prove(mechanism, nonce, reply)

    def _prove(self, mechanism: str, nonce: str, reply: Mapping[str, Any]) -> Conversation[None]:
        """From the server's first message on."""
        text = self._text(mechanism, reply)
        first = self._server_first(mechanism, nonce, text)
        keys: ScramKeys = yield self._computation(mechanism, first)
        without_proof = f"c={b64encode(NO_BINDING.encode()).decode()},r={first.nonce}"
        messages = f"{self._bare(nonce)},{text},{without_proof}".encode()
        stored = scram_keys.stored_key(mechanism, keys.client_key)
        proof = b64encode(scram_keys.masked(mechanism, keys.client_key, stored, messages))
        conversation_id = reply.get("conversationId")
        reply = yield self._continue(conversation_id, without_proof.encode() + b",p=" + proof)
        self._check(mechanism, reply)
        self._verify(mechanism, reply, scram_keys.server_signature(mechanism, keys.server_key, messages))
        if reply.get("done") is not True:
            reply = yield self._continue(conversation_id, b"")
            self._check(mechanism, reply)
            if reply.get("done") is not True:
                self._distrust(mechanism, "it does not end the conversation")

    # What is sent

    def _bare(self, nonce: str) -> str:
        name = (self.credential.username or "").replace("=", "=3D").replace(",", "=2C")
        return f"n={name},r={nonce}"

    def _start(self, mechanism: str, nonce: str) -> dict[str, Any]:
        return {
            "saslStart": 1,
            "mechanism": mechanism,
            "payload": (NO_BINDING + self._bare(nonce)).encode(),
            "options": {"skipEmptyExchange": True},
        }

    def _continue(self, conversation_id: object, payload: bytes) -> CommandDocument:
        return self._command({"saslContinue": 1, "conversationId": conversation_id, "payload": payload})

    def _command(self, document: dict[str, Any]) -> CommandDocument:
        return CommandDocument(self.credential.source, document, Phase.AUTH)

    def _computation(self, mechanism: str, first: _ServerFirst) -> Computation:
        credential = self.credential
        try:
            password = scram_keys.prepared(mechanism, credential.username or "", credential.password or "")
        except ValueError as exc:
            # Not chained: the original has no more to tell, and UnicodeEncodeError would show the password.
            problem = "it is not valid Unicode" if isinstance(exc, UnicodeError) else str(exc)
            raise ConfigurationError(f"the password cannot be used with {mechanism}: {problem}") from None
        arguments = (mechanism, password, first.salt, first.iterations)
        return Computation(key=arguments, run=partial(scram_keys.keys, *arguments))

    # What is received

    def _check(self, mechanism: str, reply: Mapping[str, Any]) -> None:
        if reply.get("ok") == 1:
            return
        error = error_in(reply, host=self.facts.host)
        verdict = verdict_in(error)
        if verdict is None:
            raise error
        cause = likely_cause(self.credential, mechanism, verdict.code)
        raise self._failure(mechanism, message_in(reply), cause.reason, cause.hint, verdict.code, reply) from error

    def _text(self, mechanism: str, reply: Mapping[str, Any]) -> str:
        payload = reply.get("payload")
        if not isinstance(payload, bytes):
            self._distrust(mechanism, "its reply has no payload")
        try:
            return payload.decode()
        except UnicodeDecodeError:
            self._distrust(mechanism, "its message is not text")

    def _server_first(self, mechanism: str, nonce: str, text: str) -> _ServerFirst:
        fields = text.split(",")
        # r, s and i stand in this order, extensions behind them; one that we would have to know stands in front (m=).
        if [part[:2] for part in fields[:3]] != ["r=", "s=", "i="]:
            self._distrust(mechanism, "its first message is not one of SCRAM")
        combined, salt, count = (part[2:] for part in fields[:3])
        if not combined.startswith(nonce) or combined == nonce:
            self._distrust(mechanism, "it has answered with a nonce that does not continue ours")
        raw_salt = _decoded(salt)
        # Digits only: int() would take signs, spaces and underscores too, and takes long for very many of them.
        if not raw_salt or not (count.isascii() and count.isdigit() and len(count) < 20):
            self._distrust(mechanism, "its first message has no usable salt or iteration count")
        iterations = int(count)
        if iterations < LEAST_ITERATIONS:
            parameter = "scramSHA256IterationCount" if mechanism == SHA_256 else "scramIterationCount"
            raise self._failure(
                mechanism,
                f"the server asks for {iterations} iterations, expected {LEAST_ITERATIONS} at least",
                "too-few-iterations",
                "so few would let whoever listens guess the password; set the password anew on a server whose "
                f"{parameter} is {LEAST_ITERATIONS} or more, and make sure that this is your server",
            )
        if iterations > MOST_ITERATIONS:
            self._distrust(mechanism, f"it asks for {iterations} iterations, expected {MOST_ITERATIONS} at most")
        return _ServerFirst(combined, raw_salt, iterations)

    def _verify(self, mechanism: str, reply: Mapping[str, Any], expected: bytes) -> None:
        text = self._text(mechanism, reply)
        name, _, value = text.split(",")[0].partition("=")
        if name == "e":
            # RFC 5802's way to refuse; MongoDB replies with an error instead.
            cause = likely_cause(self.credential, mechanism, None)
            raise self._failure(mechanism, f"the server refused: {value[:60]!r}", cause.reason, cause.hint)
        signature = _decoded(value) if name == "v" else None
        if signature is None or not hmac.compare_digest(signature, expected):
            self._distrust(mechanism, "its signature is wrong, so that it does not know the password")

    # What goes wrong

    def _distrust(self, mechanism: str, what: str) -> NoReturn:
        raise self._failure(
            mechanism,
            f"the server is not to be trusted: {what}",
            "server-not-trusted",
            "something between this client and the server may pretend to be it; check the host name, and use TLS"
            if not self.facts.tls
            else "the server, or what stands in its place, does not follow SCRAM; check the host name and tlsCAFile",
        )

    def _failure(
        self,
        mechanism: str,
        message: str,
        reason: str,
        hint: str,
        code: int | None = None,
        reply: Mapping[str, Any] | None = None,
    ) -> AuthenticationFailed:
        return AuthenticationFailed(
            f"{mechanism}: {message}",
            code,
            reply,
            reason=reason,
            host=self.facts.host,
            mechanism=mechanism,
            user=self.credential.username,
            hint=hint,
        )


def _chosen(hello: Mapping[str, Any]) -> str:
    """The list is the peer's word and not checked (auth, "Defaults for Authentication Mechanisms")."""
    listed = hello.get("saslSupportedMechs")
    return SHA_256 if isinstance(listed, list) and SHA_256 in listed else SHA_1


def _decoded(text: str) -> bytes | None:
    try:
        return b64decode(text, validate=True)
    except (binascii.Error, ValueError):
        return None
