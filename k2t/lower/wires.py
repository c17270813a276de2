"""Tensors in a ``forward`` that is being written: text, layout, and how wide they are."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

from k2t.ir.finding import NotMigrated
from k2t.ir.nodes import Node
from k2t.ir.values import Obj, Shape, Tuple, as_int
from k2t.lower import text as t
from k2t.lower.brackets import bracketed
from k2t.lower.pieces import NAMES, TO_FIRST, TO_LAST
from k2t.table import Row

WORD = re.compile(r"(?<![\w.\"'])[A-Za-z_]\w*")


class Lost(Exception):
    """The structure of a model cannot be kept: it is lowered again, layer by layer."""

    def __init__(self, model: int, reason: str) -> None:
        super().__init__(reason)
        self.model = model
        self.reason = reason


class NotKept(Exception):
    """The structure of the script cannot be kept at some place; the message says why."""


@dataclass(frozen=True)
class Wire:
    """A tensor: the expression that holds it; ``width`` is its last axis as ``__init__`` has it."""

    text: str
    layout: str = "last"
    rank: int | None = None
    width: str | None = None


@dataclass(frozen=True)
class Bundle:
    """A list of tensors; ``items`` while it is known, else ``widths`` names their widths' list."""

    text: str
    items: tuple[Wire, ...] | None = ()
    widths: str | None = None
    layout: str = "last"
    rank: int | None = None


def words(text: str) -> set[str]:
    """The variables that a piece of code reads."""
    return set(WORD.findall(text))


def factor(text: str) -> str:
    """Brackets where a product would tear a sum apart."""
    return f"({text})" if any(c in text for c in "+-/%") else text


def converted(wire: Wire, wanted: str) -> tuple[str, str]:
    """The expression for a tensor in another layout, and the remark about it."""
    if wire.rank not in TO_FIRST:
        raise NotKept("a tensor's number of axes is not known")
    last, first = NAMES[wire.rank]
    if wanted == "first":
        return bracketed(wire.text) + TO_FIRST[wire.rank], f"{last} -> {first}"
    return bracketed(wire.text) + TO_LAST[wire.rank], f"{first} -> {last}"


def aligned(wires: Sequence[Wire]) -> tuple[list[str], str, int | None]:
    """Expressions for several tensors in one layout."""
    layouts = {w.layout for w in wires if (w.rank or 0) > 1}
    layout = "first" if layouts == {"first"} else "last"
    texts = [
        converted(w, layout)[0] if w.layout != layout and (w.rank or 0) > 1 else w.text
        for w in wires
    ]
    return texts, layout, wires[0].rank


def argument(layer: Obj, name: str) -> str | None:
    try:
        return t.text(t.get(layer.args, name))
    except NotMigrated:
        return None


KEEP_WIDTH = (
    "same",
    "pad",
    "crop",
    "pool",
    "adaptive",
    "upsample",
    "resizing",
    "global_pool",
    "repeat",
)


def width_after(row: Row, layer: Obj, width: str | None, node_in: Shape | None) -> str | None:
    """The last axis behind a layer, as an expression of ``__init__``; None where none is known."""
    kind = row.get("shape", "same")
    if kind in KEEP_WIDTH:
        return width
    named = {
        "units": "units",
        "conv": "filters",
        "conv_transpose": "filters",
        "embedding": "output_dim",
        "conv_lstm": "filters",
        "rnn": "units",
        "tokens": "num_tokens",
    }
    if kind in named:
        return argument(layer, named[kind])
    if kind == "depthwise" and width is not None:
        times = argument(layer, "depth_multiplier")
        return width if times in (None, "1") else f"{factor(times)} * {factor(width)}"
    if kind == "bidirectional":
        inner = t.get(layer.args, "layer")
        units = argument(inner, "units") if isinstance(inner, Obj) else None
        twice = t.data(t.get(layer.args, "merge_mode")) == "concat"
        return f"2 * {factor(units)}" if units and twice else units
    if kind == "flatten" and node_in is not None and width is not None:
        sizes = [as_int(d) for d in node_in[:-1]]
        if None in sizes:
            return None
        return " * ".join([*(str(s) for s in sizes if s != 1), factor(width)])
    if kind == "reshape":
        target = t.get(layer.args, "target_shape")
        last = target.items[-1] if isinstance(target, Tuple) else None
        return t.text(last) if last is not None and as_int(last) not in (None, -1) else None
    return None


def own_width(seen: Sequence[Node], width: str | None) -> str | None:
    """The last axis behind a layer of the script's own: as before, or always one number."""
    pairs = {
        (as_int(n.in_shapes[0][-1]) if n.in_shapes[0] else None, as_int(n.shape[-1]))
        for n in seen
        if n.shape
    }
    outs = {out for _, out in pairs}
    if pairs and all(one == other is not None for one, other in pairs):
        return width
    number = outs.pop() if len(outs) == 1 else None
    return str(number) if number is not None else None


def merged_width(widths: Sequence[str | None]) -> str | None:
    """The width of a sum: what the author says outright rather than what came in."""
    known = [w for w in widths if w is not None]
    plain = [w for w in known if not w.startswith("in_")]
    return next(iter(plain or known), None)


def concatenated_width(widths: Sequence[str | None]) -> str | None:
    if any(w is None for w in widths):
        return None
    return " + ".join(w for w in widths if w is not None)


def of_module(width: str | None, callee: str) -> str | None:
    """A width that a module itself knows (``@.out_channels``), asked of the module."""
    if width is None or "@" not in width:
        return width
    return width.replace("@", callee) if callee.startswith("self.") else None
