"""Layers that are classes of the script: made, built and called on tensors as Keras does it."""

from __future__ import annotations

import ast
from dataclasses import replace
from typing import TYPE_CHECKING

from k2t.analyse import added, arguments, calls, graph, nests
from k2t.analyse.state import Custom, Event, Frame, GraphNode, versions_of
from k2t.analyse.tails import tail_of, with_tail
from k2t.analyse.tensor_shapes import BATCH
from k2t.ir.values import (
    NONE,
    UNKNOWN,
    Arg,
    Bound,
    Class,
    Const,
    Dim,
    Expr,
    Instance,
    Obj,
    Shape,
    Sym,
    Tensor,
    Tuple,
    Unknown,
    Value,
    known,
)

if TYPE_CHECKING:
    from k2t.analyse.interpreter import Interpreter

MODEL = "keras.Model"
BASES = ("keras.layers.Layer", "keras.Layer", MODEL)
METHODS = ("add_weight", "add_variable", "add_loss", "add_metric")
"""Methods of Keras's that a layer calls on itself."""
EVENTS = ("layer_call", "layer_loss", "layer_metric", "weight", "asked", "in_place", "looked_up")
KEPT = (
    "operation",
    "constant",
    "unsupported",
    "static_if",
    "bad_argument",
    *EVENTS,
)
"""What is to be done about a class; what else its methods do to tensors stays in them."""
ONE = "{0}"
"""How a layer is called on one tensor (`nests.template`)."""
TRAINING = Sym(type="training")
"""The ``training`` of ``call``, which torch's modules know themselves."""
WEIGHT_ARGUMENTS = {
    "keras3": ["shape", "initializer", "dtype", "trainable", "autocast", "regularizer"],
    "keras2": ["name", "shape", "dtype", "initializer", "regularizer", "trainable"],
}


def owns(interp: Interpreter, callee: Value) -> bool:
    """Whether a call makes such a layer, or is one of Keras's methods on one."""
    match callee:
        case Class(index=index):
            return interp.keras.base_of(index) in BASES
        case Bound(receiver=Instance(keras_base=base) as layer, name=name):
            return base in BASES and name in METHODS and not calls.defines(interp, layer, name)
    return False


def state(interp: Interpreter, index: int) -> Custom:
    return interp.customs.setdefault(index, Custom(index))


def lineage(interp: Interpreter, index: int) -> list[int]:
    """A class and those of the script that it extends."""
    above = interp.keras.parents.get(index)
    return [index, *(lineage(interp, above) if above is not None else [])]


def refuse(interp: Interpreter, index: int, why: str, node: ast.AST) -> None:
    found = state(interp, index)
    found.problem = found.problem or (why, node)


def make(interp: Interpreter, cls: Class, node: ast.Call, frame: Frame) -> Obj:
    """An instance: its arguments as written by position (``@0``) or name (``@units``)."""
    values = interp.elements(node.args, frame)
    given = {
        f"@{i}": Arg(v, interp.span(n))
        for i, (v, n) in enumerate(zip(values, node.args, strict=False))
    }
    keywords: dict[str, Value] = {}
    own = parameters_of(interp, cls.index)
    for keyword in node.keywords:
        value = interp.written(keyword.value, frame)
        if keyword.arg is None:
            refuse(interp, cls.index, "it is made with **", node)
            continue
        keywords[keyword.arg] = value
        general = keyword.arg in arguments.BASE_ARGUMENTS and keyword.arg not in own
        key = keyword.arg if general else f"@{keyword.arg}"
        given[key] = Arg(value, interp.span(keyword.value))
    if any(isinstance(n, ast.Starred) for n in node.args):
        refuse(interp, cls.index, "it is made with *", node)
    instance = Instance(interp.fresh(), cls.index, interp.keras.base_of(cls.index))
    for above in lineage(interp, cls.index):
        state(interp, above).made.append(instance.id)
    events, guesses = len(interp.events), interp.guesses
    calls.call_method(interp, instance, "__init__", values, keywords)
    if interp.guesses > guesses:
        refuse(interp, cls.index, "conditions or loops of its __init__ are not known", node)
    settle(interp, events, cls.index)
    interp.constructors[instance.id] = (node, interp.stmt, frame)
    given["class"] = Arg(cls)
    stmt = interp.span(interp.stmt)
    return Obj(instance.id, "Custom", given, interp.span(node), stmt)


