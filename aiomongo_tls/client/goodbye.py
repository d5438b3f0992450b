"""The last words of a client: its sessions are ended on the server, then every connection is closed.

Nobody needs them (sessions time out, servers notice closed sockets), so they take no longer than a second, and whatever
goes wrong with the first does not keep the second from happening.
"""

from __future__ import annotations

import asyncio
from contextlib import suppress
from typing import TYPE_CHECKING

from aiomongo_tls.core.commands.command import Command
from aiomongo_tls.core.commands.completion import complete
from aiomongo_tls.core.options.read_preference import ReadPreference
from aiomongo_tls.core.retry import NO_ATTEMPTS
from aiomongo_tls.core.sessions import ImplicitSession
from aiomongo_tls.deadline import Deadline

if TYPE_CHECKING:
    from aiomongo_tls.core.sessions import ServerSessionPool
    from aiomongo_tls.topology.topology import Topology

CLOSE_LIMIT = 1.0
"""Seconds for everything."""

_END_SESSIONS_LIMIT = 0.5
"""Seconds of them for endSessions."""


async def say_goodbye(sessions: ServerSessionPool, topology: Topology) -> None:
    """End the sessions on the server and close every connection.

    Args:
        sessions: those that nobody is using.
        topology: the client's connections.

    Raises:
        InvalidOperation: they belong to another event loop, which is still in use.
    """
    end = asyncio.get_running_loop().time() + CLOSE_LIMIT
    with suppress(Exception):
        await _end_sessions(sessions, topology, Deadline(end - CLOSE_LIMIT + _END_SESSIONS_LIMIT, "closing the client"))
    with suppress(TimeoutError):
        async with asyncio.timeout_at(end):
            await topology.close()


async def _end_sessions(sessions: ServerSessionPool, topology: Topology, deadline: Deadline) -> None:
    # Only where a connection is at hand: opening one to say goodbye helps nobody.
    preference = ReadPreference.PRIMARY_PREFERRED
    connection = topology.try_check_out(preference) if len(sessions) else None
    if connection is None:
        return
    try:
        for ids in sessions.end_all():
            document = {"endSessions": ids}
            command = Command(database="admin", document=document, read_preference=preference, in_session=False)
            session = ImplicitSession(sessions)
            body, _ = complete(command, session, connection.description, NO_ATTEMPTS, False, topology, 0.0)
            # What the server says to it does not matter.
            await connection.request(body, deadline=deadline)
    finally:
        topology.check_in(connection)
