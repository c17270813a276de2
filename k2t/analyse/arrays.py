"""What numpy operations do to shapes and dtypes (numpy 2 promotion rules)."""

from __future__ import annotations

import ast
import math
import operator
from collections.abc import Sequence
from typing import Any

from k2t.ir.values import (
    NONE,
    UNKNOWN,
    Array,
    Bound,
    Const,
    Dim,
    ListRef,
    Module,
    Ref,
    Shape,
    Sym,
    Tuple,
    Unknown,
    Value,
    Yields,
    as_int,
)

OPERATORS: dict[type[ast.AST], Any] = {
    ast.Add: operator.add,
    ast.Sub: operator.sub,
    ast.Mult: operator.mul,
    ast.Div: operator.truediv,
    ast.FloorDiv: operator.floordiv,
    ast.Mod: operator.mod,
    ast.Pow: operator.pow,
    ast.Eq: operator.eq,
    ast.NotEq: operator.ne,
    ast.Lt: operator.lt,
    ast.LtE: operator.le,
    ast.Gt: operator.gt,
    ast.GtE: operator.ge,
    ast.Is: operator.is_,
    ast.IsNot: operator.is_not,
    ast.In: lambda a, b: a in b,
    ast.NotIn: lambda a, b: a not in b,
}

FLOATS = ("float16", "float32", "float64")
ORDER = ("bool", "uint8", "int8", "int16", "int32", "int64", "float16", "float32", "float64")
SCALARS = {"float": "float64", "int": "int64", "bool": "bool"}


def constant(path: str) -> Value | None:
    """Constants of the standard library and numpy that scripts compute with."""
    values = {"numpy.pi": math.pi, "math.pi": math.pi, "numpy.newaxis": None}
    return Const(values[path]) if path in values else None


def element(value: Value) -> Value:
    """What iterating over a value yields."""
    if isinstance(value, Array) and value.shape:
        rest = value.shape[1:]
        return Array(rest, value.dtype) if rest else Sym(type=scalar_type(value.dtype))
    if isinstance(value, Unknown):
        return value
    return value.item if isinstance(value, Yields) else UNKNOWN


def scalar_type(dtype: str | None) -> str | None:
    if dtype is None:
        return None
    return "float" if dtype in FLOATS else "int"


def join(one: Value, other: Value) -> Value:
    """What is known of a variable that is one of two values."""
    if one == other:
        return one
    if isinstance(one, Array) and isinstance(other, Array):
        shape: Shape | None = None
        if one.shape is not None and other.shape is not None and len(one.shape) == len(other.shape):
            pairs = zip(one.shape, other.shape, strict=True)
            shape = tuple(a if same_dim(a, b) else None for a, b in pairs)
        return Array(shape, one.dtype if one.dtype == other.dtype else None)
    if isinstance(one, Const) and isinstance(other, Const) and one.value == other.value:
        return Const(one.value)
    if isinstance(one, Const | Sym) and isinstance(other, Const | Sym):
        return Sym()
    for value in (one, other):
        if isinstance(value, Unknown) and value.why:
            return value
    return UNKNOWN


def same_dim(a: Dim, b: Dim) -> bool:
    if isinstance(a, Const) and isinstance(b, Const):
        return a.value == b.value
    return isinstance(a, Sym) and isinstance(b, Sym) and a.expr == b.expr and a.expr is not None


# ---------------------------------------------------------------------- operators


def binary(op: ast.operator, left: Value, right: Value) -> Value:
    if isinstance(left, Array) or isinstance(right, Array):
        return array_binary(op, left, right)
    if isinstance(left, Const) and isinstance(right, Const):
        try:
            return Const(OPERATORS[type(op)](left.value, right.value))
        except (KeyError, TypeError, ZeroDivisionError, ValueError, OverflowError):
            return UNKNOWN
    for value in (left, right):
        if isinstance(value, Unknown) and value.why:
            return value
    if isinstance(left, Const | Sym) and isinstance(right, Const | Sym):
        kinds = {kind_of(left), kind_of(right)}
        if isinstance(op, ast.Div) or "float" in kinds:
            return Sym(type="float")
        return Sym(type="int" if kinds == {"int"} else None)
    return UNKNOWN


def kind_of(value: Value) -> str | None:
    if isinstance(value, Const):
        return type(value.value).__name__
    return value.type if isinstance(value, Sym) else None


def compare(op: ast.cmpop, left: Value, right: Value) -> Value:
    if isinstance(left, Array) or isinstance(right, Array):
        return Array(shape_of_both(left, right), "bool")
    if isinstance(left, Const) and isinstance(right, Const):
        try:
            return Const(bool(OPERATORS[type(op)](left.value, right.value)))
        except (KeyError, TypeError):
            return Sym(type="bool")
    if isinstance(left, Const) and isinstance(right, Tuple) and isinstance(op, ast.In | ast.NotIn):
        items = [v.value for v in right.items if isinstance(v, Const)]
        if len(items) == len(right.items):
            return Const(OPERATORS[type(op)](left.value, items))
    return Sym(type="bool")


