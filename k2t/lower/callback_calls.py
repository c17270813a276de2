"""The call of a callback, rewritten where it stands."""

from __future__ import annotations

import re

from k2t.ir.program import Use
from k2t.ir.source import Code, Span, code
from k2t.ir.torch import Edit
from k2t.lower.edits import Edits
from k2t.table import Row


def rewrite(
    edits: Edits, use: Use, row: Row, name: str, added: dict[str, str], gone: set[str]
) -> None:
    """The call with another class; its arguments stay where they stand."""
    text = edits.program.source.text
    assert use.receiver is not None
    legacy = row.get("legacy", {})
    written = sorted((arg.span, key) for key, arg in use.args.items() if arg.span is not None)
    kept = [span for span, key in written if key not in gone]
    texts: dict[Span, Code] = {s: (added.pop(k),) for s, k in written if k in added and s in kept}
    for span, key in moved(row, text, written, kept):
        texts[span] = code(f"{key}=", *texts.get(span, (span,)))
    extra = ", ".join(f"{key}={value}" for key, value in added.items())
    if extra and kept:
        last = kept[-1]
        texts[last] = code(*texts.get(last, (last,)), f",{break_before(text, last)}{extra}")
    opening = text.index("(", use.receiver.end) + 1
    edits.edits.append(Edit(Span(use.call.start, opening), (f"{name}({'' if kept else extra}",)))
    edits.edits += [Edit(span, written_as) for span, written_as in texts.items()]
    position = opening
    for span, _ in written:
        start = keyword(text, span)
        old = text[start : span.start].partition("=")[0].strip()
        if span in kept:
            if old in legacy:
                edits.edits.append(Edit(Span(start, start + len(old)), (legacy[old],)))
            position = span.end
            continue
        comma = re.match(r"\s*,\s*", text[span.end :])
        first = position == opening and comma is not None
        end = span.end + (comma.end() if first and comma is not None else 0)
        edits.edits.append(Edit(Span(start if first else position, end), ()))
        position = opening if first else end


def moved(
    row: Row, text: str, written: list[tuple[Span, str]], kept: list[Span]
) -> list[tuple[Span, str]]:
    """Arguments by position that the class has at another place, and those behind them."""
    found: list[tuple[Span, str]] = []
    places = list(row.data["carried"])
    by_place = [(span, key) for span, key in written if keyword(text, span) == span.start]
    for place, (span, key) in enumerate(by_place):
        if span in kept and (found or places[place : place + 1] != [key]):
            found.append((span, key))
    return found


def break_before(text: str, span: Span) -> str:
    """What parts an argument from the one before it: a blank, or a new line of its own."""
    start = keyword(text, span)
    line = text[text.rfind("\n", 0, start) + 1 : start]
    return " " if line.strip() else f"\n{line}"


def keyword(text: str, span: Span) -> int:
    """Where an argument begins: at its keyword, if it has one."""
    found = re.search(r"(\w+)\s*=\s*$", text[: span.start])
    return found.start() if found else span.start
