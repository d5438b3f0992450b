"""The program `aiomongo-tls`: its demo, its server, its exit status."""

from __future__ import annotations

import io
import os
import re
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from contextlib import nullcontext
from pathlib import Path
from typing import Any

import pymongo
import pytest

from aiomongo_tls import cli
from aiomongo_tls.version import __version__

PROGRAM = [sys.executable, "-X", "dev", "-W", "error", "-m", "aiomongo_tls"]


def run(*arguments: str) -> tuple[int, str]:
    """Run the program in this process."""
    out = io.StringIO()
    return cli.main(arguments, out), out.getvalue()


def test_the_demo() -> None:
    """It ends with 0 and shows what happened: TLS, user, round trips, documents, one refusal explained."""
    status, text = run("demo")
    assert status == 0
    facts = {line[2:18].strip(): line[18:] for line in text.splitlines() if line.startswith("  ")}
    assert facts["Python"].startswith(sys.version.split()[0])
    assert "SNI yes" in facts["OpenSSL"]
    assert facts["TLS"].startswith("TLSv1.3, TLS_")
    assert facts["server is"] == "verified for localhost, 127.0.0.1, ::1"
    assert facts["MongoDB user"].startswith("CN=ada,OU=demo,O=Example ")
    assert facts["certificate"] == "valid for 30 more days"
    assert facts["round trips"].startswith("1 after the TLS handshake")
    assert facts["inserted"] == "3 documents"
    assert facts["updated"].startswith("1 document: {'_id': 1, 'name': 'Ada Lovelace'")
    assert facts["error"] == "ServerCertificateError"
    assert facts["reason"] == "unknown-ca"
    assert facts["expected"]
    assert facts["presented"]
    assert facts["hint"]


