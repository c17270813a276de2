"""Abstract values: what the interpreter knows about the user's objects without running them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from k2t.ir.source import Span


@dataclass(frozen=True)
class NameUse:
    """A variable an expression reads: its name, the frame it lives in, and which binding of it."""

    name: str
    frame: int
    version: int


@dataclass(frozen=True)
class Expr:
    """Source text that evaluates to a value wherever the same bindings are in force."""

    text: str
    names: tuple[NameUse, ...] = ()


@dataclass(frozen=True)
class Const:
    """A Python scalar, string or None that is known."""

    value: object
    expr: Expr | None = field(default=None, compare=False)


@dataclass(frozen=True)
class Sym:
    """A scalar whose value is not known, but which can be written down."""

    expr: Expr | None = None
    type: str | None = None


@dataclass(frozen=True)
class Tuple:
    items: tuple[Value, ...]
    expr: Expr | None = field(default=None, compare=False)


@dataclass(frozen=True)
class ListRef:
    """A list or dict in the interpreter's heap."""

    id: int
    kind: str = "list"
    expr: Expr | None = field(default=None, compare=False)


Dim = Const | Sym | None
"""One axis of a shape: known, known by a name, or unknown."""

Shape = tuple[Dim, ...]


@dataclass(frozen=True)
class Array:
    """A numpy array: shape with the batch axis (None: rank unknown), dtype name (None: unknown)."""

    shape: Shape | None = None
    dtype: str | None = None


@dataclass(frozen=True)
class Ref:
    """A Keras or TensorFlow name, canonical (``keras.layers.Dense``)."""

    path: str


@dataclass(frozen=True)
class Module:
    """Another module or something reached through one (``numpy.random.rand``)."""

    path: str


@dataclass(frozen=True)
class Arg:
    """An argument of a call: its value, and where it is written (None: a default)."""

    value: Value
    span: Span | None = None


@dataclass(frozen=True)
class Obj:
    """An instance of a Keras class that has a row, made at ``span``."""

    id: int
    row: str
    args: Mapping[str, Arg] = field(hash=False)
    span: Span
    stmt: Span


@dataclass(frozen=True)
class Tensor:
    """The symbolic output of a graph node."""

    node: int


@dataclass(frozen=True)
class Samples:
    """The size of a tensor's batch axis: ``K.shape(x)[0]``."""

    node: int


@dataclass(frozen=True)
class ModelRef:
    """A model made by the script; its layers are in the interpreter's state."""

    id: int


@dataclass(frozen=True)
class History:
    """What ``fit`` returned; ``dict`` when it is the ``.history`` of that."""

    model: int
    fit: Span
    dict: bool = False


@dataclass(frozen=True)
class Function:
    """A function or lambda of the script, by index into the interpreter's definitions."""

    index: int


@dataclass(frozen=True)
class Class:
    """A class of the script, by index into the interpreter's definitions."""

    index: int


@dataclass(frozen=True)
class Instance:
    """An object of a class of the script; ``keras_base`` is the Keras class it extends, if any."""

    id: int
    cls: int
    keras_base: str | None = None


@dataclass(frozen=True)
class Yields:
    """What a generator function of the script hands out again and again."""

    item: Value


@dataclass(frozen=True)
class Bound:
    """A method taken from a value (``model.fit``)."""

    receiver: Value
    name: str


@dataclass(frozen=True)
class Unknown:
    """Nothing is known; ``why`` names the Keras construct it came from, if it came from one."""

    why: str | None = None


Value = (
    Const
    | Sym
    | Tuple
    | ListRef
    | Array
    | Ref
    | Module
    | Obj
    | Tensor
    | Samples
    | ModelRef
    | History
    | Function
    | Class
    | Instance
    | Yields
    | Bound
    | Unknown
)

UNKNOWN = Unknown()
FLOW = "flow"
"""The row of the batches that flow out of an ImageDataGenerator (an ``Obj``)."""
NONE = Const(None)


def known(value: Value | None, kind: type | tuple[type, ...] = object) -> bool:
    """Whether ``value`` is a constant of that Python type."""
    return isinstance(value, Const) and isinstance(value.value, kind)


def as_int(value: Value | None) -> int | None:
    """The integer a value is known to be, or None."""
    if isinstance(value, Const) and isinstance(value.value, int):
        return int(value.value)
    return None
