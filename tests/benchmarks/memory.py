"""Worker: resident memory of pooled connections, for one contestant, in a process of its own.

Of each of two hundred connections, idle, and after a command of a million bytes on one after another. Then, over many
reconnects, whether something is left of each.
"""

from __future__ import annotations

import ctypes
import gc
from contextlib import AsyncExitStack, suppress
from dataclasses import dataclass
from pathlib import Path

import telling
from connections import Send, holder, opener
from contestants import OURS
from server import Files, Server, temporary_folder

MEGABYTE = "x" * 1_000_000
FIRST = 20
"""Connections that are not counted: what is there once, is there then."""


@dataclass(frozen=True)
class Settings:
    """What to measure, and how often."""

    loop: str = "asyncio"
    contestant: str = OURS
    version: str = "TLSv1_3"
    count: int = 200
    reconnects: int = 3000


def resident() -> int:
    """Bytes of memory that this process has in use; 0 where the system does not tell."""
    gc.collect()
    with suppress(OSError, AttributeError):
        ctypes.CDLL("libc.so.6").malloc_trim(0)
    with suppress(OSError):
        return int(Path("/proc/self/statm").read_text(encoding="ascii").split()[1]) * 4096
    return 0


async def measure(settings: Settings) -> None:
    """Kilobytes for each pooled connection, and for each reconnect."""
    telling.steps(2)
    with temporary_folder() as folder, Server(Files.write(Path(folder)), version=settings.version) as server:
        async with AsyncExitStack() as stack:
            take, send = await holder(stack, settings.contestant, server), list[Send]()
            for _ in range(FIRST):
                send.append(await take())
            for ping in send:
                await ping({"ping": 1, "text": MEGABYTE})
            before = resident()
            for _ in range(settings.count):
                send.append(await take())
            for ping in send[FIRST:]:
                await ping({"ping": 1})
            idle = resident() - before
            for ping in send[FIRST:]:
                await ping({"find": "megabyte", "text": MEGABYTE, "$db": "bench"})
            used = resident() - before
        telling.step(f"memory of {settings.count} connections, {settings.contestant}")
        async with AsyncExitStack() as stack:
            its = await opener(stack, settings.contestant, server)
            for _ in range(settings.reconnects // 3):
                await its.connect()
            before = resident()
            for _ in range(settings.reconnects):
                await its.connect()
            left = resident() - before
        telling.step(f"memory over {settings.reconnects} reconnects, {settings.contestant}")
    telling.row(
        section="memory",
        loop=settings.loop,
        version=settings.version,
        contestant=settings.contestant,
        count=settings.count,
        idle=idle / settings.count,
        used=used / settings.count,
        reconnects=settings.reconnects,
        left=left / settings.reconnects,
    )
