"""What is asked of a responder, and which answers count."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
from cryptography.x509 import ocsp
from cryptography.x509.oid import AuthorityInformationAccessOID, ExtendedKeyUsageOID, NameOID

from aiomongo_tls.testing import CertKit, OCSPResponder
from aiomongo_tls.tls.ocsp import NONCE_BYTES, NoAnswer, Question, Responder, question_about, read_answer

NOW = datetime.now(UTC).replace(microsecond=0)
HOUR = timedelta(hours=1)
SHA256 = hashes.SHA256()
NONCE = bytes(range(NONCE_BYTES))
DER = serialization.Encoding.DER


def named(name: str) -> x509.Name:
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])


class Authority:
    """An authority with a key of some kind, a server's certificate of it, and answers about that."""

    def __init__(self, key: Any = None, name: str = "authority") -> None:
        self.key = key or ec.generate_private_key(ec.SECP256R1())
        self.name = named(name)
        self.certificate = self.issue(self.name, self.key.public_key())
        self.leaf = self.issue(named("db.example.net"), ec.generate_private_key(ec.SECP256R1()).public_key())

    @property
    def algorithm(self) -> Any:
        return None if isinstance(self.key, ed25519.Ed25519PrivateKey) else hashes.SHA256()

    def issue(
        self, subject: x509.Name, key: Any, *extensions: x509.ExtensionType, since: datetime = NOW - HOUR
    ) -> x509.Certificate:
        builder = x509.CertificateBuilder().subject_name(subject).issuer_name(self.name).public_key(key)
        builder = builder.serial_number(x509.random_serial_number())
        builder = builder.not_valid_before(since).not_valid_after(since + 2 * HOUR)
        for extension in extensions:
            builder = builder.add_extension(extension, critical=False)
        return builder.sign(self.key, self.algorithm)

    def asks(self, *urls: str, must_staple: bool = False) -> x509.Certificate:
        """A server's certificate that names responders."""
        method = AuthorityInformationAccessOID.OCSP
        access = [x509.AccessDescription(method, x509.UniformResourceIdentifier(url)) for url in urls]
        feature = x509.TLSFeature([x509.TLSFeatureType.status_request])
        extensions: list[Any] = [x509.AuthorityInformationAccess(access)] if access else []
        key = ec.generate_private_key(ec.SECP256R1()).public_key()
        return self.issue(named("db.example.net"), key, *extensions, *([feature] if must_staple else []))

    @property
    def question(self) -> Question:
        return question_about(self.leaf.public_bytes(DER), [self.certificate.public_bytes(DER)])

    def answer(
        self,
        *,
        signer: x509.Certificate | None = None,
        key: Any = None,
        digest: Any = SHA256,
        certificates: list[x509.Certificate] | None = None,
        encoding: ocsp.OCSPResponderEncoding = ocsp.OCSPResponderEncoding.HASH,
        **about: Any,
    ) -> bytes:
        about = {
            "cert": self.leaf,
            "issuer": self.certificate,
            "algorithm": hashes.SHA1(),
            "cert_status": ocsp.OCSPCertStatus.GOOD,
            "this_update": NOW,
            "next_update": NOW + HOUR,
            "revocation_time": None,
            "revocation_reason": None,
        } | about
        builder = ocsp.OCSPResponseBuilder().add_response(**about)
        builder = builder.responder_id(encoding, signer or self.certificate)
        if certificates:
            builder = builder.certificates(certificates)
        signing = key or self.key
        signed = builder.sign(signing, None if isinstance(signing, ed25519.Ed25519PrivateKey) else digest)
        return signed.public_bytes(DER)


@pytest.fixture(scope="module")
def authority() -> Authority:
    return Authority()


def refused(authority: Authority, der: bytes, now: datetime = NOW) -> str:
    with pytest.raises(NoAnswer) as caught:
        read_answer(der, authority.question, NONCE, now)
    return str(caught.value)


@pytest.mark.parametrize("encoding", list(ocsp.OCSPResponderEncoding))
@pytest.mark.parametrize("algorithm", [hashes.SHA1(), hashes.SHA256(), hashes.SHA512()], ids=lambda a: a.name)
def test_good(authority: Authority, encoding: Any, algorithm: Any) -> None:
    """The authority's own signature, whichever way signer and certificate are named."""
    answer = read_answer(authority.answer(encoding=encoding, algorithm=algorithm), authority.question, NONCE, NOW)
    assert answer.is_good
    assert (answer.this_update, answer.next_update) == (NOW, NOW + HOUR)


def test_revoked(authority: Authority) -> None:
    """When, and why if the authority says so."""
    der = authority.answer(
        cert_status=ocsp.OCSPCertStatus.REVOKED,
        revocation_time=NOW - HOUR,
        revocation_reason=x509.ReasonFlags.key_compromise,
    )
    answer = read_answer(der, authority.question, NONCE, NOW)
    assert not answer.is_good
    assert (answer.revoked_at, answer.why) == (NOW - HOUR, "keyCompromise")


