"""Where the server comes from: the lists of its jars agree, and whoever has no Java is told so."""

from __future__ import annotations

import socket
import subprocess
import sys
import time
from pathlib import Path
from urllib.parse import urlsplit
from xml.etree import ElementTree

import live_javaserver
import pymongo
import pytest
from live_javaserver import MISSING, SOURCE, VERSION, JavaServer
from live_server import ToolchainMissing, Unsupported

from aiomongo_tls.testing import CertKit

_NAMESPACE = {"m": "http://maven.apache.org/POM/4.0.0"}


def test_what_maven_brings_is_what_is_expected() -> None:
    """Each dependency of pom.xml stands in jars.txt with the same version."""
    project = ElementTree.parse(SOURCE.with_name("pom.xml")).getroot()
    asked = [
        tuple(
            dependency.findtext(f"m:{field}", namespaces=_NAMESPACE) for field in ("groupId", "artifactId", "version")
        )
        for dependency in project.iterfind("m:dependencies/m:dependency", _NAMESPACE)
    ]
    listed = [jar[1:] for jar in live_javaserver.jars()]
    assert asked
    assert set(asked) <= set(listed)
    assert ("de.bwaldvogel", "mongo-java-server", VERSION) in asked


def test_a_jar_that_is_not_the_right_one(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """It is not used, and the name of the file is told."""

    def forge(jar: live_javaserver.Jar, file: Path) -> None:
        file.write_bytes(b"something else")

    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    monkeypatch.setattr(live_javaserver, "_download", forge)
    monkeypatch.setattr(live_javaserver, "_ask_maven", lambda maven, place: None)
    with pytest.raises(live_javaserver.BuildFailed, match=r"\.jar is not the file"):
        live_javaserver.class_path()
    assert list(tmp_path.rglob("*.jar")) == []


def test_without_java(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    """`NOT RUN`, with what is missing."""
    monkeypatch.setenv("PATH", "/nonexistent")
    monkeypatch.delenv("JAVA_HOME", raising=False)
    assert live_javaserver.main() == MISSING
    assert capsys.readouterr().out.startswith("NOT RUN: java is not on PATH")
    with pytest.raises(ToolchainMissing):
        live_javaserver.start()


@pytest.mark.parametrize(
    ("kind", "words"),
    [
        ({"replica_set": "rs0"}, "not running with --replSet"),
        ({"user": ("ada", "secret")}, "no such command: 'createUser'"),
        ({"demands_client_certificate": True}, "asks no client for a certificate"),
    ],
)
def test_what_it_cannot_be(server: JavaServer, kind: dict[str, object], words: str) -> None:
    """In its own words, where it has some."""
    with pytest.raises(Unsupported, match=words):
        server.another(**kind)  # type: ignore[arg-type]


def listens(port: int) -> bool:
    try:
        socket.create_connection(("127.0.0.1", port), timeout=1).close()
    except ConnectionRefusedError:
        return False
    return True


def test_it_ends_with_whoever_started_it() -> None:
    """A test run that is killed leaves no Java behind."""
    program = (
        "import os, sys; sys.path[:0] = sys.argv[1:]\n"
        "from live_javaserver import JavaServer\n"
        "from aiomongo_tls.testing import CertKit\n"
        "server = JavaServer(CertKit(), is_durable=False)\n"
        "print(server.plain_uri(), flush=True)\n"
        "os.kill(os.getpid(), 9)\n"
    )
    ended = subprocess.run(
        [sys.executable, "-c", program, str(Path(live_javaserver.__file__).parent)],
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )
    port = urlsplit(ended.stdout.strip()).port
    assert port is not None
    end = time.monotonic() + 20
    while listens(port):
        assert time.monotonic() < end
        time.sleep(0.02)


def test_data_in_memory_and_in_a_file() -> None:
    """What `is_durable` promises, and what it does not."""
    for is_durable in (False, True):
        server = JavaServer(CertKit(), is_durable=is_durable)
        try:
            with pymongo.MongoClient[dict[str, object]](server.uri()) as client:
                client["javaserver"]["things"].insert_one({"_id": 1})
                server.kill()
                server.restart()
                assert list(client["javaserver"]["things"].find()) == ([{"_id": 1}] if is_durable else [])
        finally:
            server.close()
