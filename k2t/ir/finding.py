"""What k2t has to say about a place in the user's script."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from k2t.ir.source import Span


class Severity(StrEnum):
    """info: rewritten, proven; warning: rewritten, differs as it says; error: left to a human."""

    INFO = "info"
    WARNING = "warning"
    ERROR = "error"


@dataclass(frozen=True)
class Finding:
    """A message with its rule code and the place it is about."""

    code: str
    severity: Severity
    message: str
    span: Span


class NotMigrated(Exception):
    """Raised where a construct cannot be carried over; it becomes an error finding."""

    def __init__(self, code: str, message: str, span: Span | None = None) -> None:
        super().__init__(message)
        self.code = code
        self.message = message
        self.span = span
