"""`LoadBalancer`: one address in front of several servers. Each connection goes to the next of them and stays there."""

from __future__ import annotations

import socket
import threading
from contextlib import suppress
from typing import TYPE_CHECKING

from aiomongo_tls.address import ServerAddress

if TYPE_CHECKING:
    from collections.abc import Sequence

    from aiomongo_tls.testing.server import MongoTestServer

_BACKLOG = 512


class LoadBalancer:
    """Hands accepted sockets over to servers, which is what a balancer of TCP comes to when all is in one process.

    Args:
        servers: the servers; those that are down are passed over.
        host: the address to listen on.
        name: what clients call it, if not that.
    """

    def __init__(self, servers: Sequence[MongoTestServer], host: str = "127.0.0.1", name: str | None = None) -> None:
        self._servers = servers
        self._host = host
        self._name = name
        self._port = 0
        self._next = 0
        self._socket: socket.socket | None = None
        self._thread: threading.Thread | None = None

    @property
    def address(self) -> ServerAddress:
        """Where it listens. The port is 0 before the first start."""
        return ServerAddress(self._name or self._host, self._port)

    def start(self) -> None:
        """Listen.

        Raises:
            OSError: the address is taken.
        """
        if self._socket is None:
            family = socket.AF_INET6 if ":" in self._host else socket.AF_INET
            self._socket = sock = socket.create_server((self._host, self._port), family=family, backlog=_BACKLOG)
            self._port = sock.getsockname()[1]
            name = f"LoadBalancer {self._host}:{self._port}"
            self._thread = threading.Thread(target=self._run, args=(sock,), name=name, daemon=True)
            self._thread.start()

    def stop(self) -> None:
        """Listen no more. Connections are their servers'."""
        sock, self._socket = self._socket, None
        if sock is None or self._thread is None:
            return
        # A thread that waits in accept() is woken by a connection, on every system.
        with suppress(OSError), socket.create_connection(sock.getsockname()[:2], timeout=1):
            pass
        self._thread.join()
        sock.close()

    def _run(self, sock: socket.socket) -> None:
        while self._socket is sock:
            try:
                connection, _ = sock.accept()
            except OSError:
                continue
            if self._socket is not sock or not self._hand_over(connection):
                connection.close()

    def _hand_over(self, connection: socket.socket) -> bool:
        for _ in self._servers:
            server = self._servers[self._next % len(self._servers)]
            self._next += 1
            if server.adopt(connection):
                return True
        return False
