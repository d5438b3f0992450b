"""Worker: a hundred operations at once on a client that has one connection, so that it opens the others all together.

The server answers none of the hundred before all are there: then there are a hundred connections. Besides CPU and wall
time it is measured how long the loop was held at a stretch, by a task that wants to run every millisecond: in CPU time
too, since a busy machine makes everybody wait.
"""

from __future__ import annotations

import asyncio
import gc
import ssl
import time
from contextlib import AsyncExitStack
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import telling
from contestants import BARE, OURS, THEIRS, Client, Line, client_context, open_client
from server import Files, Server, temporary_folder
from spread import Spread
from tasks import DATABASE

MILLISECONDS = 1e3


@dataclass(frozen=True)
class Settings:
    """What to measure, and how often."""

    loop: str = "asyncio"
    rounds: int = 7
    count: int = 100


@dataclass
class Storms:
    """What the rounds of one contestant gave, in seconds; for each connection, or for the whole."""

    cpu: list[float] = field(default_factory=list)
    wall: list[float] = field(default_factory=list)
    held: list[float] = field(default_factory=list)
    held_cpu: list[float] = field(default_factory=list)
    resumed: list[float] = field(default_factory=list)


class Watch:
    """CPU and wall time from its making to `stop()`, and the longest time that the loop was held at a stretch.

    It is stopped by the first reply: what comes after that, a hundred replies at once, is not about connections.
    """

    def __init__(self) -> None:
        self.cpu = self.wall = self.held = self.held_cpu = 0.0
        self._runs = True
        self._task = asyncio.create_task(self._beat())
        self._cpu, self._wall = time.process_time(), time.perf_counter()

    def stop(self) -> None:
        """Take the times, once. Plain."""
        if self._runs:
            self._runs = False
            self.cpu, self.wall = time.process_time() - self._cpu, time.perf_counter() - self._wall

    async def _beat(self) -> None:
        wall, cpu = time.perf_counter(), time.thread_time()
        while True:
            await asyncio.sleep(0.001)
            now, now_cpu = time.perf_counter(), time.thread_time()
            if not self._runs:
                return
            self.held = max(self.held, now - wall - 0.001)
            self.held_cpu = max(self.held_cpu, now_cpu - cpu)
            wall, cpu = now, now_cpu


async def measure(settings: Settings) -> None:
    """Both kinds of handshakes."""
    telling.steps(2 * settings.rounds)
    with temporary_folder() as folder:
        files = Files.write(Path(folder))
        for kind, names in (("full", (BARE, OURS, THEIRS)), ("resumed", (OURS, THEIRS))):
            with Server(files, tickets=kind == "resumed") as server:
                storms = {name: Storms() for name in names}
                for turn in range(settings.rounds + 1):
                    for name, its in storms.items():
                        await one(name, server, settings.count, its if turn else Storms())
                    if turn:
                        telling.step(f"{settings.count} connections at once, {kind}, {settings.loop}")
            ours = storms[OURS]
            for name, its in storms.items():
                row: dict[str, Any] = {
                    "cpu": asdict(Spread.of(its.cpu, MILLISECONDS)),
                    "wall": asdict(Spread.of(its.wall, MILLISECONDS)),
                    "held": asdict(Spread.of(its.held, MILLISECONDS)),
                    "held_cpu": asdict(Spread.of(its.held_cpu, MILLISECONDS)),
                    "resumed": asdict(Spread.of(its.resumed)),
                }
                if name != OURS:
                    row["ours_to_it"] = {
                        "cpu": asdict(Spread.of_ratios(ours.cpu, its.cpu)),
                        "wall": asdict(Spread.of_ratios(ours.wall, its.wall)),
                    }
                telling.row(
                    section="storm", loop=settings.loop, kind=kind, count=settings.count, contestant=name, **row
                )


async def one(name: str, server: Server, count: int, storms: Storms) -> None:
    """One contestant's turn."""
    async with AsyncExitStack() as stack:
        if name == BARE:
            context = client_context(server.files)
            work = [bare(server, context, stack) for _ in range(count)]
        else:
            client = await open_client(stack, name, server, maxPoolSize=count, maxConnecting=count)
            await client.client[DATABASE]["one"].find_one({"_id": 1})
        before = server.handshakes()
        gc.collect()
        watch = Watch()
        if name != BARE:
            work = [held_back(client, count, watch) for _ in range(count)]
        await asyncio.gather(*work)
        watch.stop()
        made, resumed = (now - then for now, then in zip(server.handshakes(), before, strict=True))
        storms.cpu.append(watch.cpu)
        storms.wall.append(watch.wall)
        storms.held.append(watch.held)
        storms.held_cpu.append(watch.held_cpu)
        storms.resumed.append(resumed / max(made, 1))


async def held_back(client: Client, count: int, watch: Watch) -> None:
    """An operation that is answered when all are there."""
    await client.client[DATABASE][f"barrier_{count}"].find_one({"_id": 1})
    watch.stop()


async def bare(server: Server, context: ssl.SSLContext | None, stack: AsyncExitStack) -> None:
    """A connection with nothing said on it."""
    host, _, port = server.hosts[0].partition(":")
    transport, _ = await asyncio.get_running_loop().create_connection(Line, host, int(port), ssl=context)
    stack.callback(transport.close)
