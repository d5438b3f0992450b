"""What a failed check says about its server."""

from __future__ import annotations

import pytest
from descriptions import at, server

from aiomongo_tls.core.sdam.check_failures import check_failure
from aiomongo_tls.core.sdam.server_description import unknown
from aiomongo_tls.core.server_type import ServerType
from aiomongo_tls.errors import (
    AutoReconnect,
    NetworkTimeout,
    NotPrimaryError,
    OperationFailure,
    ProtocolError,
    ServerCertificateError,
    TLSHandshakeTimeout,
)

A = at("a")
KNOWN = server("a", ServerType.RS_SECONDARY)


@pytest.mark.parametrize(
    ("error", "interrupts", "checks_again"),
    [
        (AutoReconnect("reset"), False, True),
        (NetworkTimeout("no reply"), True, True),
        (TLSHandshakeTimeout("no reply", reason="handshake-timeout"), True, True),
        (ServerCertificateError("expired", reason="certificate-expired"), False, True),
        (NotPrimaryError("shutting down", {"code": 91}), False, False),
        (OperationFailure("no", 1), False, False),
        (ProtocolError("not MongoDB"), False, False),
    ],
)
def test_failure(error: Exception, interrupts: bool, checks_again: bool) -> None:
    """Silence interrupts what is in use; after a network error a server that was known is checked again at once."""
    failure = check_failure(error, KNOWN, now=3.0)
    assert failure.description == unknown(A, error=error)
    assert failure.description.last_update_time == 3.0
    assert (failure.interrupts, failure.checks_again) == (interrupts, checks_again)


def test_second_failure() -> None:
    """A server that was Unknown already is checked again after the pause."""
    first = check_failure(AutoReconnect("reset"), KNOWN, now=3.0)
    assert not check_failure(AutoReconnect("reset"), first.description, now=3.1).checks_again
