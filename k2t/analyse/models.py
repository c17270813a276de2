"""From what the interpreter saw of a model to its class: body with loops kept, shapes, parameters."""

from __future__ import annotations

import ast
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace

from k2t.analyse import shapes
from k2t.analyse.interpreter import Interpreter
from k2t.analyse.state import (
    Added,
    Frame,
    GraphNode,
    ModelState,
    Versions,
    statements,
    still_bound,
    versions_of,
)
from k2t.ir.program import Branch, Home, Item, Leaf, Loop, Model, Node, Parameter, Plain
from k2t.ir.source import Span
from k2t.ir.values import (
    Arg,
    Array,
    Const,
    Dim,
    Expr,
    Instance,
    ListRef,
    Obj,
    Shape,
    Sym,
    Tuple,
    Value,
)


class Tangled(Exception):
    """The structure of a model cannot be kept as written; its layers are listed one by one."""


@dataclass
class Builder:
    """Builds the class of one group of models (all made by the same constructor call)."""

    interp: Interpreter
    group: list[ModelState]
    ghosts: list[tuple[int, tuple[Added, ...]]]
    final: Versions = field(default_factory=dict)
    moved: set[str] = field(default_factory=set)
    used: dict[str, None] = field(default_factory=dict)
    variables: Mapping[int, tuple[str, ...]] = field(default_factory=dict)
    static: Mapping[int, bool] = field(default_factory=dict)

    @property
    def first(self) -> ModelState:
        return self.group[0]

    @property
    def home(self) -> Frame:
        return self.first.frame

    # ------------------------------------------------------------------ what may be written where

    def usable(self, expr: Expr | None, versions: Versions) -> bool:
        """Whether an expression means the same inside the class as where the script has it."""
        if expr is None:
            return False
        if not still_bound(expr.names, versions):
            return False
        for use in expr.names:
            if use.name in self.moved:
                continue
            if use.frame == 0:
                if self.final.get((0, use.name)) != use.version:
                    return False
            elif use.frame not in self.home_frames() or (
                self.home_class is None and not self.stable(use.frame, use.name, use.version)
            ):
                return False
        for use in expr.names:
            if use.frame != 0 and use.name not in self.moved:
                self.used[use.name] = None
        return True

    def stable(self, frame: int, name: str, version: int) -> bool:
        return self.interp.frames[frame].versions.get(name) == version

    def home_frames(self) -> set[int]:
        return {m.frame.id for m in self.group}

    home_class: Home | None = None

    def clean(self, value: Value, versions: Versions) -> Value:
        """The value with source text only where that text may be used inside the class."""
        if isinstance(value, Const | Sym | Tuple | ListRef):
            expr = getattr(value, "expr", None)
            if isinstance(value, Tuple):
                items = tuple(self.clean(i, versions) for i in value.items)
                return Tuple(items, expr if self.usable(expr, versions) else None)
            if isinstance(value, ListRef):
                content = self.interp.heap.get(value.id)
                if isinstance(content, tuple):
                    items = tuple(self.clean(i, versions) for i in content)
                    return Tuple(items, expr if self.usable(expr, versions) else None)
                return value
            if not self.usable(expr, versions):
                return replace(value, expr=None)
            return value
        if isinstance(value, Obj):
            return self.clean_layer(value, versions)
        return value

    def clean_layer(self, layer: Obj, versions: Versions) -> Obj:
        args = {
            name: Arg(self.clean(arg.value, versions), arg.span) for name, arg in layer.args.items()
        }
        return replace(layer, args=args)

    def clean_dim(self, dim: Dim, versions: Versions) -> Dim:
        if dim is None or self.usable(dim.expr, versions):
            return dim
        if isinstance(dim, Const):
            return Const(dim.value)
        return None

    def clean_shape(self, shape: Shape | None, versions: Versions) -> Shape | None:
        return None if shape is None else tuple(self.clean_dim(d, versions) for d in shape)

    # ------------------------------------------------------------------ Sequential

    def chain(self, model: ModelState, added: Sequence[Added]) -> list[Node]:
        """The applications of a Sequential's layers, with shapes from the first layer on."""
        shape = self.input_shape(model, added)
        nodes: list[Node] = []
        rows = self.interp.table.rows["layers"]
        for number, entry in enumerate(added):
            layer = entry.layer
            if layer.row == "Input":
                continue
            out = shapes.RULES[rows[layer.row].get("shape", "same")](
                layer.args, [shape], self.interp.items
            )
            nodes.append(
                Node(
                    number,
                    self.clean_layer(layer, entry.versions),
                    (number - 1,),
                    (self.clean_shape(shape, entry.versions),),
                    self.clean_shape(out, entry.versions),
                    self.interp.spans.of(entry.stmt),
                )
            )
            shape = out
        return nodes

    def input_shape(self, model: ModelState, added: Sequence[Added]) -> Shape | None:
        if not added:
            return None
        first = added[0].layer
        if first.row == "Input":
            return self.interp.graph[first.id].shape
        given = self.declared_shape(first)
        if given is not None:
            return given
        return self.fed_shape(model)

    def declared_shape(self, layer: Obj) -> Shape | None:
        """``input_shape=``, ``batch_input_shape=``, ``input_dim=`` or ``input_length=``."""
        args = layer.args
        if "input_shape" in args:
            return self.interp.keras.shape_value(args["input_shape"].value)
        for name in ("batch_input_shape", "batch_shape"):
            if name in args:
                shape: Shape | None = self.interp.keras.shape_value(args[name].value)
                return shape[1:] if shape else None
        length = args.get("input_length")
        if layer.row == "Embedding":
            return (shapes.dim(length.value),) if length else None
        if "input_dim" in args:
            width = shapes.dim(args["input_dim"].value)
            return (shapes.dim(length.value), width) if length else (width,)
        return None

    def fed_shape(self, model: ModelState) -> Shape | None:
        array = self.fed_array(model)
        return array.shape[1:] if array is not None and array.shape is not None else None

    def fed_array(self, model: ModelState) -> Array | None:
        """The array ``fit`` is given, or the first element of a batch of a Sequence."""
        return fed_array(self.interp, model.fed)

    def sites(self) -> dict[Span, list[Node]]:
        """Applications by the place their layer is constructed, over all instances."""
        found: dict[Span, list[Node]] = {}
        for model in self.group:
            for node in self.chain(model, model.added):
                assert node.layer is not None
                found.setdefault(node.layer.span, []).append(node)
        for model_id, added in self.ghosts:
            for model in self.group:
                if model.id == model_id:
                    node = self.chain(model, added)[-1]
                    assert node.layer is not None
                    found.setdefault(node.layer.span, []).append(node)
        return found

    def sequential_body(self) -> tuple[Item, ...]:
        sites = self.sites()
        try:
            return tuple(self.walk(self.home_body(), sites, self.home_class is not None))
        except Tangled:
            self.moved.clear()
            nodes = self.chain(self.first, self.first.added)
            return tuple(Leaf((node,)) for node in nodes)

    def home_body(self) -> list[ast.stmt]:
        scope = self.home.scope
        if isinstance(scope, ast.FunctionDef):
            return scope.body
        return self.interp.tree.body

    def walk(
        self, body: list[ast.stmt], sites: Mapping[Span, list[Node]], inside: bool
    ) -> Iterable[Item]:
        """The items of a statement list; ``inside``: plain statements move along."""
        for stmt in body:
            span = self.interp.spans.of(stmt)
            here = [s for s in sites if s in span]
            if id(stmt) in self.static:
                taken = stmt.body if self.static[id(stmt)] else stmt.orelse  # type: ignore[attr-defined]
                yield from self.walk(taken, sites, inside)
            elif isinstance(stmt, ast.For) and here:
                yield self.loop(stmt, sites)
            elif isinstance(stmt, ast.If) and here:
                head = self.interp.spans.of(stmt.test)
                yield Branch(
                    head,
                    tuple(self.walk(stmt.body, sites, True)),
                    tuple(self.walk(stmt.orelse, sites, True)),
                    comments_above(self.interp, stmt),
                )
            elif here and not isinstance(stmt, ast.FunctionDef | ast.ClassDef):
                if isinstance(stmt, ast.With | ast.Try | ast.While):
                    raise Tangled
                yield from self.leaves(stmt, here, sites)
            elif inside and self.plain(stmt):
                yield Plain(span, comments_above(self.interp, stmt))

    def plain(self, stmt: ast.stmt) -> bool:
        if isinstance(stmt, ast.Return | ast.Pass) or is_docstring(stmt):
            return False
        return id(stmt) not in self.consumed

    consumed: frozenset[int] = frozenset()

    def loop(self, stmt: ast.For, sites: Mapping[Span, list[Node]]) -> Loop:
        if self.home_class is None and not self.movable(stmt):
            raise Tangled
        header = Span(self.interp.spans.of(stmt).start, self.interp.spans.of(stmt.iter).end)
        body = tuple(self.walk(stmt.body, sites, True))
        return Loop(header, body, comments_above(self.interp, stmt))

    def names_read_outside(self, stmt: ast.stmt) -> set[str]:
        inner = {id(n) for n in ast.walk(stmt)}
        return {
            n.id
            for n in ast.walk(self.interp.tree)
            if isinstance(n, ast.Name) and isinstance(n.ctx, ast.Load) and id(n) not in inner
        }

    def leaves(
        self, stmt: ast.stmt, here: list[Span], sites: Mapping[Span, list[Node]]
    ) -> Iterable[Leaf]:
        """The layers constructed in one statement, each with the comments that stand at it."""
        above = comments_above(self.interp, stmt)
        position = self.interp.spans.of(stmt).start
        for span in sorted(here):
            if any(span in other and span != other for other in here):
                continue  # a layer inside a wrapper such as Bidirectional
            seen = sites[span]
            counts = {(n.layer.id if n.layer else 0) for n in seen}
            if len(counts) > 1 and self.in_comprehension(stmt, span):
                raise Tangled
            inline = comments_between(self.interp, position, self.line_end(span.end))
            position = self.line_end(span.end)
            own = () if stmt is self.first.stmt else above
            yield Leaf(tuple(seen), (*own, *inline))
            above = ()

    def line_end(self, offset: int) -> int:
        end = self.interp.source.text.find("\n", offset)
        return len(self.interp.source.text) if end < 0 else end

    def in_comprehension(self, stmt: ast.stmt, span: Span) -> bool:
        return any(
            span in self.interp.spans.of(n)
            for n in ast.walk(stmt)
            if isinstance(n, ast.ListComp | ast.GeneratorExp)
        )

    # ------------------------------------------------------------------ functional graphs

    def functional_body(self) -> tuple[tuple[Item, ...], tuple[Node, ...], tuple[int, ...]]:
        graph = self.interp.graph
        model = self.first
        reachable: set[int] = set()
        stack = list(model.outputs)
        while stack:
            current = stack.pop()
            if current not in reachable:
                reachable.add(current)
                if current not in model.inputs:
                    stack.extend(graph[current].inputs)
        order = sorted(reachable - set(model.inputs))
        if any(graph[i].layer is None and graph[i].operator is None for i in order):
            raise Tangled
        items: list[Item] = []
        done: set[int] = set()
        for node_id in order:
            made = graph[node_id]
            comments: tuple[str, ...] = ()
            if id(made.stmt) not in done:
                comments = all_comments(self.interp, made.stmt)
                done.add(id(made.stmt))
            items.append(Leaf((self.graph_node(made),), comments))
        if self.home_class is not None:
            items = [*self.plain_statements(), *items]
        inputs = tuple(self.graph_node(graph[i]) for i in model.inputs)
        return tuple(items), inputs, model.outputs

    def plain_statements(self) -> Iterable[Item]:
        for stmt in self.home_body():
            if self.plain(stmt):
                yield Plain(self.interp.spans.of(stmt), comments_above(self.interp, stmt))

    def graph_node(self, made: GraphNode) -> Node:
        operands: list[str | None] = []
        for value in made.other:
            if value is None:
                operands.append(None)
            else:
                text = value_text(self.clean(value, made.versions))
                if text is None:
                    raise Tangled
                operands.append(text)
        return Node(
            made.id,
            self.clean_layer(made.layer, made.versions) if made.layer else None,
            made.inputs,
            tuple(self.clean_shape(self.interp.graph[i].shape, made.versions) for i in made.inputs),
            self.clean_shape(made.shape, made.versions),
            self.interp.spans.of(made.stmt),
            self.variables.get(made.id, ()),
            made.operator,
            tuple(operands),
            made.name,
            made.dtype,
        )

    # ------------------------------------------------------------------ the class

    def prepare(self) -> None:
        """Find the loops that can move into the class; the names they bind move with them."""
        if self.first.kind != "sequential" or self.home_class is not None:
            return
        spans = {a.layer.span for m in self.group for a in m.added}
        spans |= {a.layer.span for _, added in self.ghosts for a in added}
        moved: set[str] = set()
        for stmt in statements(self.home_body()):
            whole = self.interp.spans.of(stmt)
            if isinstance(stmt, ast.For) and any(s in whole for s in spans):
                if not self.movable(stmt):
                    return
                moved |= {n.id for n in ast.walk(stmt) if isinstance(n, ast.Name) and store(n)}
        self.moved = moved

    def movable(self, stmt: ast.For) -> bool:
        """Whether a loop does nothing but stack layers, so that it can move as a whole."""
        for inner in statements(stmt.body):
            if isinstance(inner, ast.Break | ast.Continue | ast.Try | ast.With | ast.While):
                return False
            if isinstance(inner, ast.If | ast.For) or id(inner) in self.consumed:
                continue
            if not isinstance(inner, ast.Assign | ast.AugAssign):
                return False
        names = {n.id for n in ast.walk(stmt) if isinstance(n, ast.Name) and store(n)}
        return not names & self.names_read_outside(stmt)

    def build(self) -> Model:
        model = self.first
        interp = self.interp
        problem = None
        body: tuple[Item, ...] = ()
        inputs: tuple[Node, ...] = ()
        outputs: tuple[int, ...] = ()
        span = interp.spans.of(model.node)
        broken = next((m.broken for m in self.group if m.broken), None)
        try:
            if broken:
                problem = ("K2T901", f"the model is not migrated: {broken}", span)
            elif model.kind == "sequential":
                body = self.sequential_body()
                inputs = (self.sequential_input(),)
            else:
                body, inputs, outputs = self.functional_body()
        except Tangled:
            problem = ("K2T901", "the model is not migrated: its graph is not known", span)
        parameters, arguments = self.signature()
        return Model(
            id=model.id,
            kind=model.kind,
            span=span,
            body=body,
            inputs=inputs,
            outputs=outputs,
            input_kind=model.input_kind,
            output_kind=model.output_kind,
            instances=tuple(m.id for m in self.group),
            parameters=parameters,
            arguments=arguments,
            name=model.name,
            variable=model.variable,
            home=self.home_class or self.plain_home(),
            local_names=frozenset(self.moved),
            problem=problem,
            fed=self.fed_array(model),
        )

    def plain_home(self) -> Home | None:
        scope = self.home.scope
        if isinstance(scope, ast.FunctionDef):
            return Home(scope.name, self.interp.spans.of(scope), becomes_class=False)
        return None

    def sequential_input(self) -> Node:
        added = self.first.added
        shape = self.input_shape(self.first, added)
        end = versions_of(self.interp.module)
        dtype = None
        if added and added[0].layer.row == "Input":
            dtype = self.interp.graph[added[0].layer.id].dtype
        elif added and "dtype" in added[0].layer.args:
            given = added[0].layer.args["dtype"].value
            dtype = str(given.value) if isinstance(given, Const) else None
        return Node(
            -1,
            None,
            (),
            (),
            self.clean_shape(shape, end),
            self.interp.spans.of(self.first.stmt),
            ("x",),
            dtype=dtype,
        )

    def signature(self) -> tuple[tuple[Parameter, ...], tuple[str, ...]]:
        """Constructor parameters; of a class that is not a function's, with what to pass."""
        scope = self.home.scope
        if self.home_class is not None and isinstance(scope, ast.FunctionDef):
            spec = scope.args
            names = [a.arg for a in [*spec.posonlyargs, *spec.args]]
            defaults: list[ast.expr | None] = [None] * (len(names) - len(spec.defaults))
            defaults += spec.defaults
            names += [a.arg for a in spec.kwonlyargs]
            defaults += spec.kw_defaults
            spans = [self.interp.spans.of(d) if d is not None else None for d in defaults]
            return tuple(Parameter(n, d) for n, d in zip(names, spans, strict=True)), ()
        return tuple(Parameter(n) for n in self.used), tuple(self.used)


