"""Operations whose spelling in torch goes by the values of their arguments."""

from __future__ import annotations

import ast
from collections.abc import Callable, Mapping, Sequence

from k2t.ir.finding import NotMigrated
from k2t.ir.values import Const, Ref, Tuple, Value, as_int
from k2t.lower import text as t
from k2t.lower.brackets import arithmetic, bracketed, filled, operand_text
from k2t.table import Row

Operands = Mapping[str, str]
Values = Mapping[str, Value]


def value_key(value: Value) -> str:
    """How ``values`` of a row name a value: ``"float32"``, ``tf.float32`` and True."""
    if isinstance(value, Ref):
        return value.path.rpartition(".")[2]
    if isinstance(value, Const):
        return str(value.value).lower() if isinstance(value.value, bool) else str(value.value)
    return ""


def listed(value: Value) -> str | None:
    """An argument as text; lists as tuples, None as nothing."""
    if t.is_none(value):
        return None
    if isinstance(value, Tuple) and value.expr is not None and value.expr.text.startswith("["):
        if not isinstance(ast.parse(value.expr.text, mode="eval").body, ast.List):
            return value.expr.text
        parts = t.elements(value.expr.text)
        return f"({parts[0]},)" if len(parts) == 1 else f"({', '.join(parts)})"
    return t.text(value)


def refused(row: Row, what: str) -> NotMigrated:
    return NotMigrated("K2T141", f"{row.name}({what}) is not carried over")


def whole_number(row: Row, values: Values, name: str) -> int:
    number = as_int(values[name])
    if number is None:
        raise refused(row, f"{name}=..., which is not known")
    return number


def pairs(row: Row, value: Value) -> list[tuple[Value, Value]]:
    """Two numbers for each axis."""
    items = value.items if isinstance(value, Tuple) else ()
    found = [i.items for i in items if isinstance(i, Tuple) and len(i.items) == 2]
    if not items or len(found) < len(items):
        raise refused(row, "a padding that is not known axis by axis")
    return [(one, two) for one, two in found]


def padded(row: Row, operands: Operands, values: Values) -> str:
    """torch begins with the last axis, and leaves out those that are not padded."""
    modes = {"constant": "", "reflect": ', mode="reflect"'}
    mode = str(t.data(values["mode"])).lower()
    if mode not in modes:
        raise refused(row, f"mode={mode!r}")
    ends = pairs(row, values["pad_width"])
    zero = (Const(0), Const(0))
    while ends and ends[0] == zero:
        ends = ends[1:]
    flat = [t.text(v) for pair in reversed(ends) for v in pair]
    fill = values["constant_values"]
    more = "" if t.is_none(fill) or t.same_value(fill, 0) else f", value={t.text(fill)}"
    return f"F.pad({operands['x']}, ({', '.join(flat)}){modes[mode]}{more})"


def padded_inside(row: Row, operands: Operands, values: Values) -> str:
    """The axes between the batch and the channels, as the backend's functions pad them."""
    value = values["padding"]
    items = value.items if isinstance(value, Tuple) else ()
    ends = [i if isinstance(i, Tuple) else Tuple((i, i)) for i in items]
    if row.name == "temporal_padding":
        ends = [Tuple(items)]
    if not items or not t.same_value(values.get("data_format", Const(None)), None):
        raise refused(row, "a padding that is not known, or another data_format")
    texts = ["0", "0", *(t.text(v) for pair in reversed(ends) for v in pair.items)]
    return f"F.pad({operands['x']}, ({', '.join(texts)}))"


def normed(row: Row, operands: Operands, values: Values) -> str:
    """The norm of vectors along one axis, or of all numbers."""
    order = t.data(values["ord"])
    axis = values["axis"]
    both = isinstance(axis, Tuple) or (t.is_none(axis) and row.name == "norm")
    if order not in (None, "euclidean", 1, 2, float("inf")) or (
        both and order not in (None, "euclidean")
    ):
        raise refused(row, f"ord={order}")
    more = [] if t.is_none(axis) else [f"dim={listed(axis)}"]
    more += ["keepdim=True"] if t.same_value(values["keepdims"], True) else []
    if order in (None, "euclidean", 2):
        return filled("{x}.norm(" + ", ".join(more) + ")", operands)
    word = "math.inf" if order == float("inf") else str(order)
    return f"torch.linalg.vector_norm({', '.join([operands['x'], word, *more])})"


