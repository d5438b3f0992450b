"""Worker: what an operation costs as a deployment grows. Each line of the plot should be flat.

- tasks: find_one by so many tasks at a time, with the usual pool of at most 100 connections.
- pool: find_one by 100 tasks, with at most so many connections.
- servers: find_one by 10 tasks in a replica set of so many members.
- batch: a document of a find of 10 000, in batches of so many.
- insert: a document of an insert_many, with so many documents.
"""

from __future__ import annotations

from contextlib import AsyncExitStack
from dataclasses import asdict, dataclass
from pathlib import Path

import corpus
import telling
from contestants import OURS, THEIRS, Client, open_client
from replies import FIRST_BATCH
from rounds import Work, compare
from server import Files, Server, temporary_folder
from spread import Spread
from tasks import TASKS, Task, find_many, insert_many

MICROSECONDS = 1e6
TASKS_AT_A_TIME = (1, 3, 10, 30, 100, 300, 1000)
POOL = (1, 3, 10, 30, 100)
SERVERS = (1, 3, 7, 15, 50)
BATCH = (10, 100, 1000, 10_000)
INSERT = (10, 100, 1000, 10_000)


@dataclass(frozen=True)
class Settings:
    """What to measure, and how often."""

    loop: str = "asyncio"
    rounds: int = 7
    slice_time: float = 0.05


@dataclass(frozen=True)
class Point:
    """What a contestant does at one size."""

    client: Client
    task: Task
    concurrency: int = 1


async def measure(settings: Settings) -> None:
    """All of it: contestants and sizes take turns, so that sizes can be compared too."""
    telling.steps(settings.rounds * 5)
    with temporary_folder() as folder:
        files = Files.write(Path(folder))
        with Server(files) as server:
            async with AsyncExitStack() as stack:
                clients = {name: await open_client(stack, name, server) for name in (OURS, THEIRS)}
                one = TASKS["find_one"]
                await line(
                    settings,
                    "tasks",
                    {(n, size): Point(c, one, size) for size in TASKS_AT_A_TIME for n, c in clients.items()},
                )
                await line(
                    settings,
                    "pool",
                    {
                        (n, size): Point(await open_client(stack, n, server, maxPoolSize=size), one, 100)
                        for size in POOL
                        for n in clients
                    },
                )
                for what, sizes, made in (
                    ("batch", BATCH, lambda size: find_many(corpus.MANY // size + (size > FIRST_BATCH), size)),
                    ("insert", INSERT, lambda size: insert_many(corpus.small, size)),
                ):
                    await line(
                        settings,
                        what,
                        {
                            (n, size): Point(
                                c, Task(what, what, made(size), documents=corpus.MANY if what == "batch" else size)
                            )
                            for size in sizes
                            for n, c in clients.items()
                        },
                    )
        async with AsyncExitStack() as stack:
            points = {}
            for size in SERVERS:
                server = stack.enter_context(Server(files, members=size))
                for name in (OURS, THEIRS):
                    points[name, size] = Point(await open_client(stack, name, server), one, 10)
            await line(settings, "servers", points)


async def line(settings: Settings, what: str, points: dict[tuple[str, int], Point]) -> None:
    """One picture: what it costs for each contestant at each size."""
    for (_, size), point in points.items():
        await point.client.warm(size if what == "pool" else min(point.concurrency, 100))
    works = {
        key: Work(
            point.task.prepare(point.client.client, point.client.module), point.concurrency, point.task.documents > 1
        )
        for key, point in points.items()
    }
    slices = await compare(
        works, settings.rounds, slice_time=settings.slice_time, advance=lambda: telling.step(f"growth: {what}")
    )
    for (name, size), its in slices.items():
        per_document = MICROSECONDS / points[name, size].task.documents
        telling.row(
            section="growth",
            loop=settings.loop,
            what=what,
            size=size,
            contestant=name,
            cpu=asdict(Spread.of((one.cpu for one in its), per_document)),
        )
