"""Tensors that are made of numbers: random ones, whole ones in a row, ones in the diagonal."""

from __future__ import annotations

import ast
from dataclasses import replace
from typing import TYPE_CHECKING

from k2t.analyse import custom, graph, operations, scored
from k2t.analyse.state import Frame
from k2t.ir.values import NONE, Arg, Const, Obj, Samples, Shape, Sym, Tensor, Tuple, Value, as_int
from k2t.table import Row

if TYPE_CHECKING:
    from k2t.analyse.interpreter import Interpreter


def drawn(interp: Interpreter, args: dict[str, Arg], frame: Frame) -> dict[str, Arg] | None:
    """The arguments of a draw with the tensor in them that has as many samples; None if none.

    ``like`` is the variable that holds the tensor.
    """
    shape = operations.settled(interp, args["shape"].value)
    if isinstance(shape, Sym) and shape.type == "shape":
        start = Tensor(scored.whole(interp, None, frame))
        return {
            **args,
            "shape": Arg(start, args["shape"].span),
            "size": Arg(Const("free")),
            "like": Arg(NONE),
        }
    items = shape.items if isinstance(shape, Tuple) else ()
    if not items or not isinstance(items[0], Samples):
        return None
    known = custom.without_batch(interp.graph[items[0].node])
    same = known is not None and items[1:] == known
    size = NONE if same else Tuple(items[1:])
    tensor = Tensor(items[0].node)
    names = [name for name, value in frame.names.items() if value == tensor]
    like = Const(names[0]) if names else NONE
    return {**args, "shape": Arg(tensor), "size": Arg(size), "like": Arg(like)}


def counted(
    interp: Interpreter, row: Row, args: dict[str, Arg], node: ast.Call, frame: Frame
) -> Value:
    """Whole numbers in a row, in a class of the script: on the device of a tensor at hand."""
    start, stop, step = (
        operations.settled(interp, args[n].value) for n in ("start", "stop", "step")
    )
    if stop == NONE:
        args = {**args, "start": Arg(Const(0)), "stop": args["start"]}
        start, stop = Const(0), start
    names = [n for n, value in frame.names.items() if operations.is_whole(interp, value)]
    ints = [v for v in (start, stop, step) if isinstance(v, Const | Sym)]
    plain = args["dtype"].value == NONE or operations.settled(interp, args["dtype"].value) == Const(
        "int32"
    )
    if not names or len(ints) < 3 or step != Const(1) or not plain:
        return interp.unsupported(row.keras[0], node, frame)
    one, two = as_int(start), as_int(stop)
    size = None if one is None or two is None else Const(two - one)
    args = {**args, "like": Arg(Const(names[0]))}
    return at_hand(interp, row, args, (size,), node, frame)


def unit_matrix(
    interp: Interpreter, row: Row, args: dict[str, Arg], node: ast.Call, frame: Frame
) -> Value:
    """Ones in the diagonal, on the device of a tensor at hand."""
    names = [n for n, value in frame.names.items() if operations.is_whole(interp, value)]
    size = operations.settled(interp, args["N"].value)
    if not names or not isinstance(size, Const | Sym):
        return interp.unsupported(row.keras[0], node, frame)
    args = {**args, "like": Arg(Const(names[0]))}
    return at_hand(interp, row, args, (size, size), node, frame)


def at_hand(
    interp: Interpreter, row: Row, args: dict[str, Arg], shape: Shape, node: ast.Call, frame: Frame
) -> Tensor:
    """A tensor that is made of numbers only, where others are."""
    operation = Obj(interp.fresh(), row.name, args, interp.span(node), interp.span(interp.stmt))
    interp.event("tensor_operation", node, frame, operation=operation, truths=set())
    made = graph.new_node(interp, None, [], shape, node, frame, operation=operation, pooled=True)
    interp.graph[made.node] = replace(interp.graph[made.node], pooled=False)  # it is no sum
    return made
