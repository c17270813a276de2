"""Models and the graphs of layers they are made of, as the calls in a script build them."""

from __future__ import annotations

import ast
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from k2t.analyse import (
    arguments,
    attention,
    custom,
    kept,
    lambdas,
    nesting,
    operations,
    recurrent,
    shapes,
)
from k2t.analyse.inputs import shape_value
from k2t.analyse.interpreter import Interpreter
from k2t.analyse.state import Added, Frame, GraphNode, ModelState, versions_of
from k2t.analyse.tensor_shapes import BATCH, of_any_rank
from k2t.ir.values import (
    NONE,
    UNKNOWN,
    Arg,
    Array,
    Const,
    ListRef,
    ModelRef,
    Obj,
    Shape,
    Sym,
    Tensor,
    Unknown,
    Value,
    known,
)
from k2t.table import Row

NO_ROW: dict[str, str] = {}


def new_model(interp: Interpreter, path: str, node: ast.Call, frame: Frame) -> Value:
    sequential = path == "keras.Sequential"
    positional = ["layers", "name"] if sequential else ["inputs", "outputs", "name"]
    args = arguments.given(
        interp, node, frame, positional, {"input": "inputs", "output": "outputs"}
    )
    model = ModelState(
        interp.fresh(), "sequential" if sequential else "functional", node, interp.stmt, frame
    )
    interp.models[model.id] = model
    name = args.get("name", Arg(NONE)).value
    model.name = str(name.value) if known(name, str) else None  # type: ignore[union-attr]
    interp.event("model", node, frame, model=model.id)
    if sequential:
        content = args.get("layers", Arg(NONE)).value
        layers = interp.items(content)
        if content != NONE and layers is None:
            model.broken = "the list of layers is not known"
        for layer in layers or []:
            add(interp, model, layer, node, frame)
    else:
        connect(interp, model, args)
    return ModelRef(model.id)


def connect(interp: Interpreter, model: ModelState, args: dict[str, Arg]) -> None:
    """Record the inputs and outputs of a functional model."""
    for end in ("inputs", "outputs"):
        value = args.get(end, Arg(NONE)).value
        kind, values = "one", [value]
        keys: list[str] = []
        content = interp.heap[value.id] if isinstance(value, ListRef) else None
        if isinstance(content, dict):
            kind, values, keys = "dict", list(content.values()), [str(k) for k in content]
        elif interp.items(value) is not None:
            kind, values = "list", interp.items(value) or []
        inner = [interp.items(v) for v in values]
        if end == "inputs" and len(values) == 1 and inner[0] is not None:
            values = inner[0]  # [model.inputs] of a model with one input
        ids = tuple(v.node for v in values if isinstance(v, Tensor))
        if len(ids) != len(values):
            why = next((v.why for v in values if isinstance(v, Unknown) and v.why), None)
            left = f": {interp.table.left(why)}" if why else ""
            model.broken = f"its {end} are not known{left}"
            continue
        named: tuple[str | None, ...] = tuple(keys)
        named = named or tuple(end_name(interp.graph[i]) for i in ids)
        if end == "inputs":
            kind = "one" if kind == "list" and len(ids) == 1 else kind  # an array alone is fed
            model.inputs, model.input_kind, model.input_keys = ids, kind, named
        else:
            model.outputs, model.output_kind, model.output_keys = ids, kind, named
            layers = [end_name(interp.graph[i]) for i in ids]
            if kind == "dict" and interp.dialect != "keras3" and layers != keys:
                model.broken = "outputs in a dict have other keys than names of layers"
    nesting.check_parts(interp, model)
    nesting.check_shared(interp, model)


def end_name(made: GraphNode) -> str | None:
    """The name of an input, or of the layer that makes an output, if the script gives it one."""
    if made.layer is None:
        return made.name
    value = made.layer.args.get("name", Arg(NONE)).value
    return str(value.value) if known(value, str) else None  # type: ignore[union-attr]


