"""What calls of numpy, ``math``, ``random`` and the builtins return."""

from __future__ import annotations

import ast
import math
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from k2t.analyse.arrays import (
    FLOATS,
    array_binary,
    dtype_of,
    kind_of,
    permuted,
    reduced,
    reduction,
    reshape,
    scalar_type,
)
from k2t.analyse.shape_terms import dim
from k2t.ir.values import (
    NONE,
    UNKNOWN,
    Array,
    Const,
    Module,
    Obj,
    Ref,
    Shape,
    Sym,
    Tuple,
    Unknown,
    Value,
    as_int,
)

if TYPE_CHECKING:
    from k2t.analyse.interpreter import Interpreter

KEEP = {
    "copy", "ascontiguousarray", "clip", "abs", "absolute", "sort", "flip", "roll", "negative",
    "square", "round", "around", "fliplr", "flipud", "sign", "nan_to_num",
}  # fmt: skip
ARITHMETIC = {
    "maximum", "minimum", "power", "mod", "add", "subtract", "multiply", "fmod", "remainder",
}  # fmt: skip
FLOATING = {
    "sqrt", "exp", "log", "sin", "cos", "tan", "tanh", "sinh", "cosh", "arctan", "arctan2", "log1p",
    "expm1", "log2", "log10", "hypot", "floor", "ceil", "deg2rad",
}  # fmt: skip


def call(interp: Interpreter, path: str, args: list[Value], keywords: dict[str, Value]) -> Value:
    """Calls of builtins and of numpy."""
    root, _, rest = path.partition(".")
    if root == "builtins":
        return builtin(interp, rest, args)
    if root == "math":
        return math_call(rest, args)
    if root == "numpy":
        return numpy_call(interp, rest, args, keywords)
    for value in args:
        if isinstance(value, Unknown) and value.why:
            return value
    if path == "sklearn.model_selection.train_test_split":
        halves = [
            Array(
                (None, *a.shape[1:]) if isinstance(a, Array) and a.shape else None,
                a.dtype if isinstance(a, Array) else None,
            )
            for a in args
        ]
        return Tuple(tuple(h for half in halves for h in (half, half)))
    return UNKNOWN


def builtin(interp: Interpreter, name: str, args: list[Value]) -> Value:
    first = args[0] if args else UNKNOWN
    match name:
        case "len":
            items = interp.items(first)
            if items is not None:
                return Const(len(items))
            if isinstance(first, Array) and first.shape and first.shape[0] is not None:
                return first.shape[0]
            if isinstance(first, Const) and isinstance(first.value, str):
                return Const(len(first.value))
            return Sym(type="int")
        case "range":
            bounds = [as_int(a) for a in args]
            if bounds and None not in bounds:
                span = range(*[b for b in bounds if b is not None])
                if len(span) <= 1000:
                    return Tuple(tuple(Const(i) for i in span))
            return UNKNOWN
        case "enumerate":
            items = interp.items(first)
            if items is not None:
                return Tuple(tuple(Tuple((Const(i), v)) for i, v in enumerate(items)))
        case "zip":
            columns = [interp.items(a) for a in args]
            if columns and all(c is not None for c in columns):
                return Tuple(tuple(Tuple(row) for row in zip(*columns, strict=False)))
            return Unknown()
        case "list" | "tuple" | "sorted" | "reversed":
            items = interp.items(first) if args else []
            if items is not None:
                ordered = list(reversed(items)) if name == "reversed" else items
                return Tuple(tuple(ordered)) if name == "tuple" else interp.new_list(tuple(ordered))
        case "dict":
            return interp.new_list({}, "dict") if not args else UNKNOWN
        case "int" | "float" | "round" | "abs" | "str" | "bool":
            return convert(name, first)
        case "max" | "min" | "sum":
            return extreme(interp, name, args)
        case "isinstance" if len(args) == 2 and isinstance(first, Obj):
            return is_layer(interp, first, args[1])
        case "isinstance" | "hasattr" | "callable":
            return Sym(type="bool")
    return UNKNOWN


def is_layer(interp: Interpreter, layer: Obj, cls: Value) -> Value:
    """``isinstance(layer, Dense)``; unknown where the class may be a base of the layer's."""
    classes = interp.items(cls) or [cls]
    rows = [interp.table.find(one.path) if isinstance(one, Ref) else None for one in classes]
    if layer.row in ("Model", "Application"):
        return Sym(type="bool")
    if layer.row == "ApplicationLayer":  # of one of Keras's networks only the name is known
        norm = [row.name if row is not None else "" for row in rows] == ["BatchNormalization"]
        name = layer.args["name"].value
        return (
            Const("bn" in str(name.value).lower())
            if norm and isinstance(name, Const)
            else Sym(type="bool")
        )
    if any(row is not None and row.name == layer.row for row in rows):
        return Const(True)
    if any(row is None or row.name in layer.row for row in rows):
        return Sym(type="bool")
    return Const(False)


