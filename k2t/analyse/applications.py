"""Networks of ``keras.applications``: a model of one layer, which is torchvision's network."""

from __future__ import annotations

import ast
from typing import TYPE_CHECKING

from k2t.analyse import arguments, graph
from k2t.analyse.state import Frame, GraphNode, ModelState, versions_of
from k2t.ir.values import (
    NONE,
    UNKNOWN,
    Arg,
    Array,
    Const,
    ModelRef,
    Obj,
    Sym,
    Tensor,
    Unknown,
    Value,
)
from k2t.table import Row

if TYPE_CHECKING:
    from k2t.analyse.interpreter import Interpreter

NETWORK = "Application"
INNER = "ApplicationLayer"


def call(interp: Interpreter, row: Row, path: str, node: ast.Call, frame: Frame) -> Value:
    """A network, or what prepares images for one; refused where it cannot be carried over."""
    if "mode" in row.data:
        return preprocessed(interp, row, node, frame)
    args = arguments.bind_row(interp, row, node, frame)
    problem = refused(row, args)
    if problem is not None:
        interp.event("application", node, frame, row=row.name, problem=problem)
        return Unknown(path)
    state = ModelState(interp.fresh(), "functional", node, interp.stmt, frame)
    given = args["input_tensor"].value
    image = given if isinstance(given, Tensor) else new_image(interp, args, frame)
    named = args["name"].value
    made = {
        "network": Arg(Const(row.name)),
        "weights": args["weights"],
        "pooling": args["pooling"],
        "top": Arg(Const(args["include_top"].value == Const(True))),
        "classes": args["classes"],
        "windows": Arg(Const(row.data["windows"])),
        "channels": Arg(Const(row.data["channels"])),
        "scaled": Arg(
            Const(
                "include_preprocessing" not in args
                or args["include_preprocessing"].value == Const(True)
            )
        ),
        "input_shape": args["input_shape"],
        "name": Arg(named if named != NONE else Const(row.data["torchvision"])),
    }
    place = interp.span(node)
    stmt = interp.span(interp.stmt)
    layer = Obj(interp.fresh(), NETWORK, made, place, stmt)
    out = graph.apply_to(interp, layer, image, node, frame)
    if made["top"].value == Const(True):
        tail = Obj(
            interp.fresh(), "Activation", {"activation": args["classifier_activation"]}, place, stmt
        )
        out = graph.apply_to(interp, tail, out, node, frame)
    else:
        state.network = layer
    assert isinstance(out, Tensor)
    state.inputs, state.outputs = (image.node,), (out.node,)
    state.input_keys, state.output_keys = (None,), (None,)
    interp.models[state.id] = state
    interp.event("model", node, frame, model=state.id)
    return ModelRef(state.id)


def inner_layers(interp: Interpreter, network: Obj) -> tuple[Obj, ...]:
    """Keras's layers of a network, where it is known which of torchvision's they are. They have the
    number of the network, whose weights they have."""
    name, top = network.args["network"].value, network.args["top"].value
    assert isinstance(name, Const)
    names = str(interp.table.rows["applications"][str(name.value)].get("layers", "")).split()
    if not names or top == Const(True):
        return ()
    if network.args["pooling"].value != NONE:
        names.append("pooling")
    given = [{"name": Arg(Const(n.split("=")[0]))} for n in names]
    given[-1]["last"] = Arg(Const(True))
    return tuple(Obj(network.id, INNER, args, network.span, network.stmt) for args in given)


def refused(row: Row, args: dict[str, Arg]) -> str | None:
    """Why a network is not carried over; None where it is."""
    if "windows" not in row.data:
        return ""
    known = {p.name for p in row.params}
    for name, arg in args.items():
        if name not in known:
            return f"it has no argument {name!r}"
        plain = {"alpha": 1, "minimalistic": False}.get(name)
        if plain is not None and arg.value != Const(plain):
            return f"{name} other than Keras's default: torchvision has no such network"
    if args["include_top"].value not in (Const(False), Const(True)):
        return "whether it has its classifier is not known"
    if args["include_top"].value == Const(True) and not isinstance(
        args["classes"].value, Const | Sym
    ):
        return "the number of its classes is not known"
    if args["weights"].value not in (NONE, Const("imagenet")):
        return "weights from a file are Keras's: torchvision's network cannot read them"
    if args["pooling"].value not in (NONE, Const("avg"), Const("max")):
        return "its pooling is not known"
    if args["input_tensor"].value != NONE and not isinstance(args["input_tensor"].value, Tensor):
        return "its input_tensor is not known"
    return None


def new_image(interp: Interpreter, args: dict[str, Arg], frame: Frame) -> Tensor:
    """The input that a network makes for itself: images of the size that is given, of any else."""
    from k2t.analyse.inputs import shape_value

    shape = shape_value(interp, args["input_shape"].value) or (None, None, Const(3))
    made = GraphNode(
        interp.fresh(), None, (), shape, interp.stmt, frame.id, interp.iteration, versions_of(frame)
    )
    interp.graph[made.id] = made
    return Tensor(made.id)


def preprocessed(interp: Interpreter, row: Row, node: ast.Call, frame: Frame) -> Value:
    """``preprocess_input(x)``, of an array or of a tensor of the graph."""
    args = arguments.bind_row(interp, row, node, frame)
    x = args["x"].value if "x" in args else UNKNOWN
    if isinstance(x, Tensor):
        made = {"mode": Arg(Const(row.data["mode"]))}
        layer = Obj(interp.fresh(), "Preprocess", made, interp.span(node), interp.span(interp.stmt))
        return graph.apply_to(interp, layer, x, node, frame)
    interp.event("util", node, frame, row="preprocess_input", args=args, mode=row.data["mode"])
    return Array(x.shape if isinstance(x, Array) else None, "float32")
