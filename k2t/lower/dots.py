"""Products of two tensors summed over an axis of each: ``Dot(axes)``."""

from __future__ import annotations

from collections.abc import Sequence

from k2t.ir.finding import NotMigrated
from k2t.ir.nodes import Node
from k2t.lower import text as t
from k2t.lower.operations import product
from k2t.lower.tensors import Held, in_layout


def dot(node: Node, wires: Sequence[Held]) -> str:
    """The expression of a Dot of tensors of one or two axes.

    Raises:
        NotMigrated: of more axes, or axes that are not known.
    """
    layer = node.layer
    assert layer is not None
    ranks = [len(s) if s is not None else 0 for s in node.in_shapes]
    given = t.data(t.get(layer.args, "axes"))
    both = given if isinstance(given, tuple | list) else (given, given)
    axes = [as_int_or_none(a) for a in both]
    if len(wires) != 2 or len(axes) != 2 or None in axes or not {*ranks} <= {1, 2}:
        raise NotMigrated("K2T130", "Dot of tensors of more than two axes", layer.span)
    first, second = (a % (r + 1) for a, r in zip(axes, ranks, strict=True) if a is not None)
    if 0 in (first, second):
        raise NotMigrated("K2T130", "Dot over the batch", layer.span)
    a, b = (in_layout(wire, "last") for wire in wires)
    if t.flag(layer.args, "normalize"):
        a, b = normalized(a, first), normalized(b, second)
    return product(a, b, ranks, first, second)


def normalized(text: str, axis: int) -> str:
    return f"F.normalize({text}, dim={axis})" if axis != 1 else f"F.normalize({text})"


def as_int_or_none(value: object) -> int | None:
    return value if isinstance(value, int) else None
