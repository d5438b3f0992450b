"""The fingerprint: equal for what is equal to OpenSSL, different for everything else, and without secrets."""

from __future__ import annotations

import ssl
from collections.abc import Callable
from pathlib import Path
from typing import Any

from cryptography.hazmat.primitives import serialization

from aiomongo_tls.core.options.tls_options import TLSOptions
from aiomongo_tls.testing.certs import CertKit
from aiomongo_tls.tls.fingerprint import fingerprint
from aiomongo_tls.tls.material import load_material


def taken(environ: dict[str, str] | None = None, **options: Any) -> str:
    wanted = TLSOptions(enabled=True, **options)
    environ = environ or {}
    return fingerprint(load_material(wanted, environ), wanted, environ)


def test_it_says_nothing_about_where_things_are(kit: CertKit, tmp_path: Path) -> None:
    """Another path, another form, comments, the order of authorities: the same content."""
    path = tmp_path / "all.pem"
    path.write_bytes(b"# comment\n" + kit.stranger().ca_pem + kit.ca_pem)
    der = ssl.PEM_cert_to_DER_cert(kit.ca_pem.decode())
    assert taken(ca_file=path) == taken(ca_file=kit.ca_pem + kit.stranger().ca_pem + kit.ca_pem)
    assert taken(ca_file=kit.ca_path) == taken(ca_file=kit.ca_pem) == taken(ca_file=der)


def test_key_and_password_are_not_in_it(kit: CertKit) -> None:
    """The certificate stands for its key; how that is kept makes no difference to the peer."""
    ada = kit.client("ada")
    key = serialization.load_pem_private_key(ada.private_key_pem, None)
    locked = key.private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.PKCS8,
        serialization.BestAvailableEncryption(b"secret"),
    )
    assert taken(ca_file=kit.ca_pem, certificate_key_file=ada.pem) == taken(
        ca_file=kit.ca_pem,
        certificate_key_file=locked,
        certificate_file=ada.certificate_chain_pem,
        certificate_key_file_password="secret",
    )


def test_everything_that_openssl_or_the_peer_would_notice_is_in_it(
    kit: CertKit, revocation_list: Callable[..., bytes]
) -> None:
    """No two of these may share a connection."""
    ada, ca = kit.client("ada"), kit.ca_pem
    variants = [
        taken(ca_file=ca),
        taken(ca_file=kit.stranger().ca_pem),
        taken(ca_file=ca + kit.stranger().ca_pem),
        taken(ca_file=ca, certificate_key_file=ada.pem),
        taken(ca_file=ca, certificate_key_file=kit.client("bob").pem),
        taken(ca_file=ca, certificate_key_file=ada.pem + ca),
        taken(ca_file=ca, crl_file=revocation_list(kit, ada.certificate_chain_pem)),
        taken(ca_file=ca, crl_file=revocation_list(kit, kit.client("bob").certificate_chain_pem)),
        taken(ca_file=ca, allow_invalid_hostnames=True),
        taken(ca_file=ca, allow_invalid_hostnames=True, allow_invalid_certificates=True),
        taken(ca_file=ca, disable_ocsp_endpoint_check=True),
        taken(ca_file=ca, disable_certificate_revocation_check=True),
        taken(allow_invalid_hostnames=True, allow_invalid_certificates=True),
        taken({"SSL_CERT_FILE": kit.ca_path}),
        taken({"SSL_CERT_FILE": kit.stranger().ca_path}),
        taken(),
    ]
    assert len(set(variants)) == len(variants)
    assert all(len(variant) == 64 for variant in variants)


def test_the_systems_store_counts_by_what_the_variables_name(kit: CertKit, tmp_path: Path) -> None:
    """The same content under another name is the same; a changed file is not."""
    path = tmp_path / "ca.pem"
    path.write_bytes(kit.ca_pem)
    first = taken({"SSL_CERT_FILE": str(path)})
    assert first == taken({"SSL_CERT_FILE": kit.ca_path})
    path.write_bytes(kit.stranger().ca_pem)
    assert taken({"SSL_CERT_FILE": str(path)}) != first


def test_a_supplied_context_counts_as_itself() -> None:
    """A token for each object, which is not used again for another one."""
    seen = set()
    for _ in range(20):
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        token = taken(ssl_context=context)
        assert token == taken(ssl_context=context)
        seen.add(token)
        del context
    assert len(seen) == 20


def test_no_part_can_pass_for_another(kit: CertKit) -> None:
    """A certificate to trust is not one to show."""
    ada = kit.client("ada")
    assert taken(ca_file=ada.certificate_chain_pem + kit.ca_pem) != taken(
        ca_file=kit.ca_pem, certificate_key_file=ada.pem
    )
