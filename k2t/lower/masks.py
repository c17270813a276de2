"""Masks from Embedding(mask_zero=True): followed to the recurrent layer that uses them."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence

from k2t.ir.finding import NotMigrated
from k2t.ir.nodes import Node
from k2t.ir.program import Model
from k2t.ir.torch import Line
from k2t.ir.values import Obj
from k2t.lower import text as t
from k2t.lower.groups import Chain
from k2t.lower.ops import Context
from k2t.lower.pieces import PASSES_MASK, AnyPiece, BlockPiece, Piece

RECURRENT = ("LSTM", "GRU", "SimpleRNN", "Bidirectional")
WHY = (
    "# mask_zero: the recurrent layer skips padding, wherever it stands;",
    "# move it to the end and pack",
)
IGNORES_MASK = {
    "Conv1D",
    "GlobalMaxPooling1D",
    "MaxPooling1D",
    "AveragePooling1D",
    "Flatten",
    "Reshape",
}


def called(layer: Obj) -> str:
    return "a layer of the script's own" if layer.row == "Custom" else layer.row


def apply_masks(ctx: Context, model: Model, pieces: list[AnyPiece], chain: Chain) -> Chain:
    """Thread the mask of the first Embedding, where a layer behind it uses it.

    Raises:
        NotMigrated: the mask reaches a layer (or the output) where it is not carried.
    """
    flat = [piece for piece in layers_in(pieces) if piece.layer is not None]
    start = next((i for i, p in enumerate(flat) if masked(p.layer)), None)
    if start is None:
        return chain
    if start != 0:
        raise NotMigrated("K2T114", "mask_zero of an Embedding that is not the first layer")
    for piece in flat[1:]:
        layer = piece.layer
        assert layer is not None
        if layer.row in RECURRENT:
            if gives_sequences(layer) or not piece.op.mask:
                raise beyond_packing(layer)
            return packed(ctx, chain, piece)
        if layer.row in IGNORES_MASK:
            return chain
        if layer.row not in PASSES_MASK:
            raise NotMigrated(
                "K2T114", f"the mask of mask_zero reaches {called(layer)}", layer.span
            )
    raise NotMigrated("K2T114", "the mask of mask_zero reaches the loss", model.span)


def gives_sequences(layer: Obj, *others: str) -> bool:
    """Whether a recurrent layer, or the one inside a wrapper, gives more than its last output."""
    inner = t.get(layer.args, "layer")
    args = (inner if isinstance(inner, Obj) else layer).args
    return any(t.flag(args, name) for name in ("return_sequences", *others))


def beyond_packing(layer: Obj) -> NotMigrated:
    message = "return_sequences or its own activations"
    message = f"the mask of mask_zero reaches {layer.row} with {message}"
    return NotMigrated("K2T114", message, layer.span)


def followed(
    model: Model, nodes: Sequence[Node], readers: Mapping[int, Sequence[int]]
) -> dict[int, int]:
    """For each recurrent layer of a graph that uses a mask, the input whose zeros are the padding.

    Raises:
        NotMigrated: a mask reaches something that is not known to use it so or to ignore it.
    """
    found: dict[int, int] = {}
    inputs = {node.id for node in model.inputs}
    for node in nodes:
        layer = node.layer
        if layer is None or not masked(layer):
            continue
        flat = node.in_shapes[0] is not None and len(node.in_shapes[0]) == 1
        if not flat or node.inputs[0] not in inputs or len(readers[node.inputs[0]]) > 1:
            message = "mask_zero of an Embedding that is not the only reader of an input"
            raise NotMigrated("K2T114", message, layer.span)
        end = mask_end(model, nodes, readers, node)
        if end is not None:
            found[end.id] = node.inputs[0]
    return found


def mask_end(
    model: Model, nodes: Sequence[Node], readers: Mapping[int, Sequence[int]], node: Node
) -> Node | None:
    """The recurrent layer behind a masked Embedding; None where the mask is of no use."""
    while True:
        after = [nodes[i] for i in readers[node.id] if i < len(nodes)]
        if node.id in model.outputs or not after:
            raise NotMigrated("K2T114", "the mask of mask_zero reaches an output", model.span)
        if all(n.layer is not None and n.layer.row in IGNORES_MASK for n in after):
            return None
        node, layer = after[0], after[0].layer
        if len(after) > 1 or layer is None or len(node.inputs) > 1:
            raise NotMigrated("K2T114", "the mask of mask_zero reaches several tensors", model.span)
        if layer.row in RECURRENT:
            if gives_sequences(layer, "return_state") or "time_distributed" in layer.args:
                raise beyond_packing(layer)
            return node
        if layer.row not in PASSES_MASK:
            raise NotMigrated(
                "K2T114", f"the mask of mask_zero reaches {called(layer)}", layer.span
            )


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


def masked(layer: Obj | None) -> bool:
    return layer is not None and layer.row == "Embedding" and t.flag(layer.args, "mask_zero")


def packed(ctx: Context, chain: Chain, piece: Piece) -> Chain:
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
    if not found:
        raise NotMigrated("K2T114", "the recurrent layer behind mask_zero was not found")
    return Chain(chain.groups, lines, chain.paths)
