"""How OpenSSL's names are looked up."""

from __future__ import annotations

import ssl

import pytest

from aiomongo_tls.errors import ClientCertificateRejected, ServerCertificateError, TLSError, TLSProtocolError
from aiomongo_tls.tls import verdicts


@pytest.mark.parametrize(
    ("reason", "alert"),
    [
        # OpenSSL 1.1.1 and 3.x
        ("SSLV3_ALERT_HANDSHAKE_FAILURE", "handshake_failure"),
        ("SSLV3_ALERT_BAD_CERTIFICATE", "bad_certificate"),
        ("TLSV1_ALERT_UNKNOWN_CA", "unknown_ca"),
        ("TLSV13_ALERT_CERTIFICATE_REQUIRED", "certificate_required"),
        ("TLSV1_UNRECOGNIZED_NAME", "unrecognized_name"),
        # from the text of OpenSSL 3.2 and newer
        ("SSL/TLS_ALERT_HANDSHAKE_FAILURE", "handshake_failure"),
        # errors of our own side that begin alike
        ("TLSV1_SOMETHING_ELSE", None),
        ("CERTIFICATE_VERIFY_FAILED", None),
        ("UNKNOWN_ALERT_TYPE", None),
        ("WRONG_VERSION_NUMBER", None),
        ("", None),
    ],
)
def test_an_alert_is_known_by_its_name_whatever_stands_before(reason: str, alert: str | None) -> None:
    """The prefix only tells which version of TLS brought the alert in."""
    assert verdicts.alert_name(reason) == alert


def test_a_reason_without_a_name_is_read_from_the_text() -> None:
    """A Python that is older than its OpenSSL."""
    error = ssl.SSLError(1, "[SSL] ssl/tls alert handshake failure (_ssl.c:1000)")
    error.__dict__["reason"] = None
    assert verdicts.openssl_reason(error) == "SSL/TLS_ALERT_HANDSHAKE_FAILURE"


def test_what_is_not_openssls_has_no_reason() -> None:
    """A reset, for example."""
    assert verdicts.openssl_reason(ConnectionResetError(104, "Connection reset by peer")) == ""


def test_every_slug_is_one_that_its_class_documents() -> None:
    """Slugs are stable: users match on them."""
    rows: list[verdicts.Verdict] = [value for value in vars(verdicts).values() if isinstance(value, verdicts.Verdict)]
    for table in (verdicts.VERIFICATION, verdicts.ALERTS, verdicts.LOCAL):
        rows.extend(table.values())
    for row in rows:
        assert f"`{row.reason}`" in (row.error.__doc__ or "")
    kinds: list[type[TLSError]] = [ServerCertificateError, ClientCertificateRejected, TLSProtocolError]
    for kind in kinds:
        documented = set((kind.__doc__ or "").split("`")[3::2])
        assert documented == {row.reason for row in rows if row.error is kind}


def test_every_hint_and_message_can_be_filled_in() -> None:
    """No placeholder is misspelt."""
    for table in (verdicts.VERIFICATION, verdicts.ALERTS, verdicts.LOCAL):
        for row in table.values():
            assert "{" not in row.message.format(detail="x")
            assert "{" not in row.hint.format(issuer="x", san="x", client_certificate="x")
