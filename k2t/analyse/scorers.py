"""Losses and metrics that are classes of the script: followed on targets and predictions.

A metric keeps numbers between the batches (``add_weight``); each is a tensor that its methods read.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from k2t.analyse import arguments, calls, custom, decorated, handed, operations, scored
from k2t.analyse.sources import is_docstring
from k2t.analyse.state import Frame, ModelState
from k2t.ir.program import Scored
from k2t.ir.source import Span
from k2t.ir.values import (
    NONE,
    Arg,
    Bound,
    Class,
    Const,
    Expr,
    Instance,
    Obj,
    Sym,
    Tensor,
    Tuple,
    Value,
)

if TYPE_CHECKING:
    from k2t.analyse.interpreter import Interpreter

LOSS, METRIC = "keras.losses.Loss", "keras.metrics.Metric"
BASES = (LOSS, METRIC)
STATES = ("add_weight", "add_variable")
ASSIGNS = {"assign": "=", "assign_add": "+=", "assign_sub": "-="}
STATE = "state of a metric"
GONE = ("get_config", "from_config", "reset_state", "reset_states")
"""Methods that torch has no use for: a metric's states go back to where they started."""
INNER = ("update_state", "result", "reset_state", "reset_states")
"""Methods of a metric of Keras's that one of the script's holds."""
MEANT = {LOSS: ("call",), METRIC: ("update_state", "result", "reset_state", "reset_states")}
"""What Keras alone calls: by the script itself, around it come a mean over the batch and more."""
COUNTED = ("at_threshold", "auc", "count")
EVENTS = ("metric_state", "assigned", "inner_metric", "inner_update", "inner_result")
WORDS = ["shape", "initializer", "dtype", "name"]
OLD_WORDS = ["name", "shape", "aggregation", "synchronization", "initializer", "dtype"]


def owns(interp: Interpreter, callee: Value) -> bool:
    """Whether a call makes such an object, or is a method of Keras's on a metric or its state."""
    match callee:
        case Class(index=index):
            return interp.keras.base_of(index) in BASES
        case Instance(keras_base=base):
            return base in BASES
        case Bound(receiver=Instance(keras_base=base), name=name) if name in MEANT.get(
            str(base), ()
        ):
            return True
        case Bound(receiver=Instance(keras_base=base) as made, name=name):
            return base == METRIC and name in STATES and not calls.defines(interp, made, name)
        case Bound(receiver=Tensor(), name=name):
            return name in ASSIGNS
        case Bound(receiver=Obj() as held, name=name):
            return is_inner(interp, held, name)
    return False


def is_inner(interp: Interpreter, value: Value, name: str) -> bool:
    """Whether a metric of Keras's has this method, and may be held by one of the script's."""
    row = interp.table.section("metrics").get(value.row) if isinstance(value, Obj) else None
    return row is not None and name in INNER


def call(interp: Interpreter, callee: Value, node: ast.Call, frame: Frame) -> Value:
    match callee:
        case Class():
            return make(interp, callee, node, frame)
        case Bound(receiver=Tensor() as owner, name=name):
            return assigned(interp, owner, name, node, frame)
        case Bound(receiver=Obj() as held, name=name):
            return of_inner(interp, held, name, node, frame)
        case Instance() as made:
            return by_hand(interp, made, "", node, frame)
        case Bound(receiver=Instance() as made, name=name) if name not in STATES:
            return by_hand(interp, made, f".{name}", node, frame)
    return state(interp, node, frame)


def by_hand(interp: Interpreter, made: Instance, name: str, node: ast.Call, frame: Frame) -> Value:
    """``loss(y, p)``: Keras takes the mean of what ``call`` gives, which compile alone carries."""
    arguments.evaluated(interp, node, frame)
    what = f"a call of {class_name(interp, made)}{name} by the script"
    return interp.unsupported(what, node, frame)


def class_name(interp: Interpreter, made: Instance) -> str:
    cls, _ = interp.definitions[made.cls]
    assert isinstance(cls, ast.ClassDef)
    return cls.name


