"""PKCS#12: opened with the right password, its parts each used for what they are."""

from __future__ import annotations

import builtins
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from cryptography import x509
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.serialization import pkcs12

from aiomongo_tls.core.options.tls_identity import TLSIdentity
from aiomongo_tls.core.options.tls_options import TLSOptions
from aiomongo_tls.errors import ConfigurationError
from aiomongo_tls.testing.certs import Certificate, CertKit
from aiomongo_tls.tls import pem
from aiomongo_tls.tls.context import build_context, shared_context
from aiomongo_tls.tls.key_password import AsyncPassword
from aiomongo_tls.tls.material import TLSMaterial, load_material
from aiomongo_tls.tls.trust import Trust

NOTHING: dict[str, str] = {}


def packed(
    certificate: Certificate, password: bytes | None = b"secret", *, roots: bytes = b"", key: bool = True
) -> bytes:
    """The certificate with its key, its intermediate authorities and these roots, as PKCS#12."""
    leaf, *above = x509.load_pem_x509_certificates(certificate.certificate_chain_pem)
    private: Any = serialization.load_pem_private_key(certificate.private_key_pem, None)
    encryption: Any = serialization.NoEncryption()
    if password is not None:
        encryption = serialization.BestAvailableEncryption(password)
    return pkcs12.serialize_key_and_certificates(
        b"me",
        private if key else None,
        leaf if key else None,
        [*above, *(x509.load_pem_x509_certificates(roots) if roots else ())],
        encryption,
    )


def load(source: Any, password: Any = "secret", **options: Any) -> TLSMaterial:
    """Load, and show that a context can be built of it."""
    wanted = TLSOptions(
        **{"enabled": True, "certificate_key_file": source, "certificate_key_file_password": password, **options}
    )
    material = load_material(wanted, NOTHING)
    build_context(material, wanted)
    return material


def refusal(source: Any, password: Any = None, **options: Any) -> str:
    with pytest.raises(ConfigurationError) as caught:
        load(source, password, **options)
    return str(caught.value)


@pytest.fixture
def ada(kit: CertKit) -> Certificate:
    return kit.client("ada", intermediate=True)


def test_it_is_as_good_as_pem(kit: CertKit, ada: Certificate, tmp_path: Path) -> None:
    """As a path, as bytes, in PEM's dress; what comes out is the same identity as that of the PEM file."""
    path = tmp_path / "me.p12"
    path.write_bytes(packed(ada))
    wrapped = pem.from_der(pem.PKCS12_LABEL, packed(ada)).text
    plain = load(ada.pem, None, ca_file=kit.ca_pem)
    for source in (path, str(path), packed(ada), wrapped, wrapped.decode()):
        material = load(source, ca_file=kit.ca_pem)
        assert material.leaf_der == plain.leaf_der
        assert [block.der for block in pem.blocks(material.chain or b"")] == [
            block.der for block in pem.blocks(plain.chain or b"")
        ]
    assert (
        shared_context(TLSOptions(enabled=True, ca_file=kit.ca_pem, certificate_key_file=ada.pem)).fingerprint
        == shared_context(
            TLSOptions(
                enabled=True, ca_file=kit.ca_pem, certificate_key_file=path, certificate_key_file_password=b"secret"
            )
        ).fingerprint
    )


@pytest.mark.parametrize("password", ["secret", b"secret", lambda: "secret"])
def test_every_kind_of_password_opens_it(ada: Certificate, password: Any) -> None:
    """And a wrong one does not, nor none; neither is shown."""
    assert load(packed(ada), password).leaf_der
    text = refusal(packed(ada), "hunter2")
    assert text.startswith("tlsCertificateKeyFilePassword is not the password of the content given")
    assert "hunter2" not in text
    assert "is encrypted; give its password in tlsCertificateKeyFilePassword" in refusal(packed(ada))


@pytest.mark.parametrize("password", [None, b""])
def test_without_a_password_nobody_is_asked(ada: Certificate, password: bytes | None) -> None:
    """No password and an empty one both mean none."""
    content = packed(ada, None)

    def ask() -> str:
        raise AssertionError

    assert load(content, ask).leaf_der
    assert load(content, password).leaf_der


def test_a_coroutine_function_is_somebody_else_s_to_await(ada: Certificate) -> None:
    """As for PEM."""

    async def ask() -> str:
        raise AssertionError

    with pytest.raises(AsyncPassword):
        load(packed(ada), ask)
    assert load(packed(ada, None), ask).leaf_der