@pytest.mark.parametrize(
    "key",
    [
        rsa.generate_private_key(public_exponent=65537, key_size=2048),
        ec.generate_private_key(ec.SECP384R1()),
        ed25519.Ed25519PrivateKey.generate(),
    ],
    ids=["RSA", "P-384", "Ed25519"],
)
def test_every_usual_kind_of_key(key: Any) -> None:
    """A right signature counts, one with another key of the same kind does not."""
    authority, forger = Authority(key), Authority()
    assert read_answer(authority.answer(), authority.question, NONCE, NOW).is_good
    assert "signature" in refused(authority, _tampered(authority.answer()))
    by_name = ocsp.OCSPResponderEncoding.NAME
    forged = authority.answer(signer=forger.certificate, key=forger.key, encoding=by_name)
    assert refused(authority, forged).startswith(("the answer is signed with another kind", "the signature"))


def _tampered(der: bytes) -> bytes:
    """The same answer with its last byte, which is one of the signature's, changed."""
    return der[:-1] + bytes([der[-1] ^ 1])


def test_a_weak_digest_does_not_count(authority: Authority) -> None:
    """SHA-1 is good enough for a name, not for a signature."""
    assert "too weak" in refused(authority, authority.answer(digest=hashes.SHA224()))


class TestDelegate:
    """Answers signed by somebody whom the authority has charged with it."""

    @pytest.fixture
    def made(self, authority: Authority) -> Callable[..., bytes]:
        def make(
            *usages: x509.ObjectIdentifier, by: Authority | None = None, since: datetime = NOW - HOUR, send: bool = True
        ) -> bytes:
            key = ec.generate_private_key(ec.SECP256R1())
            usage = [x509.ExtendedKeyUsage(list(usages))] if usages else []
            delegate = (by or authority).issue(named("responder"), key.public_key(), *usage, since=since)
            return authority.answer(signer=delegate, key=key, certificates=[delegate] if send else None)

        return make

    def test_charged(self, authority: Authority, made: Callable[..., bytes]) -> None:
        """OCSPSigning, of the same authority."""
        der = made(ExtendedKeyUsageOID.OCSP_SIGNING)
        assert read_answer(der, authority.question, NONCE, NOW).is_good

    @pytest.mark.parametrize("usages", [[], [ExtendedKeyUsageOID.SERVER_AUTH]])
    def test_not_charged(self, authority: Authority, made: Callable[..., bytes], usages: list[Any]) -> None:
        """A server's own certificate must not call itself good."""
        assert refused(authority, made(*usages)).startswith("the answer is signed ")

    def test_charged_by_another_authority(self, authority: Authority, made: Callable[..., bytes]) -> None:
        """Even by one of the same name."""
        for other in (Authority(), Authority(name="somebody else")):
            text = refused(authority, made(ExtendedKeyUsageOID.OCSP_SIGNING, by=other))
            assert "not charged" in text

    def test_out_of_date(self, authority: Authority, made: Callable[..., bytes]) -> None:
        """The delegate's certificate has its time too."""
        text = refused(authority, made(ExtendedKeyUsageOID.OCSP_SIGNING, since=NOW - 3 * HOUR))
        assert "not valid now" in text

    def test_not_sent(self, authority: Authority, made: Callable[..., bytes]) -> None:
        """A signer whose certificate is not there is nobody."""
        assert "somebody unknown" in refused(authority, made(ExtendedKeyUsageOID.OCSP_SIGNING, send=False))


class TestTimes:
    """thisUpdate and nextUpdate."""

    @pytest.mark.parametrize("later", [timedelta(0), HOUR - timedelta(seconds=1)])
    def test_in_time(self, authority: Authority, later: timedelta) -> None:
        """From thisUpdate to just before nextUpdate."""
        assert read_answer(authority.answer(), authority.question, NONCE, NOW + later).is_good

    def test_no_grace_after_next_update(self, authority: Authority) -> None:
        """The specification wants none."""
        assert "out of date" in refused(authority, authority.answer(), NOW + HOUR)

    def test_a_clock_that_is_slow(self, authority: Authority) -> None:
        """Minutes are forgiven, hours are not."""
        assert read_answer(authority.answer(), authority.question, NONCE, NOW - timedelta(minutes=4)).is_good
        assert "time to come" in refused(authority, authority.answer(), NOW - timedelta(minutes=6))

    def test_without_next_update(self, authority: Authority) -> None:
        """It counts for a day."""
        der = authority.answer(next_update=None)
        assert read_answer(der, authority.question, NONCE, NOW + 23 * HOUR).next_update is None
        assert "out of date" in refused(authority, der, NOW + 24 * HOUR)


