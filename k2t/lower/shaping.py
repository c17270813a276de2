"""Layers that move numbers about without changing them."""

from __future__ import annotations

import re
from dataclasses import replace

from k2t.ir.finding import NotMigrated
from k2t.ir.values import ModelRef, Obj, Shape, Tuple, as_int
from k2t.lower import text as t
from k2t.lower.masks import is_told
from k2t.lower.ops import Context, Op, dim_text, stem
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
    call = f"{{x}}.flatten(1).unflatten(1, ({dims}))"
    return [Op(call=call, layout="last", out="last", stem="reshape")]


def global_pool(
    ctx: Context, row: Row, layer: Obj, shape: Shape | None, width: str | None
) -> list[Op]:
    """A mean or maximum over all places; the row has the call."""
    call, first = str(row.data["call"]), str(row.data["first"])
    if is_told(layer):  # the mean of the steps that count
        kept = ", keepdim=True" if t.flag(layer.args, "keepdims") else ""
        steps = "{mask}.sum(1, keepdim=True)" + (".unsqueeze(2)" if kept else "")
        call = f"({{x}} * {{mask}}.unsqueeze(2)).sum(1{kept}) / {steps}"
        return [Op(call=call, layout="last", out="last", stem=stem(row.name))]
    if t.flag(layer.args, "keepdims"):
        call, first = call[:-1] + ", keepdim=True)", first[:-1] + ", keepdim=True)"
    return [Op(call=call, first=first, layout="any", stem=stem(row.name))]


def masking(ctx: Context, row: Row, layer: Obj, shape: Shape | None, width: str | None) -> list[Op]:
    """Zeros where the mask is false; with a mask value of zero they are zeros already.

    Raises:
        NotMigrated: nothing in this place hands the mask on to the layers that use it.
    """
    if t.same_value(t.get(layer.args, "mask_value"), 0.0):
        return [Op(call="{x}", layout="last", out="last", stem="masking")]
    return [Op(call="{x} * {mask}.unsqueeze(-1)", layout="last", out="last", stem="masking")]


def rescaling(
    ctx: Context, row: Row, layer: Obj, shape: Shape | None, width: str | None
) -> list[Op]:
    """``x * scale + offset``."""
    scale, offset = t.get(layer.args, "scale"), t.get(layer.args, "offset")
    if not all(isinstance(t.data(v), int | float) for v in (scale, offset)):
        raise NotMigrated("K2T100", "Rescaling by something that is no number", layer.span)
    call = f"{{x}} * {in_product(t.text(scale))}"
    if not t.same_value(offset, 0.0):
        text_ = t.text(offset)
        call += f" - {text_[1:]}" if text_.startswith("-") else f" + {text_}"
    return [Op(call=call, layout="any", stem="scale")]


def in_product(text: str) -> str:
    """A factor, in brackets if it is more than one."""
    return text if re.fullmatch(r"[\w.]+(?:(?<=\de)-\d+)?", text) else f"({text})"


def permute(ctx: Context, row: Row, layer: Obj, shape: Shape | None, width: str | None) -> list[Op]:
    dims = t.data(t.get(layer.args, "dims"))
    if not isinstance(dims, tuple):
        raise NotMigrated("K2T109", "the order of the axes is not known")
    order = ", ".join(str(d) for d in (0, *dims))
    return [Op(call=f"{{x}}.permute({order})", layout="last", out="last", stem="permute")]


def merge(ctx: Context, row: Row, layer: Obj, shape: Shape | None, width: str | None) -> list[Op]:
    return [Op(call="", stem=stem(row.name))]


def each_step(ctx: Context, layer: Obj) -> Obj:
    """The layer inside a TimeDistributed.

    Raises:
        NotMigrated: it looks at more than one row of its input.
    """
    model = t.get(layer.args, "model")
    rows = [layer.row]
    if isinstance(model, ModelRef):
        rows += [inner.row for _, _, inner in ctx.made.get(model.id, ())]
    if "BatchNormalization" in rows and ctx.dialect == "keras3":
        raise NotMigrated(
            "K2T129",
            "BatchNormalization inside TimeDistributed: Keras 3 normalises each step by itself",
        )
    return replace(layer, args={k: a for k, a in layer.args.items() if k != "time_distributed"})


def folded(row: Row, ops: list[Op], steps: Shape) -> list[Op]:
    """Operations with the axes of the steps taken into the batch, and out of it again."""
    sizes = [dim_text(d) for d in steps]
    if None in sizes:
        raise NotMigrated("K2T129", "TimeDistributed over a number of steps that is not known")
    count, split = len(steps), ", ".join(["-1", *(s for s in sizes if s is not None)])
    kept = any("keepdim" in (op.call or "") for op in ops)
    flat = row.get("shape") == "global_pool" and not kept  # its result has no layout
    return [
        Op(
            call=f"{{x}}.flatten(0, {count})",
            layout="last",
            out="last",
            stem="steps",
            comment="every step alone",
            folds=count,
        ),
        *ops,
        Op(
            call=f"{{x}}.unflatten(0, ({split}))",
            layout="any" if flat else "last",
            out="last",
            stem="steps",
            folds=-count,
        ),
    ]