def parameters_of(interp: Interpreter, index: int) -> list[str]:
    """The names that ``__init__`` takes."""
    found = calls.method_of(interp, index, "__init__")
    if found is None:
        return []
    return [
        a.arg for a in (*found[0].args.posonlyargs, *found[0].args.args, *found[0].args.kwonlyargs)
    ]


def settle(interp: Interpreter, since: int, index: int) -> None:
    """Keep of the events of a method what is to be done about its class."""
    kept: list[Event] = []
    for event in interp.events[since:]:
        if event.kind == "layer" and event["obj"].row in ("Input", "InputLayer"):
            refuse(interp, index, "it makes an input", event.node)
        if event.kind == "model" and interp.models[event["model"]].kind == "sequential":
            interp.chains[event["model"]] = interp.models.pop(event["model"])
        elif event.kind in ("model", "fit", "compile", "add"):
            refuse(interp, index, "it makes a model", event.node)
        kind = "operation" if event.kind == "tensor_operation" else event.kind
        if kind in KEPT:
            kept.append(replace(event, kind=kind))
    interp.events[since:] = kept


def apply(
    interp: Interpreter,
    layer: Obj,
    values: list[Value],
    keywords: dict[str | None, Value],
    node: ast.AST,
    frame: Frame,
) -> Value:
    """What a layer of the script makes of tensors: its ``call``, followed on such tensors."""
    if "rnn" in layer.args:
        from k2t.analyse import cells

        return cells.apply(interp, layer, values, node, frame)
    index = class_of(layer)
    values = [v for v in values if not is_training(v)]
    rest = {
        k: v for k, v in keywords.items() if not (is_training(v) or (k == "mask" and v == NONE))
    }
    named = {k: v for k, v in rest.items() if k is not None}
    flat = [leaf for v in (*values, *named.values()) for leaf in nests.leaves(interp, v)]
    tensors = [v for v in flat if isinstance(v, Tensor)]
    name = getattr(interp.definitions[index][0], "name", "a layer")
    unknown = next((v for v in flat if isinstance(v, Unknown) and v.why is not None), None)
    if unknown is not None:
        state(interp, index).waiting = True
        return unknown
    odd = len(tensors) < len(flat) or len(named) < len(rest)
    if odd or not tensors or "time_distributed" in layer.args:
        return interp.unsupported(f"{name} called like this", node, frame)
    made = [interp.graph[t.node] for t in tensors]
    form = Arg(Const(nests.template(interp, values, named)))
    layer = replace(layer, args={**layer.args, "form": form})
    shapes = [without_batch(m) for m in made]
    result = followed(interp, layer, values, named, shapes, node)
    items = nests.tensors(interp, result)
    if not items:
        refuse(interp, index, "what its call gives is not known", node)
        return interp.unsupported(f"{name} on these tensors", node, frame)
    mine = [without_batch(interp.graph[i.node]) for i in items]
    outs = [outside(interp, index, shape, shapes[0]) for shape in mine]
    if (ending := tail_of(interp, result)) is not None:
        interp.tails[layer.id] = ending
    layer = with_tail(interp, layer)
    if any(o is None for o in outs):
        refuse(interp, index, "the shape of what its call gives is not known", node)
    if isinstance(result, Tensor):
        return graph.new_node(interp, layer, tensors, graph.like(made, outs[0]), node, frame)
    places = nests.paths(interp, result)
    if any(m.whole for m in made):  # in a class, whose code goes on with what it gives
        first = graph.new_node(interp, layer, tensors, graph.like(made, outs[0]), node, frame)
        others = [graph.like(made, shape) for shape in outs[1:]]
        more = [
            graph.new_node(interp, None, [first], shape, node, frame, place, (None,))
            for place, shape in zip(places[1:], others, strict=True)
        ]
        return nests.rearranged(interp, result, iter((first, *more)))
    if any(place.count("[") > 1 for place in places):
        return interp.unsupported(f"{name}, which gives lists in a list,", node, frame)
    layer = replace(layer, args={**layer.args, "outputs": Arg(Const(len(outs)))})
    whole = graph.new_node(interp, layer, tensors, None, node, frame)
    parts = [
        graph.new_node(interp, None, [whole], shape, node, frame, place, (None,))
        for place, shape in zip(places, outs, strict=True)
    ]
    return nests.rearranged(interp, result, iter(parts))


