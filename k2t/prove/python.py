"""What a replay takes from Python as it is: built-in functions and operators on numbers."""

from __future__ import annotations

import ast
import operator
from collections.abc import Callable
from typing import Any

from k2t.prove.terms import Term


def size(value: Any) -> Any:
    """``len``; of a tensor the size of the batch, which no replay knows."""
    return Term("len", (value,)) if isinstance(value, Term) else len(value)


BUILTINS: dict[str, Callable[..., Any]] = {
    "range": range, "len": size, "int": int, "float": float, "sum": sum, "min": min, "max": max,
    "abs": abs, "round": round, "list": list, "tuple": tuple, "sorted": sorted, "str": str,
    "bool": bool, "zip": lambda *a: list(zip(*a, strict=False)),
    "reversed": lambda a: list(a)[::-1],
    "enumerate": lambda *a: list(enumerate(*a)),
}  # fmt: skip
ARITHMETIC: dict[type[ast.AST], tuple[str, Callable[..., Any]]] = {
    ast.Add: ("+", operator.add), ast.Sub: ("-", operator.sub), ast.Mult: ("*", operator.mul),
    ast.Div: ("/", operator.truediv), ast.FloorDiv: ("//", operator.floordiv),
    ast.Mod: ("%", operator.mod), ast.Pow: ("**", operator.pow),
    ast.MatMult: ("@", operator.matmul), ast.BitAnd: ("&", operator.and_),
    ast.BitOr: ("|", operator.or_), ast.BitXor: ("^", operator.xor),
}  # fmt: skip
COMPARISONS: dict[type[ast.AST], Callable[..., Any]] = {
    ast.Eq: operator.eq, ast.NotEq: operator.ne, ast.Lt: operator.lt, ast.LtE: operator.le,
    ast.Gt: operator.gt, ast.GtE: operator.ge, ast.Is: operator.is_, ast.IsNot: operator.is_not,
    ast.In: lambda a, b: a in b, ast.NotIn: lambda a, b: a not in b,
}  # fmt: skip


def plain(key: Any) -> Any:
    """An index as something that can be compared part by part."""
    if isinstance(key, slice):
        return ("slice", key.start, key.stop, key.step)
    return tuple(map(plain, key)) if isinstance(key, tuple) else key


def is_chain(cls: ast.ClassDef) -> bool:
    """Whether a class is an ``nn.Sequential`` of what its ``__init__`` puts into it."""
    return any(ast.unparse(base) == "nn.Sequential" for base in cls.bases)


def has_method(cls: ast.ClassDef, name: str) -> bool:
    return any(isinstance(item, ast.FunctionDef) and item.name == name for item in cls.body)


def changes_a_list(node: ast.expr) -> bool:
    """Whether a call that stands alone is about the graph; others initialise or print."""
    func = node.func if isinstance(node, ast.Call) else None
    return isinstance(func, ast.Attribute) and func.attr in ("append", "extend", "pop")


def loaded(target: ast.expr) -> ast.expr:
    return ast.parse(ast.unparse(target), mode="eval").body
