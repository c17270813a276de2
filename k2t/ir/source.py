"""Places in the user's text: spans, and text that still points at them."""

from __future__ import annotations

import bisect
from dataclasses import dataclass

FRAMEWORKS = (
    "tensorflow",
    "keras",
    "tf_keras",
    "keras_core",
    "tensorflow_datasets",
    "tensorflow_addons",
    "tensorflow_hub",
)
"""Top-level packages whose names must not survive a migration."""


@dataclass(frozen=True, order=True)
class Span:
    """Characters ``start`` (included) to ``end`` (excluded) of the source text."""

    start: int
    end: int

    def __contains__(self, other: object) -> bool:
        return isinstance(other, Span) and self.start <= other.start and other.end <= self.end


Code = tuple["str | Span", ...]
"""Text to be emitted: literal pieces, and pieces of the user's source (with its edits applied)."""


def code(*parts: str | Span | Code) -> Code:
    """Join pieces into one ``Code``, flattening nested ones."""
    flat: list[str | Span] = []
    for part in parts:
        if isinstance(part, tuple):
            flat.extend(part)
        else:
            flat.append(part)
    return tuple(flat)


def join(separator: str, parts: list[Code]) -> Code:
    """``separator.join`` for code."""
    flat: list[str | Span] = []
    for i, part in enumerate(parts):
        if i:
            flat.append(separator)
        flat.extend(part)
    return tuple(flat)


@dataclass(frozen=True)
class Comment:
    """A comment: its text from ``#`` on, where it stands, and whether alone on its line."""

    text: str
    span: Span
    line: int
    own_line: bool


@dataclass(frozen=True)
class Source:
    """A script: its text and where its lines begin (line numbers count from one).

    ``main`` is where the file begins that is run; what stands before it are files it imports.
    """

    path: str
    text: str
    line_starts: tuple[int, ...]
    comments: tuple[Comment, ...]
    main: int = 0

    def slice(self, span: Span) -> str:
        return self.text[span.start : span.end]

    def line_of(self, offset: int) -> int:
        """The line number of a character offset."""
        return bisect.bisect_right(self.line_starts, offset)

    def column_of(self, offset: int) -> int:
        """The column of a character offset, counted from one as editors do."""
        return offset - self.line_starts[self.line_of(offset) - 1] + 1
