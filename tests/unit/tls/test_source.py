"""Reading files and content, with errors that can be acted upon."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from aiomongo_tls.errors import ConfigurationError
from aiomongo_tls.tls.source import read_source, shown

PEM = "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n"


def test_a_path_is_read_whatever_its_type(tmp_path: Path) -> None:
    """A string and a Path."""
    path = tmp_path / "ca.pem"
    path.write_bytes(b"content")
    assert read_source(path, "tlsCAFile") == read_source(str(path), "tlsCAFile") == b"content"


def test_content_is_taken_as_it_is() -> None:
    """Bytes always, a string with PEM in it."""
    assert read_source(PEM, "tlsCAFile") == read_source(PEM.encode(), "tlsCAFile") == PEM.encode()
    assert read_source(b"\x30\x03abc", "tlsCAFile") == b"\x30\x03abc"


def test_content_is_never_shown() -> None:
    """It may be a key."""
    assert shown(PEM) == shown(PEM.encode()) == "the content given"
    assert shown("me.pem") == shown(Path("me.pem")) == "'me.pem'"


def test_base64_is_not_taken_for_a_path() -> None:
    """Kubernetes hands secrets out like that, and the operating system's errors would repeat a key."""
    with pytest.raises(ConfigurationError, match="tlsCAFile: the content given is base64; decode it") as caught:
        read_source("LS0tLS1CRUdJTiBQUklWQVRFIEtFWS0tLS0t" + "secret" * 50, "tlsCAFile")
    assert caught.value.__cause__ is caught.value.__context__ is None


def test_content_that_is_not_unicode_is_not_repeated_by_an_error() -> None:
    """The codec's own would carry all of it."""
    assert read_source(PEM + "\ud800", "tlsCAFile") == PEM.encode() + b"?"


def test_a_missing_file_says_where_it_was_looked_for(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """For a relative path that is half the answer."""
    monkeypatch.chdir(tmp_path)
    with pytest.raises(ConfigurationError, match=r"tlsCAFile: there is no file 'ca\.pem'") as caught:
        read_source("ca.pem", "tlsCAFile")
    assert str(tmp_path) in str(caught.value)
    assert isinstance(caught.value.__cause__, FileNotFoundError)


def test_a_directory_is_called_one(tmp_path: Path) -> None:
    """And what to do instead."""
    with pytest.raises(ConfigurationError, match="is a directory; name one file"):
        read_source(tmp_path, "tlsCAFile")


def test_a_file_in_a_file_cannot_be(tmp_path: Path) -> None:
    """Any other error of the operating system is passed on in its own words."""
    (tmp_path / "file").write_bytes(b"x")
    with pytest.raises(ConfigurationError, match=r"cannot be read: .*Not a directory"):
        read_source(tmp_path / "file" / "ca.pem", "tlsCAFile")
    with pytest.raises(ConfigurationError, match="cannot be read"):
        read_source("ca\0.pem", "tlsCAFile")
    with pytest.raises(ConfigurationError, match=r"cannot be read: .*File name too long"):
        read_source("ca.pem" * 1000, "tlsCAFile")


@pytest.mark.parametrize("content", [b"", b" \n"])
def test_an_empty_file_is_called_one(tmp_path: Path, content: bytes) -> None:
    """A volume that was not mounted, a command that failed."""
    path = tmp_path / "ca.pem"
    path.write_bytes(content)
    with pytest.raises(ConfigurationError, match=r"ca\.pem' is empty"):
        read_source(path, "tlsCAFile")


def test_an_endless_file_is_not_read_to_its_end() -> None:
    """The limit is far above any bundle."""
    with pytest.raises(ConfigurationError, match="larger than"):
        read_source("/dev/zero", "tlsCAFile")


def test_an_unreadable_file_names_user_and_mode(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """In a container these two are what is wrong."""
    path = tmp_path / "me.pem"
    path.write_bytes(b"x")
    path.chmod(0o640)

    def refuse(*_: object, **__: object) -> None:
        raise PermissionError(13, "Permission denied")

    # The tests may run as root, whom no mode keeps out.
    with monkeypatch.context() as patch:
        patch.setattr(Path, "open", refuse)
        with pytest.raises(ConfigurationError) as caught:
            read_source(path, "tlsCertificateKeyFile")
    assert str(caught.value) == (
        f"tlsCertificateKeyFile: '{path}' cannot be read by this process (uid {os.getuid()}): "
        f"it belongs to uid {os.getuid()} and has mode 0640; change one of them"
    )


def test_a_closed_directory_on_the_way_is_told_from_a_closed_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Then owner and mode of the file are not known."""

    def refuse(*_: object, **__: object) -> None:
        raise PermissionError(13, "Permission denied")

    # Nothing may ask for the file's status outside of the `try`: that is refused, too.
    with monkeypatch.context() as patch:
        patch.setattr(Path, "open", refuse)
        patch.setattr(Path, "stat", refuse)
        with pytest.raises(ConfigurationError, match="a directory on the way to it"):
            read_source(tmp_path / "me.pem", "tlsCertificateKeyFile")
