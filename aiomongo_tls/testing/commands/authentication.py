"""Logging in by MONGODB-X509, who is logged in, and who may. Logging in by SCRAM is in `sasl`.

A server tells an intruder as little as possible: code 18 stands for a missing certificate, for a user name that is not
the certificate's, and for a certificate that is no user. Code 17 stands for what cannot work at all: no TLS, or another
database than `$external`. Specification: auth, "MONGODB-X509".
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from aiomongo_tls.core.auth.scram_keys import SHA_1, SHA_256
from aiomongo_tls.testing.commands.fields import Fields
from aiomongo_tls.testing.commands.sasl import no_mechanism
from aiomongo_tls.testing.data.values import is_document
from aiomongo_tls.testing.failures import CommandError, ErrorCode
from aiomongo_tls.testing.roles import qualified
from aiomongo_tls.testing.users import EXTERNAL, User

if TYPE_CHECKING:
    from collections.abc import Mapping

    from aiomongo_tls.testing.commands.request import Request
    from aiomongo_tls.testing.data.values import Document

X509 = "MONGODB-X509"


def authenticate(request: Request) -> Document:
    """Log in with the certificate of the TLS connection."""
    Fields("authenticate", request.document, ("mechanism", "user", "db", "nonce", "key"))
    return log_in(request, request.database, request.document)


def log_in(request: Request, database: str, command: Mapping[str, Any]) -> Document:
    """Make the owner of the connection's certificate its user.

    Args:
        request: the request that the wish came with.
        database: the database to log in to.
        command: the `authenticate` command.

    Returns:
        The reply.

    Raises:
        CommandError: 18 or 17, see above; 334 for another mechanism.
    """
    mechanism = command.get("mechanism")
    if mechanism != X509:
        raise no_mechanism(mechanism)
    connection = request.connection
    if connection.tls is None:
        raise CommandError(
            ErrorCode.ProtocolError, "SSL support is required for the MONGODB-X509 mechanism; this server has no TLS."
        )
    if database != EXTERNAL:
        raise CommandError(ErrorCode.ProtocolError, "X.509 authentication must always use the $external database.")
    subject = connection.certificate_subject
    if subject is None:
        raise CommandError(ErrorCode.AuthenticationFailed, "No verified subject name available from client")
    user = command.get("user", subject)
    if user != subject:
        raise CommandError(ErrorCode.AuthenticationFailed, "There is no x.509 client certificate matching the user.")
    account = request.server.users.find(EXTERNAL, subject)
    if account is None:
        raise CommandError(ErrorCode.AuthenticationFailed, "Authentication failed.")
    connection.user, connection.user_database = subject, EXTERNAL
    connection.roles = account.user.qualified_roles
    return {"dbname": EXTERNAL, "user": subject}


def logout(request: Request) -> Document:
    """Forget who is logged in."""
    Fields(request.name, request.document, ())
    request.connection.user = None
    request.connection.roles = None
    request.connection.conversation = None
    return {}


def connection_status(request: Request) -> Document:
    """Tell who is logged in."""
    fields = Fields(request.name, request.document, ("showPrivileges",))
    fields.refuse("showPrivileges")
    connection = request.connection
    if connection.user is None:
        return {"authInfo": {"authenticatedUsers": [], "authenticatedUserRoles": []}}
    return {
        "authInfo": {
            "authenticatedUsers": [{"user": connection.user, "db": connection.user_database}],
            "authenticatedUserRoles": [{"role": role, "db": database} for role, database in connection.roles or ()],
        }
    }


def create_user(request: Request) -> Document:
    """Make a user: of a password, or in `$external` of a certificate's subject."""
    known = ("pwd", "roles", "mechanisms", "digestPassword", "customData", "authenticationRestrictions")
    fields = Fields("createUser", request.document, known)
    name, database = _user_name(request), request.database
    password = fields.string("pwd")
    if (password is None) is not (database == EXTERNAL):
        wanted = "must not have" if database == EXTERNAL else "must have"
        raise CommandError(ErrorCode.BadValue, f"A user of the database {database} {wanted} a 'pwd'")
    if not fields.flag("digestPassword", default=True):
        raise CommandError(ErrorCode.BadValue, "Use of SCRAM-SHA-256 requires undigested passwords")
    if request.server.users.find(database, name) is not None:
        raise CommandError(51003, f'User "{name}@{database}" already exists')
    fields.required("roles")
    roles = tuple(_role(role, database) for role in fields.array("roles"))
    mechanisms = tuple(map(str, fields.array("mechanisms"))) or (SHA_1, SHA_256)
    try:
        user = User(name, password, roles=roles, database=database, mechanisms=mechanisms)
    except ValueError as exc:
        raise CommandError(ErrorCode.BadValue, str(exc)) from exc
    request.server.users.add(user)
    return {}


def drop_user(request: Request) -> Document:
    """Make somebody a user no longer."""
    Fields(request.name, request.document, ())
    name, database = _user_name(request), request.database
    account = request.server.users.find(database, name)
    if account is None:
        raise CommandError(ErrorCode.UserNotFound, f"User '{name}@{database}' not found")
    request.server.users.remove(account.user)
    return {}


def _user_name(request: Request) -> str:
    if not isinstance(request.argument, str) or not request.argument:
        raise CommandError(ErrorCode.TypeMismatch, f"{request.name} needs the user's name")
    return request.argument


def _role(role: Any, database: str) -> str:
    """A role as `createUser` has it, a name or `{role, db}`, in the way `User` has it."""
    entry: Any = role if is_document(role) else {"role": role, "db": database}
    name, where = entry.get("role"), entry.get("db")
    if not isinstance(name, str) or not isinstance(where, str):
        raise CommandError(ErrorCode.BadValue, "a role has to be a name or a document with 'role' and 'db'")
    try:
        return "@".join(qualified(f"{name}@{where}" if is_document(role) else name, database))
    except ValueError as exc:
        raise CommandError(ErrorCode.RoleNotFound, str(exc)) from exc
