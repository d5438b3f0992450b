"""From an error of a client to a finding: what it says is taken over, field by field.

Most errors bring their slug along. Those of the network and of options have none; the tables here say what they are.
"""

from __future__ import annotations

import errno
import socket
from typing import TYPE_CHECKING

from aiomongo_tls.doctor.findings import Check, Finding, error
from aiomongo_tls.errors import (
    AuthenticationFailed,
    ConfigurationError,
    ConnectionFailure,
    InvalidURI,
    MongoError,
    NetworkTimeout,
    OperationFailure,
    Phase,
    ProtocolError,
    TLSError,
    TLSHandshakeTimeout,
)

if TYPE_CHECKING:
    from aiomongo_tls.address import ServerAddress

CHECKS = {
    Phase.SELECTION: Check.HELLO,
    Phase.QUEUE: Check.HELLO,
    Phase.DNS: Check.DNS,
    Phase.TCP: Check.TCP,
    Phase.TLS: Check.TLS,
    Phase.HELLO: Check.HELLO,
    Phase.AUTH: Check.AUTH,
    Phase.REQUEST: Check.PING,
}
"""The check that a phase of a connection belongs to."""

_NAMES = {
    socket.EAI_NONAME: (
        "name-not-found",
        "there is no such host name",
        "check its spelling, and what this machine's DNS and /etc/hosts know",
    ),
    socket.EAI_AGAIN: (
        "dns-unavailable",
        "no name server has answered",
        "check this machine's network and DNS",
    ),
}
_OTHER_NAME = ("dns-failed", "the host name could not be looked up", "check this machine's DNS")

_UNREACHABLE = (
    "unreachable",
    "this machine has no route there",
    "check its network, VPN and IPv6",
)
_DIALING = {
    errno.ECONNREFUSED: (
        "connection-refused",
        "nothing listens there",
        "see whether the server is running, and on this address and port",
    ),
    errno.ENETUNREACH: _UNREACHABLE,
    errno.EHOSTUNREACH: _UNREACHABLE,
    errno.ETIMEDOUT: ("tcp-timeout", "nobody answers", "a firewall may drop the packets; check host and port"),
    errno.ENOENT: (
        "no-such-socket",
        "there is no such socket",
        "see whether the server is running on this machine, with this path",
    ),
    errno.EACCES: (
        "socket-forbidden",
        "this program may not open the socket",
        "check the permissions of the socket and its directory",
    ),
}
_OTHER_DIALING = ("not-reached", "no connection could be made", "check host, port, and this machine's network")

_SILENT = {
    Check.DNS: "check this machine's network and DNS",
    Check.TCP: "a firewall may drop the packets; check host and port",
}
_SILENT_SERVER = "see whether this is a MongoDB server, whether it hangs, and what is in between"

_ANSWERS: dict[int | None, str] = {
    13: "log in: add a user and its authMechanism, or tlsCertificateKeyFile with authMechanism=MONGODB-X509",
    354: "add loadBalanced=true, or leave it out where there is no load balancer",
}
"""What to do about an error that the server answers with, by its code: Unauthorized, LoadBalancerSupportMismatch."""


def finding_of(
    exc: Exception, check: Check, *, host: ServerAddress | None = None, elapsed: float | None = None
) -> Finding:
    """Make a finding of an error.

    Args:
        exc: what a step has raised.
        check: which step it was; an error that knows better is believed.
        host: the server concerned.
        elapsed: seconds that the step took.
    """
    if isinstance(exc, TLSError):
        late = _lateness(exc, host) if isinstance(exc, TLSHandshakeTimeout) else None
        return error(
            Check.TLS if host is not None else check,
            exc.reason,
            late[0] if late is not None else _message(exc, host),
            host=host,
            expected=exc.expected,
            found=exc.presented,
            fix=exc.hint,
            elapsed=elapsed,
        )
    if isinstance(exc, AuthenticationFailed):
        return error(
            Check.AUTH,
            exc.reason,
            _message(exc, host),
            host=host,
            found=f"{exc.mechanism or 'authentication'} as {exc.user or 'the subject of the client certificate'}",
            fix=exc.hint,
            elapsed=elapsed,
        )
    if isinstance(exc, ConnectionFailure):
        return _of_connection(exc, check, host, elapsed)
    if isinstance(exc, ProtocolError):
        return error(
            check,
            "not-mongodb",
            "what answers there does not speak MongoDB's protocol",
            host=host,
            expected="a reply to hello",
            found=_message(exc, host),
            fix="check host and port",
            elapsed=elapsed,
        )
    if isinstance(exc, OperationFailure):
        fix = _ANSWERS.get(exc.code, "look into the server's log at this time")
        found = f"code {exc.code} {exc.code_name or ''}".strip() if exc.code is not None else None
        title = _message(exc, host)
        return error(check, f"{check}-failed", title, host=host, found=found, fix=fix, elapsed=elapsed)
    title, _, fix = _message(exc, host).rpartition("; ")
    if not title:
        title, fix = fix, ""
    return error(check, _reason(exc, check), title, host=host, fix=fix or None, elapsed=elapsed)


def _of_connection(exc: ConnectionFailure, check: Check, host: ServerAddress | None, elapsed: float | None) -> Finding:
    number = getattr(exc.__cause__, "errno", None) or 0
    if isinstance(exc, NetworkTimeout):
        title, peer = _lateness(exc, host)
        fix = _SILENT.get(check, _SILENT_SERVER)
        return error(check, f"{check}-timeout", title, host=host, found=peer, fix=fix, elapsed=elapsed)
    if check is Check.DNS and host is not None:
        reason, title, fix = _NAMES.get(number, _OTHER_NAME)
        return error(check, reason, title, host=host, found=str(exc.__cause__ or exc), fix=fix, elapsed=elapsed)
    if check is Check.DNS:
        return error(
            check, "dns-failed", _message(exc, host), fix="check this machine's network and DNS", elapsed=elapsed
        )
    if check is Check.TCP:
        reason, title, fix = _DIALING.get(number, _OTHER_DIALING)
        found = _message(exc, host).removeprefix("no connection could be made (").partition(")")[0]
        return error(check, reason, title, host=host, found=found, fix=fix, elapsed=elapsed)
    return error(
        check,
        "connection-lost",
        _message(exc, host),
        host=host,
        fix="look into the server's log at this time; a proxy, load balancer or firewall in between may have ended it",
        elapsed=elapsed,
    )


def _lateness(exc: Exception, host: ServerAddress | None) -> tuple[str, str | None]:
    """What was waited for in vain, and what the server did meanwhile.

    The errors name the option that limited the waiting. Here that is a share of the doctor's own time.
    """
    _, passed, doing = _message(exc, host).partition(" has passed while ")
    if not passed:
        return _message(exc, host), None
    what, _, peer = doing.partition("; ")
    return f"no answer in time while {what}", peer or None


def _reason(exc: Exception, check: Check) -> str:
    if isinstance(exc, InvalidURI):
        return "invalid-uri"
    if isinstance(exc, ConfigurationError):
        return exc.reason or ("invalid-options" if check in (Check.URI, Check.FILES) else f"{check}-unusable")
    return f"{check}-error"


def _message(exc: Exception, host: ServerAddress | None) -> str:
    """What happened, without host, slug and hint, which have fields of their own."""
    message = str(exc.args[0]) if isinstance(exc, MongoError) and exc.args else str(exc)
    return message.removeprefix(f"{host}: ").removeprefix(f"{host} ") if host is not None else message
