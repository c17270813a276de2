"""Models used as layers: called on tensors, or added to a Sequential."""

from __future__ import annotations

import ast
from collections.abc import Sequence
from dataclasses import dataclass

from k2t.analyse import applications, arguments, graph, kept, layer_order, shapes
from k2t.analyse.inputs import input_shape, output_shape
from k2t.analyse.interpreter import Interpreter
from k2t.analyse.state import Frame, GraphNode, ModelState
from k2t.ir.values import (
    NONE,
    UNKNOWN,
    Arg,
    Array,
    Const,
    Instance,
    ModelRef,
    NameUse,
    Obj,
    Shape,
    Tensor,
    Tuple,
    Value,
)


@dataclass(frozen=True)
class Holder:
    """What holds a model: an expression, and the name it has inside the class that takes it."""

    text: str
    name: str


def holder_of(interp: Interpreter, frame: Frame, state: ModelState) -> Holder | None:
    """A variable that holds a model where a frame stands, or an attribute of the object there."""
    use = variable_of(frame, state.id, state.variable)
    if use is not None:
        return Holder(use.name, use.name)
    own = frame.lookup("self")
    stored = interp.attributes.get(own.id, {}) if isinstance(own, Instance) else {}
    names = [name for name, value in stored.items() if value == ModelRef(state.id)]
    return Holder(f"self.{names[0]}", names[0]) if names else None


def held(interp: Interpreter, by: str | ast.Attribute, value: Value) -> None:
    """A model remembers the variable or attribute that it was first bound to."""
    if isinstance(value, ModelRef) and value.id in interp.models:
        model = interp.models[value.id]
        model.variable = model.variable or (by if isinstance(by, str) else ast.unparse(by))


def variable_of(frame: Frame, model: int, wanted: str | None = None) -> NameUse | None:
    """The variable that holds a model where a frame stands, the one it was first bound to first."""
    inner: Frame | None = frame
    while inner is not None:
        names = [n for n, value in inner.names.items() if value == ModelRef(model)]
        if names:
            name = wanted if wanted in names else names[0]
            return NameUse(str(name), inner.id, inner.versions[str(name)])
        inner = inner.parent
    return None


def as_layer(interp: Interpreter, state: ModelState, node: ast.AST, frame: Frame) -> Obj | None:
    """A model as a layer; None where no variable holds it."""
    held = holder_of(interp, frame, state)
    if held is None:
        return None
    args = {
        "model": Arg(ModelRef(state.id)),
        "name": Arg(Const(held.name)),
        "holder": Arg(Const(held.text)),
    }
    if state.inference:
        args["inference"] = Arg(Const(True))
    shapes = output_shapes(interp, state)
    args["outputs"] = Arg(Const(len(shapes)))
    if len(shapes) == 1 and shapes[0] is not None:
        args["output"] = Arg(Tuple(tuple(NONE if d is None else d for d in shapes[0])))
    places = (n for n in ast.walk(node) if isinstance(n, ast.Name | ast.Attribute))
    place = interp.span(next((n for n in places if ast.unparse(n) == held.text), node))
    return Obj(state.id, "Model", args, place, interp.span(interp.stmt))


def apply(
    interp: Interpreter, state: ModelState, values: list[Value], node: ast.Call, frame: Frame
) -> Value:
    """``encoder(x)``: one tensor, or one for each output of the model.

    With ``training=False`` it is called in inference mode, whatever trains.
    """
    said = {k.arg: v for k, v in zip(node.keywords, values[len(node.args) :], strict=True)}
    training = said.pop("training", NONE)
    many = interp.items(values[0]) if values else None
    tensors = [v for v in (many if many is not None else values[:1]) if isinstance(v, Tensor)]
    if graph.unheeded(interp, training, tensors):
        interp.event("training_said", node, frame, what="a model")
        training = NONE
    inference = training == Const(False)
    known = training in (NONE, Const(False)) and not said and len(node.args) == 1
    if not known or state.inference is (not inference):
        state.broken = "it is called with several arguments, or in several ways"
        return interp.unsupported("a model called with keywords", node, frame)
    state.inference, inputs = inference, values[0]
    alone = state.network
    if alone is not None and variable_of(frame, state.id, state.variable) is None:
        del interp.models[state.id]
        return graph.apply_to(interp, alone, inputs, node, frame)
    if state.kind == "sequential" and state.called is None and tensors:
        state.called = interp.graph[tensors[0].node].shape
    layer = as_layer(interp, state, node.func, frame)
    count = max(len(state.inputs), 1)
    if layer is None or not tensors or len(tensors) != count or state.broken:
        return interp.unsupported("a model used as a layer", node, frame)
    shapes = output_shapes(interp, state)
    if state.output_kind == "dict":
        return interp.unsupported("a model with a dict of outputs used as a layer", node, frame)
    if state.output_kind == "one":
        return graph.new_node(interp, layer, tensors, shapes[0], node, frame)
    whole = graph.new_node(interp, layer, tensors, None, node, frame)
    taken = [
        graph.new_node(interp, None, [whole], shape, node, frame, f"[{number}]", (None,))
        for number, shape in enumerate(shapes)
    ]
    return Tuple(tuple(taken))


