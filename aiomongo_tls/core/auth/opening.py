"""How every connection begins: hello, then authentication, then its description is known.

Specification: auth, "Authentication Handshake".
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from aiomongo_tls.core.auth.conversation import CommandDocument, Conversation
from aiomongo_tls.core.auth.hello import StreamDescription, check_compatible, hello_command, parse_hello
from aiomongo_tls.core.auth.mechanisms import authentication_of
from aiomongo_tls.core.server_type import ServerType
from aiomongo_tls.errors import ConfigurationError, Phase

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
    load_balanced: bool = False,
    monitors: bool = False,
) -> Conversation[StreamDescription]:
    """Open a connection: the first command depends on nothing that the peer says.

    Args:
        client: the client document; None to say nothing of this program.
        credential: who to authenticate as; None for nobody, and for connections that only monitor.
        facts: what is known about the connection.
        new_nonce: makes text that nobody can foresee.
        load_balanced: whether a load balancer is at the other end.
        monitors: whether the connection only asks the server what it is: then an incompatible one is described too.

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
        load_balanced=load_balanced,
    )
    reply = yield CommandDocument("admin", command, Phase.HELLO)
    description = parse_hello(reply, host=facts.host)
    if not monitors:
        check_compatible(description)
    if load_balanced and description.service_id is None:
        raise ConfigurationError(
            "Driver attempted to initialize in load balancing mode, but the server does not support this mode."
            f" ({facts.host} sent no serviceId; is there a load balancer in front of MongoDB 5.0 or newer?)"
        )
    if not load_balanced and description.service_id is not None:
        # It was not asked for. A service is what tells of a load balancer from here on.
        description = replace(description, service_id=None)
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
