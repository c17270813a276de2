"""Output shapes of layers, without the batch axis (None: an unknown axis)."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

from k2t.analyse.shape_terms import Args, Items, Rule, dim, numbers, value
from k2t.analyse.windows import (
    conv,
    conv_transpose,
    crop,
    depthwise,
    pad,
    pool,
    resizing,
    upsample,
)
from k2t.ir.values import (
    Const,
    Dim,
    Expr,
    NameUse,
    Obj,
    Shape,
    Sym,
    as_int,
    known,
)
from k2t.table import Row


def same(args: Args, shapes: Sequence[Shape | None], items: Items) -> Shape | None:
    return shapes[0]


def units(args: Args, shapes: Sequence[Shape | None], items: Items) -> Shape | None:
    last = dim(value(args, "units"))
    return (*shapes[0][:-1], last) if shapes[0] else None


def einsum_dense(args: Args, shapes: Sequence[Shape | None], items: Items) -> Shape | None:
    """The last axes, which the kernel has too, give way to those that only the kernel has."""
    equation = value(args, "equation")
    given, whole = value(args, "output_shape"), shapes[0]
    if not known(equation, str) or whole is None:
        return None
    inputs, _, kernel = str(equation.value).partition("->")[0].partition(",")  # type: ignore[union-attr]
    taken = sum(letter in inputs for letter in kernel.strip())
    made = len(kernel.strip()) - taken
    sizes = [dim(size) for size in items(given) or [given]][-made:]
    return (*whole[: len(whole) - taken], *sizes) if made else None


def global_pool(args: Args, shapes: Sequence[Shape | None], items: Items) -> Shape | None:
    if not shapes[0]:
        return None
    kept = len(shapes[0]) - 1 if value(args, "keepdims") == Const(True) else 0
    return (*(Const(1),) * kept, shapes[0][-1])


def adaptive(args: Args, shapes: Sequence[Shape | None], items: Items) -> Shape | None:
    if not shapes[0]:
        return None
    sizes = numbers(value(args, "output_size"), len(shapes[0]) - 1, items)
    return (*(Const(n) if n is not None else None for n in sizes), shapes[0][-1])


def product(dims: Sequence[Dim]) -> Dim:
    """The product of axes, written out (``3 * 3 * 32``) so that one sees where it came from."""
    factors = [d for d in dims if as_int(d) != 1]
    if not factors:
        return Const(1)
    if len(factors) == 1:
        return factors[0]
    if any(f is None for f in factors):
        return None
    texts: list[str] = []
    names: list[NameUse] = []
    for factor in factors:
        assert factor is not None
        expr = factor.expr
        if expr is None:
            if isinstance(factor, Sym):
                return None
            expr = Expr(str(factor.value))
        simple = all(c.isalnum() or c in "_.*[] " for c in expr.text)
        texts.append(expr.text if simple else f"({expr.text})")
        names.extend(expr.names)
    expr = Expr(" * ".join(texts), tuple(names))
    sizes = [as_int(f) for f in factors]
    if None in sizes:
        return Sym(expr, "int")
    return Const(math.prod(s for s in sizes if s is not None), expr)


def tokens(args: Args, shapes: Sequence[Shape | None], items: Items) -> Shape | None:
    return (dim(value(args, "num_tokens")),)


def flatten(args: Args, shapes: Sequence[Shape | None], items: Items) -> Shape | None:
    return (product(shapes[0]),) if shapes[0] is not None else None


def reshape(args: Args, shapes: Sequence[Shape | None], items: Items) -> Shape | None:
    target = items(value(args, "target_shape"))
    if target is None:
        return None
    dims: list[Dim] = [dim(t) for t in target]
    for position, item in enumerate(dims):
        if as_int(item) == -1:
            rest = [as_int(d) for i, d in enumerate(dims) if i != position]
            whole = [as_int(d) for d in shapes[0]] if shapes[0] is not None else [None]
            dims[position] = None
            if None not in rest and None not in whole:
                left = math.prod(w for w in whole if w is not None)
                dims[position] = Const(left // math.prod(r for r in rest if r is not None))
    return tuple(dims)


def permute(args: Args, shapes: Sequence[Shape | None], items: Items) -> Shape | None:
    order = [as_int(i) for i in items(value(args, "dims")) or []]
    if shapes[0] is None or None in order or len(order) != len(shapes[0]):
        return None
    return tuple(shapes[0][o - 1] for o in order if o is not None)


def repeat(args: Args, shapes: Sequence[Shape | None], items: Items) -> Shape | None:
    return (dim(value(args, "n")), *shapes[0]) if shapes[0] else None


def embedding(args: Args, shapes: Sequence[Shape | None], items: Items) -> Shape | None:
    return (*(shapes[0] if shapes[0] is not None else (None,)), dim(value(args, "output_dim")))


def rnn(args: Args, shapes: Sequence[Shape | None], items: Items) -> Shape | None:
    last = dim(value(args, "units"))
    sequences = value(args, "return_sequences")
    if known(sequences, bool) and sequences.value:  # type: ignore[union-attr]
        return ((shapes[0][0] if shapes[0] else None), last)
    return (last,)


def conv_lstm(args: Args, shapes: Sequence[Shape | None], items: Items) -> Shape | None:
    frames = shapes[0]
    frame = conv(args, [frames[1:] if frames else None], items)
    sequences = value(args, "return_sequences")
    if frames and frame is not None and known(sequences, bool) and sequences.value:  # type: ignore[union-attr]
        return (frames[0], *frame)
    return frame


def dot(args: Args, shapes: Sequence[Shape | None], items: Items) -> Shape | None:
    """What is left of two tensors when an axis of each is summed over."""
    if len(shapes) != 2 or shapes[0] is None or shapes[1] is None:
        return None
    pair = (shapes[0], shapes[1])
    axes = numbers(value(args, "axes"), 2, items)
    left: list[Dim] = []
    for shape, axis in zip(pair, axes, strict=True):
        if axis is None:
            return None
        place = (axis if axis > 0 else axis + len(shape) + 1) - 1
        left += [d for i, d in enumerate(shape) if i != place]
    return tuple(left) or (Const(1),)


def bidirectional(args: Args, shapes: Sequence[Shape | None], items: Items) -> Shape | None:
    inner = value(args, "layer")
    if not isinstance(inner, Obj) or "units" not in inner.args:
        return None
    shape = rnn(inner.args, shapes, items)
    mode = value(args, "merge_mode")
    if shape is None or not known(mode, str) or mode.value != "concat":  # type: ignore[union-attr]
        return shape
    return (*shape[:-1], product((Const(2), shape[-1])))


def merge(args: Args, shapes: Sequence[Shape | None], items: Items) -> Shape | None:
    ranked = [s for s in shapes if s is not None]
    if len(ranked) != len(shapes):
        return None
    longest = max(ranked, key=len)
    if any(len(s) != len(longest) for s in ranked):
        return longest
    return tuple(
        next((a for a in axes if as_int(a) != 1), axes[0]) for axes in zip(*ranked, strict=True)
    )


def concat(args: Args, shapes: Sequence[Shape | None], items: Items) -> Shape | None:
    if any(s is None for s in shapes):
        return None
    ranked = [s for s in shapes if s is not None]
    axis = as_int(value(args, "axis"))
    if axis is None:
        return None
    axis = axis - 1 if axis > 0 else len(ranked[0]) + axis
    return tuple(
        total([s[i] for s in ranked]) if i == axis else ranked[0][i] for i in range(len(ranked[0]))
    )


def total(dims: Sequence[Dim]) -> Dim:
    """The sum of axes, written out where names take part."""
    if any(d is None for d in dims):
        return None
    texts: list[str] = []
    names: list[NameUse] = []
    for d in dims:
        assert d is not None
        if d.expr is None and isinstance(d, Sym):
            return None
        expr = d.expr or Expr(str(d.value))  # type: ignore[union-attr]
        texts.append(expr.text)
        names.extend(expr.names)
    sizes = [as_int(d) for d in dims]
    expr = Expr(" + ".join(texts), tuple(names))
    if None in sizes:
        return Sym(expr, "int")
    return Const(sum(s for s in sizes if s is not None), expr)


def part(args: Args, shapes: Sequence[Shape | None], items: Items) -> Shape | None:
    """What comes out of a model used as a layer, as it was found where it was put in."""
    dims = items(value(args, "output"))
    return tuple(None if d == Const(None) else dim(d) for d in dims) if dims is not None else None


def network(args: Args, shapes: Sequence[Shape | None], items: Items) -> Shape | None:
    """What a network of ``keras.applications`` makes of images before its classifier."""
    channels, windows = value(args, "channels"), value(args, "windows")
    assert isinstance(channels, Const)
    assert isinstance(windows, Const)
    if value(args, "top") == Const(True):
        return (dim(value(args, "classes")),)
    if value(args, "pooling") != Const(None):
        return (channels,)
    image = shapes[0] if shapes[0] is not None and len(shapes[0]) == 3 else (None, None, None)
    sizes = [as_int(d) for d in image[:2]]
    steps: Any = windows.value
    for kernel, stride in steps:
        sizes = [None if s is None else (s - kernel) // stride + 1 for s in sizes]
    return (*(None if s is None else Const(s) for s in sizes), channels)


def result(row: Row, layer: Obj, shapes: Sequence[Shape | None], items: Items) -> Shape | None:
    """The shape that comes out of a layer; inside TimeDistributed each step goes in alone."""
    rule = RULES[row.get("shape", "same")]
    steps = as_int(value(layer.args, "time_distributed")) or 0
    if not steps:
        return rule(layer.args, shapes, items)
    whole = shapes[0]
    out = rule(layer.args, [whole[steps:] if whole is not None else None], items)
    return (*whole[:steps], *out) if whole is not None and out is not None else None


RULES: dict[str, Rule] = {
    "einsum": einsum_dense,
    "part": part,
    "network": network,
    "same": same,
    "units": units,
    "conv": conv,
    "conv_transpose": conv_transpose,
    "pool": pool,
    "global_pool": global_pool,
    "adaptive": adaptive,
    "flatten": flatten,
    "reshape": reshape,
    "permute": permute,
    "repeat": repeat,
    "embedding": embedding,
    "rnn": rnn,
    "rnn_cell": lambda args, shapes, items: None,
    "bidirectional": bidirectional,
    "conv_lstm": conv_lstm,
    "dot": dot,
    "pad": pad,
    "crop": crop,
    "resizing": resizing,
    "tokens": tokens,
    "depthwise": depthwise,
    "upsample": upsample,
    "merge": merge,
    "concat": concat,
}
