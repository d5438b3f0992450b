"""A relay between a client and a server without TLS, which reads along: what a client sends, to a server of others.

Messages are taken apart here by hand, and not by the codec that is under test.
"""

from __future__ import annotations

import asyncio
import struct
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any, NamedTuple

import bson

Document = dict[str, Any]

_HEADER = struct.Struct("<iiii")
OP_QUERY = 2004
OP_MSG = 2013


class Request(NamedTuple):
    """One message of a client."""

    connection: int
    """Which of its connections it came on, counted from 0."""
    op_code: int
    flags: int
    body: Document
    sequences: dict[str, list[Document]]

    @property
    def name(self) -> str:
        """The command's name."""
        return next(iter(self.body))


class Relay:
    """The relay of `relaying()`.

    Attributes:
        port: where it listens.
        requests: what went through to the server, in order.
    """

    def __init__(self) -> None:
        self.port = 0
        self.requests: list[Request] = []
        self._connections = 0
        self._changed = asyncio.Event()

    @property
    def uri(self) -> str:
        """Through the relay, without TLS."""
        return f"mongodb://127.0.0.1:{self.port}/"

    def named(self, *names: str) -> list[Request]:
        """The requests with one of these names."""
        return [request for request in self.requests if request.name in names]

    async def occurs(self, name: str, count: int) -> None:
        """Wait until a command has come so often."""
        async with asyncio.timeout(10):
            while len(self.named(name)) < count:
                self._changed.clear()
                await self._changed.wait()

    async def serve(self, target: int, client_reads: asyncio.StreamReader, client_writes: asyncio.StreamWriter) -> None:
        """Carry one connection."""
        number = self._connections
        self._connections += 1
        reads, writes = await asyncio.open_connection("127.0.0.1", target)
        back = asyncio.create_task(_copy(reads, client_writes))
        try:
            while True:
                head = await client_reads.readexactly(_HEADER.size)
                length, _, _, op_code = _HEADER.unpack(head)
                payload = await client_reads.readexactly(length - _HEADER.size)
                self.requests.append(_read(number, op_code, payload))
                self._changed.set()
                writes.write(head + payload)
        except (asyncio.IncompleteReadError, ConnectionError):
            pass
        finally:
            back.cancel()
            writes.close()
            client_writes.close()


async def _copy(source: asyncio.StreamReader, target: asyncio.StreamWriter) -> None:
    while data := await source.read(65_536):
        target.write(data)
    target.close()


def _read(connection: int, op_code: int, payload: bytes) -> Request:
    (flags,) = struct.unpack_from("<I", payload)
    if op_code != OP_MSG:
        start = payload.index(b"\0", 4) + 1 + 8
        return Request(connection, op_code, flags, bson.decode(payload[start:]), {})
    body: Document = {}
    sequences: dict[str, list[Document]] = {}
    position = 4
    while position < len(payload):
        kind = payload[position]
        (size,) = struct.unpack_from("<i", payload, position + 1)
        section = payload[position + 1 : position + 1 + size]
        position += 1 + size
        if kind == 0:
            body = bson.decode(section)
        else:
            end = section.index(b"\0", 4)
            sequences[section[4:end].decode()] = bson.decode_all(section[end + 1 :])
    return Request(connection, op_code, flags, body, sequences)


@asynccontextmanager
async def relaying(port: int) -> AsyncIterator[Relay]:
    """A relay to a port of this machine.

    Args:
        port: where the server listens, without TLS.
    """
    relay = Relay()
    tasks: set[asyncio.Task[None]] = set()

    async def serve(reads: asyncio.StreamReader, writes: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        tasks.add(task)
        await relay.serve(port, reads, writes)

    listener = await asyncio.start_server(serve, "127.0.0.1", 0)
    relay.port = listener.sockets[0].getsockname()[1]
    try:
        yield relay
    finally:
        listener.close()
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
