"""`aiomongo-tls doctor`: what it prints, where it takes the URI from, its exit status."""

from __future__ import annotations

import io
import json
import os
import re
import socket
import subprocess
import sys
from collections.abc import Iterator

import pytest

from aiomongo_tls import cli
from aiomongo_tls.testing import CertKit, MongoTestServer, User

PROGRAM = [sys.executable, "-X", "dev", "-W", "error", "-m", "aiomongo_tls"]
URI_WITH_SECRET = "mongodb://ada:s3cr3t%2Fword@127.0.0.1:1/"


@pytest.fixture(autouse=True)
def no_uri(monkeypatch: pytest.MonkeyPatch) -> None:
    """Whatever the machine has set does not count."""
    monkeypatch.delenv("MONGODB_URI", raising=False)


@pytest.fixture
def server(aiomongo_certs: CertKit) -> Iterator[MongoTestServer]:
    """A healthy server with the user `ada`."""
    with MongoTestServer(ca=aiomongo_certs, users=[aiomongo_certs.client("ada")]) as running:
        yield running


def run(*arguments: str) -> tuple[int, str]:
    """Run the doctor in this process."""
    out = io.StringIO()
    return cli.main(["doctor", *arguments], out), out.getvalue()


_CHANGING = (
    (r"(?<=127\.0\.0\.1:)\d+", "PORT"),
    (r"'/[^']*/(\w+\.pem)'", r"'/\1'"),
    (r"Testing CA #[\w-]+", "Testing CA"),
    (r"\d+(\.\d)? m?s\b", "TIME"),
    (r"\d{6} days left", "MANY days left"),
)


def normalised(text: str) -> str:
    """A text without ports, directories, times, and what chance has put into certificates."""
    for pattern, replacement in _CHANGING:
        text = re.sub(pattern, replacement, text)
    return text


def after_the_machine(text: str) -> str:
    """What stands below the facts about this machine, which differ from one to the other."""
    start, _, rest = text.partition("\n\n")
    assert start.splitlines()[0] == "this machine"
    return rest


HEALTHY = """\
options
  ok       the options can be used  127.0.0.1:PORT; TLS; MONGODB-X509

files
  ok       TLS can be set up    tlsCAFile ('/ca.pem'), tlsCertificateKeyFile ('/certificate.pem')
  info     authorities trusted  1 in tlsCAFile ('/ca.pem'): OU=Testing CA,O=aiomongo_tls tests
  info     client certificate   CN=ada,OU=clients,O=aiomongo_tls tests, issued by OU=Testing CA,O=aiomongo_tls tests, \
MANY days left
  info     MongoDB user         CN=ada,OU=clients,O=aiomongo_tls tests in $external
           fix       if there is no such user yet: db.getSiblingDB("$external").runCommand({createUser: \
"CN=ada,OU=clients,O=aiomongo_tls tests", roles: [{role: "readWrite", db: "test"}]})

127.0.0.1:PORT
  ok       tcp   a connection was made (TIME)
  ok       tls   encrypted              TLSv1.3, TLS_AES_256_GCM_SHA384 (TIME)
  info     tls   server certificate     CN=localhost,OU=servers,O=aiomongo_tls tests, for localhost, 127.0.0.1, ::1, \
MANY days left
  info     tls   chain                  CN=localhost,OU=servers,O=aiomongo_tls tests <- OU=Testing CA,O=aiomongo_tls \
tests
  ok       hello MongoDB answers        Standalone, wire versions 0 to 21 (TIME)
  info     hello clock                  in step with this machine's
  ok       auth  logged in              CN=ada,OU=clients,O=aiomongo_tls tests by MONGODB-X509 (TIME)
  ok       ping  a command is answered (TIME)

all servers
  ok       deployment  Single: 127.0.0.1:PORT is Standalone

no errors, no warnings
"""


def test_a_healthy_server(server: MongoTestServer) -> None:
    """The exit status is 0, and the text says what was looked at."""
    status, text = run(server.uri())
    assert normalised(after_the_machine(text)) == HEALTHY
    assert status == 0
    assert "\x1b" not in text


