"""Functions and objects of the script that layers are made with: activations, regularizers, starts.

A function is called on a tensor of unknown shape, an object's ``__call__`` as well, so that the
operations in it are rewritten where they stand.
"""

from __future__ import annotations

import ast
from collections.abc import Collection
from dataclasses import replace
from typing import TYPE_CHECKING

from k2t.analyse import calls, scored
from k2t.analyse.arrays import dtype_of
from k2t.analyse.names import SCHEDULE
from k2t.analyse.state import Event, Frame
from k2t.ir.program import Handed
from k2t.ir.values import (
    UNKNOWN,
    Class,
    Const,
    Function,
    Instance,
    Obj,
    Ref,
    Sym,
    Tensor,
    Value,
)

if TYPE_CHECKING:
    from k2t.analyse.interpreter import Interpreter

RATE = "learning_rate"
BASES = (
    "keras.regularizers.Regularizer",
    "keras.initializers.Initializer",
    "keras.constraints.Constraint",
    SCHEDULE,
)
"""Of these a class of the script is plain Python, but for the operations in it."""

SLOTS = ("activation", "_regularizer", "_initializer", "_constraint", RATE)
KERNELS = {"Dense": 2, "Conv1D": 3, "Conv2D": 4, "Conv3D": 5, "Embedding": 2}


def note(interp: Interpreter, layer: Obj, node: ast.Call, frame: Frame) -> None:
    """Follow the functions and objects of the script among a layer's or optimizer's arguments."""
    for name, arg in layer.args.items():
        if arg.span is None or not name.endswith(SLOTS):
            continue
        if not isinstance(arg.value, Function | Instance | Class):
            continue
        element = next(
            n for n in ast.walk(node) if isinstance(n, ast.expr) and interp.span(n) == arg.span
        )
        if isinstance(element, ast.expr):
            spent = constructor(element, frame) if isinstance(arg.value, Instance) else None
            shown = element if spent is None else spent.value
            made = of(interp, name, arg.value, axes(layer.row, name), shown, frame)
            interp.event("handed", node, frame, key=key(arg.value), made=made, spent=spent)


def key(value: Function | Instance | Class) -> int:
    """One number for a function or an object; those of objects are never those of functions."""
    return -value.id if isinstance(value, Instance) else value.index


def axes(row: str, slot: str) -> int | None:
    """How many axes the weight has that an argument is about; None where that is not known."""
    if slot.startswith("bias") or slot == RATE:
        return 1
    return KERNELS.get(row) if slot.startswith(("kernel", "embeddings")) else None


def of(
    interp: Interpreter,
    slot: str,
    value: Value,
    rank: int | None,
    element: ast.expr,
    frame: Frame,
) -> Handed:
    """What is known of a function or object after it was called on a tensor of so many axes."""
    shape = (None,) * (rank - 1) if rank is not None else None
    starts = slot.endswith("_initializer")
    given: list[Value] = [Sym(type="shape")] if starts else []
    if slot == RATE:
        given = [scalar(interp, frame)]
    elif not starts:
        given = [Tensor(scored.whole(interp, shape, frame))]
    events, guesses = len(interp.events), interp.guesses
    invocations = len(interp.invocations)
    if isinstance(value, Function):
        result = calls.call_function(interp, value.index, given, {})
    elif isinstance(value, Instance) and value.keras_base in BASES:
        result = calls.call_method(interp, value, "__call__", given)
    else:
        result = UNKNOWN
    made = interp.events[events:]
    scored.settle(interp, events, invocations)
    if slot == RATE and isinstance(value, Instance):
        made_in_class(interp, value)
    problem = None
    if not isinstance(result, Tensor):
        problem = "what it gives is not known"
    elif interp.guesses > guesses:
        problem = "its conditions or loops are not known"
    elif scored.changed_in_place(made) is not None:
        problem = "a tensor is changed in place, in torch that of the caller too"
    reads = scored.names_in(element) - {a.arg for a in scored.arguments_of(element)}
    if isinstance(element, ast.Lambda):
        problem = problem or "a lambda here; give it a name"
    elif any(not scored.lasting(interp, name, frame) for name in reads):
        problem = problem or "it is bound in another function, or again later"
    return Handed(interp.source.slice(interp.span(element)), in_any_order(interp, made), problem)


def scalar(interp: Interpreter, frame: Frame) -> Tensor:
    """A tensor of one number: a step."""
    made = scored.whole(interp, None, frame)
    interp.graph[made] = replace(interp.graph[made], shape=())
    return Tensor(made)


