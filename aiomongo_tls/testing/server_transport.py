"""`ServerTransport`: a byte stream whose end can be a crash, and which can be cut off for a while."""

from __future__ import annotations

import os
import socket
import struct
from contextlib import suppress

from aiomongo_tls.net.transport import Transport


class ServerTransport(Transport):
    """The server's end of a connection."""

    def reset(self) -> None:
        """End it as the end of a process does: no close_notify, and the peer's kernel is told by a reset."""
        sock = self._stream.get_extra_info("socket") if self._stream is not None else None
        if sock is not None and not self.is_gone:
            # A twin, because loops hand out objects that cannot do everything. The option is the connection's.
            with suppress(OSError), socket.socket(fileno=os.dup(sock.fileno())) as twin:
                twin.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.abort()

    def hold(self) -> None:
        """Read nothing. What the peer sends stays in the kernel, and then with the peer."""
        if self._stream is not None and not self._stream.is_closing():
            self._stream.pause_reading()

    def release(self) -> None:
        """Read again."""
        if self._stream is not None and not self._stream.is_closing():
            self._stream.resume_reading()