def make(interp: Interpreter, cls: Class, node: ast.Call, frame: Frame) -> Instance:
    values = interp.elements(node.args, frame)
    keywords = {k.arg: interp.eval(k.value, frame) for k in node.keywords if k.arg is not None}
    made = Instance(interp.fresh(), cls.index, interp.keras.base_of(cls.index))
    if made.keras_base == METRIC:  # torchmetrics' have one as well
        interp.attributes[made.id] = {"dtype": Sym(Expr("self.dtype"), "dtype")}
    calls.call_method(interp, made, "__init__", values, keywords)
    interp.constructors[made.id] = (node, interp.stmt, frame)
    if "reduction" in keywords and "reduction" not in custom.parameters_of(interp, cls.index):
        what = f"reduction= of {class_name(interp, made)}"
        interp.unsupported(what, node, frame)  # wherever it is called, known or not
    return made


def state(interp: Interpreter, node: ast.Call, frame: Frame) -> Value:
    """``self.total = self.add_weight(name="total", initializer="zeros")``."""
    words = WORDS if interp.dialect == "keras3" else OLD_WORDS
    args = arguments.given(interp, node, frame, words, {})
    shape = args.get("shape", Arg(Tuple(()))).value
    start = args.get("initializer", Arg(NONE)).value
    stmt = interp.stmt
    target = stmt.targets[0] if isinstance(stmt, ast.Assign) and stmt.value is node else None
    shape = operations.settled(interp, shape)
    known = start == Const("zeros")  # what Keras resets to
    if not (isinstance(target, ast.Attribute) and isinstance(shape, Tuple) and known):
        return interp.unsupported("add_weight of a metric like this", node, frame)
    size = args["shape"].span if "shape" in args and shape.items else None
    interp.event("metric_state", node, frame, name=target.attr, size=size)
    made = scored.whole(interp, None, frame)
    dims = tuple(d if isinstance(d, Const) else None for d in shape.items)
    interp.graph[made] = replace(interp.graph[made], shape=dims, name=STATE)
    return Tensor(made)


def of_inner(interp: Interpreter, held: Obj, name: str, node: ast.Call, frame: Frame) -> Value:
    """``self.precision.update_state(y_true, y_pred)`` in a metric of the script's own."""
    values = arguments.evaluated(interp, node, frame)
    row = interp.table.rows["metrics"][held.row]
    told = name != "update_state" or (
        len(node.args) >= 2
        and not any(v != NONE for v in values[2:])
        and all(isinstance(v, Tensor) for v in values[:2])
        and {k.arg for k in node.keywords} <= {"sample_weight"}
    )
    owner = node.func.value if isinstance(node.func, ast.Attribute) else None
    counted = handed.inside(interp, BASES, frame) and row.get("lower") in COUNTED
    if not (counted and told and owner is not None):
        return interp.unsupported(f"{held.row}.{name}", node, frame)
    place = interp.span(owner)
    if name == "update_state":
        parts = tuple(interp.span(a) for a in node.args[:2])
        interp.event("inner_update", node, frame, owner=place, parts=parts, held=held)
        return NONE
    interp.event("inner_result", node, frame, owner=place)
    return handed.scalar(interp, frame)


def inner_of(interp: Interpreter, value: Instance) -> dict[str, Obj]:
    """The metrics of Keras's that an object holds, by their attributes."""
    held = interp.attributes.get(value.id, {})
    return {n: v for n, v in held.items() if isinstance(v, Obj) and is_inner(interp, v, INNER[0])}


def assigned(interp: Interpreter, owner: Tensor, name: str, node: ast.Call, frame: Frame) -> Value:
    """``self.total.assign_add(value)``."""
    interp.elements(node.args, frame)
    alone = isinstance(interp.stmt, ast.Expr) and interp.stmt.value is node
    plain = len(node.args) == 1 and not node.keywords and isinstance(node.func, ast.Attribute)
    if interp.graph[owner.node].name != STATE or not alone or not plain:
        return interp.unsupported(f"tensor.{name}", node, frame)
    assert isinstance(node.func, ast.Attribute)
    spans = interp.span(node.func.value), interp.span(node.args[0])
    interp.event("assigned", node, frame, parts=(spans[0], ASSIGNS[name], spans[1]))
    return NONE


