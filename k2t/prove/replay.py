"""Replays the text of generated module classes with the values a script has, without torch.

Configuration is computed, tensors are terms: what remains is which modules are made with which
arguments, and in which order they are applied.
"""

from __future__ import annotations

import ast
import functools
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from k2t.prove.python import (
    ARITHMETIC,
    BUILTINS,
    COMPARISONS,
    changes_a_list,
    has_method,
    is_chain,
    loaded,
    plain,
)
from k2t.prove.terms import Module, Opaque, Path, Term, called, method, module, operation

MAX_STEPS = 200_000


class Unclear(Exception):
    """Something cannot be replayed with what is known."""


class Returned(Exception):
    def __init__(self, value: Any) -> None:
        super().__init__()
        self.value = value


@dataclass(eq=False)
class Instance:
    """An object of one of the classes; one that is an ``nn.Sequential`` has ``modules``."""

    cls: ast.ClassDef
    modules: list[Any] = field(default_factory=list)
    attributes: dict[str, Any] = field(default_factory=dict)


@dataclass(eq=False)
class Sequence:
    """``nn.Sequential``."""

    modules: list[Any]


@dataclass
class Replay:
    """One text and the values of the script's variables."""

    tree: ast.Module
    values: Mapping[str, Any]
    activations: Mapping[str, str]
    classes: dict[str, ast.ClassDef] = field(default_factory=dict)
    tables: dict[str, Any] = field(default_factory=dict)
    made: list[Module] = field(default_factory=list)
    steps: int = 0

    def __post_init__(self) -> None:
        for stmt in self.tree.body:
            if isinstance(stmt, ast.ClassDef):
                self.classes[stmt.name] = stmt
            elif isinstance(stmt, ast.Assign) and isinstance(stmt.targets[0], ast.Name):
                self.tables[stmt.targets[0].id] = self.eval(stmt.value, {})

    def output(self, name: str, arguments: Mapping[str, Any]) -> Any:
        """What the forward of a class returns for its inputs.

        Raises:
            Unclear: it cannot be told, or the code would stop.
        """
        try:
            model = self.create(self.classes[name], [], dict(arguments))
            forward = function(model.cls, "forward")
            parameters = [a.arg for a in forward.args.args[1:]]
            inputs = [Term("input", (i,)) for i in range(len(parameters))]
            return self.call(model, inputs)
        except (ArithmeticError, LookupError, TypeError, ValueError, RecursionError) as error:
            raise Unclear(f"{type(error).__name__}: {error}") from None

    # ------------------------------------------------------------------ objects

    def create(self, cls: ast.ClassDef, args: list[Any], keywords: dict[str, Any]) -> Instance:
        made = Instance(cls)
        if args or keywords or has_method(cls, "__init__"):
            self.run(function(cls, "__init__"), [made, *args], keywords)
        return made

    def run(self, code: ast.FunctionDef, args: list[Any], keywords: dict[str, Any]) -> Any:
        spec = code.args
        names = [a.arg for a in spec.args]
        defaults = dict(zip(names[len(names) - len(spec.defaults) :], spec.defaults, strict=True))
        if len(args) > len(names) or any(k not in names for k in keywords):
            raise Unclear(f"{code.name} gets arguments that it does not take")
        local = dict(zip(names, args, strict=False)) | keywords
        for name in names:
            if name not in local:
                if name not in defaults:
                    raise Unclear(f"{name} is not given")
                local[name] = self.eval(defaults[name], {})
        stores = {
            n.id for n in ast.walk(code) if isinstance(n, ast.Name) and isinstance(n.ctx, ast.Store)
        }
        scope = Scope(local, stores)
        try:
            self.block(code.body, scope)
        except Returned as done:
            return done.value
        return None

    def call(self, callee: Any, args: list[Any], keywords: dict[str, Any] | None = None) -> Any:
        match callee:
            case Instance(cls=cls) if not is_chain(cls):
                return self.run(function(cls, "forward"), [callee, *args], {})
            case Sequence(modules=modules) | Instance(modules=modules):
                for part in modules:
                    args = [self.call(part, args)]
                return args[0]
            case Module(name="Identity"):
                return args[0]
            case Module():
                return self.apply(callee, args)
            case Path(name=name):
                return self.construct(name, args, keywords or {})
        raise Unclear("something is called that is no module")

    def apply(self, made: Module, args: list[Any]) -> Any:
        """A module applied; an activation as the function it is."""
        template = self.activations.get(made.name)
        if template is not None and len(made.args) <= 1 and not made.keywords:
            text = template.replace("-1", str(made.args[0])) if made.args else template
            return self.eval(ast.parse(text, mode="eval").body, {"x": args[0]})
        if made.name == "Flatten":
            return method(args[0], "flatten", (1,))
        if made.name == "Unflatten":
            return method(args[0], "unflatten", made.args)
        return Term("apply", (made, tuple(args)))

    def construct(self, name: str, args: list[Any], keywords: dict[str, Any]) -> Any:
        if name in self.classes:
            return self.create(self.classes[name], args, keywords)
        if name == "nn.Sequential":
            return Sequence(list(args))
        if name == "nn.ModuleList":
            return list(args[0]) if args else []
        last = name.rpartition(".")[2]
        if name.startswith("nn.") or (last[:1].isupper() and "." not in name):
            made = module(name, args, keywords)
            self.made.append(made)
            return made
        parts = tuple(tuple(a) if isinstance(a, list) else a for a in args)
        return called(name, parts, tuple(sorted(keywords.items())))

    # ------------------------------------------------------------------ statements

    def block(self, body: list[ast.stmt], scope: Any) -> None:
        for stmt in body:
            self.steps += 1
            if self.steps > MAX_STEPS:
                raise Unclear("too many steps")
            self.statement(stmt, scope)

    def statement(self, stmt: ast.stmt, scope: Any) -> None:
        match stmt:
            case ast.Expr(value=ast.Call(func=ast.Attribute(attr="__init__"), args=args)):
                if args:
                    scope["self"].modules += self.elements(args, scope)
            case ast.Expr(value=value):
                if changes_a_list(value):
                    self.eval(value, scope)
            case ast.Assign(targets=[target], value=value):
                self.bind(target, self.eval(value, scope), scope)
            case ast.AugAssign(target=target, op=op, value=value):
                old = self.eval(loaded(target), scope)
                self.bind(target, self.binary(op, old, self.eval(value, scope)), scope)
            case ast.If(test=test, body=body, orelse=orelse):
                self.block(body if self.truth(self.eval(test, scope)) else orelse, scope)
            case ast.For(iter=ast.Call(func=ast.Attribute(attr="modules"))):
                pass  # initial values
            case ast.For(target=target, iter=source, body=body, orelse=[]):
                for item in self.iterable(self.eval(source, scope)):
                    self.bind(target, item, scope)
                    self.block(body, scope)
            case ast.Return(value=value):
                raise Returned(self.eval(value, scope) if value else None)
            case ast.Raise():
                raise Unclear("the script would stop")
            case ast.Assert() | ast.Pass():
                pass
            case _:
                raise Unclear(f"a statement of another kind: {type(stmt).__name__}")

    def bind(self, target: ast.expr, value: Any, scope: Any) -> None:
        match target:
            case ast.Name(id=name):
                scope[name] = value
            case ast.Tuple(elts=elts):
                items = self.iterable(value, len(elts))
                if len(items) != len(elts):
                    raise Unclear("a tuple of another length")
                for element, item in zip(elts, items, strict=True):
                    self.bind(element, item, scope)
            case ast.Attribute(value=owner, attr=attr):
                holder = self.eval(owner, scope)
                if not isinstance(holder, Instance):
                    raise Unclear("an attribute is set")
                holder.attributes[attr] = value
            case _:
                raise Unclear("an assignment of another kind")

    def truth(self, value: Any) -> bool:
        if isinstance(value, Opaque | Term):
            raise Unclear("a condition is not known")
        return bool(value)

    def iterable(self, value: Any, count: int | None = None) -> list[Any]:
        if isinstance(value, list | tuple | range):
            return list(value)
        if isinstance(value, Term) and count is not None:
            return [Term("item", (value, i)) for i in range(count)]
        raise Unclear("a loop over something that is not known")

    # ------------------------------------------------------------------ expressions

    def eval(self, node: ast.expr, scope: Any) -> Any:
        match node:
            case ast.Constant(value=value):
                return value
            case ast.Name(id=name):
                return self.name(name, scope)
            case ast.Attribute(value=owner, attr=attr):
                return self.attribute(self.eval(owner, scope), attr)
            case ast.Call():
                return self.call_node(node, scope)
            case ast.BinOp(left=left, op=op, right=right):
                return self.binary(op, self.eval(left, scope), self.eval(right, scope))
            case ast.UnaryOp(op=op, operand=operand):
                value = self.eval(operand, scope)
                if isinstance(op, ast.Not):
                    return not self.truth(value)
                if isinstance(value, Opaque):
                    return Opaque((type(op).__name__, value))
                if isinstance(value, Term):
                    return Term("unary", (type(op).__name__, value))
                return ~value if isinstance(op, ast.Invert) else -value
            case ast.Compare(left=left, ops=[op], comparators=[right]):
                one, two = self.eval(left, scope), self.eval(right, scope)
                if isinstance(one, Opaque) or isinstance(two, Opaque):
                    return Opaque((type(op).__name__, one, two))
                if isinstance(one, Term) or isinstance(two, Term):
                    return Term("comparison", (type(op).__name__, one, two))
                return COMPARISONS[type(op)](one, two)
            case ast.BoolOp(op=op, values=values):
                result: Any = None
                for part in values:
                    result = self.eval(part, scope)
                    if self.truth(result) is isinstance(op, ast.Or):
                        return result
                return result
            case ast.IfExp(test=test, body=body, orelse=orelse):
                return self.eval(body if self.truth(self.eval(test, scope)) else orelse, scope)
            case ast.Tuple(elts=elts):
                return tuple(self.elements(elts, scope))
            case ast.List(elts=elts):
                return self.elements(elts, scope)
            case ast.ListComp(
                elt=elt, generators=[ast.comprehension(target=to, iter=source, ifs=[])]
            ):
                found = []
                for item in self.iterable(self.eval(source, scope)):
                    inner = Scope(scope, getattr(scope, "stores", set()))
                    self.bind(to, item, inner)
                    found.append(self.eval(elt, inner))
                return found
            case ast.Dict(keys=keys, values=values):
                pairs = zip(keys, values, strict=True)
                return {self.eval(k, scope): self.eval(v, scope) for k, v in pairs if k is not None}
            case ast.Subscript(value=owner, slice=index):
                return self.item(self.eval(owner, scope), index, scope)
            case ast.JoinedStr():
                return Opaque(ast.unparse(node))
        raise Unclear(f"an expression of another kind: {ast.unparse(node)[:40]}")

    def name(self, name: str, scope: Any) -> Any:
        if name in scope:
            return scope[name]
        if isinstance(scope, Scope) and name in scope.stores:
            raise Unclear(f"{name} is read before it is bound")
        if name in self.tables:
            return self.tables[name]
        if name in self.classes or name in ("nn", "F", "torch"):
            return Path(name)
        if name in self.values:
            return self.values[name]
        return Path(name)

    def attribute(self, owner: Any, attr: str) -> Any:
        match owner:
            case Path(name=name):
                return Path(f"{name}.{attr}")
            case Instance(attributes=attributes):
                if attr not in attributes:
                    raise Unclear(f"the attribute {attr} is not there")
                return attributes[attr]
            case Opaque(key=key):
                return Opaque((key, attr))
            case Term():
                return Term("attribute", (owner, attr))
        raise Unclear(f"the attribute {attr}")

    def call_node(self, node: ast.Call, scope: Any) -> Any:
        if isinstance(node.func, ast.Attribute):
            owner = self.eval(node.func.value, scope)
            name = node.func.attr
            if isinstance(owner, Term):
                named = {k.arg or "**": self.eval(k.value, scope) for k in node.keywords}
                given = (*self.elements(node.args, scope), *sorted(named.items()))
                return method(owner, name, given)
            if isinstance(owner, Instance) and is_chain(owner.cls):
                owner = owner.modules
            if isinstance(owner, list) and name in ("append", "pop", "extend"):
                return getattr(owner, name)(*self.elements(node.args, scope))
        callee = self.eval(node.func, scope)
        args = self.elements(node.args, scope)
        keywords = {k.arg: self.eval(k.value, scope) for k in node.keywords if k.arg}
        if isinstance(callee, Path) and callee.name in BUILTINS and callee.name not in self.classes:
            if any(isinstance(a, Opaque) for a in args):
                return Opaque((callee.name, tuple(args)))
            if callee.name == "sum" and any(isinstance(a, Term) for a in args[0]):
                return functools.reduce(lambda a, b: self.binary(ast.Add(), a, b), args[0])
            return BUILTINS[callee.name](*args)
        if isinstance(callee, Opaque):
            return Opaque((callee.key, tuple(args)))
        if isinstance(callee, Path) and callee.name.split(".")[0] in ("np", "numpy", "math"):
            return Opaque((callee.name, tuple(args)))
        return self.call(callee, args, keywords)

    def elements(self, nodes: list[ast.expr], scope: Any) -> list[Any]:
        found: list[Any] = []
        for node in nodes:
            if isinstance(node, ast.Starred):
                found += self.iterable(self.eval(node.value, scope))
            else:
                found.append(self.eval(node, scope))
        return found

    def binary(self, op: ast.operator, one: Any, two: Any) -> Any:
        symbol, compute = ARITHMETIC[type(op)]
        if isinstance(one, Term) or isinstance(two, Term):
            return operation(symbol, one, two)
        if isinstance(one, Opaque) or isinstance(two, Opaque):
            return Opaque((symbol, one, two))
        try:
            return compute(one, two)
        except (TypeError, ValueError, ZeroDivisionError) as error:
            raise Unclear(str(error)) from None

    def item(self, owner: Any, index: ast.expr, scope: Any) -> Any:
        key = self.key(index, scope)
        if isinstance(owner, Term):
            return Term("item", (owner, plain(key)))
        if isinstance(owner, Opaque):
            return Opaque((owner.key, "[]", plain(key)))
        try:
            return owner[key]
        except (TypeError, KeyError, IndexError) as error:
            raise Unclear(f"an element: {error}") from None

    def key(self, index: ast.expr, scope: Any) -> Any:
        """What stands in brackets."""
        if isinstance(index, ast.Tuple):
            return tuple(self.key(part, scope) for part in index.elts)
        if isinstance(index, ast.Slice):
            parts = (index.lower, index.upper, index.step)
            return slice(*(self.eval(part, scope) if part else None for part in parts))
        return self.eval(index, scope)


class Scope(dict[str, Any]):
    """The variables of a method; ``stores`` are those that are its own."""

    def __init__(self, names: Mapping[str, Any], stores: set[str]) -> None:
        super().__init__(names)
        self.stores = stores


def function(cls: ast.ClassDef, name: str) -> ast.FunctionDef:
    for item in cls.body:
        if isinstance(item, ast.FunctionDef) and item.name == name:
            return item
    raise Unclear(f"{cls.name} has no {name}")
