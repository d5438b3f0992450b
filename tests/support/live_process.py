"""The process behind a live server: started on ports of its own, until it answers; killed, and started again there."""

from __future__ import annotations

import contextlib
import os
import random
import signal
import socket
import subprocess
import time
from collections.abc import Callable, Sequence
from pathlib import Path

import pymongo
from pymongo.errors import ConfigurationError, PyMongoError

STARTS = 5
STARTING_SECONDS = 60.0
_PAUSE = 0.02


class DidNotStart(Exception):
    """The process ended, or did not answer in time; the text has the end of its log."""


class LiveProcess:
    """A server's process.

    Args:
        command: the command line, given the ports.
        ports: how many it needs.
        uri: what it has to answer at, given the ports.
        log: the file that its output is appended to.

    Attributes:
        ports: where it listens, the same ones from the first start on.
    """

    def __init__(
        self,
        command: Callable[[Sequence[int]], Sequence[str]],
        *,
        ports: int,
        uri: Callable[[Sequence[int]], str],
        log: Path,
    ) -> None:
        self._command = command
        self._uri = uri
        self._log = log
        self._process: subprocess.Popen[bytes] | None = None
        for attempt in range(STARTS):
            self.ports = free_ports(ports)
            try:
                self.start()
            except DidNotStart as error:
                # Between looking for ports and listening there, somebody else may have taken one.
                if "address already in use" not in str(error).lower() or attempt == STARTS - 1:
                    raise
            else:
                return

    def start(self) -> None:
        """Start it; returns when it answers.

        Raises:
            DidNotStart: it does not.
        """
        with self._log.open("ab") as output:
            process = subprocess.Popen(
                list(self._command(self.ports)), stdin=subprocess.DEVNULL, stdout=output, stderr=output
            )
        self._process = process
        end = time.monotonic() + STARTING_SECONDS
        while not self._listens():
            if process.poll() is not None:
                raise DidNotStart(f"it ended with status {process.returncode}: {self._last_words()}")
            if time.monotonic() > end:
                self.kill()
                raise DidNotStart(f"nothing listens after {STARTING_SECONDS:g} s: {self._last_words()}")
            time.sleep(_PAUSE)
        try:
            with pymongo.MongoClient[dict[str, object]](
                self._uri(self.ports), directConnection=True, serverSelectionTimeoutMS=STARTING_SECONDS * 1000
            ) as client:
                client.admin.command("ping")
        except ConfigurationError:
            # It has answered: its hello is of another age.
            pass
        except PyMongoError as error:
            self.kill()
            raise DidNotStart(f"no answer ({error}): {self._last_words()}") from error

    def kill(self) -> None:
        """End it by SIGKILL, and wait until it has ended. Nothing happens if it has."""
        if self._process is not None:
            with contextlib.suppress(ProcessLookupError):
                self._process.send_signal(signal.SIGKILL)
            self._process.wait()
            self._process = None

    def _listens(self) -> bool:
        for port in self.ports:
            try:
                socket.create_connection(("127.0.0.1", port), timeout=1).close()
            except OSError:
                return False
        return True

    def _last_words(self) -> str:
        return self._log.read_text(errors="replace")[-2000:]


def free_ports(count: int) -> list[int]:
    """Ports of 127.0.0.1 on which nobody listens.

    They are chosen by chance from below those that the system gives to outgoing connections, so that only another
    server can take them between now and their use, or while a killed server is not there.

    Args:
        count: how many.
    """
    found: dict[int, socket.socket] = {}
    with contextlib.ExitStack() as stack:
        while len(found) < count:
            port = random.SystemRandom().randrange(15_000, 32_000)
            candidate = stack.enter_context(socket.socket())
            with contextlib.suppress(OSError):
                candidate.bind(("127.0.0.1", port))
                found.setdefault(port, candidate)
    return list(found)


def cache_directory(name: str) -> Path:
    """Where something that was downloaded or built is kept, under XDG_CACHE_HOME or `~/.cache`.

    Args:
        name: what it is, with its version.
    """
    base = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    directory = Path(base) / "aiomongo-tls" / name
    directory.mkdir(parents=True, exist_ok=True)
    return directory
