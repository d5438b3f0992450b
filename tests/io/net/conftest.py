"""Both event loops, certificates, and peers made of nothing but the code under test and a listening socket."""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import AsyncIterator, Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

import pytest
import trustme
import uvloop

from aiomongo_tls.net.transport import Transport
from aiomongo_tls.tls.engine import TLSEngine


def pytest_asyncio_loop_factories(config: object, item: object) -> Mapping[str, Callable[[], Any]]:
    """Every test of this folder runs on asyncio's loop and on uvloop's."""
    return {"asyncio": asyncio.new_event_loop, "uvloop": uvloop.new_event_loop}


@pytest.fixture(scope="session")
def ca() -> trustme.CA:
    return trustme.CA()


@pytest.fixture(scope="session")
def stranger_ca() -> trustme.CA:
    return trustme.CA()


@dataclass
class Contexts:
    """SSL contexts for both ends, most of them agreeing with each other."""

    ca: trustme.CA
    stranger_ca: trustme.CA

    def server(self, *, version: ssl.TLSVersion | None = None, client_certificate: bool = False) -> ssl.SSLContext:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        self.ca.issue_cert("localhost", "127.0.0.1").configure_cert(context)
        if version is not None:
            context.minimum_version = context.maximum_version = version
        if client_certificate:
            self.ca.configure_trust(context)
            context.verify_mode = ssl.CERT_REQUIRED
        return context

    def client(self, *, trust: trustme.CA | None = None, certificate_of: trustme.CA | None = None) -> ssl.SSLContext:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        (trust or self.ca).configure_trust(context)
        if certificate_of is not None:
            certificate_of.issue_cert("client@example.net").configure_cert(context)
        return context


@pytest.fixture(scope="session")
def contexts(ca: trustme.CA, stranger_ca: trustme.CA) -> Contexts:
    return Contexts(ca, stranger_ca)


@dataclass
class Recorder:
    """A receiver that remembers what it was told."""

    data: bytearray = field(default_factory=bytearray)
    ends: list[Exception | None] = field(default_factory=list)
    echo: bool = False
    transport: Transport | None = None
    _changed: asyncio.Event = field(default_factory=asyncio.Event)

    def data_received(self, data: bytes) -> None:
        self.data += data
        self._changed.set()
        if self.echo and self.transport is not None:
            self.transport.write(data)

    def stream_lost(self, error: Exception | None) -> None:
        self.ends.append(error)
        self._changed.set()

    async def until(self, condition: Callable[[], object]) -> None:
        async with asyncio.timeout(5):
            while not condition():
                self._changed.clear()
                await self._changed.wait()

    async def receives(self, count: int) -> bytes:
        await self.until(lambda: len(self.data) >= count or self.ends)
        return bytes(self.data)

    async def end(self) -> Exception | None:
        await self.until(lambda: self.ends)
        return self.ends[0]


@dataclass
class Peer:
    """A listening server whose connections are Transports in the server role."""

    port: int
    connections: list[Recorder] = field(default_factory=list)
    _accepted: asyncio.Event = field(default_factory=asyncio.Event)

    async def accepted(self) -> Recorder:
        async with asyncio.timeout(5):
            while not self.connections:
                self._accepted.clear()
                await self._accepted.wait()
        return self.connections[-1]


Listen = Callable[..., Any]


@pytest.fixture
async def listen() -> AsyncIterator[Listen]:
    """Start a server on loopback that ends with the test."""
    servers: list[tuple[asyncio.Server, Peer]] = []

    async def start(context: ssl.SSLContext | None = None, *, echo: bool = False) -> Peer:
        def accept() -> Transport:
            recorder = Recorder(echo=echo)
            engine = TLSEngine(context, server_side=True) if context is not None else None
            recorder.transport = Transport(recorder, engine=engine)
            peer.connections.append(recorder)
            peer._accepted.set()
            return recorder.transport

        server = await asyncio.get_running_loop().create_server(accept, "127.0.0.1", 0)
        peer = Peer(server.sockets[0].getsockname()[1])
        servers.append((server, peer))
        return peer

    yield start
    for server, peer in servers:
        server.close()
        for connection in peer.connections:
            assert connection.transport is not None
            connection.transport.abort()
            await connection.transport.wait_closed()


@pytest.fixture
async def dial() -> AsyncIterator[Callable[..., Any]]:
    """Open the client's end of a connection."""
    opened: list[Recorder] = []

    async def connect(
        port: int,
        context: ssl.SSLContext | None = None,
        *,
        first: bytes = b"",
        server_hostname: str = "localhost",
        explain: Callable[[BaseException], Exception] | None = None,
    ) -> Recorder:
        recorder = Recorder()
        engine = TLSEngine(context, server_hostname=server_hostname) if context is not None else None
        transport = recorder.transport = Transport(recorder, engine=engine, explain=explain)
        if first:
            transport.write(first)
        opened.append(recorder)
        await asyncio.get_running_loop().create_connection(lambda: transport, "127.0.0.1", port)
        return recorder

    yield connect
    for recorder in opened:
        assert recorder.transport is not None
        recorder.transport.abort()
        await recorder.transport.wait_closed()
