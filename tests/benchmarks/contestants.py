"""Who is compared. Each is opened once, in one process with the others, and takes its turn in each round.

`aiomongo_tls` and `PyMongo Async` are given the same tasks through the same public API, and the options that they come
with: sessions, retryable writes, monitors are on. `bare asyncio` is the limit: a protocol that writes the very bytes
which aiomongo_tls sent for a task and waits for as many replies, over asyncio's own TLS; no BSON, no pool, no deadline.
`bare + BSON` also encodes the command and its documents anew each time, and decodes the reply: what no driver can do
without.
"""

from __future__ import annotations

import asyncio
import ssl
import struct
import tempfile
from collections.abc import Sequence
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any, Protocol, cast

import bson
import pymongo
from pymongo import AsyncMongoClient
from server import Files, Server
from tasks import DATABASE, Operation, Task

import aiomongo_tls
from aiomongo_tls import AsyncClient
from aiomongo_tls.version import __version__

OURS = "aiomongo_tls"
THEIRS = "PyMongo Async"
BARE = "bare asyncio"
BARE_BSON = "bare + BSON"
EVERYBODY = [BARE, BARE_BSON, OURS, THEIRS]

VERSIONS = {OURS: __version__, THEIRS: pymongo.version}


class Contestant(Protocol):
    """Can carry out tasks."""

    async def prepare(self, task: Task, concurrency: int) -> Operation:
        """What is called with a number for each operation of a task."""
        ...


class Client:
    """One of the two drivers.

    Args:
        client: connected, or connecting with its first operation.
        module: where its classes are from, `InsertOne` and so on.
    """

    def __init__(self, client: Any, module: Any) -> None:
        self.client = client
        self.module = module
        self.connections = 1

    async def prepare(self, task: Task, concurrency: int) -> Operation:
        """What is called with a number for each operation of a task."""
        await self.warm(concurrency)
        return task.prepare(self.client, self.module)

    async def warm(self, connections: int) -> None:
        """See to it that there are so many connections, so that opening them is measured only where it is meant to be.

        A lean server holds its answers back until there are; others answer at once.
        """
        if connections > self.connections:
            self.connections = connections
            barrier = self.client[DATABASE][f"barrier_{connections}"]
            await asyncio.gather(*(barrier.find_one({}) for _ in range(connections)))


class Bare:
    """The bytes alone.

    Args:
        server: which must be the lean one, since it can record what is sent.
        ours: the client whose bytes are sent.
    """

    def __init__(self, server: Server, ours: Client) -> None:
        self.server = server
        self.ours = ours
        self.lines: list[Line] = []
        self.recorded: dict[str, list[bytes]] = {}

    async def prepare(self, task: Task, concurrency: int) -> Operation:
        """What is called with a number for each operation of a task."""
        if task.name not in self.recorded:
            self.recorded[task.name] = await self.record(task)
        messages = self.recorded[task.name]
        host, _, port = self.server.hosts[0].partition(":")
        context = client_context(self.server.files)
        while len(self.lines) < concurrency:
            _, line = await asyncio.get_running_loop().create_connection(Line, host, int(port), ssl=context)
            self.lines.append(line)
        return self.operation(messages, self.lines[:concurrency])

    def operation(self, messages: list[bytes], idle: list[Line]) -> Operation:
        """Sends the messages on one of the idle connections."""

        async def exchange(n: int) -> None:
            line = idle.pop()
            for message in messages:
                await line.exchange(message)
            idle.append(line)

        return exchange

    async def record(self, task: Task) -> list[bytes]:
        """What aiomongo_tls sends for one operation."""
        operation = await self.ours.prepare(task, 1)
        await operation(0)
        with tempfile.TemporaryDirectory() as folder:
            self.server.record(Path(folder))
            await operation(0)
            self.server.record(None)
            messages = [path.read_bytes() for path in sorted(Path(folder).iterdir())]
        if not messages:
            raise RuntimeError(f"the server has recorded nothing of {task.name}")
        return messages

    async def close(self) -> None:
        """End all connections."""
        for line in self.lines:
            line.transport.close()


