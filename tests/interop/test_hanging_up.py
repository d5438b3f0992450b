"""The FastAPI example behind Starlette's BaseHTTPMiddleware, whose clients hang up in mid-request.

What becomes of a request whose client has gone is the service's affair: it may go on, it may be cancelled by a scope of
anyio's (on every turn of the loop until it is out of it), or by asyncio (once). Whatever it is, the pool stays whole
and no connection to MongoDB is lost by it.
"""

from __future__ import annotations

import asyncio
import gc
import importlib.util
import socket
import struct
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from types import ModuleType
from typing import Any

import anyio
import pytest
import uvicorn
from fastapi import FastAPI, Request
from starlette.middleware.base import BaseHTTPMiddleware, RequestResponseEndpoint
from starlette.requests import ClientDisconnect
from starlette.responses import Response, StreamingResponse
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from aiomongo_tls import AsyncClient, InsertOne
from aiomongo_tls.core.pool import slots
from aiomongo_tls.core.pool.status import PoolStatus
from aiomongo_tls.testing import MongoTestServer

EXAMPLE = Path(__file__).resolve().parents[2] / "examples" / "fastapi_app.py"
CLIENTS = 200
CONNECTIONS = 20
OK = b"HTTP/1.1 200 OK"
RESET = struct.pack("ii", 1, 0)


# What services do about a client that has gone


class GoesOn(BaseHTTPMiddleware):
    """Nothing, as most: between the two there is only BaseHTTPMiddleware, with its task and its streams."""

    async def dispatch(self, request: Request, call_next: RequestResponseEndpoint) -> Response:
        response = await call_next(request)
        response.headers["x-seen"] = "yes"
        return response


class CancelledByScope(BaseHTTPMiddleware):
    """Leaves its task group with an error, which cancels the task of the endpoint on every turn."""

    async def dispatch(self, request: Request, call_next: RequestResponseEndpoint) -> Response:
        response: Response | None = None
        async with anyio.create_task_group() as group:

            async def watch() -> None:
                await gone(request.receive)
                group.cancel_scope.cancel()

            group.start_soon(watch)
            response = await call_next(request)
            group.cancel_scope.cancel()
        if response is None:
            raise ClientDisconnect
        return response


class CancelledByTask(GoesOn):
    """The whole request is a task that is cancelled, BaseHTTPMiddleware in it."""

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        never = asyncio.Event()
        started = False

        async def nothing_more() -> Message:
            nonlocal started
            if started:
                await never.wait()
            started = True
            return {"type": "http.request", "body": b"", "more_body": False}

        request = asyncio.ensure_future(super().__call__(scope, nothing_more, send))
        watching = asyncio.ensure_future(gone(receive))
        await asyncio.wait([request, watching], return_when=asyncio.FIRST_COMPLETED)
        request.cancel()
        watching.cancel()
        await asyncio.wait([request, watching])


async def gone(receive: Receive) -> None:
    """Wait until the client has gone."""
    while (await receive())["type"] != "http.disconnect":
        pass


# The service


@dataclass
class Requests:
    """Counts the requests that are under way, outermost in the service."""

    app: ASGIApp
    running: int = 0
    served: int = 0
    _changed: asyncio.Event = field(default_factory=asyncio.Event)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        self.running += 1
        self._changed.set()
        try:
            # The client has gone: nobody is left to be told of an error.
            with suppress(ClientDisconnect):
                await self.app(scope, receive, send)
        finally:
            self.running -= 1
            self.served += 1
            self._changed.set()

    async def until(self, condition: Callable[[], object]) -> None:
        async with asyncio.timeout(10):
            while not condition():
                self._changed.clear()
                await self._changed.wait()


