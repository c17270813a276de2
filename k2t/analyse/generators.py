"""ImageDataGenerator: an object that stays in the script, and the batches that flow out of it."""

from __future__ import annotations

import ast

from k2t.analyse import arguments
from k2t.analyse.interpreter import Interpreter
from k2t.analyse.state import Frame
from k2t.ir.values import FLOW, NONE, UNKNOWN, Arg, Array, Const, Obj, Tuple, Value, Yields

GENERATOR = "ImageDataGenerator"
FLOW_ARGUMENTS = (
    "x y batch_size shuffle sample_weight seed save_to_dir save_prefix save_format "
    "ignore_class_split subset"
)
EVENTS = ("generator", "generator_fit", "flow")
FIT_ARGUMENTS = "x augment rounds seed"


def stays(value: Value) -> bool:
    """Whether a value is a generator of images, or the batches of one."""
    return isinstance(value, Obj) and value.row in (GENERATOR, FLOW)


def flow_of(value: Value) -> Obj | None:
    return value if isinstance(value, Obj) and value.row == FLOW else None


def call(interp: Interpreter, owner: Obj, name: str, node: ast.Call, frame: Frame) -> Value:
    """A method of a generator."""
    if name == "fit":
        args = arguments.given(interp, node, frame, FIT_ARGUMENTS.split(), {})
        forget(interp, node.func)
        interp.event("generator_fit", node, frame, args=args, made=owner.span)
        return NONE
    if name == "flow":
        args = arguments.given(interp, node, frame, FLOW_ARGUMENTS.split(), {})
        forget(interp, node.func)
        interp.event("flow", node, frame, args=args, made=owner.span)
        return Obj(interp.fresh(), FLOW, args, interp.span(node), interp.span(interp.stmt))
    arguments.evaluated(interp, node, frame)
    return interp.unsupported(f"{GENERATOR}.{name}", node, frame)


def feed(interp: Interpreter, args: dict[str, Arg], node: ast.Call) -> None:
    """What a model is given by batches that flow: their arrays and their size."""
    flow = flow_of(args["x"].value) if "x" in args else None
    if flow is not None:
        size = flow.args.get("batch_size", Arg(Const(32)))
        args["batch_size"] = Arg(size.value)
        if "y" in flow.args:
            args["y"] = Arg(flow.args["y"].value)
    batch = batch_of(args["x"].value) if "x" in args else None
    if batch is not None:
        args["batch_size"] = Arg(UNKNOWN)
        args["y"] = Arg(batch[1])
    given = {arg.span for arg in args.values() if flow_of(arg.value) is not None}
    for child in ast.walk(node):
        if isinstance(child, ast.Name) and interp.span(child) in given:
            interp.loads.pop(id(child), None)


def batch_of(value: Value) -> list[Value] | None:
    """Inputs and targets of a batch that a generator function yields, in which the rows vary."""
    if not isinstance(value, Yields) or not isinstance(value.item, Tuple):
        return None
    items = value.item.items
    return [varied(item) for item in items] if len(items) == 2 else None


def varied(value: Value) -> Value:
    if isinstance(value, Array) and value.shape:
        return Array((None, *value.shape[1:]), value.dtype)
    return value


def fed(value: Value) -> Value:
    """The array a model is fed with."""
    batch = batch_of(value)
    if batch is not None:
        return batch[0]
    flow = flow_of(value)
    return flow.args["x"].value if flow is not None and "x" in flow.args else value


def forget(interp: Interpreter, func: ast.expr) -> None:
    """The variable of the generator stays as it is where a method of it is called."""
    if isinstance(func, ast.Attribute):
        interp.loads.pop(id(func.value), None)
