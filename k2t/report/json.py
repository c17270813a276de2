"""The report as JSON."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict
from typing import Any

from k2t.report.outcome import Outcome


def document(outcomes: Sequence[Outcome], version: str) -> dict[str, Any]:
    """``{tool, version, files: [{path, output, dialect, status, findings: [...]}]}``.

    A finding has code, severity, message, line, column, end_line and end_column (from one, the end
    excluded); a file's status is one of ``outcome.Status``.
    """
    return {
        "tool": "k2t",
        "version": version,
        "files": [
            {
                "path": outcome.path,
                "output": outcome.output,
                "dialect": outcome.dialect,
                "status": str(outcome.status),
                "findings": [asdict(finding) for finding in outcome.findings],
            }
            for outcome in outcomes
        ],
    }


def text(outcomes: Sequence[Outcome], version: str) -> str:
    """The document, indented, with a line end."""
    return json.dumps(document(outcomes, version), indent=2) + "\n"
