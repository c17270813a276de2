"""Operations on images (n, h, w, c), convolutions and pools: torch wants the channels first."""

from __future__ import annotations

from collections.abc import Sequence

from k2t.ir.values import Const, Tuple, Value, as_int
from k2t.lower import text as t
from k2t.lower.brackets import bracketed, ends_in
from k2t.lower.operations import (
    Operands,
    Values,
    listed,
    refused,
    stretch,
    value_key,
    whole_number,
)
from k2t.lower.pieces import TO_FIRST, TO_LAST
from k2t.table import Row

MODES = {"bilinear": "bilinear", "nearest": "nearest-exact", "nearest_neighbor": "nearest-exact"}


def channels_first(text: str, rank: int) -> str:
    """The channels in front; two permutations that meet go."""
    if ends_in(text, TO_LAST[rank]):
        return text.removesuffix(TO_LAST[rank])
    return bracketed(text) + TO_FIRST[rank]


def interpolated(text: str, how: str) -> str:
    """torch resizes channels-first images."""
    return f"F.interpolate({channels_first(text, 3)}, {how}){TO_LAST[3]}"


def resized(row: Row, operands: Operands, values: Values) -> str:
    """Both take the middles of the pixels for their places."""
    mode = MODES.get(value_key(values["method"]).lower())
    if mode is None:
        raise refused(row, f"method={value_key(values['method'])!r}")
    if not t.same_value(values["data_format"], None):
        raise refused(row, "data_format=...")
    size = listed(values["size"])
    how = f'size={size}, mode="{mode}"'
    if t.same_value(values["antialias"], True) and mode == "bilinear":
        how += ", antialias=True"
    return interpolated(operands["images"], how)


def scaled(row: Row, operands: Operands, values: Values) -> str:
    mode = MODES.get(str(t.data(values["interpolation"])))
    if mode is None or t.data(values["data_format"]) != "channels_last":
        raise refused(row, "another interpolation or data_format")
    high, wide = (t.text(values[n]) for n in ("height_factor", "width_factor"))
    mode = mode.removesuffix("-exact")  # whole factors
    factor = high if high == wide else f"({high}, {wide})"
    return interpolated(operands["images"], f'scale_factor={factor}, mode="{mode}"')


def two(row: Row, value: Value, name: str) -> list[int]:
    """Numbers for height and width: one for both, two, or four with those of batch and channels."""
    return inner(row, value, name, 2)


def inner(row: Row, value: Value, name: str, rank: int) -> list[int]:
    """Numbers for the axes between the batch and the channels; None is 1.

    Raises:
        NotMigrated: they are not known, or are no such numbers.
    """
    if t.is_none(value):
        return [1] * rank
    items = value.items if isinstance(value, Tuple) else (value,)
    found = [as_int(i) for i in items]
    if len(found) == rank + 2 and found[0] == found[-1] == 1:
        found = found[1:-1]
    if len(found) == 1:
        found *= rank
    if len(found) != rank or None in found:
        raise refused(row, f"{name}=..., which is not known")
    return [n for n in found if n is not None]


def patches(row: Row, operands: Operands, values: Values) -> str:
    size = two(row, values["size"], "size")
    strides = size if t.is_none(values["strides"]) else two(row, values["strides"], "strides")
    if two(row, values["dilation_rate"], "dilation_rate") != [1, 1]:
        raise refused(row, "dilation_rate=...")
    if str(t.data(values["padding"])).lower() != "valid":
        raise refused(row, 'padding="same"')
    texts = [named(values[n], numbers) for n, numbers in (("size", size), ("strides", strides))]
    if t.is_none(values["strides"]):
        texts[1] = texts[0]
    return f"extract_patches({operands['images']}, {', '.join(texts)})"


def named(value: Value, numbers: Sequence[int]) -> str:
    """Two numbers as the script names them."""
    items = value.items if isinstance(value, Tuple) else (value, value)
    inner_ones = items[1:-1] if len(items) == 4 else items
    if len(inner_ones) != 2 or any(as_int(i) is None for i in inner_ones):
        return str(tuple(numbers))
    return f"({', '.join(map(t.text, inner_ones))})"


def sizes_of(row: Row, values: Values, number: int = 0) -> list[int | None]:
    """The sizes of a tensor, the batch first."""
    sizes = values["sizes"]
    assert isinstance(sizes, Tuple)
    mine = sizes.items[number]
    if not isinstance(mine, Tuple):
        raise refused(row, "a tensor whose number of axes is not known")
    return [as_int(i) for i in mine.items]


def known_sizes(row: Row, values: Values) -> list[int]:
    high, wide = sizes_of(row, values)[-3:-1]
    if high is None or wide is None:
        raise refused(row, "images whose size is not known")
    return [high, wide]


