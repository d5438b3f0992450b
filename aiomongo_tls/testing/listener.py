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
import sys
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
_PAUSE = 1.0
# Seconds until the next attempt to accept a connection after one that failed.

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
        self._socket: socket.socket | None = None
        self._is_cut_off = False
        # Tasks that make connections of accepted sockets.
        self._adoptions: set[asyncio.Task[object]] = set()
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
        sock = self._reserved or self._bound()
        self._reserved = None
        try:
            sock.listen(_BACKLOG)
        except OSError:
            sock.close()
            raise
        sock.setblocking(False)
        self.port = sock.getsockname()[1]
        self._socket = sock
        self._is_cut_off = False
        # Windows' own loop cannot tell when there is a connection to accept.
        self._loop = loop = asyncio.SelectorEventLoop() if sys.platform == "win32" else asyncio.new_event_loop()
        loop.call_soon(self._expect_new)
        name = f"MongoTestServer {self.host}:{self.port}"
        self._thread = threading.Thread(target=self._run, args=(loop,), name=name, daemon=True)
        self._thread.start()

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
        self._ignore_new()
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
        """Neither accept, read nor answer anything, as behind a cable that was pulled out. On the loop.

        The kernel still completes connections and keeps what they send, until somebody accepts them.
        """
        self._is_cut_off = True
        self._ignore_new()
        for peer in list(self.peers):
            peer.cut_off()

    def reconnect(self) -> None:
        """End `cut_off()`: everything that came meanwhile comes now. On the loop."""
        if self._is_cut_off:
            self._is_cut_off = False
            self._expect_new()
            for peer in list(self.peers):
                peer.reconnect()

    # asyncio's own server loses connections that it is about to accept when it is closed: they stay open, and hang.

    def _expect_new(self) -> None:
        if self._socket is not None and not self._is_cut_off:
            asyncio.get_running_loop().add_reader(self._socket, self._accept_new)

    def _ignore_new(self) -> None:
        if self._socket is not None:
            asyncio.get_running_loop().remove_reader(self._socket)

    def _accept_new(self) -> None:
        loop = asyncio.get_running_loop()
        while self._socket is not None:
            try:
                sock, _ = self._socket.accept()
            except (BlockingIOError, InterruptedError, ConnectionAbortedError):
                return
            except OSError:
                # Out of descriptors, most likely.
                self._ignore_new()
                loop.call_later(_PAUSE, self._expect_new)
                return
            self._adopt(sock)

    def adopt(self, sock: socket.socket) -> bool:
        """Take a connection that was accepted elsewhere. From any thread; False if nothing runs here.

        Args:
            sock: the connection.
        """
        loop = self._loop
        if loop is None or not self.is_running:
            return False
        try:
            loop.call_soon_threadsafe(self._adopt, sock)
        except RuntimeError:
            return False
        return True

    def _adopt(self, sock: socket.socket) -> None:
        if self._socket is None:
            # It came while everything was being closed.
            sock.close()
            return
        sock.setblocking(False)
        with suppress(OSError):
            # asyncio does this for sockets that it made itself. Without it each TLS 1.3 handshake waits 40 ms: what the
            # server says after its session tickets is held back until the client's kernel acknowledges those.
            sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        loop = asyncio.get_running_loop()
        adoption = loop.create_task(loop.connect_accepted_socket(self._accept, sock))
        self._adoptions.add(adoption)
        adoption.add_done_callback(self._adopted)

    def _adopted(self, adoption: asyncio.Task[object]) -> None:
        self._adoptions.discard(adoption)
        if not adoption.cancelled():
            # The client may have gone already; its protocol has been told.
            adoption.exception()

    def _run(self, loop: asyncio.AbstractEventLoop) -> None:
        try:
            loop.run_forever()
            loop.run_until_complete(self._close())
        finally:
            loop.close()

    async def _close(self) -> None:
        self._ignore_new()
        if self._socket is not None:
            self._socket.close()
            self._socket = None
        await asyncio.gather(*self._adoptions, return_exceptions=True)
        self.drop_connections()
        closing = [asyncio.create_task(transport.wait_closed()) for transport in self._transports]
        if closing:
            # Aborted ones close at once. The limit is for what is never told to have been connected.
            _, late = await asyncio.wait(closing, timeout=LINGER)
            for task in late:
                task.cancel()
        # An aborted socket is closed in the loop's next turn.
        await asyncio.sleep(0)

    def _accept(self) -> asyncio.BaseProtocol:
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
        if self._is_cut_off:
            peer.cut_off()
        self.peers.add(peer)
        self._transports = {other for other in self._transports if not other.is_gone} | {transport}
        return transport

    def _lost(self, peer: Peer, error: Exception | None) -> None:
        self.peers.discard(peer)
        if isinstance(error, ssl.SSLError) and not peer.spoke:
            self._backend.failed_handshakes.append(error)
