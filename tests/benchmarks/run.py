"""Client CPU per operation beside PyMongo Async and bare asyncio, and what connections, imports and growth cost.

    nox -s bench                                       # everything, in less than a quarter of an hour
    nox -s bench -- --quick                            # a little of everything, in a minute
    python tests/benchmarks/run.py --quick --only find_one

The figures are ratios within one run: the contestants take turns in many short rounds in one process, the server is
another, lean one; the median of the rounds counts. CPU time of the client first, wall time second. A full run writes
the table, the picture and the figures into `results/`.

What is where: `contestants` (who), `tasks` (what), `rounds` (in turn), `lean_server` and `replies` (before whom);
`operations`, `storm`, `connects`, `memory`, `startup`, `growth` and `ferretdb` are run by `worker`, each in its own
process; `report`, `aims` and `plot` show it. `layers` is for whoever looks for the next microsecond.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import subprocess
import sys
from collections.abc import Iterator
from itertools import product
from pathlib import Path
from typing import Any

import machine
import report
from contestants import EVERYBODY, OURS, THEIRS
from tasks import TASKS

HERE = Path(__file__).parent
RESULTS = HERE / "results"
QUICK = ["find_one", "insert_one", "update_one", "find_many", "insert_many"]
# What is different in a quick run; what is not here is left out.
IN_A_MINUTE: dict[str, Row] = {
    "operations": {"rounds": 9},
    "storm": {"rounds": 3},
    "connects": {"rounds": 5},
    "memory": {"count": 120, "reconnects": 300},
    "startup": {"rounds": 3},
}
SECTIONS = ("operations", "storm", "connects", "memory", "startup", "growth", "ferretdb")

Row = dict[str, Any]


class Progress:
    """A bar on the terminal; without a terminal, or without tqdm, a line for each part.

    Args:
        parts: how many workers there will be.
    """

    def __init__(self, parts: int) -> None:
        self.parts, self.done, self.steps, self.step_count, self.title = parts, 0, 1, 0, ""
        self.bar: Any = None
        if sys.stderr.isatty():
            with contextlib.suppress(ImportError):
                import tqdm

                self.bar = tqdm.tqdm(total=parts, unit="part", dynamic_ncols=True)

    def expect(self, steps: int) -> None:
        """This part has so many steps."""
        self.steps, self.step_count = steps, 0

    def step(self, title: str) -> None:
        """One of them is done."""
        self.step_count += 1
        self.title = title
        if self.bar is not None:
            self.bar.set_description_str(title, refresh=False)
            self.bar.n = round(self.done + self.step_count / self.steps, 2)
            self.bar.refresh()

    def part_done(self) -> None:
        """A part is done."""
        self.done += 1
        if self.bar is not None:
            self.bar.n = self.done
            self.bar.refresh()
        else:
            print(f"{self.done} of {self.parts}: {self.title}", file=sys.stderr, flush=True)

    def close(self) -> None:
        """Leave the terminal."""
        if self.bar is not None:
            self.bar.close()


def run(section: str, settings: Row, progress: Progress) -> tuple[list[Row], bool]:
    """What a worker measures, and whether it came to its end."""
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
            elif "note" in told:
                print(told["note"], file=sys.stderr)
            else:
                rows.append(told["row"])
    progress.part_done()
    return rows, worker.returncode == 0


def plan(given: argparse.Namespace) -> Iterator[tuple[str, Row]]:
    """Sections and settings of all workers."""
    sections = given.section or (["operations"] if given.only else SECTIONS)
    for section in sections:
        if given.quick and section not in IN_A_MINUTE:
            if given.section:
                raise SystemExit(f"{section} has no quick form")
            continue
        common = dict(IN_A_MINUTE[section]) if given.quick else {}
        if given.rounds is not None and section != "memory":
            common["rounds"] = given.rounds
        for settings in _workers(section, given):
            yield section, {**settings, **common}


def _workers(section: str, given: argparse.Namespace) -> Iterator[Row]:
    loops = given.loop or (["asyncio"] if given.quick else ["asyncio", "uvloop"])
    if section == "operations":
        for loop, stream in product(loops, given.stream or (["tls"] if given.quick else ["tls", "plain"])):
            yield {
                "loop": loop,
                "tls": stream == "tls",
                "tasks": given.only or (QUICK if given.quick else list(TASKS)),
                "concurrency": given.concurrency or ([10] if given.quick or stream == "plain" else [1, 10, 100]),
                "contestants": given.contestant,
            }
    elif section == "storm":
        yield from ({"loop": loop} for loop in loops)
    elif section == "connects":
        yield from ({"version": version} for version in ("TLSv1_2", "TLSv1_3"))
    elif section == "memory":
        yield from ({"contestant": name} for name in (OURS, THEIRS))
    else:
        yield {}


def main() -> None:
    """Measure, print and write what was asked for."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quick", action="store_true", help="stock loop, TLS, 10 tasks, few rounds")
    parser.add_argument("--section", nargs="+", choices=SECTIONS, help="all, if none is named")
    parser.add_argument("--only", nargs="+", choices=TASKS, metavar="TASK", help=f"of {', '.join(TASKS)}")
    parser.add_argument("--loop", nargs="+", choices=("asyncio", "uvloop"), help="both in a full run")
    parser.add_argument("--stream", nargs="+", choices=("tls", "plain"), help="both in a full run")
    parser.add_argument("--contestant", nargs="+", choices=EVERYBODY, default=EVERYBODY)
    parser.add_argument(
        "--concurrency", nargs="+", type=int, help="tasks at a time; 1, 10 and 100 over TLS in a full run"
    )
    parser.add_argument("--rounds", type=int, help="how often the contestants take turns")
    parser.add_argument("--output", type=Path, help="folder for the results; of a full run tests/benchmarks/results")
    given = parser.parse_args()
    workers = list(plan(given))
    about, progress = machine.described(), Progress(len(workers))
    about["command"] = " ".join(["python tests/benchmarks/run.py", *sys.argv[1:]])
    rows: list[Row] = []
    failed: list[str] = []
    for section, settings in workers:
        measured, is_complete = run(section, settings, progress)
        rows += measured
        if not is_complete:
            failed.append(f"{section} has failed with {settings}")
    progress.close()
    print(report.as_text(about, rows))
    is_full = not (given.quick or given.section or given.only)
    if given.output or is_full:
        write(given.output or RESULTS, about, rows)
    if failed:
        raise SystemExit("\n".join(failed))


def write(folder: Path, about: Row, rows: list[Row]) -> None:
    """Leave the results in a folder."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "latest.json").write_text(json.dumps({**about, "rows": rows}, indent=1) + "\n", encoding="utf-8")
    (folder / "table.md").write_text(report.as_markdown(about, rows), encoding="utf-8")
    try:
        import plot

        plot.draw(about, rows, folder / "figures.png")
    except ImportError as exc:
        print(f"no picture: {exc} (it is in the dependency group `bench`)", file=sys.stderr)
    print(f"written to {folder}")


if __name__ == "__main__":
    main()
