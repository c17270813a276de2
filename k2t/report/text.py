"""Findings as lines that terminals and editors click on, and the closing line."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

from k2t.ir.finding import Severity
from k2t.report.outcome import Located, Outcome, Status

WORDS = {
    Status.MIGRATED: "migrated",
    Status.LEFT: "left to you",
    Status.FOUND: "with Keras training code",
    Status.UNTOUCHED: "not Keras",
    Status.FAILED: "failed",
}


def lines(outcome: Outcome) -> list[str]:
    """One line a finding, in the order of the file."""
    ordered = sorted(outcome.findings, key=lambda f: (f.line, f.column, f.code))
    return [line(outcome.path, finding) for finding in ordered]


def line(path: str, finding: Located) -> str:
    """``path:line:col: CODE message``; the severity goes before the message unless it is info."""
    word = "" if finding.severity is Severity.INFO else f"{finding.severity}: "
    message = " ".join(finding.message.split())
    return f"{path}:{finding.line}:{finding.column}: {finding.code} {word}{message}"


def summary(outcomes: Sequence[Outcome]) -> str:
    """``3 files migrated, 1 left to you, 2 not Keras``."""
    counts = Counter(outcome.status for outcome in outcomes)
    parts = [[str(counts[status]), words] for status, words in WORDS.items() if counts[status]]
    if not parts:
        return "no Python files"
    parts[0].insert(1, "file" if parts[0][0] == "1" else "files")
    return ", ".join(" ".join(part) for part in parts)