def new_input(interp: Interpreter, node: ast.Call, frame: Frame) -> Value:
    positional = ["shape", "batch_size", "dtype", "sparse", "batch_shape", "name"]
    legacy = {"input_shape": "shape", "batch_input_shape": "batch_shape"}
    args = arguments.given(interp, node, frame, positional, legacy)
    shape = shape_value(interp, args.get("shape", Arg(NONE)).value)
    batch = shape_value(interp, args.get("batch_shape", Arg(NONE)).value)
    if shape is None and batch is not None:
        shape = batch[1:]
    name = args.get("name", Arg(NONE)).value
    dtype = args.get("dtype", Arg(NONE)).value
    node_ = GraphNode(
        interp.fresh(),
        None,
        (),
        shape,
        interp.stmt,
        frame.id,
        interp.iteration,
        versions_of(frame),
        name=str(name.value) if known(name, str) else None,  # type: ignore[union-attr]
        dtype=str(dtype.value) if known(dtype, str) else None,  # type: ignore[union-attr]
    )
    interp.graph[node_.id] = node_
    interp.event("apply", node, frame, tensor=node_.id)
    return Tensor(node_.id)


def add(interp: Interpreter, model: ModelState, layer: Value, node: ast.AST, frame: Frame) -> None:
    if isinstance(layer, Tensor) and not interp.graph[layer.node].inputs:
        layer = Obj(layer.node, "Input", {}, interp.span(node), interp.span(interp.stmt))
    if isinstance(layer, ModelRef):
        part = nesting.add(interp, model, interp.models[layer.id], node, frame)
        if part is None:
            model.broken = "a model is used as a layer in a way that is not known"
            return
        layer = part
    if isinstance(layer, Obj) and kept.stays(layer):
        tensors = layer.row in interp.table.rows["layers"]
        inside = Unknown(kept.inside(layer))
        layer = kept_layer(interp, layer, node, frame) if tensors else inside
    if isinstance(layer, Obj) and interp.table.rows["layers"].get(layer.row, NO_ROW).get("cell"):
        model.broken = f"{layer.row} among its layers"
        return
    if not isinstance(layer, Obj):
        why = layer.why if isinstance(layer, Unknown) else None
        model.broken = interp.table.left(why) if why else "a layer of it is not known"
        return
    model.added = (
        *model.added,
        Added(
            layer,
            interp.stmt,
            frame.id,
            interp.iteration,
            versions_of(frame),
            hypothetical=bool(interp.hypothetical),
        ),
    )
    nesting.check_parts(interp, model)
    nesting.check_shared(interp, model)
    if interp.hypothetical:
        interp.ghosts.append((model.id, model.added))


def functional_layer(interp: Interpreter, row: Row, node: ast.Call, frame: Frame) -> Value:
    """``keras.layers.add([a, b])``: a layer made and applied at once."""
    if not node.args:
        return interp.unsupported(row.keras[0], node, frame)
    inputs = interp.eval(node.args[0], frame)
    rest = ast.Call(node.func, node.args[1:], node.keywords)
    args = arguments.bind_row(interp, row, ast.copy_location(rest, node), frame)
    layer = Obj(interp.fresh(), row.name, args, interp.span(node), interp.span(interp.stmt))
    return apply_to(interp, layer, inputs, node, frame)