@dataclass
class Service:
    """The example at work."""

    app: FastAPI
    requests: Requests
    port: int
    server: MongoTestServer
    is_cancelling: bool

    def release(self) -> None:
        """Have the server answer what it holds back."""
        listener = self.server._listener
        listener.call(lambda: [peer._resume() for peer in listener.peers])

    @property
    def client(self) -> AsyncClient[dict[str, Any]]:
        client: AsyncClient[dict[str, Any]] = self.app.state.mongo
        return client

    @property
    def pool(self) -> PoolStatus:
        return self.client.pool_status()[self.server.address]

    async def until(self, condition: Callable[[], object]) -> None:
        """Wait for something that is told to nobody."""
        async with asyncio.timeout(10):
            while not condition():  # noqa: ASYNC110
                await asyncio.sleep(0.001)

    def accepted(self) -> set[int]:
        """The connections that were ever opened for operations."""
        commands = self.server.commands
        return {command.connection_id for command in commands if "speculativeAuthenticate" in command.document}

    def sessions(self) -> set[bytes]:
        """The sessions that the server has ever heard of."""
        return {bytes(lsid["id"]) for command in self.server.commands if (lsid := command.document.get("lsid"))}

    @property
    def open_cursors(self) -> int:
        """How many cursors the server holds."""
        return len(self.server._backend._state.cursors)

    @asynccontextmanager
    async def request(self, path: str) -> AsyncIterator[tuple[asyncio.StreamReader, asyncio.StreamWriter]]:
        """A request that was sent, over a raw socket."""
        reader, writer = await asyncio.open_connection("127.0.0.1", self.port)
        try:
            writer.write(f"GET {path} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n".encode())
            yield reader, writer
        finally:
            writer.close()
            with suppress(OSError):
                await writer.wait_closed()

    async def get(self, path: str) -> bytes:
        """What a patient client gets: the first line of an answer that was read to its end."""
        async with self.request(path) as (reader, _):
            return (await reader.read()).partition(b"\r\n")[0]

    async def whole(self) -> None:
        """Nothing is under way, and the pool is as before the first request."""
        await self.requests.until(lambda: not self.requests.running)
        reaper = self.client._executor._reaper
        await self.until(lambda: not self.pool.parked and not self.pool.opening and reaper.is_idle)
        pool = self.pool
        assert (pool.in_use, pool.waiting, pool.idle) == (0, 0, CONNECTIONS)


@asynccontextmanager
async def serving(
    server: MongoTestServer, monkeypatch: pytest.MonkeyPatch, middleware: type[BaseHTTPMiddleware], **options: Any
) -> AsyncIterator[Service]:
    """The example behind a middleware, in this process and on this loop."""
    # Monitoring by polling has one connection, whatever time passes.
    options = {"drainTimeoutMS": 60_000, "serverMonitoringMode": "poll"} | options
    uri = server.uri(maxPoolSize=CONNECTIONS, minPoolSize=CONNECTIONS, maxConnecting=10, **options)
    monkeypatch.setenv("MONGODB_URI", uri)
    app: FastAPI = example().app
    app.add_api_route("/users", everybody, response_model=None)
    app.add_middleware(middleware)
    requests = Requests(app)
    listening = socket.create_server(("127.0.0.1", 0), backlog=2 * CLIENTS)
    config = uvicorn.Config(requests, log_level="critical", lifespan="on", timeout_graceful_shutdown=10)
    http = uvicorn.Server(config)
    running = asyncio.ensure_future(http.serve(sockets=[listening]))
    service = Service(app, requests, listening.getsockname()[1], server, middleware is not GoesOn)
    try:
        assert await service.get("/ready") == OK
        await service.client["app"]["users"].bulk_write([InsertOne({"_id": f"user{n}"}) for n in range(100)])
        await service.until(lambda: service.pool.idle == CONNECTIONS)
        yield service
    finally:
        http.should_exit = True
        await running


def example() -> ModuleType:
    """The example, loaded anew: an application can be started once."""
    spec = importlib.util.spec_from_file_location("fastapi_app", EXAMPLE)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


async def everybody(request: Request) -> Response:
    """Streams names from a cursor of many batches; Starlette cancels it when the client has gone."""

    async def names() -> AsyncIterator[str]:
        async with request.app.state.mongo["app"]["users"].find(batch_size=2) as cursor:
            async for user in cursor:
                yield f"{user['_id']}\n"

    return StreamingResponse(names())


@pytest.fixture(autouse=True)
def patience(monkeypatch: pytest.MonkeyPatch) -> None:
    """On a busy machine the server is slow, and would be taken for one that hangs while others wait."""
    monkeypatch.setattr(slots, "SPARED", 60.0)


