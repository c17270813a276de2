"""Callbacks of the script's own: what the methods are that Keras calls, and what they read."""

from __future__ import annotations

import ast
from collections.abc import Sequence

from k2t.analyse import calls
from k2t.analyse.custom import lineage
from k2t.analyse.interpreter import Interpreter
from k2t.analyse.reached import is_own, reached
from k2t.analyse.sources import is_docstring
from k2t.analyse.state import Frame
from k2t.ir.program import Hook, OwnCallback
from k2t.ir.source import Span
from k2t.ir.values import UNKNOWN, Arg, Class, Instance, ModelRef, Obj, Sym, Tuple, Value

BASE = "keras.callbacks.Callback"
ROW = "Callback"
NAMES = {
    "on_train_begin": None,
    "on_epoch_begin": "epoch",
    "on_train_batch_begin": "batch",
    "on_batch_begin": "batch",
    "on_train_batch_end": "batch",
    "on_batch_end": "batch",
    "on_test_begin": None,
    "on_test_batch_begin": "batch",
    "on_test_batch_end": "batch",
    "on_test_end": None,
    "on_epoch_end": "epoch",
    "on_train_end": None,
    "on_predict_begin": None,
    "on_predict_batch_begin": "batch",
    "on_predict_batch_end": "batch",
    "on_predict_end": None,
}
"""The methods that are carried over, and what they are told besides the logs."""

STOPS_IN = ("on_epoch_end", "on_train_batch_end", "on_batch_end")
TAKEN = (
    "setup",
    "teardown",
    "state_dict",
    "load_state_dict",
    "state_key",
    "set_model",
    "set_params",
)
"""Methods that Lightning or Keras calls by these names."""

ALONE = ("fit", "compile", "train_on_batch", "trainable", "add")
"""What is not carried over where a callback does it."""


def as_callback(interp: Interpreter, value: Value) -> Value:
    """An object of a class of the script's own as one of the callbacks that have a row."""
    if isinstance(value, Instance) and value.keras_base == BASE:
        classes = Tuple(tuple(map(Class, lineage(interp, value.cls))))
        return Obj(value.id, ROW, {"class": Arg(classes)}, Span(0, 0), Span(0, 0))
    return value


def follow(interp: Interpreter, items: Sequence[Value], model: int, frame: Frame) -> None:
    """What the callbacks of a fit do with its model: their methods, as Keras calls them."""
    for value in items:
        if not isinstance(value, Instance) or value.keras_base != BASE:
            continue
        interp.attributes.setdefault(value.id, {})["model"] = ModelRef(model)
        for name, told in NAMES.items():
            since = len(interp.events)
            number = [Sym(type="int")] if told is not None else []
            calls.call_method(interp, value, name, [*number, UNKNOWN])
            done, interp.events[since:] = interp.events[since:], []
            for event in done:
                if event.kind in ALONE or (event.kind == "evaluate" and "batch" in name):
                    interp.unsupported(f"{event.kind} in {name} of a callback", event.node, frame)
                else:
                    event.data["called_back"] = name
                    interp.events.append(event)


def own_callback(interp: Interpreter, cls: ast.ClassDef, index: int) -> OwnCallback:
    """The methods that Keras calls, and what of the class is not carried over, if anything."""
    methods = [item for item in cls.body if isinstance(item, ast.FunctionDef)]
    found = [hook(interp, m) for m in methods if m.name.startswith("on_")]
    others = [m for m in methods if not m.name.startswith("on_")]
    problem = next((h.problem for h in found if h.problem is not None), None)
    if any(is_own(node, ("validation_data",)) for node in ast.walk(cls)):
        problem = problem or "self.validation_data of a callback"
    kinds = ast.FunctionDef | ast.Assign | ast.AnnAssign | ast.Pass
    if not all(isinstance(item, kinds) or is_docstring(item) for item in cls.body):
        problem = problem or "a callback with more than methods"
    taken = next((m.name for m in others if m.name in TAKEN), None)
    if taken is not None:
        problem = problem or f"{taken} of a callback"
    above = interp.keras.parents.get(index) is not None
    named = [base for base in cls.bases if ast.unparse(base).endswith("Callback")]
    if not above and len(named) != 1:
        problem = problem or "a callback under another name"
    return OwnCallback(
        index,
        tuple(found),
        tuple(reached(interp, m) for m in others),
        () if above else tuple(map(interp.spans.of, named)),
        top(interp, methods),
        problem,
        tuple(interp.spans.of(node) for node in ast.walk(cls) if is_super(node)),
    )


def is_super(node: ast.AST) -> bool:
    """``super(keras.callbacks.Callback, self)``."""
    match node:
        case ast.Call(func=ast.Name(id="super"), args=[cls, ast.Name()]):
            return ast.unparse(cls).rpartition(".")[2] == "Callback"
    return False


def top(interp: Interpreter, methods: Sequence[ast.FunctionDef]) -> Span | None:
    """Where a method can be put in: before the first that Keras calls and its comments."""
    called = [m for m in methods if m.name in NAMES] or [m for m in methods if m.name != "__init__"]
    if not called:
        return None
    span, text = interp.spans.of(called[0]), interp.source.text
    start, indent = span.start, interp.source.column_of(span.start) - 1
    while line := text.rfind("\n", 0, start - indent - 1) + 1:
        if not text[line:start].lstrip(" ").startswith("#"):
            break
        start = line + indent
    return Span(start, span.end)


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
    done = reached(interp, method)
    if done.stops and method.name not in STOPS_IN:
        problem = problem or f"stop_training in {method.name}"
    start = text.index(method.name, spans.of(method).start)
    last = method.args.defaults[-1] if method.args.defaults else method.args.args[-1]
    end = text.index(")", spans.of(last).end if names else start) + 1
    read = {
        n.id for n in ast.walk(method) if isinstance(n, ast.Name) and isinstance(n.ctx, ast.Load)
    }
    callees = [ast.unparse(n.func) for n in ast.walk(method) if isinstance(n, ast.Call)]
    if any(callee.startswith("super()") for callee in callees):
        problem = problem or f"super() in {method.name}"
    number = names[1] if told is not None and len(names) > 1 else None
    logs = names[wanted] if len(names) > wanted else None
    if any(puts(node, logs) for node in ast.walk(method)):
        problem = problem or f"what {method.name} puts into the logs, for other callbacks,"
    return Hook(
        method.name,
        Span(start, end),
        spans.of(first),
        number,
        logs if logs in read else None,
        keys(method, logs),
        done,
        frozenset(read),
        problem,
    )


def puts(node: ast.AST, logs: str | None) -> bool:
    """Whether something is put into the logs: Keras hands the same dict to all callbacks."""
    match node:
        case ast.Subscript(value=ast.Name(id=name), ctx=ast.Store()):
            return name == logs
        case ast.Call(func=ast.Attribute(value=ast.Name(id=name), attr="update" | "setdefault")):
            return name == logs
    return False


def keys(method: ast.FunctionDef, logs: str | None) -> tuple[str, ...] | None:
    """The keys by which a method reads its logs; None where it does more with them."""
    found: list[str] = []
    reads = [n for n in ast.walk(method) if isinstance(n, ast.Name) and n.id == logs]
    for node in ast.walk(method):
        match node:
            case (
                ast.Subscript(value=ast.Name(id=name), slice=ast.Constant(value=str(key)))
                | ast.Call(
                    func=ast.Attribute(value=ast.Name(id=name), attr="get"),
                    args=[ast.Constant(value=str(key)), *_],
                )
            ) if name == logs:
                found.append(key)
    return tuple(found) if len(found) == len(reads) else None
