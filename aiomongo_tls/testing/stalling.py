"""Servers that stop in the middle: what `MongoTestServer.stalls()` puts in the place of a connection."""

from __future__ import annotations

import asyncio
import ssl
from typing import TYPE_CHECKING, cast

if TYPE_CHECKING:
    from aiomongo_tls.tls.engine import TLSEngine


class Silence(asyncio.Protocol):
    """Accepts a connection and never says a word.

    Args:
        company: all of its kind; it adds itself while it lives.
    """

    def __init__(self, company: set[Silence]) -> None:
        self._company = company
        self._stream: asyncio.Transport | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Take the connection."""
        self._stream = cast("asyncio.Transport", transport)
        self._company.add(self)

    def connection_lost(self, exc: Exception | None) -> None:
        """The client has given up, or `end()` was called."""
        self._company.discard(self)

    def end(self) -> None:
        """End the connection at once."""
        if self._stream is not None:
            self._stream.abort()


class HalfHandshake(Silence):
    """Answers the client's first TLS message with the first half of the server's flight, then is silent.

    Args:
        company: all of its kind.
        engine: a TLS engine in the server role.
    """

    def __init__(self, company: set[Silence], engine: TLSEngine) -> None:
        super().__init__(company)
        self._engine = engine
        self._answered = False

    def data_received(self, data: bytes) -> None:
        """Answer once, with half of what there is to say."""
        if self._answered or self._stream is None:
            return
        try:
            self._engine.receive_data(data)
        except ssl.SSLError:
            self.end()
            return
        flight = self._engine.data_to_send()
        if flight:
            self._answered = True
            self._stream.write(flight[: len(flight) // 2])
