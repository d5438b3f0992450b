"""Whom to trust where no tlsCAFile says it: the operating system's store, or certifi's where that is empty.

`SSL_CERT_FILE` and `SSL_CERT_DIR` are OpenSSL's, which reads them itself. Each replaces one half of the system's store
and leaves the other in use. Whoever sets them means them: if nothing is behind any of those that are set, the answer is
an error and not the other half or certifi's list, which would trust more than was asked for.
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
    PKCS12 = "pkcs12"
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
        file_variable: the environment variable that says so of the file, with its value; empty without one.
        directories_variable: the one that says so of the directories.
    """

    file: Path
    directories: tuple[Path, ...]
    file_variable: str
    directories_variable: str

    @classmethod
    def find(cls, environ: Mapping[str, str]) -> SystemStore:
        """The store of this machine and environment."""
        paths = ssl.get_default_verify_paths()
        file, file_variable = _place(environ, paths.openssl_cafile_env, paths.openssl_cafile)
        directories, directories_variable = _place(environ, paths.openssl_capath_env, paths.openssl_capath)
        return cls(
            file=Path(file),
            directories=tuple(Path(directory) for directory in directories.split(os.pathsep) if directory),
            file_variable=file_variable,
            directories_variable=directories_variable,
        )

    @property
    def variables(self) -> tuple[str, ...]:
        """The environment variables that say where the store is, with their values."""
        return tuple(filter(None, (self.file_variable, self.directories_variable)))

    @property
    def is_dangling(self) -> bool:
        """Whether environment variables are set and none of them leads to a certificate."""
        leads = (self.file_variable and self._has_file) or (self.directories_variable and self.hashed_files())
        return bool(self.variables) and not leads

    @property
    def is_empty(self) -> bool:
        """Whether no certificate can be found in it. Windows keeps its certificates elsewhere."""
        return sys.platform != "win32" and not self._has_file and not self.hashed_files()

    @property
    def _has_file(self) -> bool:
        return b"-----BEGIN " in self.read_file()

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


def _place(environ: Mapping[str, str], name: str, default: str) -> tuple[str, str]:
    """A path, and the variable that it is from as `name=value`, if it is."""
    return (environ[name], f"{name}={environ[name]}") if name in environ else (default, "")


def _read(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except (OSError, ValueError):
        return b""
