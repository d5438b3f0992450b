"""What a TLS connection costs: aiomongo_tls beside PyMongo Async, in one run.

    python tests/benchmarks/connections.py [resumption | memory | growth]

- `resumption`: milliseconds and CPU for a new connection with X.509 and a first ping, with RSA certificates, one after
  the other; how many of them resumed a TLS session.
- `memory`: resident memory of each of 200 pooled connections, idle, and after 1 MB each way on one after another.
- `growth`: resident memory over 10 000 reconnects.

Each contestant runs in a process of its own, the server in another. PyMongo's pool is reached through private names,
because nothing public opens a connection or holds 200.
"""

from __future__ import annotations

import argparse
import asyncio
import ctypes
import gc
import statistics
import subprocess
import sys
import time
from collections.abc import Awaitable, Callable
from contextlib import AsyncExitStack, suppress
from pathlib import Path
from typing import Any

import bson
import pymongo
import uvloop

from aiomongo_tls import AsyncClient
from aiomongo_tls.core.uri.resolve import resolve
from aiomongo_tls.net.connection import Connection
from aiomongo_tls.net.dns import Resolver
from aiomongo_tls.net.establish import Establisher
from aiomongo_tls.net.identity import load_identity

MEGABYTE = "x" * 1_000_000
PING = {"ping": 1, "$db": "admin"}

# The server's life is bound to ours: it ends when its standard input does.
SERVER = """
import sys, ssl, trustme
from aiomongo_tls.testing import Certificate, CertKit, MongoTestServer
ca = trustme.CA(key_type=trustme.KeyType.RSA)
def issue(*names, **more):
    made = ca.issue_cert(*names, key_type=trustme.KeyType.RSA, **more)
    chain = b"".join(blob.bytes() for blob in made.cert_chain_pems)
    return Certificate(chain, made.private_key_pem.bytes(), ca.cert_pem.bytes())
version = getattr(ssl.TLSVersion, sys.argv[1])
me = issue("me@example.net", common_name="me")
settings = dict(certificate=issue("localhost", "127.0.0.1"), minimum_version=version, maximum_version=version)
with MongoTestServer(ca=CertKit(ca), users=[me], **settings) as server:
    server.on("ping", where=lambda command: "text" in command.document).replies({"ok": 1.0, "text": "x" * 1_000_000})
    print(server.uri(client=me, directConnection="true"), flush=True)
    sys.stdin.read()
"""


def resident() -> int:
    """Bytes of memory that this process has in use."""
    gc.collect()
    with suppress(OSError, AttributeError):
        ctypes.CDLL("libc.so.6").malloc_trim(0)
    return int(Path("/proc/self/statm").read_text().split()[1]) * 4096


class Ours:
    """Connections as a pool opens them."""

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
    """The same with PyMongo Async."""

    def __init__(self, uri: str) -> None:
        self.client: pymongo.AsyncMongoClient[dict[str, Any]] = pymongo.AsyncMongoClient(uri, maxPoolSize=500)

    async def pool(self) -> Any:
        """The pool of the only server."""
        await self.client.admin.command("ping")
        (server,) = self.client._topology._servers.values()
        return server.pool

    async def connect(self) -> bool:
        """Connect, ping, close; whether a session was resumed."""
        pool = await self.pool() if not hasattr(self, "_pool") else self._pool
        self._pool = pool
        connection = await pool.connect()
        await connection.command("admin", {"ping": 1})
        resumed = bool(connection.conn.get_conn.transport.get_extra_info("ssl_object").session_reused)
        await connection.close_conn(None)
        return resumed


async def times(connect: Callable[[], Awaitable[bool]], count: int) -> tuple[float, float, int]:
    """Milliseconds (median) and CPU milliseconds (mean) of a connection, and how many were resumed."""
    for _ in range(20):
        await connect()
    walls, resumed, cpu = [], 0, time.process_time()
    for _ in range(count):
        began = time.perf_counter()
        resumed += await connect()
        walls.append(time.perf_counter() - began)
    return statistics.median(walls) * 1e3, (time.process_time() - cpu) / count * 1e3, resumed


