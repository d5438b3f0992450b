"""Worker: the tasks, under one event loop, with or without TLS."""

from __future__ import annotations

from collections.abc import Iterable
from contextlib import AsyncExitStack
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import telling
from contestants import EVERYBODY, OURS, open_all
from rounds import SLICE, Slice, Work, compare
from server import Files, Server, temporary_folder
from spread import Spread
from tasks import TASKS, Task

MICROSECONDS = 1e6


@dataclass(frozen=True)
class Settings:
    """What to measure, and how often."""

    loop: str = "asyncio"
    tls: bool = True
    tasks: list[str] = field(default_factory=lambda: list(TASKS))
    concurrency: list[int] = field(default_factory=lambda: [1, 10, 100])
    contestants: list[str] = field(default_factory=lambda: list(EVERYBODY))
    rounds: int = 15
    slice_time: float = SLICE

    def rounds_of(self, task: Task) -> int:
        """Fewer of those that take long at a time."""
        return self.rounds if task.documents == 1 else max(1, self.rounds * 2 // 3)


async def measure(settings: Settings) -> None:
    """All tasks of the settings."""
    plan = [
        (TASKS[name], concurrency)
        for name in settings.tasks
        for concurrency in TASKS[name].concurrency
        if concurrency in settings.concurrency or len(TASKS[name].concurrency) == 1
    ]
    telling.steps(sum(settings.rounds_of(task) for task, _ in plan))
    with temporary_folder() as folder:
        files = Files.write(Path(folder)) if settings.tls else None
        with Server(files) as server:
            async with AsyncExitStack() as stack:
                contestants = await open_all(stack, server, settings.contestants)
                for task, concurrency in plan:
                    rounds = settings.rounds_of(task)
                    title = f"{task.title} x{concurrency}, {settings.loop}, {'TLS' if settings.tls else 'plain'}"
                    slices = await compare(
                        {
                            name: Work(await contestant.prepare(task, concurrency), concurrency, task.documents > 1)
                            for name, contestant in contestants.items()
                        },
                        rounds,
                        slice_time=settings.slice_time,
                        server_cpu=server.cpu,
                        advance=lambda title=title: telling.step(title),
                    )
                    tell(slices, task, concurrency, server="lean server", loop=settings.loop, tls=settings.tls)


def tell(slices: dict[str, list[Slice]], task: Task, concurrency: int, **what: Any) -> None:
    """A row for each contestant."""
    for row in rows(slices):
        telling.row(
            section="operations",
            **what,
            task=task.name,
            title=task.title,
            concurrency=concurrency,
            documents=task.documents,
            **row,
        )


def rows(slices: dict[str, list[Slice]]) -> Iterable[dict[str, Any]]:
    """For each contestant what it used, and how many times as much as the others we do."""
    for name, its in slices.items():
        row: dict[str, Any] = {
            "contestant": name,
            "cpu": asdict(Spread.of((one.cpu for one in its), MICROSECONDS)),
            "wall": asdict(Spread.of((one.wall for one in its), MICROSECONDS)),
            "server_share": asdict(Spread.of(one.server_cpu / one.wall for one in its)),
        }
        ours = slices.get(OURS)
        if ours is not None and name != OURS:
            row["ours_to_it"] = {
                "cpu": asdict(Spread.of_ratios((one.cpu for one in ours), (one.cpu for one in its))),
                "wall": asdict(Spread.of_ratios((one.wall for one in ours), (one.wall for one in its))),
            }
        yield row
