"""The softmax or sigmoid that a layer of the script's own ends in; Keras finds its logits."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from k2t.ir.values import NONE, Arg, Const, Obj, Ref, Tensor, Value

if TYPE_CHECKING:
    from k2t.analyse.interpreter import Interpreter


def with_tail(interp: Interpreter, layer: Obj) -> Obj:
    """A layer that is known to end in a softmax or sigmoid says so."""
    if layer.id not in interp.tails:
        return layer
    return replace(layer, args={**layer.args, "tail": Arg(Const(interp.tails[layer.id]))})


def tail_of(interp: Interpreter, result: Value) -> str | None:
    """The softmax or sigmoid that a tensor comes out of."""
    made = interp.graph[result.node] if isinstance(result, Tensor) else None
    name = made.operation.row.rpartition(".")[2] if made is not None and made.operation else ""
    if made is not None and made.layer is not None:
        layer = made.layer
        if layer.row == "Chain" and interp.bodies.get(made.id):
            layer = interp.bodies[made.id][-1][0]
        given = layer.args.get("tail") or layer.args.get("activation") or Arg(NONE)
        name = "softmax" if layer.row == "Softmax" else word(given.value)
    return name if name in ("softmax", "sigmoid") else None


def word(value: Value) -> str:
    """An activation's name."""
    if isinstance(value, Ref):
        return value.path.rpartition(".")[2]
    return str(value.value) if isinstance(value, Const) else ""
