"""``keras.utils.Sequence`` subclasses: what must change to make a torch Dataset of them."""

from __future__ import annotations

import ast
from collections.abc import Sequence
from typing import Any

from k2t.analyse import calls
from k2t.analyse.interpreter import Interpreter
from k2t.ir.source import Span
from k2t.ir.values import Array, Instance, Sym, Value


def sequence_class(
    interp: Interpreter, node: ast.ClassDef, own: Sequence[ast.expr]
) -> dict[str, Any]:
    """Spans of the base, of ``**kwargs``, of the call of ``super().__init__``, and what
    ``__getitem__`` returns: for each element its span and, where known, its dtype.

    Bases that are the script's ``own`` classes stay, and what they are told.
    """
    spans = interp.spans
    data: dict[str, Any] = {
        "bases": tuple(spans.of(b) for b in node.bases if b not in own),
        "name": node.name,
        "kwargs": None,
        "super": None,
        "returns": (),
        "decorators": tuple(spans.of(d) for d in node.decorator_list),
        "methods": tuple(i.name for i in node.body if isinstance(i, ast.FunctionDef)),
    }
    for item in node.body:
        if not isinstance(item, ast.FunctionDef):
            continue
        if item.name == "__init__" and not own:
            data["kwargs"] = keyword_span(interp, item)
            data["super"] = super_call(interp, item)
        if item.name == "__getitem__":
            data["returns"] = returned(interp, item, node)
            values = batch_values(interp, node, 2)
            data["targets"] = values[1]
    return data


def keyword_span(interp: Interpreter, node: ast.FunctionDef) -> Span | None:
    """The span of ``, **kwargs`` in a signature."""
    star = node.args.kwarg
    if star is None:
        return None
    start = interp.spans.of(star).start
    text = interp.source.text
    return Span(text.rindex(",", 0, start), interp.spans.of(star).end)


def super_call(interp: Interpreter, node: ast.FunctionDef) -> Span | None:
    for stmt in node.body:
        if isinstance(stmt, ast.Expr) and "super()" in ast.unparse(stmt):
            return interp.spans.of(stmt)
    return None


def returned(
    interp: Interpreter, node: ast.FunctionDef, cls: ast.ClassDef
) -> tuple[tuple[Span, str | None], ...]:
    """(span, dtype) of the elements of the last ``return a, b`` of ``__getitem__``."""
    last = [s for s in ast.walk(node) if isinstance(s, ast.Return) and s.value is not None]
    if not last or not isinstance(last[-1].value, ast.Tuple):
        return ()
    values = batch_values(interp, cls, len(last[-1].value.elts))
    return tuple(
        (interp.spans.of(e), v.dtype if isinstance(v, Array) else None)
        for e, v in zip(last[-1].value.elts, values, strict=True)
    )


def batch(interp: Interpreter, sequence: Instance) -> list[Value] | None:
    """The elements of one batch of a Sequence, if they are known."""
    recorded = len(interp.events)
    result = calls.call_method(interp, sequence, "__getitem__", [Sym(type="int")])
    del interp.events[recorded:]
    return interp.items(result)


def batch_values(interp: Interpreter, cls: ast.ClassDef, count: int) -> list[Value | None]:
    """What one batch of the first instance of the class consists of."""
    for frame in list(interp.frames.values()):
        for value in list(frame.names.values()):
            if isinstance(value, Instance) and interp.definitions[value.cls][0] is cls:
                items = batch(interp, value)
                if items is not None and len(items) == count:
                    return list(items)
    return [None] * count
