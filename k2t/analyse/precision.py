"""Policies of mixed precision: in which precision a script has Keras compute."""

from __future__ import annotations

import ast
from collections.abc import Iterator

from k2t.analyse.state import statements
from k2t.analyse.strategies import Path

SETTERS = (
    "keras.mixed_precision.set_global_policy",
    "keras.mixed_precision.set_dtype_policy",
    "keras.mixed_precision.experimental.set_policy",
    "keras.config.set_dtype_policy",
)
POLICIES = (
    "keras.mixed_precision.Policy",
    "keras.mixed_precision.DTypePolicy",
    "keras.mixed_precision.experimental.Policy",
    "keras.dtype_policies.DTypePolicy",
    "keras.DTypePolicy",
)


def policies(tree: ast.Module, path: Path) -> Iterator[tuple[list[ast.stmt], str | None]]:
    """Each policy that is set: the statements about it, and its name (None: not known).

    One in a variable that more than these read is left to the errors about its calls.
    """
    all_ = list(statements(tree.body))
    made: dict[str, tuple[ast.stmt, str | None]] = {}
    for stmt in all_:
        match stmt:
            case ast.Assign(targets=[ast.Name(id=name)], value=ast.Call(func=func, args=[given])):
                if path(func) in POLICIES:
                    made[name] = (stmt, named(given))
    for stmt in all_:
        match stmt:
            case ast.Expr(value=ast.Call(func=func, args=[given])) if path(func) in SETTERS:
                known = made.get(given.id) if isinstance(given, ast.Name) else None
                if isinstance(given, ast.Call) and path(given.func) in POLICIES and given.args:
                    given = given.args[0]
                if known is None:
                    yield [stmt], named(given)
                    continue
                assert isinstance(given, ast.Name)
                about = [known[0], *(s for s in all_ if says(s, given.id)), stmt]
                spent = {id(n) for s in about for n in ast.walk(s)}
                if not any(is_name(n, given.id) and id(n) not in spent for n in ast.walk(tree)):
                    yield about, known[1]


def named(node: ast.expr) -> str | None:
    return node.value if isinstance(node, ast.Constant) and isinstance(node.value, str) else None


def says(stmt: ast.stmt, name: str) -> bool:
    """Whether a statement prints a policy, and else only words."""
    match stmt:
        case ast.Expr(value=ast.Call(func=ast.Name(id="print"))):
            read = [n.id for n in ast.walk(stmt) if isinstance(n, ast.Name)]
            return name in read and set(read) <= {"print", "str", name}
    return False


def is_name(node: ast.AST, name: str) -> bool:
    return isinstance(node, ast.Name) and node.id == name
