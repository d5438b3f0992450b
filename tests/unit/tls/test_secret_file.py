"""A file for OpenSSL that nobody else can read."""

from __future__ import annotations

import os
import stat
import sys
from pathlib import Path

import pytest

from aiomongo_tls.tls import secret_file as module
from aiomongo_tls.tls.secret_file import secret_file

LARGE = bytes(range(256)) * 1000


def test_the_content_can_be_read_until_the_end() -> None:
    """And not afterwards."""
    with secret_file(LARGE) as path:
        assert Path(path).read_bytes() == LARGE
    assert not Path(path).exists()


@pytest.mark.skipif(sys.platform != "linux", reason="memfd is Linux's")
def test_on_linux_it_never_touches_a_disk() -> None:
    """The path leads into this process's memory."""
    with secret_file(b"secret") as path:
        assert path.startswith("/proc/self/fd/")
        assert "memfd" in str(Path(path).readlink())


@pytest.mark.parametrize("why", ["no memfd", "not allowed", "no /proc"])
def test_elsewhere_it_is_a_private_file_that_is_gone_afterwards(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, why: str
) -> None:
    """Mode 0600 in a directory of mode 0700, whatever the umask; no descriptor is left open."""
    if why == "no memfd":
        monkeypatch.delattr(os, "memfd_create", raising=False)
    elif why == "not allowed":
        monkeypatch.setattr(os, "memfd_create", _refuse, raising=False)
    else:
        monkeypatch.setattr(module, "_IN_PROC", str(tmp_path / "{}"))
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    before = open_descriptors()
    previous = os.umask(0)
    try:
        with secret_file(b"secret") as name:
            path = Path(name)
            assert path.read_bytes() == b"secret"
            assert stat.S_IMODE(path.stat().st_mode) == 0o600
            assert stat.S_IMODE(path.parent.stat().st_mode) == 0o700
    finally:
        os.umask(previous)
    assert list(tmp_path.iterdir()) == []
    assert open_descriptors() == before


def open_descriptors() -> int:
    return sum(1 for _ in Path("/dev/fd").iterdir())


def _refuse(*_: object) -> int:
    raise PermissionError(1, "Operation not permitted")


def test_it_is_gone_after_an_error_too() -> None:
    """OpenSSL refused it."""
    with pytest.raises(RuntimeError), secret_file(b"secret") as path:
        raise RuntimeError
    assert not Path(path).exists()
