"""The program `aiomongo-tls`: `demo` shows a session by certificate, `serve` runs a test server, `doctor` finds faults.

Exit status: 0 if all went well, 1 if something failed (the reason is on stderr) or the doctor has found an error, 2 for
a wrong command line, 130 if Ctrl-C cut it short.
"""

from __future__ import annotations

import argparse
import asyncio
import math
import os
import platform
import re
import shlex
import signal
import ssl
import sys
import tempfile
import threading
from contextlib import ExitStack, contextmanager, suppress
from datetime import UTC, datetime, timedelta
from pathlib import Path
from time import perf_counter
from typing import TYPE_CHECKING, NoReturn, TextIO

from aiomongo_tls.client.client import AsyncClient
from aiomongo_tls.doctor.examination import TIMEOUT, diagnose
from aiomongo_tls.doctor.findings import Severity
from aiomongo_tls.doctor.report import as_json, as_text, wants_color
from aiomongo_tls.errors import MongoError, TLSError
from aiomongo_tls.version import __version__

if TYPE_CHECKING:
    from collections.abc import Callable, Generator, Sequence

    from aiomongo_tls.testing import Certificate, CertKit, MongoTestServer
    from aiomongo_tls.testing.commands.request import ConnectionState
    from aiomongo_tls.testing.deployment.deployment import Deployment

_LABEL = 16


def main(argv: Sequence[str] | None = None, out: TextIO | None = None) -> int:
    """Run the program.

    Args:
        argv: the command line without the program's name; that of the process if None.
        out: where to print; stdout if None.

    Returns:
        The exit status.
    """
    arguments = _parser().parse_args(argv)
    page = _Page(out or sys.stdout)
    try:
        return int(arguments.run(arguments, page))
    except (MongoError, ImportError, OSError, ValueError) as exc:
        sys.stderr.write(f"aiomongo-tls {arguments.command} failed: {exc}\n")
        return 1
    except KeyboardInterrupt:
        sys.stderr.write(f"aiomongo-tls {arguments.command} was interrupted\n")
        return 130


class _Parser(argparse.ArgumentParser):
    """Quotes what it does not understand, but no password: a URI may stand in any wrong place."""

    def error(self, message: str) -> NoReturn:
        super().error(re.sub(r"://.*@", "://<hidden>@", message, flags=re.DOTALL))


def _parser() -> argparse.ArgumentParser:
    parser = _Parser(
        prog="aiomongo-tls", description="An asyncio-native MongoDB client for people whose identity is a certificate."
    )
    parser.add_argument("--version", action="version", version=f"aiomongo-tls {__version__}")
    commands = parser.add_subparsers(dest="command", required=True, metavar="command")
    demo = commands.add_parser(
        "demo", help="show a session by certificate against an embedded server, in a few seconds"
    )
    demo.set_defaults(run=_demo)
    serve = commands.add_parser("serve", help="keep an embedded server running for any client, until Ctrl-C")
    kind = serve.add_mutually_exclusive_group()
    kind.add_argument(
        "--port", type=int, choices=range(65536), default=0, metavar="PORT", help="the port (default: a free one)"
    )
    kind.add_argument(
        "--replica-set", type=int, metavar="MEMBERS", help="serve a replica set, each member on a free port"
    )
    kind.add_argument("--mongos", type=int, metavar="COUNT", help="serve the mongos of a sharded cluster, likewise")
    serve.add_argument("--dir", type=Path, help="where to put the certificates (default: a private directory)")
    serve.add_argument(
        "--user",
        action="append",
        metavar="NAME",
        help="who may log in: a name, or a whole subject (CN=ada,O=Example); may be repeated (default: demo)",
    )
    serve.set_defaults(run=_serve)
    doctor = commands.add_parser(
        "doctor",
        help="find out what keeps a client from working: machine, options, files, DNS, TLS, login of every server",
        description="Looks at this machine, the URI, its files and every server of the deployment. Writes nothing.",
        epilog="Exit status: 0 without errors, 1 with, 2 for a wrong command line.",
    )
    _set_up_doctor(doctor)
    return parser


class _Page:
    """Text for a person: headings, and facts in two columns."""

    def __init__(self, out: TextIO) -> None:
        self._out = out

    @property
    def is_terminal(self) -> bool:
        return self._out.isatty()

    def line(self, text: str = "") -> None:
        self._out.write(f"{text}\n")
        # Somebody may be reading it through a pipe.
        self._out.flush()

    def heading(self, text: str) -> None:
        self.line(f"\n{text}")

    def fact(self, label: str, *values: object) -> None:
        for number, value in enumerate(values):
            self.line(f"  {'' if number else label:{_LABEL}}{value}")


# doctor


