"""Tensor operations in torch: the row's spelling, axes as the tensor's layout has them."""

from __future__ import annotations

import ast
import re
from collections.abc import Collection, Mapping, Sequence
from typing import Protocol

from k2t.ir.finding import NotMigrated
from k2t.ir.nodes import Node
from k2t.ir.values import Const, Expr, Obj, Samples, Sym, Tensor, Tuple, Value, as_int
from k2t.lower import nets, operations, pictures
from k2t.lower import text as t
from k2t.lower.brackets import HOLE, arithmetic, bracketed, ends_in, filled
from k2t.lower.operations import listed, value_key
from k2t.lower.ops import Context
from k2t.lower.pieces import NAMES, TO_FIRST, TO_LAST
from k2t.table import Row

POSITIVE = re.compile(r"\.(square|abs|exp)\(\)$|\.clamp\(min=[1-9.]\S*\)$|\.clamp\(min=0?\.\d+\)$")
KEPT = re.compile(r"\.(sum|mean|amax|amin)\([^()]*\)$")


SEEDED = (
    "the seed of a single draw has no counterpart: torch draws other numbers than TensorFlow, and "
    "L.seed_everything(...) makes them repeatable"
)
WRITTEN = {**operations.WRITTEN, **nets.WRITTEN, **pictures.WRITTEN}


class Held(Protocol):
    """A tensor in ``forward``: the expression that holds it, its layout and rank."""

    @property
    def text(self) -> str: ...

    @property
    def layout(self) -> str: ...

    @property
    def rank(self) -> int | None: ...


def lowered(ctx: Context, node: Node, operation: Obj, wires: Sequence[Held]) -> tuple[str, str]:
    """The expression of an operation in a graph, and the layout of what comes out.

    Raises:
        NotMigrated: an argument has a value that cannot be carried.
    """
    section, _, name = operation.row.rpartition(".")
    row = ctx.table.rows[section or "ops"][name]
    if section:
        return activation(ctx, row, operation, wires[0])
    kind = row.data["axes"]
    layout, texts = together(wires, kind)
    queue = list(texts)
    names = [row.data["list"]] if row.get("list") else row.get("tensors", [row.params[0].name])
    operands = {name: operand(operation.args[name].value, queue) for name in names}
    if not row.get("list"):
        operands = {n: as_list(operation.args[n].value, text) for n, text in operands.items()}
    values = {name: arg.value for name, arg in operation.args.items() if name not in operands}
    if row.get("random") and seeded(values):
        ctx.note("K2T170", "info", SEEDED)
    if row.get("helper"):
        ctx.helpers[row.data["helper"]] = None
    scalars = {n for n in operands if isinstance(operation.args[n].value, Const | Sym | Samples)}
    if layout == "last":
        text = spelled(row, operands, values, scalars)
        back = TO_LAST.get(len(node.shape or ())) if row.name != "transpose" else None
        if back is not None and ends_in(text, back):
            return text.removesuffix(back), "first"
        return text, "last"
    rank = (wires[0].rank or 0) + 1
    axis = values["axis"] if "axis" in values else Const(None)
    moved = axes_first(axis, rank)
    moved_too = {**values, "axis": moved} if "axis" in values else values
    text = spelled(row, operands, moved_too, scalars)
    keeps = kind != "reduce" or values.get("keepdims") == Const(True)
    gone = set(numbers(moved))
    channels_lead = keeps or 1 not in gone
    return text, "first" if channels_lead else "last"


def seeded(values: Mapping[str, Value]) -> bool:
    """Whether a draw is given a seed; a SeedGenerator has others each time."""
    return not isinstance(values["seed"], Obj) and not t.is_none(values["seed"])


def operated(node: Node, wires: Sequence[Held]) -> tuple[str, str]:
    """A sum, product or negative of tensors and numbers."""
    layout, texts = together(wires, "each")
    parts = [operand if operand is not None else texts.pop(0) for operand in node.operands]
    if (node.operator or "").startswith("["):  # one of several results
        return f"{bracketed(parts[0])}{node.operator}", "last"
    if len(parts) == 1:
        return filled("-{x}", {"x": parts[0]}), layout
    return arithmetic(node.operator or "", parts), layout


