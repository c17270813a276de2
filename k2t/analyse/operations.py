"""Tensor operations on symbolic tensors: calls of ``keras.ops``, the backend and TensorFlow."""

from __future__ import annotations

import ast
from typing import TYPE_CHECKING

from k2t.analyse import arguments, drawn, graph, handed, scorers
from k2t.analyse.names import SCHEDULE
from k2t.analyse.operation_shapes import RULES
from k2t.analyse.several_shapes import SEVERAL, measured
from k2t.analyse.state import Frame
from k2t.analyse.tensor_shapes import BATCH, Given, Unclear, of_any_rank, slice_of
from k2t.ir.source import Span
from k2t.ir.values import (
    NONE,
    UNKNOWN,
    Arg,
    Array,
    Const,
    ListRef,
    Obj,
    Samples,
    Shape,
    Sym,
    Tensor,
    Tuple,
    Value,
    known,
)
from k2t.table import Row

if TYPE_CHECKING:
    from k2t.analyse.interpreter import Interpreter

TRUE = Const(True)
OPERATORS: dict[type[ast.AST], str] = {
    ast.Pow: "power",
    ast.MatMult: "matmul",
    ast.Eq: "equal",
    ast.NotEq: "not_equal",
    ast.Lt: "less",
    ast.LtE: "less_equal",
    ast.Gt: "greater",
    ast.GtE: "greater_equal",
    ast.Invert: "logical_not",
    ast.BitAnd: "logical_and",
    ast.BitOr: "logical_or",
    ast.BitXor: "logical_xor",
    ast.FloorDiv: "floor_divide",
    ast.Mod: "mod",
}
"""Python's operators that are rows; sums and products are operators of the graph itself."""


def call(interp: Interpreter, row: Row, path: str, node: ast.Call, frame: Frame) -> Value:
    """A call of an operation's name; on anything but tensors it is not understood."""
    args = bound(interp, row, path, node, frame)
    if isinstance(args, str):
        return interp.unsupported(args, node, frame)
    if path.startswith("keras.random.") and known(args["seed"].value, int):
        return interp.unsupported(
            f"{path} with a seed, which draws the same each time", node, frame
        )
    sized = drawn.drawn(interp, args, frame) if row.get("sized") else args
    if sized is None:
        return interp.unsupported(f"{path} of a size that is not known here", node, frame)
    args = sized
    number = row.name == "cast" and isinstance(args["x"].value, Const | Sym | Samples)
    ops = interp.table.rows["ops"]
    if number and handed.inside(interp, (SCHEDULE,), frame):
        noted(interp, ops["scalar"], args, node, frame)
        return handed.scalar(interp, frame)
    if number and handed.inside(interp, scorers.BASES, frame):
        if args["x"].value != NONE:
            noted(interp, ops["number"], args, node, frame)
            return Sym(type="float")
        args["x"] = scorers.unseen(interp, args["x"], frame)
    if row.name == "constant":
        return drawn.constant(interp, row, args, node, frame)
    if row.get("count"):
        return drawn.numbers(interp, row, args, node, frame)
    if row.name == "arange":
        return drawn.counted(interp, row, args, node, frame)
    if row.name in ("eye", "tri"):
        return drawn.unit_matrix(interp, row, args, node, frame)
    return applied(interp, row, args, node, frame, path)


def bound(
    interp: Interpreter, row: Row, path: str, node: ast.Call, frame: Frame
) -> dict[str, Arg] | str:
    """The arguments by parameter name, with the defaults of this spelling; what is said of the call
    if they do not fit the signature."""
    order = row.get("order", {}).get(path)
    names = order.split() if order else [p.name for p in row.params]
    count = len(interp.events)
    at = len(names) - 1
    behind = node.args[at:] if row.get("rest") else []
    if behind:
        node = ast.copy_location(ast.Call(node.func, node.args[:at], node.keywords), node)
    written = arguments.given(interp, node, frame, names, row.get("legacy", {}))
    if behind:
        span = Span(interp.span(behind[0]).start, interp.span(behind[-1]).end)
        written[names[at]] = Arg(Tuple(tuple(interp.elements(behind, frame))), span)
    written.pop("name", None)
    if any(e.kind == "unsupported" for e in interp.events[count:]):
        return path
    own = row.get("defaults", {}).get(path, {})
    args = {p.name: Arg(arguments.default(own.get(p.name, p.default))) for p in row.params}
    required = {p.name for p in row.params if p.required and p.name not in own}
    if odd := sorted(set(written) - set(args)):
        return f"{path}({odd[0]}=...)"
    if lacking := sorted(required - set(written)):
        return f"{path} without {lacking[0]}"
    return {**args, **written}


