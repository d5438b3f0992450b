"""What is good and bad about certificates, at a given time."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import UTC, datetime, timedelta

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID

from aiomongo_tls import Finding, ServerAddress, Severity
from aiomongo_tls.doctor.certificates import (
    CertificateContents,
    authority_findings,
    chain_findings,
    client_findings,
    expires_soon,
    leaf_finding,
    left,
    membership_finding,
    read_contents,
)
from aiomongo_tls.testing.subjects import name_of

NOW = datetime(2026, 1, 1, tzinfo=UTC)
HOST = ServerAddress("db.example.net")
WHERE = "tlsCertificateKeyFile ('me.pem')"


def certificate(
    subject: str = "CN=ada,OU=clients,O=Example",
    *,
    days: tuple[float, float] = (-100, 265),
    usages: Iterable[x509.ObjectIdentifier] | None = (ExtendedKeyUsageOID.CLIENT_AUTH,),
    signs: bool = True,
    authority: bool = False,
) -> CertificateContents:
    """A certificate that is valid from and until so many days from `NOW`."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = name_of(subject) if subject else x509.Name([])
    builder = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name_of("CN=CA,O=Example"))
        .public_key(key.public_key())
        .serial_number(1)
        .not_valid_before(NOW + timedelta(days=days[0]))
        .not_valid_after(NOW + timedelta(days=days[1]))
        .add_extension(x509.BasicConstraints(ca=authority, path_length=None), critical=True)
        .add_extension(
            x509.KeyUsage(
                digital_signature=signs,
                content_commitment=False,
                key_encipherment=True,
                data_encipherment=False,
                key_agreement=False,
                key_cert_sign=False,
                crl_sign=False,
                encipher_only=False,
                decipher_only=False,
            ),
            critical=True,
        )
    )
    if usages is not None:
        builder = builder.add_extension(x509.ExtendedKeyUsage(list(usages)), critical=False)
    return read_contents(builder.sign(key, hashes.SHA256()).public_bytes(serialization.Encoding.DER))


def bad(findings: list[Finding]) -> list[tuple[str, str]]:
    """Severity and reason of what is worse than info."""
    return [(finding.severity.value, finding.reason) for finding in findings if finding.severity is not Severity.INFO]


def client(own: CertificateContents, *, is_user: bool = True) -> list[Finding]:
    return client_findings(own, WHERE, now=NOW, is_user=is_user, database="shop")


def test_a_good_client_certificate() -> None:
    """It is described, and its user with the command that makes it one."""
    findings = client(certificate())
    assert bad(findings) == []
    (described, user) = findings
    assert described.found == "CN=ada,OU=clients,O=Example, issued by CN=CA,O=Example, 265 days left"
    assert user.found == "CN=ada,OU=clients,O=Example in $external"
    assert user.fix == (
        'if there is no such user yet: db.getSiblingDB("$external").runCommand({createUser: '
        '"CN=ada,OU=clients,O=Example", roles: [{role: "readWrite", db: "shop"}]})'
    )


@pytest.mark.parametrize(
    ("own", "expected"),
    [
        (certificate(days=(-100, -1)), ("error", "client-certificate-expired")),
        (certificate(days=(1, 100)), ("error", "client-certificate-not-yet-valid")),
        (certificate(days=(-80, 10)), ("warning", "client-certificate-expiring")),
        (certificate(usages=[ExtendedKeyUsageOID.SERVER_AUTH]), ("error", "no-client-auth")),
        (certificate(signs=False), ("error", "no-digital-signature")),
        (certificate(""), ("error", "empty-subject")),
    ],
)
def test_a_fault_of_a_client_certificate(own: CertificateContents, expected: tuple[str, str]) -> None:
    """Each has its own finding, with what to do."""
    findings = client(own)
    assert bad(findings) == [expected]
    assert all(finding.fix for finding in findings if finding.severity is not Severity.INFO)


def test_when_the_end_of_a_client_certificate_is_near() -> None:
    """When a client would warn of it: by tlsExpiryWarning, whatever that is in days."""
    own = certificate(days=(-300, 65))

    def found(share: float) -> list[tuple[str, str]]:
        return bad(client_findings(own, WHERE, now=NOW, is_user=True, share=share))

    assert found(0.2) == [("warning", "client-certificate-expiring")]
    assert found(0.1) == found(0) == []


def test_what_is_no_fault() -> None:
    """No extendedKeyUsage allows everything, as does `any`; without MONGODB-X509 nobody needs a subject."""
    assert bad(client(certificate(usages=None))) == []
    assert bad(client(certificate(usages=[ExtendedKeyUsageOID.ANY_EXTENDED_KEY_USAGE]))) == []
    findings = client(certificate(""), is_user=False)
    assert [finding.reason for finding in findings] == ["client-certificate"]
    assert (findings[0].found or "").startswith("a certificate with an empty subject")


