"""SSLKEYLOGFILE: the secrets of connections in a file, for whoever has to look into their bytes (Wireshark).

What is in that file decrypts everything, passwords and documents, of all who write to it. So it is never opened without
a WARNING. A context that the user supplied is left alone: who makes one decides on this, too.
"""

from __future__ import annotations

import logging
import os
import ssl
import sys
from collections.abc import Mapping

_log = logging.getLogger("aiomongo_tls.tls")

VARIABLE = "SSLKEYLOGFILE"
"""The environment variable that names the file; curl, browsers and Python's default contexts know it, too."""

# The files of which the log has been told: contexts are built anew with each renewed certificate.
_told: set[str] = set()


def honour_key_log(context: ssl.SSLContext, environ: Mapping[str, str] = os.environ) -> None:
    """Have a context write down its secrets if the environment asks for it, and say so, once for each file. Blocks.

    Args:
        context: a new context.
        environ: the environment; nothing in it counts under `python -E`.
    """
    path = environ.get(VARIABLE)
    if not path or sys.flags.ignore_environment:
        return
    try:
        # OpenSSL would let everybody read a file that it makes.
        os.close(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600))
        context.keylog_filename = path
    except OSError as exc:
        warning = f"{VARIABLE}={path} cannot be written ({exc.strerror or exc}): no keys are logged"
    else:
        warning = (
            f"{VARIABLE} is set: the keys of all TLS connections are written to {path}. "
            "Whoever can read that file can decrypt everything that is sent, passwords and documents; unset the "
            "variable and delete the file when you have seen what you were looking for"
        )
    if path not in _told:
        _told.add(path)
        _log.warning("%s", warning)
