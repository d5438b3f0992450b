"""What this machine and interpreter are, as the client document of the handshake tells the server."""

from __future__ import annotations

import os
import platform
import sys
from functools import cache
from pathlib import Path

from aiomongo_tls.core.auth.metadata import ClientEnvironment


@cache
def client_environment() -> ClientEnvironment:
    """Gather the facts; asked once per process, since they do not change."""
    return ClientEnvironment(
        os_type=platform.system(),
        os_name=_distribution(),
        os_architecture=platform.machine(),
        os_version=platform.release(),
        implementation=platform.python_implementation(),
        python_version=tuple(sys.version_info),
        variables=dict(os.environ),
        dockerenv=Path("/.dockerenv").exists(),
    )


def _distribution() -> str:
    try:
        return platform.freedesktop_os_release().get("PRETTY_NAME", "")
    except OSError:
        # Not a Linux, or one that does not say.
        return platform.system()
