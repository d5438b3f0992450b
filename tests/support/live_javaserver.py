"""mongo-java-server (Netty, and Java's TLS): where it comes from, and how it is started.

    python tests/support/live_javaserver.py     # says where it is; downloads and compiles first where it has to

It is a library: tests/interop/javaserver/JavaServer.java is its program, and the jars that it needs stand in jars.txt
there, with checksums. Maven brings them where it is installed (it knows the mirrors of a closed network); without it,
or where it fails, they come from Maven Central over HTTPS. Jars and compiled class are kept under `~/.cache`.

It knows no replica sets, no users and no client certificates, and of hello only the legacy name.
"""

from __future__ import annotations

import hashlib
import os
import re
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import NamedTuple, NoReturn
from urllib.request import urlopen

import pymongo
from live_process import LiveProcess, cache_directory
from live_server import LiveServer, ToolchainMissing, Unsupported, with_options
from pymongo.errors import OperationFailure

from aiomongo_tls.testing import Certificate, CertKit

SOURCE = Path(__file__).parents[1] / "interop" / "javaserver" / "JavaServer.java"
VERSION = "1.47.0"
MINIMUM_JAVA = 17
"""The oldest Java that the jars are compiled for."""
# What `main()` returns where there is no Java.
MISSING = 77

_CENTRAL = "https://repo1.maven.org/maven2"
_DOWNLOAD_SECONDS = 60.0
_MAVEN_SECONDS = 300.0
_PAUSE = 0.02


class BuildFailed(Exception):
    """The server's program could not be made; the text has the end of what went wrong."""


class Jar(NamedTuple):
    """One line of jars.txt."""

    sha256: str
    group: str
    artifact: str
    version: str

    @property
    def name(self) -> str:
        """Its file name, the same in every repository."""
        return f"{self.artifact}-{self.version}.jar"

    @property
    def url(self) -> str:
        """Where Maven Central has it."""
        return f"{_CENTRAL}/{self.group.replace('.', '/')}/{self.artifact}/{self.version}/{self.name}"


def jars() -> list[Jar]:
    """The jars that the server needs."""
    lines = SOURCE.with_name("jars.txt").read_text().splitlines()
    return [Jar(digest, *coordinates.split(":")) for digest, coordinates in map(str.split, lines)]


def class_path() -> str:
    """What `java -cp` needs to run the class JavaServer; downloaded and compiled if it has to be.

    Raises:
        ToolchainMissing: there is no Java compiler, or too old a one.
        BuildFailed: something could not be downloaded or compiled.
    """
    compiler = tool("javac")
    told = subprocess.run([compiler, "-version"], capture_output=True, text=True, check=False)
    found = re.search(r"javac (\d+)", told.stdout + told.stderr)
    if found is None or int(found[1]) < MINIMUM_JAVA:
        what = (told.stdout + told.stderr).strip()
        raise ToolchainMissing(f"Java {MINIMUM_JAVA} or newer is needed, {compiler} -version says: {what}")
    directory = cache_directory(f"mongo-java-server-{VERSION}")
    needed = jars()
    if any(not _is_whole(directory / jar.name, jar) for jar in needed):
        _fetch(directory, needed)
    # Another source, another class: nobody runs yesterday's.
    classes = directory / f"classes-{hashlib.sha256(SOURCE.read_bytes()).hexdigest()[:12]}"
    libraries = os.pathsep.join(str(directory / jar.name) for jar in needed)
    if not (classes / "JavaServer.class").exists():
        _compile(compiler, libraries, classes)
    return f"{classes}{os.pathsep}{libraries}"


def tool(name: str) -> str:
    """A program of the JDK: of JAVA_HOME, else on PATH.

    Raises:
        ToolchainMissing: it is not there.
    """
    home = os.environ.get("JAVA_HOME")
    found = (home and shutil.which(name, path=str(Path(home) / "bin"))) or shutil.which(name)
    if found is None:
        raise ToolchainMissing(f"{name} is not on PATH: a JDK, version {MINIMUM_JAVA} or newer, is needed")
    return found


