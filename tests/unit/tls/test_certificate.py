"""What is read from certificates."""

from __future__ import annotations

import hashlib
import ipaddress
import ssl
import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from aiomongo_tls.errors import ConfigurationError
from aiomongo_tls.tls.certificate import CertificateDetails
from aiomongo_tls.tls.engine import TLSEngine

START = datetime(2026, 1, 1, 12, tzinfo=UTC)
END = datetime(2036, 1, 1, 12, tzinfo=UTC)


def self_signed(*, with_names: bool = True) -> tuple[bytes, bytes]:
    """A certificate in DER, and its key and itself in PEM."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name(
        [
            x509.NameAttribute(NameOID.ORGANIZATION_NAME, "Müller, KG"),
            x509.NameAttribute(NameOID.EMAIL_ADDRESS, "ada@example.net"),
            x509.NameAttribute(NameOID.COMMON_NAME, "ada"),
        ]
    )
    builder = x509.CertificateBuilder(name, name, key.public_key(), 7, START, END)
    if with_names:
        builder = builder.add_extension(
            x509.SubjectAlternativeName(
                [
                    x509.DNSName("*.example.net"),
                    x509.IPAddress(ipaddress.ip_address("::1")),
                    x509.UniformResourceIdentifier("spiffe://example.net/db"),
                    x509.RFC822Name("ada@example.net"),
                ]
            ),
            critical=False,
        )
    certificate = builder.sign(key, hashes.SHA256())
    pem = certificate.public_bytes(serialization.Encoding.PEM) + key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    return certificate.public_bytes(serialization.Encoding.DER), pem


def test_a_certificate_is_read_from_der() -> None:
    """Every field is there without a connection."""
    der, _ = self_signed()
    details = CertificateDetails.from_der(der)
    assert details.subject == r"CN=ada,emailAddress=ada@example.net,O=M\C3\BCller\, KG"
    assert details.issuer == details.subject
    assert details.is_self_signed
    assert details.sans == ("*.example.net", "::1", "URI:spiffe://example.net/db", "email:ada@example.net")
    assert (details.not_before, details.not_after) == (START, END)
    assert details.fingerprint == hashlib.sha256(der).hexdigest()


def test_a_certificate_without_names_has_none() -> None:
    """The common name is not taken for a name of the certificate."""
    der, _ = self_signed(with_names=False)
    assert CertificateDetails.from_der(der).sans == ()


def test_the_ssl_module_and_cryptography_tell_the_same(tmp_path: Path) -> None:
    """What a verified connection tells needs no cryptography and is equal to what the DER says."""
    der, pem = self_signed()
    path = tmp_path / "server.pem"
    path.write_bytes(pem)
    server_context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    server_context.load_cert_chain(path)
    client_context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    client_context.load_verify_locations(cadata=der)
    client = TLSEngine(client_context, server_hostname="db.example.net")
    server = TLSEngine(server_context, server_side=True)
    client.start()
    server.receive_data(client.data_to_send())
    client.receive_data(server.data_to_send())
    assert client.info is not None
    assert client.info.peer_certificate is not None
    assert CertificateDetails.from_ssl_dict(client.info.peer_certificate, client.info.peer_der) == (
        CertificateDetails.from_der(der)
    )


def test_an_unverified_peer_has_no_details() -> None:
    """The ssl module gives an empty mapping then; the mistake is named."""
    with pytest.raises(ValueError, match="not verified"):
        CertificateDetails.from_ssl_dict({})


def test_days_left_count_from_the_given_moment() -> None:
    """They are negative once the certificate has expired."""
    der, _ = self_signed()
    details = CertificateDetails.from_der(der)
    assert details.days_left(END - timedelta(days=30, hours=12)) == 30.5
    assert details.days_left(END + timedelta(days=1)) == -1


def test_without_cryptography_the_extra_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    """The error is the line to type."""
    der, _ = self_signed()
    monkeypatch.setitem(sys.modules, "cryptography", None)
    with pytest.raises(ConfigurationError, match=r'pip install "aiomongo-tls\[x509\]"'):
        CertificateDetails.from_der(der)


def test_what_is_no_certificate_is_refused() -> None:
    """DER that is cut short is a ValueError, as for every reader of it."""
    der, _ = self_signed()
    with pytest.raises(ValueError):
        CertificateDetails.from_der(der[:-1])
