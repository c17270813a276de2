"""Masks from Embedding(mask_zero=True): followed to the recurrent layer that uses them."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from k2t.ir.finding import NotMigrated
from k2t.ir.program import Model
from k2t.ir.torch import Line
from k2t.ir.values import Obj
from k2t.lower import text as t
from k2t.lower.groups import Chain
from k2t.lower.ops import Context
from k2t.lower.pieces import PASSES_MASK, AnyPiece, BlockPiece, Piece

RECURRENT = ("LSTM", "GRU", "SimpleRNN", "Bidirectional")
IGNORES_MASK = {
    "Conv1D",
    "GlobalMaxPooling1D",
    "MaxPooling1D",
    "AveragePooling1D",
    "Flatten",
    "Reshape",
}


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
            inner = t.get(layer.args, "layer")
            sequences = t.flag(
                (inner if isinstance(inner, Obj) else layer).args, "return_sequences"
            )
            if sequences or not piece.op.mask:
                raise NotMigrated(
                    "K2T114",
                    f"the mask of mask_zero reaches {layer.row} with "
                    "return_sequences or its own activations",
                    layer.span,
                )
            return packed(ctx, chain, piece)
        if layer.row in IGNORES_MASK:
            return chain
        if layer.row not in PASSES_MASK:
            raise NotMigrated("K2T114", f"the mask of mask_zero reaches {layer.row}", layer.span)
    raise NotMigrated("K2T114", "the mask of mask_zero reaches the loss", model.span)


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
    lines: list[Line] = [
        Line(
            "padding = x == 0",
            comments=(
                "# mask_zero: the recurrent layer skips padding, wherever it stands;",
                "# move it to the end and pack",
            ),
        ),
        Line("x = x.gather(1, padding.int().argsort(dim=1, stable=True))"),
        Line("lengths = (~padding).sum(1).cpu()"),
    ]
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
