"""From the text of a function and what was seen of it to its structure: steps about tensors."""

from __future__ import annotations

import ast
from collections.abc import Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass, field, replace

from k2t.analyse import attention
from k2t.analyse.computed import computed, computes
from k2t.analyse.interpreter import Interpreter
from k2t.analyse.loops import stored
from k2t.analyse.sources import all_comments, comments_above, is_docstring
from k2t.analyse.trace import Local, Tangled, Trace, appended, bare, children, joined, shaped
from k2t.ir.nodes import Node
from k2t.ir.source import Span
from k2t.ir.structure import (
    Append,
    Flow,
    Hold,
    Invoke,
    Keep,
    Lane,
    Let,
    Many,
    Operator,
    Repeat,
    Return,
    Site,
    Step,
    Taken,
    Text,
    Use,
    Var,
    When,
    Width,
)
from k2t.ir.values import Obj, Shape, Tuple

SYMBOLS: dict[type[ast.AST], str] = {
    ast.Add: " + ",
    ast.Sub: " - ",
    ast.Mult: " * ",
    ast.Div: " / ",
    ast.USub: "-",
}


@dataclass
class Reader:
    """Reads the statements of one function (or of the place where a model is put together)."""

    interp: Interpreter
    trace: Trace
    local: Local
    static: Mapping[int, bool]
    tensors: set[str]
    held: set[str]
    outputs: ast.expr | None = None
    model: ast.Call | None = None
    sites: dict[int, Site] = field(default_factory=dict)
    functions: dict[int, None] = field(default_factory=dict)

    # ------------------------------------------------------------------ statements

    def steps(self, body: list[ast.stmt], inside: bool = True) -> tuple[Step, ...]:
        """The steps of a statement list; ``inside``: statements about configuration move along."""
        return tuple(step for stmt in body for step in self.step(stmt, inside))

    def step(self, stmt: ast.stmt, inside: bool) -> Iterator[Step]:
        comments = comments_above(self.interp, stmt)
        if is_docstring(stmt) or isinstance(stmt, ast.Pass) or self.spent(stmt):
            return
        if not inside and isinstance(stmt, ast.FunctionDef | ast.ClassDef):
            return
        if id(stmt) in self.static and isinstance(stmt, ast.If):
            yield from self.steps(stmt.body if self.static[id(stmt)] else stmt.orelse, inside)
        elif self.model is not None and self.model in ast.walk(stmt):
            yield from self.end()
        elif not self.touches(stmt):
            if inside and not isinstance(stmt, ast.Return):
                stored_ = frozenset(stored(stmt))
                yield Keep(self.text(stmt), stored_, comments)
        else:
            yield from self.flow_step(stmt, all_comments(self.interp, stmt))

    def flow_step(self, stmt: ast.stmt, comments: tuple[str, ...]) -> Iterator[Step]:
        listed = appended(stmt)
        match stmt:
            case ast.Assign(targets=[ast.Name(id=name)], value=value):
                if name in self.held and not self.applied(value):
                    yield Hold(self.hold(name, value), comments)
                else:
                    yield Let((name,), self.flow(value), comments)
            case ast.Assign(targets=[ast.Tuple(elts=elts)], value=ast.Call() as call):
                names = tuple(e.id for e in elts if isinstance(e, ast.Name))
                if len(names) != len(elts) or id(call) not in self.trace.calls:
                    raise Tangled("several variables are bound at once")
                yield Let(names, self.flow(call), comments)
            case ast.Assign(targets=[ast.Tuple(elts=elts)], value=ast.Tuple(elts=values)):
                yield from self.pairs(elts, values, comments)
            case ast.AugAssign(target=ast.Name(id=name), op=op, value=value):
                both = (self.operand(stmt.target), self.operand(value))
                yield Let((name,), Operator(self.symbol(op), both), comments)
            case ast.Expr() if listed is not None:
                yield Append(listed[0], self.flow(listed[1]), comments)
            case ast.If(test=test, body=body, orelse=orelse):
                if self.touches(test):
                    raise Tangled("a condition asks for a tensor")
                above = comments_above(self.interp, stmt)
                line = self.end_of_line(test)
                yield When(self.text(test), self.steps(body), self.steps(orelse), (*above, *line))
            case ast.For(orelse=[]):
                yield self.loop(stmt)
            case ast.Return(value=ast.Tuple(elts=elts)):
                yield Return(tuple(self.flow(e) for e in elts), comments)
            case ast.Return(value=value) if value is not None:
                yield Return((self.flow(value),), comments)
            case _:
                raise Tangled(f"a statement about tensors: {type(stmt).__name__}")

    def pairs(
        self, targets: list[ast.expr], values: list[ast.expr], comments: tuple[str, ...]
    ) -> Iterator[Step]:
        """``a, b = f(x), g(x)``, one after the other."""
        names = [one.id for one in targets if isinstance(one, ast.Name)]
        for number, value in enumerate(values):
            read = {n.id for n in ast.walk(value) if isinstance(n, ast.Name)}
            if len(names) != len(values) or read & set(names[:number]) or not self.touches(value):
                raise Tangled("several variables are bound at once")
            yield Let((names[number],), self.flow(value), () if number else comments)

    def end(self) -> Iterator[Step]:
        assert self.outputs is not None
        many = isinstance(self.outputs, ast.List | ast.Tuple)
        elements = self.outputs.elts if many else [self.outputs]  # type: ignore[attr-defined]
        yield Return(tuple(self.flow(e) for e in elements))

    def spent(self, stmt: ast.stmt) -> bool:
        """Whether a statement only makes a Keras object, an input or an empty list of tensors."""
        bound = self.trace.bound.get(id(stmt), ())
        if isinstance(stmt, ast.Assign) and bound:
            names = {name for name, _ in bound}
            if not names & (self.tensors | self.held):
                return True
            if isinstance(stmt.value, ast.Call) and any(
                not g.inputs for g in self.trace.seen(stmt.value)
            ):
                return True
        if isinstance(stmt, ast.Expr) and isinstance(stmt.value, ast.Call):
            func = stmt.value.func
            return isinstance(func, ast.Attribute) and func.attr in ("compile", "summary")
        return False

    def loop(self, stmt: ast.For) -> Repeat:
        if any(isinstance(n, ast.Break | ast.Continue) for n in ast.walk(stmt)):
            raise Tangled("a loop around layers that is left early")
        zipped = zip_arguments(stmt.iter)
        sources = zipped if zipped is not None else [stmt.iter]
        targets: list[ast.expr] = [stmt.target]
        if zipped is not None:
            if not isinstance(stmt.target, ast.Tuple) or len(stmt.target.elts) != len(sources):
                raise Tangled("a loop over a zip")
            targets = stmt.target.elts
        lanes = tuple(self.lane(t, s) for t, s in zip(targets, sources, strict=True))
        assigned = stored(stmt) - self.tensors - self.held
        body = self.steps(stmt.body)
        line = self.end_of_line(stmt.iter)
        above = comments_above(self.interp, stmt)
        return Repeat(lanes, zipped is not None, body, frozenset(assigned), (*above, *line))

    def lane(self, target: ast.expr, source: ast.expr) -> Lane:
        backwards = False
        inner = source
        if (
            isinstance(source, ast.Call)
            and isinstance(source.func, ast.Name)
            and source.func.id == "reversed"
        ):
            inner, backwards = source.args[0], True
        if isinstance(inner, ast.Subscript) and ast.unparse(inner.slice) == "::-1":
            inner, backwards = inner.value, not backwards
        if isinstance(inner, ast.Name) and inner.id in self.tensors:
            if not isinstance(target, ast.Name):
                raise Tangled("a loop over a list of tensors")
            return Lane((), (), inner.id, target.id, backwards)
        if self.touches(source):
            raise Tangled("a loop over tensors")
        return Lane(self.text(target), self.text(source))

    def end_of_line(self, node: ast.AST) -> tuple[str, ...]:
        """The comment behind the header of a block."""
        span = self.interp.spans.of(node)
        end = self.interp.source.text.find("\n", span.end)
        return tuple(c.text for c in self.interp.source.comments if span.end <= c.span.start < end)

    # ------------------------------------------------------------------ expressions

    def touches(self, node: ast.AST) -> bool:
        """Whether a piece of code deals with tensors or layers."""
        return any(
            (isinstance(n, ast.Name) and n.id in (self.tensors | self.held))
            or id(n) in self.trace.applied
            or id(n) in self.trace.calls
            for n in children(node)
        )

    def applied(self, node: ast.expr) -> bool:
        return id(node) in self.trace.applied or id(node) in self.trace.calls

    def symbol(self, op: ast.AST) -> str:
        if type(op) not in SYMBOLS:
            raise Tangled("an operator on tensors")
        return SYMBOLS[type(op)]

    def operand(self, node: ast.expr) -> Flow | Text:
        return self.flow(node) if self.touches(node) else self.text(node)

    def flow(self, node: ast.expr) -> Flow:
        match node:
            case ast.Name(id=name) if name in self.tensors:
                return Var(name)
            case ast.List(elts=elts) | ast.Tuple(elts=elts):
                return Many(tuple(self.flow(e) for e in elts))
            case ast.expr() if computes(self.trace, node):
                return computed(self, node)
            case ast.BinOp(left=left, op=op, right=right):
                return Operator(self.symbol(op), (self.operand(left), self.operand(right)))
            case ast.UnaryOp(op=ast.USub(), operand=inner):
                return Operator("-", (self.flow(inner),))
            case ast.Subscript(value=ast.Name(id=name), slice=index) if name in self.tensors:
                return Taken(name, self.text(index))
            case ast.Call(func=ast.Attribute(value=ast.Name(id=name), attr="pop"), args=[]) if (
                name in self.tensors
            ):
                return Taken(name)
            case ast.Call() if id(node) in self.trace.calls:
                return self.invoke(node)
            case ast.Call() if id(node) in self.trace.applied:
                return self.use(node)
        raise Tangled(f"an expression of tensors: {ast.unparse(node)[:60]}")

    def use(self, node: ast.Call) -> Use:
        seen = self.trace.seen(node)
        if any(g.layer is None for g in seen):
            raise Tangled("an input inside a function or a loop")
        if not node.args and not node.keywords:
            raise Tangled("a layer called without a tensor")
        inputs = node.args[0] if node.args else node.keywords[0].value
        shapes: tuple[Shape | None, ...] = tuple(
            joined([bare(self.interp.graph[g.inputs[i]].shape) for g in seen])
            for i in range(len(seen[0].inputs))
        )
        if len({len(g.inputs) for g in seen}) > 1:
            shapes = ()
        nodes = tuple(self.local.node(g, shapes) for g in seen)
        outs = joined([n.shape for n in nodes])
        nodes = tuple(replace(n, shape=outs) for n in nodes)
        many = isinstance(inputs, ast.List | ast.Tuple)
        flows = (
            tuple(self.flow(e) for e in inputs.elts)  # type: ignore[attr-defined]
            if many
            else (self.flow(inputs),)
        )
        if nodes[0].layer is not None and nodes[0].layer.row in attention.ROWS:
            flows = tuple(self.flow(e) for e in attention.given(nodes[0].layer.row, node))
        if isinstance(node.func, ast.Name) and node.func.id in self.held:
            site = self.held_site(nodes, node.func.id)
            return Use(site, flows, nodes)
        layer = nodes[0].layer
        assert layer is not None
        if layer.span not in self.interp.spans.of(node):
            raise Tangled("a layer made elsewhere")
        return Use(Site(layer.span, nodes), flows, nodes, self.told(node.func, layer))

    def told(self, made: ast.expr, layer: Obj) -> tuple[tuple[str, Text], ...]:
        """The arguments of a layer that ask for the widths of tensors, and for nothing else."""
        found = []
        for name, arg in layer.args.items():
            for child in ast.walk(made):
                if isinstance(child, ast.expr) and self.interp.spans.of(child) == arg.span:
                    with suppress(Tangled):
                        text = self.text(child)
                        found += [(name, text)] if any(isinstance(p, Width) for p in text) else []
                    break
        return tuple(found)

    def held_site(self, nodes: tuple[Node, ...], name: str) -> Site:
        spans = {n.layer.span for n in nodes if n.layer is not None}
        if len(spans) != 1:
            raise Tangled("a variable that holds several layers")
        return Site(spans.pop(), nodes, name)

    def hold(self, name: str, value: ast.expr) -> Site:
        if id(value) not in self.trace.layers:
            raise Tangled("a variable that holds a layer made elsewhere")
        return Site(self.interp.spans.of(value), (), name)

    def invoke(self, node: ast.Call) -> Invoke:
        index = self.trace.invocations(node)[0].function
        if len({c.function for c in self.trace.calls[id(node)]}) > 1:
            raise Tangled("a variable that holds several functions")
        definition = self.interp.definitions[index][0]
        if not isinstance(definition, ast.FunctionDef):
            raise Tangled("layers applied in a lambda")
        self.functions[index] = None
        spec = definition.args
        names = [a.arg for a in [*spec.posonlyargs, *spec.args]]
        given = self.trace.invocations(node)
        inputs: list[tuple[str, Flow]] = []
        arguments: list[tuple[str | None, str, Text]] = []
        pairs: list[tuple[str | None, str, ast.expr]] = []
        for position, value in enumerate(node.args):
            if isinstance(value, ast.Starred) or position >= len(names):
                raise Tangled("arguments given as *")
            pairs.append((None, names[position], value))
        for keyword in node.keywords:
            if keyword.arg is None:
                raise Tangled("arguments given as **")
            pairs.append((keyword.arg, keyword.arg, keyword.value))
        for key, name, value in pairs:
            if any(self.trace.tensors(c.given.get(name, Tuple(()))) for c in given):
                inputs.append((name, self.flow(value)))
            elif self.touches(value):
                raise Tangled("a layer handed to a function")
            else:
                arguments.append((key, name, self.text(value)))
        return Invoke(definition.name, tuple(inputs), tuple(arguments))

    def text(self, node: ast.AST) -> Text:
        """The source of a piece of configuration, widths of tensors cut out."""
        whole = self.interp.spans.of(node)
        parts: list[str | Span | Width] = []
        position = whole.start
        for found, name in self.widths(node):
            span = self.interp.spans.of(found)
            parts += [Span(position, span.start), Width(name)]
            position = span.end
        parts.append(Span(position, whole.end))
        return tuple(p for p in parts if not isinstance(p, Span) or p.start < p.end)

    def widths(self, node: ast.AST) -> list[tuple[ast.Subscript, str]]:
        """Where the last axis of a tensor is asked for, and of which."""
        found = []
        for child in ast.walk(node):
            name = self.whose(child.value) if isinstance(child, ast.Subscript) else None
            if name is None:
                continue
            assert isinstance(child, ast.Subscript)
            if ast.unparse(child.slice) not in ("-1", "3"):
                raise Tangled("a configuration that asks for the size of a tensor")
            found.append((child, name))
        if len(found) != sum(self.whose(n) is not None for n in ast.walk(node)):
            raise Tangled("a configuration that asks for the shape of a tensor")
        return sorted(found, key=lambda pair: self.interp.spans.of(pair[0]).start)

    def whose(self, node: ast.AST) -> str | None:
        """The tensor whose shape an expression is."""
        one = shaped(node)
        return one.id if isinstance(one, ast.Name) and one.id in self.tensors else None


def zip_arguments(node: ast.expr) -> list[ast.expr] | None:
    if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == "zip":
        return list(node.args)
    return None


def argument(node: ast.Call, name: str, position: int) -> ast.expr | None:
    for keyword in node.keywords:
        if keyword.arg in (name, name.rstrip("s")):
            return keyword.value
    return node.args[position] if len(node.args) > position else None
