"""The tables of a run, as text for the terminal and as markdown for the README."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

from contestants import BARE, BARE_BSON, OURS, THEIRS
from tasks import TASKS

Row = dict[str, Any]


def text(headings: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """Columns side by side; all but the first to the right."""
    lines = [list(headings), *map(list, rows)]
    widths = [max(len(line[n]) for line in lines) for n in range(len(headings))]
    lines.insert(1, ["-" * width for width in widths])
    return "\n".join(
        "  ".join([line[0].ljust(widths[0]), *map(str.rjust, line[1:], widths[1:])]).rstrip() for line in lines
    )


def markdown(headings: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """The same for markdown."""
    marks = ["---", *("---:" for _ in headings[1:])]
    return "\n".join("| " + " | ".join(line) + " |" for line in (headings, marks, *rows))


OPERATIONS = (
    "task, at a time",
    "bare",
    "+ BSON",
    "ours",
    "PyMongo",
    "ours / bare",
    "/ bare + BSON",
    "/ PyMongo",
    "wall / PyMongo",
    "server",
)


def operations(rows: list[Row], loop: str, tls: bool) -> list[list[str]]:
    """CPU microseconds per operation, our ratio to the others, and the ratio of wall time to PyMongo's."""
    found: dict[tuple[str, int], dict[str, Row]] = {}
    for row in rows:
        if row["section"] == "operations" and row["loop"] == loop and row["tls"] is tls:
            found.setdefault((row["task"], row["concurrency"]), {})[row["contestant"]] = row
    return [
        [
            f"{TASKS[task].title}, {concurrency}",
            *(_microseconds(by.get(name)) for name in (BARE, BARE_BSON, OURS, THEIRS)),
            _ratio(by.get(BARE), "cpu"),
            _ratio(by.get(BARE_BSON), "cpu"),
            _ratio(by.get(THEIRS), "cpu"),
            _ratio(by.get(THEIRS), "wall"),
            f"{max(row['server_share']['median'] for row in by.values()):.0%}",
        ]
        for (task, concurrency), by in found.items()
    ]


def _microseconds(row: Row | None) -> str:
    return "-" if row is None else f"{row['cpu']['median']:,.0f}"


def _ratio(row: Row | None, what: str) -> str:
    if row is None or "ours_to_it" not in row:
        return "-"
    ratio = row["ours_to_it"][what]
    return f"{ratio['median']:.2f} ({ratio['low']:.2f}-{ratio['high']:.2f})"


def heading(about: Row) -> str:
    """What was measured, when and where."""
    machine, versions = about["machine"], about["versions"]
    return (
        f"aiomongo-tls {versions['aiomongo-tls']}, PyMongo {versions['pymongo']}, Python {versions['python']}, "
        f"{versions['openssl']}, uvloop {versions['uvloop']}\n"
        f"{about['date']}, {machine['processor']}, {machine['cores']} cores, {machine['system']}; "
        f"documents: {about['documents']}"
    )


def tables(about: Row, rows: list[Row]) -> Iterable[tuple[str, Sequence[str], list[list[str]]]]:
    """Title, headings and lines of every table that there is something for."""
    settings = {(row["loop"], row["tls"]): None for row in rows if row["section"] == "operations"}
    for loop, tls in settings:
        title = f"Client CPU, microseconds per operation: {loop}, {'TLS' if tls else 'plain'}"
        yield title, OPERATIONS, operations(rows, loop, tls)


def as_text(about: Row, rows: list[Row]) -> str:
    """Everything for the terminal."""
    return heading(about) + "".join(f"\n\n{title}\n{text(*table)}" for title, *table in tables(about, rows)) + "\n"


def as_markdown(about: Row, rows: list[Row]) -> str:
    """Everything for a page."""
    return (
        heading(about)
        + "".join(f"\n\n### {title}\n\n{markdown(*table)}" for title, *table in tables(about, rows))
        + "\n"
    )
