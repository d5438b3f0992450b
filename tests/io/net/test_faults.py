"""The operating system's errors in our words."""

from __future__ import annotations

import errno
import socket

import pytest

from aiomongo_tls.address import ServerAddress
from aiomongo_tls.errors import AutoReconnect, ConnectionFailure, Phase
from aiomongo_tls.net.dialing import NoneAnswered
from aiomongo_tls.net.dns import Endpoint
from aiomongo_tls.net.faults import lost, not_reached, not_resolved

ADDRESS = ServerAddress("db.example.net")
FOUR = Endpoint(socket.AF_INET, ("10.0.0.1", 27017))
SIX = Endpoint(socket.AF_INET6, ("fe80::1", 27017, 0, 0))


@pytest.mark.parametrize(
    ("error", "text"),
    [
        (socket.gaierror(socket.EAI_NONAME, "Name or service not known"), "there is no such name"),
        (socket.gaierror(socket.EAI_AGAIN, "Temporary failure"), "no name server has answered"),
        (OSError("something else"), "something else"),
    ],
)
def test_a_name_that_is_not_found_says_why(error: OSError, text: str) -> None:
    """In words that say where to look."""
    fault = not_resolved(error, ADDRESS)
    assert type(fault) is ConnectionFailure
    assert (fault.host, fault.phase) == (ADDRESS, Phase.DNS)
    assert text in str(fault)


def test_every_address_says_what_it_said() -> None:
    """The advice is for the first."""
    failures = [(SIX, OSError(errno.ENETUNREACH, "x")), (FOUR, OSError(errno.ECONNREFUSED, "x"))]
    fault = not_reached(NoneAnswered(failures), ADDRESS)
    assert str(fault) == (
        "db.example.net:27017: no connection could be made ([fe80::1]:27017: Network is unreachable; "
        "10.0.0.1:27017: Connection refused): this machine has no route there: check its network, VPN and IPv6"
    )
    assert fault.phase is Phase.TCP


def test_an_error_without_advice_is_told_as_it_is() -> None:
    """There is not a word for everything."""
    assert (
        str(not_reached(OSError("strange"), ADDRESS)) == "db.example.net:27017: no connection could be made (strange)"
    )


@pytest.mark.parametrize(
    ("error", "text"),
    [
        (EOFError(), "the server closed the connection while waiting for the reply"),
        (ConnectionResetError(), "reset the connection while waiting for the reply"),
        (BrokenPipeError(), "reset the connection while waiting for the reply"),
        (TimeoutError(), "its peer does not answer any more while waiting for the reply"),
        (OSError("strange"), "the connection broke (strange) while waiting for the reply"),
    ],
)
def test_a_lost_connection_says_how_and_when(error: BaseException, text: str) -> None:
    """The operation may be tried again, so the class is AutoReconnect."""
    fault = lost(error, ADDRESS, Phase.REQUEST)
    assert type(fault) is AutoReconnect
    assert (fault.host, fault.phase) == (ADDRESS, Phase.REQUEST)
    assert text in str(fault)
