"""What a server's TLS and its reply to hello tell."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from aiomongo_tls import Finding, ServerAddress, Severity
from aiomongo_tls.core.sdam.server_description import description_of
from aiomongo_tls.doctor.server import Seen, hello_findings, is_for, tls_findings
from aiomongo_tls.testing import CertKit
from aiomongo_tls.tls.certificate import CertificateDetails
from aiomongo_tls.tls.engine import TLSInfo

NOW = datetime(2026, 1, 1, tzinfo=UTC)
HOST = ServerAddress("db.example.net")


def details(*sans: str) -> CertificateDetails:
    return CertificateDetails(
        subject="CN=db",
        issuer="CN=CA",
        sans=sans,
        not_before=NOW,
        not_after=NOW + timedelta(days=365),
        fingerprint=None,
    )


@pytest.mark.parametrize(
    ("sans", "name", "expected"),
    [
        (["db.example.net"], "db.example.net", True),
        (["DB.example.net"], "db.Example.net", True),
        (["*.example.net"], "db.example.net", True),
        (["*.example.net"], "a.db.example.net", False),
        (["*.example.net"], "example.net", False),
        (["*"], "localhost", False),
        (["10.0.0.1"], "10.0.0.1", True),
        (["*.0.0.1"], "10.0.0.1", False),
        (["xn--bcher-kva.example"], "bücher.example", True),
        (["db.example.net"], "db.example.net.", True),
        ([], "db.example.net", False),
    ],
)
def test_whom_a_certificate_is_for(sans: list[str], name: str, expected: bool) -> None:
    """By its subjectAltName, in which a wildcard stands for one label of a host name."""
    assert is_for(details(*sans), name) is expected


def agreed(certificate: dict[str, Any] | None, der: bytes | None, name: str) -> TLSInfo:
    return TLSInfo(
        version="TLSv1.3", cipher="C", resumed=False, peer_certificate=certificate, peer_der=der, server_hostname=name
    )


def reasons(findings: list[Finding]) -> list[tuple[str, str]]:
    return [(finding.severity.value, finding.reason) for finding in findings]


def test_a_certificate_that_was_not_verified(aiomongo_certs: CertKit) -> None:
    """Its name is looked at here; that it is for another host is a warning, since the options accept it."""
    der = aiomongo_certs.server("db.example.net").details
    assert der.sans == ("db.example.net",)
    from cryptography import x509
    from cryptography.hazmat.primitives.serialization import Encoding

    leaf = x509.load_pem_x509_certificate(aiomongo_certs.server("db.example.net").certificate_chain_pem)
    content = leaf.public_bytes(Encoding.DER)
    good = tls_findings(
        Seen(info=agreed(None, content, "db.example.net"), chain=[]), None, host=HOST, now=NOW, elapsed=0.1
    )
    assert reasons(good) == [("info", "ok"), ("info", "server-certificate")]
    assert good[0].found == "TLSv1.3, C; the certificate was not verified"
    other = tls_findings(Seen(info=agreed(None, content, "other"), chain=[]), None, host=HOST, now=NOW, elapsed=0.1)
    assert reasons(other)[-1] == ("warning", "hostname-mismatch")


def test_a_certificate_without_a_host_name() -> None:
    """OpenSSL goes by the common name then, which many programs do not."""
    told = {
        "subject": ((("commonName", "db.example.net"),),),
        "issuer": ((("commonName", "CA"),),),
        "notBefore": "Jan  1 00:00:00 2025 GMT",
        "notAfter": "Jan  1 00:00:00 2035 GMT",
    }
    findings = tls_findings(
        Seen(info=agreed(told, None, "db.example.net"), chain=[]), None, host=HOST, now=NOW, elapsed=0.1
    )
    assert reasons(findings)[-1] == ("warning", "no-host-name")


def test_a_server_without_a_certificate_that_can_be_read() -> None:
    """What was agreed is told all the same."""
    for der in (None, b"nonsense"):
        findings = tls_findings(
            Seen(info=agreed(None, der, "db"), chain=[b"nonsense"]), None, host=HOST, now=NOW, elapsed=0
        )
        assert reasons(findings) == [("info", "ok")]


def said(**reply: Any) -> list[Finding]:
    description = description_of(HOST, {"ok": 1, "maxWireVersion": 21, **reply}, round_trip_time=0.1, now=0)
    return hello_findings(description, host=HOST, now=NOW, elapsed=0.1)


@pytest.mark.parametrize(
    ("seconds", "severity", "text"),
    [
        (-0.05, "info", "in step with this machine's"),
        (0.9, "info", "in step with this machine's"),
        (5, "info", "5 s ahead of this machine's"),
        (-29, "info", "29 s behind this machine's"),
        (60, "warning", "the server's clock is 60 s ahead of this machine's (2026-01-01 00:01:00 UTC)"),
        (-3600, "warning", "the server's clock is 3600 s behind this machine's (2025-12-31 23:00:00 UTC)"),
    ],
)
def test_clocks(seconds: float, severity: str, text: str) -> None:
    """Beyond half a minute the difference is worth a warning."""
    finding = said(localTime=NOW + timedelta(seconds=seconds))[-1]
    assert finding.severity.value == severity
    assert finding.reason == ("clock-skew" if severity == "warning" else "clock")
    assert finding.found == text


def test_a_server_that_does_not_tell_the_time() -> None:
    """Nothing is said of it then, nor of a time that is none."""
    assert reasons(said()) == reasons(said(localTime="late")) == [("info", "ok")]


def test_what_a_server_is() -> None:
    """Type, replica set and wire versions; a member without a configuration is worth a warning."""
    (finding,) = said(setName="rs0", isWritablePrimary=True, hosts=["db.example.net:27017"])
    assert finding.found == "RSPrimary of 'rs0', wire versions 0 to 21"
    assert reasons(said(isreplicaset=True))[-1] == ("warning", "not-initiated")
    assert all(finding.host == HOST for finding in said())
    assert Severity.INFO == "info"
