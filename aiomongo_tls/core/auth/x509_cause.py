"""Why a server refused MONGODB-X509, as far as it can be told from here.

A server answers code 18 for five different mistakes, so as not to help an attacker. What tells them apart is on our
side: whether there was TLS, whether there was a certificate, whose it is, and what name was claimed.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from aiomongo_tls.core.auth.refusal import UNKNOWN_MECHANISM, LikelyCause

if TYPE_CHECKING:
    from aiomongo_tls.core.auth.facts import ConnectionFacts

_PROTOCOL_ERROR = 17
_SUBJECT_COMMAND = "openssl x509 -noout -subject -nameopt RFC2253 -in <certificate file>"


def likely_cause(facts: ConnectionFacts, *, user: str | None, code: int | None) -> LikelyCause:
    """Say what the likely cause is and what to do.

    Args:
        facts: what is known about the connection.
        user: the user name that was sent, if one was.
        code: the server's error code.
    """
    if not facts.tls:
        return LikelyCause("no-tls", "this connection does not use TLS, so the server saw no certificate: add tls=true")
    if not facts.certificate:
        return LikelyCause(
            "no-client-certificate",
            "this client has no certificate to present: "
            "set tlsCertificateKeyFile to a PEM file with the client's certificate and key",
        )
    if user is not None and facts.subject is not None and user != facts.subject:
        return LikelyCause(
            "user-mismatch",
            f"the user name given is {user!r}, but the certificate's subject is {facts.subject!r}: "
            "leave the user name out, the server takes it from the certificate",
        )
    if code in UNKNOWN_MECHANISM:
        return LikelyCause(
            "mechanism-unavailable",
            "this server does not offer MONGODB-X509: add it to its authenticationMechanisms, or leave authMechanism "
            "out if it admits whoever has a certificate",
        )
    if code == _PROTOCOL_ERROR:
        return LikelyCause(
            "tls-terminated",
            "the server saw no TLS on this connection: "
            "something between this client and the server ends TLS, and with it the certificate",
        )
    return LikelyCause("unknown-user", _unknown_user(facts, user))


def _unknown_user(facts: ConnectionFacts, user: str | None) -> str:
    name = facts.subject or user
    if name is None:
        whose = f"the certificate's subject (`{_SUBJECT_COMMAND}` shows it)"
    elif facts.subject is None:
        whose = f"{name!r}, if that is the certificate's subject (`{_SUBJECT_COMMAND}` shows it)"
    else:
        whose = repr(name)
    return (
        f"the server probably has no user {whose} in $external; an administrator adds it with "
        f"{create_user(name or '<subject>', facts.database)}; otherwise the server has no CA file for client "
        "certificates, or takes the certificate for one of its own cluster's members (same O, OU and DC)"
    )


def create_user(name: str, database: str | None = None) -> str:
    """Write the mongosh command that makes a certificate's subject a MongoDB user.

    Args:
        name: the subject as an RFC 2253 string.
        database: the database that the user may read and write; `test` if not given.
    """
    # JSON strings are JavaScript strings.
    user, role_database = (json.dumps(text, ensure_ascii=False) for text in (name, database or "test"))
    return (
        f'db.getSiblingDB("$external").runCommand('
        f'{{createUser: {user}, roles: [{{role: "readWrite", db: {role_database}}}]}})'
    )
