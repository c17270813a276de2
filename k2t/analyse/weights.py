"""The weights of a layer as arrays: ``get_weights`` and ``set_weights``."""

from __future__ import annotations

import ast
from collections.abc import Iterator, Mapping, Sequence

from k2t.analyse import arguments
from k2t.analyse.freezing import holders
from k2t.analyse.interpreter import Interpreter
from k2t.analyse.state import Event, Frame, ModelState
from k2t.analyse.statements import Layout
from k2t.ir.program import Use
from k2t.ir.values import NONE, UNKNOWN, Arg, Array, Const, Obj, Value

METHODS = {"get_weights": "", "set_weights": "weights"}
RESETS = ("reset_states", "reset_state")
"""Methods of a recurrent layer that is stateful; ``reset_states`` is a model's, too."""


def call(interp: Interpreter, layer: Obj, name: str, node: ast.Call, frame: Frame) -> Value:
    """``layer.get_weights()``: a list of kernel and bias; ``layer.set_weights(arrays)``."""
    args = arguments.given(interp, node, frame, METHODS.get(name, "").split(), {})
    holder = next(holders(interp, layer, frame), None)
    kind = "reset_layer" if name in RESETS else name
    interp.event(kind, node, frame, layer=layer, holder=holder, args=args)
    if name != "get_weights":
        return NONE
    biased = layer.args.get("use_bias", Arg(Const(True))).value
    count = 1 if biased == Const(False) else 2
    return interp.new_list((Array(None, "float32"),) * count)


def known(layer: Obj, name: str) -> bool:
    """Whether a layer has such a method that is carried over."""
    return name in METHODS or (name in RESETS and "stateful" in layer.args)


def of_model(
    interp: Interpreter, state: ModelState, name: str, node: ast.Call, frame: Frame
) -> Value:
    """``best = model.get_weights()``, and ``model.set_weights(best)`` later."""
    args = arguments.given(interp, node, frame, METHODS[name].split(), {})
    kind = {"get_weights": "get_state", "set_weights": "set_state"}[name]
    interp.event(kind, node, frame, model=state.id, args=args)
    return NONE if name == "set_weights" else UNKNOWN


def states(interp: Interpreter, layout: Layout) -> Iterator[Use]:
    """The weights of whole models that are only kept and put back.

    ``known``: whether the script does no more with them; ``models``: all that they are of.
    """
    events = [e for e in interp.events if e.kind in ("get_state", "set_state")]
    calls = {id(e.node): e for e in events}
    models: dict[str, set[int]] = {}
    names: dict[int, str | None] = {}
    for event in events:
        name = name_of(layout, calls, event)
        names[id(event.node)] = name
        models.setdefault(name or "", set()).add(event["model"])
    seen: set[int] = set()
    for event in events:
        node, name = event.node, names[id(event.node)]
        if id(node) in seen or not isinstance(node, ast.Call):
            continue
        seen.add(id(node))
        together = {e["model"] for e in events if e.node is node} | models.get(name or "-", set())
        inner = calls.get(id(node.args[0])) if node.args else None
        if inner is not None:
            together.add(inner["model"])
        method = node.func
        yield Use(
            kind=event.kind,
            call=interp.spans.of(node),
            stmt=interp.spans.of(event.stmt),
            models=tuple(sorted(together)),
            args=event["args"],
            receiver=interp.spans.of(method.value) if isinstance(method, ast.Attribute) else None,
            scope=layout.scope(node),
            data={"known": name is not None, "kept": name != ""},
        )


def name_of(layout: Layout, calls: Mapping[int, Event], event: Event) -> str | None:
    """The variable that keeps the weights ("": none is needed); None where they are looked into."""
    node = event.node
    assert isinstance(node, ast.Call)
    parent = layout.parents.get(id(node))
    if event.kind == "get_state":
        if isinstance(parent, ast.Call) and id(parent) in calls:
            return ""
        target = parent.targets[0] if isinstance(parent, ast.Assign) else None
    else:
        target = node.args[0] if len(node.args) == 1 else None
        if id(target) in calls:
            return ""
    name = written(target)
    return name if name is not None and only_kept(layout, calls, name) else None


def written(node: ast.AST | None) -> str | None:
    """A variable or an attribute of ``self``, as it is written."""
    match node:
        case ast.Name(id=name):
            return name
        case ast.Attribute(value=ast.Name(id="self"), attr=name):
            return f".{name}"
    return None


def only_kept(layout: Layout, calls: Mapping[int, Event], name: str) -> bool:
    """Whether a variable is only bound to the weights of models (None before there are any), and
    only put back into models."""
    for node in ast.walk(layout.interp.tree):
        parent = layout.parents.get(id(node))
        match node:
            case ast.Name(id=found, ctx=context) if found == name:
                pass
            case ast.Attribute(attr=found, ctx=context) if f".{found}" == name:
                pass
            case ast.arg(arg=found) if found == name:
                return False
            case _:
                continue
        assert isinstance(node, ast.Name | ast.Attribute)
        if isinstance(context, ast.Load):
            back = id(parent) in calls and calls[id(parent)].kind == "set_state"
            if not back and not asks_for_none(parent):
                return False
            continue
        value = parent.value if isinstance(parent, ast.Assign) else None
        none = isinstance(value, ast.Constant) and value.value is None
        if not none and (id(value) not in calls or calls[id(value)].kind != "get_state"):
            return False
    return True


def asks_for_none(node: ast.AST | None) -> bool:
    """``best is None``."""
    match node:
        case ast.Compare(ops=[ast.Is() | ast.IsNot()], comparators=[ast.Constant(value=None)]):
            return True
    return False


def loop_of_resets(layout: Layout, stmt: ast.stmt) -> ast.For | None:
    """``for layer in model.layers:`` around ``layer.reset_states()`` of those that have it."""
    place = layout.parents.get(id(stmt))
    if isinstance(place, ast.If) and len(place.body) == 1 and not place.orelse:
        match place.test:
            case (
                ast.Call(
                    func=ast.Name(id="hasattr" | "getattr"), args=[_, ast.Constant(value=name), *_]
                )
                | ast.Attribute(attr=name)
            ) if name in ("stateful", *RESETS):
                place = layout.parents.get(id(place))
    match place:
        case ast.For(iter=ast.Attribute(attr="layers"), body=[_], orelse=[]):
            return place
    return None


def reset_of_all(interp: Interpreter, layout: Layout, loop: ast.For, seen: Sequence[Event]) -> Use:
    """The loop as the method of a model that does the same."""
    assert isinstance(loop.iter, ast.Attribute)
    span = interp.spans.of(loop)
    holders = [event["holder"] for event in seen if event["holder"] is not None]
    return Use(
        kind="reset_states",
        call=span,
        stmt=span,
        models=tuple(dict.fromkeys(model for model, _ in holders)),
        receiver=interp.spans.of(loop.iter.value),
        scope=layout.scope(loop),
        alone=True,
        data={"layers": True},
    )


def uses(interp: Interpreter, layout: Layout) -> Iterator[Use]:
    """One use for each call, with every layer that it was for."""
    places: dict[int, list[Event]] = {}
    for event in interp.events:
        if event.kind in (*METHODS, "reset_layer"):
            places.setdefault(id(event.node), []).append(event)
    for seen in places.values():
        first = seen[0]
        stmt = first.stmt
        loop = loop_of_resets(layout, stmt) if first.kind == "reset_layer" else None
        if loop is not None:
            yield reset_of_all(interp, layout, loop, seen)
            continue
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
