"""What TLS is made of: what is accepted, and what each thing that is not is called."""

from __future__ import annotations

import os
import ssl
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import certifi
import pytest
from cryptography import x509
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
from cryptography.hazmat.primitives.serialization import Encoding, PrivateFormat

from aiomongo_tls.core.options.tls_options import TLSOptions
from aiomongo_tls.errors import ConfigurationError
from aiomongo_tls.testing.certs import Certificate, CertKit
from aiomongo_tls.tls.context import build_context
from aiomongo_tls.tls.material import TLSMaterial, load_material
from aiomongo_tls.tls.trust import Trust

NOTHING = {"SSL_CERT_FILE": "/nonexistent/file", "SSL_CERT_DIR": "/nonexistent/directory"}


@pytest.fixture
def ada(kit: CertKit) -> Certificate:
    return kit.client("ada")


def load(kit: CertKit, **options: Any) -> TLSMaterial:
    """Load, and show that a context can be built of it."""
    wanted = TLSOptions(**{"enabled": True, "ca_file": kit.ca_pem, **options})
    material = load_material(wanted)
    build_context(material, wanted)
    return material


def refusal(kit: CertKit, **options: Any) -> str:
    """What the user is told."""
    with pytest.raises(ConfigurationError) as caught:
        load(kit, **options)
    text = str(caught.value)
    assert "BEGIN" not in text
    return text


def der_of(certificate: Certificate) -> bytes:
    return x509.load_pem_x509_certificate(certificate.certificate_chain_pem).public_bytes(Encoding.DER)


