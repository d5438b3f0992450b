"""How every connection begins: hello, then authentication, then its description is known.

Specification: auth, "Authentication Handshake".
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from aiomongo_tls.core.auth.conversation import CommandDocument, Conversation
from aiomongo_tls.core.auth.hello import StreamDescription, hello_command, parse_hello
from aiomongo_tls.core.auth.mechanisms import authentication_of
from aiomongo_tls.core.server_type import ServerType
from aiomongo_tls.errors import Phase

if TYPE_CHECKING:
    from aiomongo_tls.core.auth.facts import ConnectionFacts
    from aiomongo_tls.core.auth.mechanisms import NewNonce
    from aiomongo_tls.core.options.credential import MongoCredential


def opening(
    client: Mapping[str, Any] | None,
    credential: MongoCredential | None,
    facts: ConnectionFacts,
    *,
    new_nonce: NewNonce,
) -> Conversation[StreamDescription]:
    """Open a connection: the first command depends on nothing that the peer says.

    Args:
        client: the client document; None to say nothing of this program.
        credential: who to authenticate as; None for nobody, and for connections that only monitor.
        facts: what is known about the connection.
        new_nonce: makes text that nobody can foresee.

    Returns:
        The description of the server, once the connection may be used.

    Raises:
        AuthenticationFailed: the server refused the credential.
        ConfigurationError: server and package have no wire version in common; the mechanism is not here.
        ProtocolError: the reply to hello cannot be understood.
        OperationFailure: the server answered with another error.
        NotPrimaryError: the server is going away.
    """
    authentication = authentication_of(credential, facts, new_nonce) if credential is not None else None
    command = hello_command(
        client=client,
        authentication=authentication.hello_fields() if authentication is not None else None,
    )
    reply = yield CommandDocument("admin", command, Phase.HELLO)
    description = parse_hello(reply, host=facts.host)
    # An arbiter has no users.
    if authentication is not None and description.server_type is not ServerType.RS_ARBITER:
        yield from authentication.converse(description)
    return replace(description, speculative_reply=None)


def reauthentication(
    credential: MongoCredential, facts: ConnectionFacts, description: StreamDescription, *, new_nonce: NewNonce
) -> Conversation[None]:
    """Authenticate a connection again, without hello and without speculation (auth, "Reauthentication").

    Args:
        credential: who to authenticate as.
        facts: what is known about the connection.
        description: what the server said of itself in its hello.
        new_nonce: makes text that nobody can foresee.

    Raises:
        AuthenticationFailed: the server refused the credential.
        OperationFailure: the server answered with another error.
        NotPrimaryError: the server is going away.
    """
    again = replace(description, speculative_reply=None)
    return authentication_of(credential, facts, new_nonce).converse(again)