# Clients

HangUp = Callable[[asyncio.StreamWriter], None]


def closes(writer: asyncio.StreamWriter) -> None:
    writer.close()


def resets(writer: asyncio.StreamWriter) -> None:
    writer.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, RESET)
    writer.transport.abort()


WAYS: list[HangUp] = [closes, resets]
in_every_service = pytest.mark.parametrize("middleware", [GoesOn, CancelledByScope, CancelledByTask])


async def clients(one: Callable[[int], Awaitable[None]]) -> None:
    """All of them at once."""
    await asyncio.gather(*(one(number) for number in range(CLIENTS)))


async def hang_up_while_the_server_is_busy(service: Service) -> None:
    """Every client sends its request, all of them hang up, and then the server answers."""
    service.server.on("find").answers_after(60).times(CONNECTIONS)
    there = service.requests.served + CLIENTS
    async with AsyncExitStack() as stack:
        writers: list[asyncio.StreamWriter] = []
        for number in range(CLIENTS):
            _, writer = await stack.enter_async_context(service.request(f"/users/user{number % 100}"))
            writers.append(writer)
        await service.requests.until(lambda: service.requests.running + service.requests.served >= there)
        await asyncio.to_thread(service.server.wait_for, "find", count=CONNECTIONS)
        for number, writer in enumerate(writers):
            WAYS[number % 2](writer)
        if service.is_cancelling:
            await service.requests.until(lambda: not service.requests.running)
            assert (service.pool.in_use, service.pool.waiting) == (0, 0)
    service.release()


@in_every_service
async def test_hanging_up_while_operations_wait(
    aiomongo_server: MongoTestServer, monkeypatch: pytest.MonkeyPatch, middleware: type[BaseHTTPMiddleware]
) -> None:
    """Twenty operations have a connection and wait for the answer, the others for a connection."""
    async with serving(aiomongo_server, monkeypatch, middleware) as service:
        before = service.accepted()
        await hang_up_while_the_server_is_busy(service)
        await service.whole()
        assert service.accepted() == before
        answers = await asyncio.gather(*(service.get("/users/user1") for _ in range(CONNECTIONS)))
        assert set(answers) == {OK}
        await service.whole()
        assert service.accepted() == before
        assert len(service.client._executor.sessions) == len(service.sessions())


async def test_hanging_up_without_draining(aiomongo_server: MongoTestServer, monkeypatch: pytest.MonkeyPatch) -> None:
    """What the same clients cost if no late reply is waited for: the twin of the test before."""
    async with serving(aiomongo_server, monkeypatch, CancelledByScope, drainTimeoutMS=0) as service:
        before = service.accepted()
        await hang_up_while_the_server_is_busy(service)
        await service.requests.until(lambda: not service.requests.running)
        await service.until(lambda: service.pool.idle == CONNECTIONS)
        assert len(service.accepted() - before) >= CONNECTIONS


@in_every_service
@pytest.mark.parametrize("path", ["/users/user1", "/users"])
async def test_hanging_up_at_any_time(
    aiomongo_server: MongoTestServer, monkeypatch: pytest.MonkeyPatch, middleware: type[BaseHTTPMiddleware], path: str
) -> None:
    """Each client hangs up a little later than the one before, with answers coming at once; the others are served."""
    async with serving(aiomongo_server, monkeypatch, middleware) as service:
        before = service.accepted()

        async def one(number: int) -> None:
            async with service.request(path) as (reader, writer):
                if number % 10 == 0:
                    # One of the patient ones.
                    assert (await reader.read()).startswith(OK)
                    return
                for _ in range(number):
                    await asyncio.sleep(0)
                WAYS[number % 2](writer)

        await clients(one)
        await service.whole()
        assert service.accepted() == before
        # A generator with a cursor in it that was left in the middle is ended when it is collected as garbage.
        gc.collect()
        assert await service.get(path) == OK
        await service.whole()
        await service.until(lambda: len(service.client._executor.sessions) == len(service.sessions()))
        await service.until(lambda: not service.open_cursors)
        assert service.accepted() == before
