"""Layers in sequence: layouts tracked, modules grouped, loops kept."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace

from k2t.ir.finding import NotMigrated
from k2t.ir.program import Branch, Item, Leaf, Loop, Node, Plain
from k2t.ir.torch import Block, Entry, Group, Line, Part, Raw
from k2t.ir.values import Obj, Shape
from k2t.lower.layers import Context, Op, dim_text, lower

TO_FIRST = {2: ".transpose(1, 2)", 3: ".permute(0, 3, 1, 2)", 4: ".permute(0, 4, 1, 2, 3)"}
TO_LAST = {2: ".transpose(1, 2)", 3: ".permute(0, 2, 3, 1)", 4: ".permute(0, 2, 3, 4, 1)"}
NAMES = {2: ("NLC", "NCL"), 3: ("NHWC", "NCHW"), 4: ("NDHWC", "NCDHW")}

PASSES_MASK = {
    "Dropout",
    "Activation",
    "Dense",
    "LeakyReLU",
    "ReLU",
    "ELU",
    "SpatialDropout1D",
    "LayerNormalization",
    "AlphaDropout",
}


@dataclass(frozen=True)
class Piece:
    """One op in a chain, its comments, and the layer it came from."""

    op: Op
    comments: tuple[str, ...] = ()
    layer: Obj | None = None


@dataclass(frozen=True)
class BlockPiece:
    """A loop or condition around pieces."""

    item: Loop | Branch
    body: tuple[Piece | BlockPiece | Plain | str, ...]
    orelse: tuple[Piece | BlockPiece | Plain | str, ...] = ()
    before: str | None = None


AnyPiece = Piece | BlockPiece | Plain | str


@dataclass
class State:
    """What is known of the tensor that flows through the chain."""

    layout: str = "last"
    rank: int | None = None
    running: str | None = None
    mask: str | None = None


def width_of(leaf: Leaf, state: State, running: str | None) -> str | None:
    """The text for the input width of a layer site; ``running`` is the loop's variable, if any."""
    texts = {dim_text(n.in_shapes[0][-1]) if n.in_shapes[0] else None for n in leaf.seen}
    if running is not None:
        return running
    return texts.pop() if len(texts) == 1 else None


def uniform(leaf: Leaf) -> bool:
    texts = {dim_text(n.in_shapes[0][-1]) if n.in_shapes[0] else None for n in leaf.seen}
    return len(texts) == 1


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
        results.append(lower(ctx, node.layer, shape_for(leaf, node), width))
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


def lower_items(
    ctx: Context, items: tuple[Item, ...], state: State, loop: Loop | None = None
) -> list[AnyPiece]:
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
    if first is not None and not uniform(first):
        name = (
            "in_channels"
            if "Conv" in (first.node.layer.row if first.node.layer else "")
            else "in_features"
        )
        before = f"{name} = {width_of(Leaf((first.seen[0],)), state, state.running) or 'None'}"
        if before.endswith("None"):
            raise NotMigrated("K2T117", "the input width of this loop is not known")
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
    if not modules_only(body) or state.layout != layout:
        raise NotMigrated("K2T116", "a loop around layers that are no plain modules")
    if body_tail:
        state.running = body_tail[0].split(" = ")[0]  # type: ignore[union-attr]
    yield BlockPiece(item, (*body, *body_tail), before=before)


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


def lower_leaf(ctx: Context, leaf: Leaf, state: State) -> Iterator[Piece]:
    """The pieces of one layer, layout conversions before it."""
    layer = leaf.node.layer
    assert layer is not None
    running = state.running if widening(ctx, leaf) else None
    ops = lower_site(ctx, leaf, running or width_of(leaf, state, None))
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


# ---------------------------------------------------------------------- grouping


@dataclass
class Chain:
    """The groups of a Sequential, its forward lines, and where each layer's module ended up."""

    groups: list[Group | Raw]
    lines: list[Line]
    paths: list[tuple[str, Op, Obj]]