def _set_up_doctor(doctor: argparse.ArgumentParser) -> None:
    doctor.add_argument(
        "uri",
        nargs="?",
        metavar="URI",
        help="what a client is given: mongodb://..., mongodb+srv://..., or a host; - reads it from stdin, and without "
        "it MONGODB_URI counts, so that no password shows in the list of processes",
    )
    doctor.add_argument("--offline", action="store_true", help="stop after the files: ask no server")
    doctor.add_argument("--json", action="store_true", help="print JSON")
    doctor.add_argument(
        "--timeout", type=_seconds, default=TIMEOUT, metavar="SECONDS", help="for everything (default: %(default)g)"
    )
    doctor.add_argument(
        "--fail-on",
        choices=[Severity.ERROR.value, Severity.WARNING.value],
        default=Severity.ERROR.value,
        help="what makes the exit status 1 (default: %(default)s)",
    )
    doctor.set_defaults(run=_doctor, usage=doctor.error)


def _seconds(text: str) -> float:
    with suppress(ValueError):
        if 0 < (seconds := float(text)) < math.inf:
            return seconds
    raise argparse.ArgumentTypeError("has to be a number of seconds, more than 0")


def _doctor(arguments: argparse.Namespace, page: _Page) -> int:
    uri = arguments.uri if arguments.uri is not None else os.environ.get("MONGODB_URI", "")
    if uri == "-":
        uri = sys.stdin.readline()
    if not uri.strip():
        arguments.usage("no URI: give it as an argument, in MONGODB_URI, or - and on stdin")
    diagnosis = asyncio.run(diagnose(uri.strip(), offline=arguments.offline, timeout=arguments.timeout))
    if arguments.json:
        page.line(as_json(diagnosis))
    else:
        color = wants_color(is_terminal=page.is_terminal, environ=os.environ)
        page.line(as_text(diagnosis, color=color).rstrip("\n"))
    is_bad = diagnosis.errors or (arguments.fail_on == Severity.WARNING and diagnosis.warnings)
    return 1 if is_bad else 0


# demo


def _demo(_: argparse.Namespace, page: _Page) -> int:
    from aiomongo_tls.testing import CertKit, MongoTestServer

    page.line(f"aiomongo_tls {__version__}: a MongoDB session in which certificates say who is who")
    page.heading("This machine")
    page.fact("Python", f"{platform.python_version()} ({platform.python_implementation()})")
    page.fact("OpenSSL", f"{ssl.OPENSSL_VERSION}; SNI {'yes' if ssl.HAS_SNI else 'no'}")
    certs = CertKit()
    now = datetime.now(UTC)
    until = now + timedelta(days=30, minutes=1)
    ada = certs.client(subject="CN=ada,OU=demo,O=Example", not_before=now - timedelta(hours=1), not_after=until)
    with MongoTestServer(ca=certs, users=[ada]) as server:
        page.fact("server", f"{server.address}, embedded; demands a client certificate")
        return asyncio.run(_session(page, certs, server, ada))


async def _session(page: _Page, certs: CertKit, server: MongoTestServer, ada: Certificate) -> int:
    page.heading("1. Connect and log in by MONGODB-X509")
    began = perf_counter()
    async with AsyncClient.connect(server.uri(client=ada)) as client:
        elapsed = _milliseconds(began)
        connection = next(state for state in server.connections if state.user is not None)
        _show_login(page, server, ada, connection, elapsed)
        page.heading("2. Write and read")
        await _write_and_read(page, client)
    page.heading("3. A refusal, explained: the same server, but with a CA of ours that did not sign its certificate")
    return await _refusal(page, server.uri(client=ada, tlsCAFile=certs.stranger().ca_path))


def _milliseconds(began: float) -> str:
    return f"{(perf_counter() - began) * 1000:.0f} ms"


def _show_login(
    page: _Page, server: MongoTestServer, ada: Certificate, connection: ConnectionState, elapsed: str
) -> None:
    names = ", ".join(server.certificate.details.sans)
    trips = [command.name for command in server.commands if command.connection_id == connection.id]
    page.fact("done in", elapsed)
    if connection.tls is not None:
        page.fact("TLS", f"{connection.tls.version}, {connection.tls.cipher}")
    page.fact("server is", f"verified for {names}")
    page.fact("MongoDB user", f"{connection.user}  (the certificate's subject)")
    page.fact("certificate", f"valid for {ada.details.days_left(datetime.now(UTC)):.0f} more days")
    page.fact(
        "round trips", f"{len(trips)} after the TLS handshake ({', '.join(trips)}): hello and login are one question"
    )


async def _write_and_read(page: _Page, client: AsyncClient[dict[str, object]]) -> None:
    people = client["demo"]["people"]
    began = perf_counter()
    await people.insert_many(
        [
            {"_id": 1, "name": "Ada Lovelace", "born": 1815},
            {"_id": 2, "name": "Charles Babbage", "born": 1791},
            {"_id": 3, "name": "Mary Somerville", "born": 1780},
        ]
    )
    page.fact("inserted", f"{await people.count_documents({})} documents")
    found = [f"{person['born']}  {person['name']}" async for person in people.find().sort("born", 1)]
    page.fact("found", *found)
    changed = await people.update_one({"_id": 1}, {"$set": {"first": "programmer"}})
    page.fact("updated", f"{changed.modified_count} document: {await people.find_one({'_id': 1})}")
    page.fact("done in", f"{_milliseconds(began)}, five commands")


