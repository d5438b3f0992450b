"""Both event loops, and the two ends of a byte stream."""

from __future__ import annotations

import asyncio
import socket
import ssl
from collections.abc import AsyncIterator, Callable, Iterator, Mapping
from contextlib import ExitStack
from typing import Any

import pytest
import uvloop
from peers import Contexts, Recorder

from aiomongo_tls.net.transport import Transport
from aiomongo_tls.tls.engine import TLSEngine


def pytest_asyncio_loop_factories(config: object, item: object) -> Mapping[str, Callable[[], Any]]:
    """Every test of this folder runs on asyncio's loop and on uvloop's."""
    return {"asyncio": asyncio.new_event_loop, "uvloop": uvloop.new_event_loop}


@pytest.fixture(scope="session")
def contexts() -> Contexts:
    return Contexts()


@pytest.fixture
def silent_port() -> Iterator[int]:
    """A port that never answers: its queue is full, so the kernel drops what knocks."""
    with ExitStack() as stack:
        listener = stack.enter_context(socket.socket())
        listener.bind(("127.0.0.1", 0))
        listener.listen(0)
        for _ in range(2):
            knocking = stack.enter_context(socket.socket())
            knocking.setblocking(False)
            knocking.connect_ex(listener.getsockname())
        yield int(listener.getsockname()[1])


class Ends:
    """The ends of connections on one side, the newest last."""

    def __init__(self) -> None:
        self.port = 0
        self.connections: list[Recorder] = []
        self.changed = asyncio.Event()

    def add(self, recorder: Recorder) -> None:
        self.connections.append(recorder)
        self.changed.set()

    async def accepted(self) -> Recorder:
        async with asyncio.timeout(5):
            while not self.connections:
                self.changed.clear()
                await self.changed.wait()
        return self.connections[-1]

    async def abort(self) -> None:
        for recorder in self.connections:
            assert recorder.transport is not None
            recorder.transport.abort()
            await recorder.transport.wait_closed()


@pytest.fixture
async def listen() -> AsyncIterator[Callable[..., Any]]:
    """Start a server on loopback that ends with the test."""
    servers: list[tuple[asyncio.Server, Ends]] = []

    async def start(context: ssl.SSLContext | None = None, *, echo: bool = False) -> Ends:
        def accept() -> Transport:
            recorder = Recorder(echo=echo)
            engine = TLSEngine(context, server_side=True) if context is not None else None
            recorder.transport = Transport(recorder, engine=engine)
            ends.add(recorder)
            return recorder.transport

        server = await asyncio.get_running_loop().create_server(accept, "127.0.0.1", 0)
        ends = Ends()
        ends.port = server.sockets[0].getsockname()[1]
        servers.append((server, ends))
        return ends

    yield start
    for server, ends in servers:
        server.close()
        await ends.abort()


@pytest.fixture
async def dial() -> AsyncIterator[Callable[..., Any]]:
    """Open the client's end of a connection."""
    ends = Ends()

    async def connect(
        port: int,
        context: ssl.SSLContext | None = None,
        *,
        first: bytes = b"",
        explain: Callable[[BaseException], Exception] | None = None,
    ) -> Recorder:
        recorder = Recorder()
        engine = TLSEngine(context, server_hostname="localhost") if context is not None else None
        transport = recorder.transport = Transport(recorder, engine=engine, explain=explain)
        if first:
            transport.write(first)
        await asyncio.get_running_loop().create_connection(lambda: transport, "127.0.0.1", port)
        ends.add(recorder)
        return recorder

    yield connect
    await ends.abort()
