"""What the interpreter saw at each place where tensors flow: applications, calls, variables."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from dataclasses import dataclass, field, replace

from k2t.analyse.interpreter import Interpreter
from k2t.analyse.state import Frame, GraphNode, Invocation, statements, still_bound
from k2t.ir.nodes import Node
from k2t.ir.values import (
    Arg,
    Const,
    Expr,
    ListRef,
    Obj,
    Shape,
    Sym,
    Tensor,
    Tuple,
    Value,
    as_int,
)


class Tangled(Exception):
    """The structure of a model cannot be kept as written; its layers are listed one by one."""


@dataclass
class Trace:
    """Applications and calls by the expression that makes them."""

    interp: Interpreter
    applied: dict[int, list[tuple[GraphNode, int]]] = field(default_factory=dict)
    calls: dict[int, list[Invocation]] = field(default_factory=dict)
    layers: dict[int, list[Obj]] = field(default_factory=dict)
    bound: dict[int, list[tuple[str, Value]]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        for event in self.interp.events:
            if event.kind == "apply":
                made = self.interp.graph[event["tensor"]]
                self.applied.setdefault(id(event.node), []).append((made, event.hypothetical))
            elif event.kind == "layer":
                self.layers.setdefault(id(event.node), []).append(event["obj"])
            elif event.kind == "bind":
                found = self.bound.setdefault(id(event.stmt), [])
                found.append((event["name"], event["value"]))
        for call in self.interp.invocations:
            if self.tensors(call.result) and any(self.tensors(v) for v in call.given.values()):
                self.calls.setdefault(id(call.node), []).append(call)

    def tensors(self, value: Value) -> bool:
        """Whether a value is a tensor, or a tuple or list that has one."""
        if isinstance(value, Tensor):
            return True
        items = self.interp.items(value) if isinstance(value, Tuple | ListRef) else None
        return any(isinstance(i, Tensor) for i in items or ())

    def seen(self, node: ast.AST) -> list[GraphNode]:
        """The applications at a place; those of branches not taken only if there are no others."""
        found = self.applied.get(id(node), [])
        least = min((level for _, level in found), default=0)
        return [made for made, level in found if level == least]

    def invocations(self, node: ast.AST) -> list[Invocation]:
        found = self.calls.get(id(node), [])
        least = min((c.hypothetical for c in found), default=0)
        return [c for c in found if c.hypothetical == least]

    def flow_names(self, body: list[ast.stmt], parameters: set[str]) -> tuple[set[str], set[str]]:
        """The variables of a function that hold tensors (or lists of them), and layers."""
        tensors, layers = set(parameters), set()
        for stmt in statements(body):
            for name, value in self.bound.get(id(stmt), ()):
                if self.tensors(value):
                    tensors.add(name)
                elif isinstance(value, Obj) and value.row in self.interp.table.rows["layers"]:
                    layers.add(name)
        for stmt in statements(body):
            listed = appended(stmt)
            if listed is not None and any(
                id(n) in self.applied or (isinstance(n, ast.Name) and n.id in tensors)
                for n in ast.walk(listed[1])
            ):
                tensors.add(listed[0])
        return tensors, layers


def appended(stmt: ast.stmt) -> tuple[str, ast.expr] | None:
    """The list and the element of ``name.append(element)``."""
    match stmt:
        case ast.Expr(
            value=ast.Call(
                func=ast.Attribute(value=ast.Name(id=name), attr="append"), args=[element]
            )
        ):
            return name, element
    return None


@dataclass
class Local:
    """What may be written inside the class of a function: its own variables and lasting globals.

    ``frames`` are the calls of the function; numbers that depend on its variables stay symbolic,
    so that a changed argument changes the class.
    """

    interp: Interpreter
    frames: frozenset[int]
    moved: frozenset[str] = frozenset()

    def own(self, expr: Expr) -> bool:
        return any(u.frame in self.frames and self.mine(u.frame, u.name) for u in expr.names)

    def mine(self, frame: int, name: str) -> bool:
        return frame != 0 or name in self.moved

    def usable(self, expr: Expr) -> bool:
        module = self.interp.module.versions
        return all(
            (u.frame in self.frames and self.mine(u.frame, u.name))
            or (u.frame == 0 and module.get(u.name) == u.version)
            for u in expr.names
        )

    def clean(self, value: Value, versions: dict[tuple[int, str], int]) -> Value:
        """The value for the class's ``__init__``."""
        if isinstance(value, Obj):
            return replace(value, args=self.constant_args(value, versions))
        if isinstance(value, ListRef):
            content = self.interp.heap.get(value.id)
            if isinstance(content, tuple):
                value = Tuple(content, value.expr)
        if not isinstance(value, Const | Sym | Tuple):
            return value
        expr = value.expr if value.expr is not None and self.usable(value.expr) else None
        if isinstance(value, Tuple):
            items = tuple(self.clean(i, versions) for i in value.items)
            value = Tuple(items, expr)
            if any(isinstance(i, Sym) for i in items):
                return value
        if expr is not None and self.own(expr) and numeric(value):
            return Sym(expr)
        return replace(value, expr=expr)

    def constant_args(self, value: Obj, versions: dict[tuple[int, str], int]) -> dict[str, Arg]:
        """Arguments of an initializer or regularizer: used outside the class, so globals only."""
        found = {}
        for name, arg in value.args.items():
            inner = arg.value
            expr = getattr(inner, "expr", None)
            if isinstance(inner, Const | Sym) and expr is not None:
                lasting = self.usable(expr) and not self.own(expr)
                if not (lasting and still_bound(expr.names, versions)):
                    inner = replace(inner, expr=None)
            found[name] = Arg(inner, arg.span)
        return found

    def layer(self, layer: Obj, versions: dict[tuple[int, str], int]) -> Obj:
        args = {
            name: Arg(
                self.layer(arg.value, versions)
                if isinstance(arg.value, Obj) and arg.value.row in self.interp.table.rows["layers"]
                else self.clean(arg.value, versions),
                arg.span,
            )
            for name, arg in layer.args.items()
        }
        return replace(layer, args=args)

    def node(self, made: GraphNode, shapes: tuple[Shape | None, ...]) -> Node:
        return Node(
            made.id,
            self.layer(made.layer, made.versions) if made.layer else None,
            made.inputs,
            shapes,
            bare(made.shape),
            self.interp.spans.of(made.stmt),
            operator=made.operator,
            operation=self.layer(made.operation, made.versions) if made.operation else None,
        )


