"""Whether servers' certificates were revoked: who asks, who waits, what is remembered, and for how long."""

from __future__ import annotations

import asyncio
import logging
import ssl
from datetime import UTC, datetime, timedelta
from types import SimpleNamespace
from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding

from aiomongo_tls.address import ServerAddress
from aiomongo_tls.core.options.tls_options import TLSOptions
from aiomongo_tls.errors import ConfigurationError, ConnectionFailure, ServerCertificateError
from aiomongo_tls.net import revocation
from aiomongo_tls.net.dns import Resolver
from aiomongo_tls.net.identity import load_identity
from aiomongo_tls.net.revocation import Answers, RevocationChecker
from aiomongo_tls.testing import Certificate, CertKit, OCSPResponder
from aiomongo_tls.tls.ocsp import Responder, question_about

HOST = ServerAddress("db.example.net")
URL = "http://ocsp.example.net/"
KIT = CertKit()
CA = ssl.PEM_cert_to_DER_cert(KIT.ca_pem.decode())


def der(certificate: Certificate) -> bytes:
    return x509.load_pem_x509_certificate(certificate.certificate_chain_pem).public_bytes(Encoding.DER)


class Responses:
    """In the place of the network: a responder that answers when it is told to."""

    def __init__(self, *, holds: bool = False) -> None:
        self.responder = OCSPResponder(KIT)
        self.may_answer = asyncio.Event()
        if not holds:
            self.may_answer.set()
        self.asked: list[Responder] = []
        self.changed = asyncio.Event()
        self.down: set[str] = set()

    async def __call__(self, responder: Responder, request: bytes, _: Resolver) -> bytes:
        self.asked.append(responder)
        self.changed.set()
        await self.may_answer.wait()
        if responder.host in self.down:
            raise ConnectionFailure("nobody there")
        return self.responder.answer(request)

    async def was_asked(self, times: int) -> None:
        async with asyncio.timeout(5):
            while len(self.asked) < times:
                self.changed.clear()
                await self.changed.wait()


class Clock:
    """The present moment, as a test wants it."""

    def __init__(self) -> None:
        self.ahead = timedelta()

    def __call__(self) -> datetime:
        return datetime.now(UTC) + self.ahead


class Bench:
    """A checker, and what stands around it."""

    def __init__(self, policy: str = "hard", *, holds: bool = False, url: str = URL, **kind: Any) -> None:
        self.responses = Responses(holds=holds)
        self.clock = Clock()
        self.answers = Answers()
        self.certificate = KIT.server(f"{id(self)}.example.net", ocsp=url, **kind)
        self.checker = self.another(policy)
        if holds:
            # Who comes first is to ask first, so the certificate is read beforehand; otherwise a thread does it.
            leaf = der(self.certificate)
            self.answers.questions.put(leaf, question_about(leaf, [CA]))

    def another(self, policy: str = "hard", **options: Any) -> RevocationChecker:
        return RevocationChecker(policy, answers=self.answers, ask=self.responses, now=self.clock, **options)

    async def check(
        self, checker: RevocationChecker | None = None, *, resumed: bool = False, seconds: float = 5.0
    ) -> None:
        leaf = der(self.certificate)
        engine: Any = SimpleNamespace(
            info=SimpleNamespace(peer_der=leaf), verified_chain=lambda: [] if resumed else [leaf, CA]
        )
        await (checker or self.checker).check(engine, HOST, resolver=Resolver(), seconds=seconds)

    async def refused(self, reason: str, **options: Any) -> ServerCertificateError:
        with pytest.raises(ServerCertificateError) as caught:
            await self.check(**options)
        assert (caught.value.reason, caught.value.host) == (reason, HOST)
        return caught.value


async def test_a_good_certificate_is_asked_about_once_until_the_next_update() -> None:
    """By all clients of the process; after nextUpdate it is asked anew."""
    bench = Bench()
    for _ in range(3):
        await bench.check()
        await bench.check(bench.another())
    assert len(bench.responses.asked) == 1
    bench.clock.ahead = timedelta(minutes=59)
    await bench.check()
    assert len(bench.responses.asked) == 1
    bench.clock.ahead = timedelta(minutes=61)
    bench.responses.responder.valid_for = timedelta(hours=2)
    await bench.check()
    assert len(bench.responses.asked) == 2


async def test_an_answer_without_a_next_update_is_not_kept() -> None:
    """Somebody may say something else a moment later."""
    bench = Bench()
    bench.responses.responder.behaviour = "undated"
    await bench.check()
    bench.responses.responder.revoke(bench.certificate)
    error = await bench.refused("revoked")
    assert "revoked on 20" in str(error.presented)
    assert len(bench.responses.asked) == 2


