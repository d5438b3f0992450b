"""A file for OpenSSL that nobody else can read.

Python's `ssl` takes a client key and a revocation list from a path only (cpython#60691). On Linux the content goes
into memory that has a path (memfd); elsewhere, or where there is no /proc, into a file of mode 0600 in a directory of
mode 0700 that exists for the time of the call only.
"""

from __future__ import annotations

import os
import tempfile
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path

_IN_PROC = "/proc/self/fd/{}"


@contextmanager
def secret_file(content: bytes) -> Generator[str, None, None]:
    """The path of a file with `content`, until the context ends."""
    descriptor = _memory_file()
    if descriptor is not None:
        with os.fdopen(descriptor, "wb") as file:
            file.write(content)
            file.flush()
            yield _IN_PROC.format(descriptor)
        return
    # TemporaryDirectory is made with mode 0700.
    with tempfile.TemporaryDirectory(prefix="aiomongo-tls-") as directory:
        path = Path(directory, "content.pem")
        with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as file:
            file.write(content)
        yield str(path)


def _memory_file() -> int | None:
    if not hasattr(os, "memfd_create"):
        return None
    try:
        descriptor = os.memfd_create("aiomongo-tls", os.MFD_CLOEXEC)
    except OSError:
        # An old kernel, or a sandbox that does not allow it.
        return None
    # Made with mode 0777. Only this user and root get to it through /proc, but nobody should have to know that.
    os.fchmod(descriptor, 0o600)
    if not Path(_IN_PROC.format(descriptor)).exists():
        os.close(descriptor)
        return None
    return descriptor
