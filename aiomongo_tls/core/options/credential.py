"""Who the client is: one frozen credential, also part of the key of a connection pool."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Any

# Shown in a repr; any other property may hold a token or a callback that closes over one.
_HARMLESS_PROPERTIES = frozenset(
    {
        "SERVICE_NAME",
        "SERVICE_HOST",
        "SERVICE_REALM",
        "CANONICALIZE_HOST_NAME",
        "ENVIRONMENT",
        "TOKEN_RESOURCE",
        "ALLOWED_HOSTS",
    }
)


@dataclass(frozen=True, slots=True, kw_only=True, repr=False)
class MongoCredential:
    """A credential as the authentication specification's `MongoCredential` describes it.

    Args:
        username: the user's name; None for a mechanism that takes it from elsewhere, as MONGODB-X509 does from the
            certificate.
        password: the user's password, if the mechanism has one. Never shown.
        source: the database that knows the user: `admin`, `$external`, ...
        mechanism: the mechanism's name; None to agree on a SCRAM with the server.
        mechanism_properties: `authMechanismProperties`, with names in upper case.
    """

    username: str | None = None
    password: str | None = None
    source: str = "admin"
    mechanism: str | None = None
    # Left out of the hash, not out of the comparison: mappings have no hash.
    mechanism_properties: Mapping[str, Any] = field(default_factory=dict[str, Any], hash=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "mechanism_properties", MappingProxyType(dict(self.mechanism_properties)))

    def __repr__(self) -> str:
        password = None if self.password is None else "<hidden>"
        properties = {
            name: value if name in _HARMLESS_PROPERTIES else "<hidden>"
            for name, value in self.mechanism_properties.items()
        }
        return (
            f"MongoCredential(username={self.username!r}, password={password}, source={self.source!r}, "
            f"mechanism={self.mechanism!r}, mechanism_properties={properties!r})"
        )

    def __reduce__(self) -> tuple[Any, ...]:
        # A mapping proxy cannot be copied or pickled.
        return _rebuild, (
            self.username,
            self.password,
            self.source,
            self.mechanism,
            dict(self.mechanism_properties),
        )


def _rebuild(
    username: str | None, password: str | None, source: str, mechanism: str | None, properties: Mapping[str, Any]
) -> MongoCredential:
    return MongoCredential(
        username=username, password=password, source=source, mechanism=mechanism, mechanism_properties=properties
    )
