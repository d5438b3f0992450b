"""Client CPU per operation beside PyMongo Async and bare asyncio, and what connections, imports and growth cost.

    nox -s bench                                       # everything, about a quarter of an hour
    python tests/benchmarks/run.py --quick             # the main tasks, about a minute
    python tests/benchmarks/run.py --quick --only find_one

The figures are ratios within one run: the contestants take turns in many short rounds in one process, the server is
another, lean one; the median of the rounds counts. CPU time of the client first, wall time second.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import machine
import report
from contestants import EVERYBODY
from tasks import TASKS

HERE = Path(__file__).parent
RESULTS = HERE / "results"
QUICK = ["find_one", "insert_one", "update_one", "find_many", "insert_many"]

Row = dict[str, Any]


class Progress:
    """A bar on the terminal, where there is one and tqdm is installed."""

    def __init__(self) -> None:
        self.bar: Any = None
        if sys.stderr.isatty():
            try:
                import tqdm
            except ImportError:
                return
            self.bar = tqdm.tqdm(total=0, unit="round", dynamic_ncols=True)

    def expect(self, steps: int) -> None:
        """There will be so many more steps."""
        if self.bar is not None:
            self.bar.total += steps
            self.bar.refresh()

    def step(self, title: str) -> None:
        """One is done."""
        if self.bar is not None:
            self.bar.set_description_str(title, refresh=False)
            self.bar.update()

    def close(self) -> None:
        """Leave the terminal."""
        if self.bar is not None:
            self.bar.close()


def run(section: str, settings: Row, progress: Progress) -> list[Row]:
    """What a worker measures."""
    rows: list[Row] = []
    command = [sys.executable, str(HERE / "worker.py"), section, json.dumps(settings)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as worker:
        assert worker.stdout is not None
        for line in worker.stdout:
            told = json.loads(line)
            if "steps" in told:
                progress.expect(told["steps"])
            elif "step" in told:
                progress.step(told["step"])
            else:
                rows.append(told["row"])
    if worker.returncode:
        raise SystemExit(f"{section} has failed with {settings}")
    return rows


def main() -> None:
    """Measure, print and write what was asked for."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quick", action="store_true", help="stock loop, TLS, 10 tasks, few rounds; writes nothing")
    parser.add_argument("--only", nargs="+", choices=TASKS, metavar="TASK", help=f"of {', '.join(TASKS)}")
    parser.add_argument("--loop", nargs="+", choices=("asyncio", "uvloop"), help="both in a full run")
    parser.add_argument("--stream", nargs="+", choices=("tls", "plain"), help="both in a full run")
    parser.add_argument("--contestant", nargs="+", choices=EVERYBODY, default=EVERYBODY)
    parser.add_argument("--concurrency", nargs="+", type=int, help="tasks at a time; 1, 10 and 100 in a full run")
    parser.add_argument("--rounds", type=int, help="15; 9 with --quick")
    parser.add_argument("--output", type=Path, help=f"folder for the results of a full run; {RESULTS}")
    given = parser.parse_args()
    about, progress = machine.described(), Progress()
    rows: list[Row] = []
    for loop in given.loop or (["asyncio"] if given.quick else ["asyncio", "uvloop"]):
        for stream in given.stream or (["tls"] if given.quick else ["tls", "plain"]):
            settings = {
                "loop": loop,
                "tls": stream == "tls",
                "tasks": given.only or (QUICK if given.quick else list(TASKS)),
                "concurrency": given.concurrency or ([10] if given.quick else [1, 10, 100]),
                "contestants": given.contestant,
                "rounds": given.rounds or (9 if given.quick else 15),
            }
            rows += run("operations", settings, progress)
    progress.close()
    print(report.as_text(about, rows))


if __name__ == "__main__":
    main()
