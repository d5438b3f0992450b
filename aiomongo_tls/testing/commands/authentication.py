"""Logging in by MONGODB-X509, and who is logged in.

A server tells an intruder as little as possible: code 18 stands for a missing certificate, for a user name that is not
the certificate's, and for a certificate that is no user. Code 17 stands for what cannot work at all: no TLS, or another
database than `$external`. Specification: auth, "MONGODB-X509".
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from aiomongo_tls.testing.commands.fields import Fields
from aiomongo_tls.testing.failures import CommandError, ErrorCode, not_here
from aiomongo_tls.testing.users import EXTERNAL

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
        raise _no_mechanism(mechanism)
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
    if subject not in request.server.users:
        raise CommandError(ErrorCode.AuthenticationFailed, "Authentication failed.")
    connection.user = subject
    return {"dbname": EXTERNAL, "user": subject}


def _no_mechanism(mechanism: Any) -> CommandError:
    return CommandError(
        ErrorCode.MechanismUnavailable,
        f"Received authentication for mechanism {mechanism} which is unknown or not enabled; here is {X509} only",
    )


def sasl_start(request: Request) -> Document:
    """Refuse: no SASL mechanism is here."""
    raise _no_mechanism(request.document.get("mechanism"))


def sasl_continue(_: Request) -> Document:
    """Refuse: no conversation can have been begun."""
    raise CommandError(ErrorCode.ProtocolError, "No SASL session state found")


def logout(request: Request) -> Document:
    """Forget who is logged in."""
    Fields(request.name, request.document, ())
    request.connection.user = None
    return {}


def connection_status(request: Request) -> Document:
    """Tell who is logged in."""
    fields = Fields(request.name, request.document, ("showPrivileges",))
    fields.refuse("showPrivileges")
    user = request.connection.user
    users = [] if user is None else [{"user": user, "db": EXTERNAL}]
    return {"authInfo": {"authenticatedUsers": users, "authenticatedUserRoles": []}}


def create_user(request: Request) -> Document:
    """Make a subject a user. Roles are taken and not looked at: whoever is logged in may do everything."""
    Fields(request.name, request.document, ("roles", "customData", "authenticationRestrictions"))
    name = _external_user(request)
    if name in request.server.users:
        raise CommandError(51003, f'User "{name}@$external" already exists')
    try:
        request.server.users.add(name)
    except ValueError as exc:
        raise CommandError(ErrorCode.BadValue, str(exc)) from exc
    return {}


def drop_user(request: Request) -> Document:
    """Make a subject a user no longer."""
    Fields(request.name, request.document, ())
    name = _external_user(request)
    if name not in request.server.users:
        raise CommandError(ErrorCode.UserNotFound, f"User '{name}@$external' not found")
    request.server.users.remove(name)
    return {}


def _external_user(request: Request) -> str:
    if request.database != EXTERNAL:
        raise not_here("users of other databases than $external")
    if not isinstance(request.argument, str):
        raise CommandError(ErrorCode.TypeMismatch, f"{request.name} needs the user's name")
    return request.argument