@pytest.mark.parametrize("policy", ["soft", "hard"])
@pytest.mark.parametrize("must_staple", [False, True])
async def test_revoked_is_refused(policy: str, must_staple: bool) -> None:
    """Whatever the policy, and remembered like any other answer; a certificate beside it is good."""
    bench = Bench(policy, must_staple=must_staple)
    bench.responses.responder.revoke(bench.certificate, x509.ReasonFlags.key_compromise)
    for _ in range(2):
        error = await bench.refused("revoked")
        assert "keyCompromise" in str(error.presented)
    assert len(bench.responses.asked) == 1
    await Bench(policy, must_staple=must_staple).check()


@pytest.mark.parametrize(
    ("policy", "must_staple", "goes_on"),
    [("soft", False, True), ("soft", True, False), ("hard", False, False), ("hard", True, False)],
)
@pytest.mark.parametrize("how", ["down", "unknown", "no responder"])
async def test_the_table_of_no_answer(policy: str, must_staple: bool, goes_on: bool, how: str) -> None:
    """`soft` goes on, unless the certificate is Must-Staple; `hard` never does."""
    url = "https://ocsp.example.net/" if how == "no responder" else URL
    bench = Bench(policy, must_staple=must_staple, url=url)
    bench.responses.down = {"ocsp.example.net"} if how == "down" else set()
    bench.responses.responder.behaviour = "unknown" if how == "unknown" else "answers"
    if goes_on:
        await bench.check()
    else:
        error = await bench.refused("revocation-unknown")
        assert ("Must-Staple" in str(error)) is (policy == "soft")
        assert error.hint
        assert error.__cause__ is not None
    assert len(bench.responses.asked) == (0 if how == "no responder" else 1)


async def test_soft_says_once_that_it_goes_on(caplog: pytest.LogCaptureFixture) -> None:
    """At INFO: a program that chose `soft` wants to know, but not for each connection."""
    bench = Bench("soft")
    bench.responses.down = {"ocsp.example.net"}
    with caplog.at_level(logging.INFO, "aiomongo_tls.tls"):
        for _ in range(3):
            await bench.check()
    (record,) = caplog.records
    assert record.levelno == logging.INFO
    assert "nobody there" in record.getMessage()


async def test_soft_does_not_ask_a_dead_responder_for_each_connection(monkeypatch: pytest.MonkeyPatch) -> None:
    """One connection waits, the next ones do not; after a pause it is asked again."""
    bench = Bench("soft", holds=True)
    await bench.check(seconds=0.01)
    for _ in range(3):
        await bench.check(seconds=3600.0)
    assert len(bench.responses.asked) == 1
    monkeypatch.setattr(revocation, "PAUSE", -1.0)
    other = Bench("soft", holds=True)
    await other.check(seconds=0.01)
    await other.check(seconds=0.01)
    assert len(other.responses.asked) == 2


async def test_hard_recovers_when_the_responder_does(monkeypatch: pytest.MonkeyPatch) -> None:
    """It is asked again almost at once."""
    monkeypatch.setattr(revocation, "SHORT_PAUSE", 0.0)
    bench = Bench("hard")
    bench.responses.down = {"ocsp.example.net"}
    await bench.refused("revocation-unknown")
    bench.responses.down.clear()
    await bench.check()


async def test_those_who_wait_together_ask_once() -> None:
    """Twenty connections, one request."""
    bench = Bench(holds=True)
    checks = [asyncio.ensure_future(bench.check()) for _ in range(20)]
    await bench.responses.was_asked(1)
    bench.responses.may_answer.set()
    await asyncio.gather(*checks)
    assert len(bench.responses.asked) == 1


async def test_those_who_wait_together_fail_together() -> None:
    """What nobody knows is not asked twenty times."""
    bench = Bench(holds=True)
    bench.responses.down = {"ocsp.example.net"}
    checks = [asyncio.ensure_future(bench.refused("revocation-unknown")) for _ in range(20)]
    await bench.responses.was_asked(1)
    bench.responses.may_answer.set()
    assert len({id(error) for error in await asyncio.gather(*checks)}) == 20
    assert len(bench.responses.asked) == 1


async def test_an_answer_that_is_not_kept_is_shared_by_those_who_wait() -> None:
    """It came after they had asked."""
    bench = Bench(holds=True)
    bench.responses.responder.behaviour = "undated"
    checks = [asyncio.ensure_future(bench.check()) for _ in range(5)]
    await bench.responses.was_asked(1)
    bench.responses.may_answer.set()
    await asyncio.gather(*checks)
    assert len(bench.responses.asked) == 1


