"""The migrated program, in torch's terms (torch IR); templates turn it into text."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from k2t.ir.source import Code, Span


@dataclass(frozen=True)
class Entry:
    """A module constructor inside a group, with the comments above it."""

    text: str
    comments: tuple[str, ...] = ()


@dataclass(frozen=True)
class Raw:
    """A statement inside ``__init__``: the user's (a span) or ours (text)."""

    code: Code
    comments: tuple[str, ...] = ()


@dataclass(frozen=True)
class Block:
    """``for``/``if`` around entries; ``header`` without the colon, ``orelse`` for an ``if``."""

    header: Code
    body: tuple[Part, ...]
    orelse: tuple[Part, ...] = ()
    comments: tuple[str, ...] = ()


Part = Entry | Raw | Block


@dataclass(frozen=True)
class Group:
    """``self.name = ...``: one module, or an ``nn.Sequential`` of the parts.

    Without a name the parts are those of the class itself, which is an ``nn.Sequential``.
    """

    name: str
    parts: tuple[Part, ...]
    comments: tuple[str, ...] = ()

    @property
    def single(self) -> bool:
        return len(self.parts) == 1 and isinstance(self.parts[0], Entry)

    @property
    def flat(self) -> bool:
        return all(isinstance(p, Entry) for p in self.parts)


@dataclass(frozen=True)
class Line:
    """A statement of a method; ``comment`` stands at its end, ``comments`` above it."""

    text: str
    comment: str = ""
    comments: tuple[str, ...] = ()


@dataclass(frozen=True)
class Step:
    """The body of ``step``: what a batch becomes, the loss, and what is logged.

    ``means`` is logged as the plain mean of the batches, or weighted by a ``size`` of each.
    """

    unpack: str
    lines: tuple[Line, ...]
    logs: tuple[tuple[str, str], ...]
    updates: tuple[Line, ...] = ()
    means: tuple[tuple[str, str], ...] = ()
    size: str = "1"


@dataclass(frozen=True)
class Optimizer:
    """``configure_optimizers``: lines before the return, and what is returned.

    ``callbacks`` are those that the module brings to its Trainer.
    """

    lines: tuple[Line, ...]
    result: str
    comments: tuple[str, ...] = ()
    hook: tuple[Line, ...] = ()
    callbacks: tuple[str, ...] = ()


@dataclass(frozen=True)
class Batchwise:
    """``train_on_batch``: what makes tensors of x and y, the values it gives back, and their names.

    ``counts``: it counts its steps; ``decays``: a schedule goes on with each; ``parameters`` are
    those that train, ``settled`` frozen modules with BatchNorms. ``predicts`` is what ``predict``
    makes of the outputs, if there is one.
    """

    inputs: str
    targets: str
    values: tuple[str, ...]
    words: str
    counts: bool
    decays: bool
    parameters: str
    settled: tuple[str, ...]
    predicts: str | None


@dataclass(frozen=True)
class ModuleClass:
    """A class to be emitted; without ``step`` it is a plain ``nn.Module``.

    ``origin`` is the function that it was.
    """

    name: str
    parameters: tuple[Code, ...]
    attributes: tuple[str, ...]
    init: tuple[Group | Part, ...]
    after: tuple[Line, ...]
    lazy: bool
    applies: bool
    forward: str
    lines: tuple[Line, ...]
    docstring: Span | None = None
    penalty: tuple[Line, ...] = ()
    constraints: tuple[Line, ...] = ()
    step: Step | None = None
    predict: str | None = None
    before_predict: str | None = None
    optimizer: Optimizer | None = None
    validates: bool = False
    tests: bool = False
    objects: tuple[tuple[str, str], ...] = ()
    epoch_hook: bool = False
    comments: tuple[str, ...] = ()
    batchwise: Batchwise | None = None
    origin: Span | None = None

    @property
    def chained(self) -> bool:
        """Whether it is an ``nn.Sequential``: without a ``forward`` of its own."""
        return any(isinstance(group, Group) and not group.name for group in self.init)


@dataclass(frozen=True)
class Proof:
    """What a model with structure is held against: the same model layer by layer.

    ``values`` are the constructor's arguments, one mapping for each instance of the script,
    ``globals`` what the script's variables are worth that are bound once, ``finals`` what all are
    worth at the end (the reference reads only what they end as).
    """

    model: int
    classes: tuple[ModuleClass, ...]
    reference: ModuleClass
    values: tuple[Mapping[str, object], ...] = field(hash=False)
    globals: Mapping[str, object] = field(hash=False)
    finals: Mapping[str, object] = field(hash=False)


@dataclass(frozen=True)
class InitCase:
    """One branch of ``init_weights``: the torch classes and the statements for them."""

    classes: tuple[str, ...]
    lines: tuple[str, ...]


@dataclass(frozen=True)
class Snippet:
    """Statements from a template; values may point at the source."""

    template: str
    values: Mapping[str, object] = field(default_factory=dict, hash=False)


@dataclass(frozen=True)
class Edit:
    """Replace a span of the source by an expression, or a whole statement by statements.

    ``dedent``: the code is a block of the source that moves out to the statement's indentation.
    """

    span: Span
    code: Code | Snippet
    dedent: bool = False


@dataclass(frozen=True)
class TorchProgram:
    """All that render and splice need.

    ``classes`` come with the statement they stand before; ``helpers`` are names of emitted
    definitions (and the name they get); ``data_helpers`` those that are needed while data is made.
    """

    classes: tuple[tuple[Span, ModuleClass], ...]
    init: tuple[InitCase, ...]
    init_words: str
    tables: tuple[tuple[str, tuple[tuple[str, str], ...]], ...]
    helpers: tuple[tuple[str, str], ...]
    training_helpers: tuple[tuple[str, str], ...]
    data_helpers: tuple[tuple[str, str], ...]
    data_anchor: Span | None
    edits: tuple[Edit, ...]
    removed: tuple[Span, ...]
    inserted: tuple[tuple[Span, Code], ...] = ()
    imports: tuple[str, ...] = ()
    proofs: tuple[Proof, ...] = ()
