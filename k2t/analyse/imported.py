"""The import statements of a script: which go, and what is kept of the others."""

from __future__ import annotations

import ast

from k2t.analyse import names
from k2t.analyse.interpreter import Interpreter
from k2t.analyse.state import statements
from k2t.ir.program import Import


def imported(interp: Interpreter) -> list[Import]:
    """The import statements, and what of each is Keras's."""
    found = []
    top = {id(s) for s in interp.tree.body}
    for stmt in statements(interp.tree.body):
        if isinstance(stmt, ast.Import):
            kept = [a for a in stmt.names if not names.is_foreign(a.name)]
            foreign = len(kept) < len(stmt.names)
            text = "import " + ", ".join(map(alias_text, kept)) if kept else None
            key = (0, stmt.names[0].name.lower())
        elif isinstance(stmt, ast.ImportFrom):
            foreign = stmt.level == 0 and names.is_foreign(stmt.module or "")
            text = None if foreign else ""
            key = (1, "." * stmt.level + (stmt.module or "").lower())
        else:
            continue
        found.append(Import(interp.spans.of(stmt), text, foreign, id(stmt) in top, key))
    return found


def alias_text(alias: ast.alias) -> str:
    return f"{alias.name} as {alias.asname}" if alias.asname else alias.name
