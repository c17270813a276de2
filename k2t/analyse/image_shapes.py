"""Output shapes of operations on images, of convolutions and pools; they begin with the batch."""

from __future__ import annotations

import math
from collections.abc import Callable

from k2t.analyse.shape_terms import dim
from k2t.analyse.tensor_shapes import Given, Unclear
from k2t.analyse.windows import window
from k2t.ir.values import NONE, Const, Dim, Shape, Tuple, Value, as_int


def resized(given: Given) -> Shape:
    size = given.args["size"]
    if not isinstance(size, Tuple) or len(size.items) != 2:
        raise Unclear("a size that is not known")
    return (*given.first[:-3], *map(dim, size.items), given.first[-1])


def scaled(given: Given) -> Shape:
    high, wide = (as_int(given.args[f"{n}_factor"]) for n in ("height", "width"))
    sizes = [as_int(d) for d in given.first[1:3]]
    dims = [None if n is None or f is None else Const(n * f)
            for n, f in zip(sizes, (high, wide), strict=True)]  # fmt: skip
    return (given.first[0], *dims, given.first[-1])


def windows(given: Given, name: str, rank: int) -> list[int]:
    """Numbers for the axes between the batch and the channels; None is 1."""
    value = given.args[name]
    items = value.items if isinstance(value, Tuple) else (value,)
    found = [1 if i == NONE else as_int(i) for i in items]
    if len(found) == rank + 2:
        found = found[1:-1]
    if len(found) == 1:
        found *= rank
    if len(found) != rank or None in found:
        raise Unclear(f"{name} is not known")
    return [n for n in found if n is not None]


def steps(size: Dim, width: int, stride: int, padding: Value) -> Dim:
    mode = str(padding.value).lower() if isinstance(padding, Const) else None
    return window(size, width, stride, mode)


def patches(given: Given) -> Shape:
    size = windows(given, "size", 2)
    strides = size if given.args["strides"] == NONE else windows(given, "strides", 2)
    places = zip(given.first[1:3], size, strides, strict=True)
    channels = as_int(given.first[-1])
    numbers = None if channels is None else Const(channels * math.prod(size))
    valid = Const("valid")
    return (given.first[0], *(steps(d, w, s, valid) for d, w, s in places), numbers)


def central(given: Given) -> Shape:
    share = given.args["central_fraction"]
    part = share.value if isinstance(share, Const) else None
    dims: list[Dim] = []
    for size in given.first[-3:-1]:
        whole = as_int(size)
        known = whole is not None and isinstance(part, int | float)
        dims.append(Const(whole - 2 * int((whole - whole * part) / 2)) if known else None)  # type: ignore[operator]
    return (*given.first[:-3], *dims, given.first[-1])


def boxed(given: Given) -> Shape:
    dims = (given.args["target_height"], given.args["target_width"])
    return (*given.first[:-3], *map(dim, dims), given.first[-1])