def regular(piece: AnyPiece) -> bool:
    """Whether a piece can stand in an ``nn.Sequential``."""
    if isinstance(piece, Piece):
        op = piece.op
        return (
            op.module is not None
            and not op.lines
            and (op.call is None or "{m}" not in op.call)
            and not op_prefers_call(op)
        )
    return True


def op_prefers_call(op: Op) -> bool:
    return op.module is None


def split(pieces: list[AnyPiece]) -> list[list[AnyPiece]]:
    """Runs of pieces that go into one group; an irregular piece is a run of its own."""
    runs: list[list[AnyPiece]] = []
    for piece in pieces:
        if regular(piece):
            if runs and regular(runs[-1][-1]):
                runs[-1].append(piece)
            else:
                runs.append([piece])
        else:
            runs.append([piece])
    return runs


def group_names(runs: list[list[AnyPiece]], classifies: bool) -> list[str]:
    """Names for the groups: layers; features and classifier or head; else by the first module."""
    count = [i for i, run in enumerate(runs) if regular(run[0]) and size(run) > 1]
    names = [""] * len(runs)
    taken: dict[str, int] = {}
    for i, run in enumerate(runs):
        if i in count:
            convolutional = any(op.stem == "conv" for op in ops_in(run))
            last = i == max(count)
            if len(count) == 1 and (
                i == 0 or not any(has_module(r) for j, r in enumerate(runs) if j != i)
            ):
                name = "layers"
            elif last and not convolutional:
                name = "classifier" if classifies else "head"
            elif convolutional:
                name = "features"
            else:
                name = "block"
        elif has_module(run):
            name = next(ops_in(run)).stem
        else:
            continue
        number = taken.get(name, 0)
        taken[name] = number + 1
        names[i] = name if number == 0 else f"{name}{number + 1}"
    return names


def has_module(run: list[AnyPiece]) -> bool:
    return any(op.module is not None for op in ops_in(run))


def size(run: list[AnyPiece]) -> int:
    return sum(2 if isinstance(p, BlockPiece) else 1 for p in run if not isinstance(p, str | Plain))


def ops_in(run: list[AnyPiece] | tuple[AnyPiece, ...]) -> Iterator[Op]:
    for piece in run:
        if isinstance(piece, Piece):
            yield piece.op
        elif isinstance(piece, BlockPiece):
            yield from ops_in(piece.body)
            yield from ops_in(piece.orelse)


def parts_of(pieces: list[AnyPiece] | tuple[AnyPiece, ...]) -> tuple[Part, ...]:
    """Pieces as parts of a group."""
    parts: list[Part] = []
    for piece in pieces:
        match piece:
            case Piece(op=op, comments=comments):
                extra = (f"# {op.comment}",) if op.comment else ()
                parts.append(Entry(op.module or "", (*comments, *extra)))
            case Plain(span=span, comments=comments):
                parts.append(Raw((span,), comments))
            case str():
                parts.append(Raw((piece,)))
            case BlockPiece(item=item, body=body, orelse=orelse, before=before):
                if before is not None:
                    parts.append(Raw((before,)))
                header = (item.header,) if isinstance(item, Loop) else ("if ", item.test)
                parts.append(Block(header, parts_of(body), parts_of(orelse), item.comments))
    return tuple(parts)


