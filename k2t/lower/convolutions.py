"""Convolution, pooling, padding and upsampling."""

from __future__ import annotations

import math
from dataclasses import replace

from k2t.ir.finding import NotMigrated
from k2t.ir.values import Obj, Shape, as_int
from k2t.lower import text as t
from k2t.lower.ops import Context, Op, add_arguments, with_options
from k2t.table import Row


def sizes(shape: Shape | None, rank: int) -> tuple[int | None, ...]:
    if shape is None or len(shape) != rank + 1:
        return (None,) * rank
    return tuple(as_int(d) for d in shape[:-1])


def check_format(layer: Obj) -> None:
    value = t.get(layer.args, "data_format")
    if not t.is_none(value) and t.data(value) not in ("channels_last", "tf"):
        raise NotMigrated("K2T105", "data_format other than channels_last is not carried over")


def same_padding(n: int, kernel: int, stride: int) -> tuple[int, int]:
    """What Keras's "same" adds before and after an axis of length n."""
    total = max((math.ceil(n / stride) - 1) * stride + kernel - n, 0)
    return total // 2, total - total // 2


def conv(ctx: Context, row: Row, layer: Obj, shape: Shape | None, width: str | None) -> list[Op]:
    check_format(layer)
    rank = int(row.data["rank"])
    padding = string_padding(layer)
    strides = t.ints(t.get(layer.args, "strides"), rank)
    name = f"Conv{rank}d"
    filters = t.text(t.get(layer.args, "filters"))
    kernel = t.text(t.get(layer.args, "kernel_size"))
    lazy = width is None
    head = (
        f"nn.Lazy{name}({filters}, {kernel})"
        if lazy
        else f"nn.{name}({width}, {filters}, {kernel})"
    )
    module = with_options(head, row, layer)
    op = Op(layout="first", stem="conv", lazy=lazy, widens=True)
    if padding == "valid":
        return [replace(op, module=module)]
    if padding == "causal":
        return [replace(op, module=helper_conv(ctx, "CausalConv1d", module, lazy))]
    if strides == (1,) * rank:
        return [replace(op, module=add_arguments(module, 'padding="same"'))]
    pads = known_padding(layer, shape, rank, strides)
    if pads is None:
        return [replace(op, module=helper_conv(ctx, f"SameConv{rank}d", module, lazy))]
    if all(before == after for before, after in pads):
        one = pads[0][0] if len(set(pads)) == 1 else tuple(p[0] for p in pads)
        return [replace(op, module=add_arguments(module, f"padding={one}") if one else module)]
    flat = ", ".join(str(p) for pair in reversed(pads) for p in pair)
    pad = "nn.ConstantPad1d" if rank == 1 else f"nn.ZeroPad{rank}d"
    text_ = f"{pad}(({flat}), 0)" if rank == 1 else f"{pad}(({flat}))"
    padded = Op(
        module=text_,
        layout="first",
        stem="pad",
        comment='Keras\'s "same" pads more on the far side',
    )
    return [padded, replace(op, module=module)]


