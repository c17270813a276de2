"""Tensors that are made of numbers: random ones, whole ones in a row, ones in the diagonal."""

from __future__ import annotations

import ast
from dataclasses import replace
from typing import TYPE_CHECKING

from k2t.analyse import arrays, custom, graph, operations, scored
from k2t.analyse.state import Frame
from k2t.analyse.tensor_shapes import BATCH
from k2t.ir.values import (
    NONE,
    Arg,
    Const,
    Dim,
    Obj,
    Samples,
    Shape,
    Sym,
    Tensor,
    Tuple,
    Value,
    as_int,
)
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
    if isinstance(shape, Const | Sym):
        items = (shape,)
    if not items or not isinstance(items[0], Samples):
        return apart(interp, args, items, frame)
    known = custom.without_batch(interp.graph[items[0].node])
    same = known is not None and items[1:] == known
    size = NONE if same else Tuple(items[1:])
    tensor = Tensor(items[0].node)
    names = [name for name, value in frame.names.items() if value == tensor]
    like = Const(names[0]) if names else NONE
    return {**args, "shape": Arg(tensor), "size": Arg(size), "like": Arg(like)}


def at_hand_name(interp: Interpreter, frame: Frame) -> str | None:
    """A variable of a class or loss that holds a tensor, for its device."""
    names = [n for n, value in frame.names.items() if operations.is_whole(interp, value)]
    return names[0] if names else None


def apart(
    interp: Interpreter, args: dict[str, Arg], items: tuple[Value, ...], frame: Frame
) -> dict[str, Arg] | None:
    """The arguments of a draw whose sizes are no tensor's, in a class: where tensors are."""
    name = at_hand_name(interp, frame)
    sizes = all(isinstance(i, Const | Sym) for i in items)
    if name is None or not items or not sizes:
        return None
    tensor = frame.names[name]
    size = Arg(Tuple(items), args["shape"].span)
    like = {"shape": Arg(tensor), "like": Arg(Const(name)), "apart": Arg(Const(True))}
    return {**args, **like, "size": size}


def constant(
    interp: Interpreter, row: Row, args: dict[str, Arg], node: ast.Call, frame: Frame
) -> Value:
    """A number in a tensor is that number; several are a tensor, in a class."""
    value = operations.settled(interp, args["value"].value)
    if isinstance(value, Tensor):
        return operations.applied(interp, interp.table.rows["ops"]["identity"],
                                  {"x": args["value"]}, node, frame, row.keras[0])  # fmt: skip
    if args["shape"].value != NONE:
        return interp.unsupported(row.keras[0], node, frame)
    if isinstance(value, Const | Sym) and not isinstance(getattr(value, "value", 0), str):
        operations.noted(interp, row, args, node, frame)
        return Const(value.value) if isinstance(value, Const) else Sym()
    name, shape = at_hand_name(interp, frame), sizes_of(interp, value)
    if name is None or shape is None:
        return interp.unsupported(row.keras[0], node, frame)
    args = {**args, "like": Arg(Const(name))}
    return at_hand(interp, row, args, shape, node, frame)


def sizes_of(interp: Interpreter, value: Value) -> Shape | None:
    """The shape of numbers in lists; None where they are not of one length."""
    items = interp.items(value)
    if items is None:
        return () if isinstance(value, Const | Sym) else None
    inner = [sizes_of(interp, i) for i in items]
    if not inner or inner[0] is None or any(i != inner[0] for i in inner):
        return None
    return (Const(len(inner)), *inner[0])


def numbers(
    interp: Interpreter, row: Row, args: dict[str, Arg], node: ast.Call, frame: Frame
) -> Value:
    """Evenly spaced numbers and the like, in a class."""
    given = {n: operations.settled(interp, a.value) for n, a in args.items()}
    name = at_hand_name(interp, frame)
    if name is None or not all(isinstance(v, Const | Sym) for v in given.values()):
        return interp.unsupported(row.keras[0], node, frame)
    args = {**args, "like": Arg(Const(name))}
    count = given[row.data["count"]]
    return at_hand(interp, row, args, (count if isinstance(count, Const) else None,), node, frame)


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
    name, ends = at_hand_name(interp, frame), (start, stop, step)
    if name is None or not all(isinstance(v, Const | Sym | Samples) for v in ends):
        return interp.unsupported(row.keras[0], node, frame)
    args = {**args, "like": Arg(Const(name))}
    return at_hand(interp, row, args, (how_many(start, stop, step),), node, frame)


def how_many(start: Value, stop: Value, step: Value) -> Dim:
    """How many numbers there are in a row."""
    one, two, each = as_int(start), as_int(stop), as_int(step)
    if one == 0 and each == 1 and isinstance(stop, Samples):
        return BATCH
    if one is None or two is None or not each:
        return None
    return Const(len(range(one, two, each)))


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


def of_numbers(
    interp: Interpreter,
    row: Row,
    args: dict[str, Arg],
    operands: list[Value],
    node: ast.Call,
    frame: Frame,
    what: str,
) -> Value:
    """An operation on numbers alone, the size of a tensor for one: Python's."""
    known = [isinstance(v, Sym | Samples) or as_number(v) is not None for v in operands]
    if not all(known):
        return interp.unsupported(what, node, frame)
    operations.noted(interp, row, args, node, frame)
    number = as_number(operands[0])
    if number is None or row.name not in ("cast", "sqrt"):
        return Sym()
    return Const(number**0.5) if row.name == "sqrt" else converted(number, args["dtype"].value)


def converted(number: float, dtype: Value) -> Value:
    """A number in another type."""
    kind = arrays.dtype_of(dtype) or ""
    if kind.startswith("int"):
        return Const(int(number))
    return Const(number) if kind in arrays.FLOATS else Sym()


def as_number(value: Value) -> float | None:
    plain = isinstance(value, Const) and isinstance(value.value, int | float)
    return value.value if plain and not isinstance(value.value, bool) else None  # type: ignore[union-attr, return-value]
