"""Worker: connections with X.509 and a ping, one after the other; how long each takes, and how many are resumed."""

from __future__ import annotations

import gc
import time
from contextlib import AsyncExitStack
from dataclasses import asdict, dataclass
from pathlib import Path

import telling
from connections import OURS_FULL, opener
from contestants import OURS, THEIRS
from server import Files, Server, temporary_folder
from spread import Spread

MILLISECONDS = 1e3


@dataclass(frozen=True)
class Settings:
    """What to measure, and how often."""

    loop: str = "asyncio"
    version: str = "TLSv1_3"
    rounds: int = 15
    count: int = 10


async def measure(settings: Settings) -> None:
    """Rounds of `count` connections with each contestant."""
    names = (OURS, OURS_FULL, THEIRS)
    telling.steps(settings.rounds)
    with temporary_folder() as folder, Server(Files.write(Path(folder)), version=settings.version) as server:
        async with AsyncExitStack() as stack:
            openers = {name: await opener(stack, name, server) for name in names}
            cpu: dict[str, list[float]] = {name: [] for name in names}
            wall: dict[str, list[float]] = {name: [] for name in names}
            resumed = dict.fromkeys(names, 0)
            for turn in range(settings.rounds + 1):
                for name, its in openers.items():
                    gc.collect()
                    began, before = time.perf_counter(), time.process_time()
                    for _ in range(settings.count):
                        resumed[name] += await its.connect() if turn else (await its.connect()) and 0
                    if turn:
                        cpu[name].append((time.process_time() - before) / settings.count)
                        wall[name].append((time.perf_counter() - began) / settings.count)
                if turn:
                    telling.step(f"one connection after the other, {settings.version}, {settings.loop}")
    for name in names:
        telling.row(
            section="connects",
            loop=settings.loop,
            version=settings.version,
            contestant=name,
            cpu=asdict(Spread.of(cpu[name], MILLISECONDS)),
            wall=asdict(Spread.of(wall[name], MILLISECONDS)),
            resumed=resumed[name] / (settings.rounds * settings.count),
        )
