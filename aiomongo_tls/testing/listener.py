"""The half of the embedded server that lives on its own thread and loop: sockets, TLS, connections.

Who may touch what. Everything here runs on the listener's loop, except `start()`, `stop()` and `call()`, which any
other thread calls and which wait until the loop has done it. The loop's thread waits for no other: the lock of
`Backend` is held only for as long as a command runs.
"""

from __future__ import annotations

import asyncio
import os
import socket
import ssl
import threading
from concurrent.futures import Future
from contextlib import suppress
from typing import TYPE_CHECKING, Literal, TypeVar

from aiomongo_tls.net.transport import LINGER
from aiomongo_tls.testing.peer import Peer
from aiomongo_tls.testing.server_transport import ServerTransport
from aiomongo_tls.testing.stalling import HalfHandshake, Silence
from aiomongo_tls.tls.engine import TLSEngine

if TYPE_CHECKING:
    from collections.abc import Callable

    from aiomongo_tls.testing.backend import Backend

T = TypeVar("T")

_BACKLOG = 512

Stall = Literal["accept", "handshake", "hello"]
"""Where a server stops answering: before the TLS handshake, in the middle of it, or after it."""


class Listener:
    """Sockets and connections of one server.

    Args:
        host: the address to listen on.
        port: the port; 0 for a free one, which is then kept.
        backend: the server's memory.
    """

    def __init__(self, host: str, port: int, backend: Backend) -> None:
        self.host = host
        self.port = port
        self.peers: set[Peer] = set()
        # What new connections get; replaced as a whole.
        self.context: ssl.SSLContext | None = None
        self.stall: Stall | None = None
        self._backend = backend
        self._accepted = 0
        self._stalled: set[Silence] = set()
        # A refused client's stream is told as lost while its socket still waits for the client to read the alert.
        self._transports: set[ServerTransport] = set()
        self._loop: asyncio.AbstractEventLoop | None = None
        self._thread: threading.Thread | None = None
        # The listening socket; an acceptor gets a twin of it, so that it can stop while the kernel goes on.
        self._socket: socket.socket | None = None
        self._acceptor: asyncio.Server | None = None
        # Bound and not listening after a crash. It keeps the port from being given to a connection of somebody else,
        # which on a busy machine would happen before the restart.
        self._reserved: socket.socket | None = None

    @property
    def is_running(self) -> bool:
        """Whether clients can connect."""
        return self._thread is not None

    def start(self) -> None:
        """Listen. Returns when clients can connect.

        Raises:
            OSError: the address cannot be listened on.
        """
        self._socket = sock = self._reserved or self._bound()
        self._reserved = None
        self.port = sock.getsockname()[1]
        sock.listen(_BACKLOG)
        started: Future[None] = Future()
        name = f"MongoTestServer {self.host}:{self.port}"
        self._thread = threading.Thread(target=self._run, args=(sock, started), name=name, daemon=True)
        self._thread.start()
        try:
            started.result()
        except BaseException:
            self._thread = None
            raise

    def stop(self, *, crash: bool = False) -> None:
        """End the listening, every connection, the loop and the thread. Does nothing if it is not running.

        Args:
            crash: whether connections are reset instead of closed.
        """
        thread, loop = self._thread, self._loop
        if thread is None or loop is None:
            return
        if crash:
            self.call(self._reset_connections)
        self._thread = None
        loop.call_soon_threadsafe(loop.stop)
        thread.join()
        self._loop = None
        if crash:
            # OSError: somebody was faster. Then the restart will say so.
            with suppress(OSError):
                self._reserved = self._bound()

    def give_up_port(self) -> None:
        """Let somebody else have the port that is kept after a crash."""
        if self._reserved is not None:
            self._reserved.close()
            self._reserved = None

    def _bound(self) -> socket.socket:
        sock = socket.socket(socket.AF_INET6 if ":" in self.host else socket.AF_INET)
        try:
            # As `socket.create_server()`, which listens at once.
            if os.name == "posix":
                sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            sock.bind((self.host, self.port))
        except BaseException:
            sock.close()
            raise
        return sock

    def call(self, function: Callable[[], T]) -> T:
        """Call a function on the loop and wait for its result.

        Args:
            function: must not block.
        """
        loop = self._loop
        if loop is None or not self.is_running or threading.current_thread() is self._thread:
            return function()
        done: Future[T] = Future()

        def run() -> None:
            try:
                done.set_result(function())
            except BaseException as exc:  # noqa: BLE001 - it is raised where the result is awaited
                done.set_exception(exc)

        loop.call_soon_threadsafe(run)
        return done.result()

    def drop_connections(self) -> None:
        """End every connection at once. On the loop."""
        for transport in list(self._transports):
            transport.abort()
        for silence in list(self._stalled):
            silence.end()

    def _reset_connections(self) -> None:
        if self._acceptor is not None:
            self._acceptor.close()
        for transport in list(self._transports):
            transport.reset()

    def notify(self) -> None:
        """Tell every connection that hello has something new to say. From any thread; returns at once."""
        loop = self._loop
        if loop is not None:
            # RuntimeError: it has just been closed.
            with suppress(RuntimeError):
                loop.call_soon_threadsafe(self._server_changed)

    def _server_changed(self) -> None:
        for peer in list(self.peers):
            peer.server_changed()

    def cut_off(self) -> None:
        """Neither accept, read nor answer anything, as behind a cable that was pulled out. From any other thread."""
        self.call(self._cut_off)

    def _cut_off(self) -> None:
        # The kernel still completes connections and keeps what they send, until somebody accepts them.
        if self._acceptor is not None:
            self._acceptor.close()
            self._acceptor = None
        for peer in list(self.peers):
            peer.cut_off()

    def reconnect(self) -> None:
        """End `cut_off()`: everything that came meanwhile comes now. From any other thread."""
        loop = self._loop
        if loop is not None and self.is_running:
            asyncio.run_coroutine_threadsafe(self._reconnect(), loop).result()

    async def _reconnect(self) -> None:
        if self._acceptor is None:
            await self._listen()
            for peer in list(self.peers):
                peer.reconnect()

    async def _listen(self) -> None:
        if self._socket is not None:
            loop = asyncio.get_running_loop()
            self._acceptor = await loop.create_server(self._accept, sock=self._socket.dup(), backlog=_BACKLOG)

    def _run(self, sock: socket.socket, started: Future[None]) -> None:
        loop = asyncio.new_event_loop()
        try:
            self._loop = loop
            loop.run_until_complete(self._listen())
        except BaseException as exc:  # noqa: BLE001 - it is raised in the thread that waits for the start
            sock.close()
            loop.close()
            started.set_exception(exc)
            return
        try:
            loop.call_soon(started.set_result, None)
            loop.run_forever()
            loop.run_until_complete(self._close())
        finally:
            loop.close()

    async def _close(self) -> None:
        if self._acceptor is not None:
            self._acceptor.close()
            self._acceptor = None
        if self._socket is not None:
            self._socket.close()
            self._socket = None
        # Connections that were being accepted; asyncio has a task for each.
        await asyncio.gather(*asyncio.all_tasks() - {asyncio.current_task()}, return_exceptions=True)
        self.drop_connections()
        closing = [asyncio.create_task(transport.wait_closed()) for transport in self._transports]
        if closing:
            # Aborted ones close at once. The limit is for what is never told to have been connected.
            _, late = await asyncio.wait(closing, timeout=LINGER)
            for task in late:
                task.cancel()
        # An aborted socket is closed in the loop's next turn.
        await asyncio.sleep(0)

    def _accept(self) -> asyncio.Protocol:
        """The protocol object for a new connection."""
        if self.stall == "accept":
            return Silence(self._stalled)
        if self.stall == "handshake" and self.context is not None:
            return HalfHandshake(self._stalled, TLSEngine(self.context, server_side=True))
        self._accepted += 1
        peer = Peer(self._accepted, self._backend, self._lost, silent=self.stall is not None)
        engine = None if self.context is None else TLSEngine(self.context, server_side=True)
        transport = ServerTransport(peer, engine=engine)
        peer.attach(transport)
        self.peers.add(peer)
        self._transports = {other for other in self._transports if not other.is_gone} | {transport}
        return transport

    def _lost(self, peer: Peer, error: Exception | None) -> None:
        self.peers.discard(peer)
        if isinstance(error, ssl.SSLError) and not peer.spoke:
            self._backend.failed_handshakes.append(error)
