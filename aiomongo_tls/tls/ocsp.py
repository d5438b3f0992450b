"""OCSP (RFC 6960) without I/O: what to ask a responder about a certificate, and whether its answer counts.

`cryptography` (extra `x509`) reads and verifies, and is imported where it is needed. An answer counts if (section 3.2)

1. it is about this certificate (CertID, whatever its hash algorithm);
2. its signature is right, with SHA-256 or better;
3. the signer may sign it: the authority itself, or one whose certificate this authority has issued for the purpose
   (`OCSPSigning`) and whose time is not over. That one's own revocation is not looked into: such certificates live
   short lives, and most say so (`id-pkix-ocsp-nocheck`);
4. `thisUpdate` has come, by a clock that may be five minutes slow, and `nextUpdate` has not, without any grace;
5. the nonce, if there is one in it, is the one that was sent. Many responders sign in advance and leave it out.

Without `nextUpdate` it counts for a day from `thisUpdate` and is not kept.

What is asked about is the certificate of the server alone: MongoDB's specification does not want responders of
intermediate authorities to be asked. `crl` can look at the whole chain.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

if TYPE_CHECKING:
    from collections.abc import Iterable

    from cryptography import x509
    from cryptography.hazmat.primitives import hashes
    from cryptography.x509 import ocsp

NONCE_BYTES = 32
"""Of a nonce; RFC 9654 wants at least this many."""

RESPONDERS = 4
"""A certificate may name more; nobody's does."""

_SLOW_CLOCK = timedelta(minutes=5)
_UNDATED = timedelta(days=1)
_DIGEST_BYTES = 32


class NoAnswer(Exception):
    """Nothing is known of a certificate's status; the text says why."""


@dataclass(frozen=True, slots=True)
class Responder:
    """Where to ask.

    Args:
        host: host name or IP address.
        port: TCP port.
        target: path and query.
    """

    host: str
    port: int
    target: str

    def __str__(self) -> str:
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"http://{host}{'' if self.port == 80 else f':{self.port}'}{self.target}"


@dataclass(frozen=True, slots=True, eq=False)
class Question:
    """A certificate whose status is asked for.

    Args:
        certificate: the certificate.
        issuer: that of the authority that issued it.
        responders: whom it names, those that can be asked.
        must_staple: whether it says that its server sends the answer along (RFC 7633).
        key: stands for the certificate among the answers: its CertID.
    """

    certificate: x509.Certificate
    issuer: x509.Certificate
    responders: tuple[Responder, ...]
    must_staple: bool
    key: bytes

    def request(self, nonce: bytes) -> bytes:
        """The request, in DER.

        Args:
            nonce: `NONCE_BYTES` that nobody can foresee.
        """
        from cryptography import x509
        from cryptography.hazmat.primitives import serialization

        builder = _asking(self.certificate, self.issuer).add_extension(x509.OCSPNonce(nonce), critical=False)
        return builder.build().public_bytes(serialization.Encoding.DER)


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """What a responder has said and signed.

    Args:
        revoked_at: since when the certificate is revoked; None if it is good.
        why: the authority's reason, `keyCompromise`; None if it gives none.
        this_update: since when this is so.
        next_update: when it will be said anew, None if the responder does not tell.
    """

    revoked_at: datetime | None
    why: str | None
    this_update: datetime
    next_update: datetime | None

    @property
    def is_good(self) -> bool:
        """Whether the certificate is not revoked."""
        return self.revoked_at is None


def question_about(leaf: bytes, issuers: Iterable[bytes]) -> Question:
    """What to ask about a certificate.

    Args:
        leaf: the certificate, in DER.
        issuers: certificates, in DER, among which should be the one of its issuer.

    Raises:
        NoAnswer: there is nothing to ask; says why.
    """
    from cryptography import x509
    from cryptography.hazmat.primitives import serialization

    try:
        certificate = x509.load_der_x509_certificate(leaf)
        if certificate.subject == certificate.issuer:
            raise NoAnswer("it is signed by itself, so that there is no authority that could revoke it")
        issuer = _issuer(certificate, issuers)
        request = _asking(certificate, issuer).build()
        return Question(
            certificate,
            issuer,
            _responders(certificate),
            _must_staple(certificate),
            request.public_bytes(serialization.Encoding.DER),
        )
    except (ValueError, TypeError, x509.DuplicateExtension) as exc:
        raise NoAnswer("the certificate cannot be read") from exc