def test_roots_are_trusted_where_no_tls_ca_file_is_given(kit: CertKit, ada: Certificate) -> None:
    """They are not shown to the server either."""
    material = load(packed(ada, roots=kit.ca_pem))
    assert material.trust is Trust.PKCS12
    assert [block.der for block in pem.blocks(material.ca or b"")] == [pem.blocks(kit.ca_pem)[0].der]
    assert (material.chain or b"").count(b"BEGIN") == 2


def test_tls_ca_file_alone_counts_where_it_is_given(kit: CertKit, ada: Certificate) -> None:
    """And where the file has no root, the system's store does."""
    other = kit.stranger().ca_pem
    material = load(packed(ada, roots=kit.ca_pem), ca_file=other)
    assert (material.trust, material.ca) == (Trust.FILE, other)
    assert load(packed(ada)).trust in (Trust.SYSTEM, Trust.CERTIFI)
    unverified = load(packed(ada, roots=kit.ca_pem), allow_invalid_certificates=True, allow_invalid_hostnames=True)
    assert (unverified.trust, unverified.ca) == (Trust.NOBODY, None)


def test_whom_to_trust_tells_fingerprints_apart(kit: CertKit, ada: Certificate) -> None:
    """Another root in the file is another identity."""

    def taken(roots: bytes) -> str:
        return shared_context(TLSOptions(enabled=True, certificate_key_file=packed(ada, None, roots=roots))).fingerprint

    assert taken(kit.ca_pem) == taken(kit.ca_pem) != taken(kit.stranger().ca_pem)


def test_a_chain_beside_it_goes_first(kit: CertKit, ada: Certificate) -> None:
    """TlsCertificateFile says which certificates to show; they have to belong to the key."""
    assert load(packed(ada), certificate_file=ada.certificate_chain_pem).chain == ada.certificate_chain_pem
    text = refusal(packed(ada), "secret", certificate_file=kit.client("bob").certificate_chain_pem)
    assert "does not belong to any certificate in the content given (tlsCertificateFile)" in text


def test_within_an_identity(kit: CertKit, ada: Certificate) -> None:
    """The key of a TLSIdentity may be PKCS#12; messages name its parts."""

    def options(password: str) -> TLSOptions:
        return TLSOptions(enabled=True, identity=TLSIdentity(key=packed(ada), ca=kit.ca_pem, password=password))

    assert load_material(options("secret"), NOTHING).leaf_der
    with pytest.raises(ConfigurationError, match=r"TLSIdentity\.password is not the password"):
        load_material(options("wrong"), NOTHING)


def test_one_without_a_key(ada: Certificate) -> None:
    """A trust store is no identity."""
    assert "there is no private key in the content given (it holds PKCS12)" in refusal(packed(ada, key=False), "secret")


def test_what_is_damaged(ada: Certificate) -> None:
    """It cannot be told from a wrong password, so both are said."""
    content = bytearray(packed(ada))
    content[len(content) // 2] ^= 0xFF
    assert "or that is damaged" in refusal(bytes(content), "secret")


def test_without_cryptography_the_extra_is_named(ada: Certificate, monkeypatch: pytest.MonkeyPatch) -> None:
    """With the line to type, or the other way out; PEM does without."""
    real = builtins.__import__

    def refuse(name: str, *arguments: Any, **keywords: Any) -> Any:
        if name.startswith("cryptography"):
            raise ImportError(name)
        return real(name, *arguments, **keywords)

    content = packed(ada)
    monkeypatch.setattr(builtins, "__import__", refuse)
    text = refusal(content, "secret")
    assert text.startswith("tlsCertificateKeyFile: the content given is PKCS#12, which needs the package cryptography")
    assert 'pip install "aiomongo-tls[x509]"' in text
    assert "openssl pkcs12" in text
    assert load(ada.pem).leaf_der


def test_an_encryption_of_another_time(ada: Certificate, monkeypatch: pytest.MonkeyPatch) -> None:
    """RC2, where OpenSSL does not bring it any more."""

    def refuse(*_: object) -> Callable[..., Any]:
        raise UnsupportedAlgorithm("RC2-40-CBC")

    content = packed(ada)
    monkeypatch.setattr(pkcs12, "load_pkcs12", refuse)
    assert "convert it: openssl pkcs12 -legacy" in refusal(content, "secret")
