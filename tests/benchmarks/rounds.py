"""Contestants in turn, many short rounds: on a machine with other work, only what is measured side by side compares.

In each round each contestant works for about as long as the others, so that a disturbance meets all of them alike, and
the order changes from round to round. A ratio is taken within each round; the report has the median of the ratios.
"""

from __future__ import annotations

import asyncio
import gc
import time
from collections.abc import Callable
from dataclasses import dataclass

from contestants import Contestant, Operation
from tasks import Task

SLICE = 0.06
"""Seconds of CPU time for which a contestant works at a time, or one operation if that takes longer."""


@dataclass(frozen=True)
class Slice:
    """One contestant's part of a round, in seconds per operation.

    Attributes:
        cpu: of this process.
        wall: of the clock on the wall.
        server_cpu: of the server's process.
    """

    cpu: float
    wall: float
    server_cpu: float = 0.0


async def work(operation: Operation, count: int, concurrency: int) -> Slice:
    """`count` operations by `concurrency` tasks."""

    async def some(first: int) -> None:
        for n in range(first, count, concurrency):
            await operation(n)

    wall, cpu = time.perf_counter(), time.process_time()
    if concurrency == 1:
        await some(0)
    else:
        await asyncio.gather(*(some(first) for first in range(concurrency)))
    cpu, wall = time.process_time() - cpu, time.perf_counter() - wall
    return Slice(cpu / count, wall / count)


async def compare(
    contestants: dict[str, Contestant],
    task: Task,
    concurrency: int,
    rounds: int,
    *,
    slice_time: float = SLICE,
    server_cpu: Callable[[], float] = lambda: 0.0,
    advance: Callable[[], None] = lambda: None,
) -> dict[str, list[Slice]]:
    """Measure a task.

    Args:
        contestants: by name.
        task: the task.
        concurrency: how many tasks share the work.
        rounds: how often.
        slice_time: seconds of CPU time for each turn.
        server_cpu: tells the CPU time that the server has used so far.
        advance: called after each round.

    Returns:
        The slices of each contestant, in the order of the rounds.
    """
    operations: dict[str, Operation] = {}
    counts: dict[str, int] = {}
    for name, contestant in contestants.items():
        operations[name] = operation = await contestant.prepare(task, concurrency)
        await work(operation, concurrency, concurrency)
        trial = await work(operation, concurrency if task.documents > 1 else max(20, concurrency), concurrency)
        counts[name] = max(1, round(slice_time / trial.cpu / concurrency)) * concurrency
    slices: dict[str, list[Slice]] = {name: [] for name in contestants}
    names = list(contestants)
    for turn in range(rounds):
        for name in names[turn % len(names) :] + names[: turn % len(names)]:
            gc.collect()
            before = server_cpu()
            done = await work(operations[name], counts[name], concurrency)
            slices[name].append(Slice(done.cpu, done.wall, (server_cpu() - before) / counts[name]))
        advance()
    return slices
