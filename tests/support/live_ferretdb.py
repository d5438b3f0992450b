"""FerretDB with its SQLite backend: where it comes from, and how it is started.

    python tests/support/live_ferretdb.py       # says where it is; builds it first where it has to, which takes minutes

`FERRETDB_BIN` wins, then `ferretdb` on PATH, then what was built here before. `go install` is the documented way to
build it; a module proxy that does not list versions refuses it, and gives the module by its exact version all the same.
So the second way is a build from the module's source. There, FerretDB wants its version in a file: without one (the
releases generate it) the binary panics at its start, which is also why a binary has to tell its version here.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping, Sequence
from pathlib import Path

from live_process import LiveProcess, cache_directory
from live_server import LiveServer, ToolchainMissing, with_options

from aiomongo_tls.testing import Certificate, CertKit

VERSION = "1.24.2"
MODULE = "github.com/FerretDB/FerretDB"
VARIABLE = "FERRETDB_BIN"
# What `main()` returns where there is nothing to build it with.
MISSING = 77

_TICK = 10.0


class BuildFailed(Exception):
    """A step of building it failed; the text has the end of its output."""


def binary() -> Path:
    """The FerretDB to run, built if it has to be.

    Raises:
        ToolchainMissing: there is none, and no Go to build it with.
        BuildFailed: it could not be built, or what is named is none.
    """
    if named := os.environ.get(VARIABLE):
        if shutil.which(named) is None:
            raise BuildFailed(f"{VARIABLE}={named} is no program")
        return Path(named)
    # FerretDB 2 has no SQLite.
    if (found := shutil.which("ferretdb")) and "v1." in _told(Path(found)):
        return Path(found)
    built = cache_directory(f"ferretdb-{VERSION}") / "ferretdb"
    if not built.exists():
        if shutil.which("go") is None:
            raise ToolchainMissing(f"neither ferretdb nor go is on PATH, and {VARIABLE} is not set")
        _build(built)
    return built


def _build(target: Path) -> None:
    _tell(f"building FerretDB {VERSION} for {target}; this takes minutes, once")
    # In the same file system, so that the finished binary takes its place in one step.
    with tempfile.TemporaryDirectory(dir=target.parent) as name:
        place = Path(name)
        try:
            made = _install(place)
        except BuildFailed as error:
            _tell(f"go install does not work here ({_last_line(str(error))}); building the module's source")
            made = _build_source(place)
        made.replace(target)
    _tell(f"built {target}")


def _install(place: Path) -> Path:
    _run(["go", "install", "-v", f"{MODULE}/cmd/ferretdb@v{VERSION}"], place, GOBIN=str(place / "bin"))
    return _proven(place / "bin" / "ferretdb")


def _build_source(place: Path) -> Path:
    asking = place / "asking"
    asking.mkdir()
    (asking / "go.mod").write_text(f"module asking\n\nrequire {MODULE} v{VERSION}\n")
    _run(["go", "mod", "download", "-x", f"{MODULE}@v{VERSION}"], asking)
    found = subprocess.run(
        ["go", "list", "-m", "-f", "{{.Dir}}", MODULE], cwd=asking, capture_output=True, text=True, check=True
    )
    source = place / "source"
    # Without modes: the module cache is read-only.
    shutil.copytree(found.stdout.strip(), source, copy_function=shutil.copyfile)
    for directory in (source, *source.rglob("*/")):
        directory.chmod(0o755)
    (source / "build" / "version" / "version.txt").write_text(f"v{VERSION}\n")
    _run(["go", "build", "-v", "-trimpath", "-buildvcs=false", "-o", str(place / "ferretdb"), "./cmd/ferretdb"], source)
    return _proven(place / "ferretdb")


def _proven(made: Path) -> Path:
    """The binary, if it starts and is the wanted one."""
    if f"v{VERSION}" not in (told := _told(made)):
        raise BuildFailed(f"{made} --version says: {told[-500:]}")
    return made


def _told(program: Path) -> str:
    """What a FerretDB says of its version."""
    run = subprocess.run([str(program), "--version"], capture_output=True, text=True, check=False)
    return run.stdout or run.stderr


def _run(command: Sequence[str], directory: Path, **environment: str) -> None:
    """Run a step of the build and tell every few seconds how far it is."""
    began = told = time.monotonic()
    lines: list[str] = []
    _tell("  " + " ".join(command[:3]))
    with subprocess.Popen(
        command,
        cwd=directory,
        env={**os.environ, **environment},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    ) as process:
        assert process.stdout is not None
        for line in process.stdout:
            lines.append(line)
            if time.monotonic() - told > _TICK:
                told = time.monotonic()
                _tell(f"    {told - began:4.0f} s, step {len(lines)}: {line.strip()[:90]}")
    if process.returncode != 0:
        raise BuildFailed("".join(lines[-20:]))
    _tell(f"    {time.monotonic() - began:4.0f} s, done")


def _tell(text: str) -> None:
    print(text, file=sys.stderr, flush=True)


def _last_line(text: str) -> str:
    return text.strip().rpartition("\n")[2]


class FerretDB:
    """A FerretDB of our own, in a directory of its own.

    Args:
        kit: the authority of its certificate and of its clients'.
        replica_set: it is the only member of this replica set.
        user: a user in `admin`, without whom it does nothing.
        certificate: its own.
        demands_client_certificate: it accepts nobody without one.
    """

    def __init__(
        self,
        kit: CertKit,
        *,
        replica_set: str | None = None,
        user: tuple[str, str] | None = None,
        certificate: Certificate | None = None,
        demands_client_certificate: bool = True,
    ) -> None:
        self.kit: CertKit | None = kit
        self.demands_client_certificate = demands_client_certificate
        self.can_restart = True
        self.is_durable = True
        self._kit = kit
        self._user = user
        self._replica_set = replica_set
        self._program = binary()
        self.name = "FerretDB " + _told(self._program).partition("version: ")[2].partition("\n")[0]
        self._directory = tempfile.TemporaryDirectory(prefix="aiomongo_tls-ferretdb-")
        self._certificate = certificate or kit.server("localhost", "127.0.0.1")
        directory = Path(self._directory.name)
        (directory / "data").mkdir()
        (directory / "server.crt").write_bytes(self._certificate.certificate_chain_pem)
        (directory / "server.key").write_bytes(self._certificate.private_key_pem)
        try:
            # It has to answer without TLS, where no certificate stands in the way.
            self._process = LiveProcess(
                self._command,
                ports=2,
                uri=lambda ports: with_options(f"mongodb://{self._login}127.0.0.1:{ports[1]}/", {}),
                log=directory / "log",
            )
        except BaseException:
            self._directory.cleanup()
            raise

    @property
    def _login(self) -> str:
        return "" if self._user is None else ":".join(self._user) + "@"

    def _command(self, ports: Sequence[int]) -> list[str]:
        directory = self._directory.name
        flags: dict[str, str] = {
            "handler": "sqlite",
            "sqlite-url": f"file:{directory}/data/",
            "listen-tls": f"127.0.0.1:{ports[0]}",
            "listen-addr": f"127.0.0.1:{ports[1]}",
            "listen-tls-cert-file": f"{directory}/server.crt",
            "listen-tls-key-file": f"{directory}/server.key",
            "telemetry": "disable",
            "state-dir": "-",
            "debug-addr": "-",
            "log-level": "warn",
        }
        if self.demands_client_certificate:
            flags["listen-tls-ca-file"] = self._kit.ca_path
        if self._replica_set is not None:
            flags["repl-set-name"] = self._replica_set
        if self._user is not None:
            name, password = self._user
            flags |= {"setup-database": "admin", "setup-username": name, "setup-password": password}
        command = [str(self._program), *(f"--{name}={value}" for name, value in flags.items())]
        return command if self._user is None else [*command, "--test-enable-new-auth"]

    def uri(self, **options: object) -> str:
        """Of the listener with TLS."""
        defaults: dict[str, object] = {"tls": True, "tlsCAFile": self._kit.ca_path}
        if self.demands_client_certificate:
            defaults["tlsCertificateKeyFile"] = self._kit.client().path
        return self._address(0, defaults, options)

    def plain_uri(self, **options: object) -> str:
        """Of the listener without TLS."""
        return self._address(1, {}, options)

    def _address(self, listener: int, defaults: Mapping[str, object], options: Mapping[str, object]) -> str:
        address = f"mongodb://{self._login}127.0.0.1:{self._process.ports[listener]}/"
        return with_options(address, {**defaults, **options})

    def another(
        self,
        *,
        replica_set: str | None = None,
        user: tuple[str, str] | None = None,
        certificate: Certificate | None = None,
        demands_client_certificate: bool | None = None,
    ) -> LiveServer:
        """One more FerretDB."""
        demands = self.demands_client_certificate if demands_client_certificate is None else demands_client_certificate
        return FerretDB(
            self._kit,
            replica_set=replica_set,
            user=user,
            certificate=certificate,
            demands_client_certificate=demands,
        )

    def kill(self) -> None:
        """By SIGKILL."""
        self._process.kill()

    def restart(self) -> None:
        """With the same ports and data."""
        self._process.start()

    def close(self) -> None:
        """End it and remove its data."""
        self._process.kill()
        self._directory.cleanup()


def start() -> LiveServer:
    """A FerretDB with an authority of its own."""
    return FerretDB(CertKit())


def main() -> int:
    """Say where the binary is."""
    try:
        print(binary())
    except ToolchainMissing as error:
        print(f"NOT RUN: {error}")
        return MISSING
    except BuildFailed as error:
        print(f"no FerretDB {VERSION}: {error}")
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
