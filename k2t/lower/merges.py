"""Several tensors into one: sums, concatenations, arithmetic."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import replace
from itertools import count
from typing import TYPE_CHECKING

from k2t.ir.finding import NotMigrated
from k2t.ir.structure import Computed, Operator, Taken, Use
from k2t.ir.values import NONE, Const, Obj, Sym, Tuple, as_int
from k2t.lower import brackets, tensors
from k2t.lower import text as t
from k2t.lower.brackets import operand_text
from k2t.lower.wires import Bundle, NotKept, Wire, aligned, concatenated_width, merged_width, words
from k2t.table import Row

if TYPE_CHECKING:
    from k2t.lower.unit import Unit


def layer_of(use: Use) -> Obj:
    """The layer of a place (the first one seen there)."""
    layer = use.seen[0].layer
    assert layer is not None
    return layer


def joined(row: Row, texts: Sequence[str]) -> str:
    """The expressions of several tensors as one, by the row of their layer."""
    text = texts[0]
    for other in texts[1:]:
        if row.get("pairwise"):
            text = row.data["pairwise"].replace("{a}", text).replace("{b}", other)
        else:
            text = brackets.arithmetic(row.data["operator"], [text, other])
    return f"({text}) / {len(texts)}" if row.get("average") else text


def merged(unit: Unit, use: Use) -> Wire:
    layer, row = layer_of(use), unit.ctx.row(layer_of(use))
    first = unit.lookup(use.inputs[0])
    if len(use.inputs) == 1 and isinstance(first, Bundle):
        return merged_list(unit, use, first)
    wires = [unit.flow(f)[0] for f in use.inputs]
    if len({w.rank for w in wires}) > 1 or any(n.layer is None for n in use.seen):
        raise NotKept(f"{row.name} of tensors with different numbers of axes")
    texts, layout, rank = aligned(wires)
    widths = [w.width for w in wires]
    if row.name == "Concatenate":
        axis = axis_of(layer, rank)
        width = concatenated_width(widths) if axis == rank else merged_width(widths)
        place = axis if layout == "last" else 1 if axis == rank else axis + 1
        return Wire(f"torch.cat([{', '.join(texts)}], {place})", layout, rank, width)
    text = joined(row, texts)
    return Wire(text, layout, rank, merged_width(widths))


def merged_list(unit: Unit, use: Use, bundle: Bundle) -> Wire:
    """A list of tensors concatenated, or added up."""
    row = unit.ctx.row(layer_of(use))
    if row.name in ("Add", "Average"):
        text = f"sum({bundle.text})"
        text = f"{text} / len({bundle.text})" if row.name == "Average" else text
        widths = [w.width for w in bundle.items] if bundle.items is not None else []
        width = merged_width(widths) if widths else None
        if width is None and bundle.widths is not None:
            width = f"{bundle.widths}[-1]"
        return Wire(text, bundle.layout, bundle.rank, width)
    if row.name != "Concatenate":
        raise NotKept("such a merge of a list of tensors")
    axis = axis_of(layer_of(use), bundle.rank)
    place = axis
    if bundle.layout == "first":
        place = 1 if axis == bundle.rank else axis + 1
    if axis != bundle.rank:
        raise NotKept("a list of tensors concatenated along another axis")
    width = f"sum({bundle.widths})" if bundle.widths is not None else None
    if bundle.items is not None:
        width = concatenated_width([w.width for w in bundle.items])
    return Wire(f"torch.cat({bundle.text}, {place})", bundle.layout, bundle.rank, width)


def axis_of(layer: Obj, rank: int | None) -> int:
    axis = as_int(t.get(layer.args, "axis"))
    if axis is None or rank is None:
        raise NotKept("the axis of a concatenation is not known")
    return axis if axis >= 0 else rank + 1 + axis


def arithmetic(unit: Unit, flow: Operator) -> Wire:
    wires = [unit.flow(o)[0] for o in flow.operands if not isinstance(o, tuple)]
    texts, layout, rank = aligned(wires)
    queue = list(texts)
    parts = []
    for operand in flow.operands:
        if not isinstance(operand, tuple):
            parts.append(queue.pop(0))
            continue
        scalar = unit.source(operand)
        parts.append(unit.in_forward(scalar))
    width = merged_width([w.width for w in wires])
    if len(parts) == 1:
        return Wire(f"{flow.symbol}{operand_text(parts[0])}", layout, rank, width)
    return Wire(flow.symbol.join(operand_text(p) for p in parts), layout, rank, width)


def computed(unit: Unit, flow: Computed) -> Wire:
    """A tensor operation as in a graph; what it takes of the configuration are attributes.

    Raises:
        NotKept: it is another one when the function is called again.
    """
    wires = [unit.flow(one)[0] for one in flow.inputs]
    text, layout = spelled(unit, flow, wires)
    again = brackets.repeated(text, [wire.text for wire in wires])
    if again:  # computed once, in a line before
        names = {}
        for one in again:
            names[one] = fresh(unit, "value")
            unit.say(f"{names[one]} = {one}")
        wires = [replace(wire, text=names.get(wire.text, wire.text)) for wire in wires]
        text, layout = spelled(unit, flow, wires)
    shape = flow.seen[0].shape
    rank = len(shape) if shape is not None else None
    layout = layout if (rank or 2) > 1 else "last"
    return Wire(unit.in_forward(text), layout, rank, computed_width(unit, flow, wires))


def fresh(unit: Unit, stem: str) -> str:
    """A variable of ``forward`` that nothing has."""
    said = {word for line in unit.lines for word in words(line.text)}
    taken = said | {*unit.env, *unit.config, *unit.structure.tensors}
    return next(n for i in count() if (n := f"{stem}{i or ''}") not in taken)


def spelled(unit: Unit, flow: Computed, wires: Sequence[Wire]) -> tuple[str, str]:
    """The operation in torch's words and its layout, the same in every call of the function."""
    try:
        found = {
            tensors.lowered(unit.ctx, node, node.operation, wires)
            for node in flow.seen
            if node.operation is not None
        }
    except NotMigrated as error:
        raise NotKept(error.message) from None
    if len(found) != 1:
        raise NotKept("an operation that is another one in each call")
    return found.pop()


