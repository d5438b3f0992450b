"""The auth suites: the credential that a URI describes, and what of the unified one applies (nothing yet)."""

from __future__ import annotations

from typing import Any

import pytest

from aiomongo_tls.core.uri.parser import parse_uri
from aiomongo_tls.errors import ConfigurationError

SUITES = ["auth/tests/legacy", "auth/tests/unified"]


def test_credential(case: dict[str, Any]) -> None:
    """A URI is refused, or describes the credential that the case lists."""
    if not case["valid"]:
        with pytest.raises(ConfigurationError):
            parse_uri(case["uri"])
        return
    credential = parse_uri(case["uri"]).credential
    expected = case.get("credential")
    if expected is None:
        assert credential is None
        return
    assert credential is not None
    assert {
        "username": credential.username,
        "password": credential.password,
        "source": credential.source,
        "mechanism": credential.mechanism,
        "mechanism_properties": dict(credential.mechanism_properties) or None,
    } == expected