def numeric(value: Value) -> bool:
    if isinstance(value, Tuple):
        return all(numeric(i) for i in value.items)
    if isinstance(value, Const):
        return isinstance(value.value, int | float) and not isinstance(value.value, bool)
    return isinstance(value, Sym) and value.type != "str"


def bare(shape: Shape | None) -> Shape | None:
    """A shape in numbers only."""
    if shape is None:
        return None
    return tuple(Const(as_int(d)) if as_int(d) is not None else None for d in shape)


def joined(shapes: list[Shape | None]) -> Shape | None:
    """What several shapes have in common.

    Raises:
        Tangled: they have different numbers of axes.
    """
    if any(s is None for s in shapes):
        return None
    ranked = [s for s in shapes if s is not None]
    if len({len(s) for s in ranked}) > 1:
        raise Tangled("a tensor has different numbers of axes in different calls")
    return tuple(
        axes[0] if all(a == axes[0] for a in axes) else None for axes in zip(*ranked, strict=True)
    )


def settled(interp: Interpreter, value: Value) -> Value:
    """A value that needs no interpreter: lists as tuples."""
    if isinstance(value, ListRef):
        content = interp.heap.get(value.id)
        if isinstance(content, tuple):
            value = Tuple(content, value.expr)
    if isinstance(value, Tuple):
        return Tuple(tuple(settled(interp, i) for i in value.items), value.expr)
    return value


def lasting(interp: Interpreter, frame: Frame) -> dict[str, Value]:
    """The variables of a frame that are bound once, so that they are worth the same everywhere."""
    return {
        name: settled(interp, value)
        for name, value in frame.names.items()
        if frame.versions.get(name) == 1
    }


def shaped(node: ast.AST) -> ast.expr | None:
    """What the shape is asked of: ``x.shape``, ``K.int_shape(x)``, ``tf.shape(x)``."""
    match node:
        case ast.Attribute(value=owner, attr="shape"):
            return owner
        case ast.Call(func=ast.Name(id="int_shape"), args=[one], keywords=[]):
            return one
        case ast.Call(func=ast.Attribute(attr="int_shape" | "shape"), args=[one], keywords=[]):
            return one
    return None


def children(node: ast.AST) -> Iterator[ast.AST]:
    """A node and all below it, except where only the shape of a tensor is asked for."""
    if shaped(node) is not None:
        return
    yield node
    for child in ast.iter_child_nodes(node):
        yield from children(child)


def held(interp: Interpreter) -> dict[int, str]:
    """By layer, the variable that holds it, and never anything else."""
    values: dict[str, set[Value]] = {}
    for event in interp.events:
        if event.kind == "bind":
            values.setdefault(event["name"], set()).add(event["value"])
    layers = {name: one.pop() for name, one in values.items() if len(one) == 1}
    return {value.id: name for name, value in layers.items() if isinstance(value, Obj)}
