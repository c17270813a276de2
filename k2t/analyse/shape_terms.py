"""What rules for output shapes are written in."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

from k2t.ir.values import Arg, Const, Dim, Shape, Sym, Value, as_int

Args = Mapping[str, Arg]
Rule = Callable[[Args, Sequence[Shape | None], "Items"], Shape | None]
Items = Callable[[Value], list[Value] | None]


def dim(value: Value) -> Dim:
    return value if isinstance(value, Const | Sym) else None


def value(args: Args, name: str) -> Value:
    return args[name].value if name in args else Const(None)


def numbers(item: Value, rank: int, items: Items) -> tuple[int | None, ...]:
    """An int or tuple of ints as a tuple of ``rank`` ints."""
    single = as_int(item)
    if single is not None:
        return (single,) * rank
    many = items(item)
    if many is not None and len(many) == rank:
        return tuple(as_int(m) for m in many)
    return (None,) * rank