def applied(
    interp: Interpreter,
    row: Row,
    args: dict[str, Arg],
    node: ast.AST,
    frame: Frame,
    what: str,
) -> Value:
    """The node of an operation in the graph."""
    args = {name: Arg(settled(interp, a.value), a.span) for name, a in args.items()}
    operands = tensor_values(row, args)
    if row.name == "reshape" and not any(is_whole(interp, v) for v in operands):
        args["newshape"] = rest_first(args["newshape"])
    tensors = [v for v in operands if isinstance(v, Tensor)]
    if row.name == "transpose" and args["axes"].value == NONE and len(tensors) == 1:
        args["axes"] = Arg(backwards(interp, tensors[0]))
    if not tensors and row.get("scalar") and isinstance(node, ast.Call):
        return drawn.of_numbers(interp, row, args, operands, node, frame, what)
    if not tensors or not all(isinstance(v, Tensor | Const | Sym) for v in operands):
        return interp.unsupported(what, node, frame)
    others = [a.value for name, a in args.items() if name not in tensor_names(row)]
    if any(isinstance(v, Tensor | Array) or v == UNKNOWN for v in others):
        return interp.unsupported(f"{what} with an argument that is not known", node, frame)
    if row.get("ranked"):
        full = [graph.full_shape(interp.graph[t.node]) for t in tensors]
        ranks = Tuple(tuple(NONE if s is None else Const(len(s)) for s in full))
        sizes = Tuple(
            tuple(NONE if s is None else Tuple(tuple(d or NONE for d in s)) for s in full)
        )
        args = {**args, "ranks": Arg(ranks), "sizes": Arg(sizes)}
    if row.get("truths"):
        given = {n: args[n].value for n in tensor_names(row)}
        truths = [n for n, v in given.items() if is_truth(interp, v) or known(v, bool)]
        args = {**args, "truths": Arg(Tuple(tuple(map(Const, truths))))}
    if row.data["shape"] in SEVERAL:
        return taken_apart(interp, row, args, tensors, node, frame, what)
    pooled = False
    try:
        shape = result_shape(interp, row, args, tensors)
        if shape is None or shape[:1] != (BATCH,):
            pooled = not any(interp.graph[t.node].whole for t in tensors)
        elif not any(interp.graph[t.node].whole for t in tensors):
            shape = shape[1:]
    except Unclear as error:
        return interp.unsupported(f"{what} ({error})", node, frame)
    operation = noted(interp, row, args, node, frame)
    return graph.new_node(
        interp, None, tensors, shape, node, frame, operation=operation, pooled=pooled
    )


def noted(interp: Interpreter, row: Row, args: dict[str, Arg], node: ast.AST, frame: Frame) -> Obj:
    """An operation, and that it is called here."""
    span, stmt = interp.span(node), interp.span(interp.stmt)
    operation = Obj(interp.fresh(), row.name, args, span, stmt)
    if isinstance(node, ast.Call):
        truths = {name for name in tensor_names(row) if is_truth(interp, args[name].value)}
        interp.event("tensor_operation", node, frame, operation=operation, truths=truths)
    return operation


def taken_apart(
    interp: Interpreter,
    row: Row,
    args: dict[str, Arg],
    tensors: list[Tensor],
    node: ast.AST,
    frame: Frame,
    what: str,
) -> Value:
    """The results of an operation that has several, as a tuple."""
    made = [interp.graph[t.node] for t in tensors]
    whole = any(m.whole for m in made)
    known = [graph.full_shape(m) for m in made]
    try:
        if row.name == "split":
            sizes = measured(args["num_or_size_splits"].value, args["axis"].value, known[0])
            args = {**args, "num_or_size_splits": Arg(sizes)}
        values = {name: arg.value for name, arg in args.items()}
        shapes = SEVERAL[row.data["shape"]](values, known)
        if not whole and any(s is None or s[:1] != (BATCH,) for s in shapes):
            raise Unclear("an operation over the batch")
    except Unclear as error:
        return interp.unsupported(f"{what} ({error})", node, frame)
    args = {**args, "outputs": Arg(Const(len(shapes)))}
    operation = noted(interp, row, args, node, frame)
    first = graph.new_node(interp, None, tensors, None, node, frame, operation=operation)
    parts = []
    for number, shape in enumerate(shapes):
        shape = shape if whole or shape is None else shape[1:]
        place = f"[{number}]"
        parts.append(graph.new_node(interp, None, [first], shape, node, frame, place, (None,)))
    return Tuple(tuple(parts))


