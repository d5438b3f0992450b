"""What a timeout tells: phase, and what the server did in it."""

from __future__ import annotations

import pytest

from aiomongo_tls.address import ServerAddress
from aiomongo_tls.errors import NetworkTimeout, Phase, TLSHandshakeTimeout
from aiomongo_tls.net.progress import Progress

ADDRESS = ServerAddress("db.example.net")


class Stream:
    """Counts what the test says."""

    bytes_received = 0
    payload_received = 0
    is_gone = False

    async def wait_closed(self) -> None: ...


def progress(phase: Phase, *, received: int = 0, payload: int = 0) -> Progress:
    made = Progress(ADDRESS)
    stream = made.stream = Stream()
    made.enter(phase)
    stream.bytes_received = received
    stream.payload_received = payload
    return made


@pytest.mark.parametrize(
    ("phase", "expected"),
    [
        (Phase.DNS, "x=1 has passed while looking up the host name"),
        (Phase.TCP, "x=1 has passed while opening the TCP connection"),
        (Phase.HELLO, "x=1 has passed while waiting for the reply to hello; the server has sent nothing"),
        (Phase.AUTH, "x=1 has passed while authenticating; the server has sent nothing"),
        (Phase.REQUEST, "x=1 has passed while waiting for the reply; the server has sent nothing"),
    ],
)
def test_each_phase_has_its_words(phase: Phase, expected: str) -> None:
    """Of the phases before there is a connection nothing is said about the server."""
    error = progress(phase).time_is_up("x=1")
    assert type(error) is NetworkTimeout
    assert (error.host, error.phase) == (ADDRESS, phase)
    assert str(error) == f"{ADDRESS}: {expected}"


def test_the_tls_handshake_has_a_class_of_its_own() -> None:
    """With a reason, and a hint that fits silence as well as half an answer."""
    silent = progress(Phase.TLS).time_is_up("x=1")
    assert isinstance(silent, TLSHandshakeTimeout)
    assert (silent.reason, silent.presented) == ("handshake-timeout", "silence")
    assert "accepted the TCP connection and has sent nothing" in str(silent)
    dribbling = progress(Phase.TLS, received=7).time_is_up("x=1")
    assert isinstance(dribbling, TLSHandshakeTimeout)
    assert dribbling.presented == "7 bytes"


def test_bytes_are_counted_from_the_beginning_of_a_phase() -> None:
    """What came for the request before is not counted for this one."""
    made = progress(Phase.REQUEST, payload=100)
    made.enter(Phase.REQUEST)
    assert made.received == 0
    assert made.stream is not None
    made.stream.payload_received += 5
    assert made.peer == "the server has sent only 5 bytes"


def test_a_reply_to_hello_that_is_faster_than_the_bookkeeping_counts() -> None:
    """It may be there before the phase is entered."""
    made = progress(Phase.TLS, received=1000, payload=6)
    made.enter(Phase.HELLO)
    assert made.received == 6
