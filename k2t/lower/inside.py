"""Layers inside a layer of the script: made in its ``__init__``, called in its ``forward``."""

from __future__ import annotations

import ast
from collections.abc import Sequence
from dataclasses import replace

from k2t.ir.custom import CustomLayer, Site
from k2t.ir.finding import NotMigrated
from k2t.ir.nodes import Node
from k2t.ir.program import Leaf, Use
from k2t.ir.source import Span
from k2t.ir.values import Obj, as_int
from k2t.lower import text as t
from k2t.lower.brackets import bracketed, filled, operand_text
from k2t.lower.chain import lower_site, widths
from k2t.lower.ops import Context, Op
from k2t.lower.own import CODE
from k2t.lower.pieces import TO_FIRST, TO_LAST

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
    leaf = Leaf(site.seen)
    texts = widths(leaf)
    width = texts.pop() if len(texts) == 1 else None
    width = BEFORE if site.loop is not None else width
    ops = [renamed(op, cls, taken) for op in lower_site(ctx, leaf, width)]
    for op in ops:
        if op.lines or (op.mask and row.get("lower") in ("rnn", "bidirectional")):
            raise NotMigrated(CODE, f"{row.name} inside a layer is not carried over", site.span)
    return ops


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
    site, ops = use.data["site"], ctx.sites.get(use.data["site"])
    if ops is None:
        raise NotMigrated(CODE, "a layer that is called here is not migrated", use.call)
    node: Node = use.data["seen"][0]
    layer, row = layer_of(node), ctx.row(layer_of(node))
    rank = len(node.in_shapes[0]) if node.in_shapes[0] is not None else None
    if row.get("shape") in ("merge", "concat"):
        return merged(ctx, layer, given[0][1], rank, use)
    if row.name == "Custom":
        arguments = ", ".join(f"{key}={text}" if key else text for key, text in given)
        return f"{use.data['callee']}({arguments})"
    return called(ops, given[0][1], str(use.data["callee"]), rank, site)


def called(ops: Sequence[Op], text: str, callee: str, rank: int | None, site: Span) -> str:
    """Operations one after the other, from a channels-last tensor to another one."""
    layout, applied = "last", False
    for op in ops:
        if op.layout in ("first", "last") and op.layout != layout and (rank or 0) > 1:
            text, layout = turned(text, rank, op.layout, site), op.layout
        if is_module(op):
            if not applied or op.call not in (None, "{m}({x})"):
                text = filled(op.call or "{m}({x})", {"x": text, "m": callee})
            applied = True
        else:
            template = op.first if layout == "first" and op.first else op.call
            text = filled(template or "{x}", {"x": text})
        layout = op.out or layout
        if "flatten(1)" in (op.call or "") or (op.first and op.out == "last"):
            rank = 1
    return turned(text, rank, "last", site) if layout == "first" and (rank or 0) > 1 else text


def turned(text: str, rank: int | None, layout: str, site: Span) -> str:
    if rank not in TO_FIRST:
        raise NotMigrated("K2T118", "a tensor's number of axes is not known here", site)
    there, back = (TO_FIRST, TO_LAST) if layout == "first" else (TO_LAST, TO_FIRST)
    if text.endswith(back[rank]):
        return text.removesuffix(back[rank])
    return bracketed(text) + there[rank]


def merged(ctx: Context, layer: Obj, text: str, rank: int | None, use: Use) -> str:
    """``Add()([x, y])``: the list is written in the call."""
    row = ctx.row(layer)
    if not text.startswith("["):
        raise NotMigrated(CODE, f"{row.name} of a list that is not written in its call", use.call)
    texts = elements(text)
    if row.name == "Concatenate":
        return f"torch.cat({text}, {as_int(t.get(layer.args, 'axis'))})"
    if row.get("pairwise"):
        result = texts[0]
        for other in texts[1:]:
            result = row.data["pairwise"].replace("{a}", result).replace("{b}", other)
        return result
    result = row.data["operator"].join(map(operand_text, texts))
    return f"({result}) / {len(texts)}" if row.get("average") else result


def elements(text: str) -> list[str]:
    """The elements of a list as it is written."""
    parsed = ast.parse(text, mode="eval").body
    assert isinstance(parsed, ast.List)
    return [ast.get_source_segment(text, e) or ast.unparse(e) for e in parsed.elts]
