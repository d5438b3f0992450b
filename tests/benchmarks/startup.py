"""Worker: from a fresh interpreter to the imported package, and to the first reply over TLS with X.509.

Each time a process of its own, in turn. `import aiomongo_tls` loads little until a name is used; so the name that
everybody uses is measured too. Bytecode is cached for all, in a folder of its own: an installation has compiled it, a
checkout perhaps not.
"""

from __future__ import annotations

import asyncio
import json
import os
import subprocess
import sys
from dataclasses import asdict, dataclass
from pathlib import Path

import telling
from contestants import OURS, THEIRS
from server import Files, Server, temporary_folder
from spread import Spread

MILLISECONDS = 1e3

IMPORTS = {
    "import": {OURS: "import aiomongo_tls", THEIRS: "import pymongo"},
    "import of the client": {
        OURS: "from aiomongo_tls import AsyncClient",
        THEIRS: "from pymongo import AsyncMongoClient",
    },
}

FIRST_REPLY = {
    OURS: """
import asyncio
from aiomongo_tls import AsyncClient
async def main():
    async with AsyncClient.connect(URI) as client:
        await client["bench"]["one"].find_one({"_id": 1})
        stop()
asyncio.run(main())
""",
    THEIRS: """
import asyncio
from pymongo import AsyncMongoClient
async def main():
    async with AsyncMongoClient(URI) as client:
        await client["bench"]["one"].find_one({"_id": 1})
        stop()
asyncio.run(main())
""",
}

# A child's frame; what it does is between the two looks at the clocks.
FRAME = """
import sys, time
URI = sys.argv[1]
def stop():
    global times
    times = [time.process_time() - cpu, time.perf_counter() - wall]
cpu, wall = time.process_time(), time.perf_counter()
{code}
if "times" not in globals():
    stop()
print(times)
"""


@dataclass(frozen=True)
class Settings:
    """What to measure, and how often."""

    loop: str = "asyncio"
    rounds: int = 15


async def measure(settings: Settings) -> None:
    """All of it."""
    with temporary_folder() as folder, Server(Files.write(Path(folder))) as server:
        programs = {**IMPORTS, "first reply": FIRST_REPLY}
        telling.steps(settings.rounds * len(programs))
        environment = {name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}
        environment["PYTHONPYCACHEPREFIX"] = str(Path(folder) / "bytecode")
        for what, codes in programs.items():
            times: dict[str, list[list[float]]] = {name: [] for name in codes}
            for turn in range(settings.rounds + 1):
                for name, code in codes.items():
                    program = FRAME.format(code=code.strip())
                    done = await asyncio.to_thread(
                        subprocess.run,
                        [sys.executable, "-c", program, server.uri()],
                        capture_output=True,
                        check=True,
                        text=True,
                        env=environment,
                    )
                    if turn:
                        times[name].append(json.loads(done.stdout))
                if turn:
                    telling.step(f"a fresh interpreter: {what}")
            for name, its in times.items():
                telling.row(
                    section="startup",
                    what=what,
                    contestant=name,
                    cpu=asdict(Spread.of((cpu for cpu, _ in its), MILLISECONDS)),
                    wall=asdict(Spread.of((wall for _, wall in its), MILLISECONDS)),
                    ours_to_it={
                        "cpu": asdict(
                            Spread.of_ratios((cpu for cpu, _ in times[OURS]), (cpu for cpu, _ in its)),
                        ),
                    },
                )
