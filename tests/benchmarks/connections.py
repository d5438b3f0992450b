"""Connections one at a time, as a pool opens them.

Reached through private names, because nothing public opens a connection or holds two hundred.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from contextlib import AsyncExitStack
from typing import Any

import bson
from contestants import OURS, open_client
from pymongo import AsyncMongoClient
from server import Server

from aiomongo_tls.core.uri.resolve import resolve
from aiomongo_tls.net.connection import Connection
from aiomongo_tls.net.dns import Resolver
from aiomongo_tls.net.establish import Establisher
from aiomongo_tls.net.identity import load_identity

OURS_FULL = "aiomongo_tls, full"
"""Ours with a full TLS handshake each time."""

PING = {"ping": 1, "$db": "admin"}


class Ours:
    """Opens connections as our pool does."""

    def __init__(self, uri: str, *, resumes: bool = True) -> None:
        options = resolve(uri, {})
        self.establisher = Establisher(
            address=options.seeds[0],
            client=None,
            identity=load_identity(options.tls),
            credential=options.credential,
            resolver=Resolver(),
            resumes=resumes,
        )

    async def connect(self) -> bool:
        """Connect, ping, close; whether a session was resumed."""
        connection = Connection(self.establisher.address, 1)
        await self.establisher.establish(connection)
        await connection.request(bson.encode(PING))
        resumed = connection.tls is not None and connection.tls.resumed
        connection.close()
        await connection.wait_closed()
        return resumed


class Theirs:
    """Opens connections as PyMongo's pool does."""

    def __init__(self, client: AsyncMongoClient[Any]) -> None:
        self.client = client
        self.pool: Any = None

    async def connect(self) -> bool:
        """Connect, ping, close; whether a session was resumed."""
        if self.pool is None:
            self.pool = await pool_of(self.client)
        connection = await self.pool.connect()
        await connection.command("admin", {"ping": 1})
        resumed = bool(connection.conn.get_conn.transport.get_extra_info("ssl_object").session_reused)
        await connection.close_conn(None)
        return resumed


async def pool_of(client: AsyncMongoClient[Any]) -> Any:
    """PyMongo's pool of the only server."""
    await client.admin.command("ping")
    (server,) = client._topology._servers.values()
    return server.pool


async def opener(stack: AsyncExitStack, name: str, server: Server) -> Ours | Theirs:
    """Who opens connections, by the contestant's name."""
    if name.startswith(OURS):
        return Ours(server.uri(), resumes=name != OURS_FULL)
    return Theirs((await open_client(stack, name, server)).client)


Send = Callable[[dict[str, Any]], Awaitable[object]]


async def holder(stack: AsyncExitStack, name: str, server: Server) -> Callable[[], Awaitable[Send]]:
    """Takes one connection after another out of a contestant's pool, and says how to use it."""
    client: Any = (await open_client(stack, name, server, maxPoolSize=500)).client
    if name == OURS:
        await client["admin"].command("ping")
        topology = client._executor.topology

        async def take() -> Send:
            connection = await topology.check_out()
            stack.callback(topology.check_in, connection)
            return lambda command: connection.request(bson.encode({**command, "$db": "admin"}))
    else:
        pool = await pool_of(client)

        async def take() -> Send:
            connection = await stack.enter_async_context(pool.checkout())
            return lambda command: connection.command("admin", {**command})

    return take