def array_binary(op: ast.operator, left: Value, right: Value) -> Value:
    if isinstance(op, ast.MatMult):
        return matmul(left, right)
    shape = shape_of_both(left, right)
    dtype = promote(left, right)
    if isinstance(op, ast.Div) and dtype is not None and dtype not in FLOATS:
        dtype = "float64"
    return Array(shape, dtype)


def shape_of_both(left: Value, right: Value) -> Shape | None:
    """The shape of what two operands give, element by element; one of them is an array."""
    shapes = [v.shape for v in (left, right) if isinstance(v, Array)]
    return shapes[0] if len(shapes) == 1 else broadcast(shapes[0], shapes[1])


def matmul(left: Value, right: Value) -> Value:
    """``left @ right`` of arrays with one or two axes."""
    if not isinstance(left, Array) or not isinstance(right, Array):
        return UNKNOWN
    dtype = promote(left, right)
    a, b = left.shape, right.shape
    if a is None or b is None or not 1 <= len(a) <= 2 or not 1 <= len(b) <= 2:
        return Array(None, dtype)
    shape = (*a[:-1], *b[1:])
    return Array(shape, dtype) if shape else Sym(type="float")


def promote(left: Value, right: Value) -> str | None:
    """The dtype of arithmetic between two operands; Python scalars are weak, as in numpy 2."""
    kinds: list[str] = []
    weak: list[str] = []
    for value in (left, right):
        if isinstance(value, Array):
            if value.dtype is None:
                return None
            kinds.append(value.dtype)
        else:
            weak.append(kind_of(value) or "?")
    if len(kinds) == 2:
        return promote_types(kinds[0], kinds[1])
    if weak[0] == "float" and kinds[0] not in FLOATS:
        return "float64"
    if weak[0] == "?" and kinds[0] not in FLOATS:
        return None
    return kinds[0]


def promote_types(a: str, b: str) -> str | None:
    if a not in ORDER or b not in ORDER:
        return None
    low, high = sorted((a, b), key=ORDER.index)
    if high == "float32" and low in ("int32", "int64"):
        return "float64"
    return high


def broadcast(a: Shape | None, b: Shape | None) -> Shape | None:
    if a is None or b is None:
        return None
    size = max(len(a), len(b))
    one: Dim = Const(1)
    left, right = (one,) * (size - len(a)) + a, (one,) * (size - len(b)) + b
    return tuple(y if as_int(x) == 1 else x for x, y in zip(left, right, strict=True))


# ---------------------------------------------------------------------- indexing


def index(owner: Value, keys: list[Any]) -> Value:
    """``owner[keys]``; a slice is a list of three values."""
    if isinstance(owner, Unknown) and owner.why:
        return owner
    if not isinstance(owner, Array) or owner.shape is None:
        return Array(None, owner.dtype) if isinstance(owner, Array) else UNKNOWN
    if sum(isinstance(key, Array | ListRef | Tuple) for key in keys) > 1:  # it walks side by side
        return Array(None, owner.dtype)
    shape: list[Dim] = []
    axis = 0
    for position, key in enumerate(keys):
        if isinstance(key, Const) and key.value is Ellipsis:
            rest = len([k for k in keys[position + 1 :] if not is_newaxis(k)])
            while axis < len(owner.shape) - rest:
                shape.append(owner.shape[axis])
                axis += 1
            continue
        if is_newaxis(key):
            shape.append(Const(1))
            continue
        if axis >= len(owner.shape):
            return Array(None, owner.dtype)
        if isinstance(key, list):
            shape.append(slice_dim(owner.shape[axis], key))
        elif isinstance(key, Array):
            if key.dtype == "bool" or key.shape is None:  # a mask takes as many axes as it has
                shape.append(None)
                axis += len(key.shape) - 1 if key.shape is not None else 0
            else:
                shape.extend(key.shape)
        elif not (isinstance(key, Sym) or (isinstance(key, Const) and as_int(key) is not None)):
            # an index of unknown kind may be an array
            shape.append(None)
        axis += 1
    shape.extend(owner.shape[axis:])
    if not shape:
        return Sym(type=scalar_type(owner.dtype))
    return Array(tuple(shape), owner.dtype)


def is_newaxis(key: Any) -> bool:
    return isinstance(key, Const) and key.value is None


def slice_dim(dim: Dim, bounds: list[Value]) -> Dim:
    values = [b.value if isinstance(b, Const) else ... for b in bounds]
    if values == [None, None, None]:
        return dim
    size = as_int(dim)
    if size is None or ... in values or not all(isinstance(v, int | None) for v in values):
        return None
    return Const(len(range(*slice(*values).indices(size))))


# ---------------------------------------------------------------------- attributes and methods


