"""Measures the round trip time to a server whose monitor waits for news, and so cannot measure it.

Specification: server monitoring, "Measuring RTT". A fault here changes nothing: the monitor is the one to notice.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from contextlib import suppress
from contextvars import Context
from typing import TYPE_CHECKING, Protocol

import bson

from aiomongo_tls.core.auth.hello import heartbeat_command
from aiomongo_tls.deadline import Deadline
from aiomongo_tls.errors import MongoError
from aiomongo_tls.net.connection import Connection

if TYPE_CHECKING:
    from aiomongo_tls.address import ServerAddress
    from aiomongo_tls.core.sdam.rtt import RoundTripTimes


class Pinging(Protocol):
    """How a server is pinged; see `monitor.Watch`."""

    @property
    def establish(self) -> Callable[[Connection], Awaitable[None]]:
        """Opens a connection that does not authenticate."""
        ...

    @property
    def frequency(self) -> float:
        """Seconds between two measurements."""
        ...

    @property
    def connect_timeout(self) -> float | None:
        """Seconds for one measurement, None for no limit."""
        ...


class RTTMonitor:
    """Says hello to one server at regular intervals, on a connection of its own.

    Args:
        address: the server.
        pinging: how.
        times: gets what is measured.
    """

    def __init__(self, address: ServerAddress, pinging: Pinging, times: RoundTripTimes) -> None:
        self._address = address
        self._pinging = pinging
        self._times = times
        self._task: asyncio.Task[None] | None = None
        self._connection: Connection | None = None

    def start(self) -> None:
        """Begin to measure. Plain and idempotent."""
        if self._task is None:
            self._task = asyncio.get_running_loop().create_task(
                self._run(), name=f"aiomongo_tls RTT monitor {self._address}", context=Context()
            )

    def renew(self) -> None:
        """Use a new connection for the next measurement. Plain."""
        if self._connection is not None and self._connection.description is not None:
            self._connection.close()

    def stop(self) -> None:
        """Measure no more. Plain and idempotent."""
        if self._task is not None:
            self._task.cancel()
        if self._connection is not None:
            self._connection.abort()

    @property
    def is_gone(self) -> bool:
        """Whether nothing is left after `stop()`: no task, no socket."""
        has_ended = self._task is None or self._task.done()
        return has_ended and (self._connection is None or self._connection.is_gone)

    async def wait_stopped(self) -> None:
        """Wait until nothing is left after `stop()`."""
        if self._task is not None and not self._task.done():
            await asyncio.wait([self._task])
        if self._connection is not None:
            await self._connection.wait_closed()

    async def _run(self) -> None:
        while True:
            # The monitor has just measured; the first turn is ours after an interval.
            await asyncio.sleep(self._pinging.frequency)
            # Whatever it is: the next measurement is another chance.
            with suppress(Exception):
                self._times.add(await self._measure())

    async def _measure(self) -> float:
        connection = self._connection
        if connection is None or not connection.is_usable:
            connection = self._connection = Connection(self._address, 0)
            await self._pinging.establish(connection)
            return connection.round_trip_time or 0.0
        loop = asyncio.get_running_loop()
        sent_at = loop.time()
        timeout = self._pinging.connect_timeout
        option = f"connectTimeoutMS={(timeout or 0) * 1000:g}"
        hello_ok = connection.description is not None and connection.description.hello_ok
        try:
            await connection.request(
                bson.encode(heartbeat_command(hello_ok=hello_ok) | {"$db": "admin"}),
                deadline=Deadline.after(timeout, option, now=sent_at),
            )
        except MongoError:
            connection.abort()
            raise
        return loop.time() - sent_at
