"""Official cases that do not apply, each with its reason; everything that is not here has to pass."""

from __future__ import annotations

# Keys are `path::description`, or `path` for a whole file, with the path below the specifications root.
_AUTH = "auth/tests/legacy/connection-string.json"
_AWS = "contradicts a newer case of the same file: since 2025-09 AWS credentials in a URI are an error"

SKIPS: dict[str, str] = {
    f"{_AUTH}::should use username and password if specified (MONGODB-AWS)": _AWS,
    "auth/tests/unified/mongodb-oidc-no-retry.json": "its runOnRequirements ask for MONGODB-OIDC, which is not here",
}