def computed_width(unit: Unit, flow: Computed, wires: Sequence[Wire]) -> str | None:
    """The last axis behind an operation, where it is that of what went in."""
    operation = flow.seen[0].operation
    assert operation is not None
    section, _, name = operation.row.rpartition(".")
    row = unit.ctx.table.rows[section or "ops"][name]
    kind = "same" if section else row.data["shape"]
    widths = [wire.width for wire in wires]
    if kind in ("same", "broadcast"):
        return merged_width(widths)
    if kind == "reshape":
        shape = operation.args["newshape"].value
        size = shape.items[-1] if isinstance(shape, Tuple) else NONE
        return t.text(size) if isinstance(size, Const | Sym) and as_int(size) != -1 else None
    rank = wires[0].rank
    if kind == "getitem":
        index = operation.args["index"].value
        whole = isinstance(index, Tuple) and Const(...) not in index.items
        return widths[0] if whole and rank and len(index.items) <= rank else None  # type: ignore[union-attr]
    axis = operation.args["axis"].value if "axis" in operation.args else NONE
    if rank is None or not tensors.numbers(axis):
        return None
    last = rank in {number % (rank + 1) for number in tensors.numbers(axis)}
    if kind == "concatenate":
        return concatenated_width(widths) if last else merged_width(widths)
    return widths[0] if kind == "reduce" and not last else None


def element(unit: Unit, flow: Taken) -> Wire:
    bundle = unit.env.get(flow.name)
    if not isinstance(bundle, Bundle):
        raise NotKept(f"{flow.name} is no list that is known")
    if flow.index is not None:
        index = unit.source(flow.index)
        if bundle.items is None or not re.fullmatch(r"-?\d+", index):
            raise NotKept("an element of a list of tensors")
        width = bundle.items[int(index)].width
        return Wire(f"{bundle.text}[{index}]", bundle.layout, bundle.rank, width)
    text = f"{bundle.text}.pop()"
    if bundle.widths is not None:
        variable = f"{flow.name.rstrip('s')}_channels"
        unit.put(f"{variable} = {bundle.widths}.pop()")
        return Wire(text, bundle.layout, bundle.rank, variable)
    if not bundle.items:
        raise NotKept("an element of an empty list")
    unit.env[flow.name] = replace(bundle, items=bundle.items[:-1])
    return Wire(text, bundle.layout, bundle.rank, bundle.items[-1].width)
