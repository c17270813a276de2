"""Decorators that torch does not ask for: ``@tf.function``."""

from __future__ import annotations

import ast
from typing import TYPE_CHECKING

from k2t.analyse.names import canonical
from k2t.analyse.state import Frame
from k2t.ir.values import Ref

if TYPE_CHECKING:
    from k2t.analyse.interpreter import Interpreter

COMPILING = ("tensorflow.function", "tensorflow.autograph.experimental.do_not_convert")
"""They make a graph of a function, or keep it from becoming one; the numbers are the same."""


def path_of(interp: Interpreter, node: ast.AST) -> str | None:
    """The canonical name that an expression is."""
    parts: list[str] = []
    while isinstance(node, ast.Attribute):
        parts.insert(0, node.attr)
        node = node.value
    loaded = interp.loads.get(id(node))
    value = loaded[2] if loaded is not None else None
    if not isinstance(value, Ref):
        return None
    path = canonical(".".join([value.path, *parts]))
    return path.replace("tensorflow.compat.v1.", "tensorflow.")


def compiles(interp: Interpreter, decorator: ast.expr) -> bool:
    """Whether a decorator is one of these; that of a method is looked up where the script ends."""
    name = decorator.func if isinstance(decorator, ast.Call) else decorator
    if (found := path_of(interp, name)) is not None:
        return found in COMPILING
    root, _, rest = ast.unparse(name).partition(".")
    value = interp.module.names.get(root)
    whole = (
        f"{value.path}.{rest}" if isinstance(value, Ref) and rest else getattr(value, "path", "")
    )
    return canonical(str(whole)) in COMPILING


def evaluate(interp: Interpreter, decorator: ast.expr, frame: Frame) -> None:
    """What a decorator is called with counts only where the decorator stays."""
    interp.eval(decorator.func if isinstance(decorator, ast.Call) else decorator, frame)
    if isinstance(decorator, ast.Call) and not compiles(interp, decorator):
        interp.eval(decorator, frame)


def decorators(interp: Interpreter, definition: ast.AST) -> list[ast.expr]:
    """The decorators of a function that stay."""
    found = getattr(definition, "decorator_list", [])
    return [d for d in found if not compiles(interp, d)]