def read_answer(der: bytes, question: Question, nonce: bytes, now: datetime) -> Answer:
    """What a responder answered, if it counts.

    Args:
        der: what it sent.
        question: what was asked.
        nonce: what was sent along.
        now: the present moment, in UTC.

    Raises:
        NoAnswer: it does not count, or does not know the certificate.
    """
    from cryptography.exceptions import UnsupportedAlgorithm
    from cryptography.x509 import DuplicateExtension, ocsp

    try:
        response = ocsp.load_der_ocsp_response(der)
        if response.response_status is not ocsp.OCSPResponseStatus.SUCCESSFUL:
            raise NoAnswer(f"the responder has no answer ({response.response_status.name.lower().replace('_', ' ')})")
        _check_signature(response, question.issuer, now)
        _check_extensions(response, nonce)
        return _verdict(_single(response, question), now)
    except (ValueError, TypeError, UnsupportedAlgorithm, DuplicateExtension) as exc:
        raise NoAnswer("the answer cannot be read") from exc


def _asking(
    certificate: x509.Certificate, issuer: x509.Certificate, algorithm: hashes.HashAlgorithm | None = None
) -> ocsp.OCSPRequestBuilder:
    from cryptography.hazmat.primitives import hashes
    from cryptography.x509 import ocsp

    # SHA-1 names the certificate here and proves nothing; it is what every responder understands (RFC 5019, 2.1.1).
    return ocsp.OCSPRequestBuilder().add_certificate(certificate, issuer, algorithm or hashes.SHA1())  # noqa: S303


def _issuer(certificate: x509.Certificate, issuers: Iterable[bytes]) -> x509.Certificate:
    from cryptography import x509
    from cryptography.exceptions import InvalidSignature

    for der in issuers:
        candidate = x509.load_der_x509_certificate(der)
        if candidate.subject == certificate.issuer:
            try:
                certificate.verify_directly_issued_by(candidate)
            except InvalidSignature:
                continue
            return candidate
    raise NoAnswer("the certificate of the authority that issued it is not at hand")


def _responders(certificate: x509.Certificate) -> tuple[Responder, ...]:
    from cryptography import x509
    from cryptography.x509.oid import AuthorityInformationAccessOID

    try:
        access = certificate.extensions.get_extension_for_class(x509.AuthorityInformationAccess).value
    except x509.ExtensionNotFound:
        return ()
    found = [
        responder
        for description in access
        if description.access_method == AuthorityInformationAccessOID.OCSP
        and isinstance(description.access_location, x509.UniformResourceIdentifier)
        and (responder := _responder(description.access_location.value)) is not None
    ]
    return tuple(dict.fromkeys(found))[:RESPONDERS]


def _responder(url: str) -> Responder | None:
    """Who is meant by a URL; None for anything but plain HTTP, and for what could smuggle something into a request."""
    if not url.isascii() or not url.isprintable() or " " in url:
        return None
    try:
        parts = urlsplit(url)
        port = parts.port or 80
    except ValueError:
        return None
    if parts.scheme.lower() != "http" or not parts.hostname or "@" in parts.netloc:
        return None
    return Responder(parts.hostname, port, (parts.path or "/") + (f"?{parts.query}" if parts.query else ""))


def _must_staple(certificate: x509.Certificate) -> bool:
    from cryptography import x509

    try:
        feature = certificate.extensions.get_extension_for_class(x509.TLSFeature).value
    except x509.ExtensionNotFound:
        return False
    return x509.TLSFeatureType.status_request in feature


def _check_signature(response: ocsp.OCSPResponse, issuer: x509.Certificate, now: datetime) -> None:
    from cryptography.exceptions import InvalidSignature

    signer = _signer(response, issuer, now)
    algorithm = response.signature_hash_algorithm
    if algorithm is not None and algorithm.digest_size < _DIGEST_BYTES:
        raise NoAnswer(f"the answer is signed with {algorithm.name.upper()}, which is too weak")
    try:
        _verify(signer.public_key(), response.signature, response.tbs_response_bytes, algorithm)
    except InvalidSignature as exc:
        raise NoAnswer("the signature of the answer is wrong") from exc