def depth_to_space(given: Given) -> Shape:
    return blocks(given, lambda n, k: n * k, lambda n, k: n // k**2)


def space_to_depth(given: Given) -> Shape:
    return blocks(given, lambda n, k: n // k, lambda n, k: n * k**2)


def blocks(
    given: Given, place: Callable[[int, int], int], depth: Callable[[int, int], int]
) -> Shape:
    size = as_int(given.args["block_size"])
    numbers = [as_int(d) for d in given.first[1:]]
    rules = (place, place, depth)
    made = [None if n is None or size is None else Const(rule(n, size))
            for n, rule in zip(numbers, rules, strict=True)]  # fmt: skip
    return (given.first[0], *made)


def convolved(given: Given) -> Shape:
    image, kernel, *pointwise = given.shapes
    rank = len(image) - 2
    strides, dilation = (windows(given, n, rank) for n in ("strides", "dilation_rate"))
    widths = [as_int(d) for d in kernel[:-2]]
    if len(widths) != rank or None in widths:
        raise Unclear("a kernel whose size is not known")
    wide = [(w - 1) * d + 1 for w, d in zip(widths, dilation, strict=True) if w is not None]
    padding = given.args["padding"]
    places = zip(image[1:-1], wide, strides, strict=True)
    out = pointwise[0][-1] if pointwise else kernel[-1]
    if given.row.name == "depthwise_conv":
        channels, times = as_int(kernel[-2]), as_int(kernel[-1])
        out = None if channels is None or times is None else Const(channels * times)
    return (image[0], *(steps(d, w, s, padding) for d, w, s in places), out)


def pooled(given: Given) -> Shape:
    rank = len(given.first) - 2
    size = windows(given, "pool_size", rank)
    strides = size if given.args["strides"] == NONE else windows(given, "strides", rank)
    places = zip(given.first[1:-1], size, strides, strict=True)
    padding = given.args["padding"]
    return (given.first[0], *(steps(d, w, s, padding) for d, w, s in places), given.first[-1])


def adapted(given: Given) -> Shape:
    size, rank = given.args["output_size"], len(given.first) - 2
    sizes = size.items if isinstance(size, Tuple) else (size,) * rank
    if len(sizes) != rank:
        raise Unclear("output_size is not known")
    return (given.first[0], *map(dim, sizes), given.first[-1])


def pair(value: Value, name: str) -> tuple[int, int]:
    """A number for height and width, or one for each."""
    items = value.items if isinstance(value, Tuple) else (value, value)
    found = [as_int(i) for i in items]
    if len(found) != 2 or found[0] is None or found[1] is None:
        raise Unclear(f"{name} is not known")
    return found[0], found[1]


def unfolded(given: Given) -> Shape:
    """Blocks of images that have their channels first, each with its pixels in one axis."""
    kernel, dilation, padding, stride = (
        pair(given.args[n], n) for n in ("kernel_size", "dilation", "padding", "stride")
    )
    numbers = [as_int(d) for d in given.first[1:]]
    if len(numbers) != 3 or numbers[0] is None:
        return (given.first[0], None, None)
    many = 1
    for size, k, d, p, s in zip(numbers[1:], kernel, dilation, padding, stride, strict=True):
        if size is None:
            return (given.first[0], Const(numbers[0] * math.prod(kernel)), None)
        many *= (size + 2 * p - d * (k - 1) - 1) // s + 1
    return (given.first[0], Const(numbers[0] * math.prod(kernel)), Const(many))


def folded(given: Given) -> Shape:
    size, kernel = (pair(given.args[n], n) for n in ("output_size", "kernel_size"))
    channels = as_int(given.first[1])
    each = None if channels is None else Const(channels // math.prod(kernel))
    return (given.first[0], each, *map(Const, size))


def trimmed(given: Given) -> Shape:
    """Images that are cut or padded at their edges."""
    word = "cropping" if given.row.name == "crop_images" else "padding"
    sign, dims = -1 if word == "cropping" else 1, []
    for size, target, *ends in zip(
        given.first[-3:-1], ("height", "width"), ("top", "left"), ("bottom", "right"), strict=True
    ):
        wanted, numbers = (
            as_int(given.args[f"target_{target}"]),
            [given.args[f"{e}_{word}"] for e in ends],
        )
        whole, (one, two) = as_int(size), map(as_int, numbers)
        if wanted is None and whole is not None and one is not None and two is not None:
            wanted = whole + sign * (one + two)
        dims.append(None if wanted is None else Const(wanted))
    return (*given.first[:-3], *dims, given.first[-1])


RULES: dict[str, Callable[[Given], Shape]] = {
    rule.__name__: rule
    for rule in (
        resized, scaled, patches, central, boxed, depth_to_space, space_to_depth, convolved, pooled,
        adapted, unfolded, folded, trimmed,
    )
}  # fmt: skip
