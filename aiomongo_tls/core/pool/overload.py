"""Which failed attempts to open a connection may mean that the server has too much to do.

Such an error carries two labels (`OVERLOAD` of `core/error_labels`). The topology then leaves server and pool as they
are, because clearing the pool would make more attempts, and the operation is tried again after a pause.

| what failed                                        | may be overload                                |
|----------------------------------------------------|------------------------------------------------|
| the look-up of the host name                       | no                                             |
| the TCP connection: refused, reset, timeout        | yes                                            |
| TLS: the peer hung up, reset or silent             | yes                                            |
| TLS: a certificate, a name, a version, any verdict | no                                             |
| hello: hung up, reset or silent                    | yes                                            |
| hello: an answer, whatever it says                 | no                                             |
| authentication and everything after it             | no                                             |

Specification: connection monitoring and pooling, "Backpressure-enabled".
"""

from __future__ import annotations

from aiomongo_tls.errors import ConnectionFailure, Phase, TLSError, TLSHandshakeTimeout

_PHASES = frozenset({Phase.TCP, Phase.TLS, Phase.HELLO})
# The peer, or something on the way, hung up without giving a reason.
_HUNG_UP = "tls-closed"


def may_be_overload(error: BaseException) -> bool:
    """Whether an attempt to open a connection may have failed because the server has too much to do.

    Args:
        error: what the attempt raised; its `phase` says how far it had come.
    """
    if not isinstance(error, ConnectionFailure) or error.phase not in _PHASES:
        return False
    if isinstance(error, TLSError):
        return isinstance(error, TLSHandshakeTimeout) or error.reason == _HUNG_UP
    return True
