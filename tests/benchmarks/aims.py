"""What the project wants to reach, beside what was found: stock loop, TLS, 10 tasks where there are several."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from contestants import BARE, OURS, THEIRS

Row = dict[str, Any]


@dataclass(frozen=True)
class Aim:
    """One of them.

    Attributes:
        what: what is bounded.
        bound: its bound.
        value: what was found.
    """

    what: str
    bound: float
    value: float

    @property
    def is_met(self) -> bool:
        """Whether it is reached."""
        return self.value <= self.bound


# Task, whom to compare with, bound of the ratio of CPU times, ours to theirs.
RATIOS = (
    ("find_one", BARE, 1.2),
    ("find_one", THEIRS, 0.25),
    ("insert_one", BARE, 1.4),
    ("insert_one", THEIRS, 0.25),
    ("update_one", BARE, 1.4),
    ("update_one", THEIRS, 0.25),
    ("find_many", THEIRS, 1 / 1.3),
    ("insert_many", THEIRS, 1 / 1.3),
)


def aims(rows: list[Row]) -> list[Aim]:
    """All aims that the rows tell about."""
    found: list[Aim] = []
    for task, other, bound in RATIOS:
        for row in _rows(rows, "operations", task=task, contestant=other, tls=True, server="lean server"):
            if row["concurrency"] in (1, 10)[row["documents"] == 1 :] and "ours_to_it" in row:
                found.append(Aim(f"{task}: ours / {other}", round(bound, 2), row["ours_to_it"]["cpu"]["median"]))
    for row in _rows(rows, "storm", kind="resumed", contestant=THEIRS):
        found.append(Aim(f"100 resumed connections: ours / {THEIRS}", 0.5, row["ours_to_it"]["cpu"]["median"]))
    for row in _rows(rows, "storm", contestant=OURS):
        found.append(Aim(f"loop held by 100 connections, {row['kind']}, ms", 25, row["held_cpu"]["median"]))
    for row in _rows(rows, "memory", contestant=OURS):
        found.append(Aim("KB for an idle connection", 50, row["idle"] / 1024))
        found.append(Aim("KB for a used connection", 60, row["used"] / 1024))
    for row in _rows(rows, "startup", contestant=THEIRS):
        if row["what"].startswith("import"):
            found.append(Aim(f"{row['what']}: ours / {THEIRS}", 1, row["ours_to_it"]["cpu"]["median"]))
    return found


def _rows(rows: list[Row], section: str, **wanted: object) -> list[Row]:
    return [
        row
        for row in rows
        if row["section"] == section
        and row.get("loop", "asyncio") == "asyncio"
        and all(row[name] == value for name, value in wanted.items())
    ]
