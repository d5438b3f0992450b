"""Sessions: whose a command is, and which retryable write it belongs to; the commands that start, list and end them.

A real server reads `lsid` and `txnNumber` before a fail point may act, and decides afterwards whether this command may
have a number at all. Specification: driver-sessions; retryable-writes.
"""

from __future__ import annotations

import hashlib
import uuid
from typing import TYPE_CHECKING, Any

from bson import Int64
from bson.binary import UUID_SUBTYPE, Binary

from aiomongo_tls.testing.commands.fields import Fields
from aiomongo_tls.testing.data.values import is_document, type_name
from aiomongo_tls.testing.failures import CommandError, ErrorCode, not_here
from aiomongo_tls.testing.sessions import RetryableWrite, SessionId

if TYPE_CHECKING:
    from collections.abc import Iterator

    from aiomongo_tls.testing.commands.request import ConnectionState, Request
    from aiomongo_tls.testing.data.values import Document

_WHERE = "OperationSessionInfo"
_RETRYABLE = frozenset({"insert", "update", "delete", "findAndModify", "findandmodify"})


def identify(request: Request) -> SessionId | None:
    """The session that a command belongs to, None if it has none.

    Raises:
        CommandError: 14, 40414, 40415: `lsid` is malformed; 72: it misses, or what comes with it does not fit; 20:
            numbers where there are none.
    """
    document = request.document
    session = None
    if "lsid" in document:
        session = _session(document["lsid"], request.connection, f"{_WHERE}.lsid")
        request.server.sessions.use(session, request.server.now())
    if "txnNumber" in document:
        number = document["txnNumber"]
        if not isinstance(number, Int64):
            raise _wrong_type(f"{_WHERE}.txnNumber", type_name(number), "long")
        if session is None:
            raise _invalid("Transaction number requires a session ID to also be specified")
        if not request.node.takes_transaction_numbers:
            raise CommandError(
                ErrorCode.IllegalOperation, "Transaction numbers are only allowed on a replica set member or mongos"
            )
        if number < 0:
            raise _invalid("Transaction number cannot be negative")
    elif "autocommit" in document:
        raise _invalid("'autocommit' field requires a transaction number to also be specified")
    if "startTransaction" in document and "autocommit" not in document:
        raise _invalid("'startTransaction' field requires 'autocommit' field to also be specified")
    if "autocommit" in document and document["autocommit"] is not False:
        raise _invalid("Specifying autocommit=true is not allowed.")
    return session


def begin(request: Request) -> RetryableWrite | None:
    """The retryable write that a command is, None if it is none.

    Raises:
        CommandError: 50768: the command cannot have a number; 225: an old one; 238: a transaction.
    """
    document = request.document
    if "autocommit" in document:
        raise not_here("transactions")
    if "txnNumber" not in document or request.session is None:
        return None
    if request.name not in _RETRYABLE:
        raise CommandError(
            50768,
            "txnNumber may only be provided for multi-document transactions and retryable write commands. "
            f"autocommit:false was not provided, and {request.name} is not a retryable write command.",
        )
    return request.server.sessions.begin(request.session, int(document["txnNumber"]))


def start(request: Request) -> Document:
    """A new session's id."""
    Fields(request.name, request.document, ())
    return {"id": {"id": Binary(uuid.uuid4().bytes, UUID_SUBTYPE)}, "timeoutMinutes": 30}


def end(request: Request) -> Document:
    """Take note that sessions have ended (or go on): there is nothing to keep."""
    Fields(request.name, request.document, ()).array(request.name)
    return {}


def listed(request: Request, argument: Any) -> Iterator[Document]:
    """What `$listLocalSessions` lists: sessions of the user, of the users that are named, or all.

    Args:
        request: the aggregate command.
        argument: the stage's argument.
    """
    where = "$listLocalSessions"
    if not is_document(argument):
        raise _wrong_type(where, type_name(argument), "object")
    fields = Fields(where, argument, ("allUsers", "users"), generic=False)
    users = {_user(item) for item in fields.array("users")} or {_owner(request.connection)}
    for session, known in list(request.server.sessions):
        if fields.flag("allUsers") or session.user in users:
            digest = Binary(hashlib.sha256(session.user.encode()).digest())
            yield {
                "_id": {"id": Binary(session.id, UUID_SUBTYPE), "uid": digest},
                "lastUse": known.last_use,
            }


def kill(request: Request) -> Document:
    """End what runs in sessions of the user: their cursors are closed."""
    items = Fields(request.name, request.document, ()).array(request.name)
    sessions = {_session(item, request.connection, f"{request.name}.{request.name}") for item in items}
    request.server.cursors.kill_sessions(lambda session: session in sessions)
    return {}


def kill_all(request: Request) -> Document:
    """End what runs in any session, or in those of the users that are named."""
    items = Fields(request.name, request.document, ()).array(request.name)
    users = {_user(item) for item in items}
    request.server.cursors.kill_sessions(lambda session: not users or session.user in users)
    return {}


def _user(item: Any) -> str:
    where = "KillAllSessionsUser"
    if not is_document(item):
        raise _wrong_type(where, type_name(item), "object")
    fields = Fields(where, item, ("user", "db"), generic=False)
    return f"{fields.required('user')}@{fields.required('db')}"


def _session(value: Any, connection: ConnectionState, where: str) -> SessionId:
    if not is_document(value):
        raise _wrong_type(where, type_name(value), "object")
    chosen = value.get("id")
    if len(value) != 1 or chosen is None:
        fields = Fields(where, value, ("id", "uid", "txnNumber", "txnUUID"), generic=False)
        fields.refuse("uid", "txnNumber", "txnUUID")
        chosen = fields.required("id")
    if not isinstance(chosen, Binary):
        raise _wrong_type(f"{where}.id", type_name(chosen), "binData")
    if chosen.subtype != UUID_SUBTYPE or len(chosen) != 16:
        raise _wrong_type(f"{where}.id", f"binData subtype {chosen.subtype}", "UUID")
    return SessionId(bytes(chosen), _owner(connection))


def _owner(connection: ConnectionState) -> str:
    return "" if connection.user is None else f"{connection.user}@{connection.user_database}"


def _wrong_type(name: str, found: str, expected: str) -> CommandError:
    return CommandError(
        ErrorCode.TypeMismatch, f"BSON field '{name}' is the wrong type '{found}', expected type '{expected}'"
    )


def _invalid(text: str) -> CommandError:
    return CommandError(ErrorCode.InvalidOptions, text)
