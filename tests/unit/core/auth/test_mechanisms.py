"""The table of mechanisms."""

from __future__ import annotations

import pytest

from aiomongo_tls.core.auth.facts import ConnectionFacts
from aiomongo_tls.core.auth.mechanisms import authentication_of
from aiomongo_tls.core.auth.scram import ScramAuthentication
from aiomongo_tls.core.auth.x509 import X509Authentication
from aiomongo_tls.core.options.credential import MongoCredential
from aiomongo_tls.errors import ConfigurationError

FACTS = ConnectionFacts()


def test_x509() -> None:
    """MONGODB-X509 is here."""
    credential = MongoCredential(source="$external", mechanism="MONGODB-X509")
    assert authentication_of(credential, FACTS, str) == X509Authentication(credential, FACTS)


@pytest.mark.parametrize("name", ["SCRAM-SHA-256", "SCRAM-SHA-1", None])
def test_scram(name: str | None) -> None:
    """So are both SCRAMs, and the agreement on one of them; no secret shows."""
    credential = MongoCredential(username="ada", password="hunter2", mechanism=name)
    authentication = authentication_of(credential, FACTS, str)
    assert isinstance(authentication, ScramAuthentication)
    assert "hunter2" not in repr(authentication)


@pytest.mark.parametrize("name", ["PLAIN", "mongodb-x509", ""])
def test_not_here(name: str) -> None:
    """A mechanism that is not here is refused with those that are, and without the password."""
    credential = MongoCredential(username="ada", password="hunter2", mechanism=name)
    with pytest.raises(ConfigurationError, match="supported: MONGODB-X509, SCRAM-SHA-256, SCRAM-SHA-1") as info:
        authentication_of(credential, FACTS, str)
    assert "authMechanism" in str(info.value)
    assert "hunter2" not in str(info.value)
