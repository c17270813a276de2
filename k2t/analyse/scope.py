"""What may be written inside a model class: expressions that mean there what they mean outside."""

from __future__ import annotations

import ast
import re
from dataclasses import dataclass, field, replace

from k2t.analyse.interpreter import Interpreter
from k2t.analyse.state import Frame, Versions, still_bound
from k2t.analyse.trace import Tangled
from k2t.ir.values import (
    Arg,
    Class,
    Const,
    Dim,
    Expr,
    Function,
    Instance,
    ListRef,
    NameUse,
    Obj,
    Ref,
    Shape,
    Sym,
    Tuple,
    Value,
)

ATTRIBUTE = -1
"""The binding of a variable of the class that is an attribute of the object that makes it."""


@dataclass
class ClassScope:
    """The names that a model class can see, and those it turned out to use.

    ``frames`` are the calls the model is built in; ``named``: the function becomes the class,
    ``whole``: with its statements in their order.
    ``used`` has what each is handed over by. Variables in ``moved`` are bound by statements that
    move into the class; those in ``rounds`` by a loop around the whole model: they are handed to
    the constructor. Those in ``gone`` were bound by loops of layers that are not there any more.
    ``inner`` are the frames of comprehensions that become loops of the class.
    """

    interp: Interpreter
    frames: frozenset[int]
    named: bool
    whole: bool
    rounds: frozenset[str] = frozenset()
    gone: frozenset[str] = frozenset()
    moved: set[str] = field(default_factory=set)
    used: dict[str, str] = field(default_factory=dict)
    inner: set[int] = field(default_factory=set)

    def usable(self, expr: Expr | None, versions: Versions) -> bool:
        """Whether an expression means the same inside the class as where the script has it."""
        if expr is None:
            return False
        names = [use for use in expr.names if use.frame not in self.inner]
        variables = [use for use in names if use.version != ATTRIBUTE]
        if not still_bound(variables, versions):
            return False
        if not all(self.reaches(use) for use in variables):
            return False
        for use in names:
            own = use.frame != 0 or use.name in self.rounds
            if own and use.name not in self.moved:
                self.used[use.name] = use.name if use.version != ATTRIBUTE else f"self.{use.name}"
        return True

    def without_self(self, value: Value, versions: Versions) -> Value:
        """The value as a class other than that of the method it was made in has it.

        ``self.width`` of an object that holds models becomes the constructor's ``width``.
        """
        expr = getattr(value, "expr", None)
        if not isinstance(value, Const | Sym | Tuple | ListRef) or expr is None:
            return value
        own = next((use for use in expr.names if self.is_self(use)), None)
        return value if own is None else replace(value, expr=self.by_attribute(expr, own, versions))

    def is_self(self, use: NameUse) -> bool:
        """Whether a variable is the object whose method builds the model."""
        frame = self.interp.frames.get(use.frame)
        return use.name == "self" and frame is not None and isinstance(frame.scope, ast.FunctionDef)

    def by_attribute(self, expr: Expr, own: NameUse, versions: Versions) -> Expr | None:
        """The expression with the object's attributes as variables; None where that is not sure."""
        tree = ast.parse(f"({expr.text})", mode="eval")
        owners = [n.value for n in ast.walk(tree) if isinstance(n, ast.Attribute)]
        selves = [n for n in ast.walk(tree) if isinstance(n, ast.Name) and n.id == "self"]
        called = [n.func for n in ast.walk(tree) if isinstance(n, ast.Call)]
        if any(not any(n is owner for owner in owners) for n in selves):
            return None
        read = [n for n in ast.walk(tree) if isinstance(n, ast.Attribute) and n.value in selves]
        names = {n.attr for n in read}
        others = [use for use in expr.names if use is not own]
        scope = self.interp.frames[own.frame].scope
        assert isinstance(scope, ast.FunctionDef)
        set_here = [
            n.attr
            for n in ast.walk(scope)
            if isinstance(n, ast.Attribute) and isinstance(n.ctx, ast.Store)
        ]
        once = {n.attr for s in scope.body for n in targets_of(s) if set_here.count(n.attr) == 1}
        taken = {use.name for use in others} | {n for n, text in self.used.items() if n == text}
        unsure = any(n in called for n in read) or names & ({*set_here} - once | taken)
        if unsure or not still_bound([own], versions) or not self.reaches(own):
            return None
        text = re.sub(r"(?<![\w.\"'])self\s*\.\s*(?=\w)", "", expr.text)
        return Expr(text, (*others, *(NameUse(n, own.frame, ATTRIBUTE) for n in sorted(names))))

    def reaches(self, use: NameUse) -> bool:
        """Whether a variable still has, where the class stands, the value an expression read."""
        if use.name in self.moved or use.name in self.rounds:
            return True
        if use.name in self.gone:
            return False
        if use.frame == 0:
            return self.interp.module.versions.get(use.name) == use.version
        if use.frame not in self.frames:
            return False
        return self.whole or self.interp.frames[use.frame].versions.get(use.name) == use.version

    def clean(self, value: Value, versions: Versions) -> Value:
        """The value with source text only where that text may be used inside the class."""
        value = self.without_self(value, versions)
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

    def carry(self, moving: ast.AST, home: Frame) -> None:
        """Code that moves into the class as it stands: what it reads of a call is handed over.

        Raises:
            Tangled: something that it reads cannot be.
        """
        if self.named:
            return
        for node in ast.walk(moving):
            if not isinstance(node, ast.Name) or not isinstance(node.ctx, ast.Load):
                continue
            owner = home.owner(node.id)
            if owner is None or owner.id == 0 or node.id in self.moved | self.rounds:
                continue
            value = owner.names[node.id]
            if isinstance(value, Ref | Function | Class):
                continue
            if isinstance(value, Instance) or owner.versions.get(node.id) != 1:
                raise Tangled
            self.used[node.id] = node.id

    def in_forward(self, value: Value, versions: Versions) -> Value:
        """The value for ``forward``, where the constructor's parameters are ``self``'s."""
        if isinstance(value, Obj):
            return self.operation(value, versions) or value
        value = self.clean(value, versions)
        if isinstance(value, Tuple):
            items = tuple(self.in_forward(i, versions) for i in value.items)
            value = replace(value, items=items)
        if not isinstance(value, Const | Sym | Tuple) or value.expr is None:
            return value
        text = value.expr.text
        for use in value.expr.names:
            if use.frame == 0 and use.name not in self.rounds | self.moved:
                continue
            if use.name in self.moved or use.frame in self.inner or not self.parameter(use):
                return replace(value, expr=None)
            text = re.sub(rf"(?<![\w.\"']){use.name}\b(?!=[^=])", f"self.{use.name}", text)
        return replace(value, expr=Expr(text, value.expr.names))

    def operation(self, made: Obj | None, versions: Versions) -> Obj | None:
        """A tensor operation with its arguments as ``forward`` has them."""
        if made is None:
            return None
        args = {n: Arg(self.in_forward(a.value, versions), a.span) for n, a in made.args.items()}
        return replace(made, args=args)

    def parameter(self, use: NameUse) -> bool:
        """Whether a variable is a parameter of the class's constructor."""
        if not self.whole:
            return use.name in self.used
        scope = self.interp.frames[use.frame].scope
        if not isinstance(scope, ast.FunctionDef) or use.frame not in self.frames:
            return False
        names = [a.arg for a in ast.walk(scope.args) if isinstance(a, ast.arg)]
        return use.name in names and self.interp.frames[use.frame].versions.get(use.name) == 1

    def clean_layer(self, layer: Obj, versions: Versions) -> Obj:
        args = {
            name: Arg(self.clean(arg.value, versions), arg.span) for name, arg in layer.args.items()
        }
        return replace(layer, args=args)

    def clean_dim(self, dim: Dim, versions: Versions) -> Dim:
        here = self.without_self(dim, versions) if dim is not None else None
        if isinstance(here, Const | Sym) and self.usable(here.expr, versions):
            return here
        if isinstance(dim, Const):
            return Const(dim.value)
        return None

    def clean_shape(self, shape: Shape | None, versions: Versions) -> Shape | None:
        return None if shape is None else tuple(self.clean_dim(d, versions) for d in shape)


def targets_of(stmt: ast.stmt) -> list[ast.Attribute]:
    """The attributes that a plain assignment sets."""
    return (
        [n for n in stmt.targets if isinstance(n, ast.Attribute)]
        if isinstance(stmt, ast.Assign)
        else []
    )


def value_text(value: Value) -> str | None:
    """How a scalar is written inside the class."""
    expr = getattr(value, "expr", None)
    if expr is not None:
        return str(expr.text)
    return repr(value.value) if isinstance(value, Const) else None