async def resumption(uri: str, contestant: str, count: int) -> None:
    """One line of the table."""
    made: Any = Theirs(uri) if contestant == "PyMongo Async" else Ours(uri, resumes=contestant != "ours, full")
    wall, cpu, resumed = await times(made.connect, count)
    print(f"{contestant:16} {wall:6.2f} ms  {cpu:6.2f} ms CPU  {resumed:5} of {count} resumed", flush=True)
    if isinstance(made, Theirs):
        await made.client.close()


async def growth(uri: str, contestant: str, count: int) -> None:
    """How memory develops over many reconnects."""
    made: Any = Theirs(uri) if contestant == "PyMongo Async" else Ours(uri, resumes=contestant != "ours, full")
    for _ in range(500):
        await made.connect()
    marks, resumed = [resident()], 0
    for _ in range(4):
        for _ in range(count // 4):
            resumed += await made.connect()
        marks.append(resident())
    steps = ", ".join(f"{(mark - marks[0]) / 1024:+.0f}" for mark in marks[1:])
    print(f"{contestant:16} {marks[0] / 1024:.0f} KB, then {steps} KB; {resumed} of {count} resumed", flush=True)
    if isinstance(made, Theirs):
        await made.client.close()


async def memory(uri: str, contestant: str, count: int) -> None:
    """Kilobytes for each pooled connection."""
    async with AsyncExitStack() as stack:
        send: list[Callable[[dict[str, Any]], Awaitable[Any]]] = []
        if contestant == "PyMongo Async":
            theirs = Theirs(uri)
            stack.push_async_callback(theirs.client.close)
            pool = await theirs.pool()

            async def one_more() -> None:
                connection = await stack.enter_async_context(pool.checkout())
                send.append(lambda command: connection.command("admin", {**command}))

        else:
            client = await stack.enter_async_context(AsyncClient.connect(uri, maxPoolSize=500))
            topology = client._executor.topology

            async def one_more() -> None:
                connection = await topology.check_out()
                stack.callback(topology.check_in, connection)
                send.append(lambda command: connection.request(bson.encode({**command, "$db": "admin"})))

        for _ in range(20):
            await one_more()
        for ping in send:
            await ping({"ping": 1, "text": MEGABYTE})
        before = resident()
        for _ in range(count):
            await one_more()
        for ping in send[20:]:
            await ping({"ping": 1})
        idle = resident()
        for ping in send[20:]:
            await ping({"ping": 1, "text": MEGABYTE})
        used = resident()
    idle, used = (round((mark - before) / 1024 / count) for mark in (idle, used))
    print(f"{contestant:16} {idle:4} KB idle, {used:4} KB after 1 MB each way", flush=True)


PARTS = {
    "resumption": (resumption, 300, ("ours", "ours, full", "PyMongo Async")),
    "memory": (memory, 200, ("ours", "PyMongo Async")),
    "growth": (growth, 10_000, ("ours",)),
}


def main() -> None:
    """Run what was asked for, or all of it."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("parts", nargs="*", choices=[[], *PARTS], help="all if none is named")
    parser.add_argument("--count", type=int, help="connections")
    parser.add_argument("--contestant", help=argparse.SUPPRESS)
    parser.add_argument("--uvloop", action="store_true")
    parser.add_argument("--uri", help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.contestant:
        run, count, _ = PARTS[arguments.parts[0]]
        factory = uvloop.new_event_loop if arguments.uvloop else None
        with asyncio.Runner(loop_factory=factory) as runner:
            runner.run(run(arguments.uri, arguments.contestant, arguments.count or count))
        return
    for part in arguments.parts or PARTS:
        for version in ("TLSv1_2", "TLSv1_3"):
            for loop in ((), ("--uvloop",)):
                print(f"\n{part}, {version.replace('_', '.')}, {'uvloop' if loop else 'asyncio'}", flush=True)
                run_in_turn(part, version, [*loop, *(("--count", str(arguments.count)) if arguments.count else ())])


def run_in_turn(part: str, version: str, options: list[str]) -> None:
    """Each contestant in a process of its own, with one server."""
    with subprocess.Popen(
        [sys.executable, "-c", SERVER, version], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as server:
        assert server.stdout is not None
        uri = server.stdout.readline().strip()
        for contestant in PARTS[part][2]:
            command = [sys.executable, __file__, part, "--contestant", contestant, "--uri", uri, *options]
            subprocess.run(command, check=True)
        server.communicate()


if __name__ == "__main__":
    main()
