"""What a model is given as a list or dict, for each of its inputs or outputs, part by part."""

from __future__ import annotations

import ast
from collections.abc import Mapping
from dataclasses import replace

from k2t.analyse.interpreter import Interpreter
from k2t.analyse.scope import ClassScope
from k2t.analyse.state import Versions
from k2t.ir.program import Fed
from k2t.ir.source import Span
from k2t.ir.values import Arg, ListRef, Value

FEEDS = ("x", "y", "validation_x", "validation_y", "loss", "loss_weights", "metrics")


def parts(interp: Interpreter, args: Mapping[str, Arg], node: ast.Call) -> dict[Span, Fed]:
    """The lists and dicts among the data of a call, by where they are written."""
    found: dict[Span, Fed] = {}
    for name in FEEDS:
        arg = args.get(name)
        fed = part(interp, arg.value, literal(interp, node, arg.span)) if arg is not None else None
        if fed is not None and arg is not None and arg.span is not None:
            found[arg.span] = fed
    return found


def literal(interp: Interpreter, node: ast.Call, span: Span | None) -> ast.expr | None:
    """The display (``[a, b]``) that stands at a place, if one does."""
    shown = ast.Tuple | ast.List | ast.Dict
    return next(
        (n for n in ast.walk(node) if isinstance(n, shown) and interp.span(n) == span), None
    )


def part(interp: Interpreter, value: Value, shown: ast.expr | None) -> Fed | None:
    content = interp.heap.get(value.id) if isinstance(value, ListRef) else None
    if isinstance(content, dict):
        keys = [k for k in content if isinstance(k, str)]
        if len(keys) != len(content):
            return None
        spans: dict[str, Span] = {}
        if isinstance(shown, ast.Dict):
            pairs = zip(shown.keys, shown.values, strict=True)
            spans = {str(k.value): interp.span(v) for k, v in pairs if isinstance(k, ast.Constant)}
        return Fed("dict", tuple(Arg(content[k], spans.get(k)) for k in keys), tuple(keys))
    items = interp.items(value)
    if items is None:
        return None
    elements = shown.elts if isinstance(shown, ast.List | ast.Tuple) else []
    if len(elements) != len(items):
        return Fed("list", tuple(Arg(i) for i in items))
    shown_items = zip(items, elements, strict=True)
    return Fed("list", tuple(Arg(i, interp.span(e)) for i, e in shown_items))


def by_name(
    args: Mapping[str, Arg], found: Mapping[Span, Fed], scope: ClassScope, versions: Versions
) -> dict[str, Fed]:
    """The parts of the arguments of ``compile``, as they may be written in the class."""
    return {
        name: replace(
            fed, items=tuple(Arg(scope.clean(a.value, versions), a.span) for a in fed.items)
        )
        for name, arg in args.items()
        if arg.span is not None and (fed := found.get(arg.span)) is not None
    }
