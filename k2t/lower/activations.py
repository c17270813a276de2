"""Activations, as arguments and as layers."""

from __future__ import annotations

from dataclasses import replace

from k2t.ir.finding import NotMigrated
from k2t.ir.values import Const, Obj, Ref, Shape, Value, as_int
from k2t.lower import text as t
from k2t.lower.handed import is_handed, known
from k2t.lower.ops import Context, Op
from k2t.table import Row


def activation_row(ctx: Context, value: Value) -> Row | None:
    """The row of an activation given as string, function or None (linear)."""
    if t.is_none(value):
        return None
    if isinstance(value, Const) and isinstance(value.value, str):
        row = ctx.table.string("activations", value.value)
    elif isinstance(value, Ref):
        row = ctx.table.find(value.path)
    else:
        row = None
    if row is None or row.section != "activations":
        why = t.not_known(ctx.table, "activations", value, "the activation")
        raise NotMigrated("K2T101", why)
    return None if row.name == "linear" else row


def activation(ctx: Context, value: Value, axis: int = -1) -> list[Op]:
    if is_handed(value):
        one = known(ctx, value, "an activation")
        layout = "any" if one.any_order else "last"
        return [Op(call=f"{one.text}({{x}})", stem="activation", layout=layout)]
    row = activation_row(ctx, value)
    if row is None:
        return []
    if (looked_up := from_table(ctx, row, value)) is not None:
        return [looked_up]
    module = str(row.for_dialect(ctx.dialect, "module", ""))
    call = str(row.for_dialect(ctx.dialect, "call"))
    first = None
    if row.get("axis"):
        module = f"{module}({axis})"
        call = call.replace("-1", str(axis))
        first = call.replace(str(axis), "1")
    elif module and not module.endswith(")"):
        module += "()"
    return [
        Op(
            module=module or None,
            call=call,
            first=first,
            activation=row.name,
            stem=row.name,
            layout="last" if row.get("axis") else "any",
        )
    ]


def from_table(ctx: Context, row: Row, value: Value) -> Op | None:
    """An activation named by a variable: looked up among the ones the script uses.

    None where no variable names it, or it is no class that is made without arguments.
    """
    expr = value.expr if isinstance(value, Const) else None
    if expr is None or not expr.text.isidentifier():
        return None
    module = str(row.for_dialect(ctx.dialect, "module", ""))
    if not module or module.endswith(")") or row.get("axis"):
        return None
    ctx.tables.setdefault("ACTIVATIONS", {})[str(t.data(value))] = module
    return Op(module=f"ACTIVATIONS[{expr.text}]()", stem="activation", layout="any")


def activation_layer(
    ctx: Context, row: Row, layer: Obj, shape: Shape | None, width: str | None
) -> list[Op]:
    ops = activation(ctx, t.get(layer.args, "activation"))
    return ops or [Op(module="nn.Identity()", call="{x}", stem="identity")]


def softmax(ctx: Context, row: Row, layer: Obj, shape: Shape | None, width: str | None) -> list[Op]:
    axis = as_int(t.get(layer.args, "axis"))
    if axis is None:
        raise NotMigrated("K2T102", "Softmax over several axes is not carried over")
    if shape is not None and axis == len(shape):
        axis = -1
    ops = activation(ctx, Const("softmax"), axis)
    if axis != -1:
        return [replace(ops[0], activation=None)]
    return ops


def relu(ctx: Context, row: Row, layer: Obj, shape: Shape | None, width: str | None) -> list[Op]:
    slope, threshold = t.get(layer.args, "negative_slope"), t.get(layer.args, "threshold")
    top = t.get(layer.args, "max_value")
    if not t.same_value(threshold, 0.0):
        raise NotMigrated("K2T103", "ReLU(threshold=...) is not carried over")
    if t.is_none(top):
        if t.same_value(slope, 0.0):
            return activation(ctx, Const("relu"))
        return [Op(module=f"nn.LeakyReLU({t.text(slope)})", stem="relu")]
    if not t.same_value(slope, 0.0):
        raise NotMigrated("K2T103", "ReLU with max_value and negative_slope is not carried over")
    if t.same_value(top, 6):
        return activation(ctx, Const("relu6"))
    return [Op(call=f"F.relu({{x}}).clamp_max({t.text(top)})", stem="relu")]


def prelu(ctx: Context, row: Row, layer: Obj, shape: Shape | None, width: str | None) -> list[Op]:
    """One slope a channel; per position (no shared_axes on maps) torch has no module."""
    axes = t.data(t.get(layer.args, "shared_axes"))
    rank = len(shape) if shape is not None else None
    if rank is None or (
        rank > 1 and (not isinstance(axes, tuple) or sorted(axes) != list(range(1, rank)))
    ):
        raise NotMigrated(
            "K2T104",
            "PReLU is carried over with one slope per channel only "
            "(shared_axes over all positions)",
        )
    if width is None:
        raise NotMigrated("K2T104", "PReLU needs a known number of channels")
    return [
        Op(
            module=f"nn.PReLU({width})",
            layout="first" if rank > 1 else "any",
            stem="prelu",
            widens=True,
        )
    ]
