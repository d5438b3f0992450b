"""What the operating system says about a connection, in words that name the server, the phase and what to look at."""

from __future__ import annotations

import errno
import socket
from typing import TYPE_CHECKING

from aiomongo_tls.errors import AutoReconnect, ConnectionFailure, Phase
from aiomongo_tls.net.dialing import NoneAnswered

if TYPE_CHECKING:
    from aiomongo_tls.address import ServerAddress

_LOOK_UP = {
    socket.EAI_NONAME: "there is no such name; check its spelling and what this machine's DNS and /etc/hosts know",
    socket.EAI_AGAIN: "no name server has answered; check this machine's network and DNS",
}

_DIALING = {
    errno.ECONNREFUSED: "nothing listens there: is the server running, and on this address and port?",
    errno.ENETUNREACH: "this machine has no route there: check its network, VPN and IPv6",
    errno.EHOSTUNREACH: "this machine has no route there: check its network, VPN and IPv6",
    errno.ETIMEDOUT: "nobody answers: a firewall may drop the packets",
    errno.ENOENT: "there is no such socket: is the server running on this machine, with this path?",
    errno.EACCES: "this program may not open it: check the permissions of the socket and its directory",
}


def not_resolved(exc: OSError, address: ServerAddress) -> ConnectionFailure:
    """The error for a host name that could not be looked up."""
    reason = _LOOK_UP.get(exc.errno or 0) or exc.strerror or str(exc)
    return ConnectionFailure(f"the host name could not be looked up: {reason}", host=address, phase=Phase.DNS)


def not_reached(exc: OSError, address: ServerAddress) -> ConnectionFailure:
    """The error for a server that no connection could be made to; tells what each of its addresses said."""
    first = exc.failures[0][1] if isinstance(exc, NoneAnswered) else exc
    advice = _DIALING.get(first.errno or 0)
    message = f"no connection could be made ({exc})"
    return ConnectionFailure(f"{message}: {advice}" if advice else message, host=address, phase=Phase.TCP)


def lost(exc: BaseException | None, address: ServerAddress, phase: Phase, advice: str = "") -> AutoReconnect:
    """The error for a connection that the server or the network has ended."""
    if isinstance(exc, EOFError):
        what = "the server closed the connection"
    elif isinstance(exc, (ConnectionResetError, BrokenPipeError)):
        what = "the server, or something on the way, reset the connection"
    elif isinstance(exc, TimeoutError):
        what = "the connection is dead, its peer does not answer any more"
    else:
        what = f"the connection broke ({exc})"
    message = f"{what} while {phase.doing}"
    return AutoReconnect(f"{message}: {advice}" if advice else message, host=address, phase=phase)


def turned_away(exc: BaseException | None, address: ServerAddress) -> AutoReconnect:
    """The error for a server that answers the first command, sent without TLS, by hanging up."""
    return lost(exc, address, Phase.HELLO, "a server that speaks TLS only does that; if this one does, add tls=true")