def unseen(interp: Interpreter, arg: Arg, frame: Frame) -> Arg:
    """``sample_weight`` where there is one, which is never so: a tensor of any shape."""
    return Arg(Tensor(scored.whole(interp, None, frame)), arg.span)


def followed(interp: Interpreter, value: Instance, model: ModelState, frame: Frame) -> Scored:
    """What is known of a loss or metric after it was called on a target and a prediction."""
    cls, _ = interp.definitions[value.cls]
    assert isinstance(cls, ast.ClassDef)
    node, _, home = interp.constructors[value.id]
    shape = scored.output_shape(interp, model)
    tensors: list[Value] = [Tensor(scored.whole(interp, shape, frame)) for _ in range(2)]
    guesses, events, invocations = interp.guesses, len(interp.events), len(interp.invocations)
    if value.keras_base == LOSS:
        result = calls.call_method(interp, value, "call", tensors)
    else:
        calls.call_method(interp, value, "update_state", tensors)
        result = calls.call_method(interp, value, "result", [])
    changed = scored.changed_for_good(interp.events[events:])
    scored.settle(interp, events, invocations, scored.changes(interp.events[events:]))
    handed.made_in_class(interp, value)
    for name, held in inner_of(interp, value).items():
        at = next(
            n for n in ast.walk(cls) if isinstance(n, ast.Call) and interp.span(n) == held.span
        )
        interp.event("inner_metric", at, frame, name=name, held=held)
    problem = problem_of(interp, cls, value, node)
    if not isinstance(result, Tensor):
        problem = problem or "what it gives is not known"
    elif interp.guesses > guesses:
        problem = problem or "its conditions or loops are not known"
    elif changed is not None:
        problem = problem or f"{changed} is changed in place"
    reads = scored.names_in(node)
    if any(not scored.lasting(interp, n, home) for n in reads):
        problem = problem or "what it is made of is bound in another function, or again later"
    rank = None
    if isinstance(result, Tensor):
        made = interp.graph[result.node]
        rank = len(made.shape) if made.shape is not None else None
    log: str | None = snake(cls.name, interp.dialect)
    if value.keras_base == METRIC:
        log = logged(interp, cls, value, node)
    if log is None:
        problem = problem or "its name in the logs is not known"
    return Scored(log or cls.name, None, interp.span(node), rank, problem)


def problem_of(
    interp: Interpreter, cls: ast.ClassDef, value: Instance, node: ast.Call
) -> str | None:
    """What of a class is not carried over."""
    own = custom.parameters_of(interp, value.cls)
    more = {k.arg for k in node.keywords} - {*own, "name", "dtype"}
    if more or any(isinstance(a, ast.Starred) for a in node.args):
        return f"{min(map(str, more)) if more else '*'}= of {cls.name}"
    if value.cls in interp.keras.parents:
        return "it extends another class of the script"
    for call in base_calls(cls):
        given = {k.arg: k.value for k in call.keywords}
        reduction = given.get("reduction")
        usual = isinstance(reduction, ast.Constant) and reduction.value == "sum_over_batch_size"
        if set(given) - {"name", "dtype", "reduction", None} or (reduction and not usual):
            return "what it tells the class that it extends"
    wanted = ["call"] if value.keras_base == LOSS else ["update_state", "result"]
    names = {item.name for item in cls.body if isinstance(item, ast.FunctionDef)}
    if missing := [name for name in wanted if name not in names]:
        return f"it has no {missing[0]}"
    for item in cls.body:
        if is_docstring(item):
            continue
        if not isinstance(item, ast.FunctionDef) or (
            decorated.decorators(interp, item) and item.name not in GONE
        ):
            return "it has more than methods"
    return reset_of(cls, set(inner_of(interp, value)))


AGAIN = re.compile(r"self\.(\w+)\.reset_states?\(\)$")
ZEROED = re.compile(r"(self\.\w+)\.assign\((?:0[.0]*|[\w.]*\bzeros(?:_like)?\(.*\))\)$")
EVERY = re.compile(
    r"for (\w+) in self\.\w+:\s+\1\.assign\(|[\w.]+batch_set_value\(\[\((\w+), 0[.0]*\) for \2 in"
)
"""What sets one state of a metric to zero, and what all."""


