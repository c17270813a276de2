"""The vocabulary of lowering a layer: torch operations, and the context it happens in."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

from k2t.ir.finding import Finding, NotMigrated
from k2t.ir.program import Handed, Scored
from k2t.ir.source import Source, Span
from k2t.ir.values import Arg, Const, Dim, NameUse, Obj, Shape
from k2t.lower import text as t
from k2t.table import Row, Table

GENERAL = {
    "name",
    "input_shape",
    "batch_input_shape",
    "batch_shape",
    "input_dim",
    "input_length",
    "batch_size",
    "time_distributed",
    "training",
}
"""Arguments whose meaning the analysis has used up."""


@dataclass(frozen=True)
class ParamInit:
    """How a parameter starts: its torch name, and the text that fills ``{p}``."""

    torch: str
    init: str
    words: str
    keras: str


@dataclass(frozen=True)
class Op:
    """One torch operation of a lowered layer.

    ``module`` is a constructor; ``call`` an expression of the input ``{x}`` (and of the module,
    ``{m}``, where both are given); ``first`` the same for channels-first data. ``layout`` is what
    the input must be, ``out`` what comes out (None: as it went in); ``folds`` is how many axes go
    into the batch.
    """

    module: str | None = None
    call: str | None = None
    first: str | None = None
    lines: tuple[str, ...] = ()
    layout: str = "any"
    out: str | None = None
    stem: str = ""
    comment: str = ""
    activation: str | None = None
    params: tuple[ParamInit, ...] = ()
    penalties: tuple[tuple[str, str], ...] = ()
    constraints: tuple[tuple[str, str], ...] = ()
    lazy: bool = False
    widens: bool = False
    rank: int | None = None
    mask: bool = False
    frozen: tuple[str, ...] = ()
    folds: int = 0


@dataclass
class Context:
    """What lowering a layer may ask for, and what it notes on the way.

    ``made``: by model, its modules so far (see ``initial.Made``); ``rate``: the SGD that it needs
    because callbacks change its learning rate; ``layers`` are the script's own (see
    ``custom.LayerDraft``), ``sites`` the operations of the layers that they make,
    ``plain`` those of them that are called where others are; ``left`` the classes that are left to
    the user, and why; ``behind`` statements that are left with the model that they make, and why;
    ``outside`` the modules that are models of the script as they are, ``bound`` the names that
    the script binds; ``imagenet``: networks of torchvision start from its weights; ``endings``: the
    activation that a model leaves to its loss, by model; ``handed``: functions and objects of the
    script that layers are made with; ``told``: the masks that a layer called in a class is handed,
    ``starts``: the statement that makes it, before the call of the Embedding.
    """

    table: Table
    dialect: str
    fidelity: str
    helpers: dict[str, None] = field(default_factory=dict)
    tables: dict[str, dict[str, str]] = field(default_factory=dict)
    notes: list[tuple[str, str, str]] = field(default_factory=list)
    functions: Mapping[int, Scored] = field(default_factory=dict)
    batch_size: int | None = None
    rate: str | None = None
    source: Source | None = None
    library: Any = None
    mixed: set[str] = field(default_factory=set)
    flat: Mapping[int, str] = field(default_factory=dict)
    made: dict[int, list[tuple[str, Op, Obj]]] = field(default_factory=dict)
    layers: dict[int, Any] = field(default_factory=dict)
    sites: dict[Span, list[Op]] = field(default_factory=dict)
    left: dict[Span, Finding] = field(default_factory=dict)
    plain: set[Span] = field(default_factory=set)
    behind: dict[Span, Finding] = field(default_factory=dict)
    outside: dict[int, Op] = field(default_factory=dict)
    bound: frozenset[str] = frozenset()
    imagenet: bool = False
    endings: dict[int, str] = field(default_factory=dict)
    handed: Mapping[int, Handed] = field(default_factory=dict)
    told: dict[int, dict[str, str]] = field(default_factory=dict)
    starts: dict[int, str] = field(default_factory=dict)

    def source_text(self, span: Span) -> str:
        assert self.source is not None
        return self.source.slice(span)

    def row(self, layer: Obj) -> Row:
        return self.table.rows["layers"][layer.row]

    def changed(self, row: Row, args: Mapping[str, Arg]) -> None:
        """Say what versions of one dialect take otherwise, where the script does not settle it."""
        for name, what in row.for_dialect(self.dialect, "changed", {}).items():
            said = "@spelling" in args or (name in args and args[name].span is not None)
            if not said:
                self.note("K2T732", "warning", f"{row.name}: {what}")

    def note(self, code: str, severity: str, message: str) -> None:
        if (code, severity, message) not in self.notes:
            self.notes.append((code, severity, message))


@contextmanager
def located(span: Span | None) -> Iterator[None]:
    """A refusal inside gets this place, if it has none of its own."""
    try:
        yield
    except NotMigrated as error:
        error.span = error.span or span
        raise


Lowering = Callable[[Context, Row, Obj, Shape | None, str | None], list[Op]]


def used(row: Row, name: str) -> bool:
    return any("{" + name + "}" in str(row.get(k, "")) for k in ("torch", "call", "first", "lazy"))


def fill(template: str, values: Mapping[str, str]) -> str:
    for name, value in values.items():
        template = template.replace("{" + name + "}", value)
    return template


def with_options(module: str, row: Row, layer: Obj) -> str:
    """Add the keyword arguments whose values differ from torch's defaults."""
    extra = []
    for keras, torch in row.get("options", {}).items():
        value = t.get(layer.args, keras)
        if not t.same_value(value, row.get("torch_defaults", {}).get(keras)):
            extra.append(f"{torch}={t.text(value)}")
    if not extra:
        return module
    return add_arguments(module, *extra)


def add_arguments(module: str, *extra: str) -> str:
    inner = module[:-1]
    separator = "" if inner.endswith("(") else ", "
    return f"{inner}{separator}{', '.join(extra)})"


def stem(name: str) -> str:
    """An attribute name for a layer class: Conv2D -> conv, LSTM -> lstm."""
    special = {
        "BatchNormalization": "norm",
        "LayerNormalization": "norm",
        "Bidirectional": "rnn",
        "SimpleRNN": "rnn",
        "EinsumDense": "dense",
        "ReLU": "relu",
        "Conv2DTranspose": "conv_transpose",
        "PReLU": "prelu",
        "LeakyReLU": "leaky_relu",
    }
    if name in special:
        return special[name]
    base = name.rstrip("123D") if name.endswith("D") else name
    return base.lower() if base.isupper() else snake(base)


def snake(name: str) -> str:
    out = ""
    for i, char in enumerate(name):
        if char.isupper() and i and not name[i - 1].isupper():
            out += "_"
        out += char.lower()
    return out


SOMEWHERE = "self[?]"
"""The path of a module that is one of several at a place, of which no more is known."""


def member(owner: str, attribute: str) -> str:
    """A module of another one: by its attribute (``conv``), by its place (``[0]``), or itself."""
    return owner + attribute if attribute[:1] in ("", "[") else f"{owner}.{attribute}"


def dim_text(dim: Dim) -> str | None:
    if dim is None:
        return None
    if dim.expr is not None:
        return dim.expr.text
    return str(dim.value) if isinstance(dim, Const) else None


def names_in(shape: Shape | None) -> list[NameUse]:
    dim = shape[-1] if shape else None
    return list(dim.expr.names) if dim is not None and dim.expr is not None else []
