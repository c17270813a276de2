"""The training program a script describes, in Keras's terms (Keras IR)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from k2t.ir.custom import CustomLayer
from k2t.ir.finding import Finding
from k2t.ir.nodes import Node, Parameter
from k2t.ir.source import Source, Span
from k2t.ir.structure import Structure
from k2t.ir.values import Arg, Obj, Value


@dataclass(frozen=True)
class Leaf:
    """A layer site in the body of a model; ``seen`` holds each application met there."""

    seen: tuple[Node, ...]
    comments: tuple[str, ...] = ()

    @property
    def node(self) -> Node:
        return self.seen[0]


@dataclass(frozen=True)
class Loop:
    """A ``for`` whose body stacks layers; ``header`` is ``for ... in ...`` without the colon."""

    header: Span
    body: tuple[Item, ...]
    comments: tuple[str, ...] = ()


@dataclass(frozen=True)
class Branch:
    """An ``if`` on constants around layers."""

    test: Span
    body: tuple[Item, ...]
    orelse: tuple[Item, ...]
    comments: tuple[str, ...] = ()


@dataclass(frozen=True)
class Plain:
    """A statement of the user between layers that moves with them."""

    span: Span
    comments: tuple[str, ...] = ()


Item = Leaf | Loop | Branch | Plain


@dataclass(frozen=True)
class Home:
    """The function a model is built in; ``becomes_class`` when nothing else happens there.

    ``whole`` begins with the ``comments`` above it.
    """

    name: str
    span: Span
    whole: Span
    becomes_class: bool
    docstring: Span | None = None
    comments: tuple[str, ...] = ()


@dataclass(frozen=True)
class Fed:
    """A list or dict that a model is given, as of arrays; an element has a span if displayed."""

    kind: str
    items: tuple[Arg, ...]
    keys: tuple[str, ...] = ()


@dataclass(frozen=True)
class Scored:
    """A function of the script that is a loss or metric.

    ``text`` is a name the class may call it by (None: it is written at ``span``, and has none),
    ``rank`` that of what it gives, with the batch.
    """

    name: str
    text: str | None
    span: Span
    rank: int | None
    problem: str | None = None


@dataclass(frozen=True)
class Handed:
    """A function or object of the script that layers are made with: an activation, a regularizer.

    ``text`` is how it is written there; ``any_order``: it does the same to each number, or sums
    over all of them, so that it does not matter in which order they come.
    """

    text: str
    any_order: bool
    problem: str | None = None


@dataclass(frozen=True)
class Compile:
    """The arguments of ``compile`` and the comments that stood above it and its optimizer.

    ``others`` are the arguments the same call had for other instances of the model, ``parts`` the
    lists and dicts among them. ``again`` are calls at other places, after it; ``receiver`` is the
    model there. ``frozen`` are the layers and models that do not train then.
    """

    span: Span
    args: Mapping[str, Arg] = field(hash=False)
    comments: tuple[str, ...] = ()
    others: tuple[Mapping[str, Arg], ...] = field(default=(), hash=False)
    parts: Mapping[str, Fed] = field(default_factory=dict, hash=False)
    functions: Mapping[int, Scored] = field(default_factory=dict, hash=False)
    again: tuple[Compile, ...] = ()
    receiver: Span | None = None
    stmt: Span | None = None
    frozen: frozenset[int] = frozenset()


@dataclass(frozen=True)
class AddedLoss:
    """``model.add_loss(loss)``: the statements that make the loss, and what they start from.

    ``reads`` are variables and the nodes of the model's graph that they stand for, ``nodes`` those
    that the model does not compute itself (other outputs of its parts). ``makes`` are the variables
    that the statements bind.
    """

    span: Span
    statements: tuple[Span, ...]
    result: Span
    reads: tuple[tuple[str, int], ...]
    makes: tuple[str, ...] = ()
    problem: str | None = None
    nodes: tuple[Node, ...] = ()


@dataclass(frozen=True)
class Variant:
    """A functional model's graph, and what its builder was called with where it has this graph."""

    body: tuple[Item, ...]
    inputs: tuple[Node, ...]
    outputs: tuple[int, ...]
    values: tuple[Mapping[str, Any], ...] = field(default=(), hash=False)


@dataclass(frozen=True)
class Model:
    """A model class: what one constructor call of the script builds, however often it runs.

    ``owners``: by layer, the model (and its variable) that the script made with it before.
    ``held``: by layer, the variable that holds it and nothing else. ``own``: it is an instance of
    a class of the script, its only layer. ``comments`` stand above its constructor call.
    ``variants`` are the graphs of instances that have other layers than the first: only classes
    with the structure of the function can be all of them.
    """

    id: int
    kind: str
    span: Span
    body: tuple[Item, ...]
    inputs: tuple[Node, ...]
    outputs: tuple[int, ...]
    input_kind: str
    output_kind: str
    instances: tuple[int, ...]
    parameters: tuple[Parameter, ...] = ()
    arguments: tuple[str, ...] = ()
    name: str | None = None
    variable: str | None = None
    home: Home | None = None
    compile: Compile | None = None
    anchor: Span | None = None
    ready: Span | None = None
    local_names: frozenset[str] = frozenset()
    problem: tuple[str, str, Span] | None = None
    fed: Value | None = None
    renames: tuple[Span, ...] = ()
    created: Span | None = None
    structure: Structure | None = None
    tangled: str | None = None
    values: tuple[Mapping[str, Any], ...] = field(default=(), hash=False)
    input_keys: tuple[str | None, ...] = ()
    output_keys: tuple[str | None, ...] = ()
    owners: Mapping[int, tuple[int, str]] = field(default_factory=dict, hash=False)
    held: Mapping[int, str] = field(default_factory=dict, hash=False)
    added: AddedLoss | None = None
    own: bool = False
    comments: tuple[str, ...] = ()
    variants: tuple[Variant, ...] = ()


