"""Output shapes of operations that cut, pad, gather and take apart; they begin with the batch."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

from k2t.analyse import image_shapes, tensor_shapes
from k2t.analyse.shape_terms import dim
from k2t.analyse.tensor_shapes import BATCH, Given, Unclear, axes_of
from k2t.ir.values import NONE, Const, Dim, Samples, Shape, Tuple, Value, as_int


def with_axis(shape: Shape, axis: Value, size: Dim) -> Shape:
    """The shape with another size of one axis."""
    (place,) = axes_of(axis, len(shape))
    return (*shape[:place], size, *shape[place + 1 :])


def grown(size: Dim, by: int | None) -> Dim:
    whole = as_int(size)
    return None if whole is None or by is None else Const(whole + by)


def diff(given: Given) -> Shape:
    (place,) = axes_of(given.args["axis"], len(given.first))
    times = as_int(given.args["n"])
    by = None if times is None else -times
    return with_axis(given.first, Const(place), grown(given.first[place], by))


def moveaxis(given: Given) -> Shape:
    rank = len(given.first)
    there, here = (axes_of(given.args[n], rank) for n in ("source", "destination"))
    order = [a for a in range(rank) if a not in there]
    for target, source in sorted(zip(here, there, strict=True)):
        order.insert(target, source)
    return tuple(given.first[a] for a in order)


def matrix_transposed(given: Given) -> Shape:
    return (*given.first[:-2], given.first[-1], given.first[-2])


def rot90(given: Given) -> Shape:
    """A quarter turn, ``k`` times."""
    times = as_int(given.args["k"])
    if times is None:
        raise Unclear("how often it is turned is not known")
    return image_turned(given) if times % 2 else given.first


def image_turned(given: Given) -> Shape:
    *front, high, wide, channels = given.first
    return (*front, wide, high, channels)


def repeated_vector(given: Given) -> Shape:
    return (given.first[0], dim(given.args["n"]), *given.first[1:])


def pad(given: Given) -> Shape:
    value = given.args["pad_width"]
    ends = value.items if isinstance(value, Tuple) else ()
    if len(ends) != len(given.first):
        raise Unclear("a padding that is not known axis by axis")
    sizes = [(as_int(p.items[0]), as_int(p.items[1])) if isinstance(p, Tuple) and len(p.items) == 2
             else (None, None) for p in ends]  # fmt: skip
    if given.first[0] == BATCH and sizes[0] != (0, 0) and not given.whole:
        raise Unclear("a padding of the batch")
    return tuple(between(d, *ends) for d, ends in zip(given.first, sizes, strict=True))


def between(size: Dim, one: int | None, two: int | None) -> Dim:
    if one == two == 0:
        return size
    return grown(size, None if one is None or two is None else one + two)


def pad_inside(given: Given) -> Shape:
    value = given.args["padding"]
    ends = value.items if isinstance(value, Tuple) else ()
    if given.row.name == "temporal_padding":
        ends = (Tuple(ends),)
    pairs = [e.items if isinstance(e, Tuple) else (e, e) for e in ends]
    if len(pairs) != len(given.first) - 2:
        raise Unclear("a padding that is not known")
    inner = []
    for size, pair in zip(given.first[1:-1], pairs, strict=True):
        inner.append(between(size, as_int(pair[0]), as_int(pair[1])))
    return (given.first[0], *inner, given.first[-1])


def gather(given: Given) -> Shape:
    shared = as_int(given.args.get("batch_dims", Const(0)))
    if shared is None:
        raise Unclear("batch_dims is not known")
    axis = given.args["axis"]
    (place,) = axes_of(Const(shared) if axis == NONE else axis, len(given.first))
    indices = given.shapes[1] if len(given.shapes) > 1 else listed(given.args["indices"])
    if place == 0 and given.first[0] == BATCH and not given.whole:
        raise Unclear("rows of the batch")
    apart = given.first[0] == BATCH and indices[:1] == (BATCH,) and not shared
    if apart and not given.whole:
        raise Unclear("rows of each sample for every sample")
    return (*given.first[:place], *indices[shared:], *given.first[place + 1 :])


def gathered_nd(given: Given) -> Shape:
    """The last axis of the indices is places in so many axes."""
    if len(given.shapes) < 2:
        raise Unclear("indices that are no tensor")
    depth = as_int(given.shapes[1][-1])
    if depth is None:
        raise Unclear("how many axes are counted is not known")
    return (*given.shapes[1][:-1], *given.first[depth:])


def listed(indices: Value) -> Shape:
    """The axes that numbers in the script's words make."""
    if isinstance(indices, Tuple):
        return (Const(len(indices.items)),)
    return ()


