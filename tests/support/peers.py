"""Peers for tests of the layers below the client: servers of a few lines, made of the code under test's other role.

Everything runs on the test's own loop. The embedded server of `aiomongo_tls.testing` is not used here: it stands above
these layers, and most of these peers are there to misbehave.
"""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

import bson
import trustme

from aiomongo_tls.address import ServerAddress
from aiomongo_tls.core.options.tls_options import TLSOptions
from aiomongo_tls.core.wire.protocol import Message, Role, WireProtocol
from aiomongo_tls.net.dns import Endpoint, Resolver
from aiomongo_tls.net.transport import Transport
from aiomongo_tls.tls.engine import TLSEngine

HELLO = {
    "helloOk": True,
    "isWritablePrimary": True,
    "maxBsonObjectSize": 16 * 1024 * 1024,
    "maxMessageSizeBytes": 48_000_000,
    "maxWriteBatchSize": 100_000,
    "logicalSessionTimeoutMinutes": 30,
    "minWireVersion": 0,
    "maxWireVersion": 21,
    "ok": 1.0,
}


@dataclass
class Contexts:
    """SSL contexts and options for both ends, most of them agreeing with each other."""

    ca: trustme.CA = field(default_factory=trustme.CA)
    stranger_ca: trustme.CA = field(default_factory=trustme.CA)

    def __post_init__(self) -> None:
        self._server = self.ca.issue_cert("localhost", "127.0.0.1", "::1")
        self._client = self.ca.issue_cert("client@example.net", common_name="client")
        self._stranger = self.stranger_ca.issue_cert("client@example.net", common_name="stranger")

    def server(self, *, version: ssl.TLSVersion | None = None, client_certificate: bool = False) -> ssl.SSLContext:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        self._server.configure_cert(context)
        if version is not None:
            context.minimum_version = context.maximum_version = version
        if client_certificate:
            self.ca.configure_trust(context)
            context.verify_mode = ssl.CERT_REQUIRED
        return context

    def client(self, *, trust: trustme.CA | None = None, certificate: bool = False) -> ssl.SSLContext:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        (trust or self.ca).configure_trust(context)
        if certificate:
            self._client.configure_cert(context)
        return context

    def options(
        self, *, certificate: bool = True, stranger: bool = False, trust: trustme.CA | None = None
    ) -> TLSOptions:
        who = self._stranger if stranger else self._client
        return TLSOptions(
            enabled=True,
            ca_file=(trust or self.ca).cert_pem.bytes(),
            certificate_key_file=who.private_key_and_cert_chain_pem.bytes() if certificate else None,
        )


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


Answer = Mapping[str, Any] | bytes | None
"""A reply document, raw bytes to send instead, or None for silence."""


def name_of(command: Mapping[str, Any]) -> str:
    """What a command is, under whichever name hello goes."""
    name = next(iter(command))
    return "hello" if name.lower() == "ismaster" else name


class Session:
    """The server's end of one connection of a `MongoPeer`."""

    def __init__(self, peer: MongoPeer) -> None:
        self.peer = peer
        self.protocol = WireProtocol(Role.SERVER)
        self.transport: Transport | None = None
        self.messages: list[Message] = []
        self.commands: list[dict[str, Any]] = []
        self.ends: list[Exception | None] = []

    def reply(self, document: Mapping[str, Any], *, flags: int = 0) -> None:
        """Answer the last message, for a peer whose answer to it was silence."""
        assert self.transport is not None
        self.transport.write(self.protocol.send_reply(self.messages[-1], bson.encode(document), flags=flags))

    def data_received(self, data: bytes) -> None:
        assert self.transport is not None
        for message in self.protocol.receive_data(data):
            self.messages.append(message)
            command = bson.decode(message.content.body)  # type: ignore[union-attr]
            self.commands.append(command)
            self.peer.commands.append(command)
            answer = self.peer.answer(command)
            if isinstance(answer, bytes):
                self.transport.write(answer)
            elif answer is not None:
                self.transport.write(self.protocol.send_reply(message, bson.encode(answer)))
        self.peer.changed.set()

    def stream_lost(self, error: Exception | None) -> None:
        self.ends.append(error)
        self.peer.changed.set()


