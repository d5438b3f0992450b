"""From what OpenSSL raised to an error that says what was expected, what was there and what to do.

The tables are in `verdicts.py`. Here is what they do not say by themselves: facts about this connection choose between
causes that look alike to OpenSSL, and fill in names, dates and certificates.

- The first bytes tell a server that does not speak TLS at all, whatever OpenSSL made of them.
- Under TLS 1.2 a missing client certificate is `handshake_failure`, the same alert as for no common cipher. If the
  cipher was agreed before, it was the certificate.
- An alert about our certificate often has a general name; if the certificate's time is over, that is why.
- With TLS 1.3 the server may close right after the handshake without an alert that reaches us.
"""

from __future__ import annotations

import ssl
from datetime import UTC, datetime
from functools import cached_property
from typing import TYPE_CHECKING

from aiomongo_tls.errors import ClientCertificateRejected, ConfigurationError, ServerCertificateError, TLSError
from aiomongo_tls.tls import verdicts
from aiomongo_tls.tls.certificate import CertificateDetails
from aiomongo_tls.tls.source import shown
from aiomongo_tls.tls.sources import sources_of
from aiomongo_tls.tls.trust import Trust

if TYPE_CHECKING:
    from aiomongo_tls.address import ServerAddress
    from aiomongo_tls.tls.context import TLSSetup
    from aiomongo_tls.tls.engine import TLSEngine
    from aiomongo_tls.tls.verdicts import Verdict

_MANY_NAMES = 8
_FILES = ("tlsCAFile", "tlsCertificateKeyFile", "tlsCRLFile")
_OP_CODES = (1, 2012, 2013)


def explain(
    exc: BaseException, *, host: ServerAddress, engine: TLSEngine, setup: TLSSetup, now: datetime | None = None
) -> TLSError:
    """The error to raise, with `from exc`, for a failure in a client's TLS handshake or right after it.

    Args:
        exc: what was raised: any ssl.SSLError, ConnectionError, EOFError, or the operating system's TimeoutError (who
            sets a time limit tells of it).
        host: the server.
        engine: the connection's engine.
        setup: what it was made of.
        now: the present moment, in UTC; for tests.
    """
    case = _Case(exc, engine, setup, now or datetime.now(UTC))
    verdict, called = case.verdict, ""
    if (name := setup.options.server_name(host)) is not None:
        verdict = verdicts.BY_ANOTHER_NAME.get(verdict, verdict)
        called = f" (it was asked for as {name}, by tlsServerNames)"
    expected, presented = case.expected_and_presented()
    hint = verdict.hint.format(issuer=case.issuer, san=case.san, client_certificate=case.client_certificate)
    if setup.material.trust is Trust.CONTEXT and any(option in hint for option in _FILES):
        hint += " (your ssl_context takes the place of these options: load the file there)"
    return verdict.error(
        verdict.message.format(detail=case.detail) + called,
        reason=verdict.reason,
        host=host,
        expected=expected,
        presented=presented,
        hint=hint,
    )


def plain_server(host: ServerAddress) -> TLSError:
    """The error for a server that hung up on our TLS handshake, and then answered a command without TLS.

    Args:
        host: the server.
    """
    verdict = verdicts.NOT_TLS
    return verdict.error(
        verdict.message,
        reason=verdict.reason,
        host=host,
        expected="a TLS handshake",
        presented="MongoDB's protocol without TLS",
        hint=verdict.hint,
    )


