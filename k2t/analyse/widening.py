"""Loops that make layers of a class one after the other, each on what the one before gives."""

from __future__ import annotations

import ast
from dataclasses import dataclass

from k2t.analyse.interpreter import Interpreter
from k2t.ir.custom import Widening
from k2t.ir.nodes import Node
from k2t.ir.source import Span
from k2t.ir.values import Dim, Value, as_int
from k2t.parse.script import Spans


@dataclass(frozen=True)
class Loop:
    """A loop around the place of a layer; ``id`` as in ``Pass.node``.

    ``statement`` is the loop itself, where it is one.
    """

    id: int
    target: ast.expr
    source: ast.expr
    statement: ast.For | None = None

    @property
    def names(self) -> list[str]:
        """The variables, in order."""
        parts = self.target.elts if isinstance(self.target, ast.Tuple) else [self.target]
        return [n.id if isinstance(n, ast.Name) else "" for n in parts]

    @property
    def simple(self) -> bool:
        """Whether it goes over one variable's elements: ``for width in widths``."""
        return isinstance(self.target, ast.Name) and isinstance(
            self.source, ast.Name | ast.Attribute
        )


Rounds = dict[tuple[int, int], tuple[Value, Node]]


def loops_of(makers: list[ast.FunctionDef], spans: Spans) -> dict[Span, Loop]:
    """The innermost loop that each call stands in."""
    found: dict[Span, Loop] = {}
    for node in (n for maker in makers for n in ast.walk(maker)):
        match node:
            case ast.ListComp(
                elt=body, generators=[ast.comprehension(target=target, iter=source, ifs=[])]
            ):
                loop, inside = Loop(id(body), target, source), list[ast.AST]([body])
                if not loop.simple:
                    continue
            case ast.For(target=target, iter=source, orelse=[]):
                loop = Loop(id(node), target, source, node)
                inside = [n for s in node.body for n in ast.walk(s)]
            case _:
                continue
        found |= {spans.of(inner): loop for inner in inside if isinstance(inner, ast.Call)}
    return found


def width(node: Node) -> Dim:
    """The last axis of what a layer gets."""
    shape = node.in_shapes[0]
    return shape[-1] if shape else None


def written(size: Dim) -> tuple[int | None, str | None]:
    return as_int(size), size.expr.text if size is not None and size.expr is not None else None


def rounds_of(interp: Interpreter, loop: Loop, seen: list[Node]) -> Rounds:
    """By round, what the variable of a loop is and what the layer made in it gets."""
    return {
        (p.first, p.number): (p.item, n)
        for n in seen for p in interp.passes
        if p.node == loop.id and n.layer is not None and p.start < n.layer.id <= p.end
    }  # fmt: skip


def same_round(interp: Interpreter, loop: Loop | None, seen: list[Node]) -> str | None:
    """The variable of a loop that says how wide is what a layer made in the same round gets."""
    if loop is None or any(n.layer is None or not n.in_shapes[0] for n in seen):
        return None
    rounds = rounds_of(interp, loop, seen)
    every = {n.layer.id for n in seen if n.layer is not None}
    covered = {n.layer.id for _, n in rounds.values() if n.layer is not None} == every
    for place, name in enumerate(loop.names):
        pairs = [(variable(interp, item, place), as_int(width(n))) for item, n in rounds.values()]
        if covered and name and pairs and all(one == other is not None for one, other in pairs):
            return name
    return None


def variable(interp: Interpreter, item: Value, place: int) -> int | None:
    """A variable of a loop in a round."""
    items = interp.items(item)
    if items is None:
        return as_int(item)
    return as_int(items[place]) if place < len(items) else None


def widening(interp: Interpreter, loop: Loop | None, seen: list[Node]) -> Widening | None:
    """The loop around the place of a layer, if each round takes on what the one before gave."""
    if loop is None or any(n.layer is None or not n.in_shapes[0] for n in seen):
        return None
    rounds = rounds_of(interp, loop, seen)
    made = {n.layer.id for _, n in rounds.values() if n.layer is not None}
    starts = [n for (_, number), (_, n) in rounds.items() if number == 0]
    several = any(number for _, number in rounds)
    same = {written(width(n)) for n in starts}
    if not several or len(same) != 1 or made != {n.layer.id for n in seen if n.layer is not None}:
        return None
    for place, name in enumerate(loop.names):
        if name and all(follows(interp, rounds, key, place) for key in rounds):
            return described(interp, loop, name, width(starts[0]))
    return None


def follows(interp: Interpreter, rounds: Rounds, key: tuple[int, int], place: int) -> bool:
    """Whether what comes in is as wide as a variable was in the round before."""
    first, number = key
    if number == 0:
        return True
    before = rounds.get((first, number - 1))
    if before is None:
        return False
    value = variable(interp, before[0], place)
    return value is not None and as_int(width(rounds[key][1])) == value


def described(interp: Interpreter, loop: Loop, name: str, first: Dim) -> Widening:
    spans = interp.spans
    if loop.simple or loop.statement is None:
        return Widening(spans.of(loop.target), spans.of(loop.source), first)
    around, last = spans.of(loop.statement), spans.of(loop.statement.body[-1])
    return Widening(spans.of(loop.target), spans.of(loop.source), first, name, around, last)
