"""MultiHeadAttention called on queries, values and keys."""

from __future__ import annotations

import ast
from collections.abc import Mapping
from dataclasses import replace

from k2t.analyse import custom, graph
from k2t.analyse.interpreter import Interpreter
from k2t.analyse.state import Frame
from k2t.ir.values import NONE, UNKNOWN, Arg, Const, Obj, Shape, Sym, Tensor, Value

ROW = "MultiHeadAttention"
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
    given = dict(zip(ORDER, values, strict=False))
    given |= {name: rest.pop(name) for name in ORDER if name in rest}
    causal = rest.pop("use_causal_mask", Const(False))
    if rest.get("return_attention_scores") == Const(False):
        rest.pop("return_attention_scores")
    tensors = [given[name] for name in ORDER if name in given]
    if rest or len(values) > 3 or causal not in (Const(True), Const(False)):
        what = ", ".join(map(str, rest)) or "another mask"
        return interp.unsupported(f"{ROW} called with {what}", node, frame)
    if len(tensors) < 2 or not all(isinstance(v, Tensor) for v in tensors):
        return UNKNOWN
    made = [interp.graph[v.node] for v in tensors if isinstance(v, Tensor)]
    shapes = [custom.without_batch(m) for m in made]
    if any(s is None or len(s) != 2 for s in shapes):
        return interp.unsupported(f"{ROW} of something else than sequences", node, frame)
    widths = [s[-1] if s else None for s in shapes]
    extra = {"causal": Arg(causal)}
    if widths[1] != widths[0]:
        extra["value_features"] = Arg(widths[1] if isinstance(widths[1], Const | Sym) else NONE)
    layer = replace(layer, args={**layer.args, **extra})
    shape = output(layer, shapes[0])
    inputs = [v for v in tensors if isinstance(v, Tensor)]
    return graph.new_node(interp, layer, inputs, graph.like(made, shape), node, frame)


def given(node: ast.Call) -> list[ast.expr]:
    """The queries, values and keys of a call, as they are written."""
    found = dict(zip(ORDER, node.args, strict=False))
    found |= {k.arg: k.value for k in node.keywords if k.arg in ORDER}
    return [found[name] for name in ORDER if name in found]


def output(layer: Obj, query: Shape | None) -> Shape | None:
    """As wide as the queries, if nothing else is said."""
    wanted = layer.args.get("output_shape", Arg(NONE)).value
    if query is None or wanted == NONE:
        return query
    return (query[0], wanted if isinstance(wanted, Const | Sym) else None)
