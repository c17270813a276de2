"""What the layers of a model have: parameters, statistics of the batch."""

from __future__ import annotations

from typing import TYPE_CHECKING

from k2t.ir.values import Obj
from k2t.lower import text as t
from k2t.lower.applications import NETWORK
from k2t.lower.ops import Context, Op

if TYPE_CHECKING:
    from k2t.lower.model import Draft

NORM = "BatchNormalization"


def has_weights(ctx: Context, draft: Draft, op: Op, layer: Obj) -> bool:
    """Whether a module has parameters: the activation of a layer or its padding has none."""
    wraps = layer.row in ("Model", NETWORK) or "layer" in layer.args
    if not wraps and "weights" not in ctx.row(layer).data:
        return False
    beside = [o for _, o, one in draft.made if one.id == layer.id and (o.params or o.widens)]
    return not beside or op in beside


def normalises(ctx: Context, layer: Obj) -> bool:
    """Whether a layer is, or has, BatchNormalization."""
    if layer.row != NETWORK:
        return layer.row == NORM
    network = str(t.data(layer.args["network"].value))
    return bool(ctx.table.rows["applications"][network].get("norm"))
