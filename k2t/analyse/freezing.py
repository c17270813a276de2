"""Layers and models that are frozen: ``trainable`` is set, and acts from the next compile on."""

from __future__ import annotations

import ast
from collections.abc import Iterator

from k2t.analyse.interpreter import Interpreter
from k2t.analyse.nesting import has_layer, holder_of, layers_of
from k2t.analyse.state import Event, Frame
from k2t.analyse.statements import Layout
from k2t.analyse.trainable import reach, too_late, trained_by
from k2t.ir.program import Change, Use
from k2t.ir.values import Const, History, ModelRef, Obj, Ref, Tensor, Value


def assign(
    interp: Interpreter, owner: Value, target: ast.Attribute, value: Value, frame: Frame
) -> None:
    """An attribute of a Keras object is set: ``layer.trainable = False``, or what has no rule."""
    if not isinstance(owner, ModelRef | Obj | Tensor | History | Ref):
        return
    if target.attr != "trainable" or not isinstance(owner, ModelRef | Obj):
        interp.unsupported(f"assignment to .{target.attr}", target, frame)
        return
    if isinstance(owner, Obj) and owner.row == "Input":
        return  # an InputLayer has nothing to train
    problem, change = None, None
    holder = next(holders(interp, owner, frame), None)
    if not isinstance(value, Const) or not isinstance(value.value, bool):
        problem = "trainable is set to something that is not known"
    elif holder is None:
        problem = "trainable of a layer that is in no model yet, or in none that is at hand"
    else:
        one = owner if isinstance(owner, Obj) and owner.row != "Model" else None
        layers = frozenset(layer.id for layer in layers_of(interp, interp.models[holder[0]]))
        change = Change(*holder, one, value.value, layers)
    interp.event("trainable", target, frame, change=change, problem=problem, unsure=interp.unsure)


def holders(interp: Interpreter, thing: ModelRef | Obj, frame: Frame) -> Iterator[tuple[int, str]]:
    """The models that have a layer (or are the model), with a variable that holds them here."""
    for state in interp.models.values():
        if state.id == thing.id or (isinstance(thing, Obj) and has_layer(interp, state, thing)):
            held = holder_of(interp, frame, state)
            if held is not None:
                yield state.id, held.text


def uses(interp: Interpreter, layout: Layout) -> Iterator[Use]:
    """One use for each statement, or loop of nothing else, that sets ``trainable``."""
    events = [e for e in interp.events if e.kind == "trainable"]
    places: dict[int, tuple[ast.stmt, list[Event]]] = {}
    for event in events:
        place = outermost_loop(interp, layout, event.stmt)
        places.setdefault(id(place), (place, []))[1].append(event)
    late = too_late(interp) | in_frozen(interp)
    for place, seen in places.values():
        looped = isinstance(place, ast.For)
        first = seen[0]
        problem = next((e["problem"] for e in seen if e["problem"]), None)
        chooses = looped and any(isinstance(n, ast.If) for n in ast.walk(place))
        if chooses:
            seen = [e for e in seen if not e.hypothetical]
        if chooses and not seen and not isinstance(layout.parents.get(id(place)), ast.Module):
            problem = "a loop that sets trainable by a condition is not run here"
        if looped and any(e["unsure"] for e in seen):
            problem = "which layers of a loop are frozen is not known"
        span = interp.spans.of(place)
        changes = tuple(e["change"] for e in seen if e["change"] is not None)
        ways = {way for change in changes for way in trained_by(interp, change)}
        if len(ways) > 1:
            problem = problem or "trainable of layers that fit trains, and train_on_batch too"
        yield Use(
            kind="trainable",
            call=span if looped else interp.spans.of(first.node),
            stmt=span,
            models=tuple(dict.fromkeys(change.model for change in changes)),
            scope=layout.scope(place),
            data={
                "changes": changes,
                "on_batches": ways == {"train_on_batch"},
                "problem": problem or next((late[id(e)] for e in seen if id(e) in late), None),
            },
        )


def outermost_loop(interp: Interpreter, layout: Layout, stmt: ast.stmt) -> ast.stmt:
    """The loop around an assignment that does nothing but set ``trainable``."""
    found = stmt
    current = layout.parents.get(id(stmt))
    while isinstance(current, ast.For | ast.If) and all(map(only_freezes, current.body)):
        if isinstance(current, ast.For) and not read_elsewhere(interp, current):
            found = current
        current = layout.parents.get(id(current))
    return found


def read_elsewhere(interp: Interpreter, loop: ast.For) -> bool:
    """Whether something outside a loop reads what it assigns, its own variable apart."""
    inside = list(ast.walk(loop))
    names = {
        n.id
        for stmt in loop.body
        for n in ast.walk(stmt)
        if isinstance(n, ast.Name) and isinstance(n.ctx, ast.Store)
    }
    outside = {id(n) for n in ast.walk(interp.tree)} - {id(n) for n in inside}
    return any(
        isinstance(n, ast.Name) and n.id in names and isinstance(n.ctx, ast.Load)
        for n in ast.walk(interp.tree)
        if id(n) in outside
    )


def only_freezes(stmt: ast.stmt) -> bool:
    match stmt:
        case ast.Assign(targets=[ast.Attribute(attr="trainable")]):
            return True
        case ast.Assign(targets=[ast.Name()], value=ast.Constant()):
            return True  # a switch that the loop turns over
        case ast.If(body=body, orelse=orelse) | ast.For(body=body, orelse=orelse):
            return all(map(only_freezes, [*body, *orelse]))
        case ast.Pass() | ast.Continue():
            return True
    return False


def in_frozen(interp: Interpreter) -> dict[int, str]:
    """The events (by id) that would train something again of a model that is frozen itself."""
    found: dict[int, str] = {}
    models: dict[int, bool] = {}
    layers: dict[int, bool] = {}
    for event in interp.events:
        change = event.data.get("change")
        if event.kind != "trainable" or change is None or event.hypothetical:
            continue
        thing = change.model if change.layer is None else change.layer.id
        around = [m for m, on in models.items() if not on and m != thing]
        if change.trainable and any(thing in reach(interp, interp.models[m]) for m in around):
            found[id(event)] = "a part of a frozen model is set to train: Keras trains none of it"
        if change.layer is not None:
            layers[thing] = change.trainable
            continue
        models[thing] = change.trainable
        inside = reach(interp, interp.models[thing])
        if change.trainable and interp.dialect == "keras2":
            if any(not layers.get(i, True) or not models.get(i, True) for i in inside):
                found[id(event)] = "in Keras 2 layers that were frozen one by one stay frozen"
        elif interp.dialect != "keras2":
            layers.update(dict.fromkeys(inside, change.trainable))
            models.update({i: change.trainable for i in inside if i in models})
    return found