def together(wires: Sequence[Held], kind: str) -> tuple[str, list[str]]:
    """The operands in one layout: the first's, where the operation can do with it."""
    ranks = {w.rank for w in wires}
    first = all(w.layout == "first" and (w.rank or 0) > 1 for w in wires)
    layout = "first" if first and kind != "last" and len(ranks) == 1 else "last"
    return layout, [in_layout(w, layout) for w in wires]


def in_layout(wire: Held, layout: str) -> str:
    if wire.layout == layout or (wire.rank or 0) < 2:
        return wire.text
    if wire.rank not in NAMES:
        raise NotMigrated("K2T118", "a tensor's number of axes is not known here")
    return bracketed(wire.text) + (TO_FIRST if layout == "first" else TO_LAST)[wire.rank]


def operand(value: Value, queue: list[str]) -> str:
    if isinstance(value, Tuple):
        return ", ".join(operand(i, queue) for i in value.items)
    return queue.pop(0) if isinstance(value, Tensor) else t.text(value)


def as_list(value: Value, text: str) -> str:
    """Numbers in a tensor's place are a list."""
    return f"[{text}]" if isinstance(value, Tuple) else text


def numbers(axis: Value) -> tuple[int, ...]:
    items = axis.items if isinstance(axis, Tuple) else (axis,)
    return tuple(a for a in map(as_int, items) if a is not None)


def axes_first(axis: Value, rank: int) -> Value:
    """An axis of a channels-last tensor, counted in the channels-first one."""
    found = sorted(place(a % rank, rank) for a in numbers(axis))
    if isinstance(axis, Tuple):
        return Tuple(tuple(map(Const, found)))
    return Const(found[0]) if found else axis


def place(axis: int, rank: int) -> int:
    if axis == 0:
        return 0
    return 1 if axis == rank - 1 else axis + 1


def activation(ctx: Context, row: Row, operation: Obj, wire: Held) -> tuple[str, str]:
    call = str(row.for_dialect(ctx.dialect, "call"))
    if not row.get("axis"):
        return filled(call, {"x": wire.text}), wire.layout
    axis = as_int(operation.args["axis"].value) if "axis" in operation.args else -1
    if axis is None or "-1" not in call:
        raise NotMigrated("K2T102", f"{row.name} over several axes is not carried over")
    rank = (wire.rank or 0) + 1
    if wire.layout == "first" and rank > 2:
        axis = place(axis % rank, rank)
    return filled(call.replace("-1", str(axis)), {"x": wire.text}), wire.layout


# ---------------------------------------------------------------------- one operation as text


