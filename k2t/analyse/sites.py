"""Where the layers of a chain are made, held against the order in which it applies them."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from k2t.ir.nodes import Node
from k2t.ir.program import Branch, Item, Leaf, Loop
from k2t.ir.source import Span


def in_order(items: Sequence[Item], chain: Sequence[Node]) -> bool:
    """Whether items hold all layers of a chain, one after the other as it applies them.

    A script may make a layer far above its model, or two in another order.
    """
    numbers: dict[Span, list[int]] = {}
    for node in chain:
        if node.layer is not None:
            numbers.setdefault(node.layer.span, []).append(node.id)
    found = [[n for at in made_at(item) for n in numbers.get(at, ())] for item in items]
    return [n for run in found for n in sorted(run)] == [n.id for n in chain if n.layer]


def made_at(item: Item) -> Iterable[Span]:
    """Where the layers of an item are made."""
    match item:
        case Leaf():
            if item.node.layer is not None:
                yield item.node.layer.span
        case Loop(body=body):
            for inner in body:
                yield from made_at(inner)
        case Branch(body=body, orelse=orelse):
            for inner in (*body, *orelse):
                yield from made_at(inner)
