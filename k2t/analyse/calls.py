"""Calls: of the script's own functions and classes, of methods, of numpy and of Keras."""

from __future__ import annotations

import ast
from typing import TYPE_CHECKING, Any

from k2t.analyse import arrays, asked, numpy_calls
from k2t.analyse.names import SCHEDULE
from k2t.analyse.state import Frame, Invocation
from k2t.ir.values import (
    NONE,
    UNKNOWN,
    Array,
    Bound,
    Class,
    Const,
    Function,
    Instance,
    ListRef,
    Module,
    Obj,
    Sym,
    Tuple,
    Unknown,
    Value,
    Yields,
)

if TYPE_CHECKING:
    from k2t.analyse.interpreter import Interpreter

MAX_DEPTH = 16


def call(interp: Interpreter, node: ast.Call, frame: Frame) -> Value:
    if isinstance(node.func, ast.Name) and node.func.id == "super":
        return parent(interp, frame)
    callee = interp.eval(node.func, frame)
    if isinstance(callee, Instance) and callee.keras_base == SCHEDULE:
        from k2t.analyse import handed

        return handed.rate_at(interp, node, frame)
    if interp.keras.owns(callee):
        return interp.keras.call(callee, node, frame)
    args = interp.elements(node.args, frame)
    keywords: dict[str, Value] = {}
    for keyword in node.keywords:
        value = interp.eval(keyword.value, frame)
        if keyword.arg is not None:
            keywords[keyword.arg] = value
        elif isinstance(value, ListRef):
            content = interp.heap[value.id]
            if isinstance(content, dict):
                keywords.update({str(k): v for k, v in content.items()})
    match callee:
        case Function(index=index):
            made = Invocation(node, frame.id, index, hypothetical=interp.hypothetical)
            made.result = call_function(interp, index, args, keywords, made)
            interp.invocations.append(made)
            return made.result
        case Class(index=index):
            return instantiate(interp, index, args, keywords)
        case Bound(receiver=Tuple() as shape, name="as_list"):
            return asked.as_list(interp, shape, node, frame)
        case Bound(receiver=receiver, name=name):
            return bound_call(interp, receiver, name, args, keywords)
        case Module(path=path):
            return numpy_calls.call(interp, path, args, keywords)
        case Instance():
            return call_method(interp, callee, "__call__", args, keywords)
    return UNKNOWN


def bound_call(
    interp: Interpreter,
    receiver: Value,
    name: str,
    args: list[Value],
    keywords: dict[str, Value],
) -> Value:
    match receiver:
        case ListRef():
            return container_method(interp, receiver, name, args)
        case Array():
            return arrays.method(receiver, name, args, keywords)
        case Instance():
            return call_method(interp, receiver, name, args, keywords)
        case Const(value=str()) | Sym(type="str"):
            return Sym(type="str") if name in ("format", "join", "lower", "upper") else UNKNOWN
    return UNKNOWN


def container_method(interp: Interpreter, ref: ListRef, name: str, args: list[Value]) -> Value:
    content = interp.heap[ref.id]
    if isinstance(content, tuple):
        if name == "append" and args:
            interp.heap[ref.id] = (*content, args[0])
            return NONE
        if name == "extend" and args:
            interp.heap[ref.id] = (*content, *(interp.items(args[0]) or [UNKNOWN]))
            return NONE
        if name == "pop" and content:
            interp.heap[ref.id] = content[:-1]
            return content[-1]
    elif isinstance(content, dict):
        if name == "items":
            pairs = [Tuple((Const(k), v)) for k, v in content.items()]
            return interp.new_list(tuple(pairs))
        if name == "values":
            return interp.new_list(tuple(content.values()))
        if name == "keys":
            return interp.new_list(tuple(Const(k) for k in content))
        if name == "get" and args and isinstance(args[0], Const):
            return content.get(args[0].value, args[1] if len(args) > 1 else NONE)
    return UNKNOWN


def call_function(
    interp: Interpreter,
    index: int,
    args: list[Value],
    keywords: dict[str, Value],
    made: Invocation | None = None,
) -> Value:
    node, home = interp.definitions[index]
    interp.called.add(index)
    if interp.depth >= MAX_DEPTH or not isinstance(node, ast.FunctionDef | ast.Lambda):
        return UNKNOWN
    frame = Frame(interp.fresh(), node, home)
    interp.frames[frame.id] = frame
    parameters(interp, node.args, args, keywords, frame, home)
    if made is not None:
        made.frame, made.given = frame.id, dict(frame.names)
    interp.depth += 1
    outer = interp.iteration
    try:
        if isinstance(node, ast.Lambda):
            return interp.eval(node.body, frame)
        completion = interp.block(node.body, frame)
    finally:
        interp.depth -= 1
        interp.iteration = outer
    if is_generator(node):
        return Yields(frame.yields[0] if frame.yields else UNKNOWN)
    return completion[1] if completion and completion[0] == "return" else NONE


def call_alone(interp: Interpreter, index: int) -> None:
    """Follow a function that nothing has called; a lambda in the statement that it stands in."""
    node, outer = interp.definitions[index][0], interp.stmt
    if isinstance(node, ast.Lambda):
        around = [s for s in ast.walk(interp.tree) if isinstance(s, ast.stmt) and within(node, s)]
        interp.stmt = next(s for s in reversed(around) if any(n is node for n in ast.walk(s)))
    call_function(interp, index, [], {})
    interp.stmt = outer


def within(node: ast.expr, stmt: ast.stmt) -> bool:
    """Whether the lines of a node are among those of a statement."""
    return stmt.lineno <= node.lineno and (stmt.end_lineno or 0) >= (node.end_lineno or 0)


