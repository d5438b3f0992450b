"""Every example runs as its docstring says, the web services under real HTTP requests."""

from __future__ import annotations

import asyncio
import os
import re
import socket
import subprocess
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path

import httpx
import pytest

from aiomongo_tls.testing import Certificate, CertKit, MongoTestServer

EXAMPLES = Path(__file__).resolve().parents[2] / "examples"


@pytest.fixture
def uri(aiomongo_certs: CertKit, aiomongo_server: MongoTestServer) -> str:
    """The URI of a server that knows the certificate in it."""
    me = aiomongo_certs.client("service")
    aiomongo_server.add_user(me)
    return aiomongo_server.uri(client=me)


def run(*arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
    """Run Python on an example, with warnings as errors.

    Not in development mode: asyncio would write to stderr when a busy machine makes it slow.
    """
    command = [sys.executable, "-W", "error", *arguments]
    env = os.environ | environment
    return subprocess.run(command, cwd=EXAMPLES, env=env, capture_output=True, text=True, timeout=60, check=False)


@asynccontextmanager
async def serving(*arguments: str, mongodb_uri: str, **environment: str) -> AsyncIterator[httpx.AsyncClient]:
    """An HTTP service in its own process, and a client for it once it says where it listens."""
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        *arguments,
        cwd=EXAMPLES,
        env=os.environ | environment | {"MONGODB_URI": mongodb_uri, "PYTHONUNBUFFERED": "1"},
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
    )
    assert process.stdout is not None
    lines: list[str] = []
    try:
        while line := (await process.stdout.readline()).decode():
            lines.append(line)
            if found := re.search(r"http://[\d.:]+", line):
                break
        else:
            pytest.fail("".join(lines))
        async with httpx.AsyncClient(base_url=found.group()) as client:
            yield client
    finally:
        if process.returncode is None:
            process.terminate()
        await process.communicate()


def test_quickstart() -> None:
    """It prints what it found and leaves no warning behind."""
    done = run("quickstart.py")
    assert done.returncode == 0, done.stderr
    assert done.stdout.splitlines()[0] == "to reorder: 143"
    assert "'_id': 0" in done.stdout
    assert done.stderr == ""


def test_vault_identity() -> None:
    """A certificate from the stand-in for Vault gets in; with another token the reason is told; no key is shown."""
    done = run("vault_identity.py")
    assert done.returncode == 0, done.stdout + done.stderr
    given, connected, refused, because = done.stdout.splitlines()
    assert "key=<hidden>" in given
    assert connected == "connected as CN=orders,OU=clients,O=aiomongo_tls tests"
    assert "tls_identity: VaultIdentity.identity() raised PermissionError" in refused
    assert because.strip() == "because: Vault says 403"
    assert "BEGIN" not in done.stdout
    assert done.stderr == ""


def test_tenants() -> None:
    """Each tenant is its own user; one that is refused disturbs nobody; a connection is kept between two requests."""
    done = run("tenants.py")
    assert done.returncode == 0, done.stdout + done.stderr
    *first, refused, third, count = done.stdout.splitlines()
    tail = "OU=clients,O=aiomongo_tls tests"
    assert sorted(first) == [f"acme: anvil, written as CN=acme,{tail}", f"globex: volcano, written as CN=globex,{tail}"]
    assert refused == "hooli: refused, unknown-user"
    assert third == f"acme: rocket, written as CN=acme,{tail}"
    assert count == "acme logged in 1 time for 2 requests"
    assert done.stderr == ""


def test_x509_says_who_it_is(uri: str) -> None:
    """With a certificate that the server knows, it prints the user."""
    done = run("x509.py", MONGODB_URI=uri)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "CN=service" in done.stdout


def test_x509_explains_a_refusal(uri: str, aiomongo_certs: CertKit) -> None:
    """With a CA that the server's certificate is not from, it prints the reason and exits with 1."""
    stranger = str(aiomongo_certs.stranger().ca_path)
    done = run("x509.py", MONGODB_URI=re.sub(r"tlsCAFile=[^&]*", f"tlsCAFile={stranger}", uri))
    assert done.returncode == 1, done.stderr
    assert "unknown-ca" in done.stdout


async def test_fastapi_app(uri: str) -> None:
    """The service stores users, refuses a second of the same name, and tells when it is ready."""
    async with serving("-m", "uvicorn", "fastapi_app:app", "--port", "0", mongodb_uri=uri) as http:
        assert (await http.get("/ready")).json() == {"ready": True}
        assert (await http.put("/users/ada")).status_code == 201
        assert (await http.put("/users/ada")).status_code == 409
        assert (await http.get("/users/ada")).json() == {"name": "ada"}
        assert (await http.get("/users/bob")).status_code == 404


