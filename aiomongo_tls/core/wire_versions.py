"""Which servers this version of the package can talk to (SDAM, "Checking wire protocol compatibility")."""

from __future__ import annotations

from typing import Final

MIN_WIRE_VERSION: Final = 8
"""The oldest wire version that we speak: MongoDB 4.2."""

MAX_WIRE_VERSION: Final = 29
"""The newest wire version that we know."""

_DRIVER = "aiomongo_tls"
_MIN_SERVER = "MongoDB 4.2"


def incompatibility(server: str, min_wire_version: int, max_wire_version: int) -> str | None:
    """Say why we and a server have no wire version in common.

    Args:
        server: what to call the server, for example `Server at db.example.net:27017`.
        min_wire_version: the oldest wire version that it speaks.
        max_wire_version: the newest one.

    Returns:
        The reason, None if there is a common version.
    """
    if min_wire_version > MAX_WIRE_VERSION:
        return (
            f"{server} requires wire version {min_wire_version}, but this version of {_DRIVER} only supports up to "
            f"{MAX_WIRE_VERSION}. Use a newer {_DRIVER}."
        )
    if max_wire_version < MIN_WIRE_VERSION:
        return (
            f"{server} reports wire version {max_wire_version}, but this version of {_DRIVER} requires at least "
            f"{MIN_WIRE_VERSION} ({_MIN_SERVER}). Upgrade the server."
        )
    return None
