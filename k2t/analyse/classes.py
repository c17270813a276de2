"""From what was seen of the script's own layers to the IR of their classes."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

from k2t.analyse import calls, custom
from k2t.analyse.held import held, lists, loose_weight, losses, metrics, penalised
from k2t.analyse.interpreter import Interpreter
from k2t.analyse.sources import is_docstring
from k2t.analyse.state import Event, GraphNode, statements
from k2t.analyse.statements import Layout
from k2t.analyse.widening import loops_of, same_round, widening
from k2t.ir.custom import CustomLayer, Method, Site
from k2t.ir.nodes import Node
from k2t.ir.source import Span
from k2t.ir.values import Const, Dim, NameUse, Ref, Shape

NO_ROW: dict[str, str] = {}
UNASKED = {
    "compute_output_shape",
    "compute_output_spec",
    "compute_mask",
    "get_config",
    "from_config",
    "get_build_config",
    "build_from_config",
}
"""Methods that Keras calls to describe and save a layer."""
DECORATORS = ("register_keras_serializable",)
FLAGS = {"built", "supports_masking", "input_spec"}
DROPPED = {"training", "mask"}
STEPS = {"train_step", "test_step", "predict_step", "compile", "fit", "metrics"}


class Classes:
    """Reads the classes that are layers, those that they extend included."""

    def __init__(self, interp: Interpreter, layout: Layout) -> None:
        self.interp = interp
        self.layout = layout
        self.spans = interp.spans
        applied = [e for e in interp.events if e.kind == "layer_call"]
        certain = {id(e.node) for e in applied if not e.hypothetical}
        self.applied = [e for e in applied if not e.hypothetical or id(e.node) not in certain]

    def layers(self) -> tuple[CustomLayer, ...]:
        bases = self.interp.keras.bases.items()
        return tuple(self.layer(index) for index, base in bases if base in custom.BASES)

    def layer(self, index: int) -> CustomLayer:
        node, home = self.interp.definitions[index]
        assert isinstance(node, ast.ClassDef)
        own = {i.name: i for i in node.body if isinstance(i, ast.FunctionDef)}
        makers = [own[n] for n in ("__init__", "build") if n in own]
        shape = custom.shape_name(self.interp, index)
        reads, whole = self.shape_reads(own.get("build"), shape)
        bases = [b for b in node.bases if isinstance(self.interp.eval(b, home), Ref)]
        sites, problem = self.sites(index, node, makers)
        return CustomLayer(
            index,
            node.name,
            self.spans.of(node),
            tuple(self.spans.of(b) for b in bases),
            self.method(own.get("__init__"), index, set()),
            self.method(own.get("build"), index, set()),
            self.method(own.get("call"), index, DROPPED),
            self.takes_training(index),
            frozenset(self.integers(node)),
            tuple(self.spans.of(n) for n in self.reads(own["call"], "training"))
            if "call" in own
            else (),
            tuple(self.spans.of(c) for c in parent_calls(makers)),
            tuple(self.gone(node, own)),
            tuple(lists(self.interp, index, makers)),
            sites,
            shape,
            whole,
            reads,
            index in self.interp.keras.parents,
            self.problem(index, own) or problem,
            tuple(losses(self.interp, self.spans, node)),
            tuple(metrics(self.interp, self.spans, node)),
            tuple(penalised(self.interp, self.spans, node)),
            tuple(own),
            frozenset(custom.state(self.interp, index).results),
        )

    # ------------------------------------------------------------------ methods

    def method(self, node: ast.FunctionDef | None, index: int, drop: set[str]) -> Method | None:
        if node is None:
            return None
        text, span = self.interp.source.text, self.spans.of(node)
        name = text.index(node.name, span.start + len("def"))
        parameters = [*node.args.posonlyargs, *node.args.args]
        defaults = [*node.args.defaults, *(d for d in node.args.kw_defaults if d is not None)]
        ends = [self.spans.of(n).end for n in (*parameters, *node.args.kwonlyargs, *defaults)]
        ends += [self.spans.of(a).end for a in (node.args.vararg, node.args.kwarg) if a is not None]
        opening = text.index("(", name) + 1
        kept = []
        for number, argument in enumerate(parameters[1:], 1):
            given = number - len(parameters) + len(node.args.defaults)
            default = node.args.defaults[given] if given >= 0 else argument
            if argument.arg not in drop:
                kept.append(self.parameter(argument, default))
        gone = [s for s in node.body if is_docstring(s) or is_flag(s) or is_built(s)]
        body = [s for s in node.body if s not in gone] or node.body
        closing = text.index(")", max(ends, default=opening))
        gives = node.returns
        foreign = gives is not None and self.interp.keras.mentions(gives, self.interp.module)
        return Method(
            span,
            Span(name, name + len(node.name)),
            Span(opening, closing),
            tuple(kept),
            text.index(":", self.spans.of(gives).end if gives is not None else closing) + 1,
            self.layout.with_comments(body[0]),
            self.spans.of(body[-1]),
            Span(closing + 1, self.spans.of(gives).end) if gives is not None and foreign else None,
        )

    def parameter(self, argument: ast.arg, default: ast.expr | ast.arg) -> str:
        """A parameter as it is written, without a type of Keras's."""
        source, home = self.interp.source, self.interp.module
        if argument.annotation is None or not self.interp.keras.mentions(argument.annotation, home):
            return source.slice(Span(self.spans.of(argument).start, self.spans.of(default).end))
        given = f"={source.slice(self.spans.of(default))}" if default is not argument else ""
        return argument.arg + given

    def takes_training(self, index: int) -> bool:
        found = calls.method_of(self.interp, index, "call")
        names = (a.arg for a in ast.walk(found[0].args) if isinstance(a, ast.arg)) if found else ()
        return "training" in names

    def integers(self, cls: ast.ClassDef) -> Iterator[int]:
        """The places of the tensors that ``call`` looks up in an Embedding."""
        for event in self.applied:
            made: GraphNode = event["made"]
            if self.spans.of(event.node) not in self.spans.of(cls) or made.layer is None:
                continue
            wanted: set[int] = {0} if made.layer.row == "Embedding" else set()
            if made.layer.row == "Custom":
                inner = self.interp.definitions[custom.class_of(made.layer)][0]
                wanted = set(self.integers(inner)) if isinstance(inner, ast.ClassDef) else set()
            for place, tensor in enumerate(made.inputs):
                if place in wanted and tensor in self.interp.starts:
                    yield self.interp.starts[tensor]

    def shape_reads(
        self, build: ast.FunctionDef | None, name: str
    ) -> tuple[tuple[Span, ...], bool]:
        """Where ``build`` reads the last axis of the input, and whether it reads more of it."""
        if build is None:
            return (), False
        inside = [n for s in build.body if not is_built(s) for n in ast.walk(s)]
        last = [
            n for n in inside if isinstance(n, ast.Subscript) and ast.unparse(n) == f"{name}[-1]"
        ]
        every = [n for n in inside if isinstance(n, ast.Name) and n.id == name]
        return tuple(self.spans.of(n) for n in last), len(every) > len(last)

    def gone(self, node: ast.ClassDef, own: dict[str, ast.FunctionDef]) -> Iterator[Span]:
        """What torch does not ask for: methods, statements, decorators."""
        for name, method in own.items():
            if name in UNASKED:
                span = self.layout.with_comments(method)
                starts = [self.spans.of(d).start - 1 for d in method.decorator_list]
                yield Span(min([span.start, *starts]), span.end)
            for stmt in statements(method.body):
                if is_built(stmt) or is_flag(stmt):
                    yield self.layout.with_comments(stmt)
            yield from (self.spans.of(stmt) for stmt in self.spent_sizes(method))
        inside = (d for method in own.values() for d in method.decorator_list)
        for decorator in (*node.decorator_list, *inside):
            span = self.spans.of(decorator)
            if any(name in self.interp.source.slice(span) for name in DECORATORS):
                yield Span(span.start - 1, span.end)

    def spent_sizes(self, method: ast.FunctionDef) -> Iterator[ast.Assign]:
        """``batch = ops.shape(x)[0]`` that only says how many random numbers to draw."""
        rows = self.interp.table.rows["ops"]
        events = [e for e in self.interp.events if e.kind in ("operation", "asked")]
        asked = {id(e.node) for e in events if e.kind == "asked"}
        draws = [
            e.node for e in events
            if e.kind == "operation" and rows.get(e["operation"].row, NO_ROW).get("random")
        ]  # fmt: skip
        drawn = {id(n) for draw in draws for n in ast.walk(draw)}
        for stmt in statements(method.body):
            if not isinstance(stmt, ast.Assign) or not isinstance(stmt.targets[0], ast.Name):
                continue
            name, sizes = stmt.targets[0].id, {id(n) for n in ast.walk(stmt.value)}
            reads = [n for n in ast.walk(method) if isinstance(n, ast.Name) and n.id == name]
            reads = [n for n in reads if isinstance(n.ctx, ast.Load)]
            if sizes & asked and reads and all(id(n) in drawn for n in reads):
                yield stmt

    def problem(self, index: int, own: dict[str, ast.FunctionDef]) -> tuple[str, Span] | None:
        found = self.interp.customs.get(index)
        if found is not None and found.problem is not None:
            why, node = found.problem
            return why, self.spans.of(node)
        if found is None or not found.called:
            why = "nothing calls it on tensors whose shapes are known"
            if found is not None and found.waiting:
                why = "what it is called on is not known"
            return why, self.spans.of(self.interp.definitions[index][0])
        for name in STEPS & own.keys():
            return f"it has a {name} of its own", self.spans.of(own[name])
        for name in ("__init__", "build", "call"):
            spec = own[name].args if name in own else None
            if spec is not None and (spec.vararg or (spec.kwonlyargs and name != "__init__")):
                return f"{name} takes * arguments", self.spans.of(own[name])
            if spec is not None and spec.kwarg is not None:
                for read in self.reads(own[name], spec.kwarg.arg):
                    return f"{name} reads {spec.kwarg.arg}", self.spans.of(read)
        taken = {a.arg for a in own["call"].args.args if a.arg in DROPPED} if "call" in own else ()
        for node in ast.walk(own["call"]) if "call" in own else ():
            bound = isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store)
            if bound and node.id in taken:  # type: ignore[attr-defined]
                return "its call binds training or mask anew", self.spans.of(node)
        for read in self.reads(own["call"], "mask") if "mask" in taken else ():
            return "its call reads mask", self.spans.of(read)
        return None

    def reads(self, method: ast.FunctionDef, name: str) -> Iterator[ast.Name]:
        """Reads of a parameter that do more than hand it on to Keras's own."""
        passed = {
            id(value)
            for node in ast.walk(method)
            if isinstance(node, ast.Call) and (is_super(node) or name in DROPPED)
            for value in (*node.args, *(k.value for k in node.keywords))
        }
        for node in ast.walk(method):
            if not isinstance(node, ast.Name) or not isinstance(node.ctx, ast.Load):
                continue
            if node.id == name and id(node) not in passed:
                yield node

    # ------------------------------------------------------------------ layers inside

    def sites(
        self, index: int, cls: ast.ClassDef, makers: list[ast.FunctionDef]
    ) -> tuple[tuple[Site, ...], tuple[str, Span] | None]:
        """The layers that a class makes, and why one cannot be carried over."""
        whole = self.spans.of(cls)
        alone = {
            self.spans.of(s.value): self.layout.with_comments(s)
            for maker in makers
            for s in statements(maker.body)
            if isinstance(s, ast.Assign) and isinstance(s.targets[0], ast.Attribute)
        }
        found: dict[Span, list[Node]] = {}
        for event in self.applied:
            place = self.spans.of(event.node)
            layer = event["made"].layer
            if place not in whole:
                continue
            if layer.span not in whole and not self.inherited(cls, layer.span):
                return (), ("a layer that is made elsewhere is called in it", place)
            found.setdefault(layer.span, []).append(self.node(event, makers))
        inside = {s: nodes for s, nodes in found.items() if s in whole}
        registered = held(self.interp, index)
        for span, nodes in inside.items():
            loose = any(n.layer is not None and n.layer.id not in registered for n in nodes)
            if loose and any(span in self.spans.of(maker) for maker in makers):
                return (), ("torch finds only layers that an attribute or its list holds", span)
        if (weight := loose_weight(self.interp, makers)) is not None:
            return (), ("torch finds only weights that an attribute holds", weight)
        loops, interp = loops_of(makers, self.spans), self.interp
        return tuple(
            Site(
                s,
                tuple(n),
                alone.get(s),
                widening(interp, loops.get(s), n),
                same_round(interp, loops.get(s), n),
            )
            for s, n in inside.items()
        ), None

    def inherited(self, cls: ast.ClassDef, span: Span) -> bool:
        """Whether a place is in a class of the script that this one extends."""
        index = next(i for i, (n, _) in enumerate(self.interp.definitions) if n is cls)
        above = self.interp.keras.parents.get(index)
        while above is not None:
            if span in self.spans.of(self.interp.definitions[above][0]):
                return True
            above = self.interp.keras.parents.get(above)
        return False

    def node(self, event: Event, makers: list[ast.FunctionDef]) -> Node:
        """An application of a layer in ``call``, its sizes by names that ``__init__`` has."""
        made: GraphNode = event["made"]
        stmt = self.spans.of(event.stmt)
        body = tuple(
            Node(0, layer, (), (self.named(given, makers),), self.named(out, makers), stmt)
            for layer, given, out in self.interp.bodies.get(made.id, ())
        )
        before = [custom.without_batch(self.interp.graph[i]) for i in made.inputs]
        return Node(
            made.id,
            made.layer,
            made.inputs,
            tuple(self.named(shape, makers) for shape in before),
            self.named(custom.without_batch(made), makers),
            stmt,
            body=body,
        )

    def named(self, shape: Shape | None, makers: list[ast.FunctionDef]) -> Shape | None:
        return tuple(self.size(dim, makers) for dim in shape) if shape is not None else None

    def size(self, dim: Dim, makers: list[ast.FunctionDef]) -> Dim:
        if not isinstance(dim, Const):
            return None
        expr = dim.expr
        lasting = expr is not None and all(self.lasting(use, makers) for use in expr.names)
        return replace(dim, expr=expr if lasting else None)

    def lasting(self, use: NameUse, makers: list[ast.FunctionDef]) -> bool:
        """Whether a variable means the same all through ``__init__`` and ``build``."""
        frame = self.interp.frames[use.frame]
        inner = frame.parent is not None and frame.parent.scope is frame.scope
        here = frame.scope in makers and not inner
        module = frame is self.interp.module
        return (here or module) and frame.versions.get(use.name, 0) == 1