def title(interp: Interpreter, value: Value) -> str:
    """What something is called in a message."""
    if isinstance(value, Obj) and value.row == "Custom":
        return str(getattr(interp.definitions[class_of(value)][0], "name", "a layer"))
    return str(getattr(value, "row", "object"))


def class_of(layer: Obj) -> int:
    cls = layer.args["class"].value
    assert isinstance(cls, Class)
    return cls.index


def is_training(value: Value) -> bool:
    return isinstance(value, Sym) and value.type == "training"


def either(interp: Interpreter, one: Value, other: Value) -> Value | None:
    """A tensor inside a class that depends on the phase: of it only the shape matters."""
    if not isinstance(one, Tensor) or not isinstance(other, Tensor):
        return None
    made = [interp.graph[v.node] for v in (one, other)]
    return one if made[0].whole and made[1].whole and made[0].shape == made[1].shape else None


def without_batch(made: GraphNode) -> Shape | None:
    """The shape of a tensor without its batch axis."""
    if not made.whole or made.shape is None:
        return made.shape
    return made.shape[1:] if made.shape[:1] == (BATCH,) else None


def followed(
    interp: Interpreter,
    layer: Obj,
    values: list[Value],
    named: dict[str, Value],
    shapes: list[Shape | None],
    node: ast.AST,
) -> Value:
    """What ``call`` gives on tensors of these shapes, after ``build``."""
    index = class_of(layer)
    found = state(interp, index)
    for cls in lineage(interp, index):
        state(interp, cls).called = True
    instance = Instance(layer.id, index, interp.keras.base_of(index))
    form = nests.template(interp, values, named)
    cell = "rnn" in layer.args  # it is built with a step, and gets its states by their names
    entries = [entry(interp, index, s) if form == ONE else bare(s) for s in shapes]
    entries = [entry(interp, index, shapes[0]), *shapes[1:]] if cell else entries
    events, guesses = len(interp.events), interp.guesses
    invocations = len(interp.invocations)
    if layer.id not in found.built:
        found.built.add(layer.id)
        build(interp, instance, ONE if cell else form, entries[:1] if cell else entries, node)
    starts = [start(interp, shape) for shape in entries]
    interp.starts |= {tensor.node: place for place, tensor in enumerate(starts)}
    supply = iter(starts)
    given = [nests.rearranged(interp, value, supply) for value in values]
    extra = {name: nests.rearranged(interp, value, supply) for name, value in named.items()}
    called = calls.method_of(interp, index, "call")
    names = {a.arg for a in ast.walk(called[0].args) if isinstance(a, ast.arg)} if called else set()
    extra |= {"training": TRAINING} if "training" in names else {}
    result = calls.call_method(interp, instance, "call", given, extra)
    found.results |= {t.node for t in nests.leaves(interp, result) if isinstance(t, Tensor)}
    for event in interp.events[events:]:
        if event.kind == "unsupported" and not event.hypothetical:
            refuse(interp, index, interp.table.left(str(event["what"])), event.node)
    if interp.guesses > guesses:
        refuse(interp, index, "conditions or loops of its methods are not known", node)
    settle(interp, events, index)
    del interp.invocations[invocations:]
    return result


