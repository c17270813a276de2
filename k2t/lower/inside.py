"""Layers inside a layer of the script: made in its ``__init__``, called in its ``forward``."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

from k2t.ir.custom import CustomLayer, Site
from k2t.ir.finding import NotMigrated
from k2t.ir.nodes import Node
from k2t.ir.program import Leaf, Use
from k2t.ir.source import Span
from k2t.ir.values import Arg, Const, Obj, Sym, as_int
from k2t.lower import text as t
from k2t.lower.attention import ATTENTION, in_class
from k2t.lower.brackets import bracketed, draws_or_learns, ends_in, filled, reads_again
from k2t.lower.chain import lower_site, widths
from k2t.lower.masks import HEADS, informed, start
from k2t.lower.merges import joined
from k2t.lower.ops import Context, Op
from k2t.lower.own import CODE
from k2t.lower.pieces import TO_FIRST, TO_LAST
from k2t.lower.wires import width_after

BEFORE = "before"
"""In a loop of layers: how wide the one before is."""


def operations(ctx: Context, cls: CustomLayer, site: Site, taken: str) -> list[Op]:
    """The torch operations of a layer made at a place, the same for all that were made there.

    Args:
        taken: how ``__init__`` has the last axis of the input.

    Raises:
        NotMigrated: it cannot be carried over, or not inside a class.
    """
    row = ctx.row(layer_of(site.seen[0]))
    if row.get("shape") in ("merge", "concat"):
        return []
    pairs = parts(ctx, cls, site, taken)
    for op, layer in pairs:
        starts = any(node.id in ctx.starts for node in site.seen)
        if op.lines or (start(layer) is not None and not starts):
            raise NotMigrated(CODE, f"{layer.row} like this inside a layer", site.span)
    ops = [op for op, _ in pairs]
    return [in_one(ops, site.span)] if together(ctx, site) else ops


def together(ctx: Context, site: Site) -> bool:
    """Whether one module stands for all that is made at a place."""
    return layer_of(site.seen[0]).row == "Chain" or site.span in ctx.plain


def parts(ctx: Context, cls: CustomLayer, site: Site, taken: str) -> list[tuple[Op, Obj]]:
    """The operations of a layer made at a place, or of the layers of a Sequential, and whose they
    are."""
    layer = layer_of(site.seen[0])
    seen = [informed(ctx, node) for node in site.seen]
    rounds = [node.body for node in seen] if layer.row == "Chain" else [(n,) for n in seen]
    if len({len(nodes) for nodes in rounds}) > 1:
        raise NotMigrated(CODE, "a Sequential of different lengths", site.span)
    found = []
    entry = site.width or (BEFORE if site.loop is not None else None)
    width = entry
    for nodes in zip(*rounds, strict=True):
        inner, leaf = layer_of(nodes[0]), Leaf(nodes)
        if width is None:
            width = common_width(leaf)
        found += [(renamed(op, cls, taken), inner) for op in lowered(ctx, leaf, width)]
        behind = width_after(ctx.row(inner), inner, width, nodes[0].in_shapes[0])
        width = behind if entry is not None else None
    return found


def common_width(leaf: Leaf) -> str | None:
    """How all that is made at a place has the width of its input: as it is written, where one of
    them knows it by its number alone."""
    texts = widths(leaf)
    shapes = [node.in_shapes[0] for node in leaf.seen]
    if len({as_int(shape[-1]) if shape else None for shape in shapes}) == 1:
        texts = {text for text in texts if text is not None and not text.isdecimal()} or texts
    return texts.pop() if len(texts) == 1 else None


def lowered(ctx: Context, leaf: Leaf, width: str | None) -> list[Op]:
    """The operations of a place: by the values that it has, or by what is written if they vary."""
    try:
        return lower_site(ctx, leaf, width)
    except NotMigrated as error:
        if error.code != "K2T115":
            raise
        return lower_site(ctx, Leaf(varied(leaf.seen)), width)


def varied(seen: Sequence[Node]) -> tuple[Node, ...]:
    """Applications of layers with the numbers that differ between them as they are written."""
    layers = [layer_of(node) for node in seen]
    written: dict[str, Sym] = {}
    for name, arg in layers[0].args.items():
        values = [layer.args[name].value for layer in layers if name in layer.args]
        texts = {v.expr.text for v in values if isinstance(v, Const) and v.expr is not None}
        kinds = {type(v.value) for v in values if isinstance(v, Const)}
        number = len(kinds) == 1 and kinds <= {bool, int, float} and len(texts) == 1
        if number and len({v.value for v in values if isinstance(v, Const)}) > 1:
            expr = arg.value.expr  # type: ignore[union-attr]
            written[name] = Sym(expr, kinds.pop().__name__)
    return tuple(
        replace(
            node,
            layer=replace(
                layer,
                args={n: Arg(written.get(n, a.value), a.span) for n, a in layer.args.items()},
            ),
            in_shapes=tuple((None,) * len(s) if s is not None else None for s in node.in_shapes),
        )
        for node, layer in zip(seen, layers, strict=True)
    )


def in_one(ops: Sequence[Op], span: Span) -> Op:
    """One module that does what several operations do.

    Raises:
        NotMigrated: one of them has no module, or wants its channels elsewhere.
    """
    layouts = {op.layout for op in ops if op.layout != "any"} | {op.out for op in ops if op.out}
    texts = [op.module for op in ops]
    calls = {op.call for op in ops if op.call is not None and "{m}" in op.call}
    if None in texts or len(layouts) > 1 or calls - {"{m}({x})"}:
        raise NotMigrated(CODE, "a layer that is more than a module, among others", span)
    module = texts[0] if len(texts) == 1 else f"nn.Sequential({', '.join(map(str, texts))})"
    layout = layouts.pop() if layouts else "any"
    return Op(module=module, layout=layout, stem="layers", lazy=any(op.lazy for op in ops))


def renamed(op: Op, cls: CustomLayer, taken: str) -> Op:
    """An operation whose texts name the input's width as ``__init__`` has it."""
    wide = f"{cls.shape}[-1]"
    module = op.module.replace(wide, taken) if op.module is not None else None
    return replace(op, module=module, call=op.call.replace(wide, taken) if op.call else op.call)


