"""What ``compile`` says of a model: its first call, and those that come after a fit."""

from __future__ import annotations

import ast
from collections.abc import Sequence
from dataclasses import replace

from k2t.analyse import feeding, trainable
from k2t.analyse.interpreter import Interpreter
from k2t.analyse.models import Builder
from k2t.analyse.sources import comments_above
from k2t.analyse.state import Event, ModelState, statements
from k2t.ir.program import Compile
from k2t.ir.values import Obj


def compile_of(
    interp: Interpreter, group: Sequence[ModelState], builder: Builder
) -> Compile | None:
    """The compile of a group of models; calls at other places are in ``again``."""
    found: dict[object, Compile] = {}
    last: dict[int, int] = {}
    ids = {m.id for m in group}
    for event in interp.events:
        if event.kind != "compile" or event["model"] not in ids:
            continue
        made = one_compile(interp, event, builder)
        known = found.get(made.span)
        if known is None:
            found[made.span] = made
        else:
            functions = {**known.functions, **made.functions}
            found[made.span] = replace(
                known, others=(*known.others, made.args), functions=functions
            )
        place = list(found).index(made.span)
        if place < last.get(event["model"], place) or (place and made.receiver is None):
            interp.models[event["model"]].broken = "it is compiled more than once, in turns"
        last[event["model"]] = place
    first, *again = found.values() or (None,)
    if first is None or not again:
        return first
    functions = {key: one for made in found.values() for key, one in made.functions.items()}
    return replace(first, again=tuple(again), functions=functions)


def one_compile(interp: Interpreter, event: Event, builder: Builder) -> Compile:
    node, versions = event.node, event["versions"]
    args = {
        name: arg.__class__(builder.scope.clean(arg.value, versions), arg.span)
        for name, arg in event["args"].items()
    }
    frozen = trainable.frozen_at(interp, event)
    method = node.func if isinstance(node, ast.Call) else None
    alone = isinstance(event.stmt, ast.Expr) and event.stmt.value is node
    return Compile(
        interp.spans.of(node),
        args,
        (
            *trainable.said(interp, frozen),
            *object_comments(interp, event),
            *comments_above(interp, event.stmt),
        ),
        parts=feeding.by_name(event["args"], event["parts"], builder.scope, versions),
        functions=event["functions"],
        receiver=interp.spans.of(method.value)
        if isinstance(method, ast.Attribute) and alone
        else None,
        stmt=interp.spans.of(event.stmt),
        frozen=frozen,
    )


def object_comments(interp: Interpreter, event: Event) -> tuple[str, ...]:
    """Comments above the statements that made the optimizer and the loss."""
    texts: list[str] = []
    for arg in event["args"].values():
        if isinstance(arg.value, Obj) and arg.value.stmt != interp.spans.of(event.stmt):
            made = (s for s in statements(interp.tree.body) if interp.spans.of(s) == arg.value.stmt)
            for stmt in list(made)[:1]:
                texts.extend(comments_above(interp, stmt))
    return tuple(texts)
