"""The README's commands make certificates that work."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import pytest
import trustme

from aiomongo_tls import AsyncClient
from aiomongo_tls.testing import Certificate, CertKit, MongoTestServer

README = Path(__file__).parents[2] / "README.md"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Where the commands were run."""
    openssl = shutil.which("openssl")
    if openssl is None:
        pytest.skip("there is no openssl here")
    (commands,) = (block for block in README.read_text().split("```sh\n") if block.startswith("openssl req -x509"))
    subprocess.run(
        ["sh", "-ec", commands.partition("```")[0]], cwd=tmp_path, check=True, capture_output=True, timeout=60
    )
    return tmp_path


async def test_certificates_by_openssl(folder: Path) -> None:
    """An authority, a server and a user of it: the client is in, with its subject as its name."""
    ca = CertKit(ca=trustme.CA.from_pem((folder / "ca.pem").read_bytes(), (folder / "ca.key").read_bytes()))
    certificate = Certificate((folder / "server.crt").read_bytes(), (folder / "server.key").read_bytes(), ca.ca_pem)
    me = "CN=me,OU=Clients,O=Example"
    files = f"tlsCAFile={folder / 'ca.pem'}&tlsCertificateKeyFile={folder / 'me.pem'}"
    with MongoTestServer(ca=ca, certificate=certificate, users=[me]) as server:
        uri = f"mongodb://localhost:{server.address.port}/?authMechanism=MONGODB-X509&{files}"
        async with AsyncClient.connect(uri) as client:
            status = await client.admin.command("connectionStatus")
    assert status["authInfo"]["authenticatedUsers"] == [{"user": me, "db": "$external"}]