def attribute(array: Array, attr: str) -> Value:
    if attr == "shape":
        if array.shape is None:
            return UNKNOWN
        return Tuple(tuple(d if d is not None else Sym(type="int") for d in array.shape))
    if attr == "ndim":
        return Const(len(array.shape)) if array.shape is not None else Sym(type="int")
    if attr == "T" and array.shape is not None:
        return Array(tuple(reversed(array.shape)), array.dtype)
    if attr == "size":
        return Sym(type="int")
    return Bound(array, attr)


def method(array: Array, name: str, args: list[Value], keywords: dict[str, Value]) -> Value:
    match name:
        case "astype":
            return Array(array.shape, dtype_of(args[0] if args else keywords.get("dtype", NONE)))
        case "reshape":
            shape = args[0].items if len(args) == 1 and isinstance(args[0], Tuple) else tuple(args)
            return Array(reshape(array.shape, shape), array.dtype)
        case "copy" | "clip" | "round" | "numpy":
            return array
        case "flatten" | "ravel":
            return Array((None,), array.dtype)
        case "transpose":
            if array.shape is None:
                return array
            axes = args[0].items if len(args) == 1 and isinstance(args[0], Tuple) else tuple(args)
            return Array(permuted(array.shape, axes), array.dtype)
        case "squeeze":
            return Array(None, array.dtype)
        case "max" | "min" | "sum" | "mean" | "std" | "argmax" | "argmin" | "any" | "all" | "var":
            return reduction(name, array, args, keywords)
        case "item":
            return Sym(type=scalar_type(array.dtype))
    return UNKNOWN


def reduction(name: str, array: Array, args: list[Value], keywords: dict[str, Value]) -> Value:
    """``array.sum(axis, dtype=, keepdims=)`` and its kin."""
    axis = args[0] if args else keywords.get("axis", NONE)
    dtype = reduced(name, array.dtype)
    if "dtype" in keywords or len(args) > 1:
        dtype = dtype_of(keywords.get("dtype", UNKNOWN))
    keeps = keywords.get("keepdims", Const(False))
    if array.shape is None or not isinstance(keeps, Const):
        plain = axis == NONE and keeps == Const(False)
        return Sym(type=scalar_type(dtype)) if plain else Array(None, dtype)
    if axis == NONE and not keeps.value:
        return Sym(type=scalar_type(dtype))
    given = axis.items if isinstance(axis, Tuple) else (axis,)
    numbers = [as_int(one) for one in given] if axis != NONE else list(range(len(array.shape)))
    gone = {number % len(array.shape) for number in numbers if number is not None}
    if None in numbers:
        return Array(None, dtype)
    shape = [Const(1) if n in gone else dim for n, dim in enumerate(array.shape)]
    kept = [dim for n, dim in enumerate(array.shape) if n not in gone]
    return Array(tuple(shape if keeps.value else kept), dtype)


def reduced(name: str, dtype: str | None) -> str | None:
    """What numpy computes a reduction in: sums of small integers in int64."""
    if name in ("argmax", "argmin"):
        return "int64"
    if name in ("any", "all"):
        return "bool"
    if name in ("mean", "std", "var") and dtype not in FLOATS:
        return "float64" if dtype else None
    if name == "sum" and dtype in ("bool", "int8", "int16", "int32"):
        return "int64"
    return None if name == "sum" and str(dtype).startswith("uint") else dtype


def reshape(shape: Shape | None, target: Sequence[Value | None]) -> Shape:
    """The dims of ``reshape(target)``; a -1 is worked out where everything else is known."""
    dims: list[Dim] = [d if isinstance(d, Const | Sym) else None for d in target]
    for position, dim in enumerate(dims):
        if as_int(dim) == -1:
            rest = [as_int(d) for i, d in enumerate(dims) if i != position]
            total = [as_int(d) for d in shape] if shape is not None else [None]
            dims[position] = None
            if None not in rest and None not in total:
                size = math.prod(r for r in rest if r is not None)
                whole = math.prod(t for t in total if t is not None)
                dims[position] = Const(whole // size) if size else None
    return tuple(dims)


def permuted(shape: Shape, axes: tuple[Value, ...]) -> Shape | None:
    order = [as_int(a) for a in axes] or list(reversed(range(len(shape))))
    if None in order or sorted(o % len(shape) for o in order if o is not None) != list(
        range(len(shape))
    ):
        return None
    return tuple(shape[o] for o in order if o is not None)


def dtype_of(value: Value) -> str | None:
    """The name of a dtype given as a string, a Python type, a numpy type or one of TensorFlow's."""
    if isinstance(value, Const) and isinstance(value.value, str):
        return {"float": "float64", "int": "int64", "f4": "float32"}.get(value.value, value.value)
    if isinstance(value, Module | Ref):
        name = value.path.rsplit(".", 1)[-1].rstrip("_")
        return SCALARS.get(name, name) if name in (*ORDER, *SCALARS) else None
    return None
