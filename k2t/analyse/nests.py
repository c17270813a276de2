"""Tensors in tuples, lists and dicts, as layers of the script take them and give them back."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from itertools import count
from typing import TYPE_CHECKING

from k2t.ir.values import ListRef, Tensor, Tuple, Value

if TYPE_CHECKING:
    from k2t.analyse.interpreter import Interpreter


def parts(interp: Interpreter, value: Value) -> dict[str | int, Value] | None:
    """The elements of a tuple, list or dict by number or key; None for anything else."""
    content = interp.heap.get(value.id) if isinstance(value, ListRef) else None
    if isinstance(content, dict):
        return {str(key): item for key, item in content.items()}
    items = interp.items(value)
    return dict(enumerate(items)) if items is not None else None


def leaves(interp: Interpreter, value: Value) -> list[Value]:
    """What stands in tuples, lists and dicts in each other, or the value itself."""
    inner = parts(interp, value)
    if inner is None:
        return [value]
    return [leaf for item in inner.values() for leaf in leaves(interp, item)]


def tensors(interp: Interpreter, value: Value) -> list[Tensor]:
    """The tensors in them; none at all where something else stands there too."""
    found = leaves(interp, value)
    only = [leaf for leaf in found if isinstance(leaf, Tensor)]
    return only if len(only) == len(found) else []


def paths(interp: Interpreter, value: Value) -> list[str]:
    """Where the leaves are: ``[0]``, ``[1][0]``, ``["user"]``."""
    inner = parts(interp, value)
    if inner is None:
        return [""]
    return [f"[{quoted(key)}]{rest}" for key, item in inner.items() for rest in paths(interp, item)]


def rearranged(interp: Interpreter, value: Value, others: Iterator[Tensor]) -> Value:
    """Other tensors in the places of the leaves."""
    inner = parts(interp, value)
    if inner is None:
        return next(others)
    made = {key: rearranged(interp, item, others) for key, item in inner.items()}
    if made and all(isinstance(key, str) for key in made):
        return interp.new_list({str(key): item for key, item in made.items()}, "dict")
    return Tuple(tuple(made.values()))


def template(interp: Interpreter, values: Sequence[Value], keywords: Mapping[str, Value]) -> str:
    """The arguments of a call, with a hole for each leaf: ``{0}, [{1}, {2}], memory={3}``."""
    holes = count()
    written = [holed(interp, value, holes) for value in values]
    written += [f"{name}={holed(interp, value, holes)}" for name, value in keywords.items()]
    return ", ".join(written)


def holed(interp: Interpreter, value: Value, holes: Iterator[int]) -> str:
    inner = parts(interp, value)
    if inner is None:
        return f"{{{next(holes)}}}"
    if inner and all(isinstance(key, str) for key in inner):
        pairs = [f"{quoted(key)}: {holed(interp, v, holes)}" for key, v in inner.items()]
        return f"{{{{{', '.join(pairs)}}}}}"
    return f"[{', '.join(holed(interp, item, holes) for item in inner.values())}]"


def quoted(key: str | int) -> str:
    return f'"{key}"' if isinstance(key, str) else str(key)
