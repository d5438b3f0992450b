"""How far the way to one server has come, and what the server did meanwhile: what a timeout has to tell."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

from aiomongo_tls.errors import NetworkTimeout, Phase, TLSHandshakeTimeout
from aiomongo_tls.tls.verdicts import HANDSHAKE_TIMEOUT

if TYPE_CHECKING:
    from aiomongo_tls.address import ServerAddress


class Stream(Protocol):
    """What is asked of a byte stream."""

    bytes_received: int
    """Bytes that came from the peer, before decryption."""
    payload_received: int
    """Bytes of payload that came from the peer."""

    @property
    def is_gone(self) -> bool:
        """Whether the socket is closed."""
        ...

    async def wait_closed(self) -> None:
        """Wait until the socket is closed."""
        ...


class Progress:
    """The way to one server, from the look-up of its name on.

    Args:
        address: the server.

    Attributes:
        address: the server.
        phase: what is being done or waited for.
        stream: the byte stream, None before there is a TCP connection.
    """

    __slots__ = ("_mark", "address", "phase", "stream")

    def __init__(self, address: ServerAddress) -> None:
        self.address = address
        self.phase = Phase.DNS
        self.stream: Stream | None = None
        # Bytes of payload that had come when this phase began.
        self._mark = 0

    def enter(self, phase: Phase) -> None:
        """Take note that `phase` begins."""
        self.phase = phase
        # Before the reply to hello no payload comes, and that one may be here before this note of it.
        if self.stream is not None and phase is not Phase.HELLO:
            self._mark = self.stream.payload_received

    def note_received(self, count: int) -> None:
        """Take note that so many bytes of payload have come for this phase, where its beginning was not noted.

        Args:
            count: how many.
        """
        if self.stream is not None:
            self._mark = self.stream.payload_received - count

    @property
    def received(self) -> int:
        """Bytes that came from the server for this phase."""
        if self.stream is None:
            return 0
        if self.phase is Phase.TLS:
            return self.stream.bytes_received
        return self.stream.payload_received - self._mark

    @property
    def peer(self) -> str:
        """What the server did in this phase; empty where nothing can be said about it."""
        if self.phase is Phase.DNS or self.phase is Phase.TCP:
            return ""
        if self.received:
            return f"the server has sent only {self.received} bytes"
        if self.phase is Phase.TLS:
            return "the server accepted the TCP connection and has sent nothing"
        return "the server has sent nothing"

    def time_is_up(self, option: str) -> NetworkTimeout | TLSHandshakeTimeout:
        """The error for a wait that has ended in this phase.

        Args:
            option: what limited it, for example `connectTimeoutMS=500`.
        """
        message = f"{option} has passed while {self.phase.doing}"
        if self.peer:
            message = f"{message}; {self.peer}"
        if self.phase is not Phase.TLS:
            return NetworkTimeout(message, host=self.address, phase=self.phase)
        return TLSHandshakeTimeout(
            message,
            reason=HANDSHAKE_TIMEOUT.reason,
            host=self.address,
            expected="a TLS handshake",
            presented=f"{self.received} bytes" if self.received else "silence",
            hint=HANDSHAKE_TIMEOUT.hint,
        )