def _is_whole(file: Path, jar: Jar) -> bool:
    return file.exists() and hashlib.sha256(file.read_bytes()).hexdigest() == jar.sha256


def _fetch(directory: Path, needed: Sequence[Jar]) -> None:
    _tell(f"downloading mongo-java-server {VERSION} to {directory}")
    # In the same file system, so that each jar takes its place in one step.
    with tempfile.TemporaryDirectory(dir=directory) as name:
        place = Path(name)
        if maven := shutil.which("mvn"):
            _ask_maven(maven, place)
        for jar in needed:
            file = place / jar.name
            if not file.exists():
                _download(jar, file)
            if not _is_whole(file, jar):
                raise BuildFailed(f"{jar.name} is not the file that jars.txt has the checksum of")
            file.replace(directory / jar.name)


def _ask_maven(maven: str, place: Path) -> None:
    """Maven's failure is not the end: what it did not bring is downloaded."""
    pom = SOURCE.with_name("pom.xml")
    command = [maven, "--batch-mode", "--quiet", f"--file={pom}", "dependency:copy-dependencies"]
    command += ["-DincludeScope=runtime", f"-DoutputDirectory={place}"]
    try:
        ended = subprocess.run(command, capture_output=True, text=True, check=False, timeout=_MAVEN_SECONDS)
    except subprocess.TimeoutExpired:
        _tell(f"mvn was not done after {_MAVEN_SECONDS:g} s")
    else:
        if ended.returncode != 0:
            _tell(f"mvn failed: {(ended.stdout + ended.stderr).strip()[:300]}")


def _download(jar: Jar, file: Path) -> None:
    _tell(f"  {jar.url}")
    try:
        with urlopen(jar.url, timeout=_DOWNLOAD_SECONDS) as answer:
            file.write_bytes(answer.read())
    except OSError as error:
        raise BuildFailed(f"{jar.url}: {error}") from error


def _compile(compiler: str, libraries: str, classes: Path) -> None:
    with tempfile.TemporaryDirectory(dir=classes.parent) as name:
        target = Path(name) / "classes"
        ended = subprocess.run(
            [compiler, "--release", str(MINIMUM_JAVA), "-cp", libraries, "-d", str(target), str(SOURCE)],
            capture_output=True,
            text=True,
            check=False,
        )
        if ended.returncode != 0:
            raise BuildFailed(f"{SOURCE.name} does not compile:\n{ended.stderr[-2000:]}")
        classes.mkdir(exist_ok=True)
        for file in target.iterdir():
            if file.name != "JavaServer.class":
                file.replace(classes / file.name)
        # Last: where it is, everything is.
        (target / "JavaServer.class").replace(classes / "JavaServer.class")


def _tell(text: str) -> None:
    print(text, file=sys.stderr, flush=True)


