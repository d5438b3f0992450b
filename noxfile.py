"""Every check of the project by name: `nox -s tests lint types demo spec bench`."""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path

import nox

nox.options.default_venv_backend = "venv"
nox.options.reuse_existing_virtualenvs = True
nox.options.sessions = ["tests", "lint", "types"]

# A missing interpreter is skipped, also where CI is set.
nox.options.error_on_missing_interpreters = False

PYTHONS = ["3.11", "3.12", "3.13", "3.14", "3.15"]

if shutil.which("pyenv"):
    # pyenv's shims only run the versions that are switched on; switch on all that are installed.
    listing = subprocess.run(["pyenv", "versions", "--bare"], capture_output=True, text=True, check=True)
    wanted = [v for v in listing.stdout.split() if v.rpartition(".")[0] in PYTHONS]
    os.environ["PYENV_VERSION"] = ":".join(sorted(wanted, key=lambda v: PYTHONS.index(v.rpartition(".")[0])))


def install(session: nox.Session, *groups: str) -> None:
    """Put the project (editable) and dependency groups into the session's environment."""
    session.install("--upgrade", "pip>=25.1")
    session.install("--editable", ".", *(f"--group={group}" for group in groups))


@nox.session(python=PYTHONS)
def tests(session: nox.Session) -> None:
    """The whole test suite on every Python that is present; a missing one is skipped, in CI too."""
    install(session, "test")
    session.run("python", "-X", "dev", "-m", "pytest", *session.posargs)


@nox.session
def spec(session: nox.Session) -> None:
    """The official specification suites alone."""
    install(session, "test")
    session.run("python", "-m", "pytest", "tests/spec", *session.posargs)


@nox.session
def lint(session: nox.Session) -> None:
    """Style and formatting."""
    install(session, "lint")
    session.run("ruff", "check", ".")
    session.run("ruff", "format", "--check", ".")


@nox.session
def types(session: nox.Session) -> None:
    """Mypy strict and pyright strict over the package and the user code of tests/typing."""
    install(session, "types")
    session.run("mypy", "aiomongo_tls", "tests/typing", "noxfile.py")
    session.run("pyright")


@nox.session
def demo(session: nox.Session) -> None:
    """What a new user sees first."""
    session.install("--editable", ".[testing]")
    session.run("aiomongo-tls", "demo")


@nox.session
def bench(session: nox.Session) -> None:
    """Client CPU beside PyMongo Async and bare asyncio: less than a quarter of an hour, with `-- --quick` a minute."""
    install(session, "bench")
    session.install("--upgrade", "pymongo", "uvloop")
    session.run("python", "tests/benchmarks/run.py", *session.posargs)


@nox.session
def nodeclient(session: nox.Session) -> None:
    """The official Node.js driver against the embedded server; npm installs it into the user's cache."""
    place = session.run("python", "tests/interop/nodeclient/install.py", silent=True, success_codes=[0, 77])
    folder = str(place).strip().splitlines()[-1]
    if not Path(folder).is_dir():
        session.skip(f"NOT RUN: {folder}")
    install(session, "test")
    env = {"AIOMONGO_TLS_TEST_NODE": folder}
    if not session.posargs:
        env["AIOMONGO_TLS_TEST_MINIMUM"] = "60"
    session.run("python", "-X", "dev", "-m", "pytest", "tests/interop/nodeclient", *session.posargs, env=env)


@nox.session
def javaserver(session: nox.Session) -> None:
    """The live suite against mongo-java-server (Netty, and Java's TLS), and what only that server can show."""
    install(session, "test")
    # Its progress, on stderr, is to be seen: jars may have to be downloaded.
    told = session.run("python", "tests/support/live_javaserver.py", silent=True, stderr=None, success_codes=[0, 77])
    *_, last = str(told).strip().splitlines()
    if last.startswith("NOT RUN"):
        session.skip(last)
    env = {"AIOMONGO_TLS_TEST_SERVER": "javaserver"}
    if not session.posargs:
        env["AIOMONGO_TLS_TEST_MINIMUM"] = "60"
    folders = ["tests/interop/live", "tests/interop/javaserver"]
    session.run("python", "-X", "dev", "-m", "pytest", *folders, *session.posargs, env=env)


@nox.session
def ferretdb(session: nox.Session) -> None:
    """The live suite against FerretDB with SQLite (and Go's TLS), which is built where it is not there yet."""
    install(session, "test")
    # Its progress, on stderr, is to be seen: a build takes minutes.
    told = session.run("python", "tests/support/live_ferretdb.py", silent=True, stderr=None, success_codes=[0, 77])
    *_, last = str(told).strip().splitlines()
    if last.startswith("NOT RUN"):
        session.skip(last)
    env = {"AIOMONGO_TLS_TEST_SERVER": "ferretdb", "FERRETDB_BIN": last}
    if not session.posargs:
        env["AIOMONGO_TLS_TEST_MINIMUM"] = "60"
    session.run("python", "-X", "dev", "-m", "pytest", "tests/interop/live", *session.posargs, env=env)
