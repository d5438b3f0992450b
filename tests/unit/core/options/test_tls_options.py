"""TLS options as values."""

from __future__ import annotations

from pathlib import Path

import pytest

from aiomongo_tls.core.options.tls_options import TLSOptions
from aiomongo_tls.core.options.tls_source import TLSSource, is_content, is_encoded

KEY = "-----BEGIN PRIVATE KEY-----\nc2VjcmV0\n-----END PRIVATE KEY-----\n"


@pytest.mark.parametrize(
    ("source", "content"),
    [("ca.pem", False), (Path("ca.pem"), False), (KEY, True), (KEY.encode(), True), (b"\x30\x82", True), ("", False)],
)
def test_is_content(source: TLSSource, content: bool) -> None:
    """Bytes and text with a PEM block are content, everything else is a path."""
    assert is_content(source) is content


@pytest.mark.parametrize(
    ("source", "encoded"),
    [
        ("MIGHAgEAMBMGByqGSM49AgEGCCqGSM49AwEHBG0wawIBAQQg" + "A" * 40, True),
        ("LS0tLS1CRUdJTiBQUklWQVRFIEtFWS0tLS0tCk1JR0hBZ0VBTUJNR0J5cUdTTTQ5\nAgE=\n", True),
        ("MC4CAQAwBQYDK2VwBCIEI" + "B" * 43, True),
        (KEY, False),
        (b"MIGHAgEAMBMGByqGSM49AgEGCCqGSM49AwEHBG0wawIBAQQg" * 2, False),
        ("/etc/ssl/private/" + "a/" * 60, False),
        ("MyCertificates/client", False),
        ("MB" + "A" * 70 + ".pem", False),
        (Path("MB" + "A" * 70), False),
    ],
)
def test_is_encoded(source: TLSSource, encoded: bool) -> None:
    """Base64 of DER or PEM is told from a path."""
    assert is_encoded(source) is encoded


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
    assert "secret" not in repr(TLSOptions(certificate_key_file="MIGHAgEA" + "secret" * 20))
    assert "certificate_key_file_password=None" in repr(TLSOptions())


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
