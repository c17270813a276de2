"""Import statements: the names they bind, Keras's by where Keras has them today."""

from __future__ import annotations

import ast
from typing import TYPE_CHECKING

from k2t.analyse import names
from k2t.analyse.state import Frame
from k2t.ir.values import Module, Ref, Value

if TYPE_CHECKING:
    from k2t.analyse.interpreter import Interpreter


def bind(interp: Interpreter, stmt: ast.Import | ast.ImportFrom, frame: Frame) -> None:
    """Bind what a statement imports."""
    if isinstance(stmt, ast.Import):
        for alias in stmt.names:
            path = alias.name if alias.asname else alias.name.split(".")[0]
            frame.bind(alias.asname or path, named(path))
        return
    base = "." * stmt.level + (stmt.module or "")
    for alias in stmt.names:
        if alias.name == "*":
            if names.is_foreign(base):
                interp.keras.star_import(base, frame)
            continue
        frame.bind(alias.asname or alias.name, named(f"{base}.{alias.name}"))


def named(path: str) -> Value:
    return Ref(names.canonical(path)) if names.is_foreign(path) else Module(path)