def spelled(
    row: Row,
    operands: Mapping[str, str],
    values: Mapping[str, Value],
    scalars: Collection[str] = (),
) -> str:
    """An operation in torch's words.

    Args:
        operands: the text of each tensor (or number in a tensor's place); a list joined by commas.
        values: the other arguments, all of them.
        scalars: operands that are numbers, however they are written.

    Raises:
        NotMigrated: one has a value that the row does not carry.
    """
    for name in row.get("fixed", ()):
        default = next(p.default for p in row.params if p.name == name)
        value = values[name]
        float32 = name == "dtype" and row.get("random") and value_key(value) == "float32"
        if not (float32 or t.same_value(value, default) or value in accepted(row, name)):
            raise NotMigrated("K2T141", f"{row.name}({name}=...) is not carried over")
    for name in row.get("single", ()):
        value = values[name]
        if isinstance(value, Tuple) and len(value.items) != 1:
            raise NotMigrated("K2T141", f"{row.name} over several axes is not carried over")
    for name in row.get("needed", ()):
        if t.is_none(values[name]):
            raise NotMigrated("K2T141", f"{row.name} without {name} is not carried over")
    if row.name == "getitem":
        return filled("{x}[{index}]", {**operands, "index": index_text(values["index"])})
    if row.name == "arange":
        return counted(values)
    if row.name == "transpose" and t.data(values["axes"]) == (1, 0):
        return filled("{x}.T", operands)
    if row.name == "eye":
        return f"torch.eye({t.text(values['N'])}, device={t.data(values['like'])}.device)"
    if row.get("sized"):
        return draw(row, operands, values)
    if row.name == "constant":
        return constant(values)
    for name in row.get("numbers", ()):
        if not isinstance(values[name], Const | Sym):
            raise NotMigrated("K2T141", f"{row.name} of several {name} is not carried over")
    if row.get("scalar") and set(scalars) == set(operands):
        return filled(scalar(row, values), operands)
    lone = [name for name, text in operands.items() if name in scalars or t.is_number(text)]
    if row.get("both"):
        operands = {n: f"torch.tensor({x})" if n in lone else x for n, x in operands.items()}
    if row.get("lower"):
        return WRITTEN[row.data["lower"]](row, operands, values)
    template = str(row.get("call", ""))
    for name, spellings in row.get("values", {}).items():
        value = values[name]
        if isinstance(value, Sym) and value.type == name:
            template = str(row.data["asked"])
        else:
            template = spellings.get(value_key(value), template)
    if not template:
        raise NotMigrated("K2T141", f"this {row.name} has no counterpart in torch")
    if row.get("number") and lone:
        one, two = operands.values()
        tensor, number = (two, one) if lone[0] == next(iter(operands)) else (one, two)
        return filled(row.data["number"], {"a": tensor, "b": number})
    if any(f"{{{name}}}." in template for name in lone):
        raise NotMigrated("K2T141", f"{row.name} of a number is not carried over")
    if row.name == "backend_sqrt" and positive(operands["x"]):
        template = "{x}.sqrt()"
    holes = set(HOLE.findall(template))
    given = dict(operands)
    for name in holes - set(given):
        plain = name == "like"  # a variable
        given[name] = str(t.data(values[name])) if plain else listed(values[name]) or ""
        if name in ("newshape", "axes") and f"({{{name}}})" in template:
            given[name] = unbracketed(given[name])
    text = filled(template, given)
    extra = []
    for name, keyword in row.get("options", {}).items():
        if not t.same_value(values[name], row.get("torch_defaults", {}).get(name)):
            value = values[name]
            if keyword == "dim" and isinstance(value, Tuple) and len(value.items) == 1:
                value = value.items[0]  # one axis in a list
            extra.append(f"{keyword}={dtype(value) or listed(value)}")
    if not extra:
        return text
    inner = text[:-1]
    return f"{inner}{'' if inner.endswith('(') else ', '}{', '.join(extra)})"


def scalar(row: Row, values: Mapping[str, Value]) -> str:
    """How an operation on numbers alone is spelled in Python."""
    given = row.data["scalar"]
    if isinstance(given, str):
        return given
    ((name, spellings),) = given.items()
    found = spellings.get(value_key(values[name]))
    if found is None:
        raise NotMigrated("K2T141", f"{row.name} of a number with this {name}")
    return str(found)


DTYPES = {"float16", "float32", "float64", "bfloat16", "int8", "int16", "int32", "int64", "uint8"}
DTYPES |= {"bool", "complex64", "complex128"}


def dtype(value: Value) -> str | None:
    """torch's name of a type: ``tf.float32`` and ``"float32"`` are ``torch.float32``."""
    name = value_key(value)
    return f"torch.{name}" if name in DTYPES else None


def counted(values: Mapping[str, Value]) -> str:
    """Whole numbers in a row, where a tensor is."""
    start, stop = t.text(values["start"]), t.text(values["stop"])
    bounds = stop if start == "0" else f"{start}, {stop}"
    if not t.same_value(values["step"], 1):
        bounds = f"{start}, {stop}, {t.text(values['step'])}"
    text = f"torch.arange({bounds}, device={t.data(values['like'])}.device)"
    if t.is_none(values["dtype"]) or dtype(values["dtype"]) in ("torch.int32", "torch.int64"):
        return text
    return f"{text[:-1]}, dtype={of_type(values['dtype'])})"


