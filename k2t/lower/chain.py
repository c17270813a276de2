"""Layers in sequence: layouts tracked, loops kept."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace

from k2t.ir.finding import NotMigrated
from k2t.ir.nodes import Node
from k2t.ir.program import Branch, Item, Leaf, Loop, Plain
from k2t.ir.values import Shape
from k2t.lower.lambdas import function
from k2t.lower.layers import lower
from k2t.lower.ops import Context, Op, dim_text, located
from k2t.lower.pieces import NAMES, TO_FIRST, TO_LAST, AnyPiece, BlockPiece, Piece, State


def widths(leaf: Leaf) -> set[str | None]:
    """The texts for the input width of a layer site, over all its applications."""
    return {dim_text(n.in_shapes[0][-1]) if n.in_shapes[0] else None for n in leaf.seen}


def width_of(leaf: Leaf) -> str | None:
    texts = widths(leaf)
    return texts.pop() if len(texts) == 1 else None


def lower_site(ctx: Context, leaf: Leaf, width: str | None) -> list[Op]:
    """The ops of a layer site, the same for every layer met there.

    Raises:
        NotMigrated: they differ, so one line of code cannot stand for all of them.
    """
    layer = leaf.node.layer
    assert layer is not None
    rows = {n.layer.row for n in leaf.seen if n.layer is not None}
    if len(rows) > 1:
        return [by_reference(ctx, leaf)]
    results = []
    for node in leaf.seen:
        assert node.layer is not None
        with located(node.layer.span):
            results.append(
                [function(ctx, node)]
                if node.body
                else lower(ctx, node.layer, shape_for(leaf, node), width)
            )
    if any(r != results[0] for r in results):
        raise NotMigrated(
            "K2T115", f"{layer.row} is built in several ways at this place", layer.span
        )
    return results[0]


def shape_for(leaf: Leaf, node: Node) -> Shape | None:
    """The input shape, with axes that vary between applications left unknown."""
    shapes = [n.in_shapes[0] for n in leaf.seen]
    first = shapes[0]
    if first is None or any(s is None or len(s) != len(first) for s in shapes):
        return None
    axes = zip(*[s for s in shapes if s is not None], strict=True)
    return tuple(a[0] if all(x == a[0] for x in a) else None for a in axes)


def by_reference(ctx: Context, leaf: Leaf) -> Op:
    """``dropout(rate)`` where the variable holds one of several layer classes: the call stays."""
    for node in leaf.seen:
        assert node.layer is not None
        row = ctx.row(node.layer)
        if not row.get("reference") or len([a for a in node.layer.args.values() if a.span]) > 1:
            raise NotMigrated(
                "K2T115", "the class of this layer depends on a variable", node.layer.span
            )
    assert leaf.node.layer is not None
    text = ctx.source_text(leaf.node.layer.span)
    return Op(module=text, layout="any", stem="layer")


def lower_items(ctx: Context, items: tuple[Item, ...], state: State) -> list[AnyPiece]:
    """The pieces of a body, with layout conversions put in."""
    pieces: list[AnyPiece] = []
    for item in items:
        match item:
            case Leaf():
                pieces.extend(lower_leaf(ctx, item, state))
            case Plain():
                pieces.append(item)
            case Loop():
                pieces.extend(lower_loop(ctx, item, state))
            case Branch():
                entry = replace_state(state)
                body = lower_items(ctx, item.body, state)
                other = lower_items(ctx, item.orelse, entry)
                if not modules_only([*body, *other]) or entry.layout != state.layout:
                    raise NotMigrated("K2T116", "an if around layers that are no plain modules")
                pieces.append(BlockPiece(item, tuple(body), tuple(other)))
    return pieces


def replace_state(state: State) -> State:
    return State(state.layout, state.rank, state.running, state.mask)


def lower_loop(ctx: Context, item: Loop, state: State) -> Iterator[AnyPiece]:
    """A loop of layers; where the input width changes from round to round a variable carries it."""
    first = next((leaf for leaf in leaves(item.body) if widening(ctx, leaf)), None)
    wanted = entry_layout(ctx, item.body)
    if wanted is not None and wanted != state.layout and state.rank is not None:
        yield conversion(state, wanted)
    before = None
    body_tail: list[AnyPiece] = []
    if first is not None and (len(widths(first)) > 1 or changes(ctx, item, first)):
        name = (
            "in_channels"
            if "Conv" in (first.node.layer.row if first.node.layer else "")
            else "in_features"
        )
        before = f"{name} = {state.running or width_of(Leaf(first.seen[:1]))}"
        if before.endswith("None"):
            raise NotMigrated("K2T117", "the input width of this loop is not known")
        if before == f"{name} = {name}":
            before = None
        last = [leaf for leaf in leaves(item.body) if widening(ctx, leaf)][-1]
        outs = {dim_text(n.shape[-1]) if n.shape else None for n in last.seen}
        out = outs.pop()
        if outs or out is None:
            raise NotMigrated("K2T117", "the width after a round of this loop cannot be written")
        state.running = name
        body_tail.append(f"{name} = {out}")
    elif first is not None:
        state.running = None
    layout = state.layout
    body = lower_items(ctx, item.body, state)
    if state.layout != layout or not (modules_only(body) or (called(body) and not before)):
        raise NotMigrated("K2T116", "a loop around layers that are no plain modules")
    if body_tail:
        state.running = body_tail[0].split(" = ")[0]  # type: ignore[union-attr]
    yield BlockPiece(item, (*body, *body_tail), before=before)


def changes(ctx: Context, item: Loop, first: Leaf) -> bool:
    """Whether the one round that the script has leaves another width than it found."""
    last = [leaf for leaf in leaves(item.body) if widening(ctx, leaf)][-1]
    shape = last.node.shape
    out = dim_text(shape[-1]) if shape else None
    return len(first.seen) == 1 and None not in (out, width_of(first)) and out != width_of(first)


def leaves(items: tuple[Item, ...]) -> Iterator[Leaf]:
    for item in items:
        match item:
            case Leaf():
                yield item
            case Loop(body=body):
                yield from leaves(body)
            case Branch(body=body, orelse=orelse):
                yield from leaves(body)
                yield from leaves(orelse)


def widening(ctx: Context, leaf: Leaf) -> bool:
    layer = leaf.node.layer
    return layer is not None and ctx.row(layer).get("shape") in (
        "units",
        "conv",
        "rnn",
        "bidirectional",
    )


def entry_layout(ctx: Context, items: tuple[Item, ...]) -> str | None:
    for leaf in leaves(items):
        layer = leaf.node.layer
        if layer is not None and "time_distributed" in layer.args:
            return "last"
        layout = ctx.row(layer).get("layout", "any") if layer else "any"
        if layout != "any":
            return str(layout)
    return None


def modules_only(pieces: list[AnyPiece]) -> bool:
    return all(
        not isinstance(p, Piece)
        or (
            p.op.module is not None
            and not p.op.lines
            and (p.op.call is None or "{m}" not in p.op.call)
        )
        for p in pieces
    )


def called(body: list[AnyPiece]) -> bool:
    """Whether a round is one module that needs more than a plain call: an ``nn.LSTM``."""
    piece = body[0]
    return len(body) == 1 and isinstance(piece, Piece) and bool(piece.op.module)


def lower_leaf(ctx: Context, leaf: Leaf, state: State) -> Iterator[Piece]:
    """The pieces of one layer, layout conversions before it."""
    layer = leaf.node.layer
    assert layer is not None
    running = state.running if widening(ctx, leaf) else None
    ops = lower_site(ctx, leaf, running or width_of(leaf))
    if running is not None:
        state.running = None
    shape = leaf.node.in_shapes[0]
    if shape is not None:
        state.rank = len(shape)
    comments = leaf.comments
    for op in ops:
        wanted = op.layout
        rank = state.rank if state.rank is not None else (op.rank + 1 if op.rank else None)
        state.rank = rank
        if wanted in ("first", "last") and wanted != state.layout and rank is not None and rank > 1:
            yield conversion(state, wanted)
        if wanted == "first" and rank is None:
            raise NotMigrated("K2T118", f"{layer.row} needs a known number of axes", layer.span)
        if op.first is not None and op.layout == "any" and state.layout == "first":
            op = replace(op, call=op.first)
        yield Piece(op, comments, layer)
        comments = ()
        if op.out:
            state.layout = op.out
        if state.rank is not None:
            state.rank -= op.folds
    out = leaf.node.shape
    if out is not None:
        state.rank = len(out)
    elif ctx.row(layer).get("shape") in ("flatten", "global_pool"):
        state.rank = 1
    if state.rank == 1:
        state.layout = "last"


def conversion(state: State, wanted: str) -> Piece:
    """The permutation that brings a tensor to channels first or last."""
    assert state.rank is not None
    if state.rank not in TO_FIRST:
        raise NotMigrated("K2T118", f"tensors of {state.rank} axes have no channel layout here")
    last, first = NAMES[state.rank]
    state.layout = wanted
    if wanted == "first":
        return Piece(Op(call="{x}" + TO_FIRST[state.rank], comment=f"{last} -> {first}"))
    return Piece(Op(call="{x}" + TO_LAST[state.rank], comment=f"{first} -> {last}"))


def simplified(pieces: Sequence[AnyPiece]) -> list[AnyPiece]:
    """Without operations that the next one undoes: steps put apart and together, layouts."""
    kept: list[AnyPiece] = []
    for piece in pieces:
        last = kept[-1] if kept else None
        if isinstance(piece, Piece) and isinstance(last, Piece) and undoes(piece.op, last.op):
            kept.pop()
            continue
        kept.append(piece)
    return kept


def undoes(op: Op, before: Op) -> bool:
    if op.module is not None or before.module is not None:
        return False
    if op.folds > 0:
        return before.folds == -op.folds
    turns = [pair for rank in TO_FIRST for pair in ((TO_LAST[rank], TO_FIRST[rank]),)]
    return (str(before.call)[3:], str(op.call)[3:]) in turns
