"""What ``compile`` says of a model: its first call, and those that come after a fit."""

from __future__ import annotations

import ast
from collections.abc import Iterator, Sequence
from dataclasses import replace

from k2t.analyse import feeding, trainable
from k2t.analyse.interpreter import Interpreter
from k2t.analyse.models import Builder
from k2t.analyse.sources import all_comments, comments_above
from k2t.analyse.state import Event, ModelState, statements
from k2t.ir.program import Compile
from k2t.ir.values import Obj, Value


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
    """Comments above the statements that made the optimizer and the loss, those that made the
    optimizer's schedule, and what stands behind these two."""
    texts: list[str] = []
    for name, arg in event["args"].items():
        for made in made_of(arg.value):
            stmts = (s for s in statements(interp.tree.body) if interp.spans.of(s) == made.stmt)
            stmt = next(stmts, None)
            if stmt is not None and stmt is not event.stmt:
                said = all_comments if name == "optimizer" else comments_above
                texts.extend(said(interp, stmt))
    return tuple(dict.fromkeys(texts))


def made_of(value: Value) -> Iterator[Obj]:
    """An object and those that it was made with, these first."""
    if isinstance(value, Obj):
        for arg in value.args.values():
            yield from made_of(arg.value)
        yield value