WRONG_CA = """\
options
  ok       the options can be used  127.0.0.1:PORT; TLS; MONGODB-X509
  warning  ssl_ca_certs is a former name [deprecated-option]
           fix       use tlsCAFile

files
  ok       TLS can be set up    tlsCAFile ('/ca.pem'), tlsCertificateKeyFile ('/certificate.pem')
  info     authorities trusted  1 in tlsCAFile ('/ca.pem'): OU=Testing CA,O=aiomongo_tls tests
  info     client certificate   CN=ada,OU=clients,O=aiomongo_tls tests, issued by OU=Testing CA,O=aiomongo_tls tests, \
MANY days left
  info     MongoDB user         CN=ada,OU=clients,O=aiomongo_tls tests in $external
           fix       if there is no such user yet: db.getSiblingDB("$external").runCommand({createUser: \
"CN=ada,OU=clients,O=aiomongo_tls tests", roles: [{role: "readWrite", db: "test"}]})

127.0.0.1:PORT
  ok       tcp   a connection was made (TIME)
  error    tls   the server's certificate leads to a root authority that is not trusted here [unknown-ca] (TIME)
           expected  a certificate that leads to one in tlsCAFile ('/ca.pem')
           found     CN=localhost,OU=servers,O=aiomongo_tls tests, issued by OU=Testing CA,O=aiomongo_tls tests
           fix       set tlsCAFile to a file with the certificate of the authority that the server's operators use

1 error, 1 warning
"""


def test_a_server_of_another_authority(server: MongoTestServer, aiomongo_certs: CertKit) -> None:
    """The exit status is 1, and the fault stands out with what to do."""
    uri = server.uri(tlsCAFile=None) + f"&ssl_ca_certs={aiomongo_certs.stranger().ca_path}"
    status, text = run(uri)
    assert normalised(after_the_machine(text)) == WRONG_CA
    assert status == 1


def test_json(server: MongoTestServer) -> None:
    """The same for programs: all fields of all findings."""
    status, text = run("--json", server.uri())
    document = json.loads(text)
    assert status == 0
    assert (document["schema"], document["worst"]) == (1, "info")
    (hello,) = [finding for finding in document["findings"] if finding["title"] == "MongoDB answers"]
    assert 0 <= hello.pop("elapsed") < 10
    assert hello == {
        "check": "hello",
        "severity": "info",
        "reason": "ok",
        "title": "MongoDB answers",
        "host": str(server.address),
        "expected": None,
        "found": "Standalone, wire versions 0 to 21",
        "fix": None,
    }
    assert [(finding["check"], finding["reason"]) for finding in document["findings"]] == [
        ("environment", "python"),
        ("environment", "openssl"),
        ("environment", "tls-versions"),
        ("environment", "sni"),
        ("environment", "trust-store"),
        ("environment", "extras"),
        ("uri", "ok"),
        ("files", "ok"),
        ("files", "authorities"),
        ("files", "client-certificate"),
        ("files", "mongodb-user"),
        ("tcp", "ok"),
        ("tls", "ok"),
        ("tls", "server-certificate"),
        ("tls", "chain"),
        ("hello", "ok"),
        ("hello", "clock"),
        ("auth", "ok"),
        ("ping", "ok"),
        ("hello", "ok"),
    ]


def test_json_of_an_unknown_user(server: MongoTestServer, aiomongo_certs: CertKit) -> None:
    """A fault has its slug, what was found and the command that mends it."""
    status, text = run("--json", server.uri(client=aiomongo_certs.client("eve")))
    document = json.loads(text)
    assert (status, document["worst"]) == (1, "error")
    (found,) = [finding for finding in document["findings"] if finding["severity"] == "error"]
    assert (found["check"], found["reason"], found["host"]) == ("auth", "unknown-user", str(server.address))
    assert found["found"] == "MONGODB-X509 as CN=eve,OU=clients,O=aiomongo_tls tests"
    assert 'createUser: "CN=eve,OU=clients,O=aiomongo_tls tests"' in found["fix"]


def test_where_the_uri_comes_from(server: MongoTestServer, monkeypatch: pytest.MonkeyPatch) -> None:
    """From the argument, from stdin, from MONGODB_URI, in this order."""
    monkeypatch.setenv("MONGODB_URI", server.uri())
    assert run()[0] == 0
    assert run("mongodb://127.0.0.1:1/")[0] == 1
    monkeypatch.setenv("MONGODB_URI", "mongodb://127.0.0.1:1/")
    monkeypatch.setattr(sys, "stdin", io.StringIO(f"{server.uri()}\n"))
    assert run("-")[0] == 0


