"""Attention called on queries, values and keys."""

from __future__ import annotations

import ast
from collections.abc import Mapping
from dataclasses import replace
from typing import TypeVar

from k2t.analyse import custom, graph, shape_terms
from k2t.analyse.interpreter import Interpreter
from k2t.analyse.state import Frame
from k2t.analyse.trace import Tangled
from k2t.ir.values import (
    NONE,
    UNKNOWN,
    Arg,
    Const,
    Obj,
    Shape,
    Sym,
    Tensor,
    Tuple,
    Value,
    as_int,
)

HEADS = ("MultiHeadAttention", "GroupQueryAttention")
ROWS = (*HEADS, "Attention", "AdditiveAttention")
ORDER = ("query", "value", "key")


def apply(
    interp: Interpreter,
    layer: Obj,
    values: list[Value],
    keywords: Mapping[str | None, Value],
    node: ast.Call,
    frame: Frame,
) -> Value:
    """The output, and the scores if they are asked for.

    Told may be whether it is causal, with several heads a mask (batch, queries, keys), else one
    of the queries and one of the values: (batch, queries), (batch, values).
    """
    rest = dict(keywords)
    masks: dict[str, Tensor] = {}
    if layer.row not in HEADS:
        said = of_steps(interp, rest.pop("mask", values[1] if len(values) > 1 else NONE))
        if said is None or len(values) > 2:
            return interp.unsupported(f"{layer.row} called with another mask", node, frame)
        masks = said
        values = interp.items(rest.pop("inputs", values[0] if values else UNKNOWN)) or []
    given = dict(zip(ORDER, values, strict=False))
    given |= {name: rest.pop(name) for name in ORDER if name in rest}
    causal = rest.pop("use_causal_mask", Const(False))
    if causal == Const(False):
        causal = layer.args.get("causal", Arg(causal)).value  # as TensorFlow 2.9 and before has it
    scores = rest.pop("return_attention_scores", Const(False))
    mask = rest.pop("attention_mask", NONE) if layer.row in HEADS else NONE
    known = causal in (Const(True), Const(False)) and scores in (Const(True), Const(False))
    known = known and (mask == NONE or of_pairs(interp, mask))
    if rest or len(values) > 3 or not known:
        what = ", ".join(map(str, rest)) or "another mask, or scores"
        return interp.unsupported(f"{layer.row} called with {what}", node, frame)
    tensors = in_order(layer.row, given)
    if len(tensors) < 2 or not all(isinstance(v, Tensor) for v in tensors):
        return UNKNOWN
    made = [interp.graph[v.node] for v in tensors if isinstance(v, Tensor)]
    shapes = [custom.without_batch(m) for m in made]
    plain = (causal, scores, mask) == (Const(False), Const(False), NONE)
    axes = attended_axes(interp, layer, shapes)
    deep = any(len(s) > 2 for s in shapes if s is not None)
    if axes is None or (deep and not plain):
        what = "something else than sequences, with these arguments"
        return interp.unsupported(f"{layer.row} of {what}", node, frame)
    widths = [s[-1] if s else None for s in shapes]
    extra: dict[str, Arg] = {"causal": Arg(causal)}
    if deep:
        extra["axes"] = Arg(Tuple(tuple(map(Const, axes))))
    if layer.row in HEADS and widths[1] != widths[0]:
        extra["value_features"] = Arg(widths[1] if isinstance(widths[1], Const | Sym) else NONE)
    layer = replace(layer, args={**layer.args, **extra})
    shape = output(layer, shapes[0], shapes[-1])
    inputs = [v for v in (*tensors, mask, *masks.values()) if isinstance(v, Tensor)]
    if mask != NONE:
        layer = replace(layer, args={**layer.args, "attention_mask": Arg(Const(True))})
    if masks:
        layer = replace(layer, args={**layer.args, "masks": Arg(Const(" ".join(masks)))})
    if scores != Const(True):
        return graph.new_node(interp, layer, inputs, graph.like(made, shape), node, frame)
    layer = replace(
        layer, args={**layer.args, "scores": Arg(Const(True)), "outputs": Arg(Const(2))}
    )
    seen: Shape = tuple((s[0] if s else None) for s in (shapes[0], shapes[1]))
    if layer.row in HEADS:
        heads = layer.args["num_query_heads" if layer.row == HEADS[1] else "num_heads"].value
        seen = (shape_terms.dim(heads), *seen)
    if any(m.whole for m in made):  # in a class, whose code takes the outputs apart
        first = graph.new_node(interp, layer, inputs, graph.like(made, shape), node, frame)
        outs = [graph.like(made, seen)]
    else:
        first = graph.new_node(interp, layer, inputs, None, node, frame)
        outs = [shape, seen]
    start = 2 - len(outs)
    taken = [
        graph.new_node(interp, None, [first], out, node, frame, f"[{number}]", (None,))
        for number, out in enumerate(outs, start)
    ]
    return Tuple(tuple(taken) if start == 0 else (first, *taken))


