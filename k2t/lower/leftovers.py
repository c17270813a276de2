"""What is left of Keras in a script: errors, and places the script stops at."""

from __future__ import annotations

from collections.abc import Mapping

from k2t.ir.finding import Finding, Severity
from k2t.ir.program import Leftover, Program, Use
from k2t.ir.source import Span
from k2t.ir.torch import Edit, Snippet
from k2t.lower.brackets import HOLE
from k2t.lower.edits import Edits
from k2t.table import Row, Table

STRUCTURE = ("keras.Input", "keras.Model", "keras.Sequential", "keras.layers.Layer")
WAYS = ("input", "inputs", "output", "outputs", "layers")


def covered(span: Span, edits: Edits, removed: list[Span]) -> bool:
    """Whether a place of the source goes: removed, or replaced and not carried along."""
    if any(span in r for r in removed):
        return True
    around = [e for e in edits.edits if span in e.span]
    if not around:
        return False
    innermost = min(around, key=lambda e: e.span.end - e.span.start)
    return not any(span in s for s in carried(innermost))


def carried(edit: Edit) -> list[Span]:
    """The pieces of source an edit carries along."""
    if isinstance(edit.code, Snippet):
        return [
            part
            for value in edit.code.values.values()
            if isinstance(value, tuple)
            for part in value
            if isinstance(part, Span)
        ]
    return [part for part in edit.code if isinstance(part, Span)]


def is_error(finding: Finding) -> bool:
    return finding.severity is Severity.ERROR


def stops_of(
    edits: Edits, removed: list[Span], findings: list[Finding], refused: list[Use]
) -> list[tuple[Span, str]]:
    """The statements that the script stops before, and why: Keras names that survive in them are
    errors, and so are uses of models that are left.

    A tensor's name, and a way to one (``model.output``), is one only in a statement that has no
    other.
    """
    stops: dict[Span, str] = {}

    def stop(statement: Span, about: Finding | None, else_error: Finding) -> None:
        if about is None:
            findings.append(about := else_error)
        stops.setdefault(statement, f"{about.code}: {about.message}")

    for found in sorted(edits.program.leftovers, key=lambda found: is_tensor(found.path)):
        if covered(found.span, edits, removed):
            continue
        around = next((span for span in edits.ctx.left if found.span in span), None)
        if around is not None:
            stop(around, edits.ctx.left[around], edits.ctx.left[around])
            continue
        known = next((f for f in findings if is_error(f) and found.span in f.span), None)
        behind = (f for span, f in edits.ctx.behind.items() if found.span in span)
        known = known or next(behind, None)
        if known is None and is_tensor(found.path) and found.stmt in stops:
            continue
        stop(found.stmt, known, left(edits.ctx.table, found))
    for use in refused:
        if covered(use.call, edits, removed):
            continue
        errors = (f for f in findings if is_error(f))
        known = next((f for f in errors if f.span in use.call or use.call in f.span), None)
        message = f"{use.kind}: its model is not migrated"
        stop(use.stmt, known, Finding("K2T903", Severity.ERROR, message, use.call))
    kept = [(s, text) for s, text in sorted(stops.items()) if not any(s in r for r in removed)]
    kept = [(s, text) for s, text in kept if not stopped_around(s, text, stops)]
    return first_at_top_level(edits.program, kept)


def left(table: Table, found: Leftover) -> Finding:
    """What is said of a Keras name that stays; one with a rule stays with what it is part of."""
    row = table.find(found.path)
    if row is not None and row.section == "ops":
        message = f"{found.path} is not migrated here{words_of(row)}"
        return Finding("K2T900", Severity.ERROR, message, found.span)
    if row is not None or found.path in STRUCTURE:
        message = f"{found.path} is part of nothing that is migrated"
        return Finding("K2T903", Severity.ERROR, message, found.span)
    return Finding("K2T900", Severity.ERROR, table.left(found.path), found.span)


def words_of(row: Row) -> str:
    """What torch calls an operation that is called on something else than a model's tensors."""
    call = str(row.get("call") or row.get("asked", ""))
    if not call or row.get("helper") or "like" in HOLE.findall(call):
        return ""
    words = HOLE.sub(lambda hole: hole[1], call)
    return f", outside of models, layers and losses; on a tensor it is {words}"


def is_tensor(path: str) -> bool:
    """Whether a path is a tensor's name, or leads to one of a model or layer."""
    return path.isidentifier() or path.rpartition(".")[2] in WAYS


def stopped_around(span: Span, text: str, stops: Mapping[Span, str]) -> bool:
    """Whether a statement around this one is stopped for the same reason (a class left whole)."""
    return any(s != span and span in s and stops[s] == text for s in stops)


def first_at_top_level(program: Program, stops: list[tuple[Span, str]]) -> list[tuple[Span, str]]:
    """Of the stops between top-level statements only the first: behind it nothing runs."""
    tops = {top.end for top in program.top_level}
    outside = [span for span, _ in stops if span.end in tops]
    return [(s, text) for s, text in stops if s.end not in tops or s == outside[0]]
