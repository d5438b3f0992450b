"""PEM blocks, and DER by its shape."""

from __future__ import annotations

import ssl

import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.serialization import Encoding, PrivateFormat, pkcs12
from hypothesis import given
from hypothesis import strategies as st

from aiomongo_tls.testing.certs import CertKit
from aiomongo_tls.tls import pem

CERTIFICATE = b"-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n"
KEY = b"-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----\n"


def labels(content: bytes) -> list[str]:
    return [block.label for block in pem.blocks(content)]


def test_blocks_come_in_their_order_without_what_is_between() -> None:
    """Comments, as `openssl x509 -text` writes them, are skipped."""
    content = b"Bag Attributes\n" + KEY + b"subject=CN=\xc3\xa4\n" + CERTIFICATE + b"\n# the end"
    assert labels(content) == ["PRIVATE KEY", "CERTIFICATE"]
    assert b"".join(block.text for block in pem.blocks(content)) == KEY + CERTIFICATE


def test_windows_line_breaks_are_as_good() -> None:
    """Files get around."""
    assert labels((KEY + CERTIFICATE).replace(b"\n", b"\r\n")) == ["PRIVATE KEY", "CERTIFICATE"]


def test_spaces_that_openssl_overlooks_do_not_matter(kit: CertKit) -> None:
    """Editors and templates leave them behind."""
    spaced = kit.ca_pem.replace(b"BEGIN CERTIFICATE-----", b"BEGIN CERTIFICATE----- \t", 1)
    (block,) = pem.blocks(spaced.replace(b"MI", b"M I", 1))
    assert block.der == ssl.PEM_cert_to_DER_cert(kit.ca_pem.decode())


def test_der_comes_out_of_a_block_and_goes_back(kit: CertKit) -> None:
    """What OpenSSL reads from both is the same."""
    (block,) = pem.blocks(kit.ca_pem)
    assert block.der == ssl.PEM_cert_to_DER_cert(kit.ca_pem.decode())
    assert pem.blocks(block.der) == [block]


def test_a_block_that_is_not_base64_says_so() -> None:
    """Before OpenSSL says `PEM lib`."""
    (block,) = pem.blocks(CERTIFICATE.replace(b"AAAA", b"A!A"))
    with pytest.raises(ValueError, match="CERTIFICATE is not base64"):
        _ = block.der


@pytest.mark.parametrize("cut", [CERTIFICATE[:-5], CERTIFICATE + KEY[:-30], CERTIFICATE[:30] + CERTIFICATE])
def test_a_block_without_an_end_is_noticed(cut: bytes) -> None:
    """A half-written file must not count as one with fewer certificates."""
    with pytest.raises(pem.Unfinished):
        pem.blocks(cut)


RSA_KEY = rsa.generate_private_key(65537, 2048)
EC_KEY = ec.generate_private_key(ec.SECP256R1())
OPEN = serialization.NoEncryption()
LOCKED = serialization.BestAvailableEncryption(b"secret")


@pytest.mark.parametrize(
    ("der", "label"),
    [
        (RSA_KEY.private_bytes(Encoding.DER, PrivateFormat.PKCS8, OPEN), "PRIVATE KEY"),
        (EC_KEY.private_bytes(Encoding.DER, PrivateFormat.PKCS8, OPEN), "PRIVATE KEY"),
        (EC_KEY.private_bytes(Encoding.DER, PrivateFormat.PKCS8, LOCKED), "ENCRYPTED PRIVATE KEY"),
        (RSA_KEY.private_bytes(Encoding.DER, PrivateFormat.TraditionalOpenSSL, OPEN), "RSA PRIVATE KEY"),
        (EC_KEY.private_bytes(Encoding.DER, PrivateFormat.TraditionalOpenSSL, OPEN), "EC PRIVATE KEY"),
        (pkcs12.serialize_key_and_certificates(None, EC_KEY, None, None, LOCKED), "PKCS12"),
        (pkcs12.serialize_key_and_certificates(None, EC_KEY, None, None, OPEN), "PKCS12"),
    ],
)
def test_der_is_told_by_its_shape(der: bytes, label: str) -> None:
    """Also that it is cut short, or goes on, and is then nothing."""
    (block,) = pem.blocks(der)
    assert block.label == label
    assert block.der == der
    assert pem.blocks(der[:-1]) == []
    assert pem.blocks(der + b"\0") == []


def test_a_key_is_not_shown() -> None:
    """Not even in a repr that ends up in a traceback."""
    assert "AAAA" not in repr(pem.blocks(KEY))


@given(st.binary(max_size=40) | st.binary(max_size=40).map(lambda data: b"\x30" + bytes([len(data)]) + data))
def test_any_bytes_are_read_without_an_accident(content: bytes) -> None:
    """Nothing in them, or something, but no exception that is not ours."""
    try:
        found = pem.blocks(content)
    except pem.Unfinished:
        assert b"-----BEGIN " in content
    else:
        assert [block.der for block in found] in ([], [content])