def output_shapes(interp: Interpreter, state: ModelState) -> list[Shape | None]:
    """The shapes that come out of a model that is complete."""
    if state.kind == "functional":
        return [interp.graph[i].shape for i in state.outputs]
    return [output_shape(interp, input_shape(interp, state, state.added), state.added)]


def add(
    interp: Interpreter, state: ModelState, part: ModelState, node: ast.AST, frame: Frame
) -> Obj | None:
    """A model put into a Sequential; None where that is not carried over."""
    if part.broken or len(part.inputs) > 1 or part.input_kind != "one" or part.output_kind != "one":
        return None
    if part.kind == "sequential" and part.called is None and state.added:
        before = input_shape(interp, state, state.added)
        part.called = output_shape(interp, before, state.added)
    alone = part.network
    if alone is not None and variable_of(frame, part.id, part.variable) is None:
        del interp.models[part.id]
        return alone
    if part.inference:
        return None
    part.inference = False
    return as_layer(interp, part, node, frame)


def layers_of(interp: Interpreter, state: ModelState) -> list[Obj]:
    """The layers of a model, each application of them."""
    if state.kind == "sequential":
        return [entry.layer for entry in state.added]
    reached: set[int] = set()
    stack = list(state.outputs)
    while stack:
        current = stack.pop()
        if current not in reached:
            reached.add(current)
            stack += () if current in state.inputs else interp.graph[current].inputs
    return [made for i in sorted(reached) if (made := interp.graph[i].layer) is not None]


def check_parts(interp: Interpreter, state: ModelState) -> None:
    """Where a model is made, its parts must be held by the variables they were called by."""
    for layer in layers_of(interp, state):
        if kept.stays(layer) and not kept.at_hand(layer, state):
            state.broken = f"{layer.row}, which stays in a variable, is not at hand"
        if layer.row != "Model":
            continue
        part = interp.models[layer.id]
        held = holder_of(interp, state.frame, part)
        name = str(layer.args["holder"].value.value)  # type: ignore[union-attr]
        if held is None or (held.text != name and state.frame.lookup(name) != ModelRef(part.id)):
            state.broken = f"the model {name} inside it is not at hand where it is made"


def check_shared(interp: Interpreter, state: ModelState) -> None:
    """Layers that an earlier model has are taken from it: it must be at hand."""
    owners: dict[int, tuple[int, str]] = {}
    if state.kind == "sequential":
        others = [m for m in interp.models.values() if m is not state]
        layer = state.added[-1].layer
        if not goes_alone(layer) and any(has_layer(interp, m, layer) for m in others):
            state.broken = "it shares layers with another model"
        return
    for layer in layers_of(interp, state):
        owner = next((m for m in interp.models.values() if has_layer(interp, m, layer)), state)
        if owner is state or goes_alone(layer):
            continue
        use = variable_of(state.frame, owner.id, owner.variable)
        if use is None:
            state.broken = "it shares layers with another model"
            return
        owners[layer.id] = (owner.id, use.name)
    state.owners = owners


def goes_alone(layer: Obj) -> bool:
    """Whether several models may have a layer: each is given it, or it is none."""
    return layer.row in ("Model", "Input") or kept.stays(layer)


def has_layer(interp: Interpreter, state: ModelState, layer: Obj) -> bool:
    return any(other.id == layer.id for other in layers_of(interp, state))


def member(interp: Interpreter, state: ModelState, attr: str, node: ast.Attribute) -> Value:
    """``model.input``, ``model.output`` and ``model.layers``, where they are certain."""
    if state.kind == "sequential" and attr != "layers":
        chain = tensors_of(interp, state)
        end = Tensor(chain[0 if attr.startswith("input") else -1]) if chain else UNKNOWN
        return Tuple((end,)) if chain and attr.endswith("s") else end
    ends = {"input": state.inputs, "output": state.outputs}.get(attr, ())
    if len(ends) == 1:
        return Tensor(ends[0])
    if attr in ("inputs", "outputs") and state.kind == "functional":
        return Tuple(tuple(Tensor(i) for i in getattr(state, attr)))
    network = state.network
    if network is not None and attr == "layers":  # torchvision's layers have other numbers
        inner = applications.inner_layers(interp, network)
        every = isinstance(interp.stmt, ast.For) and interp.stmt.iter is node
        every = every and all(map(sets_trainable, getattr(interp.stmt, "body", ())))
        return Tuple(inner or (network,)) if inner or every else UNKNOWN
    return Tuple(tuple(layer_list(interp, state))) if attr == "layers" else UNKNOWN