def convert(name: str, value: Value) -> Value:
    functions: dict[str, Any] = {
        "int": int,
        "float": float,
        "round": round,
        "abs": abs,
        "str": str,
        "bool": bool,
    }
    if isinstance(value, Const):
        try:
            return Const(functions[name](value.value))
        except (TypeError, ValueError):
            return UNKNOWN
    return Sym(type={"round": "int"}.get(name, name))


def extreme(interp: Interpreter, name: str, args: list[Value]) -> Value:
    items = interp.items(args[0]) if len(args) == 1 else args
    values = [v.value for v in items or [] if isinstance(v, Const)]
    if items and len(values) == len(items):
        functions: dict[str, Callable[[list[Any]], Any]] = {"max": max, "min": min, "sum": sum}
        try:
            return Const(functions[name](values))
        except TypeError:
            return UNKNOWN
    return Sym(type="int" if isinstance(args[0] if args else None, Array) else None)


def math_call(name: str, args: list[Value]) -> Value:
    values = [a.value for a in args if isinstance(a, Const)]
    if args and len(values) == len(args):
        try:
            return Const(getattr(math, name)(*values))
        except (AttributeError, TypeError, ValueError, OverflowError):
            return UNKNOWN
    return Sym(type="int" if name in ("ceil", "floor", "prod") else "float")


def shape_from(interp: Interpreter, value: Value) -> Shape | None:
    items = interp.items(value)
    if items is not None:
        return tuple(map(dim, items))
    if isinstance(value, Const | Sym):
        return (value,)
    return None


def numpy_call(
    interp: Interpreter, name: str, args: list[Value], keywords: dict[str, Value]
) -> Value:
    first = args[0] if args else UNKNOWN
    if name.startswith("random."):
        return random_call(interp, name[7:], args, keywords)
    short = name.rsplit(".", 1)[-1]
    match short:
        case "zeros" | "ones" | "empty" | "full":
            position = 2 if short == "full" else 1
            given = args[position] if len(args) > position else keywords.get("dtype")
            dtype = dtype_of(given) if given else ("float64" if short != "full" else None)
            return Array(
                shape_from(interp, args[0] if args else keywords.get("shape", NONE)), dtype
            )
        case "zeros_like" | "ones_like" | "empty_like":
            return first if isinstance(first, Array) else UNKNOWN
        case "array" | "asarray":
            return as_array(interp, first, args[1] if len(args) > 1 else keywords.get("dtype"))
        case "arange":
            kinds = {kind_of(a) for a in args}
            given = keywords.get("dtype")
            dtype = dtype_of(given) if given else ("int64" if kinds <= {"int"} else "float64")
            size = as_int(first) if len(args) == 1 else None
            return Array((Const(size) if size is not None else None,), dtype)
        case "linspace":
            count = args[2] if len(args) > 2 else keywords.get("num", Const(50))
            return Array((dim(count),), "float64")
        case "expand_dims":
            return expand_dims(first, args[1] if len(args) > 1 else keywords.get("axis", NONE))
        case "reshape" if isinstance(first, Array):
            return Array(reshape(first.shape, shape_from(interp, args[1]) or ()), first.dtype)
        case "concatenate" | "vstack" | "hstack" | "stack" | "column_stack":
            return combine(
                interp, short, first, keywords.get("axis", args[1] if len(args) > 1 else None)
            )
        case "max" | "min" | "amax" | "amin" | "sum" | "mean" | "std" | "argmax" | "argmin" | "var":
            axis = args[1] if len(args) > 1 else keywords.get("axis", NONE)
            if isinstance(first, Array):
                whole = {"amax": "max", "amin": "min"}.get(short, short)
                return reduction(whole, first, args[1:], keywords)
            return Sym(type="int") if short in ("max", "min") and axis == NONE else UNKNOWN
        case "unique" | "nonzero" | "where":
            return UNKNOWN
        case "transpose" if isinstance(first, Array) and first.shape is not None:
            axes = interp.items(args[1]) if len(args) > 1 else []
            return Array(permuted(first.shape, tuple(axes or ())), first.dtype)
        case "eye":
            given = keywords.get("dtype")
            return Array((dim(first), dim(first)), dtype_of(given) if given else "float64")
        case "float32" | "float64" | "int32" | "int64" | "uint8":
            return (
                Array(first.shape, short)
                if isinstance(first, Array)
                else Sym(type=scalar_type(short))
            )
    if short in KEEP and isinstance(first, Array):
        return first
    if short in ("cumsum", "cumprod") and isinstance(first, Array):
        flat = len(args) < 2 and "axis" not in keywords
        return Array((None,) if flat else first.shape, reduced("sum", first.dtype))
    if short in ARITHMETIC and len(args) == 2 and any(isinstance(a, Array) for a in args):
        return array_binary(ast.Add(), args[0], args[1])
    if short in ("divide", "true_divide") and any(isinstance(a, Array) for a in args[:2]):
        return array_binary(ast.Div(), args[0], args[1])
    if short in FLOATING and isinstance(first, Array):
        dtype = first.dtype if first.dtype in FLOATS else "float64" if first.dtype else None
        return Array(first.shape, dtype)
    for value in args:
        if isinstance(value, Unknown) and value.why:
            return value
    return UNKNOWN