def reads_width(cls: CustomLayer, ops: Sequence[Op]) -> bool:
    return any(
        f"{cls.shape}[-1]" in text for op in ops for text in (op.module or "", op.call or "")
    )


def layer_of(node: Node) -> Obj:
    assert node.layer is not None
    return node.layer


def modules(ops: Sequence[Op], span: Span) -> str | None:
    """The constructor of the modules among the operations; None where there are none.

    Raises:
        NotMigrated: they do not follow each other.
    """
    texts = [op.module for op in ops if is_module(op)]
    if len(texts) < 2:
        return texts[0] if texts else None
    together = ops[: len(texts)]
    plain = all(
        op.call in (None, "{m}({x})") and op.layout in ("any", ops[0].layout) for op in together
    )
    if not plain or not all(map(is_module, together)):
        raise NotMigrated(CODE, "a layer of several modules inside a layer", span)
    return f"nn.Sequential({', '.join(str(text) for text in texts)})"


def is_module(op: Op) -> bool:
    return op.module is not None and (not op.call or "{m}" in op.call)


def layer_call(ctx: Context, use: Use, given: Sequence[tuple[str | None, str]]) -> str:
    """The call of a layer in ``forward``.

    Args:
        given: the tensors, by keyword where they are given by one.

    Raises:
        NotMigrated: the layer is not carried over.
    """
    texts = {one_call(ctx, use, node, given) for node in use.data["seen"]}
    if len(texts) > 1:
        raise NotMigrated(CODE, "layers that are called in different ways here", use.call)
    return texts.pop()


def one_call(ctx: Context, use: Use, node: Node, given: Sequence[tuple[str | None, str]]) -> str:
    layer, row = layer_of(node), ctx.row(layer_of(node))
    ops = ctx.sites.get(layer.span)
    if ops is None:
        raise NotMigrated(CODE, "a layer that is called here is not migrated", use.call)
    rank = len(node.in_shapes[0]) if node.in_shapes[0] is not None else None
    if row.get("shape") in ("merge", "concat"):
        return merged(ctx, layer, given[0][1], rank, use)
    if row.name in ("Custom", *HEADS):
        arguments = ", ".join(f"{key}={text}" if key else text for key, text in given)
        return f"{use.data['callee']}({arguments})"
    text = given[0][1]
    if row.get("states") and len(given) > 1:
        states = given[1][1]
        single = row.data["states"] == 1 and states.startswith("[")
        text = f"{text}, {t.elements(states)[0] if single else states}"
    if row.name in ATTENTION:
        text = in_class(layer, given, layer.span)
    known = {"m": str(use.data["callee"]), **ctx.told.get(node.id, {})}
    return called(ops, text, known, rank, layer.span)


def called(
    ops: Sequence[Op], text: str, known: Mapping[str, str], rank: int | None, site: Span
) -> str:
    """Operations one after the other, from a channels-last tensor to another one."""
    layout, applied, given = "last", False, text
    for op in ops:
        if op.layout in ("first", "last") and op.layout != layout and (rank or 0) > 1:
            text, layout = turned(text, rank, op.layout, site), op.layout
        if is_module(op):
            if not applied or op.call not in (None, "{m}({x})"):
                text = filled(op.call or "{m}({x})", {"x": text, **known})
            applied = True
        else:
            template = op.first if layout == "first" and op.first else op.call
            if reads_again(text, (template or "",)) and draws_or_learns(given):
                why = "a layer that reads several times what another gives: give that a name first"
                raise NotMigrated(CODE, why, site)
            text = filled(template or "{x}", {"x": text, **known})
        layout = op.out or layout
        if "flatten(1)" in (op.call or "") or (op.first and op.out == "last"):
            rank = 1
    return turned(text, rank, "last", site) if layout == "first" and (rank or 0) > 1 else text


def turned(text: str, rank: int | None, layout: str, site: Span) -> str:
    if rank not in TO_FIRST:
        raise NotMigrated("K2T118", "a tensor's number of axes is not known here", site)
    there, back = (TO_FIRST, TO_LAST) if layout == "first" else (TO_LAST, TO_FIRST)
    if ends_in(text, back[rank]):
        return text.removesuffix(back[rank])
    return bracketed(text) + there[rank]


def merged(ctx: Context, layer: Obj, text: str, rank: int | None, use: Use) -> str:
    """``Add()([x, y])``: the list is written in the call."""
    row = ctx.row(layer)
    if not text.startswith("["):
        raise NotMigrated(CODE, f"{row.name} of a list that is not written in its call", use.call)
    texts = t.elements(text)
    if row.name == "Concatenate":
        return f"torch.cat({text}, {as_int(t.get(layer.args, 'axis'))})"
    return joined(row, texts)