def sets_trainable(stmt: ast.stmt) -> bool:
    """Whether a statement sets ``trainable`` whatever the layer: then one stands for all."""
    match stmt:
        case ast.Assign(targets=[ast.Attribute(attr="trainable")], value=ast.Constant()):
            return True
    return False


def tensors_of(interp: Interpreter, state: ModelState) -> tuple[int, ...]:
    """The input of a Sequential and what comes out of each of its layers, as nodes of the graph;
    none where a layer makes more than one node."""
    layers = [entry for entry in state.added if entry.layer.row != "Input"]
    if len(state.tensors) == 1 + len(layers) or not state.added:
        return state.tensors
    rows = interp.table.rows["layers"]
    if any(entry.layer.row in ("Lambda", "Custom", "Model") for entry in layers) or state.broken:
        return ()
    shape = input_shape(interp, state, state.added)
    first, entry = state.added[0].layer, state.added[0]
    if first.row == "Input":
        made = [first.id]
    else:
        node = GraphNode(
            interp.fresh(), None, (), shape, entry.stmt, entry.frame, (), entry.versions
        )
        interp.graph[node.id] = node
        made = [node.id]
    for entry in layers:
        shape = shapes.result(rows[entry.layer.row], entry.layer, [shape], interp.items)
        node = GraphNode(
            interp.fresh(),
            entry.layer,
            (made[-1],),
            shape,
            entry.stmt,
            entry.frame,
            entry.iteration,
            entry.versions,
        )
        interp.graph[node.id] = node
        made.append(node.id)
    state.tensors = tuple(made)
    return state.tensors


def layer_list(interp: Interpreter, state: ModelState) -> list[Value]:
    """The layers by number; none where the numbers are not certain."""
    if state.kind == "sequential":
        return [e.layer for e in state.added if e.layer.row != "Input"]
    order = layer_order.in_order(interp, state)
    row = len({depth for depth, _ in order}) == len(order)
    found: list[Value] = []
    for _, layer in order:
        inner: Sequence[Value] = (layer,)
        if layer.row == applications.NETWORK:  # Keras has its layers among those of the model
            inner = applications.inner_layers(interp, layer)[1:] if row else ()
        if not inner:
            return []
        found.extend(inner)
    return found


def other_method(
    interp: Interpreter, state: ModelState, name: str, node: ast.Call, frame: Frame
) -> Value:
    """A method without a rule: an error, but where ``get_layer`` goes on to one that has."""
    values = arguments.evaluated(interp, node, frame)
    unknown = interp.unsupported(f"model.{name}", node, frame)
    return named_layer(interp, state, values[0]) if name == "get_layer" and values else unknown


def output_shape_of(interp: Interpreter, owner: ModelRef, node: ast.AST, frame: Frame) -> Value:
    """``model.output_shape`` of a functional model, if it is all numbers."""
    model = interp.models[owner.id]
    shape = interp.graph[model.outputs[0]].shape if len(model.outputs) == 1 else None
    path, sizes = "model.output_shape", [getattr(d, "value", None) for d in shape or (None,)]
    if None in sizes:
        return interp.unsupported(path, node, frame)
    interp.event("constant", node, frame, value=(None, *sizes), path=path)
    return Tuple((NONE, *map(Const, sizes)))


def predicted(interp: Interpreter, state: ModelState) -> Value:
    """What ``predict`` gives: an array, or a list of one for each output."""
    if state.output_kind == "list" and len(state.outputs) > 1:
        return interp.new_list((Array(None, "float32"),) * len(state.outputs))
    return Array(None, "float32")


def named_layer(interp: Interpreter, state: ModelState, name: Value) -> Value:
    """``model.get_layer("name")`` of a layer that the script named."""
    if state.network is not None:
        inner = applications.inner_layers(interp, state.network)
        return next((one for one in inner if one.args["name"].value == name), UNKNOWN)
    for layer in layers_of(interp, state):
        given = layer.args.get("name")
        if given is not None and given.value == name and layer.row != "Model":
            return layer
    return UNKNOWN


def layer_member(interp: Interpreter, layer: Obj, attr: str) -> Value:
    """``layer.output``, and ``layer.name`` where the script says it: both only to go on with."""
    if attr == "output" and layer.row == "Input":
        return Tensor(layer.id)
    if attr == "output":
        inside = layer.row == applications.INNER
        return UNKNOWN if inside and "last" not in layer.args else output_of(interp, layer)
    return layer.args["name"].value if "name" in layer.args and layer.row != "Model" else UNKNOWN


def output_of(interp: Interpreter, layer: Obj) -> Value:
    """``layer.output``: of several applications Keras 3 gives the first, older ones none."""
    for state in interp.models.values():
        if state.kind == "sequential" and has_layer(interp, state, layer):
            tensors_of(interp, state)
    made = [n.id for n in interp.graph.values() if n.layer is not None and n.layer.id == layer.id]
    first = len(made) == 1 or (made and interp.dialect == "keras3")
    return Tensor(min(made)) if first else UNKNOWN
