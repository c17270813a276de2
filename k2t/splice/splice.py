"""Generated text into the user's: by character spans, so that every other byte stays as it is."""

from __future__ import annotations

import ast
import symtable
from collections.abc import Sequence, Set
from dataclasses import dataclass

from k2t.ir.program import Program
from k2t.ir.source import Source, Span
from k2t.splice.imports import import_changes


@dataclass(frozen=True)
class Piece:
    """Replace ``start`` to ``end`` by ``text``; ``order`` settles several at one place."""

    start: int
    end: int
    text: str
    order: int = 0


class Unsplicable(Exception):
    """The edits do not give a script that parses; nothing may be written."""


def splice(
    program: Program,
    changes: Sequence[tuple[Span, str, bool]],
    removed: Sequence[Span],
    before: Sequence[tuple[Span, str]],
    blocks: Sequence[tuple[Span, str]],
) -> str:
    """The migrated script, its imports as they were.

    Args:
        changes: (span, text, whether the text is whole statements).
        removed: statements to delete, comments above them included in the span.
        before: (statement, code to put before it).
        blocks: (top-level statement, definitions to put before it).

    Raises:
        Unsplicable: the result would not parse.
    """
    source = program.source
    gone = on_one_line(source, outer(list(removed)))
    # what lies in a piece that is written anew was left out there
    gone = [g for g in gone if not any(g in span and g != span for span, _, _ in changes)]
    needed, runs = emptied(source, gone), run_starts(source, gone)
    pieces = [
        filled(source, span) if span.start in needed else deletion(source, span, runs[span])
        for span in gone
    ]
    for span, text, block in changes:
        if any(span in g for g in gone):
            continue
        pieces.append(replacement(source, span, text, block))
    for span, text in before:
        start = line_start(source, span.start)
        indent = source.text[start : span.start]
        lines = "".join(f"{indent}{line}\n" if line else "\n" for line in text.split("\n"))
        pieces.append(Piece(start, start, lines, 1))
    for span, text in blocks:
        start = line_start(source, span.start)
        pieces.append(Piece(start, start, f"\n\n{text}\n\n\n", 0))
    text = apply(source.text, merge_inside(pieces))
    return tidy(text, blocks)


def with_imports(
    text: str, bound: Set[str], extra_imports: Sequence[str], vocabulary: dict[str, str]
) -> str:
    """A migrated text with the imports it needs, and without Keras's.

    Args:
        bound: names that the script binds itself.
        vocabulary: name -> import line, for names the generated code may use.

    Raises:
        Unsplicable: the result would not parse.
    """
    wanted = needed_imports(text, bound, vocabulary)
    text = import_changes(text, [*wanted, *extra_imports])
    check(text)
    return text


def emptied(source: Source, gone: Sequence[Span]) -> set[int]:
    """Starts of deleted spans that are the first of a block in which nothing would be left."""
    lines: set[int] = set()
    first: dict[int, int] = {}
    for span in gone:
        start, end = source.line_of(span.start), source.line_of(max(span.end - 1, span.start))
        lines.update(range(start, end + 1))
        first.update(dict.fromkeys(range(start, end + 1), span.start))
    found: set[int] = set()
    for node in ast.walk(ast.parse(source.text)):
        if isinstance(node, ast.Module) or getattr(node, "lineno", 0) in lines:
            continue
        for name in ("body", "orelse", "finalbody"):
            block = getattr(node, name, None)
            if not isinstance(block, list) or not block or not isinstance(block[0], ast.stmt):
                continue
            if all(s.lineno in lines and (s.end_lineno or s.lineno) in lines for s in block):
                found.add(first[block[0].lineno])
    return found


def filled(source: Source, span: Span) -> Piece:
    """``pass`` in place of the statement whose block would be empty."""
    end = source.text.find("\n", span.end)
    return Piece(span.start, end if end >= 0 else len(source.text), "pass")


def outer(spans: list[Span]) -> list[Span]:
    """Spans that lie in no other, without doubles, in order."""
    unique = sorted(set(spans))
    return [s for s in unique if not any(s in o and s != o for o in unique)]


def on_one_line(source: Source, spans: list[Span]) -> list[Span]:
    """Statements that only semicolons part are deleted as one."""
    merged: list[Span] = []
    for span in spans:
        if merged and source.text[merged[-1].end : span.start].strip(" \t") == ";":
            merged[-1] = Span(merged[-1].start, span.end)
        else:
            merged.append(span)
    return merged


def line_start(source: Source, offset: int) -> int:
    return source.text.rfind("\n", 0, offset) + 1


