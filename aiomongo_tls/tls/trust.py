"""Whom to trust where no tlsCAFile says it: the operating system's store, or certifi's where that is empty.

`SSL_CERT_FILE` and `SSL_CERT_DIR` are OpenSSL's, which reads them itself. Whoever sets them means them: if nothing is
behind them, the answer is an error and not certifi's list, which would trust more than was asked for.
"""

from __future__ import annotations

import os
import re
import ssl
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from enum import Enum
from pathlib import Path

# OpenSSL finds a certificate in a directory under the hash of its subject.
_HASHED = re.compile(r"[0-9a-f]{8}\.\d+")


class Trust(Enum):
    """Where the certificates come from that a server's certificate has to lead to."""

    FILE = "file"
    SYSTEM = "system"
    CERTIFI = "certifi"
    CONTEXT = "context"
    NOBODY = "nobody"


@dataclass(frozen=True, slots=True)
class SystemStore:
    """Where OpenSSL looks for the operating system's certificates.

    Args:
        file: one file with certificates.
        directories: directories with a file for each certificate.
        variables: the environment variables that say so, with their values; empty without them.
    """

    file: Path
    directories: tuple[Path, ...]
    variables: tuple[str, ...]

    @classmethod
    def find(cls, environ: Mapping[str, str]) -> SystemStore:
        """The store of this machine and environment."""
        paths = ssl.get_default_verify_paths()
        file = environ.get(paths.openssl_cafile_env)
        directories = environ.get(paths.openssl_capath_env)
        return cls(
            file=Path(paths.openssl_cafile if file is None else file),
            directories=tuple(
                Path(directory)
                for directory in (paths.openssl_capath if directories is None else directories).split(os.pathsep)
                if directory
            ),
            variables=tuple(
                f"{name}={environ[name]}"
                for name in (paths.openssl_cafile_env, paths.openssl_capath_env)
                if name in environ
            ),
        )

    @property
    def is_empty(self) -> bool:
        """Whether no certificate can be found in it. Windows keeps its certificates elsewhere."""
        return sys.platform != "win32" and b"-----BEGIN " not in self.read_file() and not self.hashed_files()

    def read_file(self) -> bytes:
        """The content of the file, empty if it cannot be read, which OpenSSL does not mind either."""
        return _read(self.file)

    def hashed_files(self) -> tuple[Path, ...]:
        """The certificates in the directories, in a fixed order."""
        found: list[Path] = []
        for directory in self.directories:
            try:
                names = sorted(entry.name for entry in directory.iterdir())
            except OSError:
                continue
            found.extend(directory / name for name in names if _HASHED.fullmatch(name))
        return tuple(found)

    def content(self) -> list[bytes]:
        """Everything in the store, for a fingerprint."""
        return [self.read_file(), *map(_read, self.hashed_files())]


def _read(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except (OSError, ValueError):
        return b""
