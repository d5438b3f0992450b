"""What the files behind the TLS options hold at one moment, to see whether anything has changed."""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING

from aiomongo_tls.core.options.tls_source import is_secret
from aiomongo_tls.errors import ConfigurationError
from aiomongo_tls.tls.source import read_source

if TYPE_CHECKING:
    from aiomongo_tls.core.options.tls_options import TLSOptions


def snapshot(options: TLSOptions) -> bytes | None:
    """Digest the files that the options name, whatever their names, times and inodes are. Blocks: call it in a thread.

    Args:
        options: the TLS options.

    Returns:
        A digest that differs when a file has another content, or has come or gone; None if the options name no file.
    """
    named = (options.ca_file, options.certificate_key_file, options.certificate_file, options.crl_file)
    paths = [None if source is None or is_secret(source) else source for source in named]
    if not any(paths):
        return None
    digest = hashlib.sha256()
    for path in paths:
        try:
            content = b"" if path is None else hashlib.sha256(read_source(path, "")).digest()
        except ConfigurationError as exc:
            # Why it cannot be read is told by whoever loads it.
            content = exc.reason.encode() if exc.reason else b"?"
        digest.update(len(content).to_bytes(4, "big") + content)
    return digest.digest()
