"""The table of authentication mechanisms."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from aiomongo_tls.core.auth import x509
from aiomongo_tls.errors import ConfigurationError

if TYPE_CHECKING:
    from aiomongo_tls.core.auth.conversation import Conversation
    from aiomongo_tls.core.auth.facts import ConnectionFacts
    from aiomongo_tls.core.options.credential import MongoCredential


@dataclass(frozen=True, slots=True)
class Mechanism:
    """One way to authenticate.

    Args:
        speculative: makes the document that goes into hello.
        authenticate: holds the conversation; is given the speculative reply, if there was one.
    """

    speculative: Callable[[MongoCredential], dict[str, Any]]
    authenticate: Callable[[MongoCredential, Mapping[str, Any] | None, ConnectionFacts], Conversation[None]]


MECHANISMS: Mapping[str, Mechanism] = {
    x509.MECHANISM: Mechanism(x509.speculative, x509.authenticate),
}
"""Every mechanism that is here, by name."""


def mechanism_of(credential: MongoCredential) -> Mechanism:
    """Find a credential's mechanism.

    Args:
        credential: the client's credential.

    Raises:
        ConfigurationError: the mechanism is not here.
    """
    mechanism = MECHANISMS.get(credential.mechanism or "")
    if mechanism is None:
        wanted = credential.mechanism or "agreed on with the server (SCRAM)"
        raise ConfigurationError(
            f"authMechanism {wanted} is not supported by this version; supported: {', '.join(MECHANISMS)}"
        )
    return mechanism
