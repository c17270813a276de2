"""Callbacks of the script's own: what the methods are that Keras calls, and what they read."""

from __future__ import annotations

import ast
from collections.abc import Iterator

from k2t.analyse.interpreter import Interpreter
from k2t.analyse.sources import is_docstring
from k2t.ir.program import Hook
from k2t.ir.source import Span
from k2t.ir.values import Instance, Obj, Value

BASE = "keras.callbacks.Callback"
ROW = "Callback"
NAMES = {
    "on_epoch_begin": "epoch",
    "on_epoch_end": "epoch",
    "on_train_batch_begin": "batch",
    "on_train_batch_end": "batch",
    "on_batch_begin": "batch",
    "on_batch_end": "batch",
    "on_train_begin": None,
    "on_train_end": None,
}
"""The methods that are carried over, and what they are told besides the logs."""


def as_callback(value: Value) -> Value:
    """An object of a class of the script's own as one of the callbacks that have a row."""
    if isinstance(value, Instance) and value.keras_base == BASE:
        return Obj(value.id, ROW, {}, Span(0, 0), Span(0, 0))
    return value


def hooks(interp: Interpreter, cls: ast.ClassDef) -> tuple[tuple[Hook, ...], str | None]:
    """The methods that Keras calls, and what of the class is not carried over, if anything."""
    methods = [item for item in cls.body if isinstance(item, ast.FunctionDef)]
    found = [hook(interp, m) for m in methods if m.name.startswith("on_")]
    problem = next((h.problem for h in found if h.problem is not None), None)
    stops = {span for h in found for span in h.stops}
    for node in ast.walk(cls):
        if not is_own(node, ("model", "params", "validation_data")):
            continue
        assert isinstance(node, ast.Attribute)
        if not any(interp.spans.of(node) in span for span in stops):
            problem = problem or f"self.{node.attr} of a callback"
    if not all(isinstance(item, ast.FunctionDef) or is_docstring(item) for item in cls.body):
        problem = problem or "a callback with more than methods"
    return tuple(found), problem


def hook(interp: Interpreter, method: ast.FunctionDef) -> Hook:
    """One method: its parameters by what they are told."""
    spans, text = interp.spans, interp.source.text
    names = [a.arg for a in method.args.args]
    first = next((s for s in method.body if not is_docstring(s)), method.body[-1])
    told = NAMES.get(method.name, "")
    wanted = 1 if told is None else 2
    problem = None
    plain = not (method.args.kwonlyargs or method.args.kwarg or method.args.vararg)
    if told == "" or method.decorator_list:
        problem = f"{method.name} of a callback"
    elif not plain or len(names) not in (wanted, wanted + 1):
        problem = f"the parameters of {method.name}"
    stops = tuple(stopped(interp, method))
    if stops and told == "batch":
        problem = problem or f"stop_training in {method.name}"
    start = text.index(method.name, spans.of(method).start)
    last = method.args.defaults[-1] if method.args.defaults else method.args.args[-1]
    end = text.index(")", spans.of(last).end if names else start) + 1
    read = {
        n.id for n in ast.walk(method) if isinstance(n, ast.Name) and isinstance(n.ctx, ast.Load)
    }
    calls = [ast.unparse(n.func) for n in ast.walk(method) if isinstance(n, ast.Call)]
    if any(call.startswith("super()") for call in calls):
        problem = problem or f"super() in {method.name}"
    number = names[1] if told is not None and len(names) > 1 else None
    logs = names[wanted] if len(names) > wanted else None
    if told == "batch" and logs in read:
        problem = problem or f"logs in {method.name}: Keras gives means of the epoch so far"
    return Hook(
        method.name,
        Span(start, end),
        spans.of(first),
        number,
        logs if logs in read else None,
        stops,
        frozenset(read),
        problem,
    )


def stopped(interp: Interpreter, method: ast.FunctionDef) -> Iterator[Span]:
    """``self.model.stop_training = True``."""
    for node in ast.walk(method):
        match node:
            case ast.Assign(
                targets=[ast.Attribute(value=owner, attr="stop_training")],
                value=ast.Constant(value=True),
            ) if is_own(owner, ("model",)):
                yield interp.spans.of(node)


def is_own(node: ast.AST, attributes: tuple[str, ...]) -> bool:
    """``self.model`` and the like."""
    return (
        isinstance(node, ast.Attribute)
        and isinstance(node.value, ast.Name)
        and node.value.id == "self"
        and node.attr in attributes
    )
