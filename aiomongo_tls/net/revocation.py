"""Asking responders (OCSP) whether a server's certificate was revoked; `tls/revocation.py` says what follows.

An answer is kept until its `nextUpdate`, for all clients of the process: it is signed, and belongs to a certificate and
the authority that issued it, whoever asks. So a connection costs a look into a dictionary, and one in hours or days a
request. Connections that need the same answer at the same time ask once: the first one asks, the others wait until it
is done, however that ends, and look again. No task does it, so that nothing has to be ended with the client.

Where a certificate names several responders they are asked one after another. MongoDB's specification would ask them
at the same time; nobody's certificate names more than one, and that would take tasks.

Time. Half of what is left of connectTimeoutMS, and `LIMIT` at most: a connection that may go on without an answer
(`soft`) must still have time to do so. Where nobody answered, `soft` does not ask again for `PAUSE`, so that a dead
responder costs one connection its wait and not every one; `hard` asks again after `SHORT_PAUSE`, which only keeps those
who have waited together from asking one after the other.

A resumed TLS session brings no certificates but the server's own, so the one of its authority is remembered from the
handshake that the session comes from.

A certificate and an answer about it are verified in a thread. Most take 0.05 to 0.2 ms (RSA, P-256), but P-384 with a
signer of its own takes 1.2 ms, and what kind of key it is others have chosen. A known answer costs 2 us.
"""

from __future__ import annotations

import asyncio
import logging
import secrets
import ssl
from collections.abc import Awaitable, Callable, Sequence
from datetime import datetime
from functools import cache, partial
from importlib import import_module
from threading import Lock
from typing import TYPE_CHECKING, Generic, TypeVar

from aiomongo_tls.address import ServerAddress
from aiomongo_tls.errors import ConfigurationError, ConnectionFailure
from aiomongo_tls.net.http import HTTPError, post
from aiomongo_tls.net.threads import in_thread
from aiomongo_tls.tls import pem, revocation
from aiomongo_tls.tls.ocsp import (
    NONCE_BYTES,
    Answer,
    NoAnswer,
    Question,
    Responder,
    question_about,
    read_answer,
    utc_now,
)

if TYPE_CHECKING:
    from aiomongo_tls.core.options.tls_options import TLSOptions
    from aiomongo_tls.net.dns import Resolver
    from aiomongo_tls.tls.engine import TLSEngine
    from aiomongo_tls.tls.material import TLSMaterial

LIMIT = 5.0
"""Seconds to wait for an answer at most (OCSP support specification, "Suggested OCSP Behavior")."""

PAUSE = 60.0
"""Seconds for which nobody asks again where nobody answered, if a connection may go on without."""

SHORT_PAUSE = 1.0
"""The same if it may not."""

KEPT = 256
"""Certificates that are remembered, and answers about them."""

_PIP = 'pip install "aiomongo-tls[x509]"'

K = TypeVar("K")
V = TypeVar("V")
Ask = Callable[[Responder, bytes, "Resolver"], Awaitable[bytes]]
"""Sends a request to a responder and returns what it answers."""

_log = logging.getLogger("aiomongo_tls.tls")


class _Memory(Generic[K, V]):
    """A dictionary of limited size: what was not asked for the longest goes first. For all threads."""

    def __init__(self, limit: int = KEPT) -> None:
        self._limit = limit
        self._lock = Lock()
        self._kept: dict[K, V] = {}

    def __len__(self) -> int:
        return len(self._kept)

    def get(self, key: K) -> V | None:
        with self._lock:
            value = self._kept.pop(key, None)
            if value is not None:
                self._kept[key] = value
            return value

    def put(self, key: K, value: V) -> None:
        with self._lock:
            self._kept.pop(key, None)
            while len(self._kept) >= self._limit:
                del self._kept[next(iter(self._kept))]
            self._kept[key] = value

    def drop(self, key: K) -> None:
        with self._lock:
            self._kept.pop(key, None)


