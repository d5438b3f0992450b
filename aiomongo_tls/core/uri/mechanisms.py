"""What each authentication mechanism needs and forbids: one row a mechanism.

The rows are the "MongoCredential Properties" of the authentication specification, and are checked before anything
is sent. Messages name the part that is wrong, never its value.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from enum import Enum
from typing import Any, Final

from aiomongo_tls.core.options.credential import MongoCredential
from aiomongo_tls.errors import ConfigurationError

EXTERNAL: Final = "$external"
_ENVIRONMENTS: Final = ("test", "azure", "gcp", "k8s")
_CANONICALIZATIONS: Final = ("none", "forward", "forwardAndReverse", "true", "false")


class Need(Enum):
    """Whether a part of a credential has to be there."""

    REQUIRED = "required"
    OPTIONAL = "optional"
    FORBIDDEN = "forbidden"


def _nothing_more(_username: str | None, _properties: Mapping[str, Any]) -> str | None:
    return None


@dataclass(frozen=True, slots=True, kw_only=True)
class Mechanism:
    """One row.

    Args:
        username: whether a user name has to be there.
        password: whether a password has to be there.
        source: the source where authSource and the database in the URI's path do not say.
        source_is_fixed: whether no other source is possible, and the database in the path means nothing.
        properties: the names of the properties it knows, in upper case.
        defaults: properties that are there without being given.
        instead: what takes the place of a user name or password that is forbidden.
        check: finds what the columns cannot express and says what is wrong.
    """

    username: Need = Need.REQUIRED
    password: Need = Need.REQUIRED
    source: str = "admin"
    source_is_fixed: bool = False
    properties: frozenset[str] = frozenset()
    defaults: Mapping[str, Any] = field(default_factory=dict[str, Any])
    instead: str = ""
    check: Callable[[str | None, Mapping[str, Any]], str | None] = _nothing_more


def _check_gssapi(_username: str | None, properties: Mapping[str, Any]) -> str | None:
    if properties.get("CANONICALIZE_HOST_NAME", "none") not in _CANONICALIZATIONS:
        return f"CANONICALIZE_HOST_NAME has to be one of {', '.join(_CANONICALIZATIONS)}"
    return None


def _check_aws(_username: str | None, properties: Mapping[str, Any]) -> str | None:
    if "AWS_SESSION_TOKEN" in properties:
        return "a session token is no longer taken from options; provide it in the environment"
    if isinstance(properties.get("AWS_CREDENTIAL_PROVIDER"), str):
        return "AWS_CREDENTIAL_PROVIDER has to be an object, given in code"
    return None


def _check_oidc(username: str | None, properties: Mapping[str, Any]) -> str | None:
    environment = properties.get("ENVIRONMENT")
    sources = [name for name in ("ENVIRONMENT", "OIDC_CALLBACK", "OIDC_HUMAN_CALLBACK") if name in properties]
    if len(sources) != 1:
        return "exactly one of ENVIRONMENT, OIDC_CALLBACK and OIDC_HUMAN_CALLBACK has to be given"
    if isinstance(properties[sources[0]], str) is not (environment is not None):
        return f"{sources[0]} has to be {'a word' if environment is not None else 'an object, given in code'}"
    if environment is not None and environment not in _ENVIRONMENTS:
        return f"ENVIRONMENT has to be one of {', '.join(_ENVIRONMENTS)}"
    if ("TOKEN_RESOURCE" in properties) is not (environment in ("azure", "gcp")):
        return "TOKEN_RESOURCE is needed by ENVIRONMENT azure and gcp, and goes with no other"
    if environment == "test" and username is not None:
        return "ENVIRONMENT test takes no user name"
    if "ALLOWED_HOSTS" not in properties:
        return None
    if sources != ["OIDC_HUMAN_CALLBACK"] or not isinstance(properties["ALLOWED_HOSTS"], (list, tuple)):
        return "ALLOWED_HOSTS has to be a list, given in code, and goes with OIDC_HUMAN_CALLBACK only"
    return None


# The password may be missing here: which mechanism it will be is not known yet.
_DEFAULT: Final = Mechanism(password=Need.OPTIONAL)

MECHANISMS: Final[Mapping[str, Mechanism]] = {
    "DEFAULT": _DEFAULT,
    "SCRAM-SHA-1": Mechanism(),
    "SCRAM-SHA-256": Mechanism(),
    "MONGODB-X509": Mechanism(
        username=Need.OPTIONAL,
        password=Need.FORBIDDEN,
        source=EXTERNAL,
        source_is_fixed=True,
        instead="the certificate's key is the proof, and tlsCertificateKeyFilePassword decrypts that key",
    ),
    "PLAIN": Mechanism(source=EXTERNAL),
    "GSSAPI": Mechanism(
        password=Need.OPTIONAL,
        source=EXTERNAL,
        source_is_fixed=True,
        properties=frozenset({"SERVICE_NAME", "CANONICALIZE_HOST_NAME", "SERVICE_REALM", "SERVICE_HOST"}),
        defaults={"SERVICE_NAME": "mongodb"},
        check=_check_gssapi,
    ),
    "MONGODB-AWS": Mechanism(
        username=Need.FORBIDDEN,
        password=Need.FORBIDDEN,
        source=EXTERNAL,
        source_is_fixed=True,
        properties=frozenset({"AWS_SESSION_TOKEN", "AWS_CREDENTIAL_PROVIDER"}),
        instead="AWS credentials come from the environment or a credential provider",
        check=_check_aws,
    ),
    "MONGODB-OIDC": Mechanism(
        username=Need.OPTIONAL,
        password=Need.FORBIDDEN,
        source=EXTERNAL,
        source_is_fixed=True,
        properties=frozenset(
            {"ENVIRONMENT", "TOKEN_RESOURCE", "OIDC_CALLBACK", "OIDC_HUMAN_CALLBACK", "ALLOWED_HOSTS"}
        ),
        instead="a token takes its place",
        check=_check_oidc,
    ),
}
"""The rows by the words of authMechanism; DEFAULT, or none given, is to agree on a SCRAM with the server."""


def build_credential(
    *,
    mechanism: str | None,
    username: str | None,
    password: str | None,
    auth_source: str | None,
    database: str | None,
    properties: Mapping[str, Any],
) -> MongoCredential | None:
    """Build and check the credential of a client (authentication specification, "MongoCredential").

    Args:
        mechanism: the value of authMechanism, None if it was not given.
        username: the decoded user name; the empty string where an `@` had nothing before it.
        password: the decoded password; the empty string where a `:` had nothing behind it.
        auth_source: the value of authSource.
        database: the database in the URI's path.
        properties: authMechanismProperties with names in upper case.

    Returns:
        The credential; None if nothing asks for authentication: neither authSource nor the database does.

    Raises:
        ConfigurationError: a part is missing, superfluous or wrong.
    """
    if mechanism is None and username is None and password is None:
        return None
    row = MECHANISMS[mechanism or "DEFAULT"]
    name = f"authMechanism={mechanism}" if mechanism else "authentication without authMechanism"
    problem = (
        _check_parts(row, username, password)
        or _check_source(row, auth_source)
        or _check_properties(row, properties)
        or row.check(username, properties)
    )
    if problem is not None:
        raise ConfigurationError(f"{name}: {problem}")
    return MongoCredential(
        username=username,
        password=password,
        source=row.source if row.source_is_fixed else auth_source or database or row.source,
        mechanism=None if row is _DEFAULT else mechanism,
        mechanism_properties={**row.defaults, **properties},
    )


def _check_parts(row: Mechanism, username: str | None, password: str | None) -> str | None:
    if row.password is Need.FORBIDDEN and password is not None:
        return f"a password has no place here: {row.instead}"
    if row.username is Need.FORBIDDEN and username is not None:
        return f"a user name has no place here: {row.instead}"
    if row.username is Need.REQUIRED and not username:
        return "a user name is needed, in the URI or as username="
    if username == "":
        return "the user name before '@' is empty; leave the '@' out, too"
    if row.password is Need.REQUIRED and password is None:
        return "a password is needed, in the URI or as password="
    return None


def _check_source(row: Mechanism, auth_source: str | None) -> str | None:
    if row.source_is_fixed and auth_source not in (None, row.source):
        return f"authSource can only be {row.source}; leave it out"
    return None


def _check_properties(row: Mechanism, properties: Mapping[str, Any]) -> str | None:
    unknown = properties.keys() - row.properties
    if not unknown:
        return None
    known = f"those it knows are {', '.join(sorted(row.properties))}" if row.properties else "it has none"
    return f"{len(unknown)} of the authMechanismProperties do not belong to it; {known}"
