"""From what the interpreter saw of a model to its class: body, shapes and parameters."""

from __future__ import annotations

import ast
from collections.abc import Iterable, Mapping, Sequence, Set
from dataclasses import dataclass, field

from k2t.analyse.functions import Structures, parameters
from k2t.analyse.graphs import graphs
from k2t.analyse.inputs import fed_array, input_shape, sequential_input
from k2t.analyse.interpreter import Interpreter
from k2t.analyse.lambdas import result_of
from k2t.analyse.loops import comprehension, movable, round_names, stored, targets
from k2t.analyse.scope import ClassScope, value_text
from k2t.analyse.sites import in_order
from k2t.analyse.sources import comments_above, comments_between, is_docstring
from k2t.analyse.state import Added, Frame, GraphNode, ModelState, statements
from k2t.analyse.tails import with_tail
from k2t.analyse.trace import Tangled, lasting, settled
from k2t.ir.nodes import Node, Parameter
from k2t.ir.program import Branch, Home, Item, Leaf, Loop, Model, Plain, Variant
from k2t.ir.source import Span
from k2t.ir.structure import Structure
from k2t.ir.values import Value


@dataclass
class Builder:
    """Builds the class of one group of models (all made by the same constructor call).

    ``unrolled``: why the loops of a Sequential are not kept.
    """

    interp: Interpreter
    group: list[ModelState]
    home_class: Home | None
    variables: Mapping[int, tuple[str, ...]]
    static: Mapping[int, bool]
    consumed: Set[int]
    structures: Structures
    scope: ClassScope = field(init=False)
    unrolled: str | None = None

    def __post_init__(self) -> None:
        frames = frozenset(m.frame.id for m in self.group)
        # the statements of a Sequential keep their order in the class; those of a functional model
        # come first, so that only what a variable ends as can be read
        whole = self.home_class is not None and self.first.kind == "sequential"
        rounds = (
            frozenset()
            if self.home_class is not None
            else round_names(self.interp, self.home_body(), self.first.node)
        )
        functional = self.first.kind == "functional"
        gone = targets(self.home_body(), self.consumed) if functional else frozenset()
        self.scope = ClassScope(
            self.interp, frames, self.home_class is not None, whole, rounds, gone
        )
        self.find_moved()
        self.find_comprehended()

    @property
    def first(self) -> ModelState:
        return self.group[0]

    @property
    def home(self) -> Frame:
        return self.first.frame

    # ------------------------------------------------------------------ Sequential

    def chain(self, model: ModelState, added: Sequence[Added]) -> list[Node]:
        """The applications of a Sequential's layers, with shapes from the first layer on."""
        shape = input_shape(self.interp, model, added)
        nodes: list[Node] = []
        rows = self.interp.table.rows["layers"]
        for number, entry in enumerate(added):
            layer = entry.layer
            if layer.row == "Input":
                continue
            out, body = result_of(self.interp, rows[layer.row], layer, shape, entry.stmt)
            nodes.append(
                Node(
                    number,
                    self.scope.clean_layer(with_tail(self.interp, layer), entry.versions),
                    (number - 1,),
                    (self.scope.clean_shape(shape, entry.versions),),
                    self.scope.clean_shape(out, entry.versions),
                    self.interp.spans.of(entry.stmt),
                    body=tuple(self.graph_node(made) for made in body),
                )
            )
            shape = out
        return nodes

    def sites(self) -> dict[Span, list[Node]]:
        """Applications by the place their layer is constructed, over all instances."""
        found: dict[Span, list[Node]] = {}
        for model in self.group:
            for node in self.chain(model, model.added):
                assert node.layer is not None
                found.setdefault(node.layer.span, []).append(node)
        for model_id, added in self.interp.ghosts:
            for model in self.group:
                if model.id == model_id:
                    node = self.chain(model, added)[-1]
                    assert node.layer is not None
                    found.setdefault(node.layer.span, []).append(node)
        return found

    def sequential_body(self) -> tuple[Item, ...]:
        sites = self.sites()
        try:
            items = tuple(self.walk(self.home_body(), sites, self.home_class is not None))
            if not all(in_order(items, self.chain(m, m.added)) for m in self.group):
                raise Tangled  # layers that are made elsewhere, or in another order
            return items
        except Tangled:
            return self.in_a_row(sites)

    def in_a_row(self, sites: Mapping[Span, list[Node]]) -> tuple[Item, ...]:
        """The layers one by one, with what the script has them made with now.

        Raises:
            Tangled: its instances have other layers.
        """
        self.scope.moved.clear()
        self.scope.inner.clear()
        chains = [self.chain(model, model.added) for model in self.group]
        places = [[node.layer.span if node.layer else None for node in one] for one in chains]
        if any(one != places[0] for one in places):
            raise Tangled("it has other layers in each call of the function that builds it")
        if any(places[0].count(place) > 1 for place in places[0]):
            self.unrolled = "its layers are made in a loop that cannot be kept"
        return tuple(Leaf(column) for column in zip(*chains, strict=True))

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
            elif isinstance(stmt, ast.If) and here and self.settled(stmt, body):
                yield from self.walk(self.taken(stmt), sites, False)
            elif isinstance(stmt, ast.If) and here:
                self.scope.carry(stmt.test, self.home)
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
                if self.reads_what_goes(stmt):
                    raise Tangled
                self.scope.carry(stmt, self.home)
                yield Plain(span, comments_above(self.interp, stmt))

    def settled(self, stmt: ast.If, body: list[ast.stmt]) -> bool:
        """Whether only the branch taken goes into the class: where the condition also settles
        other things of the script, or the end of the model (its loss goes with it)."""
        if self.home_class is not None or body is not self.home_body() or len(self.group) > 1:
            return False
        if self.interp.truths.get(id(stmt)) is None:
            return False
        inner = [s for s in statements([*stmt.body, *stmt.orelse]) if not isinstance(s, ast.If)]
        spans = [a.layer.span for a in self.first.added]
        last = bool(spans) and spans[-1] in self.interp.spans.of(stmt)
        return last or any(id(s) not in self.consumed for s in inner)

    def taken(self, stmt: ast.If) -> list[ast.stmt]:
        """The branch of an ``if`` that has the model's layers."""
        spans = {a.layer.span for a in self.first.added}
        for branch in (stmt.body, stmt.orelse):
            if any(s in self.interp.spans.of(b) for b in branch for s in spans):
                return branch
        return []

    def plain(self, stmt: ast.stmt) -> bool:
        if isinstance(stmt, ast.Return | ast.Pass) or is_docstring(stmt):
            return False
        return id(stmt) not in self.consumed

    def reads_what_goes(self, stmt: ast.stmt) -> bool:
        """Whether a statement reads a variable that a statement which goes has bound."""
        gone = {
            n for s in statements(self.home_body()) if id(s) in self.consumed for n in stored(s)
        }
        read = {n.id for n in ast.walk(stmt) if isinstance(n, ast.Name)}
        return bool(read & (gone - self.scope.moved))

    def loop(self, stmt: ast.For, sites: Mapping[Span, list[Node]]) -> Loop:
        if self.home_class is None and not movable(self.interp, stmt, self.consumed):
            raise Tangled
        self.scope.carry(stmt.iter, self.home)
        header = Span(self.interp.spans.of(stmt).start, self.interp.spans.of(stmt.iter).end)
        body = tuple(self.walk(stmt.body, sites, True))
        return Loop(header, body, comments_above(self.interp, stmt))

    def leaves(
        self, stmt: ast.stmt, here: list[Span], sites: Mapping[Span, list[Node]]
    ) -> Iterable[Item]:
        """The layers constructed in one statement, each with the comments that stand at it."""
        above = comments_above(self.interp, stmt)
        position = self.interp.spans.of(stmt).start
        for span in sorted(here):
            if any(span in other and span != other for other in here):
                continue  # a layer inside a wrapper such as Bidirectional
            inline = comments_between(self.interp, position, self.line_end(span.end))
            position = self.line_end(span.end)
            comments = (*(() if stmt is self.first.stmt else above), *inline)
            above = ()
            rounds = comprehension(stmt, span, self.interp.spans)
            if rounds is None:
                yield Leaf(tuple(sites[span]), comments)
            else:
                yield Loop(self.header(rounds), (Leaf(tuple(sites[span])),), comments)

    def header(self, rounds: ast.comprehension) -> Span:
        """``for ... in ...`` of a comprehension."""
        self.scope.carry(rounds.iter, self.home)
        target, end = self.interp.spans.of(rounds.target), self.interp.spans.of(rounds.iter).end
        return Span(self.interp.source.text.rindex("for", 0, target.start), end)

    def line_end(self, offset: int) -> int:
        end = self.interp.source.text.find("\n", offset)
        return len(self.interp.source.text) if end < 0 else end

    # ------------------------------------------------------------------ functional graphs

    def plain_statements(self) -> Iterable[Item]:
        trace = self.structures.trace
        tensors, layers = trace.flow_names(self.home_body(), set())
        for stmt in self.home_body():
            names = {n.id for n in ast.walk(stmt) if isinstance(n, ast.Name)}
            if self.plain(stmt) and not names & (tensors | layers):
                yield Plain(self.interp.spans.of(stmt), comments_above(self.interp, stmt))

    def graph_node(self, made: GraphNode) -> Node:
        operands: list[str | None] = []
        for value in made.other:
            if value is None:
                operands.append(None)
            else:
                text = value_text(self.scope.in_forward(value, made.versions))
                if text is None:
                    raise Tangled
                operands.append(text)
        return Node(
            made.id,
            self.scope.clean_layer(made.layer, made.versions) if made.layer else None,
            made.inputs,
            tuple(
                self.scope.clean_shape(self.interp.graph[i].shape, made.versions)
                for i in made.inputs
            ),
            self.scope.clean_shape(made.shape, made.versions),
            self.interp.spans.of(made.stmt),
            self.variables.get(made.id, ()),
            made.operator,
            tuple(operands),
            made.name,
            made.dtype,
            self.scope.operation(made.operation, made.versions),
        )

    # ------------------------------------------------------------------ the class

    def find_moved(self) -> None:
        """Find the loops that can move into the class; the names they bind move with them."""
        if self.first.kind != "sequential" or self.home_class is not None:
            return
        spans = {a.layer.span for m in self.group for a in m.added}
        spans |= {a.layer.span for _, added in self.interp.ghosts for a in added}
        moved: set[str] = set()
        for stmt in statements(self.home_body()):
            whole = self.interp.spans.of(stmt)
            if isinstance(stmt, ast.For) and any(s in whole for s in spans):
                if not movable(self.interp, stmt, self.consumed):
                    return
                moved |= stored(stmt)
        self.scope.moved = moved

    def find_comprehended(self) -> None:
        """The comprehensions that make layers: each becomes a loop of the class."""
        if self.first.kind == "sequential":
            inside = {id(node) for stmt in self.home_body() for node in ast.walk(stmt)}
            made = self.interp.comprehended.items()
            self.scope.inner = {frame for frame, element in made if id(element) in inside}

    def build(self) -> Model:
        model = self.first
        interp = self.interp
        problem = None
        body: tuple[Item, ...] = ()
        inputs: tuple[Node, ...] = ()
        outputs: tuple[int, ...] = ()
        variants: list[Variant] = []
        values: tuple[Mapping[str, Value], ...] = tuple(self.given(m) for m in self.group)
        span = interp.spans.of(model.node)
        broken = next((m.broken for m in self.group if m.broken), None)
        try:
            if broken:
                problem = ("K2T901", f"the model is not migrated: {broken}", span)
            elif model.kind == "sequential":
                body = self.sequential_body()
                inputs = (sequential_input(self.interp, self.scope, self.first),)
            else:
                first, *variants = graphs(self)
                body, inputs, outputs = first.body, first.inputs, first.outputs
                values = first.values
        except Tangled as error:
            why = str(error) or "its graph is not known"
            problem = ("K2T901", f"the model is not migrated: {why}", span)
        structure, tangled = self.structure() if problem is None else (None, None)
        tangled = tangled or self.unrolled
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
            local_names=frozenset(self.scope.moved),
            problem=problem,
            fed=fed_array(interp, model.fed),
            structure=structure,
            tangled=tangled,
            values=values,
            variants=tuple(variants),
            input_keys=model.input_keys,
            output_keys=model.output_keys,
        )

    def given(self, model: ModelState) -> dict[str, Value]:
        """What the function that builds a model was called with; else its lasting variables."""
        if self.home_class is None:
            return lasting(self.interp, model.frame) if model.frame.id else {}
        call = next((c for c in self.interp.invocations if c.frame == model.frame.id), None)
        names = call.given if call is not None else {}
        return {name: settled(self.interp, value) for name, value in names.items()}

    def structure(self) -> tuple[Structure | None, str | None]:
        """The structure of a functional model, or why it is not kept."""
        if self.first.kind != "functional" or self.first.network is not None:
            return None, None
        whole = self.home_class is not None
        try:
            return self.structures.of_model(self.first, self.home_body(), whole), None
        except Tangled as error:
            return None, str(error)

    def plain_home(self) -> Home | None:
        scope = self.home.scope
        if isinstance(scope, ast.FunctionDef):
            span = self.interp.spans.of(scope)
            return Home(scope.name, span, span, becomes_class=False)
        return None

    def signature(self) -> tuple[tuple[Parameter, ...], tuple[str, ...]]:
        """Constructor parameters; of a class that is not a function's, with what to pass."""
        scope = self.home.scope
        if self.home_class is not None and isinstance(scope, ast.FunctionDef):
            return tuple(parameters(self.interp, scope)), ()
        return tuple(Parameter(n) for n in self.scope.used), tuple(self.scope.used.values())