def made_in_class(interp: Interpreter, value: Instance) -> None:
    """What the constructor of a schedule computes stays where it is, as in its ``__call__``."""
    whole = interp.span(interp.definitions[value.cls][0])
    interp.events[:] = [
        replace(e, kind="operation")
        if e.kind == "tensor_operation" and interp.span(e.node) in whole
        else e
        for e in interp.events
        if e.kind not in ("bind", "in_place") or interp.span(e.node) not in whole
    ]


RANGES = ("tensorflow.range", "keras.ops.arange")


def rate_at(interp: Interpreter, node: ast.Call, frame: Frame) -> Value:
    """A schedule of the script's own called on a step, or on many in a row to draw its curve."""
    given = node.args[0] if len(node.args) == 1 and not node.keywords else node
    path = interp.eval(given.func, frame) if isinstance(given, ast.Call) else None
    if isinstance(path, Ref) and path.path in RANGES and isinstance(given, ast.Call):
        types = {k.arg: dtype_of(interp.eval(k.value, frame)) for k in given.keywords}
        if len(given.args) == 1 and types in ({}, {"dtype": "float32"}):
            dtype = ", dtype=torch.float32" if types else ""
            way = f"torch.arange({{x}}{dtype})"
            interp.event("asked", given, frame, x=given.args[0], way=way)
            return UNKNOWN
    elif given is not node and isinstance(interp.eval(given, frame), Const | Sym):
        way = f"{interp.source.slice(interp.span(node.func))}(torch.tensor({{x}}))"
        interp.event("asked", node, frame, x=given, way=way)
        return UNKNOWN
    return interp.unsupported("a schedule called like this", node, frame)


def inside(interp: Interpreter, bases: Collection[str], frame: Frame) -> bool:
    """Whether code runs in a method of a class of the script that extends one of Keras's."""
    return any(
        isinstance(cls, ast.ClassDef)
        and frame.scope in cls.body
        and interp.keras.base_of(index) in bases
        for index, (cls, _) in enumerate(interp.definitions)
    )


def constructor(element: ast.expr, frame: Frame) -> ast.Assign | None:
    """``clip = Clip(0.01)`` in a function, for a variable that is bound there once, for layers."""
    scope = frame.scope
    if not isinstance(element, ast.Name) or not isinstance(scope, ast.FunctionDef):
        return None
    bound = list(scored.bindings(scope.body, element.id))
    made = [
        s
        for s in scope.body
        if isinstance(s, ast.Assign) and len(s.targets) == 1 and s.targets[0] in bound
    ]
    reads = [n for n in ast.walk(scope) if isinstance(n, ast.Name) and n.id == element.id]
    given = [
        k.value
        for k in ast.walk(scope)
        if isinstance(k, ast.keyword) and k.value in reads and str(k.arg).endswith(SLOTS)
    ]
    alone = len(bound) == len(made) == 1 and len(given) == len(reads) - 1
    alone = alone and frame.owner(element.id) is frame
    return made[0] if alone and isinstance(made[0].value, ast.Call) else None


def in_any_order(interp: Interpreter, made: list[Event]) -> bool:
    """Whether it does the same to each number, or sums over all of them."""
    for event in made:
        if event.kind in ("tensor_operation", "operation"):
            operation = event["operation"]
            section, _, name = operation.row.rpartition(".")
            row = interp.table.rows[section or "ops"][name]
            over_all = row.get("shape") == "reduce" and operation.args["axis"].value.value is None
            if row.get("random") or (section == "activations" and not row.get("axis")):
                continue
            if section or not (row.get("axes") == "each" or over_all):
                return False
        if event.kind in ("asked", "layer_call"):
            return False
    return True


LOOKED_UP = ("activations", "initializers", "regularizers", "constraints")
SEEDS = "keras.random.SeedGenerator"


def looked_up(
    interp: Interpreter, path: str, values: list[Value], node: ast.Call, frame: Frame
) -> Value | None:
    """``keras.activations.get("relu")`` and its like, and ``SeedGenerator``; None: another call."""
    if path == SEEDS:
        interp.event("looked_up", node, frame)
        return Obj(interp.fresh(), "Seeds", {}, interp.span(node), interp.span(interp.stmt))
    section = path.removeprefix("keras.").removesuffix(".get")
    if path != f"keras.{section}.get" or section not in LOOKED_UP or len(values) != 1:
        return None
    value = values[0]
    if section == "activations" and isinstance(value, Const):
        row = interp.table.string("activations", str(value.value or "linear"))
        if row is None:
            return None
        value = Ref(row.keras[0])
    if not isinstance(value, Const | Ref | Obj | Function):
        return None
    interp.event("looked_up", node, frame, value=value, given=interp.span(node.args[0]))
    return value
