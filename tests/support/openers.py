"""Establishers that open nothing: attempts end when the test says so. And lines over which only late replies come."""

from __future__ import annotations

import asyncio
from typing import Any, cast

import bson

from aiomongo_tls.core.wire.protocol import Role, WireProtocol
from aiomongo_tls.net.connection import Connection
from aiomongo_tls.net.transport import Transport


class Opener:
    """Plays the establisher: each attempt ends at once, or when the test says so."""

    def __init__(self) -> None:
        self.at_once = True
        self.gates: dict[int, asyncio.Future[None]] = {}
        self.lines: dict[int, Line] = {}
        self.cancelled: list[int] = []
        self.changed = asyncio.Event()

    async def establish(self, connection: Connection) -> None:
        gate = self.gates[connection.id] = asyncio.get_running_loop().create_future()
        self.lines[connection.id] = Line(connection)
        self.changed.set()
        if self.at_once:
            gate.set_result(None)
        try:
            await gate
        except BaseException as exc:
            if isinstance(exc, asyncio.CancelledError):
                self.cancelled.append(connection.id)
            connection.abort()
            raise

    async def attempts(self, count: int) -> None:
        """Wait until so many attempts have begun."""
        async with asyncio.timeout(5):
            while len(self.gates) < count:
                self.changed.clear()
                await self.changed.wait()

    def succeed(self, number: int) -> None:
        self.gates[number].set_result(None)

    def fail(self, number: int, error: Exception) -> None:
        self.gates[number].set_exception(error)


class Line:
    """Takes the place of a connection's transport, with a server behind it that answers when it is told to."""

    def __init__(self, connection: Connection) -> None:
        self.connection = connection
        self.server = WireProtocol(Role.SERVER)
        self.requests: list[Any] = []
        self.has_backlog = False
        self.ends: list[str] = []
        self.info = None
        connection.use(cast(Transport, self))

    def write(self, data: bytes) -> None:
        self.requests += self.server.receive_data(data)

    def reply(self, **document: Any) -> None:
        """Answer the oldest request."""
        body = bson.encode({"ok": 1.0, **document})
        self.connection.data_received(self.server.send_reply(self.requests.pop(0), body))

    def close(self) -> None:
        self.ends.append("close")

    def abort(self) -> None:
        self.ends.append("abort")


async def break_off(connection: Connection, told: list[Any]) -> None:
    """A request that is cancelled when it has left; `told` learns what becomes of its reply."""
    task = asyncio.create_task(connection.request(bson.encode({"find": "things", "$db": "test"})))
    await asyncio.sleep(0)
    task.cancel()
    await asyncio.wait([task])
    connection.on_late_reply = told.append
