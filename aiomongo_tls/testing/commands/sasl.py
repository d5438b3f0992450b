"""Logging in by SCRAM: saslStart and saslContinue, also along with hello, and which mechanisms a user has.

Whatever is wrong with a client's message, with its user or with its proof: the reply is code 18 and no more, and the
conversation is over. The log of the server (`aiomongo_tls.testing`, level DEBUG) says what it was. Specification: auth,
"SCRAM-SHA-256".
"""

from __future__ import annotations

import logging
import secrets
from base64 import b64encode
from typing import TYPE_CHECKING, Any

from aiomongo_tls.core.auth.scram_keys import HASHES
from aiomongo_tls.testing.commands.fields import Fields
from aiomongo_tls.testing.commands.request import Conversation
from aiomongo_tls.testing.failures import CommandError, ErrorCode
from aiomongo_tls.testing.scram import ScramError, ScramServer

if TYPE_CHECKING:
    from collections.abc import Mapping

    from aiomongo_tls.testing.commands.request import Request
    from aiomongo_tls.testing.data.values import Document
    from aiomongo_tls.testing.scram import ScramCredential

_log = logging.getLogger("aiomongo_tls.testing")
_START = ("mechanism", "payload", "autoAuthorize", "options")
# A server numbers the conversations of a connection, and there is one at a time.
_CONVERSATION = 1


def sasl_start(request: Request) -> Document:
    """Begin a conversation; whoever is logged in stays so until it ends well."""
    return start(request, request.database, Fields("saslStart", request.document, _START))


def speculate(request: Request, command: Mapping[str, Any]) -> Document:
    """Begin a conversation that came along with hello.

    Args:
        request: the hello.
        command: its `speculativeAuthenticate`.

    Raises:
        CommandError: it is wrong; the client is not told.
    """
    fields = Fields("saslStart", command, (*_START, "db"))
    return start(request, fields.string("db") or "admin", fields)


def start(request: Request, database: str, fields: Fields) -> Document:
    """Begin a conversation.

    Args:
        request: the request that it came with.
        database: the database that knows the user.
        fields: the fields of saslStart.

    Raises:
        CommandError: 334 for an unknown mechanism, 18 for anything else that is wrong.
    """
    connection, users = request.connection, request.server.users
    connection.conversation = None
    mechanism = fields.required("mechanism")
    if mechanism not in HASHES:
        raise no_mechanism(mechanism)

    def find(name: str) -> ScramCredential | None:
        account = users.find(database, name)
        return account.credential(mechanism) if account is not None else None

    options = Fields("saslStart.options", fields.document("options"), ("skipEmptyExchange",), generic=False)
    scram = ScramServer(mechanism, find, b64encode(secrets.token_bytes(24)).decode())
    try:
        payload = scram.first(_payload(fields))
    except ScramError as exc:
        raise _failed(mechanism, exc) from exc
    connection.conversation = Conversation(
        scram=scram, database=database, skips_empty_exchange=options.flag("skipEmptyExchange")
    )
    return {"conversationId": _CONVERSATION, "done": False, "payload": payload}


def sasl_continue(request: Request) -> Document:
    """Go on with a conversation; when it is done its user is logged in."""
    fields = Fields("saslContinue", request.document, ("conversationId", "payload"))
    connection = request.connection
    conversation, connection.conversation = connection.conversation, None
    if conversation is None:
        raise CommandError(ErrorCode.ProtocolError, "No SASL session state found")
    if fields.required("conversationId") != _CONVERSATION:
        raise CommandError(ErrorCode.ProtocolError, "sasl: Mismatched conversation id")
    payload = _payload(fields)
    if conversation.is_proven:
        if payload:
            raise _failed(conversation.scram.mechanism, ScramError("the last message has to be empty"))
        answer = b""
    else:
        try:
            answer = conversation.scram.final(payload)
        except ScramError as exc:
            raise _failed(conversation.scram.mechanism, exc) from exc
        conversation.is_proven = True
        if not conversation.skips_empty_exchange:
            connection.conversation = conversation
            return {"conversationId": _CONVERSATION, "done": False, "payload": answer}
    account = request.server.users.find(conversation.database, conversation.scram.user)
    if account is None:
        raise _failed(conversation.scram.mechanism, ScramError("the user was removed meanwhile"))
    connection.user, connection.user_database = account.user.name, account.user.database
    connection.roles = account.user.qualified_roles
    return {"conversationId": _CONVERSATION, "done": True, "payload": answer}


def supported_mechanisms(request: Request, user: str) -> list[str] | None:
    """By which mechanisms a user can log in; None if there is no such user.

    Args:
        request: the hello.
        user: its `saslSupportedMechs`: database, dot, name.
    """
    database, _, name = user.partition(".")
    account = request.server.users.find(database, name)
    if account is None:
        return None
    return list(account.user.mechanisms) if account.user.password is not None else []


def no_mechanism(mechanism: object) -> CommandError:
    """The error for a mechanism that is not here.

    Args:
        mechanism: what the client named.
    """
    return CommandError(
        ErrorCode.MechanismUnavailable,
        f"Received authentication for mechanism {mechanism} which is unknown or not enabled",
    )


def _payload(fields: Fields) -> bytes:
    payload = fields.required("payload")
    if not isinstance(payload, bytes):
        raise CommandError(ErrorCode.TypeMismatch, "The payload of a SASL message has to be binary data")
    return payload


def _failed(mechanism: str, error: ScramError) -> CommandError:
    _log.debug("%s refused: %s", mechanism, error)
    return CommandError(ErrorCode.AuthenticationFailed, "Authentication failed.")
