"""An application of a layer, and a parameter: what programs and structures are made of."""

from __future__ import annotations

from dataclasses import dataclass

from k2t.ir.source import Span
from k2t.ir.values import Obj, Shape


@dataclass(frozen=True)
class Node:
    """One application of a layer (or operator) to tensors; ids are shared with ``inputs``.

    ``names`` are the variables the script bound the result to, in order; an Input has no layer.
    ``operation`` is a tensor operation with its arguments, tensors among them.
    ``body`` is what a Lambda does, from its input on.
    """

    id: int
    layer: Obj | None
    inputs: tuple[int, ...]
    in_shapes: tuple[Shape | None, ...]
    shape: Shape | None
    stmt: Span
    names: tuple[str, ...] = ()
    operator: str | None = None
    operands: tuple[str | None, ...] = ()
    key: str | None = None
    dtype: str | None = None
    operation: Obj | None = None
    body: tuple[Node, ...] = ()


@dataclass(frozen=True)
class Parameter:
    """A parameter of the class to be: its name, and its default as written."""

    name: str
    default: Span | None = None
