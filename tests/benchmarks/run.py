"""Client CPU per operation over TLS: aiomongo_tls beside PyMongo Async, in one run.

    nox -s bench

One server in its own process, the contestants in turn, several rounds; each figure is the median of the rounds, and the
last column is the ratio to aiomongo_tls. Seconds depend on the machine and on what else it does; ratios within one run
do so less. The server is the embedded one, which is slow: only the client's CPU time is looked at.
"""

from __future__ import annotations

import argparse
import asyncio
import platform
import statistics
import subprocess
import sys
import time
from collections.abc import Awaitable, Callable
from contextlib import AsyncExitStack
from typing import Any

import pymongo

from aiomongo_tls import AsyncClient
from aiomongo_tls.version import __version__

Operation = Callable[[Any, int], Awaitable[Any]]

OPERATIONS: dict[str, Operation] = {
    "find_one by _id": lambda collection, n: collection.find_one({"_id": n % 100}),
    "insert_one": lambda collection, n: collection.insert_one({"name": "Ada", "n": n}),
    "update_one": lambda collection, n: collection.update_one({"_id": n % 100}, {"$inc": {"n": 1}}),
}

# The server's life is bound to ours: it ends when its standard input does.
SERVER = """
import sys
from aiomongo_tls.testing import CertKit, MongoTestServer
certs = CertKit()
me = certs.client("bench")
with MongoTestServer(ca=certs, users=[me]) as server:
    print(server.uri(client=me), flush=True)
    sys.stdin.read()
"""


async def cpu_per_operation(collection: Any, operation: Operation, count: int, tasks: int) -> float:
    """Microseconds of this process's CPU time per operation, with `tasks` tasks sharing the work."""

    async def work(first: int) -> None:
        for n in range(first, count, tasks):
            await operation(collection, n)

    before = time.process_time()
    await asyncio.gather(*(work(first) for first in range(tasks)))
    return (time.process_time() - before) / count * 1e6


async def compare(uri: str, rounds: int, count: int, tasks: int) -> dict[str, dict[str, list[float]]]:
    """Rounds of every operation with every contestant, alternating."""
    figures: dict[str, dict[str, list[float]]] = {name: {} for name in OPERATIONS}
    async with AsyncExitStack() as stack:
        contestants: dict[str, Any] = {
            "aiomongo_tls": await stack.enter_async_context(AsyncClient.connect(uri)),
            "PyMongo Async": await stack.enter_async_context(pymongo.AsyncMongoClient[dict[str, Any]](uri)),
        }
        collection = contestants["aiomongo_tls"]["bench"]["documents"]
        await collection.insert_many([{"_id": n, "n": 0, "text": "x" * 1000} for n in range(100)])
        for turn in range(rounds + 1):
            for name, operation in OPERATIONS.items():
                for contestant, client in contestants.items():
                    figure = await cpu_per_operation(client["bench"]["documents"], operation, count, tasks)
                    if turn:  # the first round warms up
                        figures[name].setdefault(contestant, []).append(figure)
            print(f"\rround {turn} of {rounds}", end="", file=sys.stderr, flush=True)
    print(file=sys.stderr)
    return figures


def main() -> None:
    """Run and print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--count", type=int, default=500, help="operations per round")
    parser.add_argument("--tasks", type=int, default=10)
    arguments = parser.parse_args()
    with subprocess.Popen(
        [sys.executable, "-c", SERVER], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as server:
        assert server.stdout is not None
        uri = server.stdout.readline().strip()
        figures = asyncio.run(compare(uri, arguments.rounds, arguments.count, arguments.tasks))
        server.communicate()
    print(
        f"aiomongo_tls {__version__}, PyMongo {pymongo.version}, Python {platform.python_version()}, TLS, "
        f"{arguments.tasks} tasks: client CPU, microseconds per operation, median of {arguments.rounds} rounds\n"
    )
    for name, rows in figures.items():
        base = statistics.median(rows["aiomongo_tls"])
        for contestant, values in rows.items():
            median = statistics.median(values)
            spread = f"{min(values):.0f}-{max(values):.0f}"
            print(f"{name:16} {contestant:14} {median:8.0f}  ({spread:>9})  x {median / base:.2f}")


if __name__ == "__main__":
    main()