async def test_whoever_asks_may_be_cancelled() -> None:
    """One of those who wait asks in its place; no task is left behind."""
    bench = Bench(holds=True)
    before = asyncio.all_tasks()
    checks = [asyncio.ensure_future(bench.check()) for _ in range(3)]
    for times in (1, 2):
        await bench.responses.was_asked(times)
        checks[times - 1].cancel()
        with pytest.raises(asyncio.CancelledError):
            await checks[times - 1]
    await bench.responses.was_asked(3)
    bench.responses.may_answer.set()
    await checks[2]
    assert asyncio.all_tasks() == before


async def test_one_who_waits_may_be_cancelled() -> None:
    """The one who asks, and the others, do not notice."""
    bench = Bench(holds=True)
    asking, waiting, other = [asyncio.ensure_future(bench.check()) for _ in range(3)]
    await bench.responses.was_asked(1)
    waiting.cancel()
    with pytest.raises(asyncio.CancelledError):
        await waiting
    bench.responses.may_answer.set()
    await asyncio.gather(asking, other)
    assert len(bench.responses.asked) == 1


async def test_waiting_is_bounded() -> None:
    """For the one who asks and for those who wait for it."""
    bench = Bench(holds=True)
    asking = asyncio.ensure_future(bench.check())
    await bench.responses.was_asked(1)
    error = await bench.refused("revocation-unknown", seconds=0.01)
    assert "no answer within 0.0" in str(error)
    assert isinstance(error.__cause__, Exception)
    asking.cancel()
    with pytest.raises(asyncio.CancelledError):
        await asking
    assert "no answer within 0.0" in str(await bench.refused("revocation-unknown", seconds=0.01))


async def test_a_resumed_session_brings_no_chain() -> None:
    """The authority is remembered from the handshake before, or found among the trusted."""
    bench = Bench()
    await bench.refused("revocation-unknown", resumed=True)
    await bench.check(bench.another(trusted=[CA]), resumed=True)
    bench = Bench()
    await bench.check()
    await bench.check(resumed=True)


async def test_what_is_known_is_bounded() -> None:
    """Certificates come and go."""
    answers = Answers(limit=2)
    benches = [Bench() for _ in range(3)]
    for bench in benches:
        bench.answers = answers
        await bench.check(bench.another())
    assert len(answers.questions) == 2
    await benches[2].check(benches[2].another())
    assert len(benches[2].responses.asked) == 1
    await benches[0].check(benches[0].another())
    assert len(benches[0].responses.asked) == 2


class TestWanted:
    """From options to a checker."""

    def identity(self, **options: Any) -> Any:
        return load_identity(TLSOptions(enabled=True, **options)).revocation

    @pytest.mark.parametrize("policy", ["soft", "hard"])
    def test_policy(self, policy: str) -> None:
        """Nobody is asked unless somebody wants it, and `tlsDisable...` has the last word."""
        assert self.identity(ca_file=KIT.ca_pem) is None
        assert self.identity(ca_file=KIT.ca_pem, revocation=policy).policy == policy
        for switch in ("disable_ocsp_endpoint_check", "disable_certificate_revocation_check"):
            assert self.identity(ca_file=KIT.ca_pem, revocation=policy, **{switch: True}) is None

    def test_a_supplied_context_has_to_verify(self) -> None:
        """Who was not verified cannot be asked about."""
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        assert self.identity(ssl_context=context, revocation="hard").policy == "hard"
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
        with pytest.raises(ConfigurationError, match="CERT_REQUIRED"):
            self.identity(ssl_context=context, revocation="hard")

    def test_without_the_extra(self, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture) -> None:
        """`hard` is refused, `soft` goes on and says so once."""

        def missing(name: str) -> None:
            raise ImportError(name)

        monkeypatch.setattr(revocation, "import_module", missing)
        revocation._warn_once.cache_clear()
        with pytest.raises(ConfigurationError, match=r'tlsRevocation=hard .* pip install "aiomongo-tls\[x509\]"'):
            self.identity(ca_file=KIT.ca_pem, revocation="hard")
        with caplog.at_level(logging.WARNING, "aiomongo_tls.tls"):
            for _ in range(2):
                assert self.identity(ca_file=KIT.ca_pem, revocation="soft") is None
        (record,) = caplog.records
        assert "tlsRevocation=soft has no effect" in record.getMessage()
