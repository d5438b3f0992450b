"""A server of the standard library's blocking sockets and TLS, a thread for each connection, without our engine."""

from __future__ import annotations

import socket
import ssl
import threading
from contextlib import suppress
from types import TracebackType
from typing import Self

import bson
from peers import HELLO

from aiomongo_tls.address import ServerAddress
from aiomongo_tls.core.wire.protocol import Role, WireProtocol

# A record of application data that nobody has encrypted.
_DAMAGED = b"\x17\x03\x03\x00\x40" + b"\xa5" * 64


class BlockingServer:
    """Answers whatever it is asked as if it were hello.

    Args:
        context: its SSLContext; may be replaced at any time.
        ruins: whether a record that arrives right after the handshake is damaged. OpenSSL answers with an alert and the
            server closes at once, with the client's request unread, so that the kernel resets the connection.

    Attributes:
        resumed: for each handshake that was done, whether a session was resumed.
        subjects: the subject of the client's certificate, for each of them.
    """

    def __init__(self, context: ssl.SSLContext, *, ruins: bool = False) -> None:
        self.context = context
        self.ruins = ruins
        self.resumed: list[bool] = []
        self.subjects: list[object] = []
        self._socket = socket.create_server(("127.0.0.1", 0))
        self._threads = [threading.Thread(target=self._accept)]

    @property
    def address(self) -> ServerAddress:
        return ServerAddress("localhost", self._socket.getsockname()[1])

    def __enter__(self) -> Self:
        self._threads[0].start()
        return self

    def __exit__(self, kind: type[BaseException] | None, exc: BaseException | None, tb: TracebackType | None) -> None:
        # Wakes whoever waits in accept().
        self._socket.shutdown(socket.SHUT_RDWR)
        self._socket.close()
        for thread in self._threads:
            thread.join(5)
            assert not thread.is_alive()

    def _accept(self) -> None:
        with suppress(OSError):
            while True:
                sock, _ = self._socket.accept()
                sock.settimeout(5)
                # Its tickets of TLS 1.3 would hold up the reply until the client has acknowledged them.
                sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
                thread = threading.Thread(target=self._serve, args=(sock,))
                self._threads = [thread for thread in self._threads if thread.is_alive()] + [thread]
                thread.start()

    def _serve(self, sock: socket.socket) -> None:
        with sock, suppress(OSError):
            if self.ruins:
                self._ruin(sock)
                return
            with self.context.wrap_socket(sock, server_side=True) as tls:
                self._note(tls)
                protocol = WireProtocol(Role.SERVER)
                while data := tls.recv(65536):
                    for message in protocol.receive_data(data):
                        tls.sendall(protocol.send_reply(message, bson.encode(HELLO)))

    def _note(self, tls: ssl.SSLSocket | ssl.SSLObject) -> None:
        self.resumed.append(bool(tls.session_reused))
        self.subjects.append((tls.getpeercert() or {}).get("subject"))

    def _ruin(self, sock: socket.socket) -> None:
        incoming, outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
        tls = self.context.wrap_bio(incoming, outgoing, server_side=True)
        while True:
            try:
                tls.do_handshake()
            except ssl.SSLWantReadError:
                sock.sendall(outgoing.read())
                # Up to the end of the handshake and no further: what comes after it stays unread, as long as it comes
                # in a record of its own.
                incoming.write(sock.recv(1))
            else:
                break
        self._note(tls)
        incoming.write(_DAMAGED)
        with suppress(ssl.SSLError):
            tls.read(1)
        sock.sendall(outgoing.read())