def assemble(pieces: list[AnyPiece], classifies: bool, argument: str, ending: str) -> Chain:
    """Group the pieces and write the forward lines; ``ending`` is the comment on the return."""
    runs = split(pieces)
    names = group_names(runs, classifies)
    groups: list[Group | Raw] = []
    lines: list[Line] = []
    paths: list[tuple[str, Op, Obj]] = []
    current, pending = argument, ""
    for run, name in zip(runs, names, strict=True):
        piece = run[0]
        if all(isinstance(p, str | Plain) for p in run):
            groups.extend(raw for raw in parts_of(run) if isinstance(raw, Raw))
            continue
        if regular(piece):
            groups.append(headed(Group(name, parts_of(run)), piece))
            paths.extend(module_paths(f"self.{name}", run))
            text, notes = f"self.{name}({current})", ""
        else:
            assert isinstance(piece, Piece)
            op = piece.op
            if op.module is not None:
                groups.append(Group(name, (Entry(op.module, piece.comments),)))
                if piece.layer is not None:
                    paths.append((f"self.{name}", op, piece.layer))
            values = {"x": current, "m": f"self.{name}"}
            lines.extend(Line(fill(line, values), comments=()) for line in op.lines)
            text, notes = fill(op.call or "{m}({x})", values), op.comment
            if op.module is None and not op.lines and len(text) < 40 and not to_last(pending):
                current = text
                pending = join_notes(pending, notes)
                continue
            if to_last(pending) and op.call == "{x}.flatten(1)":
                pending = "flattened in Keras's order"
            piece_comments = piece.comments if op.module is None else ()
            lines.append(Line(f"x = {text}", join_notes(pending, notes), piece_comments))
            current, pending = "x", ""
            continue
        lines.append(Line(f"x = {text}", pending))
        current, pending = "x", ""
    finish(lines, current, pending, ending)
    return Chain(groups, lines, paths)


def headed(group: Group, piece: AnyPiece) -> Group:
    """The comments above the first module of several stand above them all."""
    first = group.parts[0]
    if group.single or not isinstance(piece, Piece) or not isinstance(first, Entry):
        return group
    rest = first.comments[len(piece.comments) :]
    return Group(group.name, (Entry(first.text, rest), *group.parts[1:]), piece.comments)


def to_last(note: str) -> bool:
    """Whether the note is that of a conversion to channels last."""
    return note.endswith(("NHWC", "NLC", "NDHWC"))


def finish(lines: list[Line], current: str, pending: str, ending: str) -> None:
    """Turn the last assignment into the return."""
    note = join_notes(pending, ending)
    last = lines[-1] if lines else None
    if (
        current == "x"
        and last is not None
        and last.text.startswith("x = ")
        and not (last.comment and ending)
    ):
        lines.pop()
        lines.append(
            Line("return " + last.text[4:], join_notes(last.comment, ending), last.comments)
        )
    else:
        lines.append(Line(f"return {current}", note))


def join_notes(*notes: str) -> str:
    return "; ".join(n for n in notes if n)


def fill(template: str, values: dict[str, str]) -> str:
    for name, value in values.items():
        template = template.replace("{" + name + "}", value)
    return template


def module_paths(base: str, run: list[AnyPiece]) -> Iterator[tuple[str, Op, Obj]]:
    """The attribute path of each module of a group (``self.layers[3]``, from the end after a loop)."""
    flat = [p for p in run if not isinstance(p, str | Plain)]
    if len(flat) == 1 and isinstance(flat[0], Piece):
        if flat[0].layer is not None:
            yield base, flat[0].op, flat[0].layer
        return
    seen_block = False
    for index, piece in enumerate(flat):
        if isinstance(piece, BlockPiece):
            seen_block = True
            for op, layer in block_ops(piece):
                yield f"{base}[?]", op, layer
            continue
        number = index - len(flat) if seen_block else index
        if seen_block and any(isinstance(p, BlockPiece) for p in flat[index:]):
            path = f"{base}[?]"
        else:
            path = f"{base}[{number}]"
        if piece.layer is not None:
            yield path, piece.op, piece.layer


def block_ops(block: BlockPiece) -> Iterator[tuple[Op, Obj]]:
    for piece in (*block.body, *block.orelse):
        if isinstance(piece, Piece) and piece.layer is not None:
            yield piece.op, piece.layer
        elif isinstance(piece, BlockPiece):
            yield from block_ops(piece)
