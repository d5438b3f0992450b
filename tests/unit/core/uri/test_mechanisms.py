"""What each authentication mechanism needs and forbids."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from aiomongo_tls.core.options.credential import MongoCredential
from aiomongo_tls.core.uri.mechanisms import MECHANISMS, build_credential
from aiomongo_tls.errors import ConfigurationError


def build(mechanism: str | None = None, **parts: Any) -> MongoCredential | None:
    given = {"username": None, "password": None, "auth_source": None, "database": None, "properties": {}, **parts}
    return build_credential(mechanism=mechanism, **given)


def callback() -> None:
    """Stands for an OIDC callback or a provider of credentials."""


USER = {"username": "ada", "password": "pw"}
# What each mechanism is satisfied with, and the credential it makes.
ENOUGH: list[tuple[str | None, dict[str, Any], dict[str, Any]]] = [
    (None, USER, {"source": "admin", "mechanism": None}),
    ("DEFAULT", USER, {"source": "admin", "mechanism": None}),
    (None, {"username": "ada"}, {"password": None}),
    ("SCRAM-SHA-1", USER, {"source": "admin"}),
    ("SCRAM-SHA-256", {**USER, "database": "app"}, {"source": "app"}),
    ("SCRAM-SHA-256", {**USER, "database": "app", "auth_source": "staff"}, {"source": "staff"}),
    ("SCRAM-SHA-256", {"username": "ada", "password": ""}, {"password": ""}),
    ("PLAIN", USER, {"source": "$external"}),
    ("PLAIN", {**USER, "database": "app"}, {"source": "app"}),
    ("MONGODB-X509", {}, {"source": "$external", "username": None}),
    ("MONGODB-X509", {"username": "CN=ada", "database": "app"}, {"source": "$external", "username": "CN=ada"}),
    ("GSSAPI", {"username": "ada@REALM"}, {"mechanism_properties": {"SERVICE_NAME": "mongodb"}}),
    (
        "GSSAPI",
        {**USER, "properties": {"SERVICE_NAME": "other", "CANONICALIZE_HOST_NAME": "forward"}},
        {"mechanism_properties": {"SERVICE_NAME": "other", "CANONICALIZE_HOST_NAME": "forward"}},
    ),
    ("MONGODB-AWS", {}, {"source": "$external"}),
    ("MONGODB-AWS", {"properties": {"AWS_CREDENTIAL_PROVIDER": callback}}, {}),
    ("MONGODB-OIDC", {"properties": {"ENVIRONMENT": "k8s"}}, {"source": "$external"}),
    ("MONGODB-OIDC", {"username": "id", "properties": {"ENVIRONMENT": "azure", "TOKEN_RESOURCE": "r"}}, {}),
    ("MONGODB-OIDC", {"username": "ada", "properties": {"OIDC_CALLBACK": callback}}, {}),
    ("MONGODB-OIDC", {"properties": {"OIDC_HUMAN_CALLBACK": callback, "ALLOWED_HOSTS": ["localhost"]}}, {}),
]


@pytest.mark.parametrize(("mechanism", "parts", "expected"), ENOUGH)
def test_enough(mechanism: str | None, parts: dict[str, Any], expected: dict[str, Any]) -> None:
    """A mechanism that has what it needs makes its credential."""
    credential = build(mechanism, **parts)
    assert credential is not None
    for field, value in {"mechanism": mechanism, **expected}.items():
        assert getattr(credential, field) == value


@pytest.mark.parametrize(
    ("mechanism", "parts", "says"),
    [
        (None, {"username": ""}, "user name"),
        (None, {"username": "", "password": ""}, "user name"),
        (None, {"password": "pw"}, "user name"),
        (None, {**USER, "properties": {"X": "y"}}, "it has none"),
        ("DEFAULT", {}, "user name"),
        ("SCRAM-SHA-1", {}, "user name"),
        ("SCRAM-SHA-256", {"username": "ada"}, "password"),
        ("PLAIN", {}, "user name"),
        ("PLAIN", {"username": "ada"}, "password"),
        ("GSSAPI", {}, "user name"),
        ("GSSAPI", {"username": "ada", "auth_source": "app"}, "authSource"),
        ("GSSAPI", {"username": "ada", "properties": {"CANONICALIZE_HOST_NAME": "maybe"}}, "forwardAndReverse"),
        ("GSSAPI", {"username": "ada", "properties": {"ENVIRONMENT": "test"}}, "SERVICE_NAME"),
        ("MONGODB-X509", {"username": "CN=ada", "password": "pw"}, "tlsCertificateKeyFilePassword"),
        ("MONGODB-X509", {"username": "CN=ada", "password": ""}, "password"),
        ("MONGODB-X509", {"username": ""}, "empty"),
        ("MONGODB-X509", {"auth_source": "admin"}, r"authSource can only be \$external"),
        ("MONGODB-X509", {"properties": {"SERVICE_NAME": "x"}}, "authMechanismProperties"),
        ("MONGODB-AWS", USER, "environment"),
        ("MONGODB-AWS", {"username": "key"}, "environment"),
        ("MONGODB-AWS", {"properties": {"AWS_SESSION_TOKEN": "t"}}, "session token"),
        ("MONGODB-AWS", {"properties": {"AWS_CREDENTIAL_PROVIDER": "x"}}, "object"),
        ("MONGODB-OIDC", {}, "ENVIRONMENT"),
        ("MONGODB-OIDC", {**USER, "properties": {"ENVIRONMENT": "test"}}, "password"),
        ("MONGODB-OIDC", {"username": "ada", "properties": {"ENVIRONMENT": "test"}}, "no user name"),
        ("MONGODB-OIDC", {"properties": {"ENVIRONMENT": "mars"}}, "azure"),
        ("MONGODB-OIDC", {"properties": {"ENVIRONMENT": callback}}, "ENVIRONMENT"),
        ("MONGODB-OIDC", {"properties": {"ENVIRONMENT": "gcp"}}, "TOKEN_RESOURCE"),
        ("MONGODB-OIDC", {"properties": {"ENVIRONMENT": "k8s", "TOKEN_RESOURCE": "r"}}, "TOKEN_RESOURCE"),
        ("MONGODB-OIDC", {"properties": {"OIDC_CALLBACK": "x"}}, "OIDC_CALLBACK"),
        ("MONGODB-OIDC", {"properties": {"OIDC_CALLBACK": callback, "ENVIRONMENT": "test"}}, "exactly one"),
        (
            "MONGODB-OIDC",
            {"properties": {"OIDC_CALLBACK": callback, "OIDC_HUMAN_CALLBACK": callback}},
            "exactly one",
        ),
        ("MONGODB-OIDC", {"properties": {"OIDC_CALLBACK": callback, "ALLOWED_HOSTS": []}}, "ALLOWED_HOSTS"),
        ("MONGODB-OIDC", {"properties": {"OIDC_HUMAN_CALLBACK": callback, "ALLOWED_HOSTS": "*"}}, "ALLOWED_HOSTS"),
    ],
)
def test_not_enough_or_too_much(mechanism: str | None, parts: dict[str, Any], says: str) -> None:
    """What is missing, superfluous or wrong is refused by name."""
    with pytest.raises(ConfigurationError, match=says):
        build(mechanism, **parts)


def test_nothing_asks_for_authentication() -> None:
    """Neither a database nor authSource is a request to authenticate."""
    assert build(database="app", auth_source="staff") is None


def test_every_mechanism_is_covered() -> None:
    """The cases above have one that is enough for each row."""
    assert MECHANISMS.keys() == {mechanism for mechanism, _, _ in ENOUGH} - {None}


def test_a_callback_is_kept_as_it_is() -> None:
    """Objects among the properties reach the mechanism."""
    credential = build("MONGODB-OIDC", properties={"OIDC_CALLBACK": callback})
    assert credential is not None
    kept: Callable[[], None] = credential.mechanism_properties["OIDC_CALLBACK"]
    assert kept is callback
