"""Output shapes of tensor operations; shapes begin with the batch axis here."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace

from k2t.analyse.shape_terms import dim
from k2t.ir.source import Span
from k2t.ir.values import Arg, Const, Dim, Obj, Samples, Shape, Sym, Tuple, Value, as_int, known
from k2t.table import Row

BATCH = Sym(type="batch")
"""The batch axis."""


@dataclass(frozen=True)
class Given:
    """An operation's arguments (lists as tuples) and the shapes of its tensors, in order.

    ``whole``: in a class or loss, where an operation may be about the batch.
    """

    row: Row
    args: Mapping[str, Value]
    shapes: tuple[Shape, ...]
    whole: bool = False

    @property
    def first(self) -> Shape:
        return self.shapes[0]


class Unclear(Exception):
    """The shape of a result cannot be told, or the batch axis does not stay the first one."""


def axes_of(value: Value, rank: int) -> tuple[int, ...]:
    """An axis or several, counted from the front.

    Raises:
        Unclear: they are not known, or there are not as many.
    """
    items = value.items if isinstance(value, Tuple) else (value,)
    found = [as_int(i) for i in items]
    if any(a is None or not -rank <= a < rank for a in found):
        raise Unclear("an axis is not known")
    return tuple(a % rank for a in found if a is not None)


def same(given: Given) -> Shape:
    return given.first


def broadcast(given: Given) -> Shape:
    """Tensors of one rank; what is no tensor is a number."""
    return together(given.shapes)


def together(shapes: Sequence[Shape]) -> Shape:
    ranked = [s for s in shapes if s]
    if not ranked:
        return ()
    if len({len(s) for s in ranked}) > 1:
        raise Unclear("the tensors have different numbers of axes")
    return tuple(
        next((a for a in axes if as_int(a) != 1), axes[0]) for axes in zip(*ranked, strict=True)
    )


def of_any_rank(shapes: Sequence[Shape | None]) -> Shape | None:
    """The shape of a sum of tensors of any ranks."""
    known = [s for s in shapes if s is not None]
    if len(known) < len(shapes) or not known:
        return None
    rank = max(map(len, known))
    padded = [(None,) * (rank - len(s)) + tuple(s) for s in known]
    missing = [rank - len(s) for s in known]
    made: list[Dim] = []
    for axis in range(rank):
        here = [p[axis] for p, m in zip(padded, missing, strict=True) if axis >= m]
        made.append(next((d for d in here if as_int(d) != 1), here[0]))
    return tuple(made)


def reduce(given: Given) -> Shape:
    axis, keep = given.args["axis"], given.args["keepdims"]
    if not known(keep, bool):
        raise Unclear("keepdims is not known")
    rank = len(given.first)
    gone = range(rank) if axis == Const(None) else axes_of(axis, rank)
    if keep.value:  # type: ignore[union-attr]
        return tuple(Const(1) if i in gone else d for i, d in enumerate(given.first))
    return tuple(d for i, d in enumerate(given.first) if i not in gone)


def concatenate(given: Given) -> Shape:
    (axis,) = axes_of(given.args["axis"], len(given.first))
    if len({len(s) for s in given.shapes}) > 1:
        raise Unclear("the tensors have different numbers of axes")
    sizes = [as_int(s[axis]) for s in given.shapes]
    whole: Dim = None if None in sizes else Const(sum(s for s in sizes if s is not None))
    return tuple(whole if i == axis else d for i, d in enumerate(given.first))


def stack(given: Given) -> Shape:
    return inserted(given.first, given.args["axis"], Const(len(given.shapes)))


def expand_dims(given: Given) -> Shape:
    return inserted(given.first, given.args["axis"], Const(1))


def inserted(shape: Shape, axis: Value, size: Dim) -> Shape:
    (place,) = axes_of(axis, len(shape) + 1)
    return (*shape[:place], size, *shape[place:])


def squeeze(given: Given) -> Shape:
    gone = axes_of(given.args["axis"], len(given.first))
    if any(as_int(given.first[a]) != 1 for a in gone):
        raise Unclear("an axis that is squeezed is not known to be 1")
    return tuple(d for i, d in enumerate(given.first) if i not in gone)


def reshape(given: Given) -> Shape:
    """The batch stays where the other axes hold as many numbers as before; one that is left open
    (-1) holds what is left."""
    target = given.args["newshape"]
    wanted = target.items if isinstance(target, Tuple) else (target,)
    if not all(isinstance(d, Const | Sym | Samples) for d in wanted):
        raise Unclear("a shape that is not known")
    rest, old = wanted[1:], [as_int(d) for d in given.first[1:]]
    begins = bool(wanted) and (
        as_int(wanted[0]) == -1 or isinstance(wanted[0], Samples) or wanted[0] == BATCH
    )
    sizes = [as_int(d) for d in rest]
    whole = math.prod(o for o in old if o is not None) if None not in old else None
    if -1 in sizes and as_int(wanted[0]) != -1 and whole is not None and None not in sizes:
        each = -math.prod(n for n in sizes if n is not None)
        sizes = [whole // each if n == -1 and each else n for n in sizes]
    made = tuple(d if n is None and isinstance(d, Sym) else None if n in (None, -1) else Const(n)
                 for n, d in zip(sizes, rest, strict=True))  # fmt: skip
    fits = whole is not None and None not in sizes and whole == math.prod(sizes)  # type: ignore[arg-type]
    if begins and given.first[0] == BATCH and (fits or (given.whole and as_int(wanted[0]) != -1)):
        return (BATCH, *made)
    if not given.whole:
        why = "that may change the batch" if begins else "whose first axis is not -1"
        raise Unclear(f"a reshape {why}")
    if isinstance(wanted[0], Samples):
        return (BATCH, *made)
    return (None if begins else dim(wanted[0]), *made)


def transpose(given: Given) -> Shape:
    order = axes_of(given.args["axes"], len(given.first))
    if sorted(order) != list(range(len(given.first))):
        raise Unclear("the order of the axes is not known")
    return tuple(given.first[a] for a in order)


def flatten(given: Given) -> Shape:
    sizes = [as_int(d) for d in given.first[1:]]
    return (given.first[0], None if None in sizes else Const(math.prod(sizes)))  # type: ignore[arg-type]


def flat(given: Given) -> Shape:
    """All numbers in a row, the batch with them."""
    return (None,)


def matmul(given: Given) -> Shape:
    """The product of matrices in the last two axes, or of the last axis with a weight."""
    turned = given.args.get("transpose_b") == Const(True)
    if given.args.get("transpose_a") == Const(True):
        first = (*given.first[:-2], *given.first[:-3:-1])
        if first[0] != given.first[0]:
            raise Unclear("a matrix product over the batch")
        given = replace(given, shapes=(first, *given.shapes[1:]))
    if len(given.shapes) == 2 and len(given.shapes[1]) == 2 and given.shapes[1][0] != BATCH:
        return (*given.first[:-1], given.shapes[1][0 if turned else 1])
    if len(given.shapes) != 2 or len(given.first) != len(given.shapes[1]) or len(given.first) < 3:
        raise Unclear("a matrix product over the batch")
    one, two = given.shapes
    return (*together([one[:-2], two[:-2]]), one[-2], two[-2] if turned else two[-1])


def einsum(given: Given) -> Shape:
    """Each axis by its letter."""
    text = given.args["subscripts"]
    equation = str(text.value).replace(" ", "") if known(text, str) else ""  # type: ignore[union-attr]
    ins, arrow, out = equation.partition("->")
    letters = ins.split(",")
    fits = [len(one) == len(shape) for one, shape in zip(letters, given.shapes, strict=False)]
    if not arrow or len(letters) != len(given.shapes) or not all(fits) or "." in equation:
        raise Unclear("an equation that is not known")
    sizes = {c: d for one, shape in zip(letters, given.shapes, strict=True)
             for c, d in zip(one, shape, strict=True)}  # fmt: skip
    return tuple(sizes[c] for c in out)


def dot(given: Given) -> Shape:
    """Keras sums over the last axis but one of the second: with a matrix, a plain product."""
    if len(given.shapes) != 2 or len(given.shapes[1]) != 2 or given.shapes[1][0] == BATCH:
        raise Unclear("a product with something that is no matrix of weights")
    return (*given.first[:-1], given.shapes[1][1])


def repeat(given: Given) -> Shape:
    (axis,) = axes_of(given.args["axis"], len(given.first))
    size, times = as_int(given.first[axis]), as_int(given.args["rep"])
    grown = None if size is None or times is None else Const(size * times)
    return tuple(grown if i == axis else d for i, d in enumerate(given.first))


def counted(given: Given) -> Shape:
    rank = len(given.first)
    axis = given.args["axis"]
    gone = range(rank) if axis == Const(None) else axes_of(axis, rank)
    return tuple(d for i, d in enumerate(given.first) if i not in gone)


def swapaxes(given: Given) -> Shape:
    one, two = axes_of(Tuple((given.args["axis1"], given.args["axis2"])), len(given.first))
    sizes = list(given.first)
    sizes[one], sizes[two] = sizes[two], sizes[one]
    return tuple(sizes)


def tile(given: Given) -> Shape:
    times = given.args["repeats"]
    counts = [as_int(i) for i in times.items] if isinstance(times, Tuple) else []
    if len(counts) != len(given.first) or None in counts or counts[0] != 1:
        raise Unclear("a tiling of the batch, or of a number of axes that is not known")
    sizes = [as_int(d) for d in given.first]
    pairs = list(zip(sizes, counts, strict=True))[1:]
    return (given.first[0], *(None if n is None else Const(n * (c or 0)) for n, c in pairs))


def diagonal(given: Given) -> Shape:
    """The two axes go, the diagonal comes last."""
    pair = axes_of(Tuple((given.args["axis1"], given.args["axis2"])), len(given.first))
    offset = as_int(given.args["offset"])
    height, width = (as_int(given.first[a]) for a in pair)
    size: Dim = None
    if offset is not None and height is not None and width is not None:
        size = Const(min(height + min(offset, 0), width - max(offset, 0)))
    return (*(d for i, d in enumerate(given.first) if i not in pair), size)


def second(given: Given) -> Shape:
    return given.shapes[1]


def one_hot(given: Given) -> Shape:
    return inserted(given.first, given.args["axis"], dim(given.args["num_classes"]))


def getitem(given: Given) -> Shape:
    """``x[index]``; the batch must stay whole."""
    index = given.args["index"]
    assert isinstance(index, Tuple)
    parts = list(index.items)
    if Const(...) in parts:
        at = parts.index(Const(...))
        taken = sum(1 for p in parts if p not in (Const(...), Const(None)))
        parts[at : at + 1] = [FULL] * (len(given.first) - taken)
    rest = list(given.first)
    made: list[Dim] = []
    for number, part in enumerate(parts):
        if part == Const(None):
            made.append(Const(1))
            continue
        if not rest:
            raise Unclear("an index for an axis that is not there")
        size = rest.pop(0)
        if number == 0 and size == BATCH and part != FULL:
            if not given.whole:
                raise Unclear("an index into the batch")
            size = None
        if isinstance(part, Obj):
            made.append(size if part == FULL else sliced(size, part))
        elif isinstance(part, Const | Sym) and not known(part, (bool, float, str)):
            continue
        else:
            raise Unclear("an index that is not known")
    return (*made, *rest)


def drawn(given: Given) -> Shape:
    """Random numbers: as many samples as a tensor has, in its shape or another."""
    size = given.args["size"]
    if not isinstance(size, Tuple):
        return given.first
    if "apart" in given.args:
        return tuple(d if isinstance(d, Const) else None for d in size.items)
    dims = tuple(d for d in size.items if isinstance(d, Const | Sym))
    if len(dims) < len(size.items):
        raise Unclear("the size of a draw is not known")
    return (given.first[0], *dims)


def sliced(size: Dim, part: Obj) -> Dim:
    whole = as_int(size)
    bounds = [part.args[n].value for n in ("start", "stop", "step")]
    numbers = [b.value for b in bounds if isinstance(b, Const) and isinstance(b.value, int | None)]
    if len(numbers) == 3 and numbers[2] is not None and numbers[2] < 1:
        raise Unclear("a slice that goes backwards")
    if len(numbers) < 3 and not all(isinstance(b, Const | Sym) for b in bounds):
        raise Unclear("a slice whose bounds are not known")
    if whole is None or len(numbers) < 3:
        return None
    return Const(len(range(whole)[slice(*numbers)]))


def slice_of(start: Value, stop: Value, step: Value) -> Obj:
    """A slice as a value."""

    nowhere = Span(0, 0)
    args = {"start": Arg(start), "stop": Arg(stop), "step": Arg(step)}
    return Obj(0, "slice", args, nowhere, nowhere)


FULL = slice_of(Const(None), Const(None), Const(None))

RULES: dict[str, Callable[[Given], Shape]] = {
    rule.__name__: rule
    for rule in (
        same, broadcast, reduce, concatenate, stack, expand_dims, squeeze, reshape, transpose,
        flatten, matmul, dot, einsum, repeat, one_hot, getitem, drawn, flat, counted, swapaxes,
        tile, diagonal, second,
    )
}  # fmt: skip
