"""The table of authentication mechanisms."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any, Protocol

from aiomongo_tls.core.auth import scram_keys, x509
from aiomongo_tls.core.auth.scram import ScramAuthentication
from aiomongo_tls.errors import ConfigurationError

if TYPE_CHECKING:
    from aiomongo_tls.core.auth.conversation import Conversation
    from aiomongo_tls.core.auth.facts import ConnectionFacts
    from aiomongo_tls.core.auth.hello import StreamDescription
    from aiomongo_tls.core.options.credential import MongoCredential

NewNonce = Callable[[], str]
"""Makes printable ASCII without a comma that nobody can foresee: chance is an argument."""


class Authentication(Protocol):
    """The authentication of one connection; used for one only, since what it said in hello belongs to that one."""

    def hello_fields(self) -> dict[str, Any]:
        """The fields that go into hello."""
        ...

    def converse(self, description: StreamDescription) -> Conversation[None]:
        """Authenticate the connection.

        Args:
            description: what the server said of itself; with its reply to hello's fields, if that is not used up.

        Raises:
            AuthenticationFailed: the server refused, or is not to be trusted.
            OperationFailure: the server could not decide now.
            NotPrimaryError: the server is going away.
        """
        ...


def _x509(credential: MongoCredential, facts: ConnectionFacts, _: NewNonce) -> Authentication:
    return x509.X509Authentication(credential, facts)


MECHANISMS: Mapping[str | None, Callable[[MongoCredential, ConnectionFacts, NewNonce], Authentication]] = {
    x509.MECHANISM: _x509,
    scram_keys.SHA_256: ScramAuthentication,
    scram_keys.SHA_1: ScramAuthentication,
    None: ScramAuthentication,
}
"""Every mechanism that is here, by name; None is to agree on a SCRAM with the server."""


def authentication_of(credential: MongoCredential, facts: ConnectionFacts, new_nonce: NewNonce) -> Authentication:
    """Begin the authentication of a connection.

    Args:
        credential: the client's credential.
        facts: what is known about the connection.
        new_nonce: makes text that nobody can foresee.

    Raises:
        ConfigurationError: the mechanism is not here.
    """
    make = MECHANISMS.get(credential.mechanism)
    if make is None:
        raise ConfigurationError(
            f"authMechanism {credential.mechanism} is not supported by this version; "
            f"supported: {', '.join(name for name in MECHANISMS if name)}"
        )
    return make(credential, facts, new_nonce)
