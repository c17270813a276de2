"""What may be written inside a model class: expressions that mean there what they mean outside."""

from __future__ import annotations

import ast
import re
from dataclasses import dataclass, field, replace

from k2t.analyse.interpreter import Interpreter
from k2t.analyse.state import Versions, still_bound
from k2t.ir.values import Arg, Const, Dim, Expr, ListRef, NameUse, Obj, Shape, Sym, Tuple, Value


@dataclass
class ClassScope:
    """The names that a model class can see, and those it turned out to use.

    ``frames`` are the calls the model is built in; ``whole``: the function becomes the class.
    Variables in ``moved`` are bound by statements that move into the class; those in ``rounds``
    by a loop around the whole model: they are handed to the constructor. Those in ``gone`` were
    bound by loops of layers that are not there any more.
    """

    interp: Interpreter
    frames: frozenset[int]
    whole: bool
    rounds: frozenset[str] = frozenset()
    gone: frozenset[str] = frozenset()
    moved: set[str] = field(default_factory=set)
    used: dict[str, None] = field(default_factory=dict)

    def usable(self, expr: Expr | None, versions: Versions) -> bool:
        """Whether an expression means the same inside the class as where the script has it."""
        if expr is None:
            return False
        if not still_bound(expr.names, versions):
            return False
        if not all(self.reaches(use) for use in expr.names):
            return False
        for use in expr.names:
            own = use.frame != 0 or use.name in self.rounds
            if own and use.name not in self.moved:
                self.used[use.name] = None
        return True

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
            if use.name in self.moved or not self.parameter(use):
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
        if dim is None or self.usable(dim.expr, versions):
            return dim
        if isinstance(dim, Const):
            return Const(dim.value)
        return None

    def clean_shape(self, shape: Shape | None, versions: Versions) -> Shape | None:
        return None if shape is None else tuple(self.clean_dim(d, versions) for d in shape)


def value_text(value: Value) -> str | None:
    """How a scalar is written inside the class."""
    expr = getattr(value, "expr", None)
    if expr is not None:
        return str(expr.text)
    return repr(value.value) if isinstance(value, Const) else None