def sliced(given: Given) -> Shape:
    starts, sizes = (
        v.items if isinstance(v, Tuple) else () for v in (given.args["begin"], given.args["size"])
    )
    if len(starts) != len(given.first) or len(sizes) != len(given.first):
        raise Unclear("begin or size is not known")
    numbers = [(as_int(a), as_int(b)) for a, b in zip(starts, sizes, strict=True)]
    if given.first[0] == BATCH and numbers[0] != (0, -1) and not given.whole:
        raise Unclear("a part of the batch")
    made: list[Dim] = []
    for size, (start, many) in zip(given.first, numbers, strict=True):
        if start is None or many is None:
            raise Unclear("begin or size is not known")
        rest = size if start == 0 else grown(size, -start)
        made.append(rest if many == -1 else Const(many))
    return tuple(made)


def product_of_all(given: Given) -> Shape:
    """``tensordot`` over the last ``axes`` axes of one tensor and the first of the other, or over
    those that a list for each names."""
    pair = given.args["axes"]
    if isinstance(pair, Tuple) and len(pair.items) == len(given.shapes) == 2:
        gone = [axes_of(a, len(s)) for a, s in zip(pair.items, given.shapes, strict=True)]
        if (0 in gone[0] and given.first[0] == BATCH) or given.shapes[1][:1] == (BATCH,):
            raise Unclear("a product over the batch")
        kept = zip(given.shapes, gone, strict=True)
        return tuple(d for shape, out in kept for i, d in enumerate(shape) if i not in out)
    count = as_int(given.args["axes"])
    if count is None or len(given.shapes) != 2 or given.shapes[1][:1] == (BATCH,):
        raise Unclear("a product over the batch")
    return (*given.first[: len(given.first) - count], *given.shapes[1][count:])


def traced(given: Given) -> Shape:
    return tensor_shapes.diagonal(given)[:-1]


def last_diagonal(given: Given) -> Shape:
    offset = as_int(given.args["k"])
    high, wide = (as_int(d) for d in given.first[-2:])
    size: Dim = None
    if offset is not None and high is not None and wide is not None:
        size = Const(min(high + min(offset, 0), wide - max(offset, 0)))
    return (*given.first[:-2], size)


def as_diagonal(given: Given) -> Shape:
    return (*given.first, given.first[-1])


def no_last(given: Given) -> Shape:
    """One value where the last axis was."""
    return given.first[:-1]


def no_matrix(given: Given) -> Shape:
    """One value where two axes were."""
    return given.first[:-2]


def samples(given: Given) -> Shape:
    """One value for each sample."""
    return given.first[:1]


def number(given: Given) -> Shape:
    """One value, the batch in it."""
    return ()


def one_channel(given: Given) -> Shape:
    return (*given.first[:-1], Const(1))


def three_channels(given: Given) -> Shape:
    return (*given.first[:-1], Const(3))


def two_last(given: Given) -> Shape:
    """An axis of two behind the others."""
    return (*given.first, Const(2))


def doubled(given: Given) -> Shape:
    size = as_int(given.first[-1])
    return (*given.first[:-1], None if size is None else Const(2 * size))


def crossed(given: Given) -> Shape:
    """The samples of one tensor by those of another."""
    return (None, None)


def broadcast_to(given: Given) -> Shape:
    value = given.args["shape"]
    items = value.items if isinstance(value, Tuple) else ()
    first = items[0] if items else None
    if not isinstance(first, Samples) and first != BATCH:
        raise Unclear("a shape that does not begin with the batch")
    return (BATCH, *map(dim, items[1:]))