class MongoPeer:
    """A server that answers hello and any other command with ok, unless `answers` says otherwise.

    `answers[name]` is what the command of this name gets: an Answer, or a function of the command.
    """

    def __init__(self, context: ssl.SSLContext | None = None) -> None:
        self.context = context
        self.port = 0
        self.sessions: list[Session] = []
        self.commands: list[dict[str, Any]] = []
        self.answers: dict[str, Answer | Callable[[dict[str, Any]], Answer]] = {}
        self.changed = asyncio.Event()

    @property
    def address(self) -> ServerAddress:
        return ServerAddress("localhost", self.port)

    @property
    def open_sessions(self) -> list[Session]:
        return [session for session in self.sessions if not session.ends]

    def answer(self, command: dict[str, Any]) -> Answer:
        name = name_of(command)
        found = self.answers.get(name, {"ok": 1.0})
        if name == "hello" and name not in self.answers:
            found = dict(HELLO)
            if "speculativeAuthenticate" in command:
                found["speculativeAuthenticate"] = {"dbname": "$external", "user": "CN=client"}
        return found(command) if callable(found) else found

    async def until(self, condition: Callable[[], object]) -> None:
        async with asyncio.timeout(5):
            while not condition():
                self.changed.clear()
                await self.changed.wait()

    def accept(self) -> Transport:
        session = Session(self)
        engine = TLSEngine(self.context, server_side=True) if self.context is not None else None
        session.transport = Transport(session, engine=engine)
        self.sessions.append(session)
        self.changed.set()
        return session.transport


@asynccontextmanager
async def mongo_peer(context: ssl.SSLContext | None = None, *, path: str | None = None) -> AsyncIterator[MongoPeer]:
    """A listening `MongoPeer`, on loopback or on a unix domain socket."""
    loop = asyncio.get_running_loop()
    peer = MongoPeer(context)
    if path is not None:
        server = await loop.create_unix_server(peer.accept, path)
    else:
        server = await loop.create_server(peer.accept, "127.0.0.1", 0)
        peer.port = server.sockets[0].getsockname()[1]
    try:
        yield peer
    finally:
        # Who has just connected is accepted, gets a session and a socket, each in a turn of its own; asyncio would lose
        # a connection in the middle of that.
        for _ in range(3):
            await asyncio.sleep(0)
        server.close()
        for session in peer.sessions:
            assert session.transport is not None
            session.transport.abort()
            await session.transport.wait_closed()


@asynccontextmanager
async def raw_peer(script: Callable[[asyncio.StreamReader, asyncio.StreamWriter], Any]) -> AsyncIterator[ServerAddress]:
    """A listening server that treats each connection as `script` says; the connection stays open until the end."""
    tasks: set[asyncio.Task[None]] = set()

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        tasks.add(task)
        try:
            await script(reader, writer)
            await asyncio.Event().wait()
        except (asyncio.CancelledError, ConnectionError):
            writer.transport.abort()

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    try:
        yield ServerAddress("localhost", server.sockets[0].getsockname()[1])
    finally:
        server.close()
        for task in tasks:
            task.cancel()
        for task in tasks:
            await asyncio.wait([task])


def resolver_of(**names: list[Endpoint] | OSError) -> Resolver:
    """A resolver that knows these names only, and `localhost`, which is 127.0.0.1."""

    def lookup(host: str, port: int) -> list[Endpoint]:
        if host == "localhost":
            return [Endpoint(2, ("127.0.0.1", port))]
        found = names[host]
        if isinstance(found, OSError):
            raise found
        return found

    return Resolver(lookup)
