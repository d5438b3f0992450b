"""Replies that nobody reads: one that comes after its request was broken off, or never, and one that cannot be read.

Until the late one has come nobody else may have the session; and either kind may have opened a cursor.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from functools import partial
from typing import TYPE_CHECKING

from aiomongo_tls.client.reaper import CURSOR, OpenCursor
from aiomongo_tls.core.commands.cursors import Batch, left_open
from aiomongo_tls.core.commands.decoding import DocumentsIn

if TYPE_CHECKING:
    from aiomongo_tls.address import ServerAddress
    from aiomongo_tls.client.reaper import Reaper
    from aiomongo_tls.core.commands.command import Command
    from aiomongo_tls.core.sessions import ImplicitSession, ServerSession
    from aiomongo_tls.net.connection import Connection


def broken_off(connection: Connection, command: Command, session: ImplicitSession, reaper: Reaper) -> None:
    """See to it that what a request leaves behind is used again when its late reply has come. Plain.

    Args:
        connection: where the request was broken off, before it is given back.
        command: the command.
        session: the session of the command.
        reaper: ends a cursor that the reply opens.
    """
    in_cursor = command.documents_in is DocumentsIn.CURSOR
    if not connection.is_usable or (connection.service_id is not None and in_cursor):
        # Behind a load balancer only this connection leads to the cursor: it cannot be used for anything else.
        session.mark_dirty()
        return
    # The cursor of a getMore sees to itself.
    opens = None if command.name == "getMore" else partial(_opened, reaper, connection.address)
    LateReply(session.taken, opens).wait_at(connection)


def unreadable(connection: Connection, command: Command, reply: bytes, reaper: Reaper) -> None:
    """See to the cursor that a reply has opened which the user's own classes, or bson, cannot read. Plain.

    Args:
        connection: where the reply came from, before it is given back.
        command: the command.
        reply: the reply.
        reaper: ends the cursor, over the same connection behind a load balancer.
    """
    batch = left_open(reply) if command.name != "getMore" else None
    if batch is None:
        return
    if connection.service_id is None:
        _opened(reaper, connection.address, batch)
    else:
        connection.pinned = CURSOR
        reaper.note(OpenCursor(batch, connection.address, connection, asyncio.get_running_loop()))


def _opened(reaper: Reaper, address: ServerAddress, batch: Batch) -> None:
    reaper.note(OpenCursor(batch, address))
    reaper.work()


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
