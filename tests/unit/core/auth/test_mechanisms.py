"""The table of mechanisms."""

from __future__ import annotations

import pytest

from aiomongo_tls.core.auth import x509
from aiomongo_tls.core.auth.mechanisms import mechanism_of
from aiomongo_tls.core.options.credential import MongoCredential
from aiomongo_tls.errors import ConfigurationError


def test_x509():
    """MONGODB-X509 is here."""
    mechanism = mechanism_of(MongoCredential(source="$external", mechanism="MONGODB-X509"))
    assert (mechanism.speculative, mechanism.authenticate) == (x509.speculative, x509.authenticate)


@pytest.mark.parametrize("name", ["SCRAM-SHA-256", "mongodb-x509", None])
def test_not_here(name: str | None):
    """A mechanism that is not here is refused with those that are, and without the password."""
    credential = MongoCredential(username="ada", password="hunter2", mechanism=name)
    with pytest.raises(ConfigurationError, match="supported: MONGODB-X509") as info:
        mechanism_of(credential)
    assert "authMechanism" in str(info.value)
    assert "hunter2" not in str(info.value)