def band(row: Row, operands: Operands, values: Values) -> str:
    """The diagonals around the main one; -1 keeps all on that side."""
    below, above = (whole_number(row, values, n) for n in ("num_lower", "num_upper"))
    text = bracketed(operands["x"])
    if above >= 0:
        text += f".tril({above or ''})"
    if below >= 0:
        text += f".triu({-below or ''})"
    return text


def gathered(row: Row, operands: Operands, values: Values) -> str:
    """Rows by their numbers, along an axis, or for each sample its own."""
    shared = as_int(values.get("batch_dims", Const(0)))
    axis = shared if t.is_none(values["axis"]) else as_int(values["axis"])
    x, at = bracketed(operands["x"]), operands["indices"]
    if shared == 1 and axis == 1:
        return f"{x}[torch.arange(len({x}), device={x}.device)[:, None], {at}]"
    if shared != 0 or axis is None or axis < -1:
        raise refused(row, f"axis={axis}, batch_dims={shared}")
    before = "..., " if axis == -1 else ":, " * axis
    return f"{x}[{before}{at}]"


def stretch(start: Value, size: Value) -> str:
    """So many places from one on (-1: the rest), as a slice; what has a name keeps it."""
    one, many = as_int(start), as_int(size)
    assert one is not None
    assert many is not None
    first = "" if t.is_literal(start) and one == 0 else t.text(start)
    if many == -1:
        return f"{first}:"
    if t.is_literal(start) and t.is_literal(size):
        return f"{first}:{one + many}"
    return f"{first}:{arithmetic(' + ', [t.text(start), t.text(size)]) if first else t.text(size)}"


def sliced(row: Row, operands: Operands, values: Values) -> str:
    """Where each axis starts, and how much of it there is (-1: the rest)."""
    starts, sizes = (
        v.items if isinstance(v, Tuple) else () for v in (values["begin"], values["size"])
    )
    if not starts or len(starts) != len(sizes):
        raise refused(row, "begin or size that is not known")
    if any(as_int(v) is None for v in (*starts, *sizes)):
        raise refused(row, "begin or size that is not known")
    parts = [stretch(*pair) for pair in zip(starts, sizes, strict=True)]
    while parts and parts[-1] == ":":
        parts.pop()
    return f"{bracketed(operands['x'])}[{', '.join(parts)}]" if parts else operands["x"]


def summed(row: Row, operands: Operands, values: Values) -> str:
    """``add_n``: the sum of a list of tensors, written out where the list is."""
    text = operands["xs"]
    if text.startswith("*"):
        return f"sum({text[1:]})"
    if isinstance(ast.parse(f"[{text}]", mode="eval").body, ast.ListComp):
        return f"sum({text})"
    first, *rest = t.elements(f"[{text}]")
    for part in rest:
        first = arithmetic(" + ", [first, part])
    return first


def split(row: Row, operands: Operands, values: Values) -> str:
    """Equal parts, or parts of these sizes."""
    parts, axis = values["num_or_size_splits"], t.text(values["axis"])
    if isinstance(parts, Tuple):
        return filled(f"{{x}}.split({listed_items(parts)}, {axis})", operands)
    return filled(f"{{x}}.chunk({t.text(parts)}, {axis})", operands)


def split_at(row: Row, operands: Operands, values: Values) -> str:
    """Equal parts, or parts that begin at these places."""
    parts, axis = values["num_or_size_splits"], t.text(values["axis"])
    if isinstance(parts, Tuple):
        return filled(f"{{x}}.tensor_split({listed(parts)}, {axis})", operands)
    return filled(f"{{x}}.chunk({t.text(parts)}, {axis})", operands)


