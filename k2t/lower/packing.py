"""Masks that one recurrent layer uses for its last output: padding goes to the end, packed."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence

from k2t.ir.nodes import Node
from k2t.ir.program import Model
from k2t.ir.torch import Line
from k2t.ir.values import Obj
from k2t.lower import masks
from k2t.lower import text as t
from k2t.lower.groups import Chain
from k2t.lower.ops import Context
from k2t.lower.pieces import AnyPiece, BlockPiece, Piece
from k2t.lower.recurrent import inner_layer, native

WHY = (
    "# mask_zero: the recurrent layer skips padding, wherever it stands;",
    "# move it to the end and pack",
)


def packed_chain(pieces: list[AnyPiece], chain: Chain) -> Chain | None:
    """A chain with the mask of its first Embedding, if there is one; None: that takes more."""
    flat = [piece for piece in layers_in(pieces) if piece.layer is not None]
    first = next((i for i, p in enumerate(flat) if masks.start(p.layer)), None)
    if first is None:
        return chain
    if first != 0 or not masks.masked(flat[0].layer):
        return None
    for piece in flat[1:]:
        layer = piece.layer
        assert layer is not None
        if layer.row in masks.LOSES_MASK:
            return chain
        if layer.row in masks.RECURRENT:
            return packed(chain, piece) if packable(layer) and piece.op.mask else None
        if layer.row not in masks.PASSES_MASK:
            return None
    return None


NOT_LAST = ("return_sequences", "return_state", "go_backwards", "stateful")


def packable(layer: Obj) -> bool:
    """Whether a recurrent layer gives its last output only, and reads forwards."""
    args = inner_layer(layer).args
    return not any(t.flag(args, n) for n in NOT_LAST)


def followed(
    ctx: Context, model: Model, nodes: Sequence[Node], readers: Mapping[int, Sequence[int]]
) -> dict[int, int]:
    """For each recurrent layer of a graph that can be packed, the input whose zeros are padding."""
    found: dict[int, int] = {}
    inputs = {node.id for node in model.inputs}
    for node in nodes:
        if not masks.masked(node.layer) or node.inputs[0] not in inputs:
            continue
        flat = node.in_shapes[0] is not None and len(node.in_shapes[0]) == 1
        end = mask_end(ctx, nodes, readers, node) if flat else None
        if end is not None and len(readers[node.inputs[0]]) == 1:
            found[end.id] = node.inputs[0]
    return found


def mask_end(
    ctx: Context, nodes: Sequence[Node], readers: Mapping[int, Sequence[int]], node: Node
) -> Node | None:
    """The recurrent layer behind a masked Embedding that alone uses its mask, and can be packed."""
    while True:
        places = readers[node.id]
        if len(places) != 1 or places[0] == len(nodes):
            return None
        node = nodes[places[0]]
        layer = node.layer
        if layer is None or len(node.inputs) > 1:
            return None
        if layer.row in masks.RECURRENT:
            alone = "time_distributed" not in layer.args and packable(layer)
            return node if alone and native(ctx, inner_layer(layer)) else None
        if layer.row not in masks.PASSES_MASK:
            return None


def pushed_to_the_end(
    ids: str, padding: str, lengths: str, comments: tuple[str, ...] = WHY
) -> list[Line]:
    """Move the zeros behind the rest of each row; the lengths are what is left."""
    return [
        Line(f"{padding} = {ids} == 0", comments=comments),
        Line(f"{ids} = {ids}.gather(1, {padding}.int().argsort(dim=1, stable=True))"),
        Line(f"{lengths} = (~{padding}).sum(1).cpu()"),
    ]


def layers_in(pieces: Iterable[AnyPiece]) -> Iterator[Piece]:
    """The pieces in order, those of loops and conditions as well."""
    for piece in pieces:
        if isinstance(piece, Piece):
            yield piece
        elif isinstance(piece, BlockPiece):
            yield from layers_in((*piece.body, *piece.orelse))


def packed(chain: Chain, piece: Piece) -> Chain | None:
    """Move padding to the end and pack: exact wherever the zeros stand, on torch's kernels."""
    name = next(path for path, op, _ in chain.paths if op is piece.op)
    lines = pushed_to_the_end("x", "padding", "lengths")
    found = False
    lstm = "nn.LSTM" in (piece.op.module or "")
    for line in chain.lines:
        if not found and f"{name}(x)" in line.text:
            found = True
            lines.append(
                Line("x = pack_padded_sequence(x, lengths, batch_first=True, enforce_sorted=False)")
            )
            if piece.op.lines:
                lines.append(line)
                continue
            lines.append(Line(f"{'_, (h, _)' if lstm else '_, h'} = {name}(x)"))
            head = line.text.partition(f"{name}(x)[0][:, -1]")
            lines.append(Line(f"{head[0]}h[-1]{head[2]}", line.comment, line.comments))
            continue
        lines.append(line)
    return Chain(chain.groups, lines, chain.paths) if found else None
