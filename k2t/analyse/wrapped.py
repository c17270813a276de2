"""Models that are classes of the script: the program trains a graph with one layer, the class."""

from __future__ import annotations

import ast
from typing import TYPE_CHECKING

from k2t.analyse import arguments, calls, custom, nesting
from k2t.analyse.inputs import fed_array, shape_value
from k2t.analyse.state import Event, Frame, GraphNode, ModelState, versions_of
from k2t.ir.values import NONE, UNKNOWN, Array, ModelRef, Obj, Shape, Tensor, Value

if TYPE_CHECKING:
    from k2t.analyse.interpreter import Interpreter


def is_model(interp: Interpreter, value: object) -> bool:
    """Whether a value is an instance of a class that extends ``keras.Model``."""
    return (
        isinstance(value, Obj)
        and value.row == "Custom"
        and interp.keras.base_of(custom.class_of(value)) == custom.MODEL
    )


def model_of(interp: Interpreter, layer: Obj) -> ModelState:
    """The model that an instance is, from its first ``compile`` or ``fit`` on."""
    if layer.id not in interp.wrapped:
        node, stmt, frame = interp.constructors[layer.id]
        state = ModelState(interp.fresh(), "functional", node, stmt, frame, own=layer)
        names = [n for n, value in frame.names.items() if value == layer]
        state.variable = names[0] if names else None
        definition = interp.definitions[custom.class_of(layer)][0]
        state.name = f"Lit{getattr(definition, 'name', '')}"
        interp.models[state.id] = state
        interp.wrapped[layer.id] = state.id
        interp.events.append(Event("model", node, stmt, frame.id, {"model": state.id}))
    return interp.models[interp.wrapped[layer.id]]


def called_on_data(interp: Interpreter, layer: Obj, node: ast.Call, frame: Frame) -> bool:
    """Whether a model is called on something else than tensors of a graph."""
    if not is_model(interp, layer) or len(node.args) != 1:
        return False
    value = calls.quiet(interp, node.args[0], frame)
    parts = interp.items(value) or [value]
    return not any(isinstance(part, Tensor) for part in parts)


def part(interp: Interpreter, node: ast.Call, frame: Frame) -> Value | None:
    """``autoencoder.encoder(x)``: what a model holds, called on an array; None: another call."""
    if not isinstance(node.func, ast.Attribute) or len(node.args) != 1 or node.keywords:
        return None
    owner = calls.quiet(interp, node.func.value, frame)
    if not is_model(interp, owner):
        return None
    assert isinstance(owner, Obj)
    held = interp.attributes.get(owner.id, {}).get(node.func.attr)
    value = interp.eval(node.args[0], frame)
    if not isinstance(held, Obj | ModelRef) or not isinstance(value, Array):
        return None
    interp.events[:] = [
        e for e in interp.events if e.kind != "unsupported" or e.node is not node.func
    ]
    told = {"x": value, "at": interp.span(node.args[0]), "part": node.func.attr}
    interp.event("part_call", node, frame, model=model_of(interp, owner).id, **told)
    return Array(None, "float32")


def build(interp: Interpreter, state: ModelState, node: ast.Call, frame: Frame) -> Value:
    """``model.build((None, 28, 28, 1))``: the shape of its data."""
    values = arguments.evaluated(interp, node, frame)
    shape = shape_value(interp, values[0]) if len(values) == 1 else None
    stmt = interp.stmt
    if shape is None or not (isinstance(stmt, ast.Expr) and stmt.value is node):
        return interp.unsupported("model.build", node, frame)
    if state.fed == UNKNOWN:
        state.fed = Array(shape, "float32")
    interp.event("drop", node, frame, path="model.build")
    return NONE


def complete(interp: Interpreter, state: ModelState) -> None:
    """The graph of such a model, once the shape of its data is known."""
    assert state.own is not None
    others = [m for m in interp.models.values() if m is not state]
    sharing = [m for m in others if nesting.has_layer(interp, m, state.own)]
    for model in (state, *sharing) if sharing else ():
        model.broken = "an instance of a class is a model itself and a layer of another one"
    if sharing:
        return
    array = fed_array(interp, state.fed)
    if array is None or array.shape is None:
        state.broken = "the shape of what it is fed is not known"
        return
    outer, interp.stmt = interp.stmt, state.stmt
    made = start(interp, array.shape[1:], state.stmt)
    result = custom.apply(interp, state.own, [Tensor(made)], {}, state.node, state.frame)
    interp.stmt = outer
    if not isinstance(result, Tensor):
        state.broken = "what its class makes of its data is not known"
        return
    state.inputs, state.outputs = (made,), (result.node,)
    state.input_keys = state.output_keys = (None,)


def start(interp: Interpreter, shape: Shape, stmt: ast.stmt) -> int:
    """The input: what the model is fed."""
    made = GraphNode(
        interp.fresh(), None, (), shape, stmt, 0, (), versions_of(interp.module), name="x"
    )
    interp.graph[made.id] = made
    return made.id
