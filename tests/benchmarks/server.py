"""The lean server's process, as the harness sees it."""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Any, Self
from urllib.parse import quote_plus

import trustme
from replies import SET_NAME

HERE = Path(__file__).parent


@dataclass(frozen=True)
class Files:
    """RSA certificates, as most authorities issue them."""

    ca: str
    server: str
    client: str
    subject: str

    @classmethod
    def write(cls, folder: Path) -> Files:
        """Issue them and write them into a folder."""
        ca = trustme.CA(key_type=trustme.KeyType.RSA)
        server = ca.issue_cert("localhost", "127.0.0.1", key_type=trustme.KeyType.RSA)
        client = ca.issue_cert("me@example.net", common_name="bench", key_type=trustme.KeyType.RSA)
        ca.cert_pem.write_to_path(folder / "ca.pem")
        server.private_key_and_cert_chain_pem.write_to_path(folder / "server.pem")
        client.private_key_and_cert_chain_pem.write_to_path(folder / "client.pem")
        paths = (str(folder / name) for name in ("ca.pem", "server.pem", "client.pem"))
        return cls(*paths, subject="CN=bench")


class Server:
    """A lean server in a process of its own, for as long as the `with` block lasts.

    Args:
        files: certificates, None for no TLS.
        members: how many ports it listens on.
        tickets: whether TLS sessions can be resumed.
        version: the only version of TLS, as `ssl.TLSVersion` names it; None for any.

    Attributes:
        hosts: the members, the primary first.
    """

    def __init__(
        self, files: Files | None = None, *, members: int = 1, tickets: bool = True, version: str | None = None
    ) -> None:
        self.files = files
        self.settings: dict[str, Any] = {
            "members": members,
            "tls": {"certificate": files.server, "ca": files.ca} if files else None,
            "tickets": tickets,
            "subject": files.subject if files else "",
            "version": version,
        }
        self.hosts: list[str] = []

    def __enter__(self) -> Self:
        self._process = subprocess.Popen(
            [sys.executable, str(HERE / "lean_server.py"), json.dumps(self.settings)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        self.hosts = self._answer()
        return self

    def __exit__(self, kind: type[BaseException] | None, exc: BaseException | None, tb: TracebackType | None) -> None:
        self._process.communicate()

    @property
    def pid(self) -> int:
        """Its process."""
        return self._process.pid

    def uri(self, **options: object) -> str:
        """How clients find it."""
        given: dict[str, object] = {"replicaSet": SET_NAME}
        if self.files is not None:
            given |= {
                "tls": "true",
                "tlsCAFile": self.files.ca,
                "tlsCertificateKeyFile": self.files.client,
                "authMechanism": "MONGODB-X509",
            }
        query = "&".join(f"{name}={quote_plus(str(value))}" for name, value in (given | options).items())
        return f"mongodb://{','.join(self.hosts)}/?{query}"

    def cpu(self) -> float:
        """Seconds of CPU time that it has used so far."""
        return float(self._ask("cpu"))

    def handshakes(self) -> tuple[int, int]:
        """TLS handshakes so far, and how many of them resumed a session."""
        made, resumed = self._ask("handshakes")
        return made, resumed

    def record(self, folder: Path | None) -> None:
        """Write what commands arrive into a folder; None ends it."""
        self._ask(f"record {folder or ''}".strip())

    def _ask(self, line: str) -> Any:
        assert self._process.stdin is not None
        self._process.stdin.write(line + "\n")
        self._process.stdin.flush()
        return self._answer()

    def _answer(self) -> Any:
        assert self._process.stdout is not None
        line = self._process.stdout.readline()
        if not line:
            raise RuntimeError(f"the lean server has ended with status {self._process.wait()}")
        return json.loads(line)


def temporary_folder() -> tempfile.TemporaryDirectory[str]:
    """A folder for certificates and recorded commands."""
    return tempfile.TemporaryDirectory(prefix="aiomongo_tls-bench-")
