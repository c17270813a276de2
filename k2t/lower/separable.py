"""Depthwise and separable convolutions: grouped ones, and one of size 1 behind them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from k2t.ir.finding import NotMigrated
from k2t.ir.values import Arg, Const, Expr, Obj, Shape, as_int
from k2t.lower import text as t
from k2t.lower.convolutions import conv
from k2t.lower.ops import Context, Op, ParamInit, add_arguments
from k2t.lower.parameters import param_inits, penalties
from k2t.table import Row

SCALED = ("he", "lecun", "glorot", "variancescaling")
"""Initializers that look at fans; of one filter a channel the sum of both is torch's."""


def depthwise(
    ctx: Context, row: Row, layer: Obj, shape: Shape | None, width: str | None
) -> list[Op]:
    """``depth_multiplier`` filters of their own for each channel."""
    if width is None:
        raise NotMigrated("K2T106", f"{row.name} needs a known number of channels", layer.span)
    multiplier = t.get(layer.args, "depth_multiplier")
    filters = width if as_int(multiplier) == 1 else f"{t.text(multiplier)} * {width}"
    as_conv = replace(layer, args={**layer.args, **one_for_all(filters)})
    *before, made = conv(ctx, row, as_conv, shape, width)
    assert made.module is not None
    module = add_arguments(made.module, f"groups={width}")
    return [*before, replace(made, module=module, params=starts(ctx, row, layer))]


def one_for_all(filters: str) -> Mapping[str, Arg]:
    return {"filters": Arg(Const(None, Expr(filters)))}


def starts(ctx: Context, row: Row, layer: Obj) -> tuple[ParamInit, ...]:
    """The initial values; Keras counts all channels as inputs of a depthwise kernel, torch one.

    Raises:
        NotMigrated: they would be of another size than Keras's.
    """
    multiplier = as_int(t.get(layer.args, "depth_multiplier"))
    given = t.get(layer.args, "depthwise_initializer")
    name = getattr(given, "row", None) or getattr(given, "path", "").rpartition(".")[2]
    name = (name or str(t.data(given))).lower().replace("_", "")
    inits = param_inits(ctx, row, layer)
    if not name.startswith(SCALED) or (name.startswith("glorot") and multiplier == 1):
        return inits
    if name != "glorotuniform":
        why = f"{row.name}: Keras's fans of a depthwise kernel are others than torch's"
        raise NotMigrated("K2T200", f"{why} ({name}, depth_multiplier={multiplier})", layer.span)
    ctx.helpers["depthwise_glorot_uniform_"] = None
    text = f"depthwise_glorot_uniform_({{p}}, {t.text(t.get(layer.args, 'depth_multiplier'))})"
    return tuple(replace(i, init=text) if i.keras == "depthwise" else i for i in inits)


def separable(
    ctx: Context, row: Row, layer: Obj, shape: Shape | None, width: str | None
) -> list[Op]:
    """A depthwise convolution without a bias, and one of size 1 over its channels."""
    multiplier = t.get(layer.args, "depth_multiplier")
    inside = replace(layer, args={**layer.args, "use_bias": Arg(Const(False))})
    options = {**row.data["options"], "use_bias": "bias"}
    defaults = {**row.data["torch_defaults"], "use_bias": True}
    weights = {"weight": "depthwise", "bias": "bias"}
    data = {"options": options, "torch_defaults": defaults, "weights": weights}
    inner = replace(row, data={**row.data, **data})
    *before, first = depthwise(ctx, inner, inside, shape, width)
    first = replace(
        first,
        stem="depthwise",
        widens=False,
        penalties=tuple(p for p in penalties(ctx, inner, layer) if p[0] == "weight"),
    )
    channels = width if as_int(multiplier) == 1 else f"{t.text(multiplier)} * {width}"
    filters = t.text(t.get(layer.args, "filters"))
    module = f"nn.Conv{row.data['rank']}d({channels}, {filters}, 1)"
    if not t.flag(layer.args, "use_bias"):
        module = add_arguments(module, "bias=False")
    return [*before, first, Op(module=module, layout="first", stem="conv", widens=True)]
