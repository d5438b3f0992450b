"""Where our client's CPU time goes: a sampled profile of one task, by layer and by line.

    python tests/benchmarks/layers.py [TASK] [--concurrency 10] [--seconds 8] [--lines 40]

A timer of CPU time interrupts the interpreter, and the innermost Python frame is charged, so that what C code takes
(encryption, BSON, system calls) counts for the line that called it. `python tests/support/hot_path.py --layers` counts
instructions and calls instead, without any noise.
"""

from __future__ import annotations

import argparse
import asyncio
import linecache
import signal
import sys
import time
from collections import Counter
from contextlib import AsyncExitStack
from pathlib import Path
from types import FrameType

from contestants import OURS, open_all
from rounds import work
from server import Files, Server, temporary_folder
from tasks import TASKS

sys.path.insert(0, str(Path(__file__).parents[1] / "support"))
from effort import layer_of

INTERVAL = 0.001


class Sampler:
    """Counts in which layer and line the CPU time of the main thread is spent."""

    def __init__(self) -> None:
        self.layers: Counter[str] = Counter()
        self.lines: Counter[tuple[str, int]] = Counter()

    def sample(self, signal_number: int, frame: FrameType | None) -> None:
        """Take note of a frame."""
        if frame is not None:
            self.layers[layer_of(frame.f_code.co_filename)] += 1
            self.lines[frame.f_code.co_filename, frame.f_lineno] += 1

    def __enter__(self) -> Sampler:
        signal.signal(signal.SIGPROF, self.sample)
        signal.setitimer(signal.ITIMER_PROF, INTERVAL, INTERVAL)
        return self

    def __exit__(self, *exc_info: object) -> None:
        signal.setitimer(signal.ITIMER_PROF, 0)


async def profile(task: str, concurrency: int, seconds: float, lines: int) -> None:
    """Run a task for a while and print what was found."""
    with temporary_folder() as folder, Server(Files.write(Path(folder))) as server:
        async with AsyncExitStack() as stack:
            contestants = await open_all(stack, server, [OURS])
            operation = await contestants[OURS].prepare(TASKS[task], concurrency)
            await work(operation, concurrency, concurrency)
            cpu, wall, ends = 0.0, 0.0, time.monotonic() + seconds
            count, done = concurrency * (50 if TASKS[task].documents == 1 else 1), 0
            with Sampler() as sampler:
                while time.monotonic() < ends:
                    its = await work(operation, count, concurrency)
                    cpu, wall, done = cpu + its.cpu * count, wall + its.wall * count, done + count
    total = sampler.layers.total()
    print(
        f"{TASKS[task].title}, {concurrency} at a time: {cpu / done * 1e6:.1f} us CPU, {wall / done * 1e6:.1f} us wall"
    )
    for layer, samples in sampler.layers.most_common():
        print(f"  {layer:18} {samples / total:6.1%} {samples / total * cpu / done * 1e6:8.1f} us")
    print()
    for (file, line), samples in sampler.lines.most_common(lines):
        where = f"{Path(file).parent.name}/{Path(file).name}:{line}"
        print(
            f"  {samples / total * cpu / done * 1e6:6.1f} us  {where:36} {linecache.getline(file, line).strip()[:90]}"
        )


def main() -> None:
    """Profile what was asked for."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("task", nargs="?", default="find_one", choices=TASKS)
    parser.add_argument("--concurrency", type=int, default=10)
    parser.add_argument("--seconds", type=float, default=8)
    parser.add_argument("--lines", type=int, default=40)
    given = parser.parse_args()
    asyncio.run(profile(given.task, given.concurrency, given.seconds, given.lines))


if __name__ == "__main__":
    main()
