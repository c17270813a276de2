"""Lambda layers in a Sequential: their function as one expression of the input."""

from __future__ import annotations

from dataclasses import dataclass

from k2t.ir.nodes import Node
from k2t.lower import tensors
from k2t.lower.ops import Context, Op

INPUT = "_x_"


@dataclass
class Held:
    """A tensor inside the function."""

    text: str
    layout: str
    rank: int | None


def function(ctx: Context, layer: Node) -> Op:
    """The operation of a Lambda; on channels-first data where its axes allow it.

    Raises:
        NotMigrated: something in it cannot be carried.
    """
    last, _ = expression(ctx, layer, "last")
    first, out = expression(ctx, layer, "first")
    if out == "first" and "permute" not in first and "transpose" not in first:
        return Op(call=last, first=first, stem="lambda")
    return Op(call=last, layout="last", out="last", stem="lambda")


def expression(ctx: Context, layer: Node, layout: str) -> tuple[str, str]:
    """What the function gives, and its layout."""
    start, *rest = layer.body
    held = {start.id: Held(INPUT, layout, len(start.shape or ()))}
    for node in rest:
        wires = [held[i] for i in node.inputs]
        if node.operation is not None:
            text, out = tensors.lowered(ctx, node, node.operation, wires)
        else:
            text, out = tensors.operated(node, wires)
        held[node.id] = Held(text, out, len(node.shape or ()))
    end = held[rest[-1].id]
    return end.text.replace(INPUT, "{x}"), end.layout
