"""TLS options as values."""

from __future__ import annotations

from pathlib import Path

import pytest

from aiomongo_tls.core.options.tls_options import TLSOptions, TLSSource, is_content

KEY = "-----BEGIN PRIVATE KEY-----\nc2VjcmV0\n-----END PRIVATE KEY-----\n"


@pytest.mark.parametrize(
    ("source", "content"),
    [("ca.pem", False), (Path("ca.pem"), False), (KEY, True), (KEY.encode(), True), (b"\x30\x82", True), ("", False)],
)
def test_is_content(source: TLSSource, content: bool) -> None:
    """Bytes and text with a PEM block are content, everything else is a path."""
    assert is_content(source) is content


def test_repr_shows_paths_but_neither_content_nor_password() -> None:
    """A repr can be logged."""
    shown = repr(
        TLSOptions(
            ca_file="ca.pem", certificate_key_file=KEY, crl_file=b"\x30secret", certificate_key_file_password="hunter2"
        )
    )
    assert "'ca.pem'" in shown
    assert "certificate_key_file_password=<hidden>" in shown
    for secret in ("hunter2", "c2VjcmV0", "secret", "PRIVATE KEY"):
        assert secret not in shown
    assert "certificate_key_file_password=None" in repr(TLSOptions())


def test_has_client_certificate_source() -> None:
    """A key file or a ready context can bring a client certificate; a CA cannot."""
    assert TLSOptions(certificate_key_file="me.pem").has_client_certificate_source
    assert TLSOptions(ssl_context=object()).has_client_certificate_source
    assert not TLSOptions(ca_file="ca.pem", certificate_file="chain.pem").has_client_certificate_source


def test_everything_is_verified_by_default() -> None:
    """TLS is off unless asked for, and nothing is relaxed."""
    options = TLSOptions()
    assert not any(
        (
            options.enabled,
            options.allow_invalid_certificates,
            options.allow_invalid_hostnames,
            options.disable_ocsp_endpoint_check,
            options.disable_certificate_revocation_check,
        )
    )
