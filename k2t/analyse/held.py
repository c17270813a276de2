"""What instances of a class hold in their attributes, where torch looks for layers and weights."""

from __future__ import annotations

import ast
from collections.abc import Iterator

from k2t.analyse.interpreter import Interpreter
from k2t.analyse.state import statements
from k2t.ir.source import Span
from k2t.ir.values import NONE, Arg, ListRef, ModelRef, Obj, Tuple, Value
from k2t.parse.script import Spans


def lists(interp: Interpreter, index: int, makers: list[ast.FunctionDef]) -> Iterator[Span]:
    """Lists of layers that are bound to an attribute."""
    wanted = {
        name
        for stored in attributes(interp, index)
        for name, value in stored.items()
        if any(isinstance(i, Obj | ModelRef) for i in listed(interp, value))
    }
    for maker in makers:
        for stmt in statements(maker.body):
            target = stmt.targets[0] if isinstance(stmt, ast.Assign) else None
            if isinstance(target, ast.Attribute) and target.attr in wanted:
                assert isinstance(stmt, ast.Assign)
                yield interp.spans.of(stmt.value)


def attributes(interp: Interpreter, index: int) -> list[dict[str, Value]]:
    """The attributes of each instance of a class."""
    found = interp.customs.get(index)
    return [interp.attributes.get(n, {}) for n in found.made] if found is not None else []


def listed(interp: Interpreter, value: Value) -> list[Value]:
    """The elements of a list or tuple."""
    content = interp.heap.get(value.id) if isinstance(value, ListRef) else None
    if isinstance(content, dict) or not isinstance(value, ListRef | Tuple):
        return []
    return interp.items(value) or []


def held(interp: Interpreter, index: int) -> set[int]:
    """The layers (by number) that torch finds in the attributes of an instance."""
    values = [v for stored in attributes(interp, index) for v in stored.values()]
    parts = [part for v in values for part in (v, *listed(interp, v))]
    return {part.id for part in parts if isinstance(part, Obj | ModelRef)}


def loose_weight(interp: Interpreter, makers: list[ast.FunctionDef]) -> Span | None:
    """A weight that is not bound to an attribute at once: torch would not train it."""
    bound = {
        id(s.value)
        for maker in makers
        for s in statements(maker.body)
        if isinstance(s, ast.Assign) and isinstance(s.targets[0], ast.Attribute)
    }
    inside = {id(n) for maker in makers for n in ast.walk(maker)}
    weights = [e.node for e in interp.events if e.kind == "weight" and id(e.node) in inside]
    return next((interp.spans.of(n) for n in weights if id(n) not in bound), None)


def losses(interp: Interpreter, spans: Spans, cls: ast.ClassDef) -> dict[tuple[Span, Span], None]:
    """The calls of ``add_loss`` in a class, and what they are given."""
    told = (e for e in interp.events if e.kind == "layer_loss")
    inside = ((spans.of(e.node), spans.of(e["value"])) for e in told)
    return {pair: None for pair in inside if pair[0] in spans.of(cls)}


def metrics(
    interp: Interpreter, spans: Spans, cls: ast.ClassDef
) -> dict[tuple[Span, Span, str], None]:
    """The calls of ``add_metric`` in a class, what they are given, and its name."""
    told = [e for e in interp.events if e.kind == "layer_metric"]
    inside = [(spans.of(e.node), spans.of(e["value"]), str(e["name"])) for e in told]
    return {one: None for one in inside if one[0] in spans.of(cls)}


def penalised(
    interp: Interpreter, spans: Spans, cls: ast.ClassDef
) -> dict[tuple[str, Value, Value], None]:
    """The weights of a class that have a regularizer or a constraint, by their attributes."""
    found: dict[tuple[str, Value, Value], None] = {}
    whole = spans.of(cls)
    for event in interp.events:
        if event.kind != "weight" or spans.of(event.node) not in whole:
            continue
        given = [event["args"].get(n, Arg(NONE)).value for n in ("regularizer", "constraint")]
        if given == [NONE, NONE]:
            continue
        target = getattr(event.stmt, "targets", [None])[0]
        name = target.attr if isinstance(target, ast.Attribute) else ""
        found[name, given[0], given[1]] = None
    return found