def listed_items(value: Tuple) -> str:
    """A tuple or list as a list."""
    text = t.text(value)
    return text if value.expr is not None and text[:1] != "(" else f"[{text[1:-1].rstrip(',')}]"


def summed_up(row: Row, operands: Operands, values: Values) -> str:
    """Sums up to each place, from the end on if ``reverse``, without it if ``exclusive``."""
    text = filled(f"{{x}}.cumsum({listed(values['axis'])})", operands)
    if t.same_value(values["reverse"], True):
        axis = listed(values["axis"])
        text = filled(f"{{x}}.flip({axis}).cumsum({axis}).flip({axis})", operands)
    exclusive = t.same_value(values["exclusive"], True)
    return arithmetic(" - ", [text, operands["x"]]) if exclusive else text


def crossed(row: Row, operands: Operands, values: Values) -> str:
    """torch has no product of vectors of two numbers."""
    sizes = values["sizes"]
    assert isinstance(sizes, Tuple)
    if any(isinstance(s, Tuple) and as_int(s.items[-1]) not in (3, None) for s in sizes.items):
        raise refused(row, "vectors of two numbers")
    return f"torch.linalg.cross({operands['x1']}, {operands['x2']})"


def multiplied(row: Row, operands: Operands, values: Values) -> str:
    one, two = (
        bracketed(operands[x]) + ".mT" if t.same_value(values[flag], True) else operands[x]
        for x, flag in (("x1", "transpose_a"), ("x2", "transpose_b"))
    )
    return filled("{x1} @ {x2}", {"x1": one, "x2": two})


def one_hot(row: Row, operands: Operands, values: Values) -> str:
    """torch puts the classes last."""
    text = filled(f"F.one_hot({{x}}.long(), {t.text(values['num_classes'])}).float()", operands)
    axis = whole_number(row, values, "axis")
    return text if axis == -1 else f"{text}.movedim(-1, {t.text(values['axis'])})"


def moments(row: Row, operands: Operands, values: Values) -> str:
    """torch gives the variance first."""
    axes = listed(values["axes"])
    more = ["correction=0"] if axes is None else [f"dim={axes}", "correction=0"]
    more += ["keepdim=True"] if t.same_value(values["keepdims"], True) else []
    return f"torch.var_mean({operands['x']}, {', '.join(more)})[::-1]"


def batch_dot(row: Row, operands: Operands, values: Values) -> str:
    """The product of each sample with its own, over an axis of both."""
    ranks = t.data(values["ranks"])
    if not isinstance(ranks, tuple) or not {*ranks} <= {2, 3}:
        raise NotMigrated("K2T130", "a batch_dot of tensors of more than two axes")
    axes = t.data(values["axes"])
    if axes is None:
        axes = (ranks[0] - 1, max(ranks[1] - 2, 1))
    axes = axes if isinstance(axes, tuple) else (axes, axes)
    if len(axes) != 2 or not all(isinstance(a, int) for a in axes):
        raise refused(row, "axes=..., which are not known")
    one, two = (a % rank for a, rank in zip(axes, ranks, strict=True))
    return product(operands["x1"], operands["x2"], [r - 1 for r in ranks], one, two)


def product(a: str, b: str, ranks: Sequence[int], first: int, second: int) -> str:
    """The sum of products over an axis of each, for tensors of one or two axes and the batch."""
    if list(ranks) == [1, 1]:
        return f"({operand_text(a)} * {operand_text(b)}).sum(1, keepdim=True)"
    if list(ranks) == [2, 2]:
        left = bracketed(a) + (".mT" if first == 1 else "")
        right = bracketed(b) + (".mT" if second == 2 else "")
        return f"{left} @ {right}"
    one, other = (
        ("bij", "b" + "ij"[first - 1]) if ranks[0] == 2 else ("bij", "b" + "ij"[second - 1])
    )
    letters = (one, other) if ranks[0] == 2 else (other, one)
    kept = "b" + ("ij".replace(other[1], ""))
    return f'torch.einsum("{letters[0]},{letters[1]}->{kept}", {a}, {b})'