def test_a_demo_that_fails(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    """It ends with 1 and says why on stderr."""
    from aiomongo_tls.testing import MongoTestServer

    def taken(_: Any) -> None:
        raise OSError("the address is taken")

    monkeypatch.setattr(MongoTestServer, "start", taken)
    assert run("demo")[0] == 1
    assert capsys.readouterr().err == "aiomongo-tls demo failed: the address is taken\n"


def test_a_demo_that_is_interrupted(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    """Ctrl-C ends it without a traceback, with the status that shells expect."""
    from aiomongo_tls.testing import MongoTestServer

    def interrupted(_: Any) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(MongoTestServer, "start", interrupted)
    assert run("demo")[0] == 130
    assert capsys.readouterr().err == "aiomongo-tls demo was interrupted\n"


def test_a_refusal_that_does_not_come(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    """Were the unknown CA accepted, the demo would fail."""
    from aiomongo_tls.testing import CertKit

    monkeypatch.setattr(CertKit, "stranger", lambda kit: kit)
    assert run("demo")[0] == 1
    assert "was not refused" in capsys.readouterr().err


def test_without_the_extra(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    """It says what to install."""
    import aiomongo_tls.testing

    monkeypatch.setitem(sys.modules, "trustme", None)
    monkeypatch.delitem(sys.modules, "aiomongo_tls.testing.certs", raising=False)
    monkeypatch.delitem(vars(aiomongo_tls.testing), "CertKit", raising=False)
    assert run("demo")[0] == 1
    assert 'pip install "aiomongo-tls[testing]"' in capsys.readouterr().err


@pytest.mark.parametrize(
    "arguments",
    [
        *([], ["nonsense"], ["serve", "--port", "x"], ["serve", "--port", "65536"], ["demo", "more"]),
        *(["serve", "--replica-set", "3", "--port", "5"], ["serve", "--replica-set", "three"]),
    ],
)
def test_a_wrong_command_line(arguments: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    """It ends with 2 and shows how it is used."""
    with pytest.raises(SystemExit) as caught:
        run(*arguments)
    assert caught.value.code == 2
    assert "usage: aiomongo-tls" in capsys.readouterr().err


def test_its_version(capsys: pytest.CaptureFixture[str]) -> None:
    """`--version` prints it."""
    with pytest.raises(SystemExit) as caught:
        run("--version")
    assert caught.value.code == 0
    assert capsys.readouterr().out == f"aiomongo-tls {__version__}\n"


def test_as_a_process() -> None:
    """`python -m aiomongo_tls` and the console script are the same program, and leave no warning behind."""
    script = Path(sys.executable).with_name("aiomongo-tls")
    versions = [
        subprocess.run([*program, "--version"], capture_output=True, text=True, check=True).stdout
        for program in (PROGRAM, [str(script)])
    ]
    assert versions[0] == versions[1] == f"aiomongo-tls {__version__}\n"
    # Without asyncio's debug mode, which reports slow steps on a busy machine.
    done = subprocess.run([*PROGRAM, "demo"], capture_output=True, text=True, check=False, timeout=60)
    assert done.returncode == 0, done.stderr
    assert [line for line in done.stderr.splitlines() if "seconds" not in line] == []


class Served(io.StringIO):
    """What `serve` prints, and a callback at the moment it is ready."""

    def __init__(self, when_ready: Callable[[str], None]) -> None:
        super().__init__()
        self._when_ready = when_ready

    def write(self, text: str) -> int:
        written = super().write(text)
        if "Ctrl-C" in text:
            self._when_ready(self.getvalue())
        return written


def serve(monkeypatch: pytest.MonkeyPatch, use: Callable[[str], None], *arguments: str) -> int:
    """Run `serve` in this process; once it is ready the text is used and it ends."""
    monkeypatch.setattr(cli, "_stopping", lambda: nullcontext(lambda: None))
    return cli.main(["serve", *arguments], Served(use))


def pymongo_uri(text: str, user: str) -> str:
    part = text[text.index(user) :]
    found = re.search(r"pymongo\.MongoClient\('(.+?)'\)", part)
    assert found
    return found[1]


def test_a_server_for_any_client(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Its lines can be pasted; afterwards the keys and the directory it made are gone."""
    directory = tmp_path / "deep" / "keys"

    def use(text: str) -> None:
        for user in ("CN=ada,OU=clients", "CN=bob,O=Example"):
            with pymongo.MongoClient[dict[str, Any]](pymongo_uri(text, user)) as client:
                status = client.admin.command("connectionStatus")
                assert status["authInfo"]["authenticatedUsers"][0]["user"].startswith(user)
        assert text.count("aiomongo_tls.AsyncClient.connect(") == 2
        assert f"--tlsCAFile {directory}/ca.pem --tlsCertificateKeyFile {directory}/client.pem" in text
        assert sorted(path.name for path in directory.iterdir()) == ["ca.pem", "client.pem", "client1.pem"]
        assert (directory / "client.pem").stat().st_mode & 0o077 == 0

    assert serve(monkeypatch, use, "--dir", str(directory), "--user", "ada", "--user", "CN=bob,O=Example") == 0
    assert not directory.exists()


@pytest.mark.parametrize(
    ("option", "topology", "words"),
    [("--replica-set", "ReplicaSetWithPrimary", "test replica set on "), ("--mongos", "Sharded", "test cluster on ")],
)
def test_several_servers(monkeypatch: pytest.MonkeyPatch, option: str, topology: str, words: str) -> None:
    """A replica set or several mongos; every line names them all."""

    def use(text: str) -> None:
        assert words in text
        with pymongo.MongoClient[dict[str, Any]](pymongo_uri(text, "CN=demo")) as client:
            client.app.users.insert_one({"_id": 1})
            assert client.topology_description.topology_type_name == topology
            found = [f"{host}:{port}" for host, port in client.topology_description.server_descriptions()]
            assert len(found) == 2
            assert all(text.count(place) == 4 for place in found)

    assert serve(monkeypatch, use, option, "2") == 0


def test_no_such_set(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    """A set needs a member."""
    assert serve(monkeypatch, lambda _: pytest.fail("it was served"), "--replica-set", "0") == 1
    assert "aiomongo-tls serve failed: a replica set has 1 to 50 members" in capsys.readouterr().err


def test_a_directory_with_other_files_stays(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Only what it made is removed."""
    (tmp_path / "mine").write_text("")
    assert serve(monkeypatch, lambda _: None, "--dir", str(tmp_path)) == 0
    assert [path.name for path in tmp_path.iterdir()] == ["mine"]


@pytest.mark.parametrize("name", ["ca.pem", "client.pem", "client1.pem"])
def test_files_of_somebody_else_are_left_alone(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path, name: str
) -> None:
    """A file that is there already under one of its names is neither overwritten nor removed."""
    (tmp_path / name).write_text("mine")
    arguments = ["--dir", str(tmp_path), "--user", "ada", "--user", "bob"]
    assert serve(monkeypatch, lambda _: pytest.fail("it was served"), *arguments) == 1
    assert f"{name} already in {tmp_path}" in capsys.readouterr().err
    assert [(path.name, path.read_text()) for path in tmp_path.iterdir()] == [(name, "mine")]


def test_a_directory_that_is_none(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    """A place where no directory can be is an error, told in one line."""
    file = tmp_path / "file"
    file.write_text("mine")
    for place in (file, file / "below"):
        assert serve(monkeypatch, lambda _: pytest.fail("it was served"), "--dir", str(place)) == 1
        error = capsys.readouterr().err
        assert error.startswith("aiomongo-tls serve failed: ")
        assert error.count("\n") == 1
    assert file.read_text() == "mine"


def test_a_user_who_cannot_be(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    """What is not a name is quoted in the error."""
    assert serve(monkeypatch, lambda _: pytest.fail("it was served"), "--user", "=ada") == 1
    assert "'=ada' is no subject of a certificate" in capsys.readouterr().err


def test_a_chosen_port(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    """It is used; a taken one is an error, and no key is left."""
    ports: list[str] = []

    def again(text: str) -> None:
        found = re.search(r"127\.0\.0\.1:(\d+)", text)
        assert found
        ports.append(found[1])
        if len(ports) == 1:
            assert serve(monkeypatch, again, "--port", found[1]) == 1

    assert serve(monkeypatch, again) == 0
    assert len(ports) == 1
    assert "in use" in capsys.readouterr().err


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM], ids=["Ctrl-C", "SIGTERM"])
def test_serving_until_a_signal(number: signal.Signals, tmp_path: Path) -> None:
    """It ends with 0, and leaves no file anywhere."""
    process = subprocess.Popen(
        [*PROGRAM, "serve"],
        env=os.environ | {"TMPDIR": str(tmp_path)},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    assert process.stdout is not None
    text = ""
    while "Ctrl-C" not in text:
        line = process.stdout.readline()
        assert line, process.communicate()
        text += line
    found = re.search(r"keys in (\S+)", text)
    assert found
    directory = Path(found[1])
    assert (directory / "client.pem").exists()
    with pymongo.MongoClient[dict[str, Any]](pymongo_uri(text, "CN=demo")) as client:
        assert client.admin.command("ping")["ok"] == 1.0
    process.send_signal(number)
    out, err = process.communicate(timeout=30)
    assert (process.returncode, err) == (0, "")
    assert out.endswith("Stopped; keys removed.\n")
    assert directory.parent == tmp_path
    assert list(tmp_path.iterdir()) == []


def test_waiting_for_a_signal_restores_the_handlers() -> None:
    """In-process use leaves the program's own handlers in place."""
    before = [signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)]
    deadline = time.monotonic() + 30

    def interrupt() -> None:
        # Until the handler is there the signal would end the test run.
        while signal.getsignal(signal.SIGTERM) is before[1] and time.monotonic() < deadline:
            os.sched_yield()
        os.kill(os.getpid(), signal.SIGTERM)

    thread = threading.Thread(target=interrupt)
    thread.start()
    with cli._stopping() as wait:
        wait()
    thread.join()
    assert [signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)] == before