def is_whole(interp: Interpreter, value: Value) -> bool:
    return isinstance(value, Tensor) and interp.graph[value.node].whole


def rest_first(shape: Arg) -> Arg:
    """A shape that begins with the number of samples, as one that begins with -1."""
    items = shape.value.items if isinstance(shape.value, Tuple) else ()
    if items and isinstance(items[0], Samples):
        return Arg(Tuple((Const(-1), *items[1:])), shape.span)
    return shape


ARRANGED = ("identity", "reshape", "squeeze", "expand_dims", "transpose", "flatten", "getitem")


def is_truth(interp: Interpreter, value: Value) -> bool:
    """Whether a tensor holds True and False."""
    while isinstance(value, Tensor):
        made = interp.graph[value.node]
        if made.operation is None or "." in made.operation.row:
            return False
        if interp.table.rows["ops"][made.operation.row].get("out") == "bool":
            return True
        if made.operation.row not in ARRANGED:
            return False
        value = made.operation.args["x"].value
    return False


def backwards(interp: Interpreter, tensor: Tensor) -> Value:
    """The axes of a tensor from the last to the first; UNKNOWN if their number is."""
    shape = graph.full_shape(interp.graph[tensor.node])
    if shape is None:
        return UNKNOWN
    return Tuple(tuple(Const(axis) for axis in reversed(range(len(shape)))))


def tensor_names(row: Row) -> list[str]:
    """The parameters of an operation that are tensors."""
    if row.get("list"):
        return [row.data["list"]]
    return list(row.get("tensors", [row.params[0].name]))


def tensor_values(row: Row, args: dict[str, Arg]) -> list[Value]:
    found: list[Value] = []
    for name in tensor_names(row):
        value = args[name].value
        found.extend(value.items if isinstance(value, Tuple) else [value])
    return found


def settled(interp: Interpreter, value: Value) -> Value:
    """A list as a tuple of what it has now; lists in it too."""
    items = interp.items(value) if isinstance(value, ListRef | Tuple) else None
    if items is None:
        return value
    return Tuple(tuple(settled(interp, i) for i in items), value.expr)  # type: ignore[union-attr]


def whole_shape(row: Row, args: dict[str, Arg], known: list[Shape | None]) -> Shape | None:
    """The shape of a result in a loss or metric, the batch with it; None where it is not known."""
    values = {name: arg.value for name, arg in args.items()}
    if row.data["shape"] == "reduce" and values["axis"] == NONE and values["keepdims"] != TRUE:
        return ()
    if any(s is None for s in known):
        return None
    shapes = tuple(s for s in known if s is not None)
    if row.data["shape"] == "broadcast":
        return of_any_rank(shapes)
    try:
        return RULES[row.data["shape"]](Given(row, values, shapes, whole=True))
    except Unclear:
        return None


def result_shape(
    interp: Interpreter, row: Row, args: dict[str, Arg], tensors: list[Tensor]
) -> Shape | None:
    """The shape of the result with the batch, if that is still there.

    Raises:
        Unclear: it cannot be told.
    """
    known = [interp.graph[t.node].shape for t in tensors]
    if any(interp.graph[t.node].whole for t in tensors):
        return whole_shape(row, args, [graph.full_shape(interp.graph[t.node]) for t in tensors])
    if any(s is None for s in known):
        raise Unclear("the shape of a tensor is not known")
    shapes = tuple((BATCH, *s) for s in known if s is not None)
    values = {name: arg.value for name, arg in args.items()}
    shape = RULES[row.data["shape"]](Given(row, values, shapes))
    if shape[:1] != (BATCH,) and row.data["shape"] not in ("reduce", "flat"):
        raise Unclear("an operation over the batch")
    return shape


