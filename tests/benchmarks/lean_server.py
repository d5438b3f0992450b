"""A server that costs as little as it can: it looks at the name of a command and sends a reply that lies ready.

    python lean_server.py '{"members": 1, ...}'

One process, one thread, a selector, blocking nowhere; TLS by `ssl.SSLSocket`. It is not the bottleneck of any task: the
report gives its share of a core beside the client's. `tls` in its settings has the files of a certificate; then it
demands one from clients too, and `tickets: false` keeps sessions from being resumed.

It is told what to do by lines on its standard input and answers each with one line of JSON; when its input ends, so
does it.

- `cpu`: the seconds of CPU time that it has used.
- `handshakes`: how many TLS handshakes it has made, and how many of them resumed a session.
- `record DIRECTORY`: from now on each command but hello is also written to a file there, in order; `record` ends that.

A find in `barrier_<n>` is answered when n of them wait: then there are n connections.
"""

from __future__ import annotations

import contextlib
import itertools
import json
import selectors
import socket
import ssl
import struct
import sys
import time
from collections import deque
from pathlib import Path
from typing import Any

from replies import Replies

OP_REPLY, OP_QUERY, OP_MSG = 1, 2004, 2013
HEAD = 16 + 5 + 4
"""Bytes before the first element of the body of an OP_MSG: header, flags, kind of section, length."""

LOOKED_AT = 256
"""Bytes of a message that are looked at."""

QUIET = (b"hello", b"isMaster", b"ismaster")

_PIECE = 262144
_READ = 65536
_AGAIN = (ssl.SSLWantReadError, ssl.SSLWantWriteError, BlockingIOError, InterruptedError)
_header = struct.Struct("<iiii")
_numbers = itertools.count(1)


class Peer:
    """One client's connection."""

    def __init__(self, server: LeanServer, sock: socket.socket, replies: Replies) -> None:
        self.server = server
        self.sock = sock
        self.replies = replies
        self.is_open = not isinstance(sock, ssl.SSLSocket)
        self.unsent: deque[memoryview] = deque()
        # The message that is being received: what is looked at, and how much of it is to come.
        self.head = bytearray()
        self.missing = 0
        self.whole: list[bytes] | None = None

    def ready(self, events: int) -> None:
        """Go on, now that the socket can be read or written."""
        try:
            if not self.is_open:
                self.shake_hands()
            if self.is_open:
                if self.unsent:
                    self.flush()
                if events & selectors.EVENT_READ:
                    self.receive()
        except _AGAIN:
            pass
        except OSError:
            self.server.drop(self)

    def shake_hands(self) -> None:
        """Another step of the TLS handshake."""
        sock = self.sock
        assert isinstance(sock, ssl.SSLSocket)
        try:
            sock.do_handshake()
        except ssl.SSLWantReadError:
            self.server.wait(self, selectors.EVENT_READ)
            raise
        except ssl.SSLWantWriteError:
            self.server.wait(self, selectors.EVENT_READ | selectors.EVENT_WRITE)
            raise
        self.server.wait(self, selectors.EVENT_READ)
        self.is_open = True
        self.server.handshakes[0] += 1
        self.server.handshakes[1] += bool(sock.session_reused)

    def receive(self) -> None:
        """Read what is there. A socket is asked again only if something may be left."""
        sock = self.sock
        while True:
            data = sock.recv(_READ)
            if not data:
                self.server.drop(self)
                return
            self.take(data)
            if isinstance(sock, ssl.SSLSocket):
                if not sock.pending() and not self.missing:
                    return
            elif len(data) < _READ:
                return

    def take(self, data: bytes) -> None:
        """Take the next bytes of the stream and answer what is complete."""
        if not self.head and len(data) >= HEAD and len(data) == _header.unpack_from(data)[0] and not self.server.folder:
            self.answer(data)  # as nearly always: just one message
            return
        while data:
            head = self.head
            if len(head) < HEAD:
                wanted = HEAD - len(head)
                head += data[:wanted]
                data = data[wanted:]
                if len(head) < HEAD:
                    return
                self.missing = _header.unpack_from(head)[0] - HEAD
                self.whole = [bytes(head)] if self.server.folder else None
            piece, data = data[: self.missing], data[self.missing :]
            self.missing -= len(piece)
            if len(head) < LOOKED_AT:
                head += piece[: LOOKED_AT - len(head)]
            if self.whole is not None:
                self.whole.append(piece)
            if not self.missing:
                self.head, whole = bytearray(), self.whole
                self.answer(bytes(head), whole)

    def answer(self, message: bytes, whole: list[bytes] | None = None) -> None:
        """Answer a message of which the beginning is known."""
        _, request_id, _, kind = _header.unpack_from(message)
        if kind == OP_QUERY:
            self.send(request_id, OP_REPLY, self.replies.to_query())
            return
        end = message.index(b"\0", HEAD + 1)
        command = message[HEAD + 1 : end]
        collection, cursor = b"", 0
        if message[HEAD] == 0x02:
            collection = _string(message, end + 1)
        elif command == b"getMore":
            cursor = struct.unpack_from("<q", message, end + 1)[0]
            collection = _string(message, message.index(b"\0", end + 9) + 1)
        if whole is not None and command not in QUIET:
            self.server.record(b"".join(whole))
        if message[16] & 2:  # moreToCome
            return
        if collection.startswith(b"barrier_"):
            self.server.hold(self, request_id, collection)
        else:
            self.send(request_id, OP_MSG, self.replies.to(command, collection, cursor))

    def send(self, request_id: int, kind: int, reply: bytes) -> None:
        """Send a reply, or the part of it that leaves."""
        message = _header.pack(16 + len(reply), next(_numbers), request_id, kind) + reply
        if self.unsent or len(message) > _PIECE:
            self.unsent.append(memoryview(message))
        else:
            with contextlib.suppress(*_AGAIN):
                sent = self.sock.send(message)
                if sent == len(message):
                    return
                message = message[sent:]
            self.unsent.append(memoryview(message))
        with contextlib.suppress(*_AGAIN):
            self.flush()

    def flush(self) -> None:
        """Send what is left, in pieces: OpenSSL wants the very same piece again that it could not take."""
        self.server.wait(self, selectors.EVENT_READ | selectors.EVENT_WRITE)
        while self.unsent:
            piece = self.unsent.popleft()
            try:
                sent = self.sock.send(piece[:_PIECE])
            except _AGAIN:
                self.unsent.appendleft(piece)
                raise
            if sent < len(piece):
                self.unsent.appendleft(piece[sent:])
        self.server.wait(self, selectors.EVENT_READ)


