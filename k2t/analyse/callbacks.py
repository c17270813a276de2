"""Callbacks: objects that stay in the script, and which of them each fit is given."""

from __future__ import annotations

import ast
from collections.abc import Mapping
from typing import Any

from k2t.analyse import hooks
from k2t.analyse.interpreter import Interpreter
from k2t.analyse.state import Frame
from k2t.ir.program import Run
from k2t.ir.values import NONE, UNKNOWN, Arg, Function, ListRef, Obj, Tuple, Value


def is_callback(interp: Interpreter, value: Value) -> bool:
    value = hooks.as_callback(interp, value)
    return isinstance(value, Obj) and value.row in interp.table.section("callbacks")


def holds_callbacks(interp: Interpreter, value: Value) -> bool:
    """Whether a value is a callback, or a list with one in it."""
    if isinstance(value, Tuple | ListRef):
        return any(is_callback(interp, item) for item in interp.items(value) or [])
    return is_callback(interp, value)


TOLD = ("stopped_epoch", "best", "best_epoch", "wait")
"""What an EarlyStopping tells of a training."""


def told(
    interp: Interpreter, owner: Value, attr: str, node: ast.Attribute, frame: Frame
) -> Value | None:
    """What a script reads of a callback, if it is carried over."""
    if not isinstance(owner, Obj) or owner.row != "EarlyStopping" or attr not in TOLD:
        return None
    interp.event("told", node, frame, obj=owner, attr=attr)
    return UNKNOWN


def run(interp: Interpreter, args: Mapping[str, Arg]) -> Run | None:
    """The callbacks that a fit is given; None where they are not all known."""
    value = args["callbacks"].value if "callbacks" in args else NONE
    items = [] if value == NONE else interp.items(value)
    if is_callback(interp, value):
        items = [value]
    if items is None or not all(is_callback(interp, item) for item in items):
        return None
    made = (hooks.as_callback(interp, item) for item in items)
    found = tuple(one for one in made if isinstance(one, Obj))
    place = value.id if isinstance(value, ListRef) else None
    fresh = frozenset(
        event["obj"].id
        for event in interp.events
        if event.kind == "callback" and event["iteration"] == interp.iteration
    )
    return Run(found, place, interp.iteration, fresh)


def follow(interp: Interpreter, args: Mapping[str, Arg], model: int, frame: Frame) -> None:
    """What callbacks of the script's own do with the model that a fit trains."""
    value = args["callbacks"].value if "callbacks" in args else NONE
    hooks.follow(interp, interp.items(value) or [value], model, frame)


def functions(interp: Interpreter, args: Mapping[str, Arg]) -> dict[str, Any]:
    """The functions that a callback calls: where they stand, and what a schedule's takes."""
    given = [arg.value for arg in args.values() if isinstance(arg.value, Function)]
    nodes = [interp.definitions[one.index][0] for one in given]
    return {"takes": takes(interp, args), "functions": tuple(map(interp.spans.of, nodes))}


def takes(interp: Interpreter, args: Mapping[str, Arg]) -> int | None:
    """With how many arguments the function of a schedule may be called."""
    value = args["schedule"].value if "schedule" in args else None
    if not isinstance(value, Function):
        return None
    node, _ = interp.definitions[value.index]
    if not isinstance(node, ast.FunctionDef | ast.Lambda) or node.args.vararg is not None:
        return None
    return len(node.args.posonlyargs) + len(node.args.args)
