"""Credentials as values."""

from __future__ import annotations

import copy
import pickle
from typing import Any

import pytest

from aiomongo_tls.core.options.credential import MongoCredential


def credential(**changes: Any) -> MongoCredential:
    values: dict[str, Any] = {
        "username": "ada",
        "password": "hunter2",
        "source": "admin",
        "mechanism": "GSSAPI",
        "mechanism_properties": {"SERVICE_NAME": "other", "AWS_SESSION_TOKEN": "t0ken"},
    }
    return MongoCredential(**{**values, **changes})


def test_repr_hides_password_and_tokens() -> None:
    """A repr can be logged."""
    shown = repr(credential())
    assert "hunter2" not in shown
    assert "t0ken" not in shown
    assert "'ada'" in shown
    assert "'SERVICE_NAME': 'other'" in shown


def test_equal_credentials_are_one_key() -> None:
    """Credentials are keys of pools: equal ones hash alike, and every field counts."""
    assert credential() == credential()
    assert len({credential(), credential()}) == 1
    for field, value in [
        ("username", "bob"),
        ("password", "other"),
        ("source", "app"),
        ("mechanism", None),
        ("mechanism_properties", {}),
    ]:
        assert credential(**{field: value}) != credential()


def test_credentials_are_frozen() -> None:
    """Neither a field nor the properties can be changed, not even through the dictionary that was given."""
    properties = {"SERVICE_NAME": "other"}
    made = credential(mechanism_properties=properties)
    properties["SERVICE_NAME"] = "changed"
    assert made.mechanism_properties == {"SERVICE_NAME": "other"}
    with pytest.raises(TypeError):
        made.mechanism_properties["SERVICE_NAME"] = "changed"  # type: ignore[index]
    with pytest.raises(AttributeError):
        made.username = "changed"  # type: ignore[misc]


def test_credentials_can_be_copied_and_pickled() -> None:
    """A client's options can go to another process."""
    assert copy.deepcopy(credential()) == credential()
    assert pickle.loads(pickle.dumps(credential())) == credential()