def as_array(interp: Interpreter, value: Value, given: Value | None) -> Value:
    dtype = dtype_of(given) if given is not None and given != NONE else None
    if isinstance(value, Array):
        return Array(value.shape, dtype or value.dtype)
    items = interp.items(value)
    if items is None:
        return value if isinstance(value, Unknown) and value.why else Array(None, dtype)
    inner = as_array(interp, items[0], given) if items else UNKNOWN
    if isinstance(inner, Array) and inner.shape is not None:
        return Array((Const(len(items)), *inner.shape), dtype or inner.dtype)
    if items and all(isinstance(i, Const | Sym) for i in items):
        kinds = {kind_of(i) for i in items}
        guess = "int64" if kinds == {"int"} else "float64" if kinds <= {"int", "float"} else None
        return Array((Const(len(items)),), dtype or guess)
    return Array(None, dtype)


def expand_dims(value: Value, axis: Value) -> Value:
    number = as_int(axis)
    if not isinstance(value, Array) or value.shape is None or number is None:
        return Array(None, value.dtype) if isinstance(value, Array) else UNKNOWN
    shape = list(value.shape)
    shape.insert(number if number >= 0 else len(shape) + 1 + number, Const(1))
    return Array(tuple(shape), value.dtype)


def combine(interp: Interpreter, name: str, value: Value, axis: Value | None) -> Value:
    arrays = [a for a in interp.items(value) or [] if isinstance(a, Array)]
    if not arrays or arrays[0].shape is None:
        return Array(None, arrays[0].dtype if arrays else None)
    dtypes = {a.dtype for a in arrays}
    dtype = dtypes.pop() if len(dtypes) == 1 else None
    shape = list(arrays[0].shape)
    if name == "stack":
        number = as_int(axis) if axis is not None else 0
        if number is None:
            return Array(None, dtype)
        shape.insert(number if number >= 0 else len(shape) + 1 + number, Const(len(arrays)))
        return Array(tuple(shape), dtype)
    number = as_int(axis) if axis is not None else (1 if name in ("hstack", "column_stack") else 0)
    if (
        number is None
        or not -len(shape) <= number < len(shape)
        or any(a.shape is None or len(a.shape) != len(shape) for a in arrays)
    ):
        return Array(None, dtype)
    sizes = [as_int(a.shape[number]) for a in arrays if a.shape is not None]
    shape[number] = Const(sum(s for s in sizes if s is not None)) if None not in sizes else None
    return Array(tuple(shape), dtype)


def random_call(
    interp: Interpreter, name: str, args: list[Value], keywords: dict[str, Value]
) -> Value:
    """``numpy.random``: functions, RandomState and Generator methods (told apart by name only)."""
    if name in ("default_rng", "RandomState"):
        return Module("numpy.random")
    if name in ("rand", "randn"):
        dims: Shape = tuple(map(dim, args))
        return Array(dims, "float64") if dims else Sym(type="float")
    if name in ("permutation", "shuffle") and args:
        if isinstance(args[0], Const | Sym):
            return Array((args[0],), "int64")
        return args[0] if name == "permutation" else NONE
    positions = {
        "randint": 2,
        "integers": 2,
        "normal": 2,
        "uniform": 2,
        "random": 0,
        "random_sample": 0,
        "standard_normal": 0,
        "choice": 1,
        "binomial": 2,
        "poisson": 1,
    }
    if name not in positions:
        return UNKNOWN
    position = positions[name]
    size = keywords.get("size", args[position] if len(args) > position else NONE)
    given = keywords.get("dtype")
    integer = name in ("randint", "integers", "binomial", "poisson")
    dtype = dtype_of(given) if given else "int64" if integer else "float64"
    if name == "choice":
        dtype = args[0].dtype if args and isinstance(args[0], Array) else "int64"
    if size == NONE:
        return Sym(type="int" if integer else "float")
    return Array(shape_from(interp, size), dtype)
