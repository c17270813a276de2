"""Normalisation layers."""

from __future__ import annotations

import math

from k2t.ir.finding import NotMigrated
from k2t.ir.values import Obj, Shape, Value, as_int
from k2t.lower import text as t
from k2t.lower.ops import Context, Op, dim_text
from k2t.table import Row


def batch_norm(
    ctx: Context, row: Row, layer: Obj, shape: Shape | None, width: str | None
) -> list[Op]:
    """torch counts momentum the other way round; Keras's running variance is the biased one."""
    rank = len(shape) if shape is not None else None
    axis = as_int(t.get(layer.args, "axis"))
    if rank is None or axis not in (-1, rank):
        raise NotMigrated(
            "K2T110", "BatchNormalization is carried over for the last axis of a known rank"
        )
    if rank not in (1, 2, 3, 4):
        raise NotMigrated("K2T110", f"BatchNormalization of {rank} axes is not carried over")
    center, scale = flag_pair(layer)
    name = f"BatchNorm{max(rank - 1, 1)}d"
    extra = [
        f"eps={t.text(t.get(layer.args, 'epsilon'))}",
        f"momentum={inverse(t.get(layer.args, 'momentum'))}",
    ]
    if not center and not scale:
        extra.append("affine=False")
    if width is None:
        raise NotMigrated("K2T110", "BatchNormalization needs a known number of channels")
    module = f"{batch_norm_class(ctx, name, shape)}({width}, {', '.join(extra)})"
    frozen = () if center == scale else ("bias",) if scale else ("weight",)
    layout = "first" if rank > 1 else "any"
    return [Op(module=module, layout=layout, stem="norm", widens=True, frozen=frozen)]


def batch_norm_class(ctx: Context, name: str, shape: Shape | None) -> str:
    """torch's class where its unbiased running variance is within 1/500, else the helper.

    tf.keras 2 on maps of two and three axes uses TensorFlow's fused kernel, which hands back the
    unbiased variance too (tf-keras 2.21, measured; not so on other ranks).
    """
    if ctx.dialect == "tf_keras" and name in ("BatchNorm2d", "BatchNorm3d"):
        return f"nn.{name}"
    if ctx.dialect == "keras2":
        ctx.note(
            "K2T112",
            "warning",
            f"nn.{name} starts its running statistics at mean 0 and variance 1; those of Keras 2.2 "
            "equal the first batch after one step: validation differs early in training",
        )
        return f"nn.{name}"
    sizes_ = [as_int(d) for d in shape[:-1]] if shape is not None else [None]
    positions = math.prod(s for s in sizes_ if s is not None) if None not in sizes_ else 0
    count = positions * (ctx.batch_size or 0)
    if ctx.fidelity == "plain" or (ctx.fidelity == "faithful" and count >= 500):
        about = f"1/{count - 1} of each variance" if count > 1 else "1/(n - 1) of each variance"
        ctx.note(
            "K2T112",
            "warning",
            f"nn.{name} keeps the unbiased running variance, Keras the biased one: {about}, "
            "in validation and prediction only",
        )
        return f"nn.{name}"
    ctx.helpers[name] = None
    return name


def flag_pair(layer: Obj) -> tuple[bool, bool]:
    return t.flag(layer.args, "center"), t.flag(layer.args, "scale")


def inverse(value: Value) -> str:
    """torch's momentum: one minus Keras's."""
    number = t.data(value)
    expr = getattr(value, "expr", None)
    if isinstance(number, int | float) and (
        expr is None or not any(c.isalpha() for c in expr.text.replace("e", ""))
    ):
        return f"{round(1 - number, 12):g}"
    return f"1 - {t.text(value)}"


def layer_norm(
    ctx: Context, row: Row, layer: Obj, shape: Shape | None, width: str | None
) -> list[Op]:
    axis = t.data(t.get(layer.args, "axis"))
    center, scale = flag_pair(layer)
    rank = len(shape) if shape is not None else None
    axes = (axis,) if isinstance(axis, int) else axis
    if rank is not None and isinstance(axes, tuple):
        axes = tuple(a - 1 - rank if a > 0 else a for a in axes)
    if not isinstance(axes, tuple) or sorted(axes) != list(range(-len(axes), 0)):
        raise NotMigrated("K2T113", "LayerNormalization is carried over for the last axes only")
    if len(axes) == 1:
        normalized = width
    else:
        dims = shape[-len(axes) :] if shape is not None else ()
        normalized = "(" + ", ".join(dim_text(d) or "" for d in dims) + ")"
        if any(dim_text(d) is None for d in dims):
            normalized = None
    if normalized is None:
        raise NotMigrated("K2T113", "LayerNormalization needs a known width")
    extra = [f"eps={t.text(t.get(layer.args, 'epsilon'))}"]
    if not scale:
        if center:
            raise NotMigrated("K2T113", "LayerNormalization(scale=False) alone is not carried over")
        extra.append("elementwise_affine=False")
    elif not center:
        extra.append("bias=False")
    return [
        Op(
            module=f"nn.LayerNorm({normalized}, {', '.join(extra)})",
            layout="last",
            stem="norm",
            widens=True,
        )
    ]


def group_norm(
    ctx: Context, row: Row, layer: Obj, shape: Shape | None, width: str | None
) -> list[Op]:
    """``groups=-1`` is a group for each channel."""
    rank = len(shape) if shape is not None else None
    if rank is None or width is None or as_int(t.get(layer.args, "axis")) not in (-1, rank):
        raise NotMigrated("K2T110", "GroupNormalization of the last axis of a known width only")
    center, scale = flag_pair(layer)
    groups = t.get(layer.args, "groups")
    text = width if as_int(groups) == -1 else t.text(groups)
    affine = "" if center or scale else ", affine=False"
    module = f"nn.GroupNorm({text}, {width}, eps={t.text(t.get(layer.args, 'epsilon'))}{affine})"
    frozen = () if center == scale else ("bias",) if scale else ("weight",)
    layout = "first" if rank > 1 else "any"
    return [Op(module=module, layout=layout, stem="norm", widens=True, frozen=frozen)]


def rms_norm(
    ctx: Context, row: Row, layer: Obj, shape: Shape | None, width: str | None
) -> list[Op]:
    rank = len(shape) if shape is not None else None
    if rank is None or width is None or as_int(t.get(layer.args, "axis")) not in (-1, rank):
        raise NotMigrated("K2T113", "RMSNormalization of the last axis of a known width only")
    module = f"nn.RMSNorm({width}, eps={t.text(t.get(layer.args, 'epsilon'))})"
    return [Op(module=module, layout="last", stem="norm", widens=True)]


def unit_norm(
    ctx: Context, row: Row, layer: Obj, shape: Shape | None, width: str | None
) -> list[Op]:
    """Vectors of length one."""
    axes = t.data(t.get(layer.args, "axis"))
    axes = (axes,) if isinstance(axes, int) else axes
    if not isinstance(axes, tuple) or shape is None:
        raise NotMigrated("K2T113", "the axes of UnitNormalization are not known")
    dims = tuple(a if a > 0 else a + len(shape) + 1 for a in axes)
    last = dims == (len(shape),)
    text = "-1" if last and len(shape) > 1 else str(dims[0]) if len(dims) == 1 else str(dims)
    call = f"F.normalize({{x}}, dim={text})"
    if len(dims) > 1:
        norm = f"torch.linalg.vector_norm({{x}}, dim={text}, keepdim=True)"
        call = f"{{x}} / {norm}.clamp_min(1e-6)"
    return [Op(call=call, layout="last", stem="norm")]
