"""What stands around a statement in the script: its comments, its docstring."""

from __future__ import annotations

import ast

from k2t.analyse.interpreter import Interpreter


def is_docstring(stmt: ast.stmt) -> bool:
    return (
        isinstance(stmt, ast.Expr)
        and isinstance(stmt.value, ast.Constant)
        and isinstance(stmt.value.value, str)
    )


def comments_above(interp: Interpreter, stmt: ast.stmt) -> tuple[str, ...]:
    """The comment lines that stand directly above a statement."""
    by_line = {c.line: c for c in interp.source.comments if c.own_line}
    first = interp.source.line_of(interp.spans.of(stmt).start)
    texts: list[str] = []
    line = first - 1
    while line in by_line:
        texts.append(by_line[line].text)
        line -= 1
    return tuple(reversed(texts))


def comments_between(interp: Interpreter, start: int, end: int) -> tuple[str, ...]:
    return tuple(c.text for c in interp.source.comments if start <= c.span.start < end)


def all_comments(interp: Interpreter, stmt: ast.stmt) -> tuple[str, ...]:
    """The comments above a statement and inside it or at its end."""
    span = interp.spans.of(stmt)
    end = interp.source.text.find("\n", span.end)
    inner = comments_between(interp, span.start, end if end >= 0 else len(interp.source.text))
    return comments_above(interp, stmt) + inner