class JavaServer:
    """A mongo-java-server of our own.

    Args:
        kit: the authority of its certificate.
        certificate: its own.
        is_durable: its data is in a file (H2's store), else in memory.
        java_options: further options of `java`.
        security: security properties of Java, which win over those of its installation.
    """

    def __init__(
        self,
        kit: CertKit,
        *,
        certificate: Certificate | None = None,
        is_durable: bool = True,
        java_options: Sequence[str] = (),
        security: Mapping[str, str] | None = None,
    ) -> None:
        self.name = f"mongo-java-server {VERSION}"
        self.kit: CertKit | None = kit
        self.demands_client_certificate = False
        self.can_restart = True
        self.is_durable = is_durable
        self._kit = kit
        self._java_options = java_options
        self._program = [tool("java"), "-cp", class_path()]
        self._directory = tempfile.TemporaryDirectory(prefix="aiomongo_tls-javaserver-")
        directory = Path(self._directory.name)
        self._certificate = (certificate or kit.server("localhost", "127.0.0.1")).write(directory)
        lines = [f"{name}={value}\n" for name, value in (security or {}).items()]
        (directory / "security").write_text("".join(lines))
        self.log = directory / "log"
        try:
            self._process = LiveProcess(
                self._command, ports=2, uri=lambda ports: f"mongodb://127.0.0.1:{ports[1]}/", log=self.log
            )
        except BaseException:
            self._directory.cleanup()
            raise

    def _command(self, ports: Sequence[int]) -> list[str]:
        # Many short lives and two ports: what starts fast is better than what is fastest after minutes.
        machine = ["-XX:TieredStopAtLevel=1", "-XX:+UseSerialGC", "-Xmx2g"]
        machine.append("-Dorg.slf4j.simpleLogger.defaultLogLevel=warn")
        machine.append(f"-Djava.security.properties={self._directory.name}/security")
        machine.extend(self._java_options)
        java, *class_path_option = self._program
        data = [str(Path(self._directory.name) / "data")] if self.is_durable else []
        return [java, *machine, *class_path_option, "JavaServer", str(self._certificate), *map(str, ports), *data]

    def uri(self, **options: object) -> str:
        """Of the port with TLS."""
        return self._address(0, {"tls": True, "tlsCAFile": self._kit.ca_path}, options)

    def plain_uri(self, **options: object) -> str:
        """Of the port without TLS."""
        return self._address(1, {}, options)

    def _address(self, port: int, defaults: Mapping[str, object], options: Mapping[str, object]) -> str:
        return with_options(f"mongodb://127.0.0.1:{self._process.ports[port]}/", {**defaults, **options})

    def another(
        self,
        *,
        replica_set: str | None = None,
        user: tuple[str, str] | None = None,
        certificate: Certificate | None = None,
        demands_client_certificate: bool | None = None,
    ) -> LiveServer:
        """One more, whose data is in a file: it may be killed and started again."""
        if replica_set is not None:
            self._refuse("replSetGetStatus")
        if user is not None:
            self._refuse("createUser")
        if demands_client_certificate:
            raise Unsupported(
                f"{self.name} asks no client for a certificate (MongoServer.enableSsl takes none to trust)"
            )
        return JavaServer(self._kit, certificate=certificate)

    def _refuse(self, command: str) -> NoReturn:
        """Say it in the server's own words."""
        with pymongo.MongoClient[dict[str, object]](self.uri()) as client:
            try:
                client.admin.command(command)
            except OperationFailure as refusal:
                raise Unsupported(f"{self.name}: {(refusal.details or {}).get('errmsg')}") from refusal
        raise AssertionError(f"{self.name} knows {command} after all")

    def says(self, words: str, seconds: float = 10) -> None:
        """Wait until words are in its log.

        Raises:
            TimeoutError: they are not.
        """
        end = time.monotonic() + seconds
        while words not in self.log.read_text(errors="replace"):
            if time.monotonic() > end:
                raise TimeoutError(f"the log of {self.name} does not say {words!r}")
            time.sleep(_PAUSE)

    def kill(self) -> None:
        """By SIGKILL."""
        self._process.kill()

    def restart(self) -> None:
        """With the same ports, and the same data if it is durable."""
        self._process.start()

    def close(self) -> None:
        """End it and remove its data."""
        self._process.kill()
        self._directory.cleanup()


def start() -> LiveServer:
    """A mongo-java-server with an authority of its own, and its data in memory: that is ten times as fast."""
    return JavaServer(CertKit(), is_durable=False)


def main() -> int:
    """Say where it is, and how long that took."""
    began = time.monotonic()
    try:
        tool("java")
        print(class_path().partition(os.pathsep)[0], f"({time.monotonic() - began:.1f} s)")
    except ToolchainMissing as error:
        print(f"NOT RUN: {error}")
        return MISSING
    except BuildFailed as error:
        print(f"mongo-java-server {VERSION} could not be made: {error}")
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