class TestKeyAndCertificate:
    """tlsCertificateKeyFile, tlsCertificateFile, tlsCertificateKeyFilePassword."""

    def test_one_file_with_both(self, kit: CertKit, ada: Certificate) -> None:
        """As a path, as a string, as bytes; and which certificate it is."""
        for source in (ada.path, Path(ada.path), ada.pem, ada.pem.decode()):
            material = load(kit, certificate_key_file=source)
            assert material.leaf_der == der_of(ada)
            assert material.chain == ada.certificate_chain_pem
            assert material.key == ada.private_key_pem
            assert material.password is None

    def test_without_one_there_is_none(self, kit: CertKit) -> None:
        """A client may do without."""
        material = load(kit)
        assert (material.chain, material.key, material.leaf_der) == (None, None, None)

    def test_key_and_chain_apart(self, kit: CertKit, ada: Certificate) -> None:
        """As Kubernetes has them, tls.key and tls.crt."""
        material = load(kit, certificate_key_file=ada.private_key_pem, certificate_file=ada.certificate_chain_pem)
        assert material.leaf_der == der_of(ada)
        text = refusal(kit, certificate_file=ada.certificate_chain_pem)
        assert text == "tlsCertificateFile needs tlsCertificateKeyFile beside it, with the private key"

    def test_the_leaf_is_the_certificate_of_the_key_wherever_it_stands(self, kit: CertKit) -> None:
        """Bundles come in any order."""
        ada = kit.client("ada", intermediate=True)
        leaf, intermediate = (
            block + b"-----END CERTIFICATE-----\n"
            for block in ada.certificate_chain_pem.split(b"-----END CERTIFICATE-----\n")[:2]
        )
        for order in ([leaf, intermediate, kit.ca_pem], [kit.ca_pem, intermediate, leaf], [intermediate, leaf]):
            material = load(kit, certificate_key_file=b"".join(order) + ada.private_key_pem)
            assert material.leaf_der == der_of(ada)
            assert material.chain is not None
            assert material.chain.startswith(leaf)
            assert material.chain.count(b"BEGIN") == len(order)

    def test_der_is_as_good_as_pem(self, kit: CertKit, ada: Certificate) -> None:
        """Key and certificate apart, since DER holds one thing."""
        key = serialization.load_pem_private_key(ada.private_key_pem, None)
        der = key.private_bytes(Encoding.DER, PrivateFormat.PKCS8, serialization.NoEncryption())
        assert load(kit, certificate_key_file=der, certificate_file=der_of(ada)).leaf_der == der_of(ada)

    @pytest.mark.parametrize(
        "generate",
        [lambda: rsa.generate_private_key(65537, 2048), lambda: ec.generate_private_key(ec.SECP384R1())],
        ids=["rsa", "ec"],
    )
    @pytest.mark.parametrize("form", [PrivateFormat.PKCS8, PrivateFormat.TraditionalOpenSSL])
    @pytest.mark.parametrize("locked", [False, True])
    def test_every_form_of_key(
        self, kit: CertKit, generate: Callable[[], Any], form: PrivateFormat, locked: bool
    ) -> None:
        """Encrypted ones with the right password, and not with a wrong one or none."""
        key = generate()
        encryption = serialization.BestAvailableEncryption(b"secret") if locked else serialization.NoEncryption()
        text = key.private_bytes(Encoding.PEM, form, encryption)
        bundle = text + certificate_for(key).public_bytes(Encoding.PEM)
        password = "secret" if locked else None
        assert load(kit, certificate_key_file=bundle, certificate_key_file_password=password).key == text
        if locked:
            assert "is not the password" in refusal(
                kit, certificate_key_file=bundle, certificate_key_file_password="wrong"
            )
            assert "is encrypted; give its password" in refusal(kit, certificate_key_file=bundle)

    def test_ed25519(self, kit: CertKit) -> None:
        """The youngest kind."""
        key = ed25519.Ed25519PrivateKey.generate()
        text = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, serialization.NoEncryption())
        assert load(kit, certificate_key_file=text + certificate_for(key).public_bytes(Encoding.PEM)).key == text

    def test_a_password_that_is_not_needed_is_not_asked_for(self, kit: CertKit, ada: Certificate) -> None:
        """A function for it is left alone."""

        def password() -> str:
            raise AssertionError

        assert load(kit, certificate_key_file=ada.pem, certificate_key_file_password=password).password is None

    def test_a_function_for_the_password_is_called_once(self, kit: CertKit) -> None:
        """Even where several certificates have to be tried."""
        ada = kit.client("ada", password="secret")
        calls: list[int] = []

        def password() -> bytes:
            calls.append(1)
            return b"secret"

        bundle = kit.ca_pem + ada.pem
        assert load(kit, certificate_key_file=bundle, certificate_key_file_password=password).password == b"secret"
        assert calls == [1]

    def test_a_function_that_fails_is_named_and_chained(self, kit: CertKit) -> None:
        """Through OpenSSL and back."""
        locked = kit.client("ada", password="secret")

        def password() -> str:
            raise LookupError("vault sealed")

        with pytest.raises(ConfigurationError, match=r"tlsCertificateKeyFilePassword.*raised LookupError") as caught:
            load(kit, certificate_key_file=locked.pem, certificate_key_file_password=password)
        assert isinstance(caught.value.__cause__, LookupError)

    def test_a_password_that_is_too_long_for_openssl(self, kit: CertKit) -> None:
        """Somebody gave the file's content, perhaps."""
        locked = kit.client("ada", password="secret")
        text = refusal(kit, certificate_key_file=locked.pem, certificate_key_file_password="x" * 2000)
        assert text.startswith("tlsCertificateKeyFilePassword: password cannot be longer than")

    def test_a_wrong_password_names_option_and_path(self, kit: CertKit) -> None:
        """And not the password."""
        locked = kit.client("ada", password="secret")
        text = refusal(kit, certificate_key_file=locked.path, certificate_key_file_password="hunter2")
        assert text.startswith(f"tlsCertificateKeyFilePassword is not the password of the key in '{locked.path}'")
        assert "hunter2" not in text

    def test_a_key_of_another_certificate(self, kit: CertKit, ada: Certificate) -> None:
        """Of the same kind, and of another kind, which OpenSSL says in another way."""
        other = kit.client("bob")
        text = refusal(kit, certificate_key_file=other.private_key_pem + ada.certificate_chain_pem)
        assert "does not belong to any certificate in the content given" in text
        rsa_key = rsa.generate_private_key(65537, 2048)
        text = refusal(
            kit,
            certificate_key_file=rsa_key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, serialization.NoEncryption()),
            certificate_file=ada.path,
        )
        assert text.startswith("tlsCertificateKeyFile: the private key in the content given does not belong to")
        assert "(tlsCertificateFile)" in text

    def test_no_key(self, kit: CertKit, ada: Certificate, tmp_path: Path) -> None:
        """It says what is in the file instead."""
        path = tmp_path / "me.pem"
        path.write_bytes(ada.certificate_chain_pem)
        text = refusal(kit, certificate_key_file=path)
        assert f"there is no private key in '{path}' (it holds CERTIFICATE); append the key" in text
        path.write_bytes(b"-----BEGIN OPENSSH PRIVATE KEY-----\nAAAA\n-----END OPENSSH PRIVATE KEY-----\n")
        assert "ssh-keygen -p -m PKCS8" in refusal(kit, certificate_key_file=path)
        path.write_bytes(b"hello")
        assert "(it is neither PEM nor DER)" in refusal(kit, certificate_key_file=path)

    def test_no_certificate(self, kit: CertKit, ada: Certificate) -> None:
        """And where it may be."""
        text = refusal(kit, certificate_key_file=ada.private_key_pem)
        assert "there is no certificate in the content given (it holds PRIVATE KEY)" in text
        assert "tlsCertificateFile" in text
        text = refusal(kit, certificate_key_file=ada.private_key_pem, certificate_file=ada.private_key_pem)
        assert text.startswith("tlsCertificateFile: there is no certificate")

    def test_damage(self, kit: CertKit, ada: Certificate) -> None:
        """Key, certificate, or a file that is being written."""
        broken_key = ada.private_key_pem.replace(b"\nMI", b"\nMA", 1)
        assert "the private key in the content given is damaged" in refusal(
            kit, certificate_key_file=broken_key + ada.certificate_chain_pem
        )
        broken = ada.certificate_chain_pem.replace(b"\nMI", b"\nMA", 1)
        assert "the certificate in the content given is damaged" in refusal(
            kit, certificate_key_file=ada.private_key_pem + broken
        )
        assert "certificate 2 of 2 in the content given is damaged" in refusal(
            kit, certificate_key_file=ada.private_key_pem + ada.certificate_chain_pem + broken
        )
        assert "is incomplete: a PEM block in it has no end" in refusal(kit, certificate_key_file=ada.pem[:-10])

    def test_too_weak_a_certificate(self, kit: CertKit) -> None:
        """It says what would be strong enough."""
        key = rsa.generate_private_key(65537, 1024)
        text = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, serialization.NoEncryption())
        message = refusal(kit, certificate_key_file=text + certificate_for(key).public_bytes(Encoding.PEM))
        assert "too weak" in message
        assert "EE_KEY_TOO_SMALL" in message

    def test_secrets_are_not_in_the_repr(self, kit: CertKit) -> None:
        """Nor anything else that is long."""
        locked = kit.client("ada", password="secret")
        material = load(kit, certificate_key_file=locked.pem, certificate_key_file_password="secret")
        assert material.password == b"secret"
        assert repr(material) == "TLSMaterial(trust=<Trust.FILE: 'file'>)"