def turned(row: Row, operands: Operands, values: Values) -> str:
    """Quarter turns. Two of them, Keras 3.15 on TensorFlow does not turn as numpy does."""
    if whole_number(row, values, "k") % 4 == 2:
        raise refused(row, "k=2")
    return filled(f"{{x}}.rot90({t.text(values['k'])}, {listed(values['axes'])})", operands)


def bent(row: Row, operands: Operands, values: Values) -> str:
    """``relu`` with a slope below 0 and a largest value."""
    slope, most = values["negative_slope"], values["max_value"]
    if not t.same_value(values["threshold"], 0):
        raise refused(row, "threshold=...")
    if t.same_value(slope, 0):
        ends = "min=0" if t.is_none(most) else f"0, {t.text(most)}"
        return (
            filled(f"{{x}}.clamp({ends})", operands) if "," in ends else f"F.relu({operands['x']})"
        )
    text = f"F.leaky_relu({operands['x']}, {t.text(slope)})"
    return text if t.is_none(most) else f"{text}.clamp(max={t.text(most)})"


def contained(row: Row, operands: Operands, values: Values) -> str:
    """Which of the numbers are among others."""
    x, among = operands["x1"], operands["x2"]
    if among.startswith("["):
        among = f"torch.tensor({among}, device={bracketed(x)}.device)"
    said = [n for n in ("assume_unique", "invert") if not t.same_value(values[n], False)]
    more = "".join(f", {n}={t.text(values[n])}" for n in said)
    return f"torch.isin({x}, {among}{more})"


def all_close(row: Row, operands: Operands, values: Values) -> str:
    near = {"rtol": 1e-5, "atol": 1e-8}
    said = [f", {n}={t.text(values[n])}" for n in near if not t.same_value(values[n], near[n])]
    return f"torch.isclose({operands['x1']}, {operands['x2']}{''.join(said)}).all()"


def spread(row: Row, operands: Operands, values: Values) -> str:
    """The largest number less the smallest."""
    more = [] if t.is_none(values["axis"]) else [f"dim={listed(values['axis'])}"]
    more += ["keepdim=True"] if t.same_value(values["keepdims"], True) else []
    over = ", ".join(more)
    return filled(f"{{x}}.amax({over}) - {{x}}.amin({over})", operands)


SYMBOLS = {
    "logical_not": "~{x}",
    "logical_and": "{x1} & {x2}",
    "logical_or": "{x1} | {x2}",
    "logical_xor": "{x1} ^ {x2}",
}


def logical(row: Row, operands: Operands, values: Values) -> str:
    """Python's symbols, where the tensors are known to hold True and False: of numbers they are
    about the bits."""
    if t.data(values["truths"]) == tuple(operands):
        return filled(SYMBOLS[row.name], operands)
    made = (f"torch.tensor({x})" if t.is_number(x) else x for x in operands.values())
    return f"torch.{row.name}({', '.join(made)})"


def triangular(row: Row, operands: Operands, values: Values) -> str:
    ranks = t.data(values["ranks"])
    if not isinstance(ranks, tuple) or None in ranks or len({*ranks}) != 1:
        raise refused(row, "b of fewer axes, or of a number that is not known")
    upper = t.same_value(values["lower"], False)
    return f"torch.linalg.solve_triangular({operands['x1']}, {operands['x2']}, upper={upper})"


WRITTEN: dict[str, Callable[[Row, Operands, Values], str]] = {
    "padded": padded,
    "padded_inside": padded_inside,
    "normed": normed,
    "band": band,
    "gathered": gathered,
    "sliced": sliced,
    "summed": summed,
    "split": split,
    "split_at": split_at,
    "moments": moments,
    "summed_up": summed_up,
    "crossed": crossed,
    "multiplied": multiplied,
    "one_hot": one_hot,
    "batch_dot": batch_dot,
    "turned": turned,
    "bent": bent,
    "contained": contained,
    "all_close": all_close,
    "spread": spread,
    "logical": logical,
    "triangular": triangular,
}
"""By the name that a row gives as ``lower``."""
