"""Loops that make layers of a class one after the other, each on what the one before gives."""

from __future__ import annotations

import ast
from dataclasses import dataclass

from k2t.analyse.interpreter import Interpreter
from k2t.ir.custom import Widening
from k2t.ir.nodes import Node
from k2t.ir.source import Span
from k2t.ir.values import Const, Dim, as_int
from k2t.parse.script import Spans


@dataclass(frozen=True)
class Loop:
    """``for target in source`` around the place of a layer; ``id`` as in ``Pass.node``."""

    id: int
    target: ast.Name
    source: ast.expr


def loops_of(makers: list[ast.FunctionDef], spans: Spans) -> dict[Span, Loop]:
    """The loop over a variable's elements that each expression stands in."""
    found: dict[Span, Loop] = {}
    for node in (n for maker in makers for n in ast.walk(maker)):
        match node:
            case ast.ListComp(
                elt=body,
                generators=[ast.comprehension(target=ast.Name() as target, iter=source, ifs=[])],
            ):
                inside: list[ast.AST] = [body]
                key = id(body)
            case ast.For(target=ast.Name() as target, iter=source, orelse=[]):
                inside, key = [n for s in node.body for n in ast.walk(s)], id(node)
            case _:
                continue
        if isinstance(source, ast.Name | ast.Attribute):
            for inner in inside:
                if isinstance(inner, ast.Call):
                    found[spans.of(inner)] = Loop(key, target, source)
    return found


def width(node: Node) -> Dim:
    """The last axis of what a layer gets."""
    shape = node.in_shapes[0]
    return shape[-1] if shape else None


def written(size: Dim) -> tuple[int | None, str | None]:
    return as_int(size), size.expr.text if size is not None and size.expr is not None else None


def widening(interp: Interpreter, loop: Loop | None, seen: list[Node]) -> Widening | None:
    """The loop around the place of a layer, if each round takes on what the one before gave."""
    if loop is None or any(n.layer is None or not n.in_shapes[0] for n in seen):
        return None
    rounds = {
        (p.first, p.number): (p.item, n)
        for n in seen for p in interp.passes
        if p.node == loop.id and n.layer is not None and p.start < n.layer.id <= p.end
    }  # fmt: skip
    follow = all(
        number == 0
        or (
            (before := rounds.get((first, number - 1))) is not None
            and as_int(before[0]) is not None
            and width(node) == Const(as_int(before[0]))
        )
        for (first, number), (_, node) in rounds.items()
    )
    starts = {written(width(n)) for (_, number), (_, n) in rounds.items() if number == 0}
    if not follow or len(starts) != 1 or all(number == 0 for _, number in rounds):
        return None
    first = next(width(n) for (_, number), (_, n) in rounds.items() if number == 0)
    return Widening(interp.spans.of(loop.target), interp.spans.of(loop.source), first)