class Answers:
    """What is known of certificates: what to ask about each, and what was answered. One for the process.

    Args:
        limit: how many certificates are remembered.
    """

    def __init__(self, limit: int = KEPT) -> None:
        # By the certificate's DER, which determines its issuer: name and key, by the signature.
        self.questions: _Memory[bytes, Question] = _Memory(limit)
        self._answers: _Memory[bytes, Answer] = _Memory(limit)

    def of(self, question: Question, now: datetime) -> Answer | None:
        """The answer to a question that counts at this moment."""
        answer = self._answers.get(question.key)
        if answer is None or answer.next_update is None:
            return None
        if now >= answer.next_update:
            self._answers.drop(question.key)
            return None
        return answer

    def keep(self, question: Question, answer: Answer) -> None:
        """Take note of an answer that says until when it counts."""
        if answer.next_update is not None:
            self._answers.put(question.key, answer)


_OF_THE_PROCESS = Answers()


async def ask(responder: Responder, request: bytes, resolver: Resolver) -> bytes:
    """Send a request to a responder (RFC 6960, appendix A.1) and return what it answers.

    Args:
        responder: whom to ask.
        request: the request in DER.
        resolver: what looks the host name up.

    Raises:
        ConnectionFailure: the responder was not reached.
        HTTPError: what it answered is no answer.
    """
    return await post(
        ServerAddress(responder.host, responder.port),
        responder.target,
        request,
        media_type="application/ocsp-request",
        accept="application/ocsp-response",
        resolver=resolver,
    )


class RevocationChecker:
    """Finds out whether servers' certificates were revoked. Made without a loop; then it belongs to one.

    Args:
        policy: `soft` or `hard`.
        trusted: certificates in DER among which a server's issuer may be, should the handshake not show it.
        answers: what is known; by default what this process knows.
        ask: sends a request to a responder.
        now: the present moment, in UTC.
    """

    def __init__(
        self,
        policy: str,
        *,
        trusted: Sequence[bytes] = (),
        answers: Answers = _OF_THE_PROCESS,
        ask: Ask = ask,
        now: Callable[[], datetime] = utc_now,
    ) -> None:
        self.policy = policy
        self._trusted = trusted
        self._answers = answers
        self._ask = ask
        self._now = now
        # Look-ups that are under way, by the question's key; a future says None where there was no answer.
        self._running: dict[bytes, asyncio.Future[Answer | None]] = {}
        # Why there was no answer, and until when that is taken for granted, by the loop's clock.
        self._silent: _Memory[bytes, tuple[float, str]] = _Memory()
        # Certificates of which it was said that they go unchecked.
        self._told: _Memory[bytes, bool] = _Memory()

    async def check(self, engine: TLSEngine, host: ServerAddress, *, resolver: Resolver, seconds: float) -> None:
        """Find out whether the certificate at the other end of a connection was revoked.

        Args:
            engine: the connection's, after the handshake.
            host: the server.
            resolver: what looks the responder's name up.
            seconds: how long to wait for an answer; never longer than `LIMIT`.

        Raises:
            ServerCertificateError: it was (`revoked`), or it is not known and has to be (`revocation-unknown`).
        """
        leaf = (engine.info.peer_der if engine.info is not None else None) or b""
        question: Question | None = None
        try:
            question = await self._question(leaf, engine)
            answer = self._answers.of(question, self._now())
            if answer is None:
                answer = await self._find_out(question, resolver, min(seconds, LIMIT))
        except NoAnswer as exc:
            must_staple = question is not None and question.must_staple
            error = revocation.refusal(self.policy, host, leaf, exc, must_staple=must_staple)
            if error is not None:
                raise error from exc
            self._tell(host, question.key if question is not None else leaf, exc)
        else:
            if not answer.is_good:
                raise revocation.revoked(host, leaf, answer)

    async def _question(self, leaf: bytes, engine: TLSEngine) -> Question:
        question = self._answers.questions.get(leaf)
        if question is None:
            issuers = (*engine.verified_chain()[1:], *self._trusted)
            question = await in_thread(lambda: question_about(leaf, issuers), name="aiomongo_tls read a certificate")
            self._answers.questions.put(leaf, question)
        return question

    async def _find_out(self, question: Question, resolver: Resolver, seconds: float) -> Answer:
        """Ask, or wait for whoever is asking; at most for some seconds."""
        if not question.responders:
            raise NoAnswer("it names no responder that can be asked over HTTP")
        loop = asyncio.get_running_loop()
        end = loop.time() + seconds
        while (running := self._running.get(question.key)) is not None:
            try:
                async with asyncio.timeout_at(end):
                    answer = await asyncio.shield(running)
            except TimeoutError as exc:
                raise NoAnswer(f"no answer within {seconds:g} s") from exc
            if answer is not None:
                return answer
            # Nobody answered, or the one who asked was cancelled; then one of those who waited asks.
        silent = self._silent.get(question.key)
        if silent is not None and loop.time() < silent[0]:
            raise NoAnswer(silent[1])
        self._running[question.key] = loop.create_future()
        try:
            answer = await self._first_answer(question, resolver, end)
        except NoAnswer as exc:
            may_go_on = self.policy != revocation.HARD and not question.must_staple
            self._silent.put(question.key, (loop.time() + (PAUSE if may_go_on else SHORT_PAUSE), str(exc)))
            self._settle(question, None)
            raise
        except BaseException:
            # Most likely a cancellation: it says nothing about the responder.
            self._settle(question, None)
            raise
        self._settle(question, answer)
        self._told.drop(question.key)
        self._answers.keep(question, answer)
        return answer

    def _settle(self, question: Question, answer: Answer | None) -> None:
        self._running.pop(question.key).set_result(answer)

    async def _first_answer(self, question: Question, resolver: Resolver, end: float) -> Answer:
        """Ask the responders one after another, each for its share of the time; nearly always there is but one."""
        loop = asyncio.get_running_loop()
        failures: list[str] = []
        cause: Exception | None = None
        for left, responder in zip(range(len(question.responders), 0, -1), question.responders, strict=True):
            seconds = (end - loop.time()) / left
            nonce = secrets.token_bytes(NONCE_BYTES)
            try:
                async with asyncio.timeout(seconds):
                    der = await self._ask(responder, question.request(nonce), resolver)
                    verified = partial(read_answer, der, question, nonce, self._now())
                    return await in_thread(verified, name="aiomongo_tls verify an answer")
            except (ConnectionFailure, HTTPError, NoAnswer) as exc:
                failures.append(f"{responder}: {exc}")
                cause = exc
            except TimeoutError as exc:
                failures.append(f"{responder}: no answer within {seconds:.2g} s")
                cause = exc
        raise NoAnswer("; ".join(failures)) from cause

    def _tell(self, host: ServerAddress, key: bytes, missing: NoAnswer) -> None:
        """Say once per certificate that connections go on without an answer."""
        if self._told.get(key) is None:
            self._told.put(key, True)
            _log.info("%s: whether its certificate was revoked is not known: %s; going on without", host, missing)


