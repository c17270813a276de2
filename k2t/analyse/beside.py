"""Several models put together in one place: which of its statements make which model."""

from __future__ import annotations

import ast
from collections.abc import Set

from k2t.analyse.interpreter import Interpreter
from k2t.analyse.state import ModelState
from k2t.analyse.trace import Tangled, Trace
from k2t.ir.values import Tensor


def own_statements(
    interp: Interpreter, trace: Trace, state: ModelState, body: list[ast.stmt]
) -> list[ast.stmt]:
    """The statements of a body without those that are about other models.

    Raises:
        Tangled: one makes tensors of this model and of another.
    """
    own = nodes_of(interp, state)
    others = {id(m.node) for m in interp.models.values()} - {id(state.node)}
    kept = []
    for stmt in body:
        inside = {id(n) for n in ast.walk(stmt)}
        if id(state.node) in inside:
            kept.append(stmt)
            continue
        made = tensors_of(interp, trace, stmt)
        if inside & others or (made and not made & own) or numbers_only(interp, inside, made):
            continue
        if made - own:
            raise Tangled("one statement makes tensors of several models")
        kept.append(stmt)
    return kept


def nodes_of(interp: Interpreter, state: ModelState) -> set[int]:
    """The tensors between a model's inputs and outputs."""
    found: set[int] = set()
    stack = list(state.outputs)
    while stack:
        current = stack.pop()
        if current not in found:
            found.add(current)
            stack += () if current in state.inputs else interp.graph[current].inputs
    return found | set(state.inputs)


def tensors_of(interp: Interpreter, trace: Trace, stmt: ast.stmt) -> set[int]:
    """The tensors that a statement makes or binds."""
    found: set[int] = set()
    for node in ast.walk(stmt):
        found |= {made.id for made in trace.seen(node)}
        for call in trace.invocations(node):
            items = interp.items(call.result) or [call.result]
            found |= {v.node for v in items if isinstance(v, Tensor)}
        for _, value in trace.bound.get(id(node), ()):
            found |= {v.node for v in interp.items(value) or [value] if isinstance(v, Tensor)}
    return found


def numbers_only(interp: Interpreter, inside: Set[int], made: Set[int]) -> bool:
    """Whether a statement asks a tensor for its sizes, and does no more with it."""
    return not made and any(e.kind == "constant" and id(e.node) in inside for e in interp.events)
