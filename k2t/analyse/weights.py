"""The weights of a layer as arrays: ``get_weights`` and ``set_weights``."""

from __future__ import annotations

import ast
from collections.abc import Iterator

from k2t.analyse import arguments
from k2t.analyse.freezing import holders
from k2t.analyse.interpreter import Interpreter
from k2t.analyse.state import Event, Frame
from k2t.analyse.statements import Layout
from k2t.ir.program import Use
from k2t.ir.values import NONE, Arg, Array, Const, Obj, Value

METHODS = {"get_weights": "", "set_weights": "weights"}


def call(interp: Interpreter, layer: Obj, name: str, node: ast.Call, frame: Frame) -> Value:
    """``layer.get_weights()``: a list of kernel and bias; ``layer.set_weights(arrays)``."""
    args = arguments.given(interp, node, frame, METHODS[name].split(), {})
    holder = next(holders(interp, layer, frame), None)
    interp.event(name, node, frame, layer=layer, holder=holder, args=args)
    if name == "set_weights":
        return NONE
    biased = layer.args.get("use_bias", Arg(Const(True))).value
    count = 1 if biased == Const(False) else 2
    return interp.new_list((Array(None, "float32"),) * count)


def uses(interp: Interpreter, layout: Layout) -> Iterator[Use]:
    """One use for each call, with every layer that it was for."""
    places: dict[int, list[Event]] = {}
    for event in interp.events:
        if event.kind in METHODS:
            places.setdefault(id(event.node), []).append(event)
    for seen in places.values():
        first = seen[0]
        stmt = first.stmt
        things = {e["layer"].id: (e["holder"], e["layer"]) for e in seen}
        yield Use(
            kind=first.kind,
            call=interp.spans.of(first.node),
            stmt=interp.spans.of(stmt),
            models=tuple(dict.fromkeys(h[0] for h, _ in things.values() if h is not None)),
            args=first["args"],
            scope=layout.scope(first.node),
            how=layout.how(first.node, stmt),
            data={"things": tuple(things.values())},
        )
