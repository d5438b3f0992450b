"""The connection monitoring and pooling suite, run by `Pool`.

Cases of style `unit` open nothing. Those of style `integration` run over the embedded server, whose fail point is set
with a command over a connection of its own. What the topology would do about a failed attempt is done here in one
line: the pool is cleared, unless the server may only have too much to do.

The pool has no background thread, so `backgroundThreadIntervalMS` says nothing to it. The texts of our errors are our
own; their classes are compared.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import fields
from functools import partial
from typing import Any

import bson
import pytest
from openers import Opener
from peers import resolver_of
from recording import Recording

from aiomongo_tls.address import ServerAddress
from aiomongo_tls.core.auth.metadata import client_document
from aiomongo_tls.core.events.pool_events import PoolEvent
from aiomongo_tls.core.events.publisher import EventPublisher
from aiomongo_tls.core.options.pool_options import PoolOptions
from aiomongo_tls.core.options.tls_options import TLSOptions
from aiomongo_tls.core.pool.key import PoolKey
from aiomongo_tls.errors import MongoError
from aiomongo_tls.net.connection import Connection
from aiomongo_tls.net.environment import client_environment
from aiomongo_tls.net.establish import Establisher
from aiomongo_tls.net.identity import load_identity
from aiomongo_tls.pool.pool import Pool
from aiomongo_tls.testing import MongoTestServer

SUITES = ["connection-monitoring-and-pooling/tests/cmap-format"]

Establish = Callable[[Connection], Awaitable[None]]

PATIENCE = 10.0
"""Seconds after which something that a case waits for will not come any more."""


def pool_options(given: dict[str, Any]) -> PoolOptions:
    """The options of a case, which names them as a URI does."""
    milliseconds = {"max_idle_time": "maxIdleTimeMS", "wait_queue_timeout": "waitQueueTimeoutMS"}
    counts = {"max_pool_size": "maxPoolSize", "min_pool_size": "minPoolSize", "max_connecting": "maxConnecting"}
    values = {field: given[name] for field, name in counts.items() if name in given}
    values |= {field: given[name] / 1000 for field, name in milliseconds.items() if name in given}
    return PoolOptions(**values)


def name_of(event: PoolEvent) -> str:
    """What the suite calls an event: with `Connection` in front of `Pool`."""
    name = type(event).__name__.removesuffix("Event")
    return f"Connection{name}" if name.startswith("Pool") else name


def as_document(event: PoolEvent) -> dict[str, Any]:
    """An event as the suite writes it."""
    names = {"connection_id": "connectionId", "interrupt_connections": "interruptInUseConnections"}
    values = {names.get(field.name, field.name): getattr(event, field.name) for field in fields(event)}
    return {"type": name_of(event)} | {name: value for name, value in values.items() if value is not None}


def check_match(expected: Any, actual: Any) -> None:
    """What is expected is there; 42 stands for anything."""
    if expected in (42, "42"):
        assert actual is not None
    elif isinstance(expected, dict):
        for name, value in expected.items():
            assert name in actual, f"{name} is missing in {actual}"
            check_match(value, actual[name])
    else:
        assert actual == expected


class Thread:
    """Works off operations one after the other, until one fails or it is told to end."""

    def __init__(self) -> None:
        self._operations: asyncio.Queue[Callable[[], Awaitable[None]] | None] = asyncio.Queue()
        self._task = asyncio.create_task(self._run())

    def do(self, operation: Callable[[], Awaitable[None]]) -> None:
        """Do this after everything before."""
        self._operations.put_nowait(operation)

    async def end(self) -> None:
        """Wait until everything is done; raises what went wrong."""
        self._operations.put_nowait(None)
        await self._task

    async def stop(self) -> None:
        """End at once, whatever went wrong."""
        self._task.cancel()
        await asyncio.gather(self._task, return_exceptions=True)

    async def _run(self) -> None:
        while (operation := await self._operations.get()) is not None:
            await operation()


class Run:
    """One case."""

    def __init__(self, pool: Pool, recording: Recording) -> None:
        self.pool = pool
        self.recording = recording
        self.threads: dict[str, Thread] = {}
        self.connections: dict[str, Connection] = {}

    async def operations(self, operations: list[dict[str, Any]]) -> None:
        """Carry out the operations of a case."""
        for operation in operations:
            done = partial(getattr(self, f"_{operation['name']}"), operation)
            if "thread" in operation:
                self.threads[operation["thread"]].do(done)
            else:
                await done()

    async def _start(self, operation: dict[str, Any]) -> None:
        self.threads[operation["target"]] = Thread()

    async def _wait(self, operation: dict[str, Any]) -> None:
        await asyncio.sleep(operation["ms"] / 1000)

    async def _waitForThread(self, operation: dict[str, Any]) -> None:  # noqa: N802 - the suite's names
        async with asyncio.timeout(PATIENCE):
            await self.threads[operation["target"]].end()

    async def _waitForEvent(self, operation: dict[str, Any]) -> None:  # noqa: N802
        name, seconds = operation["event"], operation.get("timeout", PATIENCE * 1000) / 1000
        await self.recording.until(
            lambda: [name_of(event) for event in self.recording.events].count(name) >= operation["count"], seconds
        )

    async def _checkOut(self, operation: dict[str, Any]) -> None:  # noqa: N802
        connection = self.pool.try_check_out() or await self.pool.check_out()
        self.connections[operation.get("label", "")] = connection

    async def _checkIn(self, operation: dict[str, Any]) -> None:  # noqa: N802
        self.pool.check_in(self.connections[operation["connection"]])

    async def _ready(self, operation: dict[str, Any]) -> None:
        self.pool.ready()

    async def _clear(self, operation: dict[str, Any]) -> None:
        self.pool.clear(interrupt_in_use_connections=operation.get("interruptInUseConnections", False))

    async def _close(self, operation: dict[str, Any]) -> None:
        self.pool.close()


@asynccontextmanager
async def establishing(case: dict[str, Any]) -> AsyncIterator[tuple[ServerAddress, Establish]]:
    """What the pool of a case leads to, and how."""
    if case["style"] == "unit":
        yield ServerAddress("db.example.net"), Opener().establish
        return
    with MongoTestServer(tls="off") as server:

        def establisher(app_name: str | None) -> Establisher:
            client = client_document(client_environment(), app_name=app_name)
            return Establisher(
                address=server.address,
                client=client,
                identity=load_identity(TLSOptions()),
                credential=None,
                resolver=resolver_of(),
            )

        if "failPoint" in case:
            connection = Connection(server.address, 0)
            await establisher(None).establish(connection)
            reply = bson.decode(await connection.request(bson.encode(case["failPoint"] | {"$db": "admin"})))
            assert reply["ok"] == 1.0, reply
            connection.abort()
            await connection.wait_closed()
        yield server.address, establisher(case.get("poolOptions", {}).get("appName")).establish


async def test_cmap(case: dict[str, Any]) -> None:
    """The operations of the case end as it says, and the events are those it lists, in this order."""
    recording = Recording()

    def on_fault(connection: Connection, error: Exception) -> None:
        if not isinstance(error, MongoError) or not error.has_error_label("SystemOverloadedError"):
            pool.clear(error)

    async with establishing(case) as (address, establish):
        pool = Pool(
            PoolKey(address),
            pool_options(case.get("poolOptions", {})),
            establish,
            publisher=EventPublisher([recording]),
            on_fault=on_fault,
        )
        run = Run(pool, recording)
        try:
            if "error" in case:
                with pytest.raises(MongoError) as caught:
                    await run.operations(case["operations"])
                assert type(caught.value).__name__ == case["error"]["type"]
            else:
                await run.operations(case["operations"])
            ignored = case.get("ignore", ())
            events = [as_document(event) for event in recording.events if name_of(event) not in ignored]
        finally:
            for thread in run.threads.values():
                await thread.stop()
            pool.abort()
            await pool.wait_closed()
    expected = case["events"]
    assert len(events) >= len(expected), events
    for event, wanted in zip(events, expected, strict=False):
        check_match(wanted, event)
