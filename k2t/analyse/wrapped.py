"""Models that are classes of the script: the program trains a graph with one layer, the class."""

from __future__ import annotations

import ast
from typing import TYPE_CHECKING

from k2t.analyse import arguments, calls, custom, nesting, nests
from k2t.analyse.inputs import fed_array, shape_value
from k2t.analyse.state import Event, Frame, GraphNode, ModelState, versions_of
from k2t.ir.values import NONE, UNKNOWN, Array, ModelRef, Obj, Tensor, Tuple, Value

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
    kind, keys, arrays = fed(interp, state)
    if not arrays:
        state.broken = "the shape of what it is fed is not known"
        return
    names = keys or unpacked(interp, state.own, len(arrays))
    outer, interp.stmt = interp.stmt, state.stmt
    starts = [start(interp, a, state.stmt, n) for a, n in zip(arrays, names, strict=True)]
    tensors: list[Value] = [Tensor(made) for made in starts]
    if kind == "dict":
        tensors = [interp.new_list(dict(zip(keys, tensors, strict=True)), "dict")]
    elif kind == "list":
        tensors = [Tuple(tuple(tensors))]
    result = custom.apply(interp, state.own, tensors, {}, state.node, state.frame)
    interp.stmt = outer
    outs = [result] if isinstance(result, Tensor) else interp.items(result) or []
    ends = tuple(value.node for value in outs if isinstance(value, Tensor))
    if not ends or len(ends) < len(outs):
        state.broken = "what its class makes of its data is not known"
        return
    state.inputs, state.outputs = tuple(starts), ends
    state.input_kind = kind
    state.input_keys = tuple(keys) or (None,) * len(starts)
    state.output_kind = "one" if isinstance(result, Tensor) else "list"
    numbered = len(ends) > 1 and interp.dialect != "keras3"
    state.output_keys = tuple(f"output_{n + 1}" if numbered else None for n in range(len(ends)))


NOTHING: tuple[str, list[str], list[Array]] = ("one", [], [])


def fed(interp: Interpreter, state: ModelState) -> tuple[str, list[str], list[Array]]:
    """What a model is fed: one array, a list of them or a dict; no arrays where it is not known."""
    inner = nests.parts(interp, state.fed)
    if inner is None:
        array = fed_array(interp, state.fed)
        return ("one", [], [array]) if array is not None and array.shape is not None else NOTHING
    keys = [key for key in inner if isinstance(key, str)]
    arrays = [v for v in inner.values() if isinstance(v, Array) and v.shape is not None]
    known = len(arrays) == len(inner)
    return ("dict" if keys else "list", keys, arrays) if known else NOTHING


def unpacked(interp: Interpreter, own: Obj, count: int) -> list[str]:
    """How ``call`` names what it is fed: ``source, target = inputs``."""
    found = calls.method_of(interp, custom.class_of(own), "call")
    parameters = [a.arg for a in found[0].args.args[1:2]] if found is not None else []
    for stmt in found[0].body if found is not None and count > 1 else ():
        match stmt:
            case ast.Assign(targets=[ast.Tuple(elts=parts)], value=ast.Name(id=name)) if [
                name
            ] == parameters and len(parts) == count:
                names = [part.id for part in parts if isinstance(part, ast.Name)]
                if len(names) == count:
                    return names
    return ["x"] if count == 1 else [f"x{n}" for n in range(1, count + 1)]


def start(interp: Interpreter, array: Array, stmt: ast.stmt, name: str) -> int:
    """An input: what the model is fed."""
    assert array.shape is not None
    made = GraphNode(
        interp.fresh(),
        None,
        (),
        array.shape[1:],
        stmt,
        0,
        (),
        versions_of(interp.module),
        name=name,
    )
    interp.graph[made.id] = made
    return made.id