class TestTrust:
    """tlsCAFile and what takes its place."""

    def test_several_certificates(self, kit: CertKit) -> None:
        """All of them are trusted; DER holds one."""
        both = kit.ca_pem + b"\n# and\n" + kit.stranger().ca_pem
        wanted = TLSOptions(enabled=True, ca_file=both)
        context = build_context(load_material(wanted), wanted)
        assert context.cert_store_stats()["x509"] == 2
        assert load(kit, ca_file=ssl.PEM_cert_to_DER_cert(kit.ca_pem.decode())).trust is Trust.FILE

    @pytest.mark.parametrize(
        ("content", "words"),
        [
            (b"  \n", "is empty"),
            (b"hello", "there is no certificate in the content given (it is neither PEM nor DER); it has to hold"),
            (b"-----BEGIN PUBLIC KEY-----\nAAAA\n-----END PUBLIC KEY-----\n", "it holds PUBLIC KEY"),
            (b"-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n", "is damaged"),
            (b"-----BEGIN CERTIFICATE-----\nAAAA\n", "is incomplete"),
        ],
    )
    def test_what_is_no_certificate(self, kit: CertKit, tmp_path: Path, content: bytes, words: str) -> None:
        """As content and as a file."""
        text = refusal(kit, ca_file=content)
        assert text.startswith("tlsCAFile: ")
        assert words in text
        path = tmp_path / "ca.pem"
        path.write_bytes(content)
        assert words.replace("the content given", f"'{path}'") in refusal(kit, ca_file=path)

    def test_the_systems_store(self, kit: CertKit) -> None:
        """It is left to OpenSSL."""
        material = load_material(TLSOptions(enabled=True), {"SSL_CERT_FILE": kit.ca_path})
        assert (material.trust, material.ca) == (Trust.SYSTEM, None)

    def test_certifi_where_the_store_is_empty(self, monkeypatch: pytest.MonkeyPatch) -> None:
        """A slim container image."""
        paths = ssl.get_default_verify_paths()._replace(openssl_cafile="/nonexistent", openssl_capath="/nonexistent")
        monkeypatch.setattr(ssl, "get_default_verify_paths", lambda: paths)
        wanted = TLSOptions(enabled=True)
        material = load_material(wanted, {})
        assert material.trust is Trust.CERTIFI
        assert material.ca == certifi.contents().encode()
        assert build_context(material, wanted).cert_store_stats()["x509"] > 50

    def test_a_variable_with_nothing_behind_it_is_an_error(self) -> None:
        """It must not widen what is trusted."""
        with pytest.raises(ConfigurationError, match="behind SSL_CERT_FILE=/nonexistent/file and SSL_CERT_DIR="):
            load_material(TLSOptions(enabled=True), NOTHING)

    def test_one_variable_with_nothing_behind_it_is_an_error_beside_a_full_store(self, kit: CertKit) -> None:
        """The other half of the system's store is not what was meant."""
        environ = {"SSL_CERT_FILE": "/nonexistent/file", "SSL_CERT_DIR": ""}
        with pytest.raises(ConfigurationError, match="behind SSL_CERT_FILE=/nonexistent/file and SSL_CERT_DIR=;"):
            load_material(TLSOptions(enabled=True), environ)
        with pytest.raises(ConfigurationError, match="behind SSL_CERT_FILE=/nonexistent/file;"):
            load_material(TLSOptions(enabled=True), {"SSL_CERT_FILE": "/nonexistent/file"})
        assert load_material(TLSOptions(enabled=True), {**environ, "SSL_CERT_FILE": kit.ca_path}).trust is Trust.SYSTEM

    def test_who_verifies_nothing_needs_no_store(self) -> None:
        """It is not even looked for."""
        unverified = TLSOptions(enabled=True, allow_invalid_certificates=True, allow_invalid_hostnames=True)
        assert load_material(unverified, NOTHING).trust is Trust.NOBODY


