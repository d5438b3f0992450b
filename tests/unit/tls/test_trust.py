"""Where the operating system keeps its certificates."""

from __future__ import annotations

import os
import ssl
from pathlib import Path

import pytest

from aiomongo_tls.tls.trust import SystemStore

PEM = b"-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n"


def test_without_variables_it_is_openssls_own_place() -> None:
    """Whatever that is on this machine."""
    paths = ssl.get_default_verify_paths()
    store = SystemStore.find({"HOME": "/root"})
    assert store.file == Path(paths.openssl_cafile)
    assert store.directories == (Path(paths.openssl_capath),)
    assert store.variables == ()


def test_the_variables_say_where(tmp_path: Path) -> None:
    """Several directories, separated as in PATH."""
    both = f"{tmp_path}/a{os.pathsep}{tmp_path}/b"
    store = SystemStore.find({"SSL_CERT_FILE": f"{tmp_path}/ca.pem", "SSL_CERT_DIR": both})
    assert store.file == tmp_path / "ca.pem"
    assert store.directories == (tmp_path / "a", tmp_path / "b")
    assert store.variables == (f"SSL_CERT_FILE={tmp_path}/ca.pem", f"SSL_CERT_DIR={both}")


@pytest.mark.parametrize(
    ("file", "names", "empty"),
    [
        (None, (), True),
        (b"", (), True),
        (b"# nothing\n", ("README", "ca.pem"), True),
        (PEM, (), False),
        (None, ("5ed36f99.0",), False),
    ],
)
def test_it_is_empty_when_openssl_would_find_nothing(
    tmp_path: Path, file: bytes | None, names: tuple[str, ...], empty: bool
) -> None:
    """In a directory it looks for hashes of subjects only."""
    directory = tmp_path / "certs"
    directory.mkdir()
    for name in names:
        (directory / name).write_bytes(PEM)
    if file is not None:
        (tmp_path / "ca.pem").write_bytes(file)
    store = SystemStore.find({"SSL_CERT_FILE": str(tmp_path / "ca.pem"), "SSL_CERT_DIR": str(directory)})
    assert store.is_empty is empty


@pytest.mark.parametrize(
    ("variables", "dangling"),
    [
        ({}, False),
        ({"SSL_CERT_FILE": "nothing"}, True),
        ({"SSL_CERT_DIR": "nothing"}, True),
        ({"SSL_CERT_FILE": "nothing", "SSL_CERT_DIR": "nothing"}, True),
        ({"SSL_CERT_FILE": "ca.pem"}, False),
        ({"SSL_CERT_DIR": "certs"}, False),
        ({"SSL_CERT_FILE": "ca.pem", "SSL_CERT_DIR": "nothing"}, False),
        ({"SSL_CERT_FILE": "nothing", "SSL_CERT_DIR": "certs"}, False),
    ],
)
def test_variables_dangle_when_none_of_them_leads_anywhere(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, variables: dict[str, str], dangling: bool
) -> None:
    """The half of the store that no variable speaks of does not count, however full it is."""
    (tmp_path / "certs").mkdir()
    (tmp_path / "certs" / "5ed36f99.0").write_bytes(PEM)
    (tmp_path / "ca.pem").write_bytes(PEM)
    paths = ssl.get_default_verify_paths()._replace(
        openssl_cafile=str(tmp_path / "ca.pem"), openssl_capath=str(tmp_path / "certs")
    )
    monkeypatch.setattr(ssl, "get_default_verify_paths", lambda: paths)
    store = SystemStore.find({name: str(tmp_path / value) for name, value in variables.items()})
    assert store.is_dangling is dangling
    assert not store.is_empty or dangling


def test_its_content_is_everything_in_a_fixed_order(tmp_path: Path) -> None:
    """The order of a directory means nothing; a file that went away meanwhile is empty."""
    for name in ("bbbbbbbb.0", "aaaaaaaa.1", "aaaaaaaa.0", "README"):
        (tmp_path / name).write_bytes(name.encode())
    (tmp_path / "cccccccc.0").symlink_to("/nonexistent")
    store = SystemStore.find({"SSL_CERT_FILE": "/nonexistent", "SSL_CERT_DIR": f"/nonexistent{os.pathsep}{tmp_path}"})
    assert store.content() == [b"", b"aaaaaaaa.0", b"aaaaaaaa.1", b"bbbbbbbb.0", b""]
