"""How every connection begins: hello, then authentication, then its description is known.

Specification: auth, "Authentication Handshake".
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from aiomongo_tls.core.auth.conversation import CommandDocument, Conversation
from aiomongo_tls.core.auth.hello import StreamDescription, hello_command, parse_hello
from aiomongo_tls.core.auth.mechanisms import mechanism_of
from aiomongo_tls.core.server_type import ServerType
from aiomongo_tls.errors import Phase

if TYPE_CHECKING:
    from aiomongo_tls.core.auth.facts import ConnectionFacts
    from aiomongo_tls.core.options.credential import MongoCredential


def opening(
    client: Mapping[str, Any] | None,
    credential: MongoCredential | None,
    facts: ConnectionFacts,
    *,
    load_balanced: bool = False,
    compressors: Sequence[str] = (),
) -> Conversation[StreamDescription]:
    """Open a connection: the first command depends on nothing that the peer says.

    Args:
        client: the client document; None to say nothing of this program.
        credential: who to authenticate as; None for nobody, and for connections that only monitor.
        facts: what is known about the connection.
        load_balanced: whether the server is a load balancer.
        compressors: compressors to offer.

    Returns:
        The description of the server, once the connection may be used.

    Raises:
        AuthenticationFailed: the server refused the credential.
        ConfigurationError: server and package have no wire version in common; the mechanism is not here.
        ProtocolError: the reply to hello cannot be understood.
        OperationFailure: the server answered with another error.
        NotPrimaryError: the server is going away.
    """
    command = hello_command(client=client, credential=credential, load_balanced=load_balanced, compressors=compressors)
    reply = yield CommandDocument("admin", command, Phase.HELLO)
    description = parse_hello(reply, host=facts.host)
    # An arbiter has no users.
    if credential is not None and description.server_type is not ServerType.RS_ARBITER:
        yield from mechanism_of(credential).authenticate(credential, description.speculative_reply, facts)
    return description
