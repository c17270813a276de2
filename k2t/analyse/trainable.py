"""What ``trainable`` comes to: it acts from the next compile on, by the order of events."""

from __future__ import annotations

from collections.abc import Set

from k2t.analyse.interpreter import Interpreter
from k2t.analyse.nesting import layers_of
from k2t.analyse.sources import comments_above
from k2t.analyse.state import Event, ModelState
from k2t.ir.program import Change
from k2t.ir.values import Obj

FOLLOWS = {"keras2": ("fit",), "tf_keras": ("fit",), "keras3": ("fit", "train_on_batch")}
"""Where ``trainable`` must not have changed since compile: steps on batches are sure in Keras 2."""


def too_late(interp: Interpreter) -> dict[int, str]:
    """The events (by id) that set ``trainable`` between a compile and the fit it was for."""
    found: dict[int, str] = {}
    compiled: set[int] = set()
    given: dict[int, object] = {}
    waiting: dict[int, list[Event]] = {}
    for event in interp.events:
        model = event.data.get("model")
        if event.kind == "compile" and isinstance(model, int):
            made = event["args"].get("optimizer")
            if made is not None and isinstance(made.value, Obj) and made == given.get(model):
                why = "trainable is set, and the optimizer that is compiled in again is an old one"
                found.update({id(late): why for late in waiting[model]})
            given[model], waiting[model] = made, []
            compiled.add(model)
        elif event.kind == "trainable" and event["change"] is not None and not event.hypothetical:
            changed = reach_of(interp, event["change"])
            for other in compiled:
                if changed & reach(interp, interp.models[other]):
                    waiting[other].append(event)
        elif event.kind in FOLLOWS[interp.dialect] and isinstance(model, int):
            for late in waiting.get(model, ()):
                found[id(late)] = LATE[event.kind]
    return found


LATE = {
    "fit": "trainable is set after compile: without another compile the fit does not follow it in "
    "Keras 2, and in Keras 3 only if it is the first",
    "train_on_batch": "trainable is set after compile: in Keras 3 train_on_batch follows it, and "
    "trains nothing of what is frozen; in Keras 2 it does not (if that is meant, say --dialect "
    "tf_keras)",
}


def frozen_at(interp: Interpreter, compiled: Event) -> frozenset[int]:
    """The models and layers that do not train when a model is compiled."""
    trains: dict[int, bool] = {}
    for event in interp.events:
        if event is compiled:
            break
        change = event.data.get("change")
        if event.kind == "trainable" and change is not None and not event.hypothetical:
            trains.update(dict.fromkeys(reach_of(interp, change), change.trainable))
    return frozenset(one for one, on in trains.items() if not on)


def spent(interp: Interpreter, event: Event) -> bool:
    """Whether ``trainable`` says no more than which parameters an optimizer gets."""
    change = event.data.get("change")
    if change is None or trained_by(interp, change) != {"train_on_batch"}:
        return False
    return id(event) not in too_late(interp)


def said(interp: Interpreter, frozen: Set[int]) -> tuple[str, ...]:
    """The comments above the statements that froze what an optimizer does not get."""
    found = [
        comments_above(interp, event.stmt)
        for event in interp.events
        if spent(interp, event) and reach_of(interp, event["change"]) & frozen
    ]
    return tuple(dict.fromkeys(line for lines in found for line in lines))


def trained_by(interp: Interpreter, change: Change) -> set[str]:
    """How the models are trained that have what is frozen or not: fit, train_on_batch."""
    changed = reach_of(interp, change)
    return {
        event.kind
        for event in interp.events
        if event.kind in ("fit", "train_on_batch")
        and changed & reach(interp, interp.models[event["model"]])
    }


def reach(interp: Interpreter, state: ModelState) -> set[int]:
    """A model, its layers, its parts and theirs."""
    found = {state.id}
    for layer in layers_of(interp, state):
        found.add(layer.id)
        if layer.row == "Model":
            found |= reach(interp, interp.models[layer.id])
    return found


def reach_of(interp: Interpreter, change: Change) -> set[int]:
    if change.layer is not None:
        return {change.layer.id}
    return reach(interp, interp.models[change.model])
