"""A function of the script that makes and applies layers, step by step as its author wrote it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from k2t.ir.nodes import Node, Parameter
from k2t.ir.source import Span
from k2t.ir.values import Shape


@dataclass(frozen=True)
class Width:
    """The last axis of a tensor that configuration asks for: ``x.shape[-1]``."""

    name: str


Text = tuple["str | Span | Width", ...]
"""Source of a piece of configuration, with the widths that it reads from tensors."""


@dataclass(frozen=True)
class Var:
    """A tensor, or a list of tensors, by the name of its variable."""

    name: str


@dataclass(frozen=True)
class Site:
    """A place where a layer is made; ``seen`` is each application of a layer made there.

    ``held`` is the variable that the layer itself is bound to, where it is not applied at once.
    """

    span: Span
    seen: tuple[Node, ...]
    held: str | None = None


@dataclass(frozen=True)
class Use:
    """A layer applied to tensors; ``told`` are its arguments that ask for the width of one."""

    site: Site
    inputs: tuple[Flow, ...]
    seen: tuple[Node, ...]
    told: tuple[tuple[str, Text], ...] = ()


@dataclass(frozen=True)
class Invoke:
    """Another such function called, with tensors and configuration by parameter name.

    The first of an argument's three is its keyword, if it is given by one.
    """

    function: str
    inputs: tuple[tuple[str, Flow], ...]
    arguments: tuple[tuple[str | None, str, Text], ...]


@dataclass(frozen=True)
class Operator:
    """Arithmetic of tensors; an operand that is no tensor is source text."""

    symbol: str
    operands: tuple[Flow | Text, ...]


@dataclass(frozen=True)
class Computed:
    """A tensor operation on the tensors among its arguments; ``seen`` is each time it was done."""

    inputs: tuple[Flow, ...]
    seen: tuple[Node, ...]


@dataclass(frozen=True)
class Many:
    """A list of tensors."""

    items: tuple[Flow, ...]


@dataclass(frozen=True)
class Taken:
    """An element of a list of tensors: ``skips.pop()`` or ``skips[i]``."""

    name: str
    index: Text | None = None


Flow = Var | Use | Invoke | Operator | Computed | Many | Taken


@dataclass(frozen=True)
class Keep:
    """A statement about configuration; ``stored`` are the variables it binds."""

    text: Text
    stored: frozenset[str] = frozenset()
    comments: tuple[str, ...] = ()


@dataclass(frozen=True)
class Hold:
    """A layer bound to a variable before it is applied."""

    site: Site
    comments: tuple[str, ...] = ()


@dataclass(frozen=True)
class Let:
    """Variables bound to tensors (several where a function returns several)."""

    names: tuple[str, ...]
    flow: Flow
    comments: tuple[str, ...] = ()


@dataclass(frozen=True)
class Append:
    """A tensor appended to a list."""

    name: str
    flow: Flow
    comments: tuple[str, ...] = ()


@dataclass(frozen=True)
class When:
    """An ``if`` about configuration around tensors."""

    test: Text
    body: tuple[Step, ...]
    orelse: tuple[Step, ...] = ()
    comments: tuple[str, ...] = ()


@dataclass(frozen=True)
class Lane:
    """One part of what a loop runs over: its variables, and the sequence.

    ``tensors`` names the list of tensors that it is, forwards or in reverse.
    """

    target: Text
    text: Text
    tensors: str | None = None
    name: str = ""
    backwards: bool = False


@dataclass(frozen=True)
class Repeat:
    """A loop around tensors over one lane, or over several zipped."""

    lanes: tuple[Lane, ...]
    zipped: bool
    body: tuple[Step, ...]
    stored: frozenset[str] = frozenset()
    comments: tuple[str, ...] = ()


@dataclass(frozen=True)
class Return:
    """What the function hands back."""

    flows: tuple[Flow, ...]
    comments: tuple[str, ...] = ()


Step = Keep | Hold | Let | Append | When | Repeat | Return


@dataclass(frozen=True)
class Structure:
    """A function as steps: ``tensors`` are parameters that get tensors, the rest configuration.

    ``shapes`` has what is known of each tensor parameter's shape over all calls, ``widths`` how the
    script writes its last axis.
    """

    name: str
    span: Span
    tensors: tuple[str, ...]
    parameters: tuple[Parameter, ...]
    body: tuple[Step, ...]
    shapes: Mapping[str, Shape | None] = field(default_factory=dict, hash=False)
    docstring: Span | None = None
    widths: Mapping[str, str] = field(default_factory=dict, hash=False)
