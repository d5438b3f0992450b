"""Which failed attempts may mean that the server has too much to do."""

from __future__ import annotations

import pytest

from aiomongo_tls.core.pool.overload import may_be_overload
from aiomongo_tls.errors import (
    AuthenticationFailed,
    AutoReconnect,
    ClientCertificateRejected,
    ConfigurationError,
    ConnectionFailure,
    NetworkTimeout,
    OperationFailure,
    Phase,
    PoolClosedError,
    ProtocolError,
    ServerCertificateError,
    TLSHandshakeTimeout,
    TLSProtocolError,
)


@pytest.mark.parametrize(
    "error",
    [
        ConnectionFailure("refused", phase=Phase.TCP),
        NetworkTimeout("silent", phase=Phase.TCP),
        AutoReconnect("reset", phase=Phase.TLS),
        TLSProtocolError("hung up", reason="tls-closed"),
        TLSHandshakeTimeout("silent", reason="handshake-timeout"),
        AutoReconnect("hung up", phase=Phase.HELLO),
        NetworkTimeout("silent", phase=Phase.HELLO),
    ],
    ids=str,
)
def test_the_network_may_be_overloaded_until_hello_is_answered(error: Exception) -> None:
    """Refusals, resets, ends and silence."""
    assert may_be_overload(error)


@pytest.mark.parametrize(
    "error",
    [
        ConnectionFailure("no such name", phase=Phase.DNS),
        NetworkTimeout("no answer", phase=Phase.DNS),
        ServerCertificateError("not trusted", reason="unknown-ca"),
        ServerCertificateError("another name", reason="hostname-mismatch"),
        ClientCertificateRejected("not trusted", reason="client-certificate-unknown-ca", phase=Phase.HELLO),
        TLSProtocolError("not TLS", reason="not-tls"),
        TLSProtocolError("an old version", reason="protocol-version"),
        AutoReconnect("hung up", phase=Phase.AUTH),
        NetworkTimeout("silent", phase=Phase.AUTH),
        AutoReconnect("hung up", phase=Phase.REQUEST),
        PoolClosedError("closed"),
        AuthenticationFailed("no", 18),
        OperationFailure("shutting down", 91),
        ProtocolError("not MongoDB"),
        ConfigurationError("too old"),
        OSError("whatever"),
    ],
    ids=str,
)
def test_everything_else_has_another_cause(error: Exception) -> None:
    """Names, certificates, answers, and whatever happens from authentication on."""
    assert not may_be_overload(error)