def apply(interp: Interpreter, layer: Obj, node: ast.Call, frame: Frame) -> Value:
    """A layer called on tensors."""
    if interp.table.rows["layers"].get(layer.row) is None:
        on = arguments.evaluated(interp, node, frame)
        if kept.stays(layer) and len(on) == 1:
            return kept.applied(interp, layer, on[0], node, frame)
        return interp.unsupported(f"a call of {layer.row}", node, frame)
    values = interp.elements(node.args, frame)
    keywords = {k.arg: interp.eval(k.value, frame) for k in node.keywords}
    if interp.table.rows["layers"][layer.row].get("cell"):
        return interp.unsupported(f"{layer.row} called by itself", node, frame)
    if layer.row == "Custom":
        return custom.apply(interp, layer, values, keywords, node, frame)
    if layer.row in attention.ROWS:
        if not custom.is_training(keywords.get("training", NONE)):
            layer = in_phase(interp, layer, keywords, values)
        keywords.pop("training", None)
        return attention.apply(interp, layer, values, keywords, node, frame)
    if layer.row == "Flatten" and isinstance(node.func, ast.Call) and len(values) == 1:
        made = interp.graph[values[0].node] if isinstance(values[0], Tensor) else None
        if made is not None and made.whole:  # made and called at once in a loss, it is an operation
            args = {"x": Arg(values[0], interp.span(node.args[0]))}
            row = interp.table.rows["ops"]["flatten"]
            return operations.applied(interp, row, args, node, frame, layer.row)
    keywords = {k: v for k, v in keywords.items() if not custom.is_training(v)}
    many = interp.items(values[0]) if values else None
    tensors = [v for v in many or values[:1] if isinstance(v, Tensor)]
    if unheeded(interp, keywords.get("training", NONE), tensors):
        del keywords["training"]
        interp.event("training_said", node, frame, what=layer.row)
    layer = in_phase(interp, layer, keywords, tensors)
    if layer.row == "BatchNormalization" and in_two_phases(interp, layer):
        return interp.unsupported("BatchNormalization called in two phases", node, frame)
    inputs = values[0] if values else UNKNOWN
    keeps_states = recurrent.state_count(interp, layer) > 0
    carried = {"initial_state"} if keeps_states else set()
    if set(keywords) - carried or len(values) + len(keywords) > 1 + len(carried):
        what = [k for k in keywords if k not in carried] or "two arguments"
        return interp.unsupported(f"{layer.row} called with {what}", node, frame)
    if keeps_states:
        given = keywords.get("initial_state", values[1] if len(values) > 1 else NONE)
        return recurrent.apply(interp, layer, inputs, given, node, frame)
    return apply_to(interp, layer, inputs, node, frame)


def in_phase(
    interp: Interpreter, layer: Obj, keywords: dict[str | None, Value], inputs: Sequence[Value]
) -> Obj:
    """A layer that is told its phase by a call, ``layer(x, training=True)``."""
    said = keywords.get("training", NONE)
    if said not in (Const(True), Const(False)):
        return layer
    del keywords["training"]
    tensors = [t for t in inputs if isinstance(t, Tensor)]
    if unheeded(interp, said, tensors):
        return layer
    return replace(layer, args={**layer.args, "training": Arg(said)})


def in_two_phases(interp: Interpreter, layer: Obj) -> bool:
    """Whether a layer was called before, and told another phase."""
    before = (n.layer for n in interp.graph.values() if n.layer is not None)
    told = layer.args.get("training")
    return any(one.id == layer.id and one.args.get("training") != told for one in before)


def unheeded(interp: Interpreter, training: Value, inputs: list[Tensor]) -> bool:
    """Whether ``training=`` of a call comes to nothing: in a functional model of Keras 3, which
    hands its own to every layer; in a class of the script (tensors with their batch) it counts."""
    functional = inputs and not any(interp.graph[t.node].whole for t in inputs)
    return training != NONE and interp.dialect == "keras3" and bool(functional)


