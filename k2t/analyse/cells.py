"""``RNN`` around cells: Keras's own become its recurrent layers, the script's own stay."""

from __future__ import annotations

import ast
from dataclasses import replace
from typing import TYPE_CHECKING

from k2t.analyse import arguments, calls, custom, graph
from k2t.analyse.state import Frame
from k2t.ir.values import NONE, Arg, Const, Instance, Obj, Shape, Tensor, Tuple, Value, as_int

if TYPE_CHECKING:
    from k2t.analyse.interpreter import Interpreter

CARRIED = ("cell", "return_sequences", "go_backwards", "unroll", "name")


def of_cells(interp: Interpreter, layer: Obj) -> Obj:
    """``RNN(LSTMCell(8))`` is ``LSTM(8)``; several cells made alike are several layers of it.

    Around a cell of the script's own it is that class, which each step is given to (``rnn``).
    """
    cell = layer.args["cell"].value if "cell" in layer.args else NONE
    if isinstance(cell, Obj) and cell.row == "StackedRNNCells":
        cell = cell.args["cells"].value if "cells" in cell.args else NONE
    cells = interp.items(cell) or [cell]
    first = cells[0]
    rows = interp.table.rows["layers"]
    mine = {p.name: p.default for p in rows["RNN"].signature(interp.dialect)}
    told = {n: a for n, a in layer.args.items() if n != "cell" and a.value != Const(mine.get(n))}
    if isinstance(first, Obj) and first.row == "Custom" and len(cells) == 1:
        other = next((name for name in told if name not in CARRIED), "")
        rnn = Tuple((layer.args["return_sequences"].value, layer.args["go_backwards"].value))
        extra = {"rnn": Arg(rnn), "refused": Arg(Const(other))}
        args = {n: a for n, a in first.args.items() if n != "name"}
        name = {n: a for n, a in told.items() if n == "name"}
        return replace(layer, id=first.id, row="Custom", args={**args, **name, **extra})
    kind = rows[first.row].get("cell") if isinstance(first, Obj) and first.row in rows else None
    if not isinstance(first, Obj) or kind is None or not all(alike(first, c) for c in cells):
        return layer
    params = rows[kind].signature(interp.dialect)
    known = {p.name for p in params}
    own = {n: a for n, a in layer.args.items() if n in told or n in known}
    args = {p.name: Arg(arguments.default(p.default)) for p in params} | dict(first.args) | own
    if len(cells) > 1:
        args["layers"] = Arg(Const(len(cells)))
    return replace(layer, row=str(kind), args=args)


def alike(one: Obj, other: Value) -> bool:
    """Whether two cells are made alike."""
    if not isinstance(other, Obj) or other.row != one.row:
        return False
    mine, theirs = (
        {name: arg.value for name, arg in cell.args.items() if name != "name"}
        for cell in (one, other)
    )
    return mine == theirs


def apply(
    interp: Interpreter, layer: Obj, values: list[Value], node: ast.AST, frame: Frame
) -> Value:
    """A sequence through a cell of the script's own: followed for one step."""
    index = custom.class_of(layer)
    title = f"RNN around {custom.title(interp, layer)}"
    said = layer.args["refused"].value
    if said != Const(""):
        return interp.unsupported(f"{title} with {said.value}", node, frame)  # type: ignore[union-attr]
    sequence = values[0] if len(values) == 1 else NONE
    if not isinstance(sequence, Tensor):
        return interp.unsupported(f"{title} called like this", node, frame)
    made = interp.graph[sequence.node]
    shape = custom.without_batch(made)
    sizes = state_sizes(interp, layer.id)
    instance = Instance(layer.id, index, interp.keras.base_of(index))
    own_start = calls.defines(interp, instance, "get_initial_state")
    if shape is None or len(shape) != 2 or sizes is None or own_start:
        return interp.unsupported(f"{title}, whose states are not known,", node, frame)
    states: list[Shape | None] = [(size,) for size in sizes]
    given: list[Value] = [sequence, Tuple((sequence,) * len(sizes))]
    result = custom.followed(interp, layer, given, {}, [shape[1:], *states], node)
    parts = interp.items(result)
    after = interp.items(parts[1]) if parts is not None and len(parts) == 2 else None
    output = parts[0] if parts else NONE
    if after is None or len(after) != len(sizes) or not isinstance(output, Tensor):
        return interp.unsupported(f"{title}, which gives no list of states,", node, frame)
    out = custom.outside(interp, index, custom.without_batch(interp.graph[output.node]), shape)
    sequences = layer.args["rnn"].value.items[0] == Const(True)  # type: ignore[union-attr]
    whole = (shape[0], *out) if sequences and out is not None else out
    layer = replace(layer, args={**layer.args, "form": Arg(Const(custom.ONE))})
    return graph.new_node(interp, layer, [sequence], graph.like([made], whole), node, frame)


def state_sizes(interp: Interpreter, cell: int) -> list[Const] | None:
    """The ``state_size`` that a cell sets: a number or several."""
    value = interp.attributes.get(cell, {}).get("state_size", NONE)
    items = interp.items(value)
    items = items if items is not None else [value]
    sizes = [item for item in items if isinstance(item, Const) and as_int(item) is not None]
    return sizes if sizes and len(sizes) == len(items) else None
