"""Recurrent layers with states: given the first ones, handing back the last."""

from __future__ import annotations

import ast
from dataclasses import replace

from k2t.analyse import custom, graph, shape_terms, shapes
from k2t.analyse.interpreter import Interpreter
from k2t.analyse.state import Frame
from k2t.ir.values import NONE, Arg, Const, Obj, Shape, Tensor, Tuple, Value


def state_count(interp: Interpreter, layer: Obj) -> int:
    """How many states a layer has: an LSTM two, a Bidirectional twice those of its inside."""
    row = interp.table.rows["layers"][layer.row]
    inner = layer.args["layer"].value if row.get("shape") == "bidirectional" else None
    if isinstance(inner, Obj):
        return 2 * state_count(interp, inner)
    return int(row.get("states", 0))


def returns_state(layer: Obj) -> bool:
    """``return_state=True``, of the layer itself or of the one inside a Bidirectional."""
    inner = layer.args.get("layer")
    args = inner.value.args if inner is not None and isinstance(inner.value, Obj) else layer.args
    return args.get("return_state", Arg(NONE)).value == Const(True)


def apply(
    interp: Interpreter, layer: Obj, inputs: Value, given: Value, node: ast.Call, frame: Frame
) -> Value:
    """A recurrent layer on a tensor, with its first states, if they are given."""
    count = state_count(interp, layer)
    many = interp.items(inputs)
    if many is not None and given == NONE and interp.dialect != "keras3" and len(many) == count + 1:
        inputs, given = many[0], Tuple(tuple(many[1:]))  # ``lstm([x, h, c])`` of old
    states = [] if given == NONE else interp.items(given)
    states = [given] if states is None and count == 1 else states
    if states is None or len(states) not in (0, count):
        return interp.unsupported(f"{layer.row} called with these states", node, frame)
    tensors = [inputs, *states]
    if not all(isinstance(t, Tensor) for t in tensors):
        return graph.apply_to(interp, layer, interp.new_list(tuple(tensors)), node, frame)
    wires = [t for t in tensors if isinstance(t, Tensor)]
    if any(interp.graph[w.node].whole for w in wires):
        if (states or returns_state(layer)) and layer.row == "Bidirectional":
            return interp.unsupported(f"the states of {layer.row} in a class", node, frame)
        if states or returns_state(layer):
            return in_class(interp, layer, wires, node, frame)
        return graph.apply_to(interp, layer, inputs, node, frame)
    row = interp.table.rows["layers"][layer.row]
    before = interp.graph[wires[0].node].shape
    shape = shapes.result(row, layer, [before], interp.items)
    if not returns_state(layer):
        return graph.new_node(interp, layer, wires, shape, node, frame)
    whole = graph.new_node(interp, layer, wires, None, node, frame)
    outs = [shape, *[state_shape(layer)] * count]
    taken = [
        graph.new_node(interp, None, [whole], out, node, frame, f"[{number}]", (None,))
        for number, out in enumerate(outs)
    ]
    return Tuple(tuple(taken))


def in_class(
    interp: Interpreter, layer: Obj, wires: list[Tensor], node: ast.Call, frame: Frame
) -> Value:
    """Such a layer in a class of the script, whose code goes on with Keras's states."""
    layer = replace(layer, args={**layer.args, "states": Arg(Const(True))})
    row = interp.table.rows["layers"][layer.row]
    made = [interp.graph[w.node] for w in wires]
    shape = shapes.result(row, layer, [custom.without_batch(made[0])], interp.items)
    whole = graph.new_node(interp, layer, wires, graph.like(made, shape), node, frame)
    if not returns_state(layer):
        return whole
    state = graph.like(made, state_shape(layer))
    rest = [
        graph.new_node(interp, None, [whole], state, node, frame, f"[{number}]", (None,))
        for number in range(1, state_count(interp, layer) + 1)
    ]
    return Tuple((whole, *rest))


def state_shape(layer: Obj) -> Shape:
    inner = layer.args.get("layer")
    args = inner.value.args if inner is not None and isinstance(inner.value, Obj) else layer.args
    return (shape_terms.dim(args["units"].value),)