def test_what_counts_as_a_failure() -> None:
    """Warnings only where that is asked for."""
    uri = "mongodb://db.example.net/"
    assert run("--offline", uri)[0] == 0
    assert run("--offline", "--fail-on", "warning", uri)[0] == 1
    assert run("--offline", "--fail-on", "warning", "mongodb://localhost")[0] == 0


def test_a_silent_server(server: MongoTestServer) -> None:
    """It does not hold up anybody for longer than the limit."""
    server.stalls("accept")
    status, text = run("--timeout", "2", server.uri())
    assert status == 1
    assert "[handshake-timeout]" in text


@pytest.mark.parametrize(
    "arguments",
    [
        [],
        [""],
        ["--timeout", "0", URI_WITH_SECRET],
        ["--timeout", URI_WITH_SECRET],
        ["--timeout", "nan", URI_WITH_SECRET],
        ["--fail-on", URI_WITH_SECRET],
        ["--nonsense", URI_WITH_SECRET],
        [URI_WITH_SECRET, URI_WITH_SECRET],
    ],
)
def test_a_wrong_command_line(arguments: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    """It ends with 2 and shows how it is used, but no password."""
    with pytest.raises(SystemExit) as caught:
        run(*arguments)
    assert caught.value.code == 2
    error = capsys.readouterr().err
    assert "usage: aiomongo-tls" in error
    assert "s3cr3t" not in error


def test_a_uri_in_place_of_a_command(capsys: pytest.CaptureFixture[str]) -> None:
    """It is quoted without its password."""
    with pytest.raises(SystemExit):
        cli.main([URI_WITH_SECRET])
    error = capsys.readouterr().err
    assert "mongodb://<hidden>@127.0.0.1" in error
    assert "s3cr3t" not in error


@pytest.mark.parametrize("flags", [[], ["--json"], ["--offline"]])
def test_no_password_is_printed(flags: list[str], aiomongo_certs: CertKit, capsys: pytest.CaptureFixture[str]) -> None:
    """Neither of a URI that works nor of one that does not, raw or encoded."""
    with MongoTestServer(ca=aiomongo_certs, users=[User("ada", "s3cr3t/word")], tls="require") as server:
        good = server.uri()
        assert "s3cr3t" in good
        for uri in (
            good,
            good.replace("s3cr3t", "s3cr3t-and-wrong"),
            good.replace("ada:", "ada:s3cr3t/@"),
            URI_WITH_SECRET,
            "mongodb://ada:s3cr3t@h/?tls=maybe",
            f"mongodb://h/?tls=true&tlsCertificateKeyFile={aiomongo_certs.client('ada', password='s3cr3t').path}"
            "&tlsCertificateKeyFilePassword=s3cr3t-and-wrong",
        ):
            _, text = run(*flags, "--timeout", "2", uri)
            assert "s3cr3t" not in text + capsys.readouterr().err


def test_colours(monkeypatch: pytest.MonkeyPatch) -> None:
    """On a terminal there are some, unless NO_COLOR is set."""

    class Terminal(io.StringIO):
        def isatty(self) -> bool:
            return True

    monkeypatch.setenv("TERM", "xterm")
    monkeypatch.delenv("NO_COLOR", raising=False)
    for expected in (True, False):
        out = Terminal()
        assert cli.main(["doctor", "--offline", "localhost"], out) == 0
        assert ("\x1b[" in out.getvalue()) is expected
        monkeypatch.setenv("NO_COLOR", "1")


def test_as_a_process(server: MongoTestServer) -> None:
    """Its status is the process's; nothing is on stderr."""
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        refused = f"mongodb://127.0.0.1:{taken.getsockname()[1]}"
        for uri, status in ((server.uri(), 0), (refused, 1), ("", 2)):
            done = subprocess.run(
                [*PROGRAM, "doctor", "-"],
                input=uri,
                capture_output=True,
                text=True,
                check=False,
                timeout=60,
                env=os.environ | {"TERM": "xterm"},
            )
            assert done.returncode == status, done
            # asyncio's debug mode reports slow steps on a busy machine.
            assert status == 2 or [line for line in done.stderr.splitlines() if "seconds" not in line] == []
            assert "\x1b" not in done.stdout
