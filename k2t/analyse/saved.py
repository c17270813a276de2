"""``load_model``: which model of the script a file holds, and how another one like it is made."""

from __future__ import annotations

import ast
from typing import TYPE_CHECKING

from k2t.analyse import arguments
from k2t.analyse.state import Frame, ModelState
from k2t.ir.source import Span
from k2t.ir.values import UNKNOWN, Arg, Const, ModelRef, Obj, Value

if TYPE_CHECKING:
    from k2t.analyse.interpreter import Interpreter

SIGNATURE = ["filepath", "custom_objects", "compile", "safe_mode"]


def load_model(interp: Interpreter, node: ast.Call, frame: Frame) -> Value:
    """Another instance of the class of the model that the script saved in the file.

    A file that the script does not save holds the only class there is.
    """
    args = arguments.given(interp, node, frame, SIGNATURE, {})
    file = args.get("filepath", Arg(UNKNOWN))
    holders = [model for path, model in saved(interp) if same(interp, path, file)]
    models = holders or list(interp.models)
    classes = {id(interp.models[model].node) for model in models}
    if len(classes) != 1:
        interp.event("load_model", node, frame, args=args)
        return UNKNOWN
    model = interp.models[models[-1]]
    told = {"like": like(interp, models, frame), "steady": steady(interp, model, frame)}
    interp.event("load_model", node, frame, args=args, model=model.id, saved=bool(holders), **told)
    return ModelRef(model.id)


def saved(interp: Interpreter) -> list[tuple[Arg, int]]:
    """The files that the script has written up to here, with the models in them."""
    found: list[tuple[Arg, int]] = []
    for event in interp.events:
        args = event.data.get("args")
        if event.kind == "save" and isinstance(args, dict) and "filepath" in args:
            found.append((args["filepath"], event["model"]))
        if event.kind == "fit" and isinstance(args, dict) and "callbacks" in args:
            for callback in interp.items(args["callbacks"].value) or ():
                if isinstance(callback, Obj) and callback.row == "ModelCheckpoint":
                    found.append((callback.args["filepath"], event["model"]))
    return found


def same(interp: Interpreter, one: Arg, two: Arg) -> bool:
    """Whether two paths are the same: by their values, else by their text."""
    if isinstance(one.value, Const) and isinstance(two.value, Const):
        return one.value.value == two.value.value
    if one.span is None or two.span is None:
        return False
    return interp.source.slice(one.span) == interp.source.slice(two.span)


def like(interp: Interpreter, models: list[int], frame: Frame) -> tuple[Span, Span] | None:
    """The call of a builder (function, whole) that makes such a model and still means the same.

    None where no builder makes it, or where its arguments are other ones by now.
    """
    calls = [
        c for c in interp.invocations for m in set(models) if c.frame == interp.models[m].frame.id
    ]
    if not calls or len({ast.dump(call.node) for call in calls}) != 1:
        return None
    call, caller = calls[0].node, interp.frames[calls[0].caller]
    for argument in (*call.args, *(keyword.value for keyword in call.keywords)):
        for name in ast.walk(argument):
            if isinstance(name, ast.Name) and not means_the_same(name.id, caller, frame):
                return None
    return interp.span(call.func), interp.span(call)


def means_the_same(name: str, one: Frame, two: Frame) -> bool:
    """Whether a variable is the same in two frames, and was bound once."""
    owner = one.owner(name)
    return owner is two.owner(name) and (owner is None or owner.versions.get(name, 0) <= 1)


def steady(interp: Interpreter, model: ModelState, frame: Frame) -> frozenset[str]:
    """The variables around a model that mean here what they mean there."""
    names = {*model.frame.versions, *interp.module.versions}
    return frozenset(name for name in names if means_the_same(name, model.frame, frame))