async def _refusal(page: _Page, uri: str) -> int:
    began = perf_counter()
    try:
        async with AsyncClient.connect(uri):
            pass
    except TLSError as error:
        page.fact("refused in", _milliseconds(began))
        page.fact("error", type(error).__name__)
        page.fact("reason", error.reason)
        page.fact("expected", error.expected)
        page.fact("presented", error.presented)
        page.fact("hint", error.hint)
        page.line("\nAll as it should be. `aiomongo-tls serve` keeps such a server running for your own client.")
        return 0
    sys.stderr.write("aiomongo-tls demo failed: a server with an unknown CA was not refused\n")
    return 1


# serve


def _serve(arguments: argparse.Namespace, page: _Page) -> int:
    from aiomongo_tls.testing import CertKit

    certs = CertKit()
    people = [_certificate(certs, name) for name in arguments.user or ["demo"]]
    with ExitStack() as stack:
        # First of all, so that from here on nothing ends without removing the keys.
        wait = stack.enter_context(_stopping())
        directory = stack.enter_context(_directory(arguments.dir))
        names = [f"client{number or ''}.pem" for number in range(len(people))]
        _refuse_to_overwrite(directory, ["ca.pem", *names])
        ca = certs.write_ca(directory, "ca.pem")
        stack.callback(ca.unlink, missing_ok=True)
        what, served = _servers(arguments, certs, people)
        stack.enter_context(served)
        page.line(f"MongoDB {what} on {_places(served)}: TLS, client certificates demanded, data in memory")
        page.line(f"Certificates and keys in {directory} (removed at the end)")
        for person, name in zip(people, names, strict=True):
            key = person.write(directory, name)
            stack.callback(key.unlink, missing_ok=True)
            _show_client(page, served, person, ca, key)
        page.line("\nStop with Ctrl-C.")
        wait()
    page.line("\nStopped; keys removed.")
    return 0


def _servers(
    arguments: argparse.Namespace, certs: CertKit, people: Sequence[Certificate]
) -> tuple[str, MongoTestServer | Deployment]:
    """What is to be served, not yet started, and what to call it."""
    from aiomongo_tls.testing import MongoTestServer, ReplicaSet, ShardedCluster

    if arguments.replica_set is not None:
        return "test replica set", ReplicaSet(arguments.replica_set, ca=certs, users=people)
    if arguments.mongos is not None:
        return "test cluster", ShardedCluster(arguments.mongos, ca=certs, users=people)
    return "test server", MongoTestServer(ca=certs, users=people, port=arguments.port)


def _places(served: MongoTestServer | Deployment) -> str:
    return ", ".join(map(str, served.addresses))


def _certificate(certs: CertKit, name: str) -> Certificate:
    return certs.client(subject=name) if "=" in name else certs.client(name)


@contextmanager
def _directory(wanted: Path | None) -> Generator[Path]:
    """The directory for keys: the user's, made if it is not there, or a private one. One that was made is removed."""
    if wanted is None:
        with tempfile.TemporaryDirectory(prefix="aiomongo-tls-") as private:
            yield Path(private)
        return
    made = not wanted.exists()
    wanted.mkdir(mode=0o700, parents=True, exist_ok=True)
    try:
        yield wanted.resolve()
    finally:
        # It stays if somebody has put something else into it.
        if made and not any(wanted.iterdir()):
            wanted.rmdir()


def _refuse_to_overwrite(directory: Path, names: Sequence[str]) -> None:
    """Somebody else's files would be overwritten now and removed at the end."""
    taken = [name for name in names if os.path.lexists(directory / name)]
    if taken:
        raise FileExistsError(f"{', '.join(taken)} already in {directory}; remove it, or choose another --dir")


def _show_client(page: _Page, served: MongoTestServer | Deployment, person: Certificate, ca: Path, key: Path) -> None:
    uri = served.uri(client=person, tlsCAFile=ca, tlsCertificateKeyFile=key)
    bare = served.uri(client=None, tls=None, tlsCAFile=None, authMechanism="MONGODB-X509")
    files = f"--tlsCAFile {shlex.quote(str(ca))} --tlsCertificateKeyFile {shlex.quote(str(key))}"
    page.heading(f"As {person.subject}")
    page.fact("aiomongo_tls", f"client = await aiomongo_tls.AsyncClient.connect({uri!r})")
    page.fact("PyMongo", f"client = pymongo.MongoClient({uri!r})")
    page.fact("mongosh", f"mongosh {shlex.quote(bare)} --tls {files}")


@contextmanager
def _stopping() -> Generator[Callable[[], None]]:
    """Take Ctrl-C and SIGTERM as the wish to end in order; gives a function that waits for one of them."""
    stop = threading.Event()

    def handler(_number: int, _frame: object) -> None:
        stop.set()

    def wait() -> None:
        # With a limit, because without one Windows would not let Ctrl-C through.
        while not stop.wait(1.0):
            pass

    previous = {number: signal.signal(number, handler) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield wait
    finally:
        for number, old in previous.items():
            signal.signal(number, old)