def test_an_answer_about_another_certificate(authority: Authority) -> None:
    """Of the same authority, or with the same number of another one."""
    other = authority.asks()
    assert "another certificate" in refused(authority, authority.answer(cert=other))
    stranger = Authority(name="somebody else")
    assert "another certificate" in refused(authority, authority.answer(issuer=stranger.certificate))


def test_unknown_is_no_answer(authority: Authority) -> None:
    """The responder knows nothing, and neither do we."""
    assert "does not know" in refused(authority, authority.answer(cert_status=ocsp.OCSPCertStatus.UNKNOWN))


def test_what_is_no_answer(authority: Authority) -> None:
    """Refusals, and bytes that mean nothing."""
    for status in (ocsp.OCSPResponseStatus.TRY_LATER, ocsp.OCSPResponseStatus.UNAUTHORIZED):
        der = ocsp.OCSPResponseBuilder.build_unsuccessful(status).public_bytes(DER)
        assert status.name.lower().replace("_", " ") in refused(authority, der)
    whole = authority.answer()
    for der in (b"", b"\x30\x80", whole[:-1], whole[1:], b"<html>", whole + b"\0"):
        assert "cannot be read" in refused(authority, der)


def test_the_nonce_comes_back(kit: CertKit) -> None:
    """Another one is an answer to somebody else; none at all is usual."""
    with OCSPResponder(kit) as responder:
        leaf = x509.load_pem_x509_certificate(kit.server("a.example.net", ocsp=responder.url).certificate_chain_pem)
        ca = x509.load_pem_x509_certificate(kit.ca_pem)
        question = question_about(leaf.public_bytes(DER), [ca.public_bytes(DER)])
        der = responder.answer(question.request(NONCE))
        assert read_answer(der, question, NONCE, datetime.now(UTC)).is_good
        with pytest.raises(NoAnswer, match="another request"):
            read_answer(der, question, bytes(NONCE_BYTES), datetime.now(UTC))
        assert list(responder.asked) == [leaf.serial_number]


class TestQuestion:
    """What a certificate says of its responders."""

    def test_responders(self, authority: Authority) -> None:
        """Plain HTTP only, each once; what could smuggle something into a request is left out."""
        leaf = authority.asks(
            "http://ocsp.example.net",
            "http://ocsp.example.net/",
            "HTTP://OCSP.example.net:8080/a/b?c=d",
            "http://[::1]:80/x",
            "https://ocsp.example.net/",
            "ldap://ocsp.example.net/",
            "http://user@ocsp.example.net/",
            "http:///nowhere",
            "http://ocsp.example.net:99999/",
            "http://ocsp.example.net/a b",
            "http://ocsp.example.net/a\r\nX: y",
        )
        question = question_about(leaf.public_bytes(DER), [authority.certificate.public_bytes(DER)])
        assert question.responders == (
            Responder("ocsp.example.net", 80, "/"),
            Responder("ocsp.example.net", 8080, "/a/b?c=d"),
            Responder("::1", 80, "/x"),
        )
        assert [str(responder) for responder in question.responders] == [
            "http://ocsp.example.net/",
            "http://ocsp.example.net:8080/a/b?c=d",
            "http://[::1]/x",
        ]

    def test_no_responder(self, authority: Authority) -> None:
        """Most private authorities have none."""
        assert authority.question.responders == ()

    @pytest.mark.parametrize("must_staple", [True, False])
    def test_must_staple(self, authority: Authority, must_staple: bool) -> None:
        """The extension of RFC 7633."""
        leaf = authority.asks(must_staple=must_staple)
        question = question_about(leaf.public_bytes(DER), [authority.certificate.public_bytes(DER)])
        assert question.must_staple is must_staple

    def test_the_issuer_is_proved(self, authority: Authority) -> None:
        """The one of that name and with that key; without it nothing can be asked."""
        right, namesake = authority.certificate, Authority().certificate
        leaf = authority.leaf.public_bytes(DER)
        for issuers in ([right], [namesake, right]):
            question = question_about(leaf, [each.public_bytes(DER) for each in issuers])
            assert question.issuer == right
        for issuers in ([], [namesake]):
            with pytest.raises(NoAnswer, match="not at hand"):
                question_about(leaf, [each.public_bytes(DER) for each in issuers])

    def test_signed_by_itself(self, authority: Authority) -> None:
        """Nobody could revoke it."""
        own = authority.certificate.public_bytes(DER)
        with pytest.raises(NoAnswer, match="signed by itself"):
            question_about(own, [own])

    def test_no_certificate(self) -> None:
        """Whatever that is."""
        with pytest.raises(NoAnswer, match="cannot be read"):
            question_about(b"", [])