def layer_call(interp: Interpreter, layout: Layout, event: Event) -> dict[str, Any]:
    """Which layer is called inside a class, on what, and how it is written."""
    node, spans = event.node, interp.spans
    assert isinstance(node, ast.Call)
    given: list[tuple[str | None, ast.expr]] = [(None, a) for a in node.args]
    dropped = DROPPED - {"mask"} if "masks" in event["made"].layer.args else DROPPED
    given += [(k.arg, k.value) for k in node.keywords if k.arg not in dropped]
    tensors = [(k, n) for k, n in given if ast.unparse(n) != "training"]
    return {
        "seen": (Classes(interp, layout).node(event, []),),
        "callee": interp.source.slice(spans.of(node.func)),
        "given": tuple((k, spans.of(n)) for k, n in tensors),
    }


def is_super(node: ast.Call) -> bool:
    """``super().x(...)``."""
    inner = node.func.value if isinstance(node.func, ast.Attribute) else None
    return isinstance(inner, ast.Call) and ast.unparse(inner.func) == "super"


def is_parent(stmt: ast.stmt) -> bool:
    return isinstance(stmt, ast.Expr) and isinstance(stmt.value, ast.Call) and is_super(stmt.value)


def is_built(stmt: ast.stmt) -> bool:
    """``super().build(input_shape)``."""
    return (
        is_parent(stmt)
        and ast.unparse(stmt).partition("(")[0] == "super"
        and ").build(" in ast.unparse(stmt)
    )


def is_flag(stmt: ast.stmt) -> bool:
    """``self.built = True`` and the like."""
    match stmt:
        case ast.Assign(targets=[ast.Attribute(value=ast.Name(id="self"), attr=attr)]):
            return attr in FLAGS
    return False


def parent_calls(makers: list[ast.FunctionDef]) -> Iterator[ast.Call]:
    """``super().__init__(...)``."""
    for maker in makers:
        for stmt in statements(maker.body):
            if isinstance(stmt, ast.Expr) and isinstance(stmt.value, ast.Call) and is_parent(stmt):
                assert isinstance(stmt.value.func, ast.Attribute)
                if stmt.value.func.attr == "__init__":
                    yield stmt.value