def is_generator(function: ast.FunctionDef) -> bool:
    """Whether a function yields, itself."""
    waiting: list[ast.AST] = list(function.body)
    while waiting:
        node = waiting.pop()
        if isinstance(node, ast.Yield | ast.YieldFrom):
            return True
        if not isinstance(node, ast.FunctionDef | ast.Lambda | ast.ClassDef):
            waiting += ast.iter_child_nodes(node)
    return False


def parameters(
    interp: Interpreter,
    spec: ast.arguments,
    args: list[Value],
    keywords: dict[str, Value],
    frame: Frame,
    home: Frame,
) -> None:
    positional = [a.arg for a in [*spec.posonlyargs, *spec.args]]
    values: dict[str, Value] = {}
    for name, default in zip(reversed(positional), reversed(spec.defaults), strict=False):
        values[name] = quiet(interp, default, home)
    for argument, default_ in zip(spec.kwonlyargs, spec.kw_defaults, strict=True):
        values[argument.arg] = quiet(interp, default_, home) if default_ else UNKNOWN
    values.update(zip(positional, args, strict=False))
    values.update(keywords)
    names = [*positional, *(a.arg for a in spec.kwonlyargs)]
    for name in names:
        frame.bind(name, values.get(name, UNKNOWN))
    if spec.vararg is not None:
        frame.bind(spec.vararg.arg, Tuple(tuple(args[len(positional) :])))
    if spec.kwarg is not None:
        rest = {name: value for name, value in keywords.items() if name not in names}
        frame.bind(spec.kwarg.arg, interp.new_list(rest, "dict"))


def quiet(interp: Interpreter, node: ast.expr, frame: Frame) -> Value:
    """Evaluate without recording events (a default was evaluated where it is written)."""
    count = len(interp.events)
    value = interp.eval(node, frame)
    del interp.events[count:]
    return value


def instantiate(
    interp: Interpreter, index: int, args: list[Value], keywords: dict[str, Value]
) -> Value:
    instance = Instance(interp.fresh(), index, interp.keras.base_of(index))
    call_method(interp, instance, "__init__", args, keywords)
    return instance


def parent(interp: Interpreter, frame: Frame) -> Value:
    """``super()`` in a method: the object as one of the class of the script that it extends."""
    for index, (cls, _) in enumerate(interp.definitions):
        if (
            isinstance(cls, ast.ClassDef)
            and frame.scope in cls.body
            and index in interp.keras.parents
        ):
            spec = getattr(frame.scope, "args", None)
            this = frame.lookup(spec.args[0].arg) if spec is not None and spec.args else None
            if isinstance(this, Instance):
                return Instance(this.id, interp.keras.parents[index], this.keras_base)
    return Unknown()


def method_of(interp: Interpreter, index: int, name: str) -> tuple[ast.FunctionDef, Frame] | None:
    """A method of a class of the script, or of one that it extends, and where it is defined."""
    node, home = interp.definitions[index]
    for item in getattr(node, "body", []):
        if isinstance(item, ast.FunctionDef) and item.name == name:
            return item, home
    above = interp.keras.parents.get(index)
    return method_of(interp, above, name) if above is not None else None


def defines(interp: Interpreter, instance: Instance, name: str) -> bool:
    """Whether the class of an instance has a method of that name."""
    return method_of(interp, instance.cls, name) is not None


def branches(tree: ast.Module, stmt: ast.stmt) -> dict[int, bool]:
    """In which branch of which ``if`` (by ``id``) a statement stands."""
    return {
        id(outer): side
        for outer in ast.walk(tree)
        if isinstance(outer, ast.If)
        for side, body in ((True, outer.body), (False, outer.orelse))
        if any(stmt is inner for s in body for inner in ast.walk(s))
    }


def exclude(one: dict[int, bool], other: dict[int, bool]) -> bool:
    """Whether of two statements in these branches only one can run."""
    return any(other.get(outer, side) != side for outer, side in one.items())


def comes_to(interp: Interpreter, model: int) -> dict[str, Any]:
    """In which branches a fit stands, and with what its model comes to it."""
    here = branches(interp.tree, interp.stmt)
    return {"branches": here, "states": (optimizer_state(interp, model),)}


def optimizer_state(interp: Interpreter, model: int) -> str:
    """With what a model comes to a fit: with its first optimizer, "on" with it, or "afresh".

    "loaded": from a file that was read after its last compile or fit, if it is that instance.
    """
    here = branches(interp.tree, interp.stmt)
    past = [
        e
        for e in interp.events
        if e.kind in ("fit", "compile", "load_model")
        and e.data.get("model") == model
        and not exclude(branches(interp.tree, e.stmt), here)
    ]
    if past and past[-1].kind == "load_model":
        return "loaded"
    past = [e for e in past if e.kind != "load_model"]
    compiled = [e for e in past if e.kind == "compile"]
    if not past or past[-1].kind == "fit":
        return "on" if past else "first"
    made = compiled[-1]["args"].get("optimizer")
    kept = isinstance(getattr(made, "value", None), Obj) and any(
        e.kind == "compile" and e is not compiled[-1] and e["args"].get("optimizer") == made
        for e in past
    )
    if any(e.kind == "fit" for e in past):
        return "on" if kept else "afresh"
    inside = bool(interp.iteration) and compiled[-1]["iteration"] == interp.iteration
    return "first in its round" if inside else "first"


def call_method(
    interp: Interpreter,
    instance: Instance,
    name: str,
    args: list[Value],
    keywords: dict[str, Value] | None = None,
) -> Value:
    """What a method returns; UNKNOWN where no class of the script defines it."""
    found = method_of(interp, instance.cls, name)
    if found is None:
        return UNKNOWN
    index = interp.function(*found).index
    return call_function(interp, index, [instance, *args], keywords or {})
