"""Tensor operations in functions that make layers, as their author wrote them."""

from __future__ import annotations

import ast
from dataclasses import replace
from typing import TYPE_CHECKING

from k2t.analyse.state import GraphNode
from k2t.analyse.trace import Tangled, Trace, joined
from k2t.ir.structure import Computed

if TYPE_CHECKING:
    from k2t.analyse.structure import Reader


def computes(trace: Trace, node: ast.expr) -> bool:
    """Whether an expression is a tensor operation."""
    seen = trace.seen(node)
    return bool(seen) and all(made.operation is not None for made in seen)


def computed(reader: Reader, node: ast.expr) -> Computed:
    """The operation, with the expressions of the tensors it is done on.

    Raises:
        Tangled: some of its tensors are not written in it.
    """
    seen = reader.trace.seen(node)
    nodes = tuple(reader.local.node(made, ()) for made in seen)
    outs = joined([one.shape for one in nodes])
    inputs = tuple(reader.flow(one) for one in operands(reader, node, seen[0]))
    if any(len(inputs) != len(made.inputs) for made in seen):
        raise Tangled("an operation on tensors that are made elsewhere")
    return Computed(inputs, tuple(replace(one, shape=outs) for one in nodes))


def operands(reader: Reader, node: ast.expr, made: GraphNode) -> list[ast.expr]:
    """The tensors of an operation where they are written, in the order it has them."""
    match node:
        case ast.BinOp(left=left, right=right) | ast.Compare(left=left, comparators=[right]):
            return [one for one in (left, right) if reader.touches(one)]
        case ast.UnaryOp(operand=one) | ast.Subscript(value=one):
            return [one]
    assert made.operation is not None
    places = {reader.interp.spans.of(n): n for n in ast.walk(node) if isinstance(n, ast.expr)}
    found: list[ast.expr] = []
    for arg in made.operation.args.values():
        if not reader.trace.tensors(arg.value) or arg.span is None:
            continue
        one = places[arg.span]
        found += one.elts if isinstance(one, ast.List | ast.Tuple) else [one]
    return found
