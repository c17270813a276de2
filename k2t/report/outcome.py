"""What became of one file, in the form both reports are made from."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum

from k2t.ir.finding import Finding, Severity
from k2t.ir.source import Source


class Status(StrEnum):
    """What became of a file."""

    MIGRATED = "migrated"
    LEFT = "left"  # migrated, but something in it is left to a human
    FOUND = "found"  # check: holds Keras training code
    UNTOUCHED = "untouched"  # nothing to migrate
    FAILED = "failed"  # not read, not parsed or not written


EXIT = {
    Status.MIGRATED: 0,
    Status.UNTOUCHED: 0,
    Status.LEFT: 1,
    Status.FOUND: 1,
    Status.FAILED: 2,
}


@dataclass(frozen=True)
class Located:
    """A finding at its place as editors count it: from one, the end excluded."""

    code: str
    severity: Severity
    message: str
    line: int
    column: int
    end_line: int
    end_column: int


@dataclass(frozen=True)
class Outcome:
    """What became of one file; ``output`` is the path that was written, if one was."""

    path: str
    status: Status
    findings: tuple[Located, ...] = ()
    output: str | None = None
    dialect: str | None = None


def locate(finding: Finding, source: Source) -> Located:
    """Character offsets to lines and columns."""
    start, end = finding.span.start, finding.span.end
    return Located(
        finding.code,
        finding.severity,
        finding.message,
        source.line_of(start),
        source.column_of(start),
        source.line_of(end),
        source.column_of(end),
    )


def at(code: str, message: str, line: int = 1, column: int = 1) -> Located:
    """An error about a file, or about one place of it."""
    return Located(code, Severity.ERROR, message, line, column, line, column)


def exit_status(outcomes: Iterable[Outcome]) -> int:
    """The worst of all files: 0 done, 1 something left to a human, 2 a file failed."""
    return max((EXIT[outcome.status] for outcome in outcomes), default=0)
