"""Worker: the two drivers before a FerretDB, TLS with a client certificate: what is left of it where a database works.

Where there is none that is built already (`FERRETDB_BIN`, on PATH, or what `nox -s ferretdb` has left) it says so and
measures nothing.
"""

from __future__ import annotations

import asyncio
import os
import shutil
import sys
from contextlib import AsyncExitStack
from dataclasses import dataclass
from pathlib import Path

import corpus
import telling
from contestants import OURS, THEIRS, open_client
from operations import tell
from rounds import SLICE, Work, compare
from tasks import DATABASE, TASKS

sys.path.insert(0, str(Path(__file__).parents[1] / "support"))
import live_ferretdb
from live_process import cache_directory

PLAN = (("find_one", 10), ("insert_one", 10), ("update_one", 10), ("find_many", 1), ("insert_many", 1))


@dataclass(frozen=True)
class Settings:
    """What to measure, and how often."""

    loop: str = "asyncio"
    rounds: int = 9
    slice_time: float = SLICE


def is_here() -> bool:
    """Whether it need not be built first."""
    return bool(
        os.environ.get(live_ferretdb.VARIABLE)
        or shutil.which("ferretdb")
        or (cache_directory(f"ferretdb-{live_ferretdb.VERSION}") / "ferretdb").exists()
    )


async def measure(settings: Settings) -> None:
    """The main tasks."""
    if not is_here():
        telling.note("FerretDB: NOT RUN, it is not built (nox -s ferretdb builds it)")
        return
    telling.steps(len(PLAN) * settings.rounds)
    server = await asyncio.to_thread(live_ferretdb.start)
    try:
        async with AsyncExitStack() as stack:
            clients = {name: await open_client(stack, name, server) for name in (OURS, THEIRS)}
            database = clients[OURS].client[DATABASE]
            for name in ("one", f"batches_2_{corpus.MANY}"):
                await database[name].insert_many([{"_id": n, **corpus.tweet()} for n in range(corpus.MANY)])
            for name, concurrency in PLAN:
                task = TASKS[name]
                slices = await compare(
                    {
                        who: Work(await client.prepare(task, concurrency), concurrency, task.documents > 1)
                        for who, client in clients.items()
                    },
                    settings.rounds,
                    slice_time=settings.slice_time,
                    advance=lambda title=task.title: telling.step(f"{title}, {server.name}"),
                )
                tell(slices, task, concurrency, server=server.name, loop=settings.loop, tls=True)
    finally:
        server.close()
