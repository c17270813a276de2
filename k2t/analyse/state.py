"""What the interpreter keeps while it walks through a script."""

from __future__ import annotations

import ast
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from k2t.ir.values import UNKNOWN, NameUse, Obj, Shape, Value

Versions = dict[tuple[int, str], int]
"""(frame, name) -> which binding of the variable is in force."""

Content = tuple[Value, ...] | dict[Any, Value]
"""What a list (its elements) or a dict (by constant key) holds."""


@dataclass
class Frame:
    """The variables of the module or of one call of a function."""

    id: int
    scope: ast.AST | None
    parent: Frame | None = None
    names: dict[str, Value] = field(default_factory=dict)
    versions: dict[str, int] = field(default_factory=dict)
    yields: list[Value] = field(default_factory=list)

    def bind(self, name: str, value: Value) -> None:
        self.names[name] = value
        self.versions[name] = self.versions.get(name, 0) + 1

    def owner(self, name: str) -> Frame | None:
        """The frame in which a name read here lives."""
        frame: Frame | None = self
        while frame is not None:
            if name in frame.names:
                return frame
            frame = frame.parent
        return None

    def lookup(self, name: str) -> Value | None:
        owner = self.owner(name)
        return owner.names[name] if owner else None


@dataclass(frozen=True)
class GraphNode:
    """A layer, operator or operation applied to symbolic tensors; ``keras.Input`` has none.

    ``whole``: a tensor of a loss or metric, whose shape begins with the batch; ``pooled``: one of
    a loss that is added to a model, where the batch is gone.
    """

    id: int
    layer: Obj | None
    inputs: tuple[int, ...]
    shape: Shape | None
    stmt: ast.stmt
    frame: int
    iteration: tuple[int, ...]
    versions: Versions
    operator: str | None = None
    name: str | None = None
    dtype: str | None = None
    other: tuple[Any, ...] = ()
    operation: Obj | None = None
    whole: bool = False
    pooled: bool = False


@dataclass(frozen=True)
class Added:
    """A layer added to a Sequential, and where."""

    layer: Obj
    stmt: ast.stmt
    frame: int
    iteration: tuple[int, ...]
    versions: Versions
    hypothetical: bool = False


@dataclass
class ModelState:
    """A model under construction."""

    id: int
    kind: str
    node: ast.Call
    stmt: ast.stmt
    frame: Frame
    name: str | None = None
    variable: str | None = None
    added: tuple[Added, ...] = ()
    inputs: tuple[int, ...] = ()
    outputs: tuple[int, ...] = ()
    input_kind: str = "one"
    output_kind: str = "one"
    input_keys: tuple[str | None, ...] = ()
    output_keys: tuple[str | None, ...] = ()
    fed: Value = UNKNOWN
    called: Shape | None = None
    tensors: tuple[int, ...] = ()
    inference: bool | None = None
    owners: dict[int, tuple[int, str]] = field(default_factory=dict)
    broken: str | None = None
    own: Obj | None = None
    network: Obj | None = None


@dataclass
class Custom:
    """A class of the script that is a layer: which instances are built, what stands in the way.

    ``waiting``: it is called on something that is not known; ``results`` are the nodes that its
    calls gave.
    """

    index: int
    made: list[int] = field(default_factory=list)
    built: set[int] = field(default_factory=set)
    called: bool = False
    waiting: bool = False
    problem: tuple[str, ast.AST] | None = None
    results: set[int] = field(default_factory=set)


@dataclass(frozen=True)
class Pass:
    """A round of a loop or comprehension: what its variable was, and what was made meanwhile.

    ``node`` is the ``id`` of the loop, or of what a comprehension makes; all that was made has
    numbers behind ``start``, up to ``end``.
    """

    node: int
    first: int
    number: int
    item: Value
    start: int
    end: int


@dataclass
class Invocation:
    """A call of a function of the script: where, with what (by parameter), and what came of it."""

    node: ast.Call
    caller: int
    function: int
    frame: int = -1
    given: dict[str, Value] = field(default_factory=dict)
    result: Value = UNKNOWN
    hypothetical: int = 0


class Snapshot(NamedTuple):
    """All that a branch which may not be taken can change."""

    names: dict[str, Value]
    versions: dict[str, int]
    heap: dict[int, Content]
    attributes: dict[int, dict[str, Value]]
    added: dict[int, tuple[Added, ...]]


@dataclass(frozen=True)
class Event:
    """Something the script does that a migration must carry over.

    ``hypothetical`` counts the branches around it that are not taken.
    """

    kind: str
    node: ast.AST
    stmt: ast.stmt
    frame: int
    data: dict[str, Any]
    hypothetical: int = 0

    def __getitem__(self, key: str) -> Any:
        return self.data[key]


def still_bound(uses: Sequence[NameUse], versions: Versions) -> bool:
    """Whether every variable an expression read is still bound to what it read."""
    return all(versions.get((u.frame, u.name)) == u.version for u in uses)


def versions_of(frame: Frame) -> Versions:
    """Which binding of each variable is in force in a frame and those around it."""
    versions: Versions = {}
    inner: Frame | None = frame
    while inner is not None:
        versions.update({(inner.id, name): v for name, v in inner.versions.items()})
        inner = inner.parent
    return versions


def statements(body: list[ast.stmt]) -> Iterator[ast.stmt]:
    """All statements of a body, outer ones first, in order."""
    for stmt in body:
        yield stmt
        for name in ("body", "orelse", "finalbody"):
            yield from statements(getattr(stmt, name, []))
        for handler in getattr(stmt, "handlers", []):
            yield from statements(handler.body)


def own_names(stmt: ast.stmt) -> list[ast.Name]:
    """Names read by a statement itself, not by the statements inside it."""
    found: list[ast.Name] = []
    stack: list[ast.AST] = [c for c in ast.iter_child_nodes(stmt) if not isinstance(c, ast.stmt)]
    while stack:
        node = stack.pop()
        if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Load):
            found.append(node)
        stack.extend(c for c in ast.iter_child_nodes(node) if not isinstance(c, ast.stmt))
    return found
