"""The picture of a run."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

from contestants import BARE, BARE_BSON, OURS, THEIRS

Row = dict[str, Any]

# Told apart by people who see colours differently, too.
COLOURS = {BARE: "#999999", BARE_BSON: "#666666", OURS: "#0072B2", THEIRS: "#E69F00"}
GROWTH = {
    "tasks": ("tasks at a time", "us per find_one"),
    "pool": ("maxPoolSize, 100 tasks", "us per find_one"),
    "servers": ("servers", "us per find_one"),
    "batch": ("documents per batch", "us per document"),
    "insert": ("documents per insert_many", "us per document"),
}


def draw(about: Row, rows: list[Row], target: Path) -> None:
    """Draw it.

    Args:
        about: machine, versions and date.
        rows: what was measured.
        target: the file, a PNG.
    """
    import matplotlib as mpl

    mpl.use("Agg")
    from matplotlib import pyplot as plt

    figure = plt.figure(figsize=(15, 12), layout="constrained")
    top, middle, bottom = figure.subfigures(3, 1)
    panels: tuple[tuple[Any, Callable[[Any, list[Row]], None]], ...] = (
        *zip(top.subplots(1, 3, width_ratios=(4, 5, 4)), (_single, _ratios, _loops), strict=True),
        *zip(middle.subplots(1, 4), (_storm, _held, _memory, _startup), strict=True),
    )
    for axes, panel in panels:
        panel(axes, rows)
    for axes, what in zip(bottom.subplots(1, 5), GROWTH, strict=True):
        _growth(axes, rows, what)
    versions, machine = about["versions"], about["machine"]
    figure.suptitle(
        f"aiomongo-tls {versions['aiomongo-tls']} beside PyMongo Async {versions['pymongo']}: medians with quartiles\n"
        f"{about['date'][:10]}, {machine['processor']}, {machine['cores']} cores, Python {versions['python']}",
        fontsize=12,
    )
    figure.savefig(target, dpi=80)
    plt.close(figure)


def _of(rows: list[Row], section: str, **wanted: object) -> list[Row]:
    return [
        row for row in rows if row["section"] == section and all(row.get(name) == it for name, it in wanted.items())
    ]


def _bars(axes: Any, groups: dict[str, dict[str, Any]], unit: str, title: str, names: tuple[str, ...]) -> None:
    """Groups of bars, one for each contestant; a value is a number or has `median`, `low` and `high`."""
    width = 0.8 / len(names)
    for n, name in enumerate(names):
        for place, values in enumerate(groups.values()):
            value = values.get(name)
            if value is None:
                continue
            spread = value if isinstance(value, dict) else {"median": value, "low": value, "high": value}
            middle = spread["median"]
            axes.bar(
                place + (n - (len(names) - 1) / 2) * width,
                middle,
                width * 0.95,
                yerr=[[middle - spread["low"]], [spread["high"] - middle]],
                color=COLOURS[name],
                error_kw={"elinewidth": 1, "capsize": 2},
                label=name if not place else None,
            )
    axes.set_xticks(range(len(groups)), groups, fontsize=8)
    axes.set_ylabel(unit)
    axes.set_title(title, fontsize=10)
    if axes.get_legend_handles_labels()[1]:
        axes.legend(fontsize=7)


def _by(rows: list[Row], group: Callable[[Row], str], value: Callable[[Row], Any]) -> dict[str, dict[str, Any]]:
    groups: dict[str, dict[str, Any]] = {}
    for row in rows:
        groups.setdefault(group(row), {})[row["contestant"]] = value(row)
    return groups


def _single(axes: Any, rows: list[Row]) -> None:
    its = _of(rows, "operations", loop="asyncio", tls=True, concurrency=10, documents=1, server="lean server")
    groups = _by(its, lambda row: row["title"].replace(", ", ",\n").replace(" by ", "\nby "), _cpu)
    _bars(axes, groups, "us per operation", "one operation, TLS, 10 tasks", (BARE, BARE_BSON, OURS, THEIRS))


def _loops(axes: Any, rows: list[Row]) -> None:
    its = _of(rows, "operations", task="find_one", concurrency=10, server="lean server")
    groups = _by(its, lambda row: f"{row['loop']},\n{'TLS' if row['tls'] else 'plain'}", _cpu)
    _bars(axes, groups, "us per operation", "find_one by _id, 10 tasks", (BARE, BARE_BSON, OURS, THEIRS))


def _ratios(axes: Any, rows: list[Row]) -> None:
    its = _of(rows, "operations", loop="asyncio", tls=True, contestant=THEIRS, server="lean server")
    its = [row for row in its if "ours_to_it" in row][::-1]
    for place, row in enumerate(its):
        ratio = row["ours_to_it"]["cpu"]
        errors = [[ratio["median"] - ratio["low"]], [ratio["high"] - ratio["median"]]]
        axes.errorbar(ratio["median"], place, xerr=errors, fmt="o", color=COLOURS[OURS], capsize=2, markersize=4)
    axes.set_yticks(range(len(its)), [f"{row['title']}, {row['concurrency']}" for row in its], fontsize=6)
    axes.axvline(1, color=COLOURS[THEIRS])
    axes.axvline(0.25, color=COLOURS[OURS], linestyle=":")
    axes.set_xlim(left=0)
    axes.set_title("CPU, ours / PyMongo, TLS", fontsize=10)


def _storm(axes: Any, rows: list[Row]) -> None:
    groups = _by(_of(rows, "storm"), lambda row: f"{row['kind']},\n{row['loop']}", _cpu)
    _bars(axes, groups, "ms CPU", "100 mTLS connections at once", (BARE, OURS, THEIRS))


def _held(axes: Any, rows: list[Row]) -> None:
    groups = _by(_of(rows, "storm"), lambda row: f"{row['kind']},\n{row['loop']}", lambda row: row["held_cpu"])
    _bars(axes, groups, "ms at a stretch", "loop held by that", (BARE, OURS, THEIRS))
    axes.axhline(25, color=COLOURS[OURS], linestyle=":")


def _memory(axes: Any, rows: list[Row]) -> None:
    groups: dict[str, dict[str, Any]] = {}
    for what, title in (("idle", "idle"), ("used", "after 1 MB\neach way")):
        for row in _of(rows, "memory", loop="asyncio"):
            groups.setdefault(title, {})[row["contestant"]] = row[what] / 1024
    _bars(axes, groups, "KB", "memory of a TLS connection", (OURS, THEIRS))
    axes.set_yscale("log")


def _startup(axes: Any, rows: list[Row]) -> None:
    groups = _by(_of(rows, "startup"), lambda row: row["what"].replace(" of ", "\nof "), _cpu)
    _bars(axes, groups, "ms CPU", "a fresh interpreter", (OURS, THEIRS))


def _growth(axes: Any, rows: list[Row], what: str) -> None:
    across, up = GROWTH[what]
    for name in (OURS, THEIRS):
        its = sorted(_of(rows, "growth", what=what, contestant=name), key=lambda row: row["size"])
        if its:
            sizes = [row["size"] for row in its]
            axes.plot(sizes, [row["cpu"]["median"] for row in its], "o-", color=COLOURS[name], markersize=3, label=name)
            low, high = ([row["cpu"][edge] for row in its] for edge in ("low", "high"))
            axes.fill_between(sizes, low, high, color=COLOURS[name], alpha=0.2)
            axes.set_xscale("log")
            axes.legend(fontsize=7)
    axes.set_ylim(bottom=0)
    axes.set_xlabel(across)
    axes.set_ylabel(up)


def _cpu(row: Row) -> Any:
    return row["cpu"]