def test_the_names_of_usages() -> None:
    """What a certificate is for is said in words, where it has any."""
    (finding,) = [
        finding
        for finding in client(certificate(usages=[ExtendedKeyUsageOID.SERVER_AUTH, x509.ObjectIdentifier("1.2.3.4")]))
        if finding.reason == "no-client-auth"
    ]
    assert finding.found == "1.2.3.4, serverAuth"


@pytest.mark.parametrize(
    ("days", "expected"),
    [
        ((-72, 18.1), False),  # three months: 18 days are a fifth
        ((-72, 17.9), True),
        ((-1, 0.26), False),  # thirty hours
        ((-1, 0.24), True),
        ((-3650, 31), False),  # ten years: a fifth would be two of them
        ((-3650, 29), True),
    ],
)
def test_when_a_certificate_expires_soon(days: tuple[float, float], expected: bool) -> None:
    """When less than a fifth of its life is left, and at most thirty days."""
    assert expires_soon(certificate(days=days).details, NOW) is expected


@pytest.mark.parametrize(
    ("days", "text"), [(265, "265 days left"), (2.5, "60.0 hours left"), (0.05, "1.2 hours left"), (-1, "no time left")]
)
def test_time_left_in_words(days: float, text: str) -> None:
    """Hours where days would say too little."""
    assert left(certificate(days=(-300, days)).details, NOW) == text


def test_authorities() -> None:
    """They are counted and named; one that has expired is worth a warning, all of them are an error."""
    good, old = certificate("CN=good", authority=True), certificate("CN=old", days=(-100, -1), authority=True)
    (described,) = authority_findings([good], "tlsCAFile ('ca.pem')", now=NOW)
    assert described.found == "1 in tlsCAFile ('ca.pem'): CN=good"
    assert bad(authority_findings([good, old], "tlsCAFile", now=NOW)) == [("warning", "ca-expired")]
    assert bad(authority_findings([old, old], "tlsCAFile", now=NOW)) == [("error", "ca-expired")]
    assert bad(authority_findings([certificate(days=(-80, 10))], "tlsCAFile", now=NOW)) == [("warning", "ca-expiring")]
    (described,) = authority_findings([good] * 7, "tlsCAFile", now=NOW)
    assert (described.found or "").endswith("CN=good; and 2 more")


def test_the_chain_of_a_server() -> None:
    """Of each certificate in it the time counts; where nothing is verified, an old one is only worth a warning."""
    good, soon, old = (certificate(days=days).details for days in ((-100, 265), (-80, 10), (-100, -1)))

    def found(*chain: CertificateContents, severe: bool = True) -> list[tuple[str, str]]:
        return bad(chain_findings([each.details for each in chain], now=NOW, host=HOST, severe=severe))

    assert bad(chain_findings([good, good], now=NOW, host=HOST, severe=True)) == []
    assert bad(chain_findings([good, soon], now=NOW, host=HOST, severe=True)) == [("warning", "certificate-expiring")]
    assert bad(chain_findings([old], now=NOW, host=HOST, severe=True)) == [("error", "certificate-expired")]
    assert found(certificate(days=(-9, -1)), severe=False) == [("warning", "certificate-expired")]
    assert found(certificate(days=(1, 9))) == [("error", "not-yet-valid")]


def test_a_leaf_that_is_not_first() -> None:
    """The finding says what stands there instead."""
    finding = leaf_finding(certificate("CN=intermediate"), WHERE)
    assert (finding.severity, finding.reason) == (Severity.WARNING, "leaf-not-first")
    assert finding.found == "CN=intermediate first"


@pytest.mark.parametrize(
    ("own", "server", "alike"),
    [
        ("CN=ada,OU=db,O=Example", "CN=db1,OU=db,O=Example", True),
        ("CN=ada,DC=example,DC=net", "CN=db1,DC=example,DC=net", True),
        ("CN=ada,OU=clients,O=Example", "CN=db1,OU=db,O=Example", False),
        ("CN=ada,O=Example", "CN=db1,OU=db,O=Example", False),
        ("CN=ada", "CN=db1", False),
    ],
)
def test_a_client_that_looks_like_a_member(own: str, server: str, alike: bool) -> None:
    """O, OU and DC all equal those of the server's certificate, and there is one of them at all."""
    finding = membership_finding(certificate(own), certificate(server), HOST)
    assert (finding is not None) is alike
    if finding is not None:
        assert (finding.reason, finding.host) == ("looks-like-member", HOST)


def test_without_certificates_nobody_looks_like_a_member() -> None:
    """It takes two."""
    assert membership_finding(None, certificate(), HOST) is None
    assert membership_finding(certificate(), None, HOST) is None
