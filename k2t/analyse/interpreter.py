"""Abstract interpretation of a script: statements and expressions, without running anything."""

from __future__ import annotations

import ast
import builtins
from collections.abc import Callable
from dataclasses import replace
from typing import Any

from k2t.analyse import arrays, names
from k2t.analyse.state import Event, Frame, GraphNode, ModelState
from k2t.ir.finding import Finding, Severity
from k2t.ir.source import Source, Span
from k2t.ir.values import (
    NONE,
    UNKNOWN,
    Array,
    Bound,
    Class,
    Const,
    Expr,
    Function,
    History,
    Instance,
    ListRef,
    ModelRef,
    Module,
    NameUse,
    Obj,
    Ref,
    Sym,
    Tensor,
    Tuple,
    Unknown,
    Value,
)
from k2t.parse.script import Spans
from k2t.table import Table

MAX_ITERATIONS = 64
MAX_STEPS = 100_000
MAX_DEPTH = 16
PURE = {"len", "int", "float", "max", "min", "round", "abs", "sum", "str", "range", "sorted"}

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
        self.heap: dict[int, Any] = {}
        self.definitions: list[tuple[ast.AST, Frame]] = []
        self.called: set[int] = set()
        self.graph: dict[int, GraphNode] = {}
        self.models: dict[int, ModelState] = {}
        self.events: list[Event] = []
        self.ghosts: list[tuple[int, tuple[Any, ...]]] = []
        self.loads: dict[int, tuple[ast.Name, ast.stmt, Value]] = {}
        self.findings: list[Finding] = []
        self.stmt: ast.stmt = ast.Pass(lineno=1, col_offset=0, end_lineno=1, end_col_offset=0)
        self.iteration: tuple[int, ...] = ()
        self.hypothetical = 0
        self.depth = 0
        self.steps = 0
        self.counter = 0
        self.keras: Any = None

    # ------------------------------------------------------------------ whole script

    def run(self) -> None:
        """Interpret the module, then every function that nothing called."""
        self.block(self.tree.body, self.module)
        for index, (node, frame) in enumerate(list(self.definitions)):
            if isinstance(node, ast.ClassDef):
                for item in node.body:
                    if isinstance(item, ast.FunctionDef):
                        self.function(item, frame)
        for index, (node, frame) in enumerate(list(self.definitions)):
            if index not in self.called and isinstance(node, ast.FunctionDef):
                self.call_function(index, [], {}, frame, uncalled=True)

    def fresh(self) -> int:
        self.counter += 1
        return self.counter

    def event(self, kind: str, node: ast.AST, frame: Frame, **data: Any) -> None:
        self.events.append(
            Event(kind, node, self.stmt, frame.id, data, hypothetical=bool(self.hypothetical))
        )

    def find(self, code: str, severity: Severity, message: str, node: ast.AST) -> None:
        finding = Finding(code, severity, message, self.spans.of(node))
        if finding not in self.findings:
            self.findings.append(finding)

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
                self.bind(target, self.binary(op, old, self.eval(value, frame), stmt, frame), frame)
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
                completion = self.block(body, frame)
                for handler in handlers:
                    self.block(handler.body, frame)
                return completion or self.block(orelse, frame) or self.block(final, frame)
            case ast.FunctionDef() | ast.AsyncFunctionDef():
                self.define(stmt, frame)
            case ast.ClassDef():
                self.keras.define_class(stmt, frame)
            case ast.Import() | ast.ImportFrom():
                self.imports(stmt, frame)
            case ast.Break():
                return "break", NONE
            case ast.Continue():
                return "continue", NONE
            case ast.Raise(exc=exc):
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

    def imports(self, stmt: ast.Import | ast.ImportFrom, frame: Frame) -> None:
        if isinstance(stmt, ast.Import):
            for alias in stmt.names:
                path = alias.name if alias.asname else alias.name.split(".")[0]
                frame.bind(alias.asname or path, self.module_value(path))
            return
        base = "." * stmt.level + (stmt.module or "")
        for alias in stmt.names:
            if alias.name == "*":
                if names.is_foreign(base):
                    self.keras.star_import(base, frame)
                continue
            frame.bind(alias.asname or alias.name, self.module_value(f"{base}.{alias.name}"))

    def module_value(self, path: str) -> Value:
        if names.is_foreign(path):
            return Ref(names.canonical(path))
        return Module(path)

    def define(self, stmt: ast.FunctionDef | ast.AsyncFunctionDef, frame: Frame) -> None:
        for decorator in stmt.decorator_list:
            self.eval(decorator, frame)
        for default in [*stmt.args.defaults, *stmt.args.kw_defaults]:
            if default is not None:
                self.eval(default, frame)
        frame.bind(stmt.name, self.function(stmt, frame))

    def function(self, node: ast.AST, frame: Frame) -> Function:
        for index, (known, home) in enumerate(self.definitions):
            if known is node and home.id == frame.id:
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
                    self.heap.setdefault(("attr", receiver.args), {})[attr] = value
                else:
                    self.keras.set_attribute(receiver, attr, value, target, frame)
            case ast.Subscript(value=owner, slice=index):
                receiver = self.eval(owner, frame)
                key = self.eval(index, frame)
                if isinstance(receiver, ListRef) and isinstance(key, Const):
                    items = self.heap[receiver.id]
                    if receiver.kind == "dict":
                        self.heap[receiver.id] = {**items, key.value: value}
                    else:
                        self.heap[receiver.id] = tuple(UNKNOWN for _ in items)

    def unpack(self, value: Value, count: int) -> list[Value]:
        items = self.items(value)
        if items is not None and len(items) == count:
            return items
        if isinstance(value, Array) and value.shape:
            return [Array(value.shape[1:], value.dtype)] * count
        if isinstance(value, Unknown):
            return [value] * count
        return [UNKNOWN] * count

    def items(self, value: Value) -> list[Value] | None:
        """The elements of a sequence, if they are known."""
        if isinstance(value, Tuple):
            return list(value.items)
        if isinstance(value, ListRef):
            content = self.heap[value.id]
            if isinstance(content, dict):
                return [Const(key) for key in content]
            return None if content is None else list(content)
        return None

    def new_list(self, items: Any, kind: str = "list") -> ListRef:
        ref = ListRef(self.fresh(), kind)
        self.heap[ref.id] = items
        return ref

    # ------------------------------------------------------------------ control flow

    def snapshot(self, frame: Frame) -> tuple[Any, ...]:
        added = {key: model.added for key, model in self.models.items()}
        return dict(frame.names), dict(frame.versions), dict(self.heap), added

    def restore(self, frame: Frame, state: tuple[Any, ...]) -> None:
        frame.names, frame.versions, self.heap = dict(state[0]), dict(state[1]), dict(state[2])
        for key, added in state[3].items():
            self.models[key].added = added

    def branch(self, stmt: ast.If, frame: Frame) -> Completion:
        test = self.eval(stmt.test, frame)
        truth = self.truth(test)
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
        before = self.snapshot(frame)
        one = self.block(stmt.orelse, frame)
        after_else = self.snapshot(frame)
        self.restore(frame, before)
        other_ = self.block(stmt.body, frame)
        self.merge(frame, after_else, one, other_)
        return one if one and other_ else None

    def merge(
        self, frame: Frame, state: tuple[Any, ...], one: Completion, other: Completion
    ) -> None:
        """Join the variables of two branches; a branch that left the block does not count."""
        if other:
            self.restore(frame, state)
            return
        if one:
            return
        for name, value in state[0].items():
            mine = frame.names.get(name)
            if mine is None:
                frame.bind(name, value)
            elif mine != value:
                frame.bind(name, arrays.join(mine, value))

    def truth(self, value: Value) -> bool | None:
        if isinstance(value, Const):
            return bool(value.value)
        if isinstance(value, Tuple):
            return bool(value.items)
        return None

    def loop(self, stmt: ast.For | ast.AsyncFor, frame: Frame) -> Completion:
        iterable = self.eval(stmt.iter, frame)
        items = self.items(iterable)
        if items is None or len(items) > MAX_ITERATIONS:
            element = items[0] if items else arrays.element(iterable)
            if items is None and isinstance(element, Unknown) and self.is_range(stmt.iter):
                element = Sym(type="int")
            items = [element]
            partial = True
        else:
            partial = False
        outer = self.iteration
        for number, item in enumerate(items):
            self.iteration = (*outer, number)
            self.bind(stmt.target, item, frame)
            completion = self.block(stmt.body, frame)
            if completion and completion[0] in ("return", "break"):
                self.iteration = outer
                if completion[0] == "return":
                    return completion if not partial else None
                break
        self.iteration = outer
        if partial:
            self.forget(stmt.body, frame, only_changed=True)
        self.block(stmt.orelse, frame)
        return None

    def is_range(self, node: ast.expr) -> bool:
        return (
            isinstance(node, ast.Call)
            and isinstance(node.func, ast.Name)
            and node.func.id == "range"
        )

    def forget(self, body: list[ast.stmt], frame: Frame, only_changed: bool = False) -> None:
        """After a loop of unknown length, what it assigned is no longer known."""
        for stmt in body:
            for node in ast.walk(stmt):
                if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store):
                    value = frame.names.get(node.id)
                    if isinstance(value, Const):
                        frame.bind(node.id, Sym())

    # ------------------------------------------------------------------ expressions

    def eval(self, node: ast.expr, frame: Frame) -> Value:
        self.steps += 1
        value = self.raw(node, frame)
        if isinstance(value, Const | Sym | Tuple | ListRef) and not isinstance(node, ast.Name):
            expr = self.expr_of(node, frame)
            if expr is not None:
                return replace(value, expr=expr)
        return value

    def raw(self, node: ast.expr, frame: Frame) -> Value:
        match node:
            case ast.Constant(value=value):
                return Const(value)
            case ast.Name():
                return self.name(node, frame)
            case ast.Attribute(value=owner, attr=attr):
                return self.attribute(self.eval(owner, frame), attr, node, frame)
            case ast.Call():
                return self.call(node, frame)
            case ast.BinOp(left=left, op=op, right=right):
                return self.binary(op, self.eval(left, frame), self.eval(right, frame), node, frame)
            case ast.UnaryOp(op=op, operand=operand):
                return self.unary(op, self.eval(operand, frame), node, frame)
            case ast.Compare():
                return self.compare(node, frame)
            case ast.BoolOp(op=op, values=values):
                return self.boolean(op, [self.eval(v, frame) for v in values])
            case ast.IfExp(test=test, body=body, orelse=orelse):
                truth = self.truth(self.eval(test, frame))
                one, two = self.eval(body, frame), self.eval(orelse, frame)
                if truth is None:
                    return one if one == two else arrays.join(one, two)
                return one if truth else two
            case ast.Tuple(elts=elts):
                return Tuple(tuple(self.elements(elts, frame)))
            case ast.List(elts=elts):
                return self.new_list(tuple(self.elements(elts, frame)))
            case ast.Dict(keys=keys, values=values):
                return self.dictionary(keys, values, frame)
            case ast.Subscript(value=owner, slice=index):
                return self.subscript(self.eval(owner, frame), index, node, frame)
            case ast.Lambda():
                return self.function(node, frame)
            case ast.JoinedStr(values=values):
                for part in values:
                    if isinstance(part, ast.FormattedValue):
                        self.eval(part.value, frame)
                return Sym(type="str")
            case (
                ast.ListComp(elt=elt, generators=generators)
                | ast.GeneratorExp(elt=elt, generators=generators)
            ):
                return self.comprehension(elt, generators, frame)
            case ast.NamedExpr(target=target, value=value):
                result = self.eval(value, frame)
                self.bind(target, result, frame)
                return result
            case ast.Starred(value=inner):
                return self.eval(inner, frame)
            case _:
                for child in ast.iter_child_nodes(node):
                    if isinstance(child, ast.expr):
                        self.eval(child, frame)
                return UNKNOWN

    def written(self, node: ast.expr, frame: Frame) -> Value:
        """The value of an expression; where nothing is known of it, how it is written."""
        value = self.eval(node, frame)
        if value == UNKNOWN:
            expr = self.expr_of(node, frame)
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

    def dictionary(
        self, keys: list[ast.expr | None], values: list[ast.expr], frame: Frame
    ) -> Value:
        content: dict[Any, Value] = {}
        for key, value in zip(keys, values, strict=True):
            result = self.eval(value, frame)
            if key is None:
                inner = self.heap.get(result.id) if isinstance(result, ListRef) else None
                content.update(inner if isinstance(inner, dict) else {})
                continue
            name = self.eval(key, frame)
            if isinstance(name, Const) and isinstance(name.value, str | int | float | None):
                content[name.value] = result
        return self.new_list(content, "dict")

    def comprehension(
        self, element: ast.expr, generators: list[ast.comprehension], frame: Frame
    ) -> Value:
        inner = Frame(self.fresh(), frame.scope, frame)
        self.frames[inner.id] = inner
        generator = generators[0]
        iterable = self.eval(generator.iter, frame)
        items = self.items(iterable)
        simple = len(generators) == 1 and not generator.ifs
        if items is None or len(items) > MAX_ITERATIONS or not simple:
            self.bind(generator.target, arrays.element(iterable), inner)
            for extra in generators[1:]:
                self.bind(extra.target, arrays.element(self.eval(extra.iter, inner)), inner)
            self.eval(element, inner)
            return UNKNOWN
        results, outer = [], self.iteration
        for number, item in enumerate(items):
            self.iteration = (*outer, number)
            self.bind(generator.target, item, inner)
            results.append(self.eval(element, inner))
        self.iteration = outer
        return self.new_list(tuple(results))

    def name(self, node: ast.Name, frame: Frame) -> Value:
        name = node.id
        owner = frame.owner(name)
        if owner is None:
            if name == "__name__":
                return Const("__main__")
            return Module(f"builtins.{name}") if hasattr(builtins, name) else UNKNOWN
        value = owner.names[name]
        if isinstance(value, Ref | Tensor | Obj | History) or self.keras.holds_keras(value):
            self.loads[id(node)] = (node, self.stmt, value)
        if isinstance(value, Const | Sym | Tuple | ListRef):
            use = NameUse(name, owner.id, owner.versions.get(name, 0))
            return replace(value, expr=Expr(name, (use,)))
        return value

    def expr_of(self, node: ast.expr, frame: Frame) -> Expr | None:
        """The source of an expression and the bindings it reads; None where it cannot be repeated."""
        uses: dict[str, NameUse] = {}
        for child in ast.walk(node):
            match child:
                case ast.Name(id=name):
                    owner = frame.owner(name)
                    if owner is None:
                        if name not in PURE:
                            return None
                        continue
                    value = owner.names[name]
                    if isinstance(value, Ref | ModelRef | Tensor | Obj | History):
                        return None
                    uses[name] = NameUse(name, owner.id, owner.versions.get(name, 0))
                case ast.Call(func=func):
                    if not self.pure(func, frame):
                        return None
                case ast.Lambda() | ast.ListComp() | ast.GeneratorExp() | ast.NamedExpr():
                    return None
        return Expr(self.source.slice(self.spans.of(node)), tuple(uses.values()))

    def pure(self, func: ast.expr, frame: Frame) -> bool:
        if isinstance(func, ast.Name):
            return func.id in PURE and frame.owner(func.id) is None
        root = func
        while isinstance(root, ast.Attribute):
            root = root.value
        value = frame.lookup(root.id) if isinstance(root, ast.Name) else None
        return isinstance(value, Module) and value.path.split(".")[0] in ("numpy", "math")

    def attribute(self, owner: Value, attr: str, node: ast.Attribute, frame: Frame) -> Value:
        match owner:
            case Ref(path=path):
                return self.keras.attribute(names.canonical(f"{path}.{attr}"), node, frame)
            case Module(path=path):
                return arrays.constant(f"{path}.{attr}") or Module(f"{path}.{attr}")
            case Array():
                return arrays.attribute(owner, attr)
            case Instance():
                return self.instance_attribute(owner, attr)
            case Unknown(why=why) if why is not None:
                return owner
            case ModelRef() | History() | Tensor() | Obj():
                return self.keras.member(owner, attr, node, frame)
            case ListRef() | Sym() | Const() | Tuple() | Class():
                return Bound(owner, attr)
        return UNKNOWN

    def instance_attribute(self, instance: Instance, attr: str) -> Value:
        stored = self.heap.get(("attr", instance.args), {})
        if attr in stored:
            return stored[attr]
        return Bound(instance, attr)

    def binary(
        self, op: ast.operator, left: Value, right: Value, node: ast.AST, frame: Frame
    ) -> Value:
        if isinstance(left, Tensor) or isinstance(right, Tensor):
            return self.keras.tensor_operator(op, left, right, node, frame)
        items, more = self.items(left), self.items(right)
        if isinstance(op, ast.Add) and items is not None and more is not None:
            if isinstance(left, Tuple):
                return Tuple(tuple(items + more))
            return self.new_list(tuple(items + more))
        if isinstance(op, ast.Mult) and items is not None and isinstance(right, Const):
            if isinstance(right.value, int) and isinstance(left, ListRef):
                return self.new_list(tuple(items * right.value))
            return Tuple(tuple(items * right.value)) if isinstance(right.value, int) else UNKNOWN
        return arrays.binary(op, left, right)

    def unary(self, op: ast.unaryop, value: Value, node: ast.AST, frame: Frame) -> Value:
        if isinstance(value, Tensor):
            return self.keras.tensor_operator(op, value, None, node, frame)
        if isinstance(op, ast.Not):
            truth = self.truth(value)
            return Sym(type="bool") if truth is None else Const(not truth)
        if isinstance(value, Const) and isinstance(value.value, int | float):
            if isinstance(op, ast.USub):
                return Const(-value.value)
            return value
        if isinstance(value, Array):
            return value
        return Sym(type=getattr(value, "type", None)) if isinstance(value, Sym) else UNKNOWN

    def compare(self, node: ast.Compare, frame: Frame) -> Value:
        left = self.eval(node.left, frame)
        rights = [self.eval(c, frame) for c in node.comparators]
        if len(rights) == 1 and isinstance(left, Tensor):
            return self.keras.tensor_operator(node.ops[0], left, rights[0], node, frame)
        if len(rights) != 1:
            return Sym(type="bool")
        return arrays.compare(node.ops[0], left, rights[0])

    def boolean(self, op: ast.boolop, values: list[Value]) -> Value:
        truths = [self.truth(v) for v in values]
        stop = isinstance(op, ast.Or)
        for value, truth in zip(values, truths, strict=True):
            if truth is None:
                return Sym(type="bool")
            if truth is stop:
                return value
        return values[-1]

    def subscript(self, owner: Value, index: ast.expr, node: ast.Subscript, frame: Frame) -> Value:
        if isinstance(owner, Tensor | ModelRef | History | Obj):
            return self.keras.subscript(owner, index, node, frame)
        if isinstance(index, ast.Slice):
            bounds = [
                self.eval(p, frame) if p else NONE for p in (index.lower, index.upper, index.step)
            ]
            items = self.items(owner)
            plain = [b.value for b in bounds if isinstance(b, Const)]
            if (
                items is not None
                and len(plain) == 3
                and all(isinstance(p, int | None) for p in plain)
            ):
                part = tuple(items[slice(*plain)])
                return Tuple(part) if isinstance(owner, Tuple) else self.new_list(part)
            return arrays.index(owner, [bounds])
        if isinstance(index, ast.Tuple):
            keys: list[Any] = []
            for element in index.elts:
                if isinstance(element, ast.Slice):
                    parts = (element.lower, element.upper, element.step)
                    keys.append([self.eval(p, frame) if p else NONE for p in parts])
                else:
                    keys.append(self.eval(element, frame))
            return arrays.index(owner, keys)
        key = self.eval(index, frame)
        items = self.items(owner)
        if isinstance(owner, ListRef) and owner.kind == "dict":
            content = self.heap[owner.id]
            return content.get(key.value, UNKNOWN) if isinstance(key, Const) else UNKNOWN
        if items is not None:
            if (
                isinstance(key, Const)
                and isinstance(key.value, int)
                and -len(items) <= key.value < len(items)
            ):
                return items[key.value]
            return UNKNOWN
        if isinstance(owner, Instance):
            method = self.find_method(owner, "__getitem__")
            return self.call_method(owner, method, [key], {}, frame) if method else UNKNOWN
        return arrays.index(owner, [key])

    # ------------------------------------------------------------------ calls

    def call(self, node: ast.Call, frame: Frame) -> Value:
        if isinstance(node.func, ast.Name) and node.func.id == "super" and not node.args:
            return Unknown()
        callee = self.eval(node.func, frame)
        if self.keras.owns(callee):
            return self.keras.call(callee, node, frame)
        args = self.elements(node.args, frame)
        keywords: dict[str, Value] = {}
        for keyword in node.keywords:
            value = self.eval(keyword.value, frame)
            if keyword.arg is not None:
                keywords[keyword.arg] = value
            elif isinstance(value, ListRef) and isinstance(self.heap[value.id], dict):
                keywords.update({str(k): v for k, v in self.heap[value.id].items()})
        match callee:
            case Function(index=index):
                return self.call_function(index, args, keywords, frame)
            case Class(index=index):
                return self.instantiate(index, args, keywords, frame)
            case Bound(receiver=receiver, name=name):
                return self.bound_call(receiver, name, args, keywords, frame)
            case Module(path=path):
                return arrays.call(self, path, args, keywords)
            case Instance():
                method = self.find_method(callee, "__call__")
                return (
                    self.call_method(callee, method, args, keywords, frame) if method else UNKNOWN
                )
        return UNKNOWN

    def bound_call(
        self,
        receiver: Value,
        name: str,
        args: list[Value],
        keywords: dict[str, Value],
        frame: Frame,
    ) -> Value:
        match receiver:
            case ListRef():
                return self.container_method(receiver, name, args)
            case Array():
                return arrays.method(receiver, name, args, keywords)
            case Instance():
                method = self.find_method(receiver, name)
                return (
                    self.call_method(receiver, method, args, keywords, frame) if method else UNKNOWN
                )
            case Const(value=str()) | Sym(type="str"):
                return Sym(type="str") if name in ("format", "join", "lower", "upper") else UNKNOWN
        return UNKNOWN

    def container_method(self, ref: ListRef, name: str, args: list[Value]) -> Value:
        content = self.heap[ref.id]
        if isinstance(content, tuple):
            if name == "append" and args:
                self.heap[ref.id] = (*content, args[0])
                return NONE
            if name == "extend" and args:
                self.heap[ref.id] = (*content, *(self.items(args[0]) or [UNKNOWN]))
                return NONE
            if name == "pop" and content:
                self.heap[ref.id] = content[:-1]
                return content[-1]
        elif isinstance(content, dict):
            if name == "items":
                pairs = [Tuple((Const(k), v)) for k, v in content.items()]
                return self.new_list(tuple(pairs))
            if name == "values":
                return self.new_list(tuple(content.values()))
            if name == "keys":
                return self.new_list(tuple(Const(k) for k in content))
            if name == "get" and args and isinstance(args[0], Const):
                return content.get(args[0].value, args[1] if len(args) > 1 else NONE)
        return UNKNOWN

    def call_function(
        self,
        index: int,
        args: list[Value],
        keywords: dict[str, Value],
        caller: Frame,
        uncalled: bool = False,
    ) -> Value:
        node, home = self.definitions[index]
        self.called.add(index)
        if self.depth >= MAX_DEPTH or not isinstance(node, ast.FunctionDef | ast.Lambda):
            return UNKNOWN
        frame = Frame(self.fresh(), node, home)
        self.frames[frame.id] = frame
        self.parameters(node.args, args, keywords, frame, home)
        self.depth += 1
        outer = self.iteration
        try:
            if isinstance(node, ast.Lambda):
                return self.eval(node.body, frame)
            completion = self.block(node.body, frame)
        finally:
            self.depth -= 1
            self.iteration = outer
        return completion[1] if completion and completion[0] == "return" else NONE

    def parameters(
        self,
        spec: ast.arguments,
        args: list[Value],
        keywords: dict[str, Value],
        frame: Frame,
        home: Frame,
    ) -> None:
        positional = [a.arg for a in [*spec.posonlyargs, *spec.args]]
        values: dict[str, Value] = {}
        for name, default in zip(reversed(positional), reversed(spec.defaults), strict=False):
            values[name] = self.quiet(default, home)
        for argument, default_ in zip(spec.kwonlyargs, spec.kw_defaults, strict=True):
            positional_default = self.quiet(default_, home) if default_ else UNKNOWN
            values[argument.arg] = positional_default
        values.update(zip(positional, args, strict=False))
        values.update({k: v for k, v in keywords.items()})
        everything = [*positional, *(a.arg for a in spec.kwonlyargs)]
        for name in everything:
            frame.bind(name, values.get(name, UNKNOWN))
        for star in (spec.vararg, spec.kwarg):
            if star is not None:
                frame.bind(star.arg, UNKNOWN)
        frame.parameters = frozenset(everything)

    def quiet(self, node: ast.expr, frame: Frame) -> Value:
        """Evaluate without recording events (a default was evaluated where it is written)."""
        count = len(self.events)
        value = self.eval(node, frame)
        del self.events[count:]
        return value

    def instantiate(
        self, index: int, args: list[Value], keywords: dict[str, Value], frame: Frame
    ) -> Value:
        instance = Instance(index, self.keras.base_of(index), (Const(self.fresh()),))
        method = self.find_method(instance, "__init__")
        if method is not None:
            self.call_method(instance, method, args, keywords, frame)
        return instance

    def find_method(self, instance: Instance, name: str) -> int | None:
        node, home = self.definitions[instance.cls]
        if isinstance(node, ast.ClassDef):
            for item in node.body:
                if isinstance(item, ast.FunctionDef) and item.name == name:
                    return self.function(item, home).index
        return None

    def call_method(
        self,
        instance: Instance,
        index: int,
        args: list[Value],
        keywords: dict[str, Value],
        frame: Frame,
    ) -> Value:
        return self.call_function(index, [instance, *args], keywords, frame)

    def span(self, node: ast.AST) -> Span:
        return self.spans.of(node)


Handler = Callable[..., Value]
