"""A file for OpenSSL that nobody else can read."""

from __future__ import annotations

import os
import stat
import subprocess
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
        assert stat.S_IMODE(Path(path).stat().st_mode) == 0o600
        descriptor = int(Path(path).name)
        assert not os.get_inheritable(descriptor)


@pytest.mark.skipif(sys.platform != "linux", reason="memfd is Linux's")
def test_loading_a_key_from_memory_opens_no_file_for_writing() -> None:
    """Neither a PEM key nor one from PKCS#12 is written anywhere: a process that audits itself sees it."""
    done = subprocess.run([sys.executable, "-c", WATCHED], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert done.stdout.split() == ["loaded", "loaded"]


WATCHED = """if True:
    import os, sys, tempfile
    from cryptography.hazmat.primitives import serialization as s
    from cryptography.hazmat.primitives.serialization import pkcs12
    from cryptography import x509
    from aiomongo_tls.core.options.tls_options import TLSOptions
    from aiomongo_tls.testing.certs import CertKit
    from aiomongo_tls.tls.context import shared_context

    kit = CertKit()
    ada = kit.client("ada")
    key = s.load_pem_private_key(ada.private_key_pem, None)
    leaf = x509.load_pem_x509_certificate(ada.certificate_chain_pem)
    packed = pkcs12.serialize_key_and_certificates(b"ada", key, leaf, None, s.NoEncryption())

    def watch(event, arguments):
        if event == "open":
            path, mode, flags = arguments
            writes = flags & (os.O_WRONLY | os.O_RDWR | os.O_CREAT)
            if writes and isinstance(path, str):
                sys.exit(f"wrote {path}")
        if event.startswith("tempfile."):
            sys.exit(event)

    sys.addaudithook(watch)
    for source in (ada.pem, packed):
        shared_context(TLSOptions(enabled=True, ca_file=kit.ca_pem, certificate_key_file=source))
        print("loaded")
"""


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
