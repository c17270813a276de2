"""A layer applied to a tensor: the module that is made, the expression that calls it."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from k2t.ir.finding import NotMigrated
from k2t.ir.nodes import Node
from k2t.ir.structure import Use
from k2t.ir.torch import Raw
from k2t.ir.values import Arg, Const, Expr, Obj, Shape, Sym
from k2t.lower import text as t
from k2t.lower.attention import ATTENTION
from k2t.lower.brackets import filled, reads_again
from k2t.lower.groups import fill, join_notes, to_last
from k2t.lower.layers import lower
from k2t.lower.merges import fresh, layer_of
from k2t.lower.naming import RESERVED, kind_stem
from k2t.lower.ops import Op
from k2t.lower.wires import NotKept, Wire, converted, own_width, width_after, words

if TYPE_CHECKING:
    from k2t.lower.unit import Unit


def operations(unit: Unit, use: Use, width: str | None) -> list[Op]:
    """The torch operations of a layer, the same for every application seen.

    Raises:
        NotKept: they differ, or cannot be written with the function's own variables.
    """
    found = lowered(unit, use, [n.layer for n in use.seen if n.layer is not None], width)
    if any(f != found[0] for f in found):
        found = lowered(unit, use, switched([n.layer for n in use.seen if n.layer]), width)
    if any(f != found[0] for f in found):
        raise NotKept(f"{layer_of(use).row} is built in several ways at one place")
    if layer_of(use).row == "Masking" or t.get(layer_of(use).args, "mask_zero") == Const(True):
        raise NotKept("masks are not followed through functions")
    ops = found[0]
    if any(node.id in unit.folded for node in use.seen):
        ops = ops[:-1]
    return ops


def lowered(unit: Unit, use: Use, layers: list[Obj], width: str | None) -> list[list[Op]]:
    shape = hidden(shape_in(use.seen[0]))
    try:
        return [lower(unit.ctx, layer, shape, width) for layer in layers]
    except NotMigrated as error:
        raise NotKept(error.message) from None


def switched(layers: list[Obj]) -> list[Obj]:
    """Layers with the flags that differ between them as they are written: ``bias=norm is None``."""
    flags: dict[str, Sym] = {}
    for name, arg in layers[0].args.items():
        values = [layer.args[name].value for layer in layers if name in layer.args]
        exprs = {getattr(v, "expr", None) and v.expr.text for v in values}  # type: ignore[union-attr]
        plain = all(isinstance(v, Const) and isinstance(v.value, bool) for v in values)
        expr = getattr(arg.value, "expr", None)
        if plain and expr is not None and len(exprs) == 1 and len({v.value for v in values}) > 1:  # type: ignore[union-attr]
            flags[name] = Sym(expr, "bool")
    return [
        replace(x, args={n: Arg(flags.get(n, a.value), a.span) for n, a in x.args.items()})
        for x in layers
    ]


def layer(unit: Unit, use: Use, comments: tuple[str, ...]) -> tuple[Wire, str]:
    wire, note = unit.flow(use.inputs[0])
    use = with_widths(unit, use)
    layer, node = layer_of(use), use.seen[0]
    shape = shape_in(node)
    rank = len(shape) if shape is not None else wire.rank
    ops = operations(unit, use, wire.width)
    text, layout = wire.text, wire.layout
    if layer.row in ATTENTION:
        wires = [wire, *(unit.flow(other)[0] for other in use.inputs[1:])]
        first = [w.layout == "first" and (w.rank or 0) > 1 for w in wires]
        texts = [
            converted(w, "last")[0] if f else w.text for w, f in zip(wires, first, strict=True)
        ]
        text, layout = ", ".join(texts), "last"
    modules = 0
    for op in ops:
        if op.layout in ("first", "last") and op.layout != layout and (rank or 0) > 1:
            text, remark = converted(replace(wire, text=text, rank=rank), op.layout)
            layout, note = op.layout, join_notes(note, remark)
        reads = words(op.call or "") & unit.config
        if needs_module(op) or (reads and op.module is not None):
            callee = make(unit, use, op, modules, ops, comments)
            modules, comments = modules + 1, ()
            if op.lines:
                raise NotKept(f"{layer.row} takes several lines")
            call = "{m}({x})" if reads else op.call
            text = fill(call or "{m}({x})", {"x": text, "m": callee})
        else:
            template = op.first if layout == "first" and op.first else op.call
            if reads:
                template = unit.in_forward(template or "")
            if reads_again(text, (template or "",)):
                name = fresh(unit, "value")
                unit.say(f"{name} = {text}")
                text = name
            text = filled(template or "{x}", {"x": text})
            if op.call == "{x}.flatten(1)" and to_last(note):
                note = "flattened in Keras's order"
            note = join_notes(note, op.comment)
        layout = op.out or layout
        rank = rank - op.folds if rank is not None else None
    out_rank = len(node.shape) if node.shape is not None else rank
    layout = layout if (out_rank or 2) > 1 else "last"
    width = width_after(unit.ctx.row(layer), layer, wire.width, shape)
    if layer.row == "Custom":
        width = own_width(use.seen, wire.width)
    return Wire(text, layout, out_rank, width), note


def with_widths(unit: Unit, use: Use) -> Use:
    """The layer with the widths it asks tensors for as ``__init__`` writes them."""
    given = {name: Expr(unit.source(text)) for name, text in use.told}

    def told(node: Node) -> Node:
        if node.layer is None:
            return node
        args = dict(node.layer.args)
        for name, expr in given.items():
            value = args[name].value
            if isinstance(value, Const):
                args[name] = replace(args[name], value=Const(value.value, expr))
        return replace(node, layer=replace(node.layer, args=args))

    return replace(use, seen=tuple(map(told, use.seen))) if given else use


def make(
    unit: Unit, use: Use, op: Op, number: int, ops: list[Op], comments: tuple[str, ...]
) -> str:
    """Make the module of an op, and say how ``forward`` calls it."""
    assert op.module is not None
    layer = layer_of(use)
    held = use.site.held
    if held is not None and number == 0:
        return fill_slot(unit, held, use, op, ops)
    name = stem(unit, use) if number == 0 else op.stem
    if op.stem == "pad" and op.comment:
        comments = (*comments, f"# {op.comment}")
    return unit.create(name, op.module, op, layer, comments)


def stem(unit: Unit, use: Use) -> str:
    layer = layer_of(use)
    names = {t.data(t.get(n.layer.args, "name")) for n in use.seen if n.layer is not None}
    name = names.pop()
    if isinstance(name, str) and not names and name.isidentifier() and name not in RESERVED:
        return name
    return kind_stem(unit.ctx, layer)


def fill_slot(unit: Unit, held: str, use: Use, op: Op, ops: list[Op], local: bool = False) -> str:
    slot = unit.slots.get(held)
    if slot is None or slot.place != unit.place:
        raise NotKept("a layer made outside a loop and applied inside")
    name = held if local else f"self.{slot.attribute}"
    if slot.ops is None:
        slot.ops, slot.local = ops, local
        slot.parts[slot.index] = Raw((f"{name} = {op.module}",), slot.comments)
        if not local:
            unit.path(slot.attribute, op, layer_of(use))
    elif slot.ops != ops or slot.local != local:
        raise NotKept("a layer that is applied to tensors of different widths")
    return name


def shape_in(node: Node) -> Shape | None:
    return node.in_shapes[0] if node.in_shapes else None


def hidden(shape: Shape | None) -> Shape | None:
    """Only the number of axes: a class serves tensors of many sizes."""
    return None if shape is None else (None,) * len(shape)


def needs_module(op: Op) -> bool:
    return op.module is not None and (bool(op.lines) or not op.call or "{m}" in op.call)
