"""Sequentials that a class of the script makes for itself: they stay inside it."""

from __future__ import annotations

import ast
from typing import TYPE_CHECKING

from k2t.analyse import custom, graph, shapes
from k2t.analyse.state import Frame, ModelState
from k2t.ir.values import UNKNOWN, Arg, ModelRef, Obj, Shape, Tensor, Value

if TYPE_CHECKING:
    from k2t.analyse.interpreter import Interpreter


def apply(
    interp: Interpreter, state: ModelState, values: list[Value], node: ast.Call, frame: Frame
) -> Value:
    """A Sequential that a class made, called on a tensor: its layers one after the other."""
    values = [v for v in values if not custom.is_training(v)]
    given = values[0] if len(values) == 1 else UNKNOWN
    if not isinstance(given, Tensor) or state.broken or not interp.graph[given.node].whole:
        return interp.unsupported("a Sequential called like this", node, frame)
    shape = custom.without_batch(interp.graph[given.node])
    body: list[tuple[Obj, Shape | None, Shape | None]] = []
    for entry in state.added:
        layer = entry.layer
        if layer.row in ("Input", "Lambda", "Model") or shape is None:
            return interp.unsupported(f"{layer.row} in a Sequential of a class", node, frame)
        out = (
            custom.traced(interp, layer, shape, entry.stmt)
            if layer.row == "Custom"
            else shapes.result(interp.table.rows["layers"][layer.row], layer, [shape], interp.items)
        )
        body.append((layer, shape, out))
        shape = out
    span = interp.span(state.node)
    args = {"chain": Arg(ModelRef(state.id))}
    made = Obj(state.id, "Chain", args, span, interp.span(state.stmt))
    whole = graph.like([interp.graph[given.node]], shape)
    result = graph.new_node(interp, made, [given], whole, node, frame)
    interp.bodies[result.node] = body
    return result
