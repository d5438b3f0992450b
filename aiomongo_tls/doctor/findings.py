"""What the doctor has found, as values: one finding for each fact or fault, and all of them together."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING, Final, TypedDict, Unpack

if TYPE_CHECKING:
    from aiomongo_tls.address import ServerAddress

OK: Final = "ok"
"""The reason of a step that went well."""


class Check(StrEnum):
    """What was looked at, in the order of the examination."""

    ENVIRONMENT = "environment"
    URI = "uri"
    FILES = "files"
    DNS = "dns"
    TCP = "tcp"
    TLS = "tls"
    HELLO = "hello"
    AUTH = "auth"
    PING = "ping"


class Severity(StrEnum):
    """How bad a finding is."""

    ERROR = "error"
    WARNING = "warning"
    INFO = "info"


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """One fact or fault. Nothing in it is ever a password or a key.

    Args:
        check: what was looked at.
        severity: how bad it is; `info` for facts, and for steps that went well.
        reason: a stable slug; for faults the same as in the errors of a client. `ok` for a step that went well.
        title: what it is, in one line.
        host: the server concerned; None for what concerns all, or this machine.
        expected: what would have been good.
        found: what was there.
        fix: what to do.
        elapsed: seconds that the step took; None where nothing was waited for.
    """

    check: Check
    severity: Severity
    reason: str
    title: str
    host: ServerAddress | None = None
    expected: str | None = None
    found: str | None = None
    fix: str | None = None
    elapsed: float | None = None


class Details(TypedDict, total=False):
    """The fields of a finding that it need not have."""

    host: ServerAddress | None
    expected: str | None
    found: str | None
    fix: str | None
    elapsed: float | None


def error(check: Check, reason: str, title: str, **details: Unpack[Details]) -> Finding:
    """Make a finding of something that keeps a client from working."""
    return Finding(check=check, severity=Severity.ERROR, reason=reason, title=title, **details)


def warning(check: Check, reason: str, title: str, **details: Unpack[Details]) -> Finding:
    """Make a finding of something that works today but may not tomorrow, or not as it seems."""
    return Finding(check=check, severity=Severity.WARNING, reason=reason, title=title, **details)


def info(check: Check, reason: str, title: str, **details: Unpack[Details]) -> Finding:
    """Make a finding of a fact, or of a step that went well."""
    return Finding(check=check, severity=Severity.INFO, reason=reason, title=title, **details)


@dataclass(frozen=True, slots=True, kw_only=True)
class Diagnosis:
    """The result of an examination.

    Args:
        findings: all findings: of this machine, the URI and the files; then of each server, in the order of the steps;
            then of the servers together.
        elapsed: seconds that the examination took.
    """

    findings: tuple[Finding, ...]
    elapsed: float

    @property
    def errors(self) -> tuple[Finding, ...]:
        """The findings that keep a client from working."""
        return self._of(Severity.ERROR)

    @property
    def warnings(self) -> tuple[Finding, ...]:
        """The findings that should be looked at."""
        return self._of(Severity.WARNING)

    @property
    def worst(self) -> Severity:
        """The severity of the worst finding."""
        if self.errors:
            return Severity.ERROR
        return Severity.WARNING if self.warnings else Severity.INFO

    def reasons(self) -> set[str]:
        """The reasons of all errors and warnings."""
        return {finding.reason for finding in self.findings if finding.severity is not Severity.INFO}

    def _of(self, severity: Severity) -> tuple[Finding, ...]:
        return tuple(finding for finding in self.findings if finding.severity is severity)