def cut(text: str, start: Sequence[int], size: Sequence[int]) -> str:
    parts = [f"{a or ''}:{a + n}" for a, n in zip(start, size, strict=True)]
    return f"{bracketed(text)}[:, {', '.join(parts)}]"


def cropped(row: Row, operands: Operands, values: Values) -> str:
    """The middle of images."""
    share = t.data(values["central_fraction"])
    if not isinstance(share, int | float):
        raise refused(row, "central_fraction=..., which is not known")
    sizes = known_sizes(row, values)
    start = [int((n - n * share) / 2) for n in sizes]
    return cut(operands["images"], start, [n - 2 * s for n, s in zip(sizes, start, strict=True)])


def boxed(row: Row, operands: Operands, values: Values) -> str:
    parts = []
    for axis in ("height", "width"):
        ends = [f"offset_{axis}", f"target_{axis}"]
        for name in ends:
            whole_number(row, values, name)
        parts.append(stretch(*(values[name] for name in ends)))
    return f"{bracketed(operands['images'])}[:, {', '.join(parts)}]"


def fitted(row: Row, operands: Operands, values: Values) -> str:
    """Padded with zeros, or cut, to a size: F.pad cuts where it is given less than nothing."""
    sizes = known_sizes(row, values)
    ends: list[int] = []
    for axis, size in zip(("height", "width"), sizes, strict=True):
        target = whole_number(row, values, f"target_{axis}")
        if f"offset_{axis}" in values:
            before = whole_number(row, values, f"offset_{axis}")
        elif target >= size:
            before = (target - size) // 2
        else:
            before = -((size - target) // 2)
        ends = [before, target - size - before, *ends]
    return f"F.pad({operands['images']}, (0, 0, {', '.join(map(str, ends))}))"


def trimmed(row: Row, operands: Operands, values: Values) -> str:
    """Cut or padded at the edges, by two of: how much in front, how much behind, what is wanted."""
    word = "cropping" if row.name == "crop_images" else "padding"
    ends: list[int] = []
    edges = (("top", "bottom", "height"), ("left", "right", "width"))
    for size, (front, back, target) in zip(known_sizes(row, values), edges, strict=True):
        names = [f"{front}_{word}", f"{back}_{word}", f"target_{target}"]
        before, after, wanted = (
            None if t.is_none(values[n]) else whole_number(row, values, n) for n in names
        )
        if (before, after, wanted).count(None) != 1:
            raise refused(row, f"other than two of {', '.join(names)}")
        change = abs(wanted - size) if wanted is not None else 0
        before = change - after if before is None and after is not None else before
        after = change - before if after is None and before is not None else after
        ends = [before or 0, after or 0, *ends]
    if word == "padding":
        return f"F.pad({operands['images']}, (0, 0, {', '.join(map(str, ends))}))"
    high, wide = known_sizes(row, values)
    left, right, top, bottom = ends
    return cut(operands["images"], (top, left), (high - top - bottom, wide - left - right))


def padding_of(row: Row, values: Values) -> str:
    padding = str(t.data(values["padding"])).lower()
    if padding not in ("same", "valid"):
        raise refused(row, f"padding={padding!r}")
    return padding


def ends_of(
    row: Row, sizes: Sequence[int | None], kernel: Sequence[int], strides: Sequence[int]
) -> list[int]:
    """What "same" pads, the last axis first, more at the far side."""
    ends: list[int] = []
    for size, width, stride in zip(sizes, kernel, strides, strict=True):
        if size is None:
            raise refused(row, 'strides with padding="same" on a size that is not known')
        missing = max((-(-size // stride) - 1) * stride + width - size, 0)
        ends = [missing // 2, missing - missing // 2, *ends]
    return ends


def one_or_all(numbers: Sequence[int]) -> str:
    return str(numbers[0]) if len({*numbers}) == 1 else str(tuple(numbers))


KERNEL = {1: ".permute(2, 1, 0)", 2: ".permute(3, 2, 0, 1)", 3: ".permute(4, 3, 0, 1, 2)"}
"""Keras's kernels have inputs and outputs last."""


def convolved(row: Row, operands: Operands, values: Values) -> str:
    """A convolution with a kernel that is a tensor of its own."""
    return convolution(row, operands, values, KERNEL, "")


def depthwise(row: Row, operands: Operands, values: Values) -> str:
    """Each channel by kernels of its own."""
    *window, channels, times = sizes_of(row, values, 1)
    if channels is None or times is None:
        raise refused(row, "a kernel whose size is not known")
    shape = ", ".join([str(channels * times), "1", *map(str, window)])
    turned = {2: f".permute(2, 3, 0, 1).reshape({shape})"}
    return convolution(row, operands, values, turned, f", groups={channels}")


def convolution(
    row: Row, operands: Operands, values: Values, kernel: dict[int, str], more: str
) -> str:
    sizes, window = sizes_of(row, values)[1:-1], sizes_of(row, values, 1)[:-2]
    rank = len(window)
    if rank not in kernel or len(sizes) != rank or None in window:
        raise refused(row, "a kernel whose size is not known")
    strides = inner(row, values["strides"], "strides", rank)
    dilation = inner(row, values["dilation_rate"], "dilation_rate", rank)
    x, options = channels_first(operands["x"], rank + 1), ""
    if padding_of(row, values) == "same":
        if {*strides} == {1}:
            options += ', padding="same"'
        else:
            wide = [(n - 1) * d + 1 for n, d in zip(window, dilation, strict=True) if n is not None]
            ends = ends_of(row, sizes, wide, strides)
            x = f"F.pad({x}, ({', '.join(map(str, ends))}))" if any(ends) else x
    options = (f", stride={one_or_all(strides)}" if {*strides} != {1} else "") + options
    options += f", dilation={one_or_all(dilation)}" if {*dilation} != {1} else ""
    weight = bracketed(operands["kernel"]) + kernel[rank]
    return f"F.conv{rank}d({x}, {weight}{options}{more}){TO_LAST[rank + 1]}"


def pooled(row: Row, operands: Operands, values: Values) -> str:
    sizes = sizes_of(row, values)[1:-1]
    rank = len(sizes)
    if rank not in KERNEL:
        raise refused(row, "a tensor of another number of axes")
    window = inner(row, values["pool_size"], "pool_size", rank)
    strides = values["strides"]
    steps = window if t.is_none(strides) else inner(row, strides, "strides", rank)
    kinds = {"max": "max", "avg": "average", "None": row.name.partition("_")[0]}
    kind = kinds.get(value_key(values.get("pool_mode", Const(None))))
    if kind is None:
        raise refused(row, "pool_mode=..., which is not known")
    x = channels_first(operands["x"], rank + 1)
    if padding_of(row, values) == "same":
        ends = ends_of(row, sizes, window, steps)
        if any(ends) and kind == "average":
            raise refused(row, 'padding="same" where it pads')
        if any(ends):
            x = f"F.pad({x}, ({', '.join(map(str, ends))}), value=-math.inf)"
    word = {"max": "max", "average": "avg"}[kind]
    more = f", {one_or_all(steps)}" if steps != window else ""
    return f"F.{word}_pool{rank}d({x}, {one_or_all(window)}{more}){TO_LAST[rank + 1]}"


def separable(row: Row, operands: Operands, values: Values) -> str:
    """Each channel by kernels of its own, then all of them by a kernel of one pixel."""
    spread = depthwise(row, operands, values)
    weight = bracketed(operands["pointwise_kernel"]) + KERNEL[2]
    return f"F.conv2d({channels_first(spread, 3)}, {weight}){TO_LAST[3]}"


def adapted(row: Row, operands: Operands, values: Values) -> str:
    """Pools whose windows go by the size that is wanted."""
    rank = len(sizes_of(row, values)) - 2
    if rank not in KERNEL:
        raise refused(row, "a tensor of another number of axes")
    word = "avg" if row.name == "adaptive_average_pool" else "max"
    first, size = channels_first(operands["inputs"], rank + 1), listed(values["output_size"])
    return f"F.adaptive_{word}_pool{rank}d({first}, {size}){TO_LAST[rank + 1]}"


def neighbours(row: Row, operands: Operands, values: Values) -> str:
    """torch divides alpha by the number of neighbours."""
    radius, alpha = t.data(values["depth_radius"]), t.data(values["alpha"])
    if not isinstance(radius, int) or not isinstance(alpha, int | float):
        raise refused(row, "depth_radius or alpha that is not known")
    size = 2 * radius + 1
    given = f"{size}, alpha={t.literal(alpha * size)}, beta={t.text(values['beta'])}"
    first = channels_first(operands["x"], 3)
    return f"F.local_response_norm({first}, {given}, k={t.text(values['bias'])}){TO_LAST[3]}"


WRITTEN = {
    "resized": resized, "scaled": scaled, "patches": patches, "cropped": cropped, "boxed": boxed,
    "fitted": fitted, "convolved": convolved, "depthwise": depthwise, "pooled": pooled,
    "lrn": neighbours, "separable": separable, "adapted": adapted,
    "trimmed": trimmed,
}  # fmt: skip
