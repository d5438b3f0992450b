"""The reply to a request that was broken off: what follows when it comes after all, or never."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from aiomongo_tls.core.commands.cursors import Batch, left_open

if TYPE_CHECKING:
    from aiomongo_tls.core.sessions import ServerSession
    from aiomongo_tls.net.connection import Connection


class LateReply:
    """Told of the late reply by its connection, once: with the reply, or with None if the connection was lost before.

    Until then the session cannot be used again. A cursor that the reply has opened is nobody's.

    Args:
        session: the session of the request, None if it had none.
        on_cursor: called with a cursor that the reply has opened; None if it cannot have opened one.
    """

    __slots__ = ("_on_cursor", "_session", "was_told")

    def __init__(self, session: ServerSession | None, on_cursor: Callable[[Batch], None] | None) -> None:
        self._session = session
        self._on_cursor = on_cursor
        self.was_told = False

    def __call__(self, reply: bytes | None) -> None:
        """Take the reply, or None: it will never come."""
        self.was_told = True
        if self._session is not None:
            self._session.late_reply(came=reply is not None)
        if reply is not None and self._on_cursor is not None:
            batch = left_open(reply)
            if batch is not None:
                self._on_cursor(batch)

    def wait_at(self, connection: Connection) -> None:
        """Have the connection tell, before it is given back. Plain.

        Args:
            connection: where the request was broken off.
        """
        if self._session is not None:
            self._session.expect_late_reply()
        # It may tell at once.
        connection.on_late_reply = self
        if not self.was_told and not connection.is_dirty:
            # The request had not been sent yet: there is nothing to come, and nothing that could be running.
            connection.on_late_reply = None
            if self._session is not None:
                self._session.late_reply(came=True)
