"""How values are written down in generated code."""

from __future__ import annotations

import ast
import re
from collections.abc import Mapping
from typing import Any

from k2t.ir.finding import NotMigrated
from k2t.ir.source import Source
from k2t.ir.values import Arg, Const, Ref, Tuple, Value, as_int
from k2t.table import Table


def text(value: Value) -> str:
    """The source of a scalar or tuple: the user's own words, or a literal.

    Raises:
        NotMigrated: the value cannot be written where it is needed.
    """
    expr = getattr(value, "expr", None)
    if expr is not None:
        return str(expr.text)
    if isinstance(value, Const):
        return literal(value.value)
    if isinstance(value, Tuple):
        inner = ", ".join(text(v) for v in value.items)
        return f"({inner},)" if len(value.items) == 1 else f"({inner})"
    raise NotMigrated("K2T903", "a value is not known here, so it cannot be carried over")


def spelled(source: Source | None, arg: Arg | None) -> str:
    """The keyword that an argument is given by, "" by position."""
    if source is None or arg is None or arg.span is None:
        return ""
    found = re.search(r"(\w+)\s*=\s*$", source.text[: arg.span.start])
    return found[1] if found else ""


def literal(value: object) -> str:
    """A literal as people write it: 1e-7, not 1e-07."""
    if isinstance(value, float):
        shown = repr(value)
        if "e-0" in shown or "e+0" in shown:
            shown = shown.replace("e-0", "e-").replace("e+0", "e")
        return scientific(value, shown)
    if isinstance(value, str):
        return '"' + value.replace("\\", "\\\\").replace('"', '\\"') + '"'
    return repr(value)


def scientific(value: float, shown: str) -> str:
    """0.001 as 1e-3, as optimizers are usually written."""
    if 0 < abs(value) < 0.01 and "e" not in shown:
        digits = f"{value:e}"
        mantissa, exponent = digits.split("e")
        mantissa = mantissa.rstrip("0").rstrip(".")
        if len(mantissa) == 1:
            return f"{mantissa}e{int(exponent)}"
    return shown


def data(value: Value) -> Any:
    """Python data of a known value (tuples of constants become tuples); Ellipsis if not known."""
    if isinstance(value, Const):
        return value.value
    if isinstance(value, Tuple):
        parts = tuple(data(v) for v in value.items)
        return ... if ... in parts else parts
    return ...


def same_value(value: Value, default: Any) -> bool:
    """Whether a value is known to equal a torch default (an int stands for a tuple of it)."""
    mine = data(value)
    if mine is ...:
        return False
    if isinstance(mine, tuple) and not isinstance(default, list | tuple):
        return all(m == default for m in mine)
    if isinstance(default, list):
        default = tuple(default)
    return bool(mine == default) and isinstance(mine, bool) == isinstance(default, bool)


def get(args: Mapping[str, Arg], name: str) -> Value:
    return args[name].value if name in args else Const(None)


def flag(args: Mapping[str, Arg], name: str) -> bool:
    """A boolean argument that must be known.

    Raises:
        NotMigrated: it is not.
    """
    value = get(args, name)
    if isinstance(value, Const):
        return bool(value.value)
    raise NotMigrated("K2T903", f"{name} is not known, and the rewriting depends on it")


def not_known(table: Table, section: str, value: Value, what: str) -> str:
    """What is said of a loss, an activation, ... that no row is found for."""
    if isinstance(value, Const) and isinstance(value.value, str):
        reason = table.refused.get((section, value.value))
        return f"{what} {value.value!r} is not " + (f"migrated: {reason}" if reason else "known")
    path = value.path if isinstance(value, Ref) else str(getattr(value, "why", None))
    return table.left(path) if table.reason(path) else f"{what} is not known"


def string(args: Mapping[str, Arg], name: str) -> str | None:
    """A string argument that must be known, in lower case."""
    value = get(args, name)
    if isinstance(value, Const):
        return None if value.value is None else str(value.value).lower()
    raise NotMigrated("K2T903", f"{name} is not known, and the rewriting depends on it")


def ints(value: Value, rank: int) -> tuple[int, ...] | None:
    """An int or tuple of ints as a tuple; None if not known."""
    single = as_int(value)
    if single is not None:
        return (single,) * rank
    parts = data(value)
    if isinstance(parts, tuple) and len(parts) == rank and all(isinstance(p, int) for p in parts):
        return parts
    return None


def is_none(value: Value) -> bool:
    return isinstance(value, Const) and value.value is None


def elements(text: str) -> list[str]:
    """The elements of a list as it is written."""
    parsed = ast.parse(text, mode="eval").body
    assert isinstance(parsed, ast.List)
    return [ast.get_source_segment(text, e) or ast.unparse(e) for e in parsed.elts]


def is_literal(value: Value) -> bool:
    """Whether a number is written as one, not as a name that has this value here."""
    return isinstance(value, Const) and (value.expr is None or is_number(value.expr.text))


def is_number(text: str) -> bool:
    try:
        float(text)
    except ValueError:
        return False
    return True
