"""Reading what an option names: a file, or the content itself. Every way to fail says option, path and mend."""

from __future__ import annotations

import os
from pathlib import Path

from aiomongo_tls.core.options.tls_source import TLSSource, is_content, is_encoded
from aiomongo_tls.errors import ConfigurationError

# The largest CA bundles have half a megabyte; /dev/zero has no end.
_LIMIT = 16 * 1024 * 1024


def shown(source: TLSSource) -> str:
    """The source in a message: its path, never its content."""
    if isinstance(source, bytes) or is_content(source) or is_encoded(source):
        return "the content given"
    return f"'{os.fspath(source)}'"


def read_source(source: TLSSource, option: str) -> bytes:
    """The content of a source.

    Args:
        source: a path or the content itself.
        option: the URI option, for messages.

    Raises:
        ConfigurationError: the file cannot be read.
    """
    if isinstance(source, bytes):
        content = source
    elif is_content(source):
        # What cannot be encoded is not base64 either; an error of the codec would carry the content.
        content = str(source).encode(errors="replace")
    elif is_encoded(source):
        # Not tried as a path: the operating system's errors repeat it.
        raise ConfigurationError(
            f"{option}: {shown(source)} is base64; decode it and give the bytes", reason="file-encoded"
        )
    else:
        content = _read_file(Path(source), option)
    if not content.strip():
        raise ConfigurationError(f"{option}: {shown(source)} is empty; it has to be PEM or DER", reason="file-empty")
    return content


def _read_file(path: Path, option: str) -> bytes:
    try:
        with path.open("rb") as file:
            content = file.read(_LIMIT + 1)
    except FileNotFoundError as exc:
        where = "" if path.is_absolute() else f" in the current directory {Path.cwd()}"
        raise ConfigurationError(
            f"{option}: there is no file '{path}'{where}; give the full path", reason="file-not-found"
        ) from exc
    except IsADirectoryError as exc:
        raise ConfigurationError(
            f"{option}: '{path}' is a directory; name one file (it may hold several certificates, one after another)",
            reason="file-not-found",
        ) from exc
    except PermissionError as exc:
        raise ConfigurationError(
            f"{option}: '{path}' cannot be read{_permissions(path)}", reason="file-unreadable"
        ) from exc
    except (OSError, ValueError) as exc:
        raise ConfigurationError(f"{option}: '{path}' cannot be read: {exc}", reason="file-unreadable") from exc
    if len(content) > _LIMIT:
        raise ConfigurationError(
            f"{option}: '{path}' is larger than {_LIMIT} bytes; that is no certificate or key", reason="file-too-large"
        )
    return content


def _permissions(path: Path) -> str:
    uid = f" by this process (uid {os.getuid()})" if hasattr(os, "getuid") else " by this process"
    try:
        status = path.stat()
    except OSError:
        return f"{uid}: a directory on the way to it is closed to it; change the owner or mode of that directory"
    return f"{uid}: it belongs to uid {status.st_uid} and has mode {status.st_mode & 0o7777:04o}; change one of them"
