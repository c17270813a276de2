"""Output shapes of convolutions, pooling, padding and upsampling, without the batch axis."""

from __future__ import annotations

import math
from collections.abc import Sequence

from k2t.analyse.shape_terms import Args, Items, dim, numbers, value
from k2t.ir.values import Const, Dim, Shape, Tuple, Value, as_int, known


def window(size: Dim, kernel: int | None, stride: int | None, padding: str | None) -> Dim:
    """One axis of a convolution or pooling; ``kernel`` is already widened by the dilation."""
    n = as_int(size)
    if n is None or stride is None:
        return None
    if padding in ("same", "causal"):
        return Const(math.ceil(n / stride))
    if padding == "valid" and kernel is not None:
        return Const((n - kernel) // stride + 1)
    return None


def conv(args: Args, shapes: Sequence[Shape | None], items: Items) -> Shape | None:
    shape = shapes[0]
    if shape is None:
        return None
    rank = len(shape) - 1
    kernels = numbers(value(args, "kernel_size"), rank, items)
    strides = numbers(value(args, "strides"), rank, items)
    dilations = numbers(value(args, "dilation_rate"), rank, items)
    padding = value(args, "padding")
    mode = str(padding.value).lower() if known(padding, str) else None  # type: ignore[union-attr]
    wide = [
        None if k is None or d is None else (k - 1) * d + 1
        for k, d in zip(kernels, dilations, strict=True)
    ]
    axes = [window(n, k, s, mode) for n, k, s in zip(shape[:-1], wide, strides, strict=True)]
    return (*axes, dim(value(args, "filters")))


def conv_transpose(args: Args, shapes: Sequence[Shape | None], items: Items) -> Shape | None:
    shape = shapes[0]
    if shape is None:
        return None
    rank = len(shape) - 1
    kernels = numbers(value(args, "kernel_size"), rank, items)
    strides = numbers(value(args, "strides"), rank, items)
    padding = value(args, "padding")
    wide = not known(padding, str) or str(padding.value).lower() == "valid"  # type: ignore[union-attr]
    axes: list[Dim] = []
    for size, kernel, stride in zip(shape[:-1], kernels, strides, strict=True):
        n = as_int(size)
        if n is None or kernel is None or stride is None:
            axes.append(None)
        else:
            axes.append(Const(n * stride + (max(kernel - stride, 0) if wide else 0)))
    return (*axes, dim(value(args, "filters")))


def depthwise(args: Args, shapes: Sequence[Shape | None], items: Items) -> Shape | None:
    multiplier = as_int(value(args, "depth_multiplier"))
    made = conv(args, shapes, items)
    if made is None or shapes[0] is None:
        return None
    width = as_int(shapes[0][-1])
    last = shapes[0][-1] if multiplier == 1 else None
    if multiplier != 1 and multiplier is not None and width is not None:
        last = Const(width * multiplier)
    return (*made[:-1], last)


def pool(args: Args, shapes: Sequence[Shape | None], items: Items) -> Shape | None:
    shape = shapes[0]
    if shape is None:
        return None
    rank = len(shape) - 1
    size = value(args, "pool_size")
    strides = value(args, "strides")
    kernels = numbers(size, rank, items)
    steps = (
        kernels
        if strides == Const(None) or known(strides, type(None))
        else numbers(strides, rank, items)
    )
    padding = value(args, "padding")
    mode = str(padding.value).lower() if known(padding, str) else None  # type: ignore[union-attr]
    axes = [window(n, k, s, mode) for n, k, s in zip(shape[:-1], kernels, steps, strict=True)]
    return (*axes, shape[-1])


def pad(args: Args, shapes: Sequence[Shape | None], items: Items) -> Shape | None:
    shape = shapes[0]
    if shape is None:
        return None
    pairs = padding_pairs(value(args, "padding"), len(shape) - 1, items)
    if pairs is None:
        return (*(None for _ in shape[:-1]), shape[-1])
    axes: list[Dim] = []
    for axis, (before, after) in zip(shape[:-1], pairs, strict=True):
        size = as_int(axis)
        axes.append(None if size is None else Const(size + before + after))
    return (*axes, shape[-1])


def padding_pairs(item: Value, rank: int, items: Items) -> list[tuple[int, int]] | None:
    """ZeroPadding's argument as one (before, after) pair per axis."""
    single = as_int(item)
    if single is not None:
        return [(single, single)] * rank
    many = items(item)
    if many is None:
        return None
    if rank == 1 and len(many) == 2:
        many = [Tuple(tuple(many))]
    pairs: list[tuple[int, int]] = []
    for entry in many:
        one = as_int(entry)
        two = [as_int(e) for e in items(entry) or []]
        if one is not None:
            pairs.append((one, one))
        elif len(two) == 2 and two[0] is not None and two[1] is not None:
            pairs.append((two[0], two[1]))
        else:
            return None
    return pairs if len(pairs) == rank else None


def crop(args: Args, shapes: Sequence[Shape | None], items: Items) -> Shape | None:
    shape = shapes[0]
    pairs = padding_pairs(value(args, "cropping"), len(shape) - 1, items) if shape else None
    if shape is None or pairs is None:
        return None if shape is None else (*(None for _ in shape[:-1]), shape[-1])
    sizes = [(as_int(axis), sum(pair)) for axis, pair in zip(shape[:-1], pairs, strict=True)]
    return (*(None if n is None else Const(n - cut) for n, cut in sizes), shape[-1])


def resizing(args: Args, shapes: Sequence[Shape | None], items: Items) -> Shape | None:
    shape = shapes[0]
    return (*(dim(value(args, n)) for n in ("height", "width")), shape[-1]) if shape else None


def upsample(args: Args, shapes: Sequence[Shape | None], items: Items) -> Shape | None:
    shape = shapes[0]
    if shape is None:
        return None
    factors = numbers(value(args, "size"), len(shape) - 1, items)
    axes: list[Dim] = []
    for axis, factor in zip(shape[:-1], factors, strict=True):
        size = as_int(axis)
        axes.append(None if size is None or factor is None else Const(size * factor))
    return (*axes, shape[-1])
