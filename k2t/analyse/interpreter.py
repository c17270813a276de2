"""Abstract interpretation of a script: its statements, followed without running anything."""

from __future__ import annotations

import ast
from typing import TYPE_CHECKING, Any

from k2t.analyse import arrays, calls, decorated, expressions, imports
from k2t.analyse.state import (
    Content,
    Custom,
    Event,
    Frame,
    GraphNode,
    Invocation,
    ModelState,
    Pass,
    Snapshot,
)
from k2t.ir.source import Source, Span
from k2t.ir.values import (
    NONE,
    UNKNOWN,
    Array,
    Const,
    Function,
    Instance,
    ListRef,
    NameUse,
    Obj,
    Shape,
    Sym,
    Tensor,
    Tuple,
    Unknown,
    Value,
)
from k2t.parse.script import Spans
from k2t.table import Table

if TYPE_CHECKING:
    from k2t.analyse.keras import Keras

MAX_STEPS = 100_000

Completion = tuple[str, Value] | None


class Interpreter:
    """Walks a script and collects the events of its training program.

    ``keras`` answers for everything whose name is Keras's; see ``analyse/keras.py``.
    """

    def __init__(self, source: Source, tree: ast.Module, table: Table, dialect: str) -> None:
        self.source = source
        self.tree = tree
        self.table = table
        self.dialect = dialect
        self.spans = Spans(source)
        self.module = Frame(0, None)
        self.frames: dict[int, Frame] = {0: self.module}
        self.heap: dict[int, Content] = {}
        self.attributes: dict[int, dict[str, Value]] = {}
        self.definitions: list[tuple[ast.AST, Frame]] = []
        self.called: set[int] = set()
        self.graph: dict[int, GraphNode] = {}
        self.models: dict[int, ModelState] = {}
        self.customs: dict[int, Custom] = {}
        self.constructors: dict[int, tuple[ast.Call, ast.stmt, Frame]] = {}
        self.wrapped: dict[int, int] = {}
        self.passes: list[Pass] = []
        self.comprehended: dict[int, ast.expr] = {}  # by frame, what its rounds make
        self.starts: dict[int, int] = {}
        self.tails: dict[int, str] = {}
        self.chains: dict[int, ModelState] = {}
        self.bodies: dict[int, list[tuple[Obj, Shape | None, Shape | None]]] = {}
        self.events: list[Event] = []
        self.invocations: list[Invocation] = []
        self.truths: dict[int, bool | None] = {}
        self.ghosts: list[tuple[int, tuple[Any, ...]]] = []
        self.closures: dict[int, tuple[NameUse, ...]] = {}
        self.loads: dict[int, tuple[ast.Name, ast.stmt, Value]] = {}
        self.stmt: ast.stmt = ast.Pass(lineno=1, col_offset=0, end_lineno=1, end_col_offset=0)
        self.iteration: tuple[int, ...] = ()
        self.hypothetical = 0
        self.guesses = 0
        self.unsure = 0
        self.depth = 0
        self.steps = 0
        self.counter = 0
        self.raised: ast.Raise | None = None
        self.keras: Keras

    # ------------------------------------------------------------------ whole script

    def run(self) -> None:
        """Interpret the module, then every function that nothing called."""
        left = self.block(self.tree.body, self.module) or ("", NONE)
        ended = self.raised if left[0] == "raise" else None
        self.keras.complete()
        for node, frame in list(self.definitions):
            for item in node.body if isinstance(node, ast.ClassDef) else ():
                if isinstance(item, ast.FunctionDef):
                    self.function(item, frame)
        for index, (node, _) in enumerate(list(self.definitions)):
            if index not in self.called and isinstance(node, ast.FunctionDef | ast.Lambda):
                calls.call_alone(self, index)
        self.raised = ended  # a function that nothing called ends nothing

    def fresh(self) -> int:
        self.counter += 1
        return self.counter

    def event(self, kind: str, node: ast.AST, frame: Frame, **data: Any) -> None:
        self.events.append(
            Event(kind, node, self.stmt, frame.id, data, hypothetical=self.hypothetical)
        )

    def unsupported(self, what: str, node: ast.AST, frame: Frame) -> Unknown:
        """Record something of Keras that has no rule; what comes of it is unknown."""
        self.event("unsupported", node, frame, what=what)
        return Unknown(what)

    def eval(self, node: ast.expr, frame: Frame) -> Value:
        return expressions.evaluate(self, node, frame)

    def written(self, node: ast.expr, frame: Frame) -> Value:
        """The value of an expression; where nothing is known of it, how it is written."""
        value = self.eval(node, frame)
        if value == UNKNOWN:
            expr = expressions.expr_of(self, node, frame)
            return Sym(expr) if expr is not None else value
        return value

    def elements(self, nodes: list[ast.expr], frame: Frame) -> list[Value]:
        values: list[Value] = []
        for node in nodes:
            value = self.written(node, frame)
            if isinstance(node, ast.Starred):
                values.extend(self.items(value) or [UNKNOWN])
            else:
                values.append(value)
        return values

    def span(self, node: ast.AST) -> Span:
        return self.spans.of(node)

    # ------------------------------------------------------------------ statements

    def block(self, body: list[ast.stmt], frame: Frame) -> Completion:
        for stmt in body:
            self.steps += 1
            if self.steps > MAX_STEPS:
                return None
            outer, self.stmt = self.stmt, stmt
            try:
                completion = self.statement(stmt, frame)
            finally:
                self.stmt = outer
            if completion:
                return completion
        return None

    def statement(self, stmt: ast.stmt, frame: Frame) -> Completion:
        match stmt:
            case ast.Expr(value=value):
                self.eval(value, frame)
            case ast.Assign(targets=targets, value=value):
                result = self.eval(value, frame)
                for target in targets:
                    self.bind(target, result, frame)
            case ast.AnnAssign(target=target, value=value):
                if value is not None:
                    self.bind(target, self.eval(value, frame), frame)
            case ast.AugAssign(target=target, op=op, value=value):
                old = self.eval(target, frame)
                new = expressions.binary(self, op, old, self.eval(value, frame), stmt, frame)
                self.bind(target, new, frame)
                if isinstance(new, Tensor):
                    self.event("in_place", stmt, frame, old=old, new=new, name=ast.unparse(target))
            case ast.Return(value=value):
                return "return", self.eval(value, frame) if value else NONE
            case ast.If():
                return self.branch(stmt, frame)
            case ast.For() | ast.AsyncFor():
                return self.loop(stmt, frame)
            case ast.While(test=test, body=body, orelse=orelse):
                self.eval(test, frame)
                completion = self.block(body, frame)
                self.forget(body, frame)
                self.block(orelse, frame)
                return completion if completion and completion[0] == "return" else None
            case ast.With(items=items, body=body) | ast.AsyncWith(items=items, body=body):
                for item in items:
                    value_ = self.eval(item.context_expr, frame)
                    if item.optional_vars is not None:
                        self.bind(item.optional_vars, value_, frame)
                return self.block(body, frame)
            case ast.Try(body=body, handlers=handlers, orelse=orelse, finalbody=final):
                self.guesses += 1
                completion = self.block(body, frame)
                for handler in handlers:
                    self.block(handler.body, frame)
                return completion or self.block(orelse, frame) or self.block(final, frame)
            case ast.FunctionDef() | ast.AsyncFunctionDef():
                self.define(stmt, frame)
            case ast.ClassDef():
                self.keras.define_class(stmt, frame)
            case ast.Import() | ast.ImportFrom():
                imports.bind(self, stmt, frame)
            case ast.Break():
                return "break", NONE
            case ast.Continue():
                return "continue", NONE
            case ast.Raise(exc=exc):
                self.raised = stmt
                if exc is not None:
                    self.eval(exc, frame)
                return "raise", NONE
            case ast.Assert(test=test):
                self.eval(test, frame)
            case ast.Global(names=shared):
                for name in shared:
                    if name in self.module.names:
                        frame.names[name] = self.module.names[name]
            case ast.Delete(targets=targets):
                for target in targets:
                    if isinstance(target, ast.Name):
                        frame.names.pop(target.id, None)
        return None

    def define(self, stmt: ast.FunctionDef | ast.AsyncFunctionDef, frame: Frame) -> None:
        for decorator in stmt.decorator_list:
            decorated.evaluate(self, decorator, frame)
        for default in [*stmt.args.defaults, *stmt.args.kw_defaults]:
            if default is not None:
                self.eval(default, frame)
        frame.bind(stmt.name, self.function(stmt, frame))

    def function(self, node: ast.AST, frame: Frame) -> Function:
        for index, (defined, home) in enumerate(self.definitions):
            if defined is node and home.id == frame.id:
                return Function(index)
        self.definitions.append((node, frame))
        return Function(len(self.definitions) - 1)

    def bind(self, target: ast.expr, value: Value, frame: Frame) -> None:
        match target:
            case ast.Name(id=name):
                frame.bind(name, value)
                self.keras.bound(name, value)
            case ast.Tuple(elts=elts) | ast.List(elts=elts):
                values = self.unpack(value, len(elts))
                for element, item in zip(elts, values, strict=True):
                    self.bind(element, item, frame)
            case ast.Starred(value=inner):
                self.bind(inner, UNKNOWN, frame)
            case ast.Attribute(value=owner, attr=attr):
                receiver = self.eval(owner, frame)
                if isinstance(receiver, Instance):
                    self.attributes.setdefault(receiver.id, {})[attr] = value
                    self.keras.held(target, value)
                else:
                    self.keras.assign(receiver, target, value, frame)
            case ast.Subscript(value=owner, slice=index):
                receiver = self.eval(owner, frame)
                key = self.eval(index, frame)
                if isinstance(receiver, ListRef) and isinstance(key, Const):
                    items = self.heap[receiver.id]
                    if isinstance(items, dict):
                        self.heap[receiver.id] = {**items, key.value: value}
                    else:
                        self.heap[receiver.id] = tuple(UNKNOWN for _ in items)

    def unpack(self, value: Value, count: int) -> list[Value]:
        items = self.items(value)
        if items is not None and len(items) == count:
            return items
        if isinstance(value, Array) and value.shape:
            return [Array(value.shape[1:], value.dtype)] * count
        return [value if isinstance(value, Unknown) else UNKNOWN] * count

    def items(self, value: Value) -> list[Value] | None:
        """The elements of a sequence, if they are known."""
        if isinstance(value, Tuple):
            return list(value.items)
        if isinstance(value, ListRef):
            content = self.heap.get(value.id)  # None: made in a branch that was not taken
            if isinstance(content, dict):
                return [Const(key) for key in content]
            return list(content) if content is not None else None
        return None

    def new_list(self, items: Content, kind: str = "list") -> ListRef:
        ref = ListRef(self.fresh(), kind)
        self.heap[ref.id] = items
        return ref

    # ------------------------------------------------------------------ control flow

    def snapshot(self, frame: Frame) -> Snapshot:
        return Snapshot(
            dict(frame.names),
            dict(frame.versions),
            dict(self.heap),
            {id_: dict(stored) for id_, stored in self.attributes.items()},
            {id_: model.added for id_, model in self.models.items()},
        )

    def restore(self, frame: Frame, state: Snapshot) -> None:
        frame.names, frame.versions = dict(state.names), dict(state.versions)
        self.heap = dict(state.heap)
        self.attributes = {id_: dict(stored) for id_, stored in state.attributes.items()}
        for id_, added in state.added.items():
            self.models[id_].added = added

    def branch(self, stmt: ast.If, frame: Frame) -> Completion:
        test = self.eval(stmt.test, frame)
        truth = self.truth(test)
        self.truths[id(stmt)] = truth
        if truth is not None and self.keras.mentions(stmt.test, frame):
            self.event("static_if", stmt, frame, taken=truth)
            return self.block(stmt.body if truth else stmt.orelse, frame)
        if truth is not None:
            taken, other = (stmt.body, stmt.orelse) if truth else (stmt.orelse, stmt.body)
            state = self.snapshot(frame)
            self.hypothetical += 1
            self.block(other, frame)
            self.hypothetical -= 1
            self.restore(frame, state)
            return self.block(taken, frame)
        self.guesses += not self.keras.is_phase(test)
        self.unsure += 1
        before = self.snapshot(frame)
        one = self.block(stmt.orelse, frame)
        after_else = self.snapshot(frame)
        self.restore(frame, before)
        other_ = self.block(stmt.body, frame)
        self.unsure -= 1
        self.merge(frame, after_else, one, other_)
        return one if one and other_ else None

    def merge(self, frame: Frame, state: Snapshot, one: Completion, other: Completion) -> None:
        """Join the variables of two branches; a branch that left the block does not count."""
        if other:
            self.restore(frame, state)
            return
        if one:
            return
        for name, value in state.names.items():
            mine = frame.names.get(name)
            if mine is None:
                frame.bind(name, value)
            elif mine != value:
                frame.bind(name, self.keras.either(mine, value) or arrays.join(mine, value))

    def truth(self, value: Value) -> bool | None:
        if isinstance(value, Const | Tuple):
            return bool(value.value if isinstance(value, Const) else value.items)
        return None

    def loop(self, stmt: ast.For | ast.AsyncFor, frame: Frame) -> Completion:
        iterable = self.eval(stmt.iter, frame)
        items = self.items(iterable)
        partial = items is None or len(items) > expressions.MAX_ITERATIONS
        if items is None or partial:
            element = items[0] if items else arrays.element(iterable)
            if items is None and isinstance(element, Unknown) and expressions.is_range(stmt.iter):
                element = Sym(type="int")
            items = [element]
        outer, first = self.iteration, self.counter
        for number, item in enumerate(items):
            self.iteration, start = (*outer, number), self.counter
            self.bind(stmt.target, item, frame)
            self.unsure += partial
            completion = self.block(stmt.body, frame)
            self.unsure -= partial
            self.passes.append(Pass(id(stmt), first, number, item, start, self.counter))
            if completion and completion[0] in ("return", "break"):
                self.iteration = outer
                if completion[0] == "return":
                    return completion if not partial else None
                break
        self.iteration = outer
        if partial:
            self.forget(stmt.body, frame)
        self.block(stmt.orelse, frame)
        return None

    def forget(self, body: list[ast.stmt], frame: Frame) -> None:
        """After a loop of unknown length, what it assigned is no longer known."""
        self.guesses += 1
        for stmt in body:
            for node in ast.walk(stmt):
                if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store):
                    value = frame.names.get(node.id)
                    if isinstance(value, Const | Tensor):
                        lost = Unknown("a tensor from a loop of unknown length")
                        frame.bind(node.id, Sym() if isinstance(value, Const) else lost)
