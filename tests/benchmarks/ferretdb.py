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
from typing import Any

import corpus
import telling
from contestants import OURS, THEIRS, open_client
from operations import tell
from rounds import SLICE, Work, compare
from tasks import DATABASE, TASKS, Operation, Task, insert_many

sys.path.insert(0, str(Path(__file__).parents[1] / "support"))
import live_ferretdb
from live_process import cache_directory

FEW = 10
"""Documents in the collection in which one is looked for: this backend looks at all of them."""

THOUSAND = 1000


def _find_one(client: Any, module: Any) -> Operation:
    collection = client[DATABASE]["few"]
    return lambda n: collection.find_one({"_id": n % FEW})


def _update_one(client: Any, module: Any) -> Operation:
    collection = client[DATABASE]["few"]
    return lambda n: collection.update_one({"_id": n % FEW}, {"$inc": {"retweet_count": 1}})


def _find_many(client: Any, module: Any) -> Operation:
    collection = client[DATABASE]["thousand"]

    async def drain(n: int) -> None:
        async for _ in collection.find({}):
            pass

    return drain


# One write at a time: SQLite refuses others ("database is locked").
PLAN = (
    Task("find_one", "find_one by _id", _find_one, (10,)),
    Task("update_one", "update_one", _update_one, (1,)),
    Task("insert_one", "insert_one, small", TASKS["insert_one"].prepare, (1,)),
    Task("find_thousand", "find, 1000 documents", _find_many, (1,), THOUSAND),
    Task("insert_thousand", "insert_many, small, 1000", insert_many(corpus.small, THOUSAND), (1,), THOUSAND),
)


@dataclass(frozen=True)
class Settings:
    """What to measure, and how often."""

    loop: str = "asyncio"
    rounds: int = 9
    slice_time: float = SLICE / 3


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
            for name, count in (("few", FEW), ("thousand", THOUSAND)):
                documents = [{**corpus.tweet(), "_id": n, "retweet_count": 0} for n in range(count)]
                await database[name].insert_many(documents)
            for task in PLAN:
                (concurrency,) = task.concurrency
                slices = await compare(
                    {
                        name: Work(await client.prepare(task, concurrency), concurrency, task.documents > 1)
                        for name, client in clients.items()
                    },
                    settings.rounds,
                    slice_time=settings.slice_time,
                    advance=lambda title=task.title: telling.step(f"{title}, {server.name}"),
                )
                tell(slices, task, concurrency, server=server.name, loop=settings.loop, tls=True)
    finally:
        server.close()
