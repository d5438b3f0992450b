"""Contestants in turn, many short rounds: on a machine with other work, only what is measured side by side compares.

In each round each contestant works for about as long as the others, so that a disturbance meets all of them alike, and
the order changes from round to round. A ratio is taken within each round; the report has the median of the ratios.
"""

from __future__ import annotations

import asyncio
import gc
import time
from collections.abc import Callable, Hashable, Mapping
from dataclasses import dataclass
from typing import TypeVar

from tasks import Operation

K = TypeVar("K", bound=Hashable)

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


@dataclass(frozen=True)
class Work:
    """What one contestant does in its turn.

    Attributes:
        operation: called with a number for each operation.
        concurrency: how many tasks share the operations.
        is_long: whether one operation alone takes long, so that the first one tells how many fit.
    """

    operation: Operation
    concurrency: int = 1
    is_long: bool = False


async def compare(
    contestants: Mapping[K, Work],
    rounds: int,
    *,
    slice_time: float = SLICE,
    server_cpu: Callable[[], float] = lambda: 0.0,
    advance: Callable[[], None] = lambda: None,
) -> dict[K, list[Slice]]:
    """Let them work in turn.

    Args:
        contestants: what each does.
        rounds: how often.
        slice_time: seconds of CPU time for each turn.
        server_cpu: tells the CPU time that the server has used so far.
        advance: called after each round.

    Returns:
        The slices of each contestant, in the order of the rounds.
    """
    counts: dict[K, int] = {}
    for name, its in contestants.items():
        await work(its.operation, its.concurrency, its.concurrency)
        trial = await work(its.operation, its.concurrency if its.is_long else max(20, its.concurrency), its.concurrency)
        counts[name] = max(1, round(slice_time / trial.cpu / its.concurrency)) * its.concurrency
    slices: dict[K, list[Slice]] = {name: [] for name in contestants}
    names = list(contestants)
    for turn in range(rounds):
        for name in names[turn % len(names) :] + names[: turn % len(names)]:
            gc.collect()
            before = server_cpu()
            done = await work(contestants[name].operation, counts[name], contestants[name].concurrency)
            slices[name].append(Slice(done.cpu, done.wall, (server_cpu() - before) / counts[name]))
        advance()
    return slices
