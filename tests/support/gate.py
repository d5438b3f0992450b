"""A TCP port in front of a server that lets some connections through and ends the others, as a rate limiter does."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress

from aiomongo_tls.address import ServerAddress


class Gate:
    """Made by `gate()`.

    Args:
        target: the server behind it.

    Attributes:
        admits: tells of each connection, by its number from 1, whether it gets through.
        refused: how many did not.
    """

    def __init__(self, target: ServerAddress) -> None:
        self.admits: Callable[[int], bool] = lambda number: True
        self.refused = 0
        self.port = 0
        self._target = target
        self._accepted = 0

    async def _accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._accepted += 1
        if not self.admits(self._accepted):
            self.refused += 1
            # With the first bytes of the client unread, so that it is a reset.
            writer.transport.abort()
            return
        there_reader, there_writer = await asyncio.open_connection(self._target.host, self._target.port)
        await asyncio.gather(_copy(reader, there_writer), _copy(there_reader, writer))


async def _copy(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    with suppress(OSError):
        while data := await reader.read(65536):
            writer.write(data)
            await writer.drain()
    writer.close()
    with suppress(OSError):
        await writer.wait_closed()


@asynccontextmanager
async def gate(target: ServerAddress) -> AsyncIterator[Gate]:
    """A gate on the test's loop.

    Args:
        target: the server behind it.
    """
    made = Gate(target)
    tasks: set[asyncio.Task[None]] = set()

    def accept(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.create_task(made._accept(reader, writer))
        tasks.add(task)
        task.add_done_callback(tasks.discard)

    server = await asyncio.start_server(accept, "127.0.0.1")
    made.port = server.sockets[0].getsockname()[1]
    try:
        yield made
    finally:
        server.close()
        if tasks:
            async with asyncio.timeout(5):
                await asyncio.wait(tasks)