class _Case:
    """One failure and the facts about it."""

    def __init__(self, exc: BaseException, engine: TLSEngine, setup: TLSSetup, now: datetime) -> None:
        self.exc = exc
        self.engine = engine
        self.setup = setup
        self.now = now
        self.openssl_reason = verdicts.openssl_reason(exc)
        self.alert = verdicts.alert_name(self.openssl_reason)

    # -- which of the verdicts --

    @cached_property
    def verdict(self) -> Verdict:
        """What the error means."""
        exc, engine = self.exc, self.engine
        if isinstance(exc, TimeoutError):
            return verdicts.HANDSHAKE_TIMEOUT
        if engine.first_bytes and not engine.handshake_done and not _is_tls(engine.first_bytes):
            return verdicts.NOT_TLS
        if isinstance(exc, ssl.SSLCertVerificationError):
            return verdicts.VERIFICATION.get(getattr(exc, "verify_code", 0), verdicts.CERTIFICATE_INVALID)
        if self.alert is not None:
            return self._of_alert(verdicts.ALERTS.get(self.alert, verdicts.TLS_FAILURE))
        if isinstance(exc, ssl.SSLEOFError | ssl.SSLZeroReturnError | ConnectionError | EOFError):
            return self._of_end()
        return verdicts.LOCAL.get(self.openssl_reason, verdicts.TLS_FAILURE)

    def _of_alert(self, verdict: Verdict) -> Verdict:
        if verdict is verdicts.NO_SHARED_CIPHER and self.alert == "handshake_failure" and self.engine.cipher_agreed:
            sent = self._has_certificate
            verdict = verdicts.CLIENT_CERTIFICATE_REJECTED if sent else verdicts.CLIENT_CERTIFICATE_REQUIRED
        if verdict is verdicts.CLIENT_CERTIFICATE_REQUIRED and self._has_certificate:
            return verdicts.CLIENT_CERTIFICATE_NOT_SENT
        if verdict is verdicts.CLIENT_CERTIFICATE_REJECTED and self._own is not None and not self._is_valid(self._own):
            return verdicts.CLIENT_CERTIFICATE_EXPIRED
        return verdict

    def _of_end(self) -> Verdict:
        if self.engine.handshake_done:
            return verdicts.CLOSED_AFTER
        return verdicts.CLOSED_DURING if self.engine.heard_from_peer else verdicts.CLOSED_AT_ONCE

    # -- the facts --

    @property
    def detail(self) -> str:
        """OpenSSL's own words."""
        if self.alert is not None:
            return f"alert {self.alert}"
        if isinstance(self.exc, ssl.SSLCertVerificationError):
            return str(getattr(self.exc, "verify_message", self.exc)).rstrip(".")
        return self.openssl_reason.replace("_", " ").lower() or f"{type(self.exc).__name__}: {self.exc}"

    @property
    def issuer(self) -> str:
        """Who issued the server's certificate."""
        return self._peer.issuer if self._peer is not None else "the authority that issued it"

    @property
    def san(self) -> str:
        """The name that was used, as a subject alternative name."""
        name = self.engine.server_hostname or ""
        return f"IP:{name}" if _is_ip(self.exc, name) else f"DNS:{name}"

    @property
    def client_certificate(self) -> str:
        """Where the client's certificate comes from."""
        if self.setup.material.trust is Trust.CONTEXT:
            return "the client certificate"
        sources = sources_of(self.setup.options)
        named = sources.chain or sources.key
        return f"the certificate in {named.option} ({named})" if named is not None else "the client certificate"

    @property
    def _has_certificate(self) -> bool:
        return self.setup.material.chain is not None

    @cached_property
    def _peer(self) -> CertificateDetails | None:
        """The server's certificate, verified or not."""
        found = self.engine.unverified_peer()
        try:
            return CertificateDetails.from_ssl_dict(*found) if found is not None else None
        except ValueError:
            # A certificate that is damaged enough to have no date.
            return None

    @cached_property
    def _own(self) -> CertificateDetails | None:
        """The client's certificate, if there is one and `cryptography` to read it."""
        der = self.setup.material.leaf_der
        try:
            return CertificateDetails.from_der(der) if der is not None else None
        except (ConfigurationError, ValueError):
            return None

    def _is_valid(self, certificate: CertificateDetails) -> bool:
        return certificate.not_before <= self.now <= certificate.not_after

    # -- in words --

    def expected_and_presented(self) -> tuple[str | None, str | None]:
        """What would have been accepted, and what was there."""
        verdict = self.verdict
        if verdict.error is ServerCertificateError:
            return self._expected_of_server(), self._presented_by_server()
        if verdict.error is ClientCertificateRejected:
            return self._expected_of_client(), self._presented_by_client()
        if verdict is verdicts.NOT_TLS:
            return "a TLS handshake", _recognised(self.engine.first_bytes)
        if verdict.reason == "protocol-version":
            return f"{_version(self.setup.context)} or newer", None
        if verdict is verdicts.HANDSHAKE_TIMEOUT:
            return None, "a part of the handshake" if self.engine.heard_from_peer else "not a single byte"
        return None, None

    def _expected_of_server(self) -> str:
        match self.verdict.reason:
            case "unknown-ca":
                return f"a certificate that leads to {self._trusted()}"
            case "hostname-mismatch":
                return f"a certificate for {self.engine.server_hostname}"
            case "certificate-expired" | "not-yet-valid":
                return f"certificates that are valid now, {_moment(self.now)}"
            case "revoked":
                return "certificates that are on no revocation list in tlsCRLFile"
            case "crl-missing" | "crl-expired" | "crl-invalid":
                source = self.setup.options.crl_file
                where = f" ({shown(source)})" if source is not None else ""
                return f"tlsCRLFile{where} with a list of each authority in question, valid now, {_moment(self.now)}"
            case _:
                return "a certificate for servers that OpenSSL accepts"

    def _trusted(self) -> str:
        match self.setup.material.trust:
            case Trust.FILE:
                ca = sources_of(self.setup.options).ca
                return f"one in {ca.option} ({ca})" if ca is not None else "one in tlsCAFile"
            case Trust.PKCS12:
                return "one in the PKCS#12 file of the client's key (tlsCAFile is not set)"
            case Trust.CERTIFI:
                return (
                    "a public authority (certifi's list, as this system has no certificate store; tlsCAFile is not set)"
                )
            case Trust.CONTEXT:
                return "an authority that the given ssl_context trusts"
            case _:
                return "an authority in this system's certificate store (tlsCAFile is not set)"

    def _presented_by_server(self) -> str | None:
        peer = self._peer
        if peer is None:
            return None
        if self.verdict.reason == "hostname-mismatch":
            return _names(peer)
        if self.verdict.reason in ("certificate-expired", "not-yet-valid"):
            text = _validity(peer)
            if self._is_valid(peer):
                text += "; so it is another one of its chain, of an intermediate or root authority"
            return text
        return _origin(peer)

    def _expected_of_client(self) -> str:
        match self.verdict.reason:
            case "client-certificate-unknown-ca":
                return "a client certificate of an authority that the server trusts"
            case "client-certificate-expired":
                return "a client certificate that is valid now"
            case _:
                return "a client certificate that the server accepts"

    def _presented_by_client(self) -> str:
        if self.setup.material.trust is Trust.CONTEXT:
            return "whatever the given ssl_context has loaded"
        if not self._has_certificate:
            return "none"
        own = self._own
        if own is None:
            return self.client_certificate
        return _validity(own) if self.verdict.reason == "client-certificate-expired" else _origin(own)


