"""Operations of networks: attention, normalisations, classes and losses."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from k2t.ir.values import Tuple, as_int
from k2t.lower import text as t
from k2t.lower.brackets import arithmetic, bracketed, filled, operand_text
from k2t.lower.operations import Operands, Values, refused
from k2t.table import Row


def normalised(row: Row, operands: Operands, values: Values) -> str:
    """``batch_normalization`` of TensorFlow, whose scale and offset may be None."""
    given = {**operands, "epsilon": t.text(values["variance_epsilon"])}
    scaled = "** -0.5" if t.is_number(operands["variance"]) else ".rsqrt()"
    text = filled(f"({{x}} - {{mean}}) * ({{variance}} + {{epsilon}}){scaled}", given)
    if operands["scale"] != "None":
        text = arithmetic(" * ", [text, operands["scale"]])
    return text if operands["offset"] == "None" else arithmetic(" + ", [text, operands["offset"]])


def attended(row: Row, operands: Operands, values: Values) -> str:
    """torch has the heads before the steps. Where nothing may be attended to, Keras takes the mean,
    which a mask of True and False does not."""
    query, key, value = (
        f"{bracketed(operands[name])}.transpose(1, 2)" for name in ("query", "key", "value")
    )
    given = [operands[n] for n in ("mask", "bias") if operands[n] != "None"]
    causal = t.same_value(values["is_causal"], True)
    if len(given) + causal > 1:
        raise refused(row, "a mask, a bias and is_causal together")
    more = ", is_causal=True" if causal else ""
    if operands["mask"] != "None":
        least = f"torch.finfo({bracketed(operands['query'])}.dtype).min"
        more = f", torch.where({operands['mask']}, 0.0, {least})"
    elif given:
        more = f", {given[0]}"
    more += "" if t.is_none(values["scale"]) else f", scale={t.text(values['scale'])}"
    sizes = values["sizes"]
    assert isinstance(sizes, Tuple)
    heads = [as_int(s.items[2]) if isinstance(s, Tuple) else None for s in sizes.items[:2]]
    more += ", enable_gqa=True" if None not in heads and heads[0] != heads[1] else ""
    return f"F.scaled_dot_product_attention({query}, {key}, {value}{more}).transpose(1, 2)"


def normalised_last(row: Row, operands: Operands, values: Values) -> str:
    """``batch_normalization`` over the last axis."""
    ranks, axis = t.data(values["ranks"]), as_int(values["axis"])
    last = -1 if not isinstance(ranks, tuple) or ranks[0] is None else ranks[0] - 1
    if axis not in (-1, last):
        raise refused(row, f"axis={axis}")
    return normalised(row, operands, values)


def layer_normalised(row: Row, operands: Operands, values: Values) -> str:
    return normalised_by("F.layer_norm", {"weight": "gamma", "bias": "beta"}, operands, values)


def rms_normalised(row: Row, operands: Operands, values: Values) -> str:
    return normalised_by("F.rms_norm", {"weight": "scale"}, operands, values)


def normalised_by(
    function: str, names: Mapping[str, str], operands: Operands, values: Values
) -> str:
    """Over the last axis; Keras's epsilon is 1e-7 where none is said."""
    given = [f"{k}={operands[v]}" for k, v in names.items() if operands[v] != "None"]
    epsilon = values["epsilon"]
    given.append(f"eps={'1e-7' if t.is_none(epsilon) else t.text(epsilon)}")
    x, sizes = operands["x"], values["sizes"]
    assert isinstance(sizes, Tuple)
    last = as_int(sizes.items[0].items[-1]) if isinstance(sizes.items[0], Tuple) else None
    width = (
        f"({last},)" if last is not None and not x.isidentifier() else f"{bracketed(x)}.shape[-1:]"
    )
    return f"{function}({x}, {width}, {', '.join(given)})"


def averaged(row: Row, operands: Operands, values: Values) -> str:
    """The sum of losses by the number of samples."""
    count = values["global_batch_size"]
    by = "len({x})" if t.is_none(count) else operand_text(t.text(count))
    return filled(f"{{x}}.sum() / {by}", operands)


def multi_hot(row: Row, operands: Operands, values: Values) -> str:
    """Which of the classes each sample has; numbers alone are those of one sample."""
    ranks = t.data(values["ranks"])
    if not isinstance(ranks, tuple) or ranks[0] is None:
        raise refused(row, "a tensor of a number of axes that is not known")
    axis, count = int(ranks[0] > 1), t.text(values["num_classes"])
    return filled(f"F.one_hot({{inputs}}.long(), {count}).amax({axis}).float()", operands)


WRITTEN: dict[str, Callable[[Row, Operands, Values], str]] = {
    "normalised": normalised,
    "normalised_last": normalised_last,
    "layer_normalised": layer_normalised,
    "rms_normalised": rms_normalised,
    "attended": attended,
    "averaged": averaged,
    "multi_hot": multi_hot,
}
