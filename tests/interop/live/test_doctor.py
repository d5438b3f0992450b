"""The doctor examines a real server."""

from __future__ import annotations

import asyncio
import json
import sys
from collections.abc import Callable

import pytest
from live_server import LiveServer

from aiomongo_tls import Check, Severity, diagnose
from aiomongo_tls.testing import CertKit


async def test_a_healthy_server(server: LiveServer) -> None:
    """No errors, and a finding of each step up to the ping."""
    diagnosis = await diagnose(server.uri())
    assert diagnosis.errors == ()
    assert {Check.TCP, Check.HELLO, Check.PING} <= {finding.check for finding in diagnosis.findings}


async def test_a_healthy_server_of_ours(server: LiveServer, kit: CertKit) -> None:
    """Where the certificates are those of the kit there is nothing to warn of either."""
    diagnosis = await diagnose(server.uri())
    assert {finding.title for finding in diagnosis.findings if finding.severity is not Severity.INFO} == set()


@pytest.mark.parametrize(
    ("options", "reason"),
    [
        (lambda kit: {"tlsCertificateKeyFile": None}, "client-certificate-required"),
        (lambda kit: {"tlsCertificateKeyFile": kit.stranger().client().path}, "client-certificate-unknown-ca"),
        (lambda kit: {"tlsCertificateKeyFile": kit.client("ada", expired=True).path}, "client-certificate-expired"),
        (lambda kit: {"tlsCAFile": kit.stranger().ca_path}, "unknown-ca"),
        (lambda kit: {"tlsServerNames": "127.0.0.1:db.example.net"}, "hostname-mismatch"),
    ],
    ids=["no certificate", "of a strange CA", "expired", "unknown CA", "wrong name"],
)
async def test_faults(
    server: LiveServer, kit: CertKit, options: Callable[[CertKit], dict[str, object]], reason: str
) -> None:
    """Each is found, as the real server's stack tells it."""
    if reason.startswith("client-") and not server.demands_client_certificate:
        pytest.skip("the server does not ask for client certificates")
    diagnosis = await diagnose(server.uri(**options(kit)))
    assert reason in diagnosis.reasons()
    assert diagnosis.worst is Severity.ERROR
    assert all(finding.fix for finding in diagnosis.errors)


async def test_a_server_that_is_gone(server: LiveServer, another: Callable[..., LiveServer]) -> None:
    """Nothing listens."""
    gone = another()
    gone.kill()
    diagnosis = await diagnose(gone.uri())
    (error,) = diagnosis.errors
    assert error.check is Check.TCP


async def test_the_command(server: LiveServer) -> None:
    """`aiomongo-tls doctor --json -` says the same, and ends with 0."""
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "aiomongo_tls", "doctor", "--json", "-",
        stdin=asyncio.subprocess.PIPE, stdout=asyncio.subprocess.PIPE,
    )  # fmt: skip
    output, _ = await process.communicate(server.uri().encode())
    assert process.returncode == 0
    assert "ping" in json.dumps(json.loads(output))
