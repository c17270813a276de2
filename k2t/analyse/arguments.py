"""The arguments of a Keras call, by the names of its parameters."""

from __future__ import annotations

import ast
from typing import Any

from k2t.analyse import expressions
from k2t.analyse.interpreter import Interpreter
from k2t.analyse.state import Frame
from k2t.ir.source import Span
from k2t.ir.values import Arg, Array, Const, ListRef, Sym, Tuple, Value, known
from k2t.table import Row

BASE_ARGUMENTS = (
    "name",
    "trainable",
    "dtype",
    "input_shape",
    "batch_input_shape",
    "batch_shape",
    "input_dim",
    "input_length",
    "batch_size",
    "weights",
    "autocast",
    "activity_regularizer",
)
"""Arguments that every layer takes besides its own."""


def evaluated(interp: Interpreter, node: ast.Call, frame: Frame) -> list[Value]:
    values = interp.elements(node.args, frame)
    return values + [interp.eval(k.value, frame) for k in node.keywords]


def bind_row(interp: Interpreter, row: Row, node: ast.Call, frame: Frame) -> dict[str, Arg]:
    """Arguments by parameter name, defaults included."""
    extra = BASE_ARGUMENTS if row.section == "layers" else tuple(row.get("extra", ()))
    legacy = row.get("legacy", {})
    params = row.signature(interp.dialect)
    order = row.for_dialect(interp.dialect, "positional") or [p.name for p in params]
    written = given(interp, node, frame, order, legacy)
    args = {p.name: Arg(default(p.default)) for p in params}
    allowed = {p.name for p in params} | set(extra) | set(row.get("ignores", ()))
    if row.section != "layers":
        allowed.add("name")
    for name, arg in written.items():
        if name not in allowed and row.section == "preprocessing":
            interp.event("bad_argument", node, frame, row=row.name, name=name)
            continue
        args[name] = arg  # one that the row does not know is refused when it is lowered
    return args


def made_with(
    interp: Interpreter, row: Row, path: str, node: ast.Call, frame: Frame
) -> dict[str, Arg]:
    """The arguments of a constructor; other names of a class may have other defaults."""
    args = with_arrays(interp, row, node, frame)
    if "old_kernel" in row.data and interp.dialect == "keras2":
        args = with_kernel(interp, row, node, frame, args)
    name = path.rpartition(".")[2]
    own = row.for_dialect(interp.dialect, "spellings", {}).get(name)
    if own is None:
        return args
    unsaid = {key: value for key, value in own.items() if args[key].span is None}
    args |= {key: Arg(default(value)) for key, value in unsaid.items()}
    return args if row.section != "layers" else {**args, "@spelling": Arg(Const(name))}


def with_kernel(
    interp: Interpreter, row: Row, node: ast.Call, frame: Frame, args: dict[str, Arg]
) -> dict[str, Arg]:
    """``Convolution2D(32, 3, 3)``: Keras 2 took two numbers for the kernel's height and width."""
    named = [args.pop(name, None) for name in row.data["old_kernel"]]
    sides = [arg for arg in named if arg is not None]
    new = any(k.arg in ("padding", "strides", "data_format") for k in node.keywords)
    if len(node.args) == 3 and not new:
        sides = [Arg(interp.written(n, frame), interp.span(n)) for n in node.args[1:]]
    if len(sides) != 2 or not all(known(arg.value, int) and arg.span for arg in sides):
        return args
    first, last = (arg.span for arg in sides)
    assert first is not None
    assert last is not None
    kernel = Arg(Tuple((sides[0].value, sides[1].value)), Span(first.start, last.end))
    plain = next(p.default for p in row.params if p.name == "strides")
    strides = args["strides"] if args["strides"].span != last else Arg(default(plain))
    return {**args, "kernel_size": kernel, "strides": strides}


def with_arrays(interp: Interpreter, row: Row, node: ast.Call, frame: Frame) -> dict[str, Arg]:
    """The arguments, an array that weights start from as it is written: ``Constant(matrix)``."""
    args = bind_row(interp, row, node, frame)
    name = {"Constant": "value", "Embedding": "weights"}.get(row.name)
    arg = args.get(name) if name is not None else None
    if arg is None or arg.span is None:
        return args
    written = next(
        n for n in ast.walk(node) if isinstance(n, ast.expr) and interp.span(n) == arg.span
    )
    if isinstance(written, ast.List) and len(written.elts) == 1:
        written = written.elts[0]
    value = interp.eval(written, frame) if isinstance(written, ast.expr) else arg.value
    expr = expressions.expr_of(interp, written, frame) if isinstance(value, Array) else None
    return {**args, str(name): Arg(Sym(expr, "array"), arg.span)} if expr is not None else args


def default(value: Any) -> Value:
    if isinstance(value, list):
        return Tuple(tuple(default(v) for v in value))
    return Const(value)


def given(
    interp: Interpreter,
    node: ast.Call,
    frame: Frame,
    positional: list[str],
    legacy: dict[str, str],
) -> dict[str, Arg]:
    """The arguments written in a call, by parameter name."""
    args: dict[str, Arg] = {}
    for position, item in enumerate(node.args):
        value = interp.written(item, frame)
        if isinstance(item, ast.Starred) or position >= len(positional):
            interp.unsupported("positional arguments", item, frame)
            continue
        args[positional[position]] = Arg(value, interp.span(item))
    for keyword in node.keywords:
        value = interp.written(keyword.value, frame)
        if keyword.arg is None:
            content = interp.heap.get(value.id) if isinstance(value, ListRef) else None
            if isinstance(content, dict):
                args.update({legacy.get(str(k), str(k)): Arg(v) for k, v in content.items()})
            else:
                interp.unsupported("arguments given as **", keyword.value, frame)
            continue
        name = legacy.get(keyword.arg, keyword.arg)
        args[name] = Arg(value, interp.span(keyword.value))
    return args


def split_validation(interp: Interpreter, args: dict[str, Arg], node: ast.Call) -> None:
    """The parts of a ``validation_data=(x, y)`` that is written as a tuple or list."""
    data = args.get("validation_data")
    if data is None:
        return
    values = interp.items(data.value)
    literal = next(
        (
            n
            for n in ast.walk(node)
            if isinstance(n, ast.Tuple | ast.List) and interp.span(n) == data.span
        ),
        None,
    )
    if values is None or literal is None or len(values) != len(literal.elts):
        return
    for name, value, element in zip(("x", "y", "w"), values, literal.elts, strict=False):
        args[f"validation_{name}"] = Arg(value, interp.span(element))