SPREAD = ("random_normal", "random_uniform", "truncated_normal")
"""Draws that are moved and stretched."""
FREE = Const("free")
"""The size of a draw whose shape is an argument of an initializer."""


def draw(row: Row, operands: Mapping[str, str], values: Mapping[str, Value]) -> str:
    """Random numbers, one set for each sample of a tensor or in a shape that is at hand.

    Normal ones have a mean and a standard deviation, uniform ones a least and a largest value.
    """
    size = values["size"]
    named = [n for n in ("value", "p", "minval", "maxval") if n in values]
    operands = {**operands, **{n: t.text(values[n]) for n in named}}
    if size == FREE:
        text = filled(str(row.data["free"]), operands)
    elif isinstance(size, Tuple) and "apart" in values:
        text = filled(str(row.data["apart"]), {**operands, "size": unbracketed(t.text(size))})
    elif isinstance(size, Tuple):
        sizes = ", ".join(map(t.text, size.items))
        text = filled(str(row.data["sized"]), {**operands, "size": sizes})
    else:
        text = filled(str(row.data["call"]), operands)
    if row.get("random") is None:
        return typed(text, values)
    if row.name not in SPREAD:
        return text
    start = values["mean"] if "mean" in values else values["minval"]
    width = values["stddev"] if "mean" in values else width_of(start, values["maxval"])
    if not (t.is_literal(width) and t.same_value(width, 1.0)):
        text = arithmetic(" * ", [t.text(width), text])
    if not (t.is_literal(start) and t.same_value(start, 0.0)):
        text = arithmetic(" + ", [t.text(start), text])
    return text


def width_of(low: Value, high: Value) -> Value:
    """How far two numbers are apart; what has a name keeps it."""
    one, two = t.data(low), t.data(high)
    if t.is_literal(low) and one == 0:
        return high
    if t.is_literal(low) and t.is_literal(high):
        return Const(two - one)
    if t.text(low) == f"-{t.text(high)}":
        return Sym(Expr(arithmetic(" * ", ["2", t.text(high)])))
    return Sym(Expr(arithmetic(" - ", [t.text(high), t.text(low)])))


def unbracketed(text: str) -> str:
    """A tuple's text without its brackets."""
    if not text or not isinstance(ast.parse(text, mode="eval").body, ast.Tuple | ast.List):
        return text
    return text[1:-1].strip().rstrip(",") if text[0] in "([" else text


def of_type(value: Value) -> str:
    """The type of a tensor that is made.

    Raises:
        NotMigrated: torch has none, or it is read from another tensor.
    """
    name = dtype(value)
    if name is None:
        raise NotMigrated("K2T141", "a tensor of a type that is not known")
    return name


def typed(text: str, values: Mapping[str, Value]) -> str:
    """A tensor of another type than float32."""
    if t.is_none(values["dtype"]) or of_type(values["dtype"]) == "torch.float32":
        return text
    return f"{text[:-1]}, dtype={of_type(values['dtype'])})"


def constant(values: Mapping[str, Value]) -> str:
    """A number, or a tensor of several."""
    if "like" not in values:
        return t.text(values["value"])
    text = f"torch.tensor({t.text(values['value'])}, device={t.data(values['like'])}.device)"
    return typed(text, values)


def accepted(row: Row, name: str) -> list[Value]:
    """Defaults that a fixed argument has in other spellings."""
    return [Const(d[name]) for d in row.get("defaults", {}).values() if name in d]


def index_text(index: Value) -> str:
    assert isinstance(index, Tuple)
    parts = []
    for part in index.items:
        if not isinstance(part, Obj):
            parts.append("..." if part == Const(...) else t.text(part))
            continue
        start, stop, step = (listed(part.args[n].value) or "" for n in ("start", "stop", "step"))
        parts.append(f"{start}:{stop}" + (f":{step}" if step else ""))
    return ", ".join(parts)


def positive(text: str) -> bool:
    """Whether an expression cannot be below 0."""
    while (found := KEPT.search(text)) is not None:
        text = text[: found.start()]
    return POSITIVE.search(text) is not None
