"""The statements of a script: how they nest, and which of them a migration takes out."""

from __future__ import annotations

import ast
from collections.abc import Iterator

from k2t.analyse import trainable
from k2t.analyse.interpreter import Interpreter
from k2t.analyse.sources import comments_above
from k2t.analyse.state import statements
from k2t.analyse.trace import appended
from k2t.ir.source import Span
from k2t.ir.values import ListRef, Obj, Ref, Tensor, Tuple


class Layout:
    """Where statements stand, and which go.

    ``static`` has the outcome of every ``if`` that is decided, ``consumed`` the statements whose
    meaning moves into a class (both by ``id`` of the statement), ``spent`` the functions.
    """

    def __init__(self, interp: Interpreter) -> None:
        self.interp = interp
        self.spans = interp.spans
        self.parents: dict[int, ast.AST] = {
            id(child): node
            for node in ast.walk(interp.tree)
            for child in ast.iter_child_nodes(node)
        }
        self.static = {id(e.node): bool(e["taken"]) for e in interp.events if e.kind == "static_if"}
        self.lambdas = {
            id(e.node) for e in interp.events if e.kind == "layer" and e["obj"].row == "Lambda"
        }
        self.consumed = self.consumed_statements()
        self.spent = self.spent_functions()

    def consumed_statements(self) -> set[int]:
        """Statements (by id) whose meaning moves into a class, with their block structure."""
        consumed: set[int] = set()
        for event in self.interp.events:
            stmt = event.stmt
            bound = event.data.get("value")
            if isinstance(bound, Obj) and bound.id in self.interp.wrapped:
                continue  # a model: it stays in its variable
            if event.kind == "bind" and isinstance(
                stmt, ast.Assign | ast.AugAssign | ast.AnnAssign
            ):
                consumed.add(id(stmt))
            alone = isinstance(stmt, ast.Expr) and event.kind in ("add", "compile", "add_loss")
            bound = isinstance(stmt, ast.Assign | ast.AnnAssign) and event.kind == "model"
            if (alone or bound) and getattr(stmt, "value", None) is event.node:
                consumed.add(id(stmt))
            if event.kind == "handed" and event["spent"] is not None:
                consumed.add(id(event["spent"]))
            if event.kind == "trainable" and trainable.spent(self.interp, event):
                consumed.add(id(stmt))
        consumed |= self.filled_lists()
        for stmt in reversed(list(statements(self.interp.tree.body))):
            if isinstance(stmt, ast.For | ast.If) and id(stmt) not in self.static:
                inner = [*stmt.body, *stmt.orelse]
                if all(id(s) in consumed for s in inner):
                    consumed.add(id(stmt))
        return consumed | {id(stmt) for stmt in self.aliases(consumed)}

    def aliases(self, consumed: set[int]) -> Iterator[ast.Assign]:
        """``RNN = layers.LSTM`` where the name is only called, in statements that go, or is the
        base of a class."""
        names = {id(node): value for node, _, value in self.interp.loads.values()}
        for stmt in statements(self.interp.tree.body):
            match stmt:
                case ast.Assign(targets=[ast.Name(id=name)], value=ast.Attribute() as path):
                    ref = names.get(id(root(path)))
                    if not isinstance(ref, Ref):
                        continue
                    loads = self.loads(name)
                    calls = [self.parents.get(id(node)) for node in loads]
                    if loads and all(
                        isinstance(call, ast.ClassDef)
                        or (
                            isinstance(call, ast.Call)
                            and call.func is node
                            and id(self.statement(call)) in consumed
                        )
                        for node, call in zip(loads, calls, strict=True)
                    ):
                        yield stmt

    def loads(self, name: str) -> list[ast.Name]:
        return [
            node
            for node in ast.walk(self.interp.tree)
            if isinstance(node, ast.Name) and node.id == name and isinstance(node.ctx, ast.Load)
        ]

    def places(self, name: str) -> tuple[Span, ...]:
        """Where a variable is read."""
        return tuple(self.spans.of(node) for node in self.loads(name))

    def statement(self, node: ast.AST) -> ast.AST:
        """The innermost statement around an expression."""
        while not isinstance(node, ast.stmt) and id(node) in self.parents:
            node = self.parents[id(node)]
        return node

    def filled_lists(self) -> set[int]:
        """Statements that make lists of tensors and append to them."""
        tensors = {
            e["name"]
            for e in self.interp.events
            if e.kind == "bind" and isinstance(e["value"], Tensor)
        }
        found: set[int] = set()
        lists: set[str] = set()
        for stmt in statements(self.interp.tree.body):
            pair = appended(stmt)
            if pair is not None and isinstance(pair[1], ast.Name) and pair[1].id in tensors:
                found.add(id(stmt))
                lists.add(pair[0])
        for stmt in statements(self.interp.tree.body):
            match stmt:
                case ast.Assign(targets=[ast.Name(id=name)], value=ast.List(elts=[])):
                    if name in lists:
                        found.add(id(stmt))
        return found

    def spent_functions(self) -> list[ast.FunctionDef]:
        """Helper functions that only apply layers, and are called from consumed code only."""
        spent = []
        for stmt in self.interp.tree.body:
            if not isinstance(stmt, ast.FunctionDef):
                continue
            inner = list(statements(stmt.body))
            if self.only_declares(stmt):
                spent.append(stmt)
                continue
            tensors = [e for e in self.interp.events if e.kind == "apply" and e.stmt in inner]
            if not tensors or not self.only_called(stmt) or self.called_on_numbers(stmt):
                continue
            if any(
                e.kind in ("model", "fit", "compile", "unsupported") and e.stmt in inner
                for e in self.interp.events
            ):
                continue
            spent.append(stmt)
        return spent

    def with_comments(self, stmt: ast.stmt) -> Span:
        """The span of a statement from the first comment line directly above it."""
        span = self.spans.of(stmt)
        lines = len(comments_above(self.interp, stmt))
        if not lines:
            return span
        first = self.interp.source.line_of(span.start) - lines
        line = self.interp.source.line_starts[first - 1]
        text = self.interp.source.text
        indent = len(text[line:]) - len(text[line:].lstrip())
        return Span(line + indent, span.end)

    def removed(self) -> tuple[Span, ...]:
        spans = [
            self.with_comments(s)
            for s in statements(self.interp.tree.body)
            if id(s) in self.consumed
        ]
        spans += [self.with_comments(s) for s in self.spent]
        return tuple(spans)

    def outermost(self, stmt: ast.stmt, beside: ast.stmt) -> ast.stmt:
        """The ancestor of a statement that stands in the same block as another."""
        home = self.parents.get(id(beside))
        current: ast.AST = stmt
        while self.parents.get(id(current)) is not home and id(current) in self.parents:
            current = self.parents[id(current)]
        return current if isinstance(current, ast.stmt) else stmt

    def top_level(self, stmt: ast.stmt) -> ast.stmt:
        return self.outermost(stmt, self.interp.tree.body[0])

    def only_called(self, scope: ast.FunctionDef) -> bool:
        """Whether every use of a function's name is a call of it."""
        loads = self.loads(scope.name)
        calls = [self.parents.get(id(n)) for n in loads]
        return all(
            isinstance(c, ast.Call) and (c.func is n or id(c) in self.lambdas)
            for n, c in zip(loads, calls, strict=True)
        )

    def called_on_numbers(self, scope: ast.FunctionDef) -> bool:
        """Whether the function of a Lambda is also called on something that is no tensor."""
        return any(
            self.interp.definitions[call.function][0] is scope
            and not any(isinstance(v, Tensor | ListRef | Tuple) for v in call.given.values())
            for call in self.interp.invocations
        )

    def only_declares(self, scope: ast.FunctionDef) -> bool:
        """Whether a function only tells Lambda layers the shape of their output."""
        loads = self.loads(scope.name)
        keywords = [self.parents.get(id(n)) for n in loads]
        return bool(keywords) and all(
            isinstance(k, ast.keyword)
            and k.arg == "output_shape"
            and id(self.parents.get(id(k))) in self.lambdas
            for k in keywords
        )

    def how(self, node: ast.AST, stmt: ast.stmt) -> str:
        """How the value of a call is consumed: nothing, unpack, index, name, value."""
        parent = self.parents.get(id(node))
        if parent is stmt and isinstance(stmt, ast.Expr):
            return "nothing"
        if isinstance(parent, ast.Assign):
            return "unpack" if isinstance(parent.targets[0], ast.Tuple | ast.List) else "name"
        if isinstance(parent, ast.Subscript):
            return "index"
        if isinstance(parent, ast.Return):
            return "return"
        return "value"

    def scope(self, node: ast.AST) -> Span | None:
        """The function a node stands in."""
        current = self.parents.get(id(node))
        while current is not None and not isinstance(current, ast.FunctionDef):
            current = self.parents.get(id(current))
        return self.spans.of(current) if current is not None else None

    def branch(self, node: ast.AST) -> tuple[Span, Span] | None:
        """The statements of the innermost ``if`` around a node, on its side, and all of it."""
        inner, outer = node, self.parents.get(id(node))
        while outer is not None and not isinstance(outer, ast.FunctionDef):
            if isinstance(outer, ast.If):
                for body in (outer.body, outer.orelse):
                    if any(stmt is inner for stmt in body):
                        side = Span(self.spans.of(body[0]).start, self.spans.of(body[-1]).end)
                        return side, self.spans.of(outer)
            inner, outer = outer, self.parents.get(id(outer))
        return None


def root(path: ast.expr) -> ast.expr:
    """The name that a dotted path begins with."""
    while isinstance(path, ast.Attribute):
        path = path.value
    return path
