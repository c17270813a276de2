"""Functions and objects of the script that layers are made with: they stay, and are called here."""

from __future__ import annotations

from k2t.ir.finding import NotMigrated
from k2t.ir.program import Handed
from k2t.ir.values import Class, Function, Instance, Value
from k2t.lower.ops import Context
from k2t.table import Row

TURNED = {"Dense": ".T", "Conv1D": ".permute(2, 1, 0)", "Conv2D": ".permute(2, 3, 1, 0)"}
TURNED |= {"Conv3D": ".permute(2, 3, 4, 1, 0)"}
"""From torch's kernel to Keras's."""

BACK = {"Dense": ".T", "Conv1D": ".permute(2, 1, 0)", "Conv2D": ".permute(3, 2, 0, 1)"}
BACK |= {"Conv3D": ".permute(4, 3, 0, 1, 2)"}
ALIKE = ("Embedding",)
"""Layers whose weight torch keeps as Keras does."""


def is_handed(value: Value) -> bool:
    return isinstance(value, Function | Instance | Class)


def known(ctx: Context, value: Value, what: str) -> Handed:
    """What is known of a function or object.

    Raises:
        NotMigrated: not enough.
    """
    key = None
    if isinstance(value, Function | Class):
        key = value.index
    elif isinstance(value, Instance):
        key = -value.id
    found = ctx.handed.get(key) if key is not None else None
    if found is None or found.problem is not None:
        why = f": {found.problem}" if found is not None else ""
        raise NotMigrated("K2T165", f"{what} of the script's own is not carried over{why}")
    return found


def turned(row: Row, role: str, one: Handed) -> tuple[str, str]:
    """What makes Keras's weight of torch's, and torch's of Keras's.

    Raises:
        NotMigrated: the function goes by the places of the numbers, which are others here.
    """
    if one.any_order or role == "bias" or row.name in ALIKE:
        return "", ""
    if role != "kernel" or row.name not in TURNED:
        why = f"a function of the script's own for the {role} of {row.name}, whose form is another"
        raise NotMigrated("K2T165", why)
    return TURNED[row.name], BACK[row.name]


def penalty(ctx: Context, value: Value, row: Row, role: str) -> str:
    one = known(ctx, value, "a regularizer")
    return f"{one.text}({{p}}{turned(row, role, one)[0]})"


def start(ctx: Context, value: Value, row: Row, role: str) -> tuple[str, str]:
    """The statement that fills ``{p}``, and whose it is in words."""
    one = known(ctx, value, "an initializer")
    there, back = turned(row, role, one)
    return (
        f"{{p}}.data.copy_({one.text}({{p}}{there}.shape){back})",
        f"{one.text.partition('(')[0]}'s",
    )
