"""Layers that move numbers about without changing them."""

from __future__ import annotations

from k2t.ir.finding import NotMigrated
from k2t.ir.values import Obj, Shape, Tuple, as_int
from k2t.lower import text as t
from k2t.lower.ops import Context, Op, stem
from k2t.table import Row


def reshape(ctx: Context, row: Row, layer: Obj, shape: Shape | None, width: str | None) -> list[Op]:
    target = t.get(layer.args, "target_shape")
    if not isinstance(target, Tuple):
        raise NotMigrated("K2T109", "the target shape is not known")
    dims = ", ".join(t.text(d) for d in target.items)
    rank_in = len(shape) if shape is not None else None
    if rank_in == 1 and len(target.items) > 1 and all(as_int(d) != -1 for d in target.items):
        return [
            Op(
                module=f"nn.Unflatten(1, ({dims}))",
                call=f"{{x}}.unflatten(1, ({dims}))",
                layout="last",
                out="last",
                stem="unflatten",
            )
        ]
    if len(target.items) == 1:
        return [
            Op(
                module="nn.Flatten()",
                call="{x}.flatten(1)",
                layout="last",
                out="last",
                stem="flatten",
            )
        ]
    return [
        Op(call=f"{{x}}.reshape(len({{x}}), {dims})", layout="last", out="last", stem="reshape")
    ]


def permute(ctx: Context, row: Row, layer: Obj, shape: Shape | None, width: str | None) -> list[Op]:
    dims = t.data(t.get(layer.args, "dims"))
    if not isinstance(dims, tuple):
        raise NotMigrated("K2T109", "the order of the axes is not known")
    order = ", ".join(str(d) for d in (0, *dims))
    return [Op(call=f"{{x}}.permute({order})", layout="last", out="last", stem="permute")]


def merge(ctx: Context, row: Row, layer: Obj, shape: Shape | None, width: str | None) -> list[Op]:
    return [Op(call="", stem=stem(row.name))]