def apply_to(interp: Interpreter, layer: Obj, inputs: Value, node: ast.AST, frame: Frame) -> Value:
    many = interp.items(inputs)
    tensors = [t for t in (many if many is not None else [inputs]) if isinstance(t, Tensor)]
    why = inputs.why if isinstance(inputs, Unknown) else None
    if kept.stays(layer):
        if not tensors and why is None:
            return kept.applied(interp, layer, inputs, node, frame)
        held = kept_layer(interp, layer, node, frame)
        if not isinstance(held, Obj):
            return held
        layer = held
    if not tensors or (many is not None and len(tensors) != len(many)):
        if isinstance(inputs, Array):
            return interp.unsupported(f"{layer.row} called on an array", node, frame)
        return Unknown(why or f"{layer.row} called on something unknown")
    if layer.row == "Lambda":
        return lambdas.apply(interp, layer, inputs, node, frame)
    row = interp.table.rows["layers"][layer.row]
    made = [interp.graph[t.node] for t in tensors]
    shape = shapes.result(row, layer, [custom.without_batch(m) for m in made], interp.items)
    return new_node(interp, layer, tensors, like(made, shape), node, frame)


def kept_layer(interp: Interpreter, layer: Obj, node: ast.AST, frame: Frame) -> Obj | Unknown:
    """A layer that stays in the script, as it is where a model takes it."""
    held = kept.held(interp, layer, node, frame)
    return held or interp.unsupported(f"{layer.row}, which no variable holds here,", node, frame)


def like(inputs: list[GraphNode], shape: Shape | None) -> Shape | None:
    """The shape of what is made of tensors: with its batch where theirs have one."""
    return (BATCH, *shape) if shape is not None and any(m.whole for m in inputs) else shape


def new_node(
    interp: Interpreter,
    layer: Obj | None,
    inputs: list[Tensor],
    shape: Shape | None,
    node: ast.AST,
    frame: Frame,
    operator: str | None = None,
    other: tuple[Any, ...] = (),
    operation: Obj | None = None,
    pooled: bool = False,
) -> Tensor:
    made = GraphNode(
        interp.fresh(),
        layer,
        tuple(t.node for t in inputs),
        shape,
        interp.stmt,
        frame.id,
        interp.iteration,
        versions_of(frame),
        operator=operator,
        other=other,
        operation=operation,
        whole=pooled or any(interp.graph[t.node].whole for t in inputs),
        pooled=pooled or any(interp.graph[t.node].pooled for t in inputs),
    )
    interp.graph[made.id] = made
    interp.event("apply", node, frame, tensor=made.id)
    if layer is not None and made.whole:
        interp.event("layer_call", node, frame, made=made)
    return Tensor(made.id)


def full_shape(made: GraphNode) -> Shape | None:
    """The shape of a tensor with its batch axis."""
    return made.shape if made.whole or made.shape is None else (BATCH, *made.shape)


def tensor_operator(
    interp: Interpreter, op: ast.AST, left: Value, right: Value | None, node: ast.AST, frame: Frame
) -> Value:
    symbols: dict[type[ast.AST], str] = {
        ast.Add: " + ",
        ast.Sub: " - ",
        ast.Mult: " * ",
        ast.Div: " / ",
        ast.USub: "-",
    }
    symbol = symbols.get(type(op))
    values = [v for v in (left, right) if v is not None]
    tensors = [v for v in values if isinstance(v, Tensor)]
    scalars = [v for v in values if isinstance(v, Const | Sym)]
    if symbol is None:
        return operations.operator(interp, op, values, node, frame)
    if len(tensors) + len(scalars) != len(values):
        return interp.unsupported(f"{type(op).__name__} on a Keras tensor", node, frame)
    ins = [interp.graph[t.node].shape for t in tensors]
    if any(interp.graph[t.node].whole for t in tensors):
        ins = [full_shape(interp.graph[t.node]) for t in tensors]
        return new_node(interp, None, tensors, of_any_rank(ins), node, frame, operator=symbol)
    if len({len(s) for s in ins if s is not None}) > 1:
        return interp.unsupported("arithmetic of tensors of different ranks", node, frame)
    shape = shapes.merge({}, ins, interp.items)
    other = tuple(None if isinstance(v, Tensor) else v for v in values)
    return new_node(interp, None, tensors, shape, node, frame, operator=symbol, other=other)
