"""What a script asks of a tensor: its shape, its number of axes, its type."""

from __future__ import annotations

import ast
from typing import TYPE_CHECKING

from k2t.analyse import operations, scorers, weights
from k2t.analyse.state import Frame
from k2t.analyse.tensor_shapes import BATCH
from k2t.ir.values import (
    NONE,
    UNKNOWN,
    Arg,
    Bound,
    Const,
    Expr,
    Obj,
    Samples,
    Shape,
    Sym,
    Tensor,
    Tuple,
    Value,
)

if TYPE_CHECKING:
    from k2t.analyse.interpreter import Interpreter

SHAPES = ("keras.backend.int_shape", "keras.ops.shape")
SIZES = ("keras.ops.size", "tensorflow.size")
DYNAMIC = ("keras.backend.shape", "keras.ops.shape", "tensorflow.shape")
"""Of these, and of those whose batch axis is a tensor or a number when the model runs."""


def call(interp: Interpreter, path: str, node: ast.Call, frame: Frame) -> Value | None:
    """``int_shape(x)`` and ``ndim(x)`` of a tensor; None where it is something else."""
    ranks = ("keras.backend.ndim", "keras.ops.ndim", "tensorflow.rank")
    if path in SIZES and len(node.args) == 1:
        value = interp.eval(node.args[0], frame)
        if isinstance(value, Tensor) and interp.graph[value.node].whole:
            interp.event("asked", node, frame, x=node.args[0], way="{x}.numel()")
            return Sym(type="int")
    if path not in (*SHAPES, *DYNAMIC, *ranks) or len(node.args) != 1:
        return None
    value = interp.eval(node.args[0], frame)
    shape = interp.graph[value.node].shape if isinstance(value, Tensor) else None
    if not isinstance(value, Tensor) or shape is None:
        return None
    if interp.graph[value.node].whole:
        way = "{x}.dim()" if path in ranks else "{x}.shape"
        interp.event("asked", node, frame, x=node.args[0], way=way)
        axis: Value = Samples(value.node) if path in DYNAMIC else NONE
        sizes = tuple(axis if d == BATCH else d or UNKNOWN for d in shape)
        return Const(len(shape)) if path in ranks else Tuple(sizes)
    if path in ranks:
        return Const(len(shape) + 1)
    if path in SHAPES and frame is interp.module:
        return told_shape(interp, shape, path, node, frame)
    batch = Samples(value.node) if path in DYNAMIC else NONE
    return Tuple((batch, *(d if d is not None else UNKNOWN for d in shape)))


def method(interp: Interpreter, owner: Value, name: str, node: ast.Call, frame: Frame) -> Value:
    """``x.get_shape()``; other methods of what is Keras's are not understood."""
    if name == "get_shape" and isinstance(owner, Tensor) and isinstance(node.func, ast.Attribute):
        if not interp.graph[owner.node].whole:
            return shape_of(interp, owner, node, frame)
        interp.event("asked", node, frame, x=node.func.value, way="{x}.shape")
        return whole(interp, owner, "shape", node)
    for value in (*node.args, *(k.value for k in node.keywords)):
        interp.eval(value, frame)
    return interp.unsupported(f"{type(owner).__name__.lower()}.{name}", node, frame)


def knows(layer: Obj, name: str) -> bool:
    """Whether a layer has a method of that name that is followed."""
    return weights.known(layer, name) or (name == "compute_mask" and layer.row == "Embedding")


def of_layer(interp: Interpreter, layer: Obj, name: str, node: ast.Call, frame: Frame) -> Value:
    """A method of a layer; ``compute_mask`` of an Embedding is a comparison."""
    if name != "compute_mask":
        return weights.call(interp, layer, name, node, frame)
    ids = interp.elements(node.args, frame)
    if len(ids) != 1 or node.keywords or not isinstance(ids[0], Tensor):
        return interp.unsupported(f"{layer.row}.compute_mask", node, frame)
    if layer.args.get("mask_zero", Arg(NONE)).value != Const(True):
        return interp.unsupported("compute_mask of an Embedding without a mask", node, frame)
    given = {"x1": Arg(ids[0], interp.span(node.args[0])), "x2": Arg(Const(0))}
    row = interp.table.rows["ops"]["not_equal"]
    return operations.applied(interp, row, given, node, frame, name)


def as_list(interp: Interpreter, shape: Tuple, node: ast.Call, frame: Frame) -> Value:
    """``x.shape.as_list()``, in a class or loss where the shape stays."""
    if shape.items[:1] == (BATCH,) and isinstance(node.func, ast.Attribute):
        interp.event("asked", node, frame, x=node.func.value, way="list({x})")
    return shape


def member(interp: Interpreter, owner: Tensor, attr: str, node: ast.AST, frame: Frame) -> Value:
    """An attribute of a tensor."""
    if attr in (*scorers.ASSIGNS, "get_shape"):
        return Bound(owner, attr)
    if interp.graph[owner.node].whole and attr in ("shape", "dtype"):
        return whole(interp, owner, attr, node)
    if attr == "shape":
        return shape_of(interp, owner, node, frame)
    return interp.unsupported(f"tensor.{attr}", node, frame)


def shape_of(interp: Interpreter, owner: Tensor, node: ast.AST, frame: Frame) -> Value:
    """``x.shape`` of a tensor of a model; in functions the rounds may differ."""
    shape = interp.graph[owner.node].shape
    if shape is None:
        return UNKNOWN
    if frame is interp.module:
        return told_shape(interp, shape, "shape", node, frame)
    return Tuple((NONE, *(d if d is not None else UNKNOWN for d in shape)))


def told_shape(interp: Interpreter, shape: Shape, path: str, node: ast.AST, frame: Frame) -> Value:
    """A shape without its batch, which stays in the script where all of it is known."""
    numbers = [d.value if isinstance(d, Const) else None for d in shape]
    if None not in numbers:
        interp.event("constant", node, frame, value=(None, *numbers), path=path)
    return Tuple((NONE, *(d if d is not None else UNKNOWN for d in shape)))


def whole(interp: Interpreter, owner: Tensor, attr: str, node: ast.AST) -> Value:
    """``y_true.dtype`` and ``y_pred.shape`` in a loss or metric: torch has both as well."""
    if attr == "dtype":
        return Sym(Expr(interp.source.slice(interp.span(node))), "dtype")
    shape = interp.graph[owner.node].shape
    return Tuple(tuple(d or Sym() for d in shape)) if shape is not None else Sym()
