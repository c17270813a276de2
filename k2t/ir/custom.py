"""A class of the script that is a Keras layer: what torch wants otherwise in it."""

from __future__ import annotations

from dataclasses import dataclass, field

from k2t.ir.nodes import Node
from k2t.ir.source import Span
from k2t.ir.values import Dim, Value


@dataclass(frozen=True)
class Method:
    """A method: ``arguments`` is what stands between its brackets, ``kept`` those that stay, as
    they are written but for types of Keras's.

    ``first`` and ``last`` are statements: where the body begins (after the docstring) and ends;
    ``header`` is where the line of ``def`` ends, ``gives`` a type of Keras's that it says to give.
    """

    span: Span
    name: Span
    arguments: Span
    kept: tuple[str, ...]
    header: int
    first: Span
    last: Span
    gives: Span | None = None


@dataclass(frozen=True)
class Widening:
    """A loop that makes layers one after the other, each as wide as its variable says.

    ``target`` and ``source`` are those of ``for target in source``; ``first`` is the width of what
    the first layer gets. Where the loop is a ``statement`` about more than that, ``variable`` is
    the one that says the width, and ``last`` the end of its body.
    """

    target: Span
    source: Span
    first: Dim
    variable: str | None = None
    statement: Span | None = None
    last: Span | None = None


@dataclass(frozen=True)
class Site:
    """Where a layer is made, and each application of one that was made there.

    ``alone``: its statement, where that only binds it to an attribute. ``width``: the variable of
    a loop around it that says how wide is what it gets.
    """

    span: Span
    seen: tuple[Node, ...]
    alone: Span | None = None
    loop: Widening | None = None
    width: str | None = None


@dataclass(frozen=True)
class CustomLayer:
    """A subclass of ``keras.layers.Layer`` or ``keras.Model``.

    ``bases`` are Keras's among its bases, ``parents`` the calls of ``super().__init__``,
    ``gone`` what torch does not ask for, ``lists`` attributes that are lists of layers.
    ``shape`` is how ``build`` calls the shape of the input; ``whole``: it reads more of it than
    the last axis. ``training``: its ``call`` takes it; ``phases`` are places that read it.
    ``integers``: which of the tensors that it gets go into an Embedding. ``losses``: calls of
    ``add_loss``, and what they are given. ``metrics``: of ``add_metric``, with the name.
    ``held``: attributes that are weights, with a regularizer and a constraint. ``problem`` is
    why it cannot be carried over, and where. ``results`` are the nodes that its calls gave.
    """

    index: int
    name: str
    span: Span
    bases: tuple[Span, ...]
    init: Method | None
    build: Method | None
    call: Method | None
    training: bool = False
    integers: frozenset[int] = frozenset()
    phases: tuple[Span, ...] = ()
    parents: tuple[Span, ...] = ()
    gone: tuple[Span, ...] = ()
    lists: tuple[Span, ...] = ()
    sites: tuple[Site, ...] = ()
    shape: str = "input_shape"
    whole: bool = False
    widths: tuple[Span, ...] = ()
    inherits: bool = False
    problem: tuple[str, Span] | None = None
    losses: tuple[tuple[Span, Span], ...] = ()
    metrics: tuple[tuple[Span, Span, str], ...] = ()
    held: tuple[tuple[str, Value, Value], ...] = ()
    methods: tuple[str, ...] = field(default=())
    results: frozenset[int] = frozenset()