class TestRevocationList:
    """tlsCRLFile."""

    def test_what_is_no_list(self, kit: CertKit) -> None:
        """A certificate is not one; nor is damage."""
        text = refusal(kit, crl_file=kit.ca_pem)
        assert text.startswith("tlsCRLFile: there is no revocation list in the content given")
        text = refusal(kit, crl_file=b"-----BEGIN X509 CRL-----\nAAAA\n-----END X509 CRL-----\n")
        assert text.startswith("tlsCRLFile: the content given is damaged")


class TestSuppliedContext:
    """ssl_context."""

    def test_it_takes_the_place_of_everything(self) -> None:
        """Nothing is read."""
        wanted = TLSOptions(enabled=True, ssl_context=ssl.create_default_context())
        assert load_material(wanted, NOTHING).trust is Trust.CONTEXT

    def test_one_for_servers_is_refused(self) -> None:
        """It would fail in the first handshake, in other words."""
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        with pytest.raises(ConfigurationError, match="ssl_context is one for servers"):
            load_material(TLSOptions(enabled=True, ssl_context=context))

    def test_another_object_is_refused(self) -> None:
        """PyOpenSSL's, for example."""
        with pytest.raises(ConfigurationError, match=r"has to be an ssl\.SSLContext, not object"):
            load_material(TLSOptions(enabled=True, ssl_context=object()))

    def test_options_beside_it_are_refused(self, kit: CertKit) -> None:
        """They would have no effect, and nobody would know."""
        context = ssl.create_default_context()
        with pytest.raises(ConfigurationError, match="so tlsCAFile and tlsAllowInvalidHostnames would have no effect"):
            load_material(
                TLSOptions(enabled=True, ssl_context=context, ca_file=kit.ca_pem, allow_invalid_hostnames=True)
            )