def revocation_checker(options: TLSOptions, material: TLSMaterial) -> RevocationChecker | None:
    """What the options want of responders; None if nobody is to be asked. Imports: call it in a thread.

    Args:
        options: the TLS options.
        material: what they led to.

    Raises:
        ConfigurationError: the extra `x509` is not installed, or the supplied context does not verify.
    """
    if options.ocsp == "off":
        return None
    if isinstance(options.ssl_context, ssl.SSLContext) and options.ssl_context.verify_mode is not ssl.CERT_REQUIRED:
        raise ConfigurationError(
            "tlsRevocation asks about a certificate that was verified, and ssl_context verifies none; "
            "set its verify_mode to ssl.CERT_REQUIRED"
        )
    try:
        # Here, in a thread, because it takes 30 ms.
        import_module("cryptography.x509.ocsp")
    except ImportError as exc:
        if options.ocsp == revocation.HARD:
            raise ConfigurationError(f"tlsRevocation=hard needs the package cryptography: {_PIP}") from exc
        _warn_once()
        return None
    trusted = [block.der for block in pem.blocks(material.ca)] if material.ca else []
    return RevocationChecker(options.ocsp, trusted=trusted)


@cache
def _warn_once() -> None:
    _log.warning(
        "tlsRevocation=soft has no effect: no responder can be asked without the package cryptography; %s", _PIP
    )
