"""What an error in reaching a server means: will waiting mend it?

A refused connection, a reset, a timeout, a name that is not known yet: the server may be starting, and trying again is
right. A certificate that is not trusted, a refused credential, a port that speaks something else: trying again for
thirty seconds only hides the cause. Deliberate answers are permanent, accidents of the network are not.

| error                                                          | permanent |
|----------------------------------------------------------------|-----------|
| ConfigurationError (options, files, wire versions)             | always    |
| AuthenticationFailed                                           | always    |
| another answer of the server with an error                     | no        |
| ServerCertificateError, ClientCertificateRejected              | yes       |
| TLSProtocolError, except `tls-closed` (an end without a word)  | yes       |
| ProtocolError (not MongoDB's protocol)                         | yes       |
| TLSHandshakeTimeout, any other ConnectionFailure               | no        |

"Always" means: also with `tlsFailFast=false`, which asks for the rest to be waited out as the specification has it.
The rest are faults of one server, which its monitor meets as well: where there are others, they say nothing of those.
"""

from __future__ import annotations

from aiomongo_tls.errors import (
    AuthenticationFailed,
    ClientCertificateRejected,
    ConfigurationError,
    ConnectionFailure,
    OperationFailure,
    ProtocolError,
    ServerCertificateError,
    TLSProtocolError,
)

_ALWAYS = (ConfigurationError, AuthenticationFailed)
_FAIL_FAST = (ServerCertificateError, ClientCertificateRejected, TLSProtocolError, ProtocolError)
# The server, or something on the way, hung up without giving a reason: a restart looks like that.
_HUNG_UP = "tls-closed"


def is_of_one_server(error: BaseException) -> bool:
    """Whether another server of the same deployment may be free of a permanent fault.

    Args:
        error: what an attempt to open a connection raised.
    """
    return isinstance(error, _FAIL_FAST)


def is_permanent(error: BaseException, *, tls_fail_fast: bool = True) -> bool:
    """Whether trying again cannot help until somebody changes something.

    Args:
        error: what an attempt to open a connection raised.
        tls_fail_fast: `tlsFailFast`.
    """
    if isinstance(error, _ALWAYS):
        return True
    if isinstance(error, TLSProtocolError) and error.reason == _HUNG_UP:
        return False
    if isinstance(error, _FAIL_FAST):
        return tls_fail_fast
    # Anything that is not a fault of server or network is a mistake in this program; hiding it would be another.
    return not isinstance(error, (ConnectionFailure, OperationFailure))
