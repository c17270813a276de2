"""Attention called on queries, values and keys."""

from __future__ import annotations

import ast
from collections.abc import Mapping
from dataclasses import replace
from typing import TypeVar

from k2t.analyse import custom, graph
from k2t.analyse.interpreter import Interpreter
from k2t.analyse.state import Frame
from k2t.analyse.trace import Tangled
from k2t.ir.values import NONE, UNKNOWN, Arg, Const, Obj, Shape, Sym, Tensor, Value

ROWS = ("MultiHeadAttention", "Attention", "AdditiveAttention")
ORDER = ("query", "value", "key")


def apply(
    interp: Interpreter,
    layer: Obj,
    values: list[Value],
    keywords: Mapping[str | None, Value],
    node: ast.Call,
    frame: Frame,
) -> Value:
    """The output; what else it is told than whether it is causal is not carried over."""
    rest = dict(keywords)
    if layer.row != ROWS[0]:
        values = interp.items(rest.pop("inputs", values[0] if values else UNKNOWN)) or []
    given = dict(zip(ORDER, values, strict=False))
    given |= {name: rest.pop(name) for name in ORDER if name in rest}
    causal = rest.pop("use_causal_mask", Const(False))
    if rest.get("return_attention_scores") == Const(False):
        rest.pop("return_attention_scores")
    if rest or len(values) > 3 or causal not in (Const(True), Const(False)):
        what = ", ".join(map(str, rest)) or "another mask"
        return interp.unsupported(f"{layer.row} called with {what}", node, frame)
    tensors = in_order(layer.row, given)
    if len(tensors) < 2 or not all(isinstance(v, Tensor) for v in tensors):
        return UNKNOWN
    made = [interp.graph[v.node] for v in tensors if isinstance(v, Tensor)]
    shapes = [custom.without_batch(m) for m in made]
    if any(s is None or len(s) != 2 for s in shapes):
        return interp.unsupported(f"{layer.row} of something else than sequences", node, frame)
    widths = [s[-1] if s else None for s in shapes]
    extra = {"causal": Arg(causal)}
    if layer.row == ROWS[0] and widths[1] != widths[0]:
        extra["value_features"] = Arg(widths[1] if isinstance(widths[1], Const | Sym) else NONE)
    layer = replace(layer, args={**layer.args, **extra})
    shape = output(layer, shapes[0], shapes[-1])
    inputs = [v for v in tensors if isinstance(v, Tensor)]
    return graph.new_node(interp, layer, inputs, graph.like(made, shape), node, frame)


T = TypeVar("T")


def in_order(row: str, given: Mapping[str, T]) -> list[T]:
    """As the torch side is called: Keras's order with several heads, else query, key, value."""
    found = [given[name] for name in ORDER if name in given]
    if row == ROWS[0] or len(found) < 2:
        return found
    return [found[0], found[-1], found[1]]


def given(row: str, node: ast.Call) -> list[ast.expr]:
    """The queries, values and keys of a call, as they are written.

    Raises:
        Tangled: they are not written there.
    """
    parts = list(node.args)
    if row != ROWS[0]:
        one = parts[0] if parts else next((k.value for k in node.keywords), None)
        if not isinstance(one, ast.List | ast.Tuple):
            raise Tangled("a list of tensors made elsewhere")
        parts = one.elts
    found = dict(zip(ORDER, parts, strict=False))
    found |= {k.arg: k.value for k in node.keywords if k.arg in ORDER}
    return in_order(row, found)


def output(layer: Obj, query: Shape | None, value: Shape | None) -> Shape | None:
    """As wide as the queries of several heads, else as the values, if nothing else is said."""
    if layer.row != ROWS[0]:
        return (query[0], value[1]) if query is not None and value is not None else None
    wanted = layer.args.get("output_shape", Arg(NONE)).value
    if query is None or wanted == NONE:
        return query
    return (query[0], wanted if isinstance(wanted, Const | Sym) else None)