def masked(given: Given) -> Shape:
    return (*given.first, dim(given.args["maxlen"]))


def hstack(given: Given) -> Shape:
    args = {**given.args, "axis": Const(1)}
    return tensor_shapes.concatenate(replace(given, args=args))


def vstack(given: Given) -> Shape:
    return tensor_shapes.concatenate(replace(given, args={**given.args, "axis": Const(0)}))


def dstack(given: Given) -> Shape:
    """Behind one another, with a third axis if there are two."""
    if len(given.first) == 2:
        return (*given.first, Const(len(given.shapes)))
    return tensor_shapes.concatenate(replace(given, args={**given.args, "axis": Const(2)}))


def batch_dot(given: Given) -> Shape:
    ranks = [len(s) for s in given.shapes]
    axes = given.args["axes"]
    if axes == NONE:
        axes = Tuple((Const(ranks[0] - 1), Const(max(ranks[1] - 2, 1))))
    axes = axes if isinstance(axes, Tuple) else Tuple((axes, axes))
    if len(ranks) != 2 or len(axes.items) != 2:
        raise Unclear("axes that are not known")
    one, two = given.shapes
    (first,), (second,) = axes_of(axes.items[0], ranks[0]), axes_of(axes.items[1], ranks[1])
    rest = [d for i, d in enumerate(one) if i != first]
    rest += [d for i, d in enumerate(two) if i not in (0, second)]
    return tuple(rest) if len(rest) > 1 else (rest[0], Const(1))


def looked_up(given: Given) -> Shape:
    return (*given.shapes[1], given.first[-1])


def attended(given: Given) -> Shape:
    """(n, steps, heads, width) of the queries, with the width of the values."""
    return (*given.first[:-1], given.shapes[2][-1])


def multi_hot(given: Given) -> Shape:
    front = given.first[:1] if len(given.first) > 1 else ()
    return (*front, *given.first[2:], dim(given.args["num_classes"]))


def scattered(given: Given) -> Shape:
    value = given.args["shape"]
    return tuple(map(dim, value.items)) if isinstance(value, Tuple) else (None,)


def second_no_last(given: Given) -> Shape:
    return given.shapes[1][:-1]


def windows(given: Given) -> Shape:
    """So many steps from each so many-th on."""
    length, stride = (as_int(given.args[n]) for n in ("sequence_length", "sequence_stride"))
    size, many = as_int(given.first[-1]), None
    if size is not None and length is not None and stride:
        many = Const((size - length) // stride + 1)
    return (*given.first[:-1], many, dim(given.args["sequence_length"]))


def segments(given: Given) -> Shape:
    count = given.args["num_segments"]
    return (count if isinstance(count, Const) else None, *given.first[1:])


def halved(given: Given) -> Shape:
    (place,) = axes_of(given.args["axis"], len(given.first))
    size = as_int(given.first[place])
    return with_axis(given.first, Const(place), None if size is None else Const(size // 2))


def half_spectrum(given: Given) -> Shape:
    size = as_int(given.first[-1])
    return (*given.first[:-1], None if size is None else Const(size // 2 + 1))


def unhalved(given: Given) -> Shape:
    size = as_int(given.first[-1])
    return (*given.first[:-1], None if size is None else Const(2 * size - 2))


def categorical(given: Given) -> Shape:
    count = given.args["num_samples"]
    return (given.first[0], count if isinstance(count, Const) else None)


OWN: dict[str, Callable[[Given], Shape]] = {
    rule.__name__: rule
    for rule in (
        diff, moveaxis, matrix_transposed, rot90, image_turned, repeated_vector, pad, pad_inside,
        gather, gathered_nd, sliced, product_of_all, traced, last_diagonal, as_diagonal, no_last,
        no_matrix, samples, number, one_channel, three_channels, two_last, doubled, crossed,
        broadcast_to, masked, hstack, vstack, dstack, batch_dot, attended, multi_hot, scattered,
        second_no_last, windows, looked_up, segments, halved, half_spectrum, unhalved, categorical,
    )
}  # fmt: skip
RULES = {**tensor_shapes.RULES, **image_shapes.RULES, **OWN}