SCRIPT = """
import sys, os
terminal = os.open(sys.argv[1], os.O_RDWR)  # in a session of its own, this becomes the controlling terminal
from aiomongo_tls.core.options.tls_options import TLSOptions
from aiomongo_tls.errors import ConfigurationError
from aiomongo_tls.tls.context import build_context
from aiomongo_tls.tls.material import TLSMaterial, load_material
from aiomongo_tls.tls.trust import Trust
import ssl
if sys.argv[3] == "bare":
    ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT).load_cert_chain(sys.argv[2])
try:
    load_material(TLSOptions(allow_invalid_certificates=True, certificate_key_file=sys.argv[2]))
except ConfigurationError as exc:
    print("refused:", exc)
content = open(sys.argv[2], "rb").read()
try:
    build_context(TLSMaterial(trust=Trust.NOBODY, chain=content, key=content), TLSOptions())
except ssl.SSLError as exc:
    print("refused:", exc)
"""


@pytest.mark.skipif(not hasattr(os, "openpty"), reason="needs a terminal of its own")
@pytest.mark.parametrize("how", ["ours", "bare"])
def test_nobody_is_ever_asked_on_the_terminal(kit: CertKit, how: str) -> None:
    """With a terminal at hand, a missing password is an error. OpenSSL left alone would ask: the twin."""
    locked = kit.client("ada", password="secret")
    ours, theirs = os.openpty()
    process = subprocess.Popen(
        [sys.executable, "-c", SCRIPT, os.ttyname(theirs), locked.path, how],
        stdin=theirs,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        start_new_session=True,
    )
    try:
        if how == "bare":
            assert b"PEM pass phrase" in os.read(ours, 100)
            os.write(ours, b"secret\n")
        output, errors = process.communicate(timeout=60)
        assert process.returncode == 0, errors.decode()
        assert output.decode().count("refused:") == 2
        assert "give its password in tlsCertificateKeyFilePassword" in output.decode()
        if how == "ours":
            os.set_blocking(ours, False)
            with pytest.raises(BlockingIOError):
                os.read(ours, 100)
    finally:
        process.kill()
        process.wait()
        os.close(ours)
        os.close(theirs)


def certificate_for(key: Any) -> x509.Certificate:
    from datetime import UTC, datetime

    from cryptography.hazmat.primitives import hashes

    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "ada")])
    builder = x509.CertificateBuilder(
        name, name, key.public_key(), 1, datetime(2020, 1, 1, tzinfo=UTC), datetime(2100, 1, 1, tzinfo=UTC)
    )
    return builder.sign(key, None if isinstance(key, ed25519.Ed25519PrivateKey) else hashes.SHA256())