def _string(message: bytes, at: int) -> bytes:
    (length,) = struct.unpack_from("<i", message, at)
    return message[at + 4 : at + 3 + length]


class LeanServer:
    """Listens on as many ports as there are members, and serves everybody.

    Args:
        settings: `members`, their number; `tls`, files by name (`certificate`, `ca`) or None; `tickets`; `subject`;
            `version`, the only version of TLS, as `ssl.TLSVersion` names it, or None.
    """

    def __init__(self, settings: dict[str, Any]) -> None:
        self.selector = selectors.DefaultSelector()
        self.folder: Path | None = None
        self.recorded = 0
        self.handshakes = [0, 0]
        self.held: dict[bytes, list[tuple[Peer, int]]] = {}
        self.context = _context(settings) if settings["tls"] else None
        self.listeners = [socket.create_server(("127.0.0.1", 0), backlog=1024) for _ in range(settings["members"])]
        self.hosts = [f"localhost:{listener.getsockname()[1]}" for listener in self.listeners]
        for listener, me in zip(self.listeners, self.hosts, strict=True):
            listener.setblocking(False)
            replies = Replies(self.hosts, me, settings["subject"])
            self.selector.register(listener, selectors.EVENT_READ, (listener, replies))

    def serve(self) -> None:
        """Serve until the standard input ends."""
        self.selector.register(sys.stdin.fileno(), selectors.EVENT_READ, None)
        print(json.dumps(self.hosts), flush=True)
        while True:
            for key, events in self.selector.select():
                if isinstance(key.data, Peer):
                    key.data.ready(events)
                elif key.data is not None:
                    self.accept(*key.data)
                elif not self.obey(sys.stdin.readline()):
                    return

    def accept(self, listener: socket.socket, replies: Replies) -> None:
        """Take the next connection."""
        with contextlib.suppress(OSError):
            sock, _ = listener.accept()
            sock.setblocking(False)
            sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            if self.context is not None:
                sock = self.context.wrap_socket(sock, server_side=True, do_handshake_on_connect=False)
            self.selector.register(sock, selectors.EVENT_READ, Peer(self, sock, replies))

    def wait(self, peer: Peer, events: int) -> None:
        """Wake a peer for these events."""
        self.selector.modify(peer.sock, events, peer)

    def drop(self, peer: Peer) -> None:
        """Forget a peer."""
        with contextlib.suppress(KeyError, ValueError):
            self.selector.unregister(peer.sock)
        peer.sock.close()

    def hold(self, peer: Peer, request_id: int, collection: bytes) -> None:
        """Answer when as many wait as the collection's name says."""
        waiting = self.held.setdefault(collection, [])
        waiting.append((peer, request_id))
        if len(waiting) >= int(collection.split(b"_")[1]):
            del self.held[collection]
            for held, its_request in waiting:
                with contextlib.suppress(OSError):
                    held.send(its_request, OP_MSG, held.replies.to(b"find", b"one", 0))

    def record(self, message: bytes) -> None:
        """Write a message into the folder."""
        if self.folder is not None:
            (self.folder / f"{self.recorded:04}.bin").write_bytes(message)
            self.recorded += 1

    def obey(self, line: str) -> bool:
        """Do what a line says; whether to go on."""
        if not line:
            return False
        order, _, argument = line.strip().partition(" ")
        if order == "record":
            self.folder, self.recorded = Path(argument) if argument else None, 0
        print(json.dumps(self.handshakes if order == "handshakes" else time.process_time()), flush=True)
        return True


def _context(settings: dict[str, Any]) -> ssl.SSLContext:
    files = settings["tls"]
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(files["certificate"])
    context.load_verify_locations(files["ca"])
    context.verify_mode = ssl.CERT_REQUIRED
    if settings["version"]:
        context.minimum_version = context.maximum_version = ssl.TLSVersion[settings["version"]]
    if not settings["tickets"]:
        context.num_tickets = 0
        context.options |= ssl.OP_NO_TICKET
    return context


if __name__ == "__main__":
    LeanServer(json.loads(sys.argv[1])).serve()
