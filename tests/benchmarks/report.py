"""The tables of a run, as text for the terminal and as markdown for the README."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from aims import aims
from contestants import BARE, BARE_BSON, OURS, THEIRS

Row = dict[str, Any]


@dataclass(frozen=True)
class Table:
    """One table.

    Attributes:
        title: what it shows, with its unit.
        headings: of its columns.
        lines: cells, the first of which names the line.
    """

    title: str
    headings: Sequence[str]
    lines: list[list[str]]

    def as_text(self) -> str:
        """Columns side by side; all but the first to the right."""
        lines = [list(self.headings), *self.lines]
        widths = [max(len(line[n]) for line in lines) for n in range(len(self.headings))]
        lines.insert(1, ["-" * width for width in widths])
        rows = ("  ".join([line[0].ljust(widths[0]), *map(str.rjust, line[1:], widths[1:])]).rstrip() for line in lines)
        return f"{self.title}\n" + "\n".join(rows)

    def as_markdown(self) -> str:
        """The same for a page."""
        marks = ["---", *("---:" for _ in self.headings[1:])]
        rows = ("| " + " | ".join(line) + " |" for line in (self.headings, marks, *self.lines))
        return f"### {self.title}\n\n" + "\n".join(rows)


def tables(rows: list[Row]) -> Iterable[Table]:
    """Every table that there is something for."""
    made: Iterable[tuple[str, Callable[[list[Row]], Iterable[Table]]]] = (
        ("operations", _operations),
        ("storm", _storm),
        ("connects", _connects),
        ("memory", _memory),
        ("startup", _startup),
        ("growth", _growth),
    )
    for section, table in made:
        its = [row for row in rows if row["section"] == section]
        if its:
            yield from table(its)
    found = aims(rows)
    if found:
        yield Table(
            "Aims, stock loop",
            ("what", "at most", "is", ""),
            [[aim.what, f"{aim.bound:g}", f"{aim.value:.2f}", "met" if aim.is_met else "MISSED"] for aim in found],
        )


def _operations(rows: list[Row]) -> Iterable[Table]:
    for server, loop, tls in dict.fromkeys((row["server"], row["loop"], row["tls"]) for row in rows):
        found: dict[tuple[str, int], dict[str, Row]] = {}  # by title and tasks at a time
        for row in rows:
            if (row["server"], row["loop"], row["tls"]) == (server, loop, tls):
                found.setdefault((row["title"], row["concurrency"]), {})[row["contestant"]] = row
        yield Table(
            f"Client CPU, microseconds per operation: {server}, {loop}, {'TLS' if tls else 'plain'}",
            (
                "task, at a time",
                *("bare", "+ BSON", "ours", "PyMongo"),
                *("ours / bare", "/ bare + BSON", "/ PyMongo", "wall / PyMongo", "server"),
            ),
            [
                [
                    f"{title}, {concurrency}",
                    *(_median(by.get(name), "cpu") for name in (BARE, BARE_BSON, OURS, THEIRS)),
                    *(_ratio(by.get(name), "cpu") for name in (BARE, BARE_BSON, THEIRS)),
                    _ratio(by.get(THEIRS), "wall"),
                    _share(by),
                ]
                for (title, concurrency), by in found.items()
            ],
        )


def _share(by: dict[str, Row]) -> str:
    shares = [row["server_share"]["median"] for row in by.values() if row["server_share"]["median"]]
    return f"{max(shares):.0%}" if shares else "-"


def _storm(rows: list[Row]) -> Iterable[Table]:
    yield Table(
        f"{rows[0]['count']} mTLS connections at once: milliseconds, and the longest for which the loop was held",
        ("handshakes, loop, who", "CPU", "ours / it", "wall", "loop held, CPU", "loop held, wall", "resumed"),
        [
            [
                f"{row['kind']}, {row['loop']}, {row['contestant']}",
                _median(row, "cpu"),
                _ratio(row, "cpu"),
                _median(row, "wall"),
                _median(row, "held_cpu", 1),
                _median(row, "held", 1),
                f"{row['resumed']['median']:.0%}",
            ]
            for row in rows
        ],
    )


def _connects(rows: list[Row]) -> Iterable[Table]:
    yield Table(
        "One mTLS connection after the other, with X.509 and a ping: milliseconds",
        ("version, loop, who", "CPU", "wall", "resumed"),
        [
            [
                f"{row['version']}, {row['loop']}, {row['contestant']}",
                _median(row, "cpu", 2),
                _median(row, "wall", 2),
                f"{row['resumed']:.0%}",
            ]
            for row in rows
        ],
    )


def _memory(rows: list[Row]) -> Iterable[Table]:
    yield Table(
        f"Memory of each of {rows[0]['count']} pooled TLS connections: KB",
        ("who, loop", "idle", "after 1 MB each way", f"left by each of {rows[0]['reconnects']} reconnects"),
        [
            [
                f"{row['contestant']}, {row['loop']}",
                *(f"{row[what] / 1024:.0f}" for what in ("idle", "used")),
                f"{row['left'] / 1024:.2f}",
            ]
            for row in rows
        ],
    )


def _startup(rows: list[Row]) -> Iterable[Table]:
    yield Table(
        "In a fresh interpreter: milliseconds",
        ("what, who", "CPU", "ours / it", "wall"),
        [
            [f"{row['what']}, {row['contestant']}", _median(row, "cpu"), _ratio(row, "cpu"), _median(row, "wall")]
            for row in rows
        ],
    )


def _growth(rows: list[Row]) -> Iterable[Table]:
    found: dict[tuple[str, int], dict[str, Row]] = {}
    for row in rows:
        found.setdefault((row["what"], row["size"]), {})[row["contestant"]] = row
    yield Table(
        "Growth: client CPU, microseconds per operation (batch, insert: per document)",
        ("what, size", "ours", "PyMongo"),
        [
            [f"{what}, {size}", _median(by.get(OURS), "cpu", 1), _median(by.get(THEIRS), "cpu", 1)]
            for (what, size), by in found.items()
        ],
    )


def _median(row: Row | None, what: str, digits: int = 0) -> str:
    return "-" if row is None else f"{row[what]['median']:,.{digits}f}"


def _ratio(row: Row | None, what: str) -> str:
    if row is None or row["contestant"] == OURS or "ours_to_it" not in row:
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
        f"documents: {about['documents']}; `{about['command']}`\n"
        "Medians; in brackets the quarters between which the rounds' ratios lie.\n"
    )


def as_text(about: Row, rows: list[Row]) -> str:
    """Everything for the terminal."""
    return "\n\n".join([heading(about).rstrip(), *(table.as_text() for table in tables(rows))]) + "\n"


def as_markdown(about: Row, rows: list[Row]) -> str:
    """Everything for a page."""
    return "\n\n".join([heading(about).rstrip(), *(table.as_markdown() for table in tables(rows))]) + "\n"
