"""One step of a chain of layers, and what is known of the tensor that flows through."""

from __future__ import annotations

from dataclasses import dataclass

from k2t.ir.program import Branch, Loop, Plain
from k2t.ir.values import Obj
from k2t.lower.ops import Op

TO_FIRST = {
    2: ".transpose(1, 2)",
    3: ".permute(0, 3, 1, 2)",
    4: ".permute(0, 4, 1, 2, 3)",
    5: ".permute(0, 5, 1, 2, 3, 4)",
}


TO_LAST = {
    2: ".transpose(1, 2)",
    3: ".permute(0, 2, 3, 1)",
    4: ".permute(0, 2, 3, 4, 1)",
    5: ".permute(0, 2, 3, 4, 5, 1)",
}


NAMES = {
    2: ("NLC", "NCL"),
    3: ("NHWC", "NCHW"),
    4: ("NDHWC", "NCDHW"),
    5: ("NTDHWC", "NCTDHW"),
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
