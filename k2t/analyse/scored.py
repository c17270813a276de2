"""Losses and metrics that are functions of the script: followed on targets and predictions.

Their tensors are whole: the shape of one begins with the batch, and operations over it are fine.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

from k2t.analyse import calls, decorated, nesting, scorers
from k2t.analyse.state import Event, Frame, GraphNode, ModelState, versions_of
from k2t.analyse.tensor_shapes import BATCH
from k2t.ir.program import Scored
from k2t.ir.values import Arg, Function, Instance, Shape, Tensor, Value

if TYPE_CHECKING:
    from k2t.analyse.interpreter import Interpreter


def functions(
    interp: Interpreter, model: ModelState, args: Mapping[str, Arg], node: ast.Call, frame: Frame
) -> dict[int, Scored]:
    """The functions among the losses and metrics of a ``compile``, by their index."""
    found: dict[int, Scored] = {}
    for name in ("loss", "metrics"):
        written = next((n for n in ast.walk(node) if named(interp, n, args.get(name))), None)
        for element in elements(interp, written, frame):
            named_value = interp.eval(element, frame) if isinstance(element, ast.Name) else None
            value = named_value or value_of(interp, args[name], element)
            if isinstance(value, Function) and value.index not in found:
                found[value.index] = followed(interp, value.index, model, element, frame)
            if isinstance(value, Instance) and value.id in interp.constructors:
                found[-value.id] = scorers.followed(interp, value, model, frame)
    return found


def named(interp: Interpreter, node: ast.AST, arg: Arg | None) -> bool:
    return isinstance(node, ast.expr) and arg is not None and interp.span(node) == arg.span


def elements(interp: Interpreter, node: ast.AST | None, frame: Frame) -> list[ast.expr]:
    """The expressions of the losses or metrics."""
    if isinstance(node, ast.List | ast.Tuple):
        return node.elts
    return [node] if isinstance(node, ast.expr) else []


def value_of(interp: Interpreter, arg: Arg, element: ast.expr) -> Value | None:
    """What an element of an argument was worth when the call was read."""
    if arg.span == interp.span(element):
        return arg.value
    items = interp.items(arg.value) or []
    whole = next(
        (n for n in ast.walk(interp.tree) if isinstance(n, ast.List | ast.Tuple)
         and interp.span(n) == arg.span), None,
    )  # fmt: skip
    if whole is None or len(items) != len(whole.elts):
        return None
    return next((v for v, e in zip(items, whole.elts, strict=True) if e is element), None)


def followed(
    interp: Interpreter, index: int, model: ModelState, element: ast.expr, frame: Frame
) -> Scored:
    """What is known of a function after it was called on a target and a prediction."""
    definition, _ = interp.definitions[index]
    name = getattr(definition, "name", "<lambda>")
    shape = output_shape(interp, model)
    tensors = [Tensor(whole(interp, shape, frame)) for _ in range(2)]
    guesses, events, invocations = interp.guesses, len(interp.events), len(interp.invocations)
    result = calls.call_function(interp, index, list(tensors), {})
    changed = changed_for_good(interp.events[events:])
    settle(interp, events, invocations, changes(interp.events[events:]))
    problem = None
    if not isinstance(result, Tensor):
        problem = "what it gives is not known"
    elif interp.guesses > guesses:
        problem = "its conditions or loops are not known"
    elif decorated_or_yields(interp, definition):
        problem = "it is no plain function"
    elif changed is not None:
        problem = f"{changed} is changed in place, in torch that of the caller too"
    rank = None
    if isinstance(result, Tensor):
        made = interp.graph[result.node]
        rank = len(made.shape) if made.whole and made.shape is not None else None
    span = interp.span(element)
    if isinstance(element, ast.Name) and lasting(interp, element.id, frame):
        text: str | None = element.id
    else:
        text = None
        reads = names_in(element) - {a.arg for a in arguments_of(element)}
        if any(not lasting(interp, n, frame) for n in reads):
            problem = problem or "what it is made of is bound in another function, or again later"
    return Scored(name, text, span, rank, problem)


def settle(
    interp: Interpreter, events: int, invocations: int, rewritten: Sequence[Event] = ()
) -> None:
    """The tensors of a call just made are no model's: what it binds and calls stays where it is.

    Args:
        rewritten: the changes in place that become new tensors, as they are in Keras.
    """
    kept = [
        e
        for e in interp.events[events:]
        if e.kind not in ("bind", "apply", "in_place", "layer_call") or e in rewritten
    ]
    interp.events[events:] = [
        replace(e, kind="operation") if e.kind == "tensor_operation" else e for e in kept
    ]
    del interp.invocations[invocations:]


def decorated_or_yields(interp: Interpreter, definition: ast.AST) -> bool:
    """Whether a function is more than what its statements say."""
    stays = bool(decorated.decorators(interp, definition))
    return stays or any(isinstance(n, ast.Yield | ast.Await) for n in ast.walk(definition))


def changed_in_place(events: list[Event]) -> str | None:
    """The first thing that ``-=`` and the like change, in the function or in one it calls."""
    return next((str(e["name"]) for e in changes(events)), None)


def changed_for_good(events: list[Event]) -> str | None:
    """Of these what is no name, which could be bound anew."""
    return next((str(e["name"]) for e in changes(events) if not e["name"].isidentifier()), None)


def changes(events: list[Event]) -> list[Event]:
    """What ``-=`` and the like change.

    Keras makes a new tensor and binds the name; torch changes the tensor itself, which the
    metrics and the backward pass read again. A sum that begins as a number is the function's own.
    """
    own: set[Tensor] = set()
    found = []
    for event in events:
        if event.kind == "in_place":
            if isinstance(event["old"], Tensor) and event["old"] not in own:
                found.append(event)
            else:
                own.add(event["new"])
    return found


def arguments_of(node: ast.AST) -> Iterator[ast.arg]:
    return (a for a in ast.walk(node) if isinstance(a, ast.arg))


def names_in(node: ast.AST) -> set[str]:
    return {n.id for n in ast.walk(node) if isinstance(n, ast.Name)}


def lasting(interp: Interpreter, name: str, frame: Frame) -> bool:
    """Whether a name means the same wherever the module's classes read it."""
    owner = frame.owner(name)
    if owner is not interp.module:
        return owner is None
    bound = list(bindings(interp.tree.body, name))
    loops = (n for n in interp.tree.body if isinstance(n, ast.For | ast.While))
    return len(bound) <= 1 and not any(True for n in loops for _ in bindings([n], name))


def bindings(body: list[ast.stmt], name: str) -> Iterator[ast.AST]:
    """Where the module itself binds a name."""
    stack: list[ast.AST] = list(body)
    while stack:
        node = stack.pop()
        if isinstance(node, ast.FunctionDef | ast.ClassDef):
            if node.name == name:
                yield node
            continue
        if isinstance(node, ast.Name) and node.id == name and isinstance(node.ctx, ast.Store):
            yield node
        stack.extend(ast.iter_child_nodes(node))


def output_shape(interp: Interpreter, model: ModelState) -> Shape | None:
    """The shape of the only output, without the batch."""
    shapes = nesting.output_shapes(interp, model)
    return shapes[0] if len(shapes) == 1 else None


def whole(interp: Interpreter, shape: Shape | None, frame: Frame) -> int:
    """A tensor that nothing of a model makes: a target or a prediction."""
    full = (BATCH, *shape) if shape is not None else None
    made = GraphNode(
        interp.fresh(), None, (), full, interp.stmt, frame.id, (), versions_of(frame), whole=True
    )
    interp.graph[made.id] = made
    return made.id