async def test_fastapi_app_does_not_start_with_a_wrong_certificate(aiomongo_certs: CertKit, uri: str) -> None:
    """A service with a wrong CA ends at once, and its log names the reason."""
    wrong = re.sub(r"tlsCAFile=[^&]*", f"tlsCAFile={aiomongo_certs.stranger().ca_path}", uri)
    with pytest.raises(pytest.fail.Exception, match="unknown-ca"):
        async with serving("-m", "uvicorn", "fastapi_app:app", "--port", "0", mongodb_uri=wrong):
            pass


def mount(directory: Path, certificate: Certificate) -> None:
    """The three files of a Kubernetes secret."""
    (directory / "ca.crt").write_bytes(certificate.ca_pem)
    (directory / "tls.crt").write_bytes(certificate.certificate_chain_pem)
    (directory / "tls.key").write_bytes(certificate.private_key_pem)


async def test_kubernetes_app(aiomongo_certs: CertKit, tmp_path: Path) -> None:
    """It is ready while the database answers, alive in any case, and tells when the certificate in use expires."""
    service = "-m", "uvicorn", "--app-dir", "kubernetes", "app:app", "--port", "0"
    first, renewed = (
        aiomongo_certs.client("orders", not_after=datetime.now(UTC).replace(microsecond=0) + timedelta(days=days))
        for days in (1, 2)
    )
    mount(tmp_path, first)
    with MongoTestServer(ca=aiomongo_certs, users=[first]) as server:
        uri = f"mongodb://{server.address}/?authMechanism=MONGODB-X509&tlsReloadIntervalMS=50"
        async with serving(*service, mongodb_uri=uri, MONGODB_TLS=str(tmp_path)) as http:

            async def tells(sample: str, value: float) -> bool:
                response = await http.get("/metrics")
                assert response.headers["content-type"].startswith("text/plain; version=0.0.4")
                return f"mongodb_client_certificate_{sample} {value:.0f}" in response.text.splitlines()

            assert await tells("on_disk_differs", 0)
            async with asyncio.timeout(20):
                # Half a second may not be enough on a busy machine.
                while (await http.get("/ready")).json() != {"ready": True}:
                    pass
            assert await tells("not_after_seconds", first.details.not_after.timestamp())
            mount(tmp_path, renewed)
            async with asyncio.timeout(20):
                # There is no event: the files are looked at by another process.
                while not await tells("not_after_seconds", renewed.details.not_after.timestamp()):  # noqa: ASYNC110
                    await asyncio.sleep(0.05)
            server.kill()
            unready = await http.get("/ready")
            assert unready.status_code == 503
            assert "timeoutMS=500" in unready.json()["because"]
            assert (await http.get("/live")).json() == {"live": True}


def test_kubernetes_manifest_fits_the_app() -> None:
    """Paths that are probed are served, variables that are set are read, and no file is mounted by itself."""
    manifest, app = ((EXAMPLES / "kubernetes" / name).read_text() for name in ("manifest.yaml", "app.py"))
    for path in re.findall(r"path: (/\w+)", manifest):
        assert f'@app.get("{path}")' in app
    for variable in re.findall(r"- name: (MONGODB_\w+)", manifest):
        assert f'os.environ["{variable}"]' in app or f'os.environ.get("{variable}"' in app
    assert manifest.count("/etc/mongodb-tls") == 2
    assert "subPath:" not in manifest


async def test_aiohttp_app(uri: str) -> None:
    """Visits are counted in the database."""
    script = f"""
from aiohttp import web
from aiohttp_app import create_app
web.run_app(create_app(), host="127.0.0.1", port={free_port()})
"""
    async with serving("-c", script, mongodb_uri=uri) as http:
        assert (await http.get("/pages/home")).json() == {"page": "home", "visits": 1}
        assert (await http.get("/pages/home")).json() == {"page": "home", "visits": 2}


def free_port() -> int:
    """A port that was free a moment ago; aiohttp's runner prints 0 for a port that it chose itself."""
    with socket.create_server(("127.0.0.1", 0)) as probe:
        return int(probe.getsockname()[1])


@pytest.mark.parametrize("example", ["test_with_trustme.py", "test_with_pymongo.py"])
def test_test_examples(example: str) -> None:
    """The examples that are tests pass under pytest as a user would run them."""
    own_settings = ["-c", os.devnull, "--rootdir", str(EXAMPLES), "-o", "asyncio_default_fixture_loop_scope=function"]
    done = run("-m", "pytest", "-q", "-p", "no:cacheprovider", *own_settings, example)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "2 passed" in done.stdout


@pytest.fixture(autouse=True)
def _no_bytecode(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PYTHONDONTWRITEBYTECODE", "1")
