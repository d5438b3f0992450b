"""What is said of this machine."""

from __future__ import annotations

from dataclasses import replace

import pytest

from aiomongo_tls.doctor.environment import Environment, environment_findings, look_around

GOOD = Environment(
    python="3.11.7 (CPython)",
    openssl="OpenSSL 3.0.2",
    has_sni=True,
    tls_versions=("TLS 1.2", "TLS 1.3"),
    security_level=2,
    store="/etc/ssl/cert.pem",
    authorities=140,
    store_variables=(),
    is_dangling=False,
    extras={"x509": "45.0", "speed": None},
)


def test_a_good_machine() -> None:
    """Facts only."""
    assert [(finding.severity.value, finding.title, finding.found) for finding in environment_findings(GOOD)] == [
        ("info", "Python", "3.11.7 (CPython)"),
        ("info", "OpenSSL", "OpenSSL 3.0.2, security level 2"),
        ("info", "TLS versions", "TLS 1.2, TLS 1.3"),
        ("info", "SNI", "yes"),
        ("info", "trust store", "140 authorities in /etc/ssl/cert.pem"),
        ("info", "extras", "x509 (45.0); not installed: speed"),
    ]


@pytest.mark.parametrize(
    ("environment", "expected"),
    [
        (replace(GOOD, has_sni=False), ("error", "no-sni")),
        (replace(GOOD, tls_versions=()), ("error", "protocol-version")),
        (
            replace(GOOD, is_dangling=True, store_variables=("SSL_CERT_FILE=/nope",)),
            ("warning", "trust-store-empty"),
        ),
    ],
)
def test_a_machine_with_a_fault(environment: Environment, expected: tuple[str, str]) -> None:
    """Each fault is one finding with what to do."""
    (found,) = [finding for finding in environment_findings(environment) if finding.severity.value != "info"]
    assert (found.severity.value, found.reason) == expected
    assert found.fix


def test_a_machine_without_a_store() -> None:
    """The list of certifi takes its place, which is no fault."""
    (found,) = [f for f in environment_findings(replace(GOOD, store="")) if f.reason == "trust-store"]
    assert found.found == "none in this system; certifi's 140 authorities"


def test_this_machine(tmp_path: object, aiomongo_certs: object) -> None:
    """The facts are gathered from the interpreter, and the store from the environment."""
    ca = aiomongo_certs.ca_path  # type: ignore[attr-defined]
    around = look_around({"SSL_CERT_FILE": ca, "SSL_CERT_DIR": str(tmp_path)})
    assert around.has_sni
    assert around.tls_versions == ("TLS 1.2", "TLS 1.3")
    assert around.openssl.startswith("OpenSSL ")
    assert around.extras["x509"]
    assert around.store_variables == (f"SSL_CERT_FILE={ca}", f"SSL_CERT_DIR={tmp_path}")
    assert not around.is_dangling
    assert look_around({"SSL_CERT_FILE": "/nope", "SSL_CERT_DIR": str(tmp_path)}).is_dangling