@dataclass(frozen=True)
class Run:
    """The callbacks of one run of a fit, the list they were in, and in which round it ran.

    ``fresh``: those (by id) that were made in the same round.
    """

    callbacks: tuple[Obj, ...]
    place: int | None
    iteration: tuple[int, ...] = ()
    fresh: frozenset[int] = frozenset()


@dataclass(frozen=True)
class Reached:
    """What a method of a callback does with the model that is trained, by place.

    ``models`` are ``self.model``, ``stops`` statements that end the training, ``rates`` what reads
    the learning rate, ``sets`` statements that set it (with the operator and the new value),
    ``params`` reads of ``self.params`` and their keys, ``guards`` statements that only make sure
    that there is a rate, ``by_name`` variables by which it gets at the model.
    """

    models: tuple[Span, ...] = ()
    stops: tuple[Span, ...] = ()
    rates: tuple[Span, ...] = ()
    sets: tuple[tuple[Span, str, Span], ...] = ()
    params: tuple[tuple[Span, str], ...] = ()
    guards: tuple[Span, ...] = ()
    by_name: frozenset[str] = frozenset()


@dataclass(frozen=True)
class Hook:
    """A method of a callback of the script's own: the span of its name and parameters, its first
    statement, the names of the number (of the epoch or batch) and of the logs, if it reads these.

    ``keys`` are what it reads of the logs (None: not known), ``reads`` all names that it reads.
    """

    name: str
    signature: Span
    first: Span
    number: str | None
    logs: str | None
    keys: tuple[str, ...] | None
    reached: Reached
    reads: frozenset[str]
    problem: str | None


@dataclass(frozen=True)
class OwnCallback:
    """A class of the script that is a callback: its methods that Keras calls, and its others.

    ``index`` is its number among the definitions, ``bases`` are Keras's class among its bases (none
    where it extends another of the script's), ``top`` is where a method can be put in, ``supers``
    are ``super(...)`` of Keras's class.
    """

    index: int
    hooks: tuple[Hook, ...]
    others: tuple[Reached, ...]
    bases: tuple[Span, ...]
    top: Span | None
    problem: str | None
    supers: tuple[Span, ...] = ()

    @property
    def sets_rate(self) -> bool:
        return any(r.sets for r in (*self.others, *(h.reached for h in self.hooks)))


@dataclass(frozen=True)
class Change:
    """``trainable`` is set for a layer of a model (None: for all of it) that a variable holds.

    ``layers``: those that the model has there.
    """

    model: int
    variable: str
    layer: Obj | None
    trainable: bool
    layers: frozenset[int]


@dataclass(frozen=True)
class Use:
    """A place where the script does something with a Keras thing.

    ``call`` is the expression, ``stmt`` the innermost statement, ``alone`` whether the call is the
    whole statement, ``target`` what it is assigned to, ``how`` how its value is consumed.
    ``branch`` are the statements of the innermost ``if`` around it, on its side, and all of it.
    """

    kind: str
    call: Span
    stmt: Span
    models: tuple[int, ...] = ()
    args: Mapping[str, Arg] = field(default_factory=dict, hash=False)
    receiver: Span | None = None
    alone: bool = False
    target: Span | None = None
    targets: int = 0
    how: str = "value"
    scope: Span | None = None
    branch: tuple[Span, Span] | None = None
    data: Mapping[str, Any] = field(default_factory=dict, hash=False)


@dataclass(frozen=True)
class Program:
    """Everything a migration needs to know about a script.

    ``ended``: a ``raise`` of the script's own that it does not get past.
    """

    source: Source
    dialect: str
    models: tuple[Model, ...]
    uses: tuple[Use, ...]
    removed: tuple[Span, ...]
    imports: tuple[Import, ...]
    bound_names: frozenset[str]
    findings: tuple[Finding, ...]
    ended: Span | None = None
    layers: tuple[CustomLayer, ...] = ()
    leftovers: tuple[Leftover, ...] = ()
    top_level: tuple[Span, ...] = ()
    functions: Mapping[str, Structure] = field(default_factory=dict, hash=False)
    constants: Mapping[str, Any] = field(default_factory=dict, hash=False)
    finals: Mapping[str, Any] = field(default_factory=dict, hash=False)
    handed: Mapping[int, Handed] = field(default_factory=dict, hash=False)


@dataclass(frozen=True)
class Import:
    """An import statement: its Keras names go, ``kept`` is what remains of it (None: nothing)."""

    span: Span
    kept: str | None
    foreign: bool
    top_level: bool
    key: tuple[int, str] = (0, "")


@dataclass(frozen=True)
class Leftover:
    """A use of a Keras name; where no edit covers it, it is reported and the script stops."""

    span: Span
    stmt: Span
    path: str
