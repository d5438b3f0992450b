"""The monitor of one server: a task with a connection of its own that never authenticates.

    hello --(reply)--> described --(can stream)--> the next reply of the stream, or a new stream
                                 --(cannot)------> a pause, then hello again
    hello --(fault)--> unknown ----(was known)---> hello again at once, on a new connection
                               ----(was unknown)-> a pause, then hello again

A pause lasts `heartbeatFrequencyMS`, or until somebody needs a server and asks for a check; between two checks there is
at least half a second (`core/sdam/schedule`). Specification: server monitoring, "Monitoring".

The monitor knows nothing of the topology: it tells what it has found to the two functions it was given. Both are plain,
so that no operation can come between a description and what follows from it.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from contextlib import suppress
from contextvars import Context
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import bson

from aiomongo_tls.core.auth.conversation import decode_reply
from aiomongo_tls.core.auth.hello import heartbeat_command
from aiomongo_tls.core.auth.metadata import is_function
from aiomongo_tls.core.sdam.rtt import RoundTripTimes
from aiomongo_tls.core.sdam.schedule import check_time_limit, next_check, streams
from aiomongo_tls.core.sdam.server_description import ServerDescription, description_of
from aiomongo_tls.deadline import Deadline
from aiomongo_tls.errors import ProtocolError
from aiomongo_tls.net.connection import Connection
from aiomongo_tls.net.environment import client_environment
from aiomongo_tls.topology.rtt_monitor import RTTMonitor

if TYPE_CHECKING:
    from aiomongo_tls.address import ServerAddress
    from aiomongo_tls.core.options.monitoring_options import ServerMonitoringMode
    from aiomongo_tls.core.sdam.topology_version import TopologyVersion
    from aiomongo_tls.topology.announcer import Announcer


@dataclass(frozen=True, slots=True, kw_only=True)
class Watch:
    """How a server is watched.

    Args:
        establish: opens a connection that does not authenticate.
        frequency: seconds between two checks (`heartbeatFrequencyMS`).
        connect_timeout: seconds for a check (`connectTimeoutMS`), None for no limit.
        mode: whether servers that can tell of changes when they happen are asked to (`serverMonitoringMode`).
        is_faas: whether this program runs as a short-lived function, which is frozen between its calls.
        announcer: told of heartbeats.
    """

    establish: Callable[[Connection], Awaitable[None]]
    frequency: float
    connect_timeout: float | None
    mode: ServerMonitoringMode
    announcer: Announcer
    is_faas: bool = field(default_factory=lambda: is_function(client_environment().variables))


class Monitor:
    """Watches one server from `start()` to `stop()`.

    Args:
        address: the server.
        watch: how.
        found: told of each description.
        failed: told of each check that failed; says whether the next one begins without a pause.
    """

    def __init__(
        self,
        address: ServerAddress,
        watch: Watch,
        *,
        found: Callable[[ServerDescription], None],
        failed: Callable[[Exception], bool],
    ) -> None:
        self.address = address
        self.round_trip_times = RoundTripTimes()
        self._watch = watch
        self._found = found
        self._failed = failed
        self._rtt_monitor = RTTMonitor(address, watch, self.round_trip_times)
        self._task: asyncio.Task[None] | None = None
        self._connection: Connection | None = None
        self._connections = 0
        self._is_stopped = False
        self._is_outdated = False
        self._is_checking = False
        self._is_cancelled = False
        self._requested = asyncio.Event()
        # What the last reply said; with it the next hello can wait for news.
        self._topology_version: TopologyVersion | None = None
        self._checked_at = float("-inf")
        # When the connection was opened.
        self._opened_at = float("-inf")

    @property
    def connection(self) -> Connection | None:
        """The connection of the check that is under way or was last; None between two that failed."""
        return self._connection

    # Plain, from anywhere on the loop

    def start(self) -> None:
        """Begin to watch. Idempotent."""
        if self._task is not None or self._is_stopped:
            return
        self._task = asyncio.get_running_loop().create_task(
            self._run(), name=f"aiomongo_tls monitor {self.address}", context=Context()
        )

    def request_check(self) -> None:
        """Check soon: when the check that is under way has ended, half a second after it at the earliest."""
        self._requested.set()

    def cancel_check(self) -> None:
        """Give up the check that is under way: its server was lost. The next one begins on a new connection."""
        if self._connection is not None:
            self._is_cancelled = self._is_checking
            self._connection.abort()

    def renew(self) -> None:
        """Use a new connection for the next check: the client presents another identity now."""
        self._is_outdated = True
        self._rtt_monitor.renew()

    def stop(self) -> None:
        """Watch no more. Idempotent."""
        self._is_stopped = True
        if self._task is not None:
            self._task.cancel()
        self._rtt_monitor.stop()
        if self._connection is not None:
            self._connection.abort()

    @property
    def is_gone(self) -> bool:
        """Whether nothing is left after `stop()`: no task, no socket."""
        has_ended = self._task is None or self._task.done()
        return has_ended and self._rtt_monitor.is_gone and (self._connection is None or self._connection.is_gone)

    async def wait_stopped(self) -> None:
        """Wait until nothing is left after `stop()`: no task, no socket."""
        if self._task is not None and not self._task.done():
            await asyncio.wait([self._task])
        await self._rtt_monitor.wait_stopped()
        if self._connection is not None:
            await self._connection.wait_closed()

    # The task

    async def _run(self) -> None:
        while True:
            self._requested.clear()
            if self._connection is not None and (self._is_outdated or not self._connection.is_usable):
                self._connection.close()
                self._forget()
            self._is_outdated = False
            # One that came too late for the check before says nothing about this one.
            self._is_cancelled = False
            self._is_checking = True
            pause = await self._check()
            self._is_checking = False
            if pause:
                await self._pause()

    async def _pause(self) -> None:
        """Wait for the time of the next check, or for somebody to ask for it."""
        frequency = self._watch.frequency
        with suppress(TimeoutError):
            async with asyncio.timeout_at(next_check(self._checked_at, frequency, requested=False)):
                await self._requested.wait()
        ended = self._checked_at
        if self._connection is not None and not self._connection.is_usable:
            # It was lost since. After a check that fails so there would be no pause either, and operations may not wait
            # that long; a server that hangs up on each connection is asked twice a second, as in every other case.
            ended = self._opened_at
        due = next_check(ended, frequency, requested=self._requested.is_set())
        await asyncio.sleep(due - asyncio.get_running_loop().time())

    async def _check(self) -> bool:
        """One check; whether to pause before the next one."""
        loop = asyncio.get_running_loop()
        announcer = self._watch.announcer
        awaited = self._is_awaiting
        started = loop.time()
        announcer.heartbeat_started(self.address, awaited=awaited)
        try:
            reply = await self._ask(awaited=awaited)
            now = loop.time()
            description = self._describe(reply, now)
        except Exception as exc:  # noqa: BLE001 - whatever it is, the server is unknown and the next check comes
            now = self._checked_at = loop.time()
            announcer.heartbeat_failed(self.address, awaited=awaited, duration=now - started, error=exc)
            return self._lose(exc)
        self._checked_at = now
        announcer.heartbeat_succeeded(self.address, awaited=awaited, duration=now - started, reply=reply)
        self._topology_version = description.topology_version
        self._found(description)
        if self._is_stopped or not self._can_stream:
            # Stopped by what was found: such a server does not belong to the deployment.
            return True
        self._rtt_monitor.start()
        return False

    @property
    def _can_stream(self) -> bool:
        return streams(self._watch.mode, is_faas=self._watch.is_faas, topology_version=self._topology_version)

    @property
    def _is_awaiting(self) -> bool:
        """Whether the next check waits for news."""
        return self._connection is not None and self._can_stream

    def _lose(self, error: Exception) -> bool:
        """What follows from a check that failed."""
        if self._connection is not None:
            self._connection.abort()
        self._forget()
        if self._is_cancelled:
            # Whoever cancelled it has drawn the conclusions; see soon whether the server is there again.
            self._is_cancelled = False
            self._requested.set()
            return True
        return not self._failed(error)

    def _forget(self) -> None:
        """What was known belonged to a connection that is no more."""
        self._connection = None
        self._topology_version = None
        self.round_trip_times.reset()

    def _describe(self, reply: Mapping[str, Any], now: float) -> ServerDescription:
        times = self.round_trip_times
        return description_of(
            self.address,
            reply,
            round_trip_time=times.average,
            min_round_trip_time=times.minimum,
            now=now,
        )

    # The conversation

    async def _ask(self, *, awaited: bool) -> Mapping[str, Any]:
        connection = self._connection
        if connection is None:
            return await self._greet()
        if awaited:
            return await self._next_of_stream(connection)
        loop = asyncio.get_running_loop()
        sent_at = loop.time()
        body = await connection.request(_encoded(connection), deadline=self._deadline(sent_at))
        self.round_trip_times.add(loop.time() - sent_at)
        return _decoded(body, self.address)

    async def _greet(self) -> Mapping[str, Any]:
        """Open a connection; its hello is the check."""
        self._connections += 1
        connection = self._connection = Connection(self.address, self._connections)
        await self._watch.establish(connection)
        self._opened_at = asyncio.get_running_loop().time()
        connection.on_lost = self._lost
        description = connection.description
        assert description is not None, "an open connection has said hello"  # noqa: S101
        self.round_trip_times.add(connection.round_trip_time or 0.0)
        return description.hello

    def _lost(self, connection: Connection) -> None:
        """A server that closes the connection between two checks is going away: look at once."""
        if connection is self._connection and not self._is_checking:
            self._requested.set()

    async def _next_of_stream(self, connection: Connection) -> Mapping[str, Any]:
        if not connection.more_to_come:
            version = self._topology_version
            assert version is not None, "a stream begins at a version"  # noqa: S101
            connection.stream(_encoded(connection, version, self._watch.frequency))
        limit = self._deadline(asyncio.get_running_loop().time(), awaits=True)
        return _decoded(await connection.next_reply(limit), self.address)

    def _deadline(self, now: float, *, awaits: bool = False) -> Deadline:
        watch = self._watch
        option = f"connectTimeoutMS={(watch.connect_timeout or 0) * 1000:g}"
        if awaits:
            option += f" + heartbeatFrequencyMS={watch.frequency * 1000:g}"
        return Deadline.after(check_time_limit(watch.connect_timeout, watch.frequency, awaits=awaits), option, now=now)


def _encoded(connection: Connection, version: TopologyVersion | None = None, max_await_time: float = 0.0) -> bytes:
    hello_ok = connection.description is not None and connection.description.hello_ok
    command = heartbeat_command(
        hello_ok=hello_ok,
        topology_version=version.document if version is not None else None,
        max_await_time=max_await_time,
    )
    return bson.encode(command | {"$db": "admin"})


def _decoded(body: bytes, address: ServerAddress) -> Mapping[str, Any]:
    try:
        return decode_reply(body)
    except ProtocolError as exc:
        raise ProtocolError(f"{address}: {exc}") from exc