def build(
    interp: Interpreter, instance: Instance, form: str, shapes: list[Shape | None], node: ast.AST
) -> None:
    """``build`` with the shape of the input; of several in a list, a list of them."""
    if calls.method_of(interp, instance.cls, "build") is None:
        return
    listed = ", ".join(f"{{{n}}}" for n in range(len(shapes)))
    if any(s is None for s in shapes) or form not in (ONE, f"[{listed}]"):
        refuse(interp, instance.cls, "the shapes that its build gets are not known", node)
        return
    full = [
        Tuple((NONE, *(d if d is not None else NONE for d in s))) for s in shapes if s is not None
    ]
    given: Value = full[0] if form == ONE else Tuple(tuple(full))
    calls.call_method(interp, instance, "build", [given])


def shape_name(interp: Interpreter, index: int) -> str:
    """How ``build`` calls the shape of the input."""
    found = calls.method_of(interp, index, "build")
    names = [a.arg for a in found[0].args.args[1:]] if found is not None else []
    return names[0] if names else "input_shape"


def entry(interp: Interpreter, index: int, shape: Shape | None) -> Shape | None:
    """The shape of an input as the class sees it: its last axis by name."""
    plain = bare(shape)
    if not plain or not isinstance(plain[-1], Const):
        return plain
    text = f"{shape_name(interp, index)}[-1]"
    return (*plain[:-1], Const(plain[-1].value, Expr(text)))


def outside(
    interp: Interpreter, index: int, shape: Shape | None, given: Shape | None
) -> Shape | None:
    """The shape of a result where the class is used: sizes by the names that they have there."""
    plain = bare(shape)
    last = shape[-1] if shape else None
    named = isinstance(last, Const) and last.expr is not None and last.expr.text
    if plain and given and named == f"{shape_name(interp, index)}[-1]":
        return (*plain[:-1], given[-1])
    return plain


def bare(shape: Shape | None) -> Shape | None:
    """Sizes without the names they have elsewhere."""
    return tuple(map(plain_size, shape)) if shape is not None else None


def plain_size(size: Dim) -> Dim:
    return Const(size.value) if isinstance(size, Const) else None


def start(interp: Interpreter, shape: Shape | None) -> Tensor:
    """A tensor that nothing of a model makes, with its batch axis."""
    full = (BATCH, *shape) if shape is not None else None
    made = GraphNode(
        interp.fresh(), None, (), full, interp.stmt, 0, (), versions_of(interp.module), whole=True
    )
    interp.graph[made.id] = made
    return Tensor(made.id)


def traced(interp: Interpreter, layer: Obj, shape: Shape | None, stmt: ast.stmt) -> Shape | None:
    """The shape that a layer of the script in a Sequential gives."""
    outer, interp.stmt = interp.stmt, stmt
    made = GraphNode(interp.fresh(), None, (), shape, stmt, 0, (), versions_of(interp.module))
    interp.graph[made.id] = made
    result = apply(interp, layer, [Tensor(made.id)], {}, stmt, interp.module)
    interp.stmt = outer
    return interp.graph[result.node].shape if isinstance(result, Tensor) else None


def method(interp: Interpreter, layer: Instance, name: str, node: ast.Call, frame: Frame) -> Value:
    """``self.add_weight(...)``: a tensor."""
    if name == "add_loss" or (name == "add_metric" and interp.dialect != "keras3"):
        return added.in_layer(interp, layer, name, node, frame)
    if name != "add_weight":
        refuse(interp, layer.cls, f"it calls {name}", node)
        return UNKNOWN
    order = WEIGHT_ARGUMENTS["keras3" if interp.dialect == "keras3" else "keras2"]
    args = arguments.given(interp, node, frame, order, {})
    interp.event("weight", node, frame, args=args)
    shape = args.get("shape", Arg(Tuple(()))).value
    items = interp.items(shape)
    if items is None and known(shape, int):
        items = [shape]
    sizes = [i if isinstance(i, Const) and isinstance(i.value, int) else None for i in items or ()]
    if (items is None or None in sizes) and not interp.hypothetical:
        refuse(interp, layer.cls, "the shape of a weight is not known", node)
        return UNKNOWN
    made = GraphNode(
        interp.fresh(),
        None,
        (),
        tuple(sizes),
        interp.stmt,
        frame.id,
        (),
        versions_of(frame),
        whole=True,
    )
    interp.graph[made.id] = made
    return Tensor(made.id)
