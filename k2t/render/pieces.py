"""Pieces of source text put together."""

from __future__ import annotations

from k2t.ir.source import Span
from k2t.ir.torch import Edit


def same(one: Edit, other: Edit | None) -> bool:
    return other is not None and one.span == other.span


def outermost(pieces: list[tuple[Span, str]]) -> list[tuple[Span, str]]:
    """Pieces that lie in no other, in order."""
    kept = [
        (s, t)
        for i, (s, t) in enumerate(pieces)
        if not any(s in o and (s != o or j < i) for j, (o, _) in enumerate(pieces) if j != i)
    ]
    return sorted(kept)


def dedent(text: str, to: int, by: int) -> str:
    """Move the lines after the first from indentation ``by`` to ``to``."""
    lines = text.split("\n")
    moved = [lines[0]]
    for line in lines[1:]:
        blank = line[:by].strip()
        moved.append(line if blank else " " * to + line[by:] if line.strip() else "")
    return "\n".join(moved)
