"""Whether waiting can mend a fault."""

from __future__ import annotations

import pytest

from aiomongo_tls.core.sdam.failures import is_of_one_server, is_permanent
from aiomongo_tls.errors import (
    AuthenticationFailed,
    AutoReconnect,
    ClientCertificateRejected,
    ConfigurationError,
    ConnectionFailure,
    NetworkTimeout,
    NotPrimaryError,
    OperationFailure,
    ProtocolError,
    ServerCertificateError,
    TLSHandshakeTimeout,
    TLSProtocolError,
)


@pytest.mark.parametrize(
    "error",
    [
        ServerCertificateError(reason="unknown-ca"),
        ClientCertificateRejected(reason="client-certificate-required"),
        TLSProtocolError(reason="not-tls"),
        TLSProtocolError(reason="tls-failure"),
        ProtocolError(),
    ],
)
def test_a_deliberate_refusal_is_permanent_unless_the_user_wants_to_wait(error: Exception) -> None:
    """`tlsFailFast=false` turns it into a fault like any other; it says nothing of other servers."""
    assert is_of_one_server(error)
    assert is_permanent(error)
    assert not is_permanent(error, tls_fail_fast=False)


@pytest.mark.parametrize("error", [ConfigurationError(), AuthenticationFailed(code=18), KeyError()])
def test_some_faults_are_always_permanent(error: Exception) -> None:
    """A credential or an option does not get better by waiting or elsewhere, nor does a mistake in the program."""
    assert not is_of_one_server(error)
    assert is_permanent(error)
    assert is_permanent(error, tls_fail_fast=False)


@pytest.mark.parametrize(
    "error",
    [
        ConnectionFailure(),
        AutoReconnect(),
        NetworkTimeout(),
        NotPrimaryError(),
        TLSHandshakeTimeout(reason="handshake-timeout"),
        TLSProtocolError(reason="tls-closed"),
        OperationFailure(code=91),
    ],
)
def test_an_accident_of_the_network_is_transient(error: Exception) -> None:
    """A server that restarts looks like that."""
    assert not is_permanent(error)
