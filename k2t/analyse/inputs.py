"""The input shape of a Sequential: declared by its first layer, or that of the data it is fed."""

from __future__ import annotations

from collections.abc import Sequence

from k2t.analyse import custom, kept, shape_terms, shapes
from k2t.analyse.interpreter import Interpreter
from k2t.analyse.scope import ClassScope
from k2t.analyse.sequences import batch
from k2t.analyse.state import Added, ModelState, versions_of
from k2t.ir.nodes import Node
from k2t.ir.values import NONE, Array, Const, Instance, Obj, Shape, Value, known


def input_shape(interp: Interpreter, model: ModelState, added: Sequence[Added]) -> Shape | None:
    if not added:
        return None
    first = added[0].layer
    if first.row == "Input":
        return interp.graph[first.id].shape
    given = part_shape(interp, first) if first.row == "Model" else declared_shape(interp, first)
    if given is not None:
        return given
    if model.called is not None:
        return model.called
    if kept.stays(first) and (learnt := kept.learnt_from(interp, first)) is not None:
        return learnt
    array = fed_array(interp, model.fed)
    return array.shape[1:] if array is not None and array.shape is not None else None


def output_shape(interp: Interpreter, shape: Shape | None, added: Sequence[Added]) -> Shape | None:
    """What a chain of layers makes of an input of a shape."""
    rows = interp.table.rows["layers"]
    for entry in added:
        if entry.layer.row == "Custom":
            shape = custom.traced(interp, entry.layer, shape, entry.stmt)
        elif entry.layer.row != "Input":
            row = rows[entry.layer.row]
            shape = shapes.result(row, entry.layer, [shape], interp.items)
    return shape


def part_shape(interp: Interpreter, layer: Obj) -> Shape | None:
    """The input shape of a model that stands first in another."""
    part = interp.models[layer.id]
    if part.kind == "functional":
        return interp.graph[part.inputs[0]].shape
    return input_shape(interp, part, part.added)


def declared_shape(interp: Interpreter, layer: Obj) -> Shape | None:
    """``input_shape=``, ``batch_input_shape=``, ``input_dim=`` or ``input_length=``."""
    args = layer.args
    if "input_shape" in args:
        return shape_value(interp, args["input_shape"].value)
    for name in ("batch_input_shape", "batch_shape"):
        if name in args:
            shape: Shape | None = shape_value(interp, args[name].value)
            return shape[1:] if shape else None
    length = args.get("input_length")
    if layer.row == "Embedding":
        return (shape_terms.dim(length.value),) if length else None
    if "input_dim" in args:
        width = shape_terms.dim(args["input_dim"].value)
        return (shape_terms.dim(length.value), width) if length else (width,)
    return None


def shape_value(interp: Interpreter, value: Value) -> Shape | None:
    items = interp.items(value)
    if items is None:
        return (value,) if known(value, int) else None  # type: ignore[return-value]
    dims = list(map(shape_terms.dim, items))
    return tuple(None if d == NONE else d for d in dims)


def fed_array(interp: Interpreter, fed: Value) -> Array | None:
    if isinstance(fed, Array):
        return fed
    if isinstance(fed, Instance):
        items = batch(interp, fed)
        if items and isinstance(items[0], Array):
            return items[0]
    return None


def sequential_input(interp: Interpreter, scope: ClassScope, first: ModelState) -> Node:
    """What a Sequential is given, as a node of its class."""
    added = first.added
    shape = input_shape(interp, first, added)
    dtype = None
    if added and added[0].layer.row == "Input":
        dtype = interp.graph[added[0].layer.id].dtype
    elif added and "dtype" in added[0].layer.args:
        given = added[0].layer.args["dtype"].value
        dtype = str(given.value) if isinstance(given, Const) else None
    shape = scope.clean_shape(shape, versions_of(interp.module))
    return Node(-1, None, (), (), shape, interp.spans.of(first.stmt), ("x",), dtype=dtype)
