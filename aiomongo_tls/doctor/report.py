"""Findings as text for people, aligned and perhaps coloured, and as JSON for programs."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import fields
from itertools import groupby
from typing import TYPE_CHECKING, Any, Final

from aiomongo_tls.doctor.findings import OK, Check, Finding, Severity
from aiomongo_tls.version import __version__

if TYPE_CHECKING:
    from aiomongo_tls.doctor.findings import Diagnosis

Paint = Callable[[str, str], str]
"""Puts a text into a colour."""

SCHEMA: Final = 1
"""Grows when a field changes its meaning or goes; new fields and new reasons do not count."""

_COLORS = {Severity.ERROR: "31;1", Severity.WARNING: "33;1", Severity.INFO: "32"}
_BOLD = "1"
_HEADINGS = {
    Check.ENVIRONMENT: "this machine",
    Check.URI: "options",
    Check.FILES: "files",
    Check.DNS: "DNS",
    Check.HELLO: "all servers",
}
_WIDEST: Final = 24
_LABEL: Final = 10


def as_json(diagnosis: Diagnosis) -> str:
    """All findings as one JSON document, with every field of each.

    Args:
        diagnosis: the findings.
    """
    return json.dumps(
        {
            "schema": SCHEMA,
            "version": __version__,
            "worst": diagnosis.worst.value,
            "elapsed": _seconds(diagnosis.elapsed),
            "findings": [_document(finding) for finding in diagnosis.findings],
        },
        indent=2,
    )


def _document(finding: Finding) -> dict[str, Any]:
    values = {field.name: getattr(finding, field.name) for field in fields(finding)}
    values["host"] = str(finding.host) if finding.host is not None else None
    values["elapsed"] = _seconds(finding.elapsed)
    return values


def _seconds(elapsed: float | None) -> float | None:
    return round(elapsed, 4) if elapsed is not None else None


def wants_color(*, is_terminal: bool, environ: Mapping[str, str]) -> bool:
    """Whether text should be coloured: on a terminal that can, unless NO_COLOR is set (no-color.org).

    Args:
        is_terminal: whether it goes to a terminal.
        environ: the environment.
    """
    return is_terminal and not environ.get("NO_COLOR") and environ.get("TERM") != "dumb"


def as_text(diagnosis: Diagnosis, *, color: bool = False) -> str:
    """All findings as text.

    Args:
        diagnosis: the findings.
        color: whether to colour it, for a terminal.
    """
    paint = _painted if color else _plain
    lines: list[str] = []
    for heading, findings in groupby(diagnosis.findings, key=_heading):
        lines += [*([""] if lines else []), paint(heading, _BOLD), *_section(list(findings), paint)]
    summary = f"{_count(diagnosis.errors, 'error')}, {_count(diagnosis.warnings, 'warning')}"
    return "\n".join([*lines, "", paint(summary, _COLORS[diagnosis.worst]), ""])


def _heading(finding: Finding) -> str:
    return str(finding.host) if finding.host is not None else _HEADINGS.get(finding.check, finding.check)


def _section(findings: Sequence[Finding], paint: Paint) -> Iterator[str]:
    """The lines of one section: facts in columns, faults with rows below them."""
    width = min(max((len(finding.title) for finding in findings if _is_short(finding)), default=0), _WIDEST)
    for finding in findings:
        word = OK if finding.reason == OK else finding.severity.value
        step = f"{finding.check:<6}" if finding.host is not None else ""
        start = f"  {paint(f'{word:<8}', _COLORS[finding.severity])} {step}"
        took = f" ({_duration(finding.elapsed)})" if finding.elapsed is not None else ""
        if _is_short(finding):
            yield f"{start}{_clean(finding.title):<{width}}  {_clean(finding.found or '')}".rstrip() + took
        else:
            yield f"{start}{_clean(finding.title)} [{finding.reason}]{took}"
            yield from _rows("expected", finding.expected)
            yield from _rows("found", finding.found)
        yield from _rows("fix", finding.fix)


def _is_short(finding: Finding) -> bool:
    return finding.severity is Severity.INFO and finding.expected is None and len(finding.title) <= _WIDEST


def _rows(label: str, text: str | None) -> Iterator[str]:
    # Never broken into lines: commands in it are there to be copied.
    if text:
        yield f"  {'':8} {label:<{_LABEL}}{_clean(text)}"


def _clean(text: str) -> str:
    """A text without anything that a terminal would act upon; part of it is what strangers sent."""
    return "".join(char if char.isprintable() else "?" for char in text)


def _duration(seconds: float) -> str:
    return f"{seconds * 1000:.0f} ms" if seconds < 1 else f"{seconds:.1f} s"


def _count(findings: Sequence[Finding], word: str) -> str:
    return f"{len(findings) or 'no'} {word}{'s' * (len(findings) != 1)}"


def _painted(text: str, color: str) -> str:
    return f"\x1b[{color}m{text}\x1b[0m"


def _plain(text: str, _color: str) -> str:
    return text
