"""A certificate that nobody renews is warned of, once and in time."""

from __future__ import annotations

import logging
import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from aiomongo_tls import AsyncClient, ConfigurationError
from aiomongo_tls.net.identity import Identity
from aiomongo_tls.testing import Certificate, CertKit, MongoTestServer
from aiomongo_tls.tls.certificate import CertificateDetails
from aiomongo_tls.topology.expiry import REMEMBERED, ExpiryWarning, Said

BEGIN = datetime(2030, 1, 1, tzinfo=UTC)
LIFETIME = timedelta(days=10)


def identity(fingerprint: str = "ab" * 32) -> Identity:
    return Identity(
        certificate=CertificateDetails(
            subject="CN=ada",
            issuer="CN=ca",
            sans=(),
            not_before=BEGIN,
            not_after=BEGIN + LIFETIME,
            fingerprint=fingerprint,
        )
    )


def warnings(caplog: pytest.LogCaptureFixture) -> list[str]:
    found = [record for record in caplog.records if record.name == "aiomongo_tls.tls"]
    assert {record.levelno for record in found} <= {logging.WARNING}
    return [record.getMessage() for record in found if "client certificate" in record.getMessage()]


@pytest.mark.parametrize(
    ("share", "passed", "warned"),
    [(0.2, 7.9, False), (0.2, 8.1, True), (0.5, 5.1, True), (1, 0.1, True), (0, 9.9, False), (0, 11, False)],
)
def test_the_share_that_is_left_decides(
    caplog: pytest.LogCaptureFixture, share: float, passed: float, *, warned: bool
) -> None:
    """Less than the share of the lifetime, which 0 never is."""
    ExpiryWarning(share).look([identity()], BEGIN + timedelta(days=passed))
    assert bool(warnings(caplog)) is warned


def test_each_state_is_told_once(caplog: pytest.LogCaptureFixture) -> None:
    """Once that little is left, once that nothing is left, for each certificate."""
    expiry = ExpiryWarning(0.2)
    for day in (1, 7, 8.5, 9, 9.5, 10.5, 11):
        expiry.look([identity(), identity()], BEGIN + timedelta(days=day))
    little, nothing = warnings(caplog)
    assert "CN=ada (fingerprint abababababababab) has 36 hours and less than tlsExpiryWarning=0.2" in little
    assert little.endswith("expires at 2030-01-11 00:00 UTC; renew it")
    assert nothing.endswith("expired 12 hours ago, at 2030-01-11 00:00 UTC; renew it")
    caplog.clear()
    expiry.look([identity("cd" * 32)], BEGIN + timedelta(days=11))
    assert len(warnings(caplog)) == 1


def test_what_others_have_told_is_not_repeated(caplog: pytest.LogCaptureFixture) -> None:
    """Principals of one topology may present the same certificate, one after the other or side by side."""
    said = Said()
    for _ in range(3):
        ExpiryWarning(0.2, said).look([identity()], BEGIN + timedelta(days=9))
    ExpiryWarning(0.2, said).look([identity("cd" * 32)], BEGIN + timedelta(days=9))
    assert len(warnings(caplog)) == 2


def test_what_was_told_is_bounded(caplog: pytest.LogCaptureFixture) -> None:
    """Of a thousand certificates the first is forgotten."""
    caplog.set_level(logging.CRITICAL, "aiomongo_tls.tls")
    said = Said()
    for number in range(REMEMBERED + 1):
        ExpiryWarning(0.2, said).look([identity(f"{number:064}")], BEGIN + timedelta(days=9))
    caplog.set_level(logging.WARNING, "aiomongo_tls.tls")
    for number in (0, REMEMBERED):
        ExpiryWarning(0.2, said).look([identity(f"{number:064}")], BEGIN + timedelta(days=9))
    assert len(warnings(caplog)) == 1


def test_without_a_certificate_nothing_is_told(caplog: pytest.LogCaptureFixture) -> None:
    """There is none, or nobody can read it."""
    ExpiryWarning(1).look([Identity(), Identity(has_certificate=True)], BEGIN)
    assert not warnings(caplog)


def lasting(kit: CertKit, *, used: float, left: float) -> Certificate:
    now = datetime.now(UTC)
    return kit.client(subject="CN=ada", not_before=now - timedelta(days=used), not_after=now + timedelta(days=left))


async def test_it_is_looked_at_when_loaded_and_at_each_look(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The first one and its successor, each once; a successor that has its time before it ends the matter."""
    kit = CertKit()
    path = tmp_path / "ada.pem"

    def write(certificate: Certificate) -> None:
        path.write_bytes(certificate.private_key_pem + certificate.certificate_chain_pem)

    write(lasting(kit, used=9, left=1))
    options: dict[str, Any] = {"tlsCAFile": kit.ca_path, "tlsCertificateKeyFile": path, "tlsReloadIntervalMS": 0}
    with MongoTestServer(ca=kit, users=["CN=ada"]) as server:
        uri = f"mongodb://{server.address}/?authMechanism=MONGODB-X509"
        async with AsyncClient.connect(uri, **options) as client:
            assert len(warnings(caplog)) == 1
            await client.reload_tls()
            assert len(warnings(caplog)) == 1
            write(lasting(kit, used=19, left=2))
            assert await client.reload_tls() is True
            assert len(warnings(caplog)) == 2
            write(lasting(kit, used=1, left=9))
            assert await client.reload_tls() is True
        async with AsyncClient.connect(uri + "&tlsExpiryWarning=0.95", **options):
            assert len(warnings(caplog)) == 3
        monkeypatch.setitem(sys.modules, "cryptography", None)
        async with AsyncClient.connect(uri, tlsExpiryWarning=1, **options):
            assert len(warnings(caplog)) == 3


@pytest.mark.parametrize("wrong", [-0.1, 1.1, True, "0.2", float("nan")])
def test_a_share_is_a_number_from_0_to_1(wrong: object) -> None:
    """Anything else is refused as a keyword."""
    options: Any = {"tls": True, "tlsExpiryWarning": wrong}
    with pytest.raises(ConfigurationError, match=r"tlsExpiryWarning.*a number from 0 to 1"):
        AsyncClient(**options)


@pytest.mark.parametrize(("text", "share"), [("0", 0.0), ("0.25", 0.25), ("1", 1.0), ("1.0", 1.0)])
def test_a_share_in_a_uri(text: str, share: float) -> None:
    """As people write numbers."""
    assert AsyncClient(f"mongodb://db/?tls=true&tlsExpiryWarning={text}").options.tls.expiry_warning == share


@pytest.mark.parametrize("text", ["2", "-0.1", "1e-1", "20%25", "nan", ".2", ""])
def test_no_share_in_a_uri(text: str) -> None:
    """Warned of, and the default counts."""
    with pytest.warns(UserWarning, match="tlsExpiryWarning"):
        client = AsyncClient(f"mongodb://db/?tls=true&tlsExpiryWarning={text}")
    assert client.options.tls.expiry_warning == 0.2