class BareBSON(Bare):
    """The bytes, made of documents and made into documents."""

    def operation(self, messages: list[bytes], idle: list[Line]) -> Operation:
        """Sends the documents of the messages on one of the idle connections."""
        taken_apart = [_taken_apart(message) for message in messages]

        async def exchange(n: int) -> None:
            line = idle.pop()
            for body, name, documents in taken_apart:
                bson.decode(await line.exchange(_put_together(body, name, documents)))
            idle.append(line)

        return exchange


def _taken_apart(message: bytes) -> tuple[dict[str, Any], bytes, list[dict[str, Any]]]:
    """The body of an OP_MSG, and the name and documents of the document sequence beside it, if there is one."""
    end = 21 + int.from_bytes(message[21:25], "little")
    body = bson.decode(message[21:end])
    if end == len(message):
        return body, b"", []
    name_end = message.index(b"\0", end + 5)
    return body, message[end + 5 : name_end + 1], bson.decode_all(message[name_end + 1 :])


def _put_together(body: dict[str, Any], name: bytes, documents: list[dict[str, Any]]) -> bytes:
    pieces = [b"\0\0\0\0\0", bson.encode(body)]
    if documents:
        encoded = b"".join([bson.encode(document) for document in documents])
        pieces += (b"\1", struct.pack("<i", 4 + len(name) + len(encoded)), name, encoded)
    message = b"".join(pieces)
    return struct.pack("<iiii", 16 + len(message), 1, 0, 2013) + message


class Line(asyncio.Protocol):
    """A connection: bytes out, one reply in."""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Keep the transport."""
        self.transport = cast(asyncio.Transport, transport)
        self.loop = asyncio.get_running_loop()
        self.pieces: list[bytes] = []
        self.missing = 0

    def exchange(self, message: bytes) -> asyncio.Future[bytes]:
        """Send a message; the result is the body of the reply."""
        self.reply: asyncio.Future[bytes] = self.loop.create_future()
        self.transport.write(message)
        return self.reply

    def data_received(self, data: bytes) -> None:
        """Put the reply together."""
        if not self.missing:
            (self.missing,) = struct.unpack_from("<i", data)
        self.missing -= len(data)
        self.pieces.append(data)
        if not self.missing:
            if len(self.pieces) > 1:
                data = b"".join(self.pieces)
            self.pieces.clear()
            self.reply.set_result(data[21:])


def client_context(files: Files | None) -> ssl.SSLContext | None:
    """How to connect to a server that demands a certificate."""
    if files is None:
        return None
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.load_verify_locations(files.ca)
    context.load_cert_chain(files.client)
    return context


class Addressed(Protocol):
    """A server that can be connected to."""

    def uri(self, **options: object) -> str:
        """How."""
        ...


async def open_client(stack: AsyncExitStack, name: str, server: Addressed, **options: object) -> Client:
    """One of the two drivers, until the stack is closed."""
    client: Any = AsyncClient(server.uri(**options)) if name == OURS else AsyncMongoClient(server.uri(**options))
    await stack.enter_async_context(client)
    return Client(client, aiomongo_tls if name == OURS else pymongo)


async def open_all(
    stack: AsyncExitStack, server: Server, names: Sequence[str], **options: object
) -> dict[str, Contestant]:
    """The contestants of these names, until the stack is closed."""
    ours = await open_client(stack, OURS, server, **options)
    made: dict[str, Contestant] = {}
    for name in names:
        if name == OURS:
            made[name] = ours
        elif name == THEIRS:
            made[name] = await open_client(stack, name, server, **options)
        elif name in (BARE, BARE_BSON):
            bare = (Bare if name == BARE else BareBSON)(server, ours)
            stack.push_async_callback(bare.close)
            made[name] = bare
        else:
            raise ValueError(f"no contestant is called {name!r}")
    return made
