"""Output shapes of operations that have several results; they begin with the batch."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from itertools import pairwise

from k2t.analyse.operation_shapes import with_axis
from k2t.analyse.shape_terms import dim
from k2t.analyse.tensor_shapes import BATCH, Unclear, axes_of
from k2t.ir.values import NONE, Const, Dim, Shape, Tuple, Value, as_int

Args = Mapping[str, Value]
Shapes = Sequence[Shape | None]


def measured(parts: Value, axis: Value, shape: Shape | None) -> Value:
    """The sizes of parts with the one in them that is what is left (-1)."""
    sizes = [as_int(i) for i in parts.items] if isinstance(parts, Tuple) else []
    if -1 not in sizes:
        return parts
    known = [s for s in sizes if s is not None]
    (place,) = axes_of(axis, len(shape)) if shape is not None else (0,)
    whole = None if shape is None else as_int(shape[place])
    if whole is None or len(known) < len(sizes):
        raise Unclear("what is left for a part is not known")
    return Tuple(tuple(Const(whole - 1 - sum(known) if s == -1 else s) for s in known))


def split(args: Args, known: Shapes) -> list[Shape | None]:
    """Equal parts by their number, or parts by their sizes."""
    shape, parts = known[0], args["num_or_size_splits"]
    sizes = parts.items if isinstance(parts, Tuple) else None
    count = as_int(parts) if sizes is None else len(sizes)
    if count is None:
        raise Unclear("the number of parts is not known")
    if shape is None:
        return [None] * count
    (place,) = axes_of(args["axis"], len(shape))
    if shape[place] == BATCH:
        raise Unclear("a split of the batch")
    if sizes is not None:
        dims: list[Dim] = list(map(dim, sizes))
    else:
        whole = as_int(shape[place])
        each = None if whole is None else Const(whole // count)
        dims = [each] * count
    return [with_axis(shape, Const(place), d) for d in dims]


def split_at(args: Args, known: Shapes) -> list[Shape | None]:
    """Parts by their number, or by the places where they begin."""
    places = args["num_or_size_splits"]
    if not isinstance(places, Tuple):
        return split(args, known)
    count, shape = len(places.items) + 1, known[0]
    if shape is None:
        return [None] * count
    (place,) = axes_of(args["axis"], len(shape))
    whole, cuts = as_int(shape[place]), [as_int(i) for i in places.items]
    if shape[place] == BATCH or whole is None or None in cuts:
        raise Unclear("a split of the batch, or at places that are not known")
    ends = [0, *(c for c in cuts if c is not None), whole]
    sizes = [b - a for a, b in pairwise(ends)]
    return [with_axis(shape, Const(place), Const(s)) for s in sizes]


def unstack(args: Args, known: Shapes) -> list[Shape | None]:
    shape, given = known[0], as_int(args["num"])
    if shape is None:
        if given is None:
            raise Unclear("how many there are is not known")
        return [None] * given
    (place,) = axes_of(args["axis"], len(shape))
    count = given if given is not None else as_int(shape[place])
    if count is None or shape[place] == BATCH:
        raise Unclear("how many there are is not known")
    return [(*shape[:place], *shape[place + 1 :])] * count


def moments(args: Args, known: Shapes) -> list[Shape | None]:
    shape = known[0]
    if shape is None:
        return [None, None]
    gone = range(len(shape)) if args["axes"] == NONE else axes_of(args["axes"], len(shape))
    keep = args["keepdims"] == Const(True)
    made = tuple(Const(1) if i in gone else d for i, d in enumerate(shape) if keep or i not in gone)
    return [made, made]


def top_k(args: Args, known: Shapes) -> list[Shape | None]:
    shape, count = known[0], args["k"]
    made = None if shape is None else (*shape[:-1], count if isinstance(count, Const) else None)
    return [made, made]


def qr(args: Args, known: Shapes) -> list[Shape | None]:
    shape = known[0]
    if shape is None:
        return [None, None]
    high, wide = (as_int(d) for d in shape[-2:])
    least = Const(min(high, wide)) if high is not None and wide is not None else None
    return [(*shape[:-1], least), (*shape[:-2], least, shape[-1])]


def eigh(args: Args, known: Shapes) -> list[Shape | None]:
    shape = known[0]
    return [None, None] if shape is None else [shape[:-1], shape]


def slogdet(args: Args, known: Shapes) -> list[Shape | None]:
    shape = known[0]
    return [None, None] if shape is None else [shape[:-2], shape[:-2]]


def array_split(args: Args, known: Shapes) -> list[Shape | None]:
    """Parts by their number, the first ones one longer where they are not equal."""
    count, shape = as_int(args["num_or_size_splits"]), known[0]
    if count is None:
        raise Unclear("the number of parts is not known")
    if shape is None:
        return [None] * count
    (place,) = axes_of(args["axis"], len(shape))
    whole = as_int(shape[place])
    if whole is None:
        return [with_axis(shape, Const(place), None)] * count
    each, more = divmod(whole, count)
    return [with_axis(shape, Const(place), Const(each + (i < more))) for i in range(count)]


def svd(args: Args, known: Shapes) -> list[Shape | None]:
    shape = known[0]
    if shape is None:
        return [None] * 3
    *front, high, wide = shape
    sizes, full = (as_int(high), as_int(wide)), args["full_matrices"] == Const(True)
    least = None if None in sizes else Const(min(s for s in sizes if s is not None))
    return [(*front, high, high if full else least), (*front, least),
            (*front, wide if full else least, wide)]  # fmt: skip


def meshgrid(args: Args, known: Shapes) -> list[Shape | None]:
    """Every vector along an axis of its own; the first two change places."""
    sizes: list[Dim] = [shape[0] if shape else None for shape in known]
    if args["indexing"] != Const("ij"):
        sizes[:2] = sizes[1::-1]
    return [tuple(sizes)] * len(known)


def stft(args: Args, known: Shapes) -> list[Shape | None]:
    """Frames, each centred where it is, and half a spectrum of each."""
    length, stride = (as_int(args[n]) for n in ("fft_length", "sequence_stride"))
    if known[0] is not None and len(known[0]) > 2:
        raise Unclear("a signal of more than one axis")
    if known[0] is None or length is None or not stride:
        return [None, None]
    size = as_int(known[0][-1])
    frames = None if size is None else Const(1 + (size + length // 2 * 2 - length) // stride)
    return [(*known[0][:-1], frames, Const(length // 2 + 1))] * 2


def half_pair(args: Args, known: Shapes) -> list[Shape | None]:
    """Real and imaginary parts of half a spectrum."""
    if known[0] is None:
        return [None, None]
    size = as_int(known[0][-1])
    return [(*known[0][:-1], None if size is None else Const(size // 2 + 1))] * 2


def twice(args: Args, known: Shapes) -> list[Shape | None]:
    return [known[0], known[0]]


SEVERAL: dict[str, Callable[[Args, Shapes], list[Shape | None]]] = {
    rule.__name__: rule
    for rule in (
        split, split_at, array_split, unstack, moments, top_k, qr, eigh, slogdet, svd, meshgrid,
        half_pair, stft, twice,
    )
}  # fmt: skip
