"""Functions that build one model and do no more: they become its class."""

from __future__ import annotations

import ast

from k2t.analyse import trainable
from k2t.analyse.interpreter import Interpreter
from k2t.analyse.sources import comments_above, is_docstring
from k2t.analyse.state import ModelState, statements
from k2t.analyse.statements import Layout
from k2t.ir.program import Home
from k2t.ir.values import ModelRef


def home_class(interp: Interpreter, layout: Layout, group: list[ModelState]) -> Home | None:
    """The function that becomes the class: it builds this model and does no more."""
    scope = group[0].frame.scope
    if not isinstance(scope, ast.FunctionDef) or scope.decorator_list:
        return None
    if layout.top_level(scope) is not scope or scope.args.vararg or scope.args.kwarg:
        return None
    inside = {id(s) for s in statements(scope.body)}
    made = [m for m in interp.models.values() if id(m.stmt) in inside]
    if {id(m.node) for m in made} != {id(group[0].node)}:
        return None
    if not returns_model(scope, group) or not layout.only_called(scope):
        return None
    allowed = {"layer", "object", "add", "apply", "model", "compile", "bind", "constant", "handed"}
    allowed |= {"tensor_operation"}
    for event in interp.events:
        spent = event.kind in allowed or trainable.spent(interp, event)
        if id(event.stmt) in inside and not spent:
            return None
    docstring = interp.spans.of(scope.body[0]) if is_docstring(scope.body[0]) else None
    return Home(
        scope.name,
        interp.spans.of(scope),
        becomes_class=True,
        docstring=docstring,
        comments=comments_above(interp, scope),
        whole=layout.with_comments(scope),
    )


def returns_model(scope: ast.FunctionDef, group: list[ModelState]) -> bool:
    returns = [s for s in statements(scope.body) if isinstance(s, ast.Return)]
    if len(returns) != 1 or returns[0] is not scope.body[-1] or returns[0].value is None:
        return False
    value = returns[0].value
    if value is group[0].node:
        return True
    frame = group[0].frame
    if not isinstance(value, ast.Name):
        return False
    return isinstance(frame.names.get(value.id), ModelRef)