def _signer(response: ocsp.OCSPResponse, issuer: x509.Certificate, now: datetime) -> x509.Certificate:
    """Who signed the answer, so it says, if that one may."""
    from cryptography import x509
    from cryptography.exceptions import InvalidSignature
    from cryptography.x509.oid import ExtendedKeyUsageOID

    if _is_responder(response, issuer):
        return issuer
    for certificate in response.certificates:
        if not _is_responder(response, certificate):
            continue
        try:
            certificate.verify_directly_issued_by(issuer)
            usage = certificate.extensions.get_extension_for_class(x509.ExtendedKeyUsage).value
        except (InvalidSignature, ValueError, x509.ExtensionNotFound) as exc:
            raise NoAnswer("the answer is signed by somebody whom the authority has not charged with it") from exc
        if ExtendedKeyUsageOID.OCSP_SIGNING not in usage:
            raise NoAnswer("the answer is signed with a certificate that is not meant for it (no OCSPSigning)")
        if not certificate.not_valid_before_utc <= now <= certificate.not_valid_after_utc:
            raise NoAnswer("the answer is signed with a certificate that is not valid now")
        return certificate
    raise NoAnswer("the answer is signed by somebody unknown")


def _is_responder(response: ocsp.OCSPResponse, certificate: x509.Certificate) -> bool:
    from cryptography import x509

    if response.responder_name is not None:
        return response.responder_name == certificate.subject
    return response.responder_key_hash == x509.SubjectKeyIdentifier.from_public_key(certificate.public_key()).digest


def _verify(key: Any, signature: bytes, signed: bytes, algorithm: hashes.HashAlgorithm | None) -> None:
    from cryptography.hazmat.primitives.asymmetric import ec, padding, rsa

    if isinstance(key, rsa.RSAPublicKey) and algorithm is not None:
        key.verify(signature, signed, padding.PKCS1v15(), algorithm)
    elif isinstance(key, ec.EllipticCurvePublicKey) and algorithm is not None:
        key.verify(signature, signed, ec.ECDSA(algorithm))
    elif algorithm is None and not isinstance(key, rsa.RSAPublicKey | ec.EllipticCurvePublicKey):
        # Ed25519, Ed448
        key.verify(signature, signed)
    else:
        raise NoAnswer("the answer is signed with another kind of key than the signer has")


def _check_extensions(response: ocsp.OCSPResponse, nonce: bytes) -> None:
    from cryptography import x509

    for extension in response.extensions:
        if isinstance(extension.value, x509.OCSPNonce):
            if extension.value.nonce != nonce:
                raise NoAnswer("the answer is to another request (its nonce is another one)")
        elif extension.critical:
            raise NoAnswer(f"the answer has an extension that nobody here knows ({extension.oid.dotted_string})")


def _single(response: ocsp.OCSPResponse, question: Question) -> ocsp.OCSPSingleResponse:
    """The part of the answer that is about our certificate."""
    for single in response.responses:
        if single.serial_number != question.certificate.serial_number:
            continue
        wanted = _asking(question.certificate, question.issuer, single.hash_algorithm).build()
        if (single.issuer_name_hash, single.issuer_key_hash) == (wanted.issuer_name_hash, wanted.issuer_key_hash):
            return single
    raise NoAnswer("the answer is about another certificate")


def _verdict(single: ocsp.OCSPSingleResponse, now: datetime) -> Answer:
    from cryptography.x509.ocsp import OCSPCertStatus

    since, until = single.this_update_utc, single.next_update_utc
    if since > now + _SLOW_CLOCK:
        raise NoAnswer(f"the answer is for a time to come ({since:%Y-%m-%d %H:%M} UTC)")
    if now >= (until or since + _UNDATED):
        raise NoAnswer(f"the answer is out of date ({until or since:%Y-%m-%d %H:%M} UTC)")
    if single.certificate_status is OCSPCertStatus.UNKNOWN:
        raise NoAnswer("the responder does not know the certificate")
    revoked = single.certificate_status is OCSPCertStatus.REVOKED
    why = single.revocation_reason
    return Answer(
        revoked_at=(single.revocation_time_utc or since) if revoked else None,
        why=why.value if why is not None else None,
        this_update=since,
        next_update=until,
    )


def utc_now() -> datetime:
    """The present moment."""
    return datetime.now(UTC)