def run_starts(source: Source, gone: Sequence[Span]) -> dict[Span, int]:
    """Where the statements begin that are deleted line by line down to each."""
    starts: dict[Span, int] = {}
    for span in gone:
        start = line_start(source, span.start)
        above = next((s for s in starts if source.text[s.end : start].strip(" \t") == "\n"), None)
        starts[span] = starts[above] if above is not None else start
    return starts


def deletion(source: Source, span: Span, run: int) -> Piece:
    """Delete a statement: whole lines where it stands alone, with a comment at its end.

    ``run`` is where the deleted lines begin that it is the last of.
    """
    text = source.text
    start = line_start(source, span.start)
    end = text.find("\n", span.end)
    end = len(text) if end < 0 else end
    head, tail = text[start : span.start], text[span.end : end].strip()
    if not head.strip() and (not tail or tail.startswith("#")):
        stop = min(end + 1, len(text))
        # a paragraph that goes takes the fewer of the blank lines around it along
        above = len(text[:run]) - len(text[:run].rstrip("\n")) - 1
        below = len(text[stop:]) - len(text[stop:].lstrip("\n"))
        gone = below if run == 0 else min(above, below)
        return Piece(start, stop + gone, "")
    if tail.startswith(";"):
        return Piece(
            span.start, text.index(";", span.end) + 1 + len(tail) - len(tail.lstrip("; ")) - 1, ""
        )
    if head.rstrip().endswith(";"):
        return Piece(text.rindex(";", 0, span.start), span.end, "")
    return Piece(span.start, span.end, "pass")


def replacement(source: Source, span: Span, text: str, block: bool) -> Piece:
    if not block:
        return Piece(span.start, span.end, text, 2)
    start = line_start(source, span.start)
    indent = source.text[start : span.start]
    if indent.strip():
        # a statement behind a colon or semicolon moves to a line of its own
        outer_indent = indent[: len(indent) - len(indent.lstrip())] + "    "
        lines = text.split("\n")
        body = "".join(f"\n{outer_indent}{line}" if line else "\n" for line in lines)
        return Piece(start + len(indent.rstrip()), span.end, body, 2)
    lines = text.split("\n")
    body = "\n".join([lines[0], *(indent + line if line else "" for line in lines[1:])])
    return Piece(span.start, span.end, body, 2)


def merge_inside(pieces: list[Piece]) -> list[Piece]:
    """Pieces by place; zero-width ones come before what starts there."""
    return sorted(pieces, key=lambda p: (p.start, p.end != p.start, p.order, p.end))


def apply(text: str, pieces: list[Piece]) -> str:
    out: list[str] = []
    position, gone = 0, False
    for piece in pieces:
        insert = piece.text
        if piece.start < position:
            if piece.end <= position and not insert:
                continue
            if piece.start == piece.end:
                continue  # inside a block that was written with it
            if not gone or piece.end <= position or not insert.startswith("\n"):
                raise Unsplicable(f"edits overlap at offset {piece.start}")
            insert = insert[1:]  # the line above went, with its end
        out.append(text[position : piece.start])
        out.append(insert)
        position, gone = piece.end, not piece.text
    out.append(text[position:])
    return "".join(out)


def tidy(text: str, blocks: Sequence[tuple[Span, str]]) -> str:
    """Two blank lines around the definitions that were put in, never three."""
    for _, block in blocks:
        place = text.find(block)
        if place < 0:
            continue
        head, tail = text[:place].rstrip("\n"), text[place + len(block) :].lstrip("\n")
        opening = f"{head}\n\n\n" if head else ""
        closing = f"\n\n\n{tail}" if tail else "\n"
        text = f"{opening}{block}{closing}"
    return text.rstrip("\n") + "\n"


def needed_imports(text: str, own: Set[str], vocabulary: dict[str, str]) -> list[str]:
    """Import lines for the names that the new text reads and the script does not bind."""
    try:
        tree = ast.parse(text)
    except SyntaxError as error:
        raise Unsplicable(f"the output does not parse: {error}\n{error.text}") from None
    read = {n.id for n in ast.walk(tree) if isinstance(n, ast.Name)}
    bound = own | {n.name for n in tree.body if isinstance(n, ast.ClassDef | ast.FunctionDef)}
    return [line for name, line in vocabulary.items() if name in read and name not in bound]


def check(text: str) -> None:
    try:
        symtable.symtable(text, "output", "exec")  # parses it, and finds doubled parameters
    except SyntaxError as error:
        raise Unsplicable(f"the output does not parse: {error}") from None