def reset_of(cls: ast.ClassDef, inner: set[str]) -> str | None:
    """What of its own way to start afresh is not what torchmetrics does."""
    states = {
        ast.unparse(stmt.targets[0])
        for stmt in ast.walk(cls)
        if isinstance(stmt, ast.Assign)
        and isinstance(stmt.value, ast.Call)
        and ast.unparse(stmt.value.func).endswith(STATES)
    }
    for method in cls.body:
        if not isinstance(method, ast.FunctionDef) or not method.name.startswith("reset_state"):
            continue
        told = [ast.unparse(s) for s in method.body if not is_docstring(s)]
        again = {found[1] for text in told if (found := AGAIN.match(text)) is not None}
        told = [text for text in told if ".reset_state" not in text or text.startswith("super()")]
        if not inner <= again:
            return f"its {method.name} does not set all that it keeps to zero"
        zeroed = {found[1] for text in told if (found := ZEROED.match(text)) is not None}
        every = any(EVERY.match(text) for text in told)
        if not (zeroed >= states or every or told == [f"super().{method.name}()"] or not states):
            return f"its {method.name} does not set all that it keeps to zero"
    return None


def base_calls(cls: ast.ClassDef) -> Iterator[ast.Call]:
    """``super().__init__(...)``."""
    for call in ast.walk(cls):
        told = ast.unparse(call.func) if isinstance(call, ast.Call) else ""
        if isinstance(call, ast.Call) and told.startswith("super(") and told.endswith("__init__"):
            yield call


def logged(interp: Interpreter, cls: ast.ClassDef, value: Instance, node: ast.Call) -> str | None:
    """The name of a metric in the logs: what Keras's class is told, or its own; None: not known."""
    own, told = calls.method_of(interp, value.cls, "__init__"), node
    frame, rest = interp.constructors[value.id][2], None
    if own is not None:
        told = next(base_calls(cls), ast.Call(node.func, [], []))
        inside = [f for f in interp.frames.values() if f.scope is own[0]]
        made = [f for f in inside if value in f.names.values()]
        if not made:
            return None
        frame = made[0]
        if "name" not in frame.names:  # it is in **kwargs
            rest = next((k.value for k in node.keywords if k.arg == "name"), None)
    place = ["dtype", "name"] if interp.dialect == "keras3" else ["name", "dtype"]
    given = dict(zip(place, told.args, strict=False))
    given |= {str(k.arg): k.value for k in told.keywords}
    said = given.get("name", rest if "None" in given else None)
    match calls.quiet(interp, said, frame) if said is not None else NONE:
        case Const(value=str(name)):
            return name
        case Const(value=None):
            return snake(cls.name, interp.dialect)
    return None


def snake(name: str, dialect: str) -> str:
    """The name Keras gives to what is of a class: MyAUC -> my_auc."""
    name = re.sub(r"(.)([A-Z][a-z]+)", r"\1_\2", name)
    name = re.sub(r"([a-z])([A-Z])", r"\1_\2", name).lower()
    return f"private{name}" if name.startswith("_") and dialect != "keras3" else name


def class_spans(interp: Interpreter, cls: ast.ClassDef, base: str) -> dict[str, Any]:
    """Where a class is changed: its base, what it tells it, names of methods, those that go."""
    spans, text = interp.spans, interp.source.text
    methods = {i.name: i for i in cls.body if isinstance(i, ast.FunctionDef)}
    renamed: dict[Span, str] = {}
    new = {"call": "forward"} if base == LOSS else {"update_state": "update", "result": "compute"}
    for name, other in new.items():
        if name in methods:
            start = text.index(name, spans.of(methods[name]).start)
            renamed[Span(start, start + len(name))] = other
    return {
        "scorer": base,
        "calls": tuple(spans.of(call) for call in base_calls(cls)),
        "renamed": renamed,
        "result": spans.of(methods["result"]) if "result" in methods else None,
        "gone": tuple(spans.of(methods[n]) for n in GONE if n in methods),
    }
