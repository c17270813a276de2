"""Loops of the script: those that stack layers, and those around a whole model."""

from __future__ import annotations

import ast
from collections.abc import Set

from k2t.analyse.interpreter import Interpreter
from k2t.analyse.state import statements
from k2t.analyse.trace import Tangled
from k2t.ir.source import Span
from k2t.parse.script import Spans


def stored(node: ast.AST) -> set[str]:
    """The variables that a piece of code binds."""
    return {
        n.id for n in ast.walk(node) if isinstance(n, ast.Name) and isinstance(n.ctx, ast.Store)
    }


def read_outside(tree: ast.AST, stmt: ast.stmt) -> set[str]:
    """The variables read anywhere but in a statement."""
    inner = {id(n) for n in ast.walk(stmt)}
    return {
        n.id
        for n in ast.walk(tree)
        if isinstance(n, ast.Name) and isinstance(n.ctx, ast.Load) and id(n) not in inner
    }


def movable(interp: Interpreter, stmt: ast.For, consumed: Set[int]) -> bool:
    """Whether a loop does nothing but stack layers, so that it can move as a whole."""
    for inner in statements(stmt.body):
        if isinstance(inner, ast.Break | ast.Continue | ast.Try | ast.With | ast.While):
            return False
        if isinstance(inner, ast.If | ast.For) or id(inner) in consumed:
            continue
        if not isinstance(inner, ast.Assign | ast.AugAssign):
            return False
    return not stored(stmt) & read_outside(interp.tree, stmt)


def comprehension(stmt: ast.stmt, place: Span, spans: Spans) -> ast.comprehension | None:
    """The ``for`` of the comprehension in a statement that makes a layer in each round.

    Raises:
        Tangled: it makes more than that, or not in each round.
    """
    around = [
        n
        for n in ast.walk(stmt)
        if isinstance(n, ast.ListComp | ast.GeneratorExp) and place in spans.of(n)
    ]
    match around:
        case []:
            return None
        case [ast.ListComp() | ast.GeneratorExp() as one]:
            if (
                spans.of(one.elt) == place
                and len(one.generators) == 1
                and not one.generators[0].ifs
            ):
                return one.generators[0]
    raise Tangled


def round_names(interp: Interpreter, body: list[ast.stmt], made: ast.expr) -> frozenset[str]:
    """The variables of the loops around a constructor call, where nothing else binds them."""
    place = interp.spans.of(made)
    loops = [s for s in statements(body) if isinstance(s, ast.For) and place in interp.spans.of(s)]
    bound = [
        n.id
        for stmt in body
        for n in ast.walk(stmt)
        if isinstance(n, ast.Name) and isinstance(n.ctx, ast.Store)
    ]
    names = {name for loop in loops for name in stored(loop.target)}
    return frozenset(name for name in names if bound.count(name) == 1)


def targets(body: list[ast.stmt], consumed: Set[int]) -> frozenset[str]:
    """The variables of loops that move into a class: outside nothing binds them any more."""
    return frozenset(
        name
        for stmt in statements(body)
        if isinstance(stmt, ast.For) and id(stmt) in consumed
        for name in stored(stmt.target)
    )