def conv_transpose(
    ctx: Context, row: Row, layer: Obj, shape: Shape | None, width: str | None
) -> list[Op]:
    """A transposed convolution: Keras's "same" cuts the output to size times stride.

    torch's own ``padding`` with ``output_padding`` cuts the near side, Keras the far.
    """
    check_format(layer)
    rank = int(row.data["rank"])
    kernels = t.ints(t.get(layer.args, "kernel_size"), rank)
    strides = t.ints(t.get(layer.args, "strides"), rank)
    padding = string_padding(layer)
    if kernels is None or strides is None or padding == "causal":
        raise NotMigrated("K2T106", "a transposed convolution whose sizes are not known")
    kernel = t.text(t.get(layer.args, "kernel_size"))
    sizes_ = f"{t.text(t.get(layer.args, 'filters'))}, {kernel}"
    lazy = width is None
    name = f"ConvTranspose{rank}d"
    head = f"nn.Lazy{name}({sizes_})" if lazy else f"nn.{name}({width}, {sizes_})"
    module = with_options(head, row, layer)
    op = Op(layout="first", stem="conv", lazy=lazy, widens=True)
    over = [k - s for k, s in zip(kernels, strides, strict=True)]
    if min(over) < 0:
        if max(over) > 0:
            raise NotMigrated("K2T106", "kernels smaller than the strides along one axis only")
        module = add_arguments(module, f"output_padding={one_or_all([-n for n in over])}")
        return [replace(op, module=module)]
    if padding == "valid" or not any(over):
        return [replace(op, module=module)]
    if all(n % 2 == 0 for n in over):
        both = one_or_all([n // 2 for n in over])
        return [replace(op, module=add_arguments(module, f"padding={both}"))]
    cuts = ", ".join(str(-c) for n in reversed(over) for c in (n // 2, n - n // 2))
    cut = Op(
        module=f"nn.ZeroPad{rank}d(({cuts}))",
        layout="first",
        stem="pad",
        comment='Keras\'s "same" cuts more off the far side',
    )
    return [replace(op, module=module), cut]


def one_or_all(numbers: list[int]) -> int | tuple[int, ...]:
    return numbers[0] if len(set(numbers)) == 1 else tuple(numbers)


def helper_conv(ctx: Context, name: str, module: str, lazy: bool) -> str:
    if lazy:
        raise NotMigrated("K2T106", 'padding="same" with strides needs known channels')
    if name == "SameConv3d":
        raise NotMigrated("K2T106", 'padding="same" with strides needs known sizes')
    ctx.helpers[name] = None
    return name + module[module.index("(") :]


def string_padding(layer: Obj) -> str:
    padding = t.string(layer.args, "padding")
    if padding not in ("valid", "same", "causal"):
        raise NotMigrated("K2T106", f"padding={padding!r} is not known")
    return padding


def known_padding(
    layer: Obj,
    shape: Shape | None,
    rank: int,
    strides: tuple[int, ...] | None,
    kernel: str = "kernel_size",
) -> list[tuple[int, int]] | None:
    kernels = t.ints(t.get(layer.args, kernel), rank)
    dilation = (
        t.ints(t.get(layer.args, "dilation_rate"), rank) if kernel == "kernel_size" else (1,) * rank
    )
    axes = sizes(shape, rank)
    if kernels is None or strides is None or dilation is None or None in axes:
        return None
    return [
        same_padding(n or 0, (k - 1) * d + 1, s)
        for n, k, s, d in zip(axes, kernels, strides, dilation, strict=True)
    ]


def pool(ctx: Context, row: Row, layer: Obj, shape: Shape | None, width: str | None) -> list[Op]:
    check_format(layer)
    rank, kind = int(row.data["rank"]), str(row.data["kind"])
    size, strides = t.get(layer.args, "pool_size"), t.get(layer.args, "strides")
    padding = string_padding(layer)
    kernels = t.ints(size, rank)
    steps = kernels if t.is_none(strides) else t.ints(strides, rank)
    arguments = [t.text(size)]
    if not t.is_none(strides) and steps != kernels:
        arguments.append(f"stride={t.text(strides)}")
    name = f"{kind}Pool{rank}d"
    op = Op(layout="first", stem="pool")
    if padding == "valid":
        return [replace(op, module=f"nn.{name}({', '.join(arguments)})")]
    pads = known_padding(layer, shape, rank, steps, "pool_size")
    if pads is not None and not any(sum(p) for p in pads):
        return [replace(op, module=f"nn.{name}({', '.join(arguments)})")]
    if kernels is not None and kernels == steps and set(kernels) == {2}:
        return [replace(op, module=f"nn.{name}({', '.join(arguments)}, ceil_mode=True)")]
    if rank == 3:
        raise NotMigrated("K2T106", f'{row.name}(padding="same") with these sizes')
    ctx.helpers[f"Same{name}"] = None
    return [replace(op, module=f"Same{name}({', '.join(arguments)})")]


def pairs_of(value: object, rank: int) -> list[tuple[int, int]]:
    """What is put on or cut off before and after each axis."""
    if isinstance(value, int):
        return [(value, value)] * rank
    if rank == 1 and isinstance(value, tuple):
        return [value if isinstance(value[0], int) else value[0]]
    if isinstance(value, tuple):
        return [(v, v) if isinstance(v, int) else v for v in value]
    raise NotMigrated("K2T107", "the amount of padding is not known")


def zero_padding(
    ctx: Context, row: Row, layer: Obj, shape: Shape | None, width: str | None
) -> list[Op]:
    check_format(layer)
    rank = int(row.data["rank"])
    pairs = pairs_of(t.data(t.get(layer.args, "padding")), rank)
    return [Op(module=padding_module(rank, pairs), layout="first", stem="pad")]


def padding_module(rank: int, pairs: list[tuple[int, int]]) -> str:
    """A module that pads each axis before and after it; less than nothing cuts off."""
    if rank == 1:
        return f"nn.ConstantPad1d({pairs[0]!r}, 0)"
    if len(set(pairs)) == 1 and pairs[0][0] == pairs[0][1]:
        return f"nn.ZeroPad{rank}d({pairs[0][0]})"
    flat = ", ".join(str(p) for pair in reversed(pairs) for p in pair)
    return f"nn.ZeroPad{rank}d(({flat}))"


def cropping(
    ctx: Context, row: Row, layer: Obj, shape: Shape | None, width: str | None
) -> list[Op]:
    check_format(layer)
    rank = int(row.data["rank"])
    pairs = pairs_of(t.data(t.get(layer.args, "cropping")), rank)
    cut = padding_module(rank, [(-before, -after) for before, after in pairs])
    return [Op(module=cut, layout="first", stem="crop", comment="cut off")]


def upsample(
    ctx: Context, row: Row, layer: Obj, shape: Shape | None, width: str | None
) -> list[Op]:
    check_format(layer)
    mode = t.string(layer.args, "interpolation") if "interpolation" in layer.args else "nearest"
    size = t.get(layer.args, "size")
    numbers = t.ints(size, int(row.get("rank", 2)))
    text_ = str(numbers[0]) if numbers and len(set(numbers)) == 1 else t.text(size)
    if mode == "nearest":
        return [Op(module=f"nn.Upsample(scale_factor={text_})", layout="first", stem="upsample")]
    if mode == "bilinear" and ctx.dialect == "keras2":
        why = f"{row.name}(interpolation='bilinear'): Keras 2 counts from the corner of a pixel"
        raise NotMigrated("K2T108", why)
    if mode == "bilinear":
        return [
            Op(
                module=f'nn.Upsample(scale_factor={text_}, mode="bilinear")',
                layout="first",
                stem="upsample",
            )
        ]
    raise NotMigrated("K2T108", f"{row.name}(interpolation={mode!r}) is not carried over")