def activation(interp: Interpreter, row: Row, path: str, node: ast.Call, frame: Frame) -> Value:
    """``keras.activations.relu(x)`` and the like on a tensor; with more arguments an operation."""
    others = interp.table.rows["ops"].values()
    more = next((other for other in others if path in other.get("also", ())), None)
    if more is not None and len(node.args) + len(node.keywords) > 1:
        return call(interp, more, path, node, frame)
    names = ["x", "axis"] if row.get("axis") else ["x"]
    legacy = {"logits": "x", "features": "x"}
    args = arguments.given(interp, node, frame, names, legacy)
    args.pop("name", None)
    value = args.get("x", Arg(UNKNOWN)).value
    if not isinstance(value, Tensor) or set(args) - set(names):
        return interp.unsupported(f"a call of {row.keras[0]}", node, frame)
    return activated(interp, row, args, node, frame)


def loss_of(interp: Interpreter, row: Row, path: str, node: ast.Call, frame: Frame) -> Value:
    """``keras.losses.mse(y_true, y_pred)`` on the tensors of a loss: a value for each sample."""
    args = arguments.given(interp, node, frame, ["y_true", "y_pred"], {})
    tensors = [args[n].value for n in ("y_true", "y_pred") if n in args]
    known = [v for v in tensors if isinstance(v, Tensor)]
    if len(args) != 2 or len(known) != 2:
        return interp.unsupported(path, node, frame)
    span, stmt = interp.span(node), interp.span(interp.stmt)
    operation = Obj(interp.fresh(), f"losses.{row.name}", args, span, stmt)
    interp.event("tensor_operation", node, frame, operation=operation)
    full = interp.graph[known[1].node].shape
    shape = full[:-1] if full else None
    return graph.new_node(interp, None, known, shape, node, frame, operation=operation)


def activated(
    interp: Interpreter, row: Row, args: dict[str, Arg], node: ast.AST, frame: Frame
) -> Value:
    value = args["x"].value
    assert isinstance(value, Tensor)
    operation = Obj(
        interp.fresh(), f"activations.{row.name}", args, interp.span(node), interp.span(interp.stmt)
    )
    shape = interp.graph[value.node].shape
    if isinstance(node, ast.Call):
        interp.event("tensor_operation", node, frame, operation=operation)
    return graph.new_node(interp, None, [value], shape, node, frame, operation=operation)


def operator(
    interp: Interpreter, op: ast.AST, values: list[Value], node: ast.AST, frame: Frame
) -> Value:
    """A Python operator that is a row: ``x ** 2``, ``x > 0``."""
    what = f"{type(op).__name__} on a Keras tensor"
    name = OPERATORS.get(type(op))
    if name is None:
        return interp.unsupported(what, node, frame)
    row = interp.table.rows["ops"][name]
    args = {p.name: Arg(arguments.default(p.default)) for p in row.params}
    args.update(zip((p.name for p in row.params), map(Arg, values), strict=False))
    return applied(interp, row, args, node, frame, what)


def indexed(
    interp: Interpreter, owner: Tensor, index: ast.expr, node: ast.AST, frame: Frame
) -> Value:
    """``x[:, -1]``."""
    elements = index.elts if isinstance(index, ast.Tuple) else [index]
    parts: list[Value] = []
    for element in elements:
        if isinstance(element, ast.Slice):
            bounds = (element.lower, element.upper, element.step)
            parts.append(slice_of(*(interp.written(b, frame) if b else NONE for b in bounds)))
        else:
            parts.append(interp.written(element, frame))
    row = interp.table.rows["ops"]["getitem"]
    args = {"x": Arg(owner), "index": Arg(Tuple(tuple(parts)))}
    return applied(interp, row, args, node, frame, "indexing of a Keras tensor")


def by_path(interp: Interpreter, path: str, value: Value, node: ast.AST, frame: Frame) -> Value:
    """An operation or activation that is handed about, on one tensor."""
    row = interp.table.find(path)
    args = {"x": Arg(value)}
    if row is None or not isinstance(value, Tensor) or row.section not in ("ops", "activations"):
        return interp.unsupported(path, node, frame)
    if row.section == "activations":
        return activated(interp, row, args, node, frame)
    own = row.get("defaults", {}).get(path, {})
    defaults = {p.name: Arg(arguments.default(own.get(p.name, p.default))) for p in row.params[1:]}
    return applied(interp, row, {row.params[0].name: Arg(value), **defaults}, node, frame, path)