def _is_tls(first: bytes) -> bool:
    """Whether bytes begin a TLS record: type 20 to 24, version 3.x."""
    return 20 <= first[0] <= 24 and first[1:2] in (b"", b"\x03")


def _is_ip(exc: BaseException, name: str) -> bool:
    return getattr(exc, "verify_code", None) == 64 or ":" in name


def _recognised(first: bytes) -> str:
    """What a server that does not speak TLS seems to speak."""
    if first.startswith(b"HTTP/"):
        return f"an HTTP answer: {_line(first)}"
    if len(first) >= 16 and int.from_bytes(first[12:16], "little") in _OP_CODES:
        return "a MongoDB message without TLS"
    line = _line(first)
    if len(line) > 3 and "?" not in line:
        return f"a line of text: {line}"
    return f"the bytes {first[:16].hex(' ')}"


def _line(first: bytes) -> str:
    return _clean(first.splitlines()[0].decode("ascii", "replace").strip())


def _clean(text: str) -> str:
    """A stranger's words without anything that a terminal or a log would act upon."""
    return "".join(char if char.isascii() and char.isprintable() else "?" for char in text)


def _version(context: ssl.SSLContext) -> str:
    return "TLS 1.3" if context.minimum_version is ssl.TLSVersion.TLSv1_3 else "TLS 1.2"


def _moment(moment: datetime) -> str:
    return f"{moment:%Y-%m-%d %H:%M} UTC"


def _validity(certificate: CertificateDetails) -> str:
    return f"{_subject(certificate)}, valid from {_moment(certificate.not_before)} to {_moment(certificate.not_after)}"


def _origin(certificate: CertificateDetails) -> str:
    issuer = "itself" if certificate.is_self_signed else certificate.issuer or "an authority without a name"
    return f"{_subject(certificate)}, issued by {issuer}"


def _names(certificate: CertificateDetails) -> str:
    if not certificate.sans:
        return f"{_subject(certificate)}, without any subjectAltName"
    names = _clean(", ".join(certificate.sans[:_MANY_NAMES]))
    more = len(certificate.sans) - _MANY_NAMES
    return f"a certificate for {names}" + (f" and {more} more" if more > 0 else "")


def _subject(certificate: CertificateDetails) -> str:
    return certificate.subject or "a certificate with an empty subject"