def fed_array(interp: Interpreter, fed: Value) -> Array | None:
    if isinstance(fed, Array):
        return fed
    if isinstance(fed, Instance):
        method = interp.find_method(fed, "__getitem__")
        if method is not None:
            count = len(interp.events)
            result = interp.call_method(fed, method, [Sym(type="int")], {}, interp.module)
            del interp.events[count:]
            items = interp.items(result)
            if items and isinstance(items[0], Array):
                return items[0]
    return None


def value_text(value: Value) -> str | None:
    """How a scalar is written inside the class."""
    expr = getattr(value, "expr", None)
    if expr is not None:
        return str(expr.text)
    return repr(value.value) if isinstance(value, Const) else None


def store(node: ast.Name) -> bool:
    return isinstance(node.ctx, ast.Store)


def is_docstring(stmt: ast.stmt) -> bool:
    return (
        isinstance(stmt, ast.Expr)
        and isinstance(stmt.value, ast.Constant)
        and isinstance(stmt.value.value, str)
    )


def comments_above(interp: Interpreter, stmt: ast.stmt) -> tuple[str, ...]:
    """The comment lines that stand directly above a statement."""
    by_line = {c.line: c for c in interp.source.comments if c.own_line}
    first = interp.source.line_of(interp.spans.of(stmt).start)
    texts: list[str] = []
    line = first - 1
    while line in by_line:
        texts.append(by_line[line].text)
        line -= 1
    return tuple(reversed(texts))


def comments_between(interp: Interpreter, start: int, end: int) -> tuple[str, ...]:
    return tuple(c.text for c in interp.source.comments if start <= c.span.start < end)


def all_comments(interp: Interpreter, stmt: ast.stmt) -> tuple[str, ...]:
    """The comments above a statement and inside it or at its end."""
    span = interp.spans.of(stmt)
    end = interp.source.text.find("\n", span.end)
    inner = comments_between(interp, span.start, end if end >= 0 else len(interp.source.text))
    return comments_above(interp, stmt) + inner
