"""``TimeDistributed``: a layer at every step."""

from __future__ import annotations

import ast
from typing import TYPE_CHECKING

from k2t.analyse import arguments, nesting
from k2t.analyse.recurrent import returns_state
from k2t.analyse.state import Frame
from k2t.ir.values import NONE, UNKNOWN, Arg, Const, ModelRef, Obj, Value, as_int
from k2t.table import Row

if TYPE_CHECKING:
    from k2t.analyse.interpreter import Interpreter


def each_step(interp: Interpreter, row: Row, node: ast.Call, frame: Frame) -> Value:
    """``TimeDistributed(Dense(8))``: a layer on the last axis does the same at every step.

    Others get the steps one by one: their Obj says so.
    """
    args = arguments.bind_row(interp, row, node, frame)
    inner = args["layer"].value if "layer" in args else UNKNOWN
    if isinstance(inner, ModelRef):
        part = nesting.as_layer(interp, interp.models[inner.id], node, frame)
        inner = part if part is not None and "output" in part.args else UNKNOWN
    if not isinstance(inner, Obj) or inner.row in row.data["refuses"] or returns_state(inner):
        return interp.unsupported(row.keras[0], node, frame)
    own = {name: arg for name, arg in args.items() if name != "layer"}
    if inner.row not in row.data["distributes"]:
        before = as_int(inner.args.get("time_distributed", Arg(NONE)).value) or 0
        own["time_distributed"] = Arg(Const(before + 1))
    span, stmt = interp.span(node), interp.span(interp.stmt)
    obj = Obj(inner.id, inner.row, {**inner.args, **own}, span, stmt)
    interp.event("layer", node, frame, obj=obj, section=row.section)
    return obj