def attended_axes(
    interp: Interpreter, layer: Obj, shapes: list[Shape | None]
) -> tuple[int, ...] | None:
    """The axes that attention goes over, counted with that of the batch; None: it cannot be said.

    Layers of several heads take tensors of any rank, and go over all their axes but the last.
    """
    ranks = {len(s) if s is not None else 0 for s in shapes}
    rank = ranks.pop()
    if ranks or rank < 2 or (rank > 2 and layer.row != HEADS[0]):
        return None
    said = layer.args.get("attention_axes", Arg(NONE)).value
    if said == NONE:
        return tuple(range(1, rank))
    items = [said] if isinstance(said, Const) else interp.items(said) or []
    axes = [as_int(item) for item in items]
    known = tuple(axis for axis in axes if axis is not None and 0 < axis < rank)
    return known if known and len(known) == len(axes) else None


def of_pairs(interp: Interpreter, mask: Value) -> bool:
    """Whether a mask is a tensor (batch, queries, keys)."""
    shape = graph.full_shape(interp.graph[mask.node]) if isinstance(mask, Tensor) else None
    return shape is not None and len(shape) == 3


MASKS = ("query_mask", "value_mask")


def of_steps(interp: Interpreter, mask: Value) -> dict[str, Tensor] | None:
    """The masks ``[queries, values]`` by their names; None: they are something else."""
    if mask == NONE:
        return {}
    given = list(interp.items(mask) or [UNKNOWN])[:3]
    found = {name: v for name, v in zip(MASKS, given, strict=False) if isinstance(v, Tensor)}
    full = {n: graph.full_shape(interp.graph[v.node]) for n, v in found.items()}
    odd = [v for v in given[:2] if v != NONE and not isinstance(v, Tensor)]
    flat = all(shape is not None and len(shape) == 2 for shape in full.values())
    return found if len(given) > 1 and not odd and flat else None


T = TypeVar("T")


def in_order(row: str, given: Mapping[str, T]) -> list[T]:
    """As the torch side is called: Keras's order with several heads, else query, key, value."""
    found = [given[name] for name in ORDER if name in given]
    if row in HEADS or len(found) < 2:
        return found
    return [found[0], found[-1], found[1]]


def given(row: str, node: ast.Call) -> list[ast.expr]:
    """The queries, values and keys of a call, as they are written.

    Raises:
        Tangled: they are not written there.
    """
    told = {k.arg for k in node.keywords}
    told &= {"attention_mask", "mask", "return_attention_scores"}
    if told or (row not in HEADS and len(node.args) > 1):
        raise Tangled("attention with a mask or scores")
    parts = list(node.args)
    if row not in HEADS:
        one = parts[0] if parts else next((k.value for k in node.keywords), None)
        if not isinstance(one, ast.List | ast.Tuple):
            raise Tangled("a list of tensors made elsewhere")
        parts = one.elts
    found = dict(zip(ORDER, parts, strict=False))
    found |= {k.arg: k.value for k in node.keywords if k.arg in ORDER}
    return in_order(row, found)


def output(layer: Obj, query: Shape | None, value: Shape | None) -> Shape | None:
    """As wide as the queries of several heads, else as the values, if nothing else is said."""
    if layer.row not in HEADS:
        return (query[0], value[1]) if query is not None and value is not None else None
    wanted = layer.args.get("output_shape", Arg(NONE)).value
    if query is None or wanted == NONE:
        return query
    return (*query[:-1], shape_terms.dim(wanted))
