"""Losses and metrics: what the step computes from the model's output and the batch's targets."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

from k2t.ir.finding import NotMigrated
from k2t.ir.torch import Raw
from k2t.ir.values import Arg, Array, Const, Function, Instance, Obj, Ref, Shape, Value, as_int
from k2t.lower import text as t
from k2t.lower.logits import note_clipping, note_inner, note_padding
from k2t.lower.ops import Context
from k2t.table import Row


@dataclass(frozen=True)
class Output:
    """The model's output: shape without the batch, and the activation it ends in.

    ``inner``: the one that a class of the script ends in, which stays there.
    """

    shape: Shape | None
    tail: str | None
    classes: str | None
    inner: str | None = None

    @property
    def units(self) -> int | None:
        return as_int(self.shape[-1]) if self.shape else None


@dataclass(frozen=True)
class Loss:
    """A lowered loss: its text per batch and per sample, what it wants of y, what was folded.

    ``rank`` is that of ``each``; ``setup`` the statement of ``__init__`` that makes a function
    of the script (``function``) that has no name.
    """

    row: Row
    call: str
    each: str
    target: str
    folded: str | None
    prediction: str
    rank: int | None = 1
    setup: Raw | None = None
    function: bool = False
    reduction: str = "mean"


FUNCTION = Row("function", "losses", (), (), {})
"""Stands for the row of a loss that the script defines."""


def find_row(ctx: Context, section: str, value: Value) -> tuple[Row | None, Mapping[str, Arg]]:
    """The row of a loss or metric given as string (also that of a class), function or object."""
    if isinstance(value, Const) and isinstance(value.value, str):
        row = ctx.table.string(section, value.value)
        if row is None and value.value[:1].isupper():
            row = ctx.table.find(f"keras.{section}.{value.value}")
        return row, {}
    if isinstance(value, Ref):
        return ctx.table.find(value.path), {}
    if isinstance(value, Obj):
        return ctx.table.rows[section].get(value.row), value.args
    return None, {}


def lower_loss(ctx: Context, value: Value, output: Output, y: Array | None = None) -> Loss:
    """The loss of a model with one output.

    Raises:
        NotMigrated: unknown loss, or an argument that is not carried.
    """
    if isinstance(value, Function):
        from k2t.lower import scored

        return scored.loss(ctx, value)
    if isinstance(value, Instance):
        from k2t.lower import scorers

        return scorers.loss(ctx, value, output, y)
    row, args = find_row(ctx, "losses", value)
    if row is None or row.section != "losses":
        why = t.not_known(ctx.table, "losses", value, "the loss")
        raise NotMigrated("K2T301", why)
    check_loss_arguments(row, args)
    ctx.changed(row, args)
    logits = flag_of(args, "from_logits")
    tail = row.get("tail")
    folded = None
    prediction = "y_pred"
    call, each = str(row.data["call"]), str(row.data["each"])
    if tail is not None:
        if output.inner is not None and ctx.dialect != "keras2":
            note_inner(ctx, output.inner, str(tail), logits, row)
        recovered = output.tail in ("softmax", "sigmoid") and ctx.dialect != "keras2"
        if logits and output.tail in ("softmax", "sigmoid"):
            if not recovered:
                raise NotMigrated(
                    "K2T302", f"from_logits=True although the model ends in a {output.tail}"
                )
            ctx.note(
                "K2T302",
                "warning",
                f"from_logits=True although the model ends in a {output.tail}: Keras on TensorFlow "
                "takes the logits before it, and so does this",
            )
        if row.get("only_logits") and recovered and output.tail != tail:
            why = f"{row.name} of a model that ends in a {output.tail}"
            raise NotMigrated("K2T302", why)
        if recovered and output.tail != tail and not logits:
            ctx.note(
                "K2T302",
                "warning",
                f"the model ends in a {output.tail}, the loss is {row.name}: Keras applies the "
                "loss's own activation to the logits before it, and so does this",
            )
        if recovered or output.tail == tail:
            # Keras finds the logits of any softmax or sigmoid, and applies the loss's own to them
            folded, prediction = output.tail, "logits"
            note_clipping(ctx, row)
        elif logits:
            prediction = "logits"
        elif row.get("only_logits"):
            raise NotMigrated("K2T302", f"{row.name} of a model that does not end in a {tail}")
        else:
            call, each = on_probabilities(ctx, row)
    if row.get("helper"):
        ctx.helpers[str(row.data["helper"])] = None
    smoothing = t.get(args, "label_smoothing")
    smooth = not (t.is_none(smoothing) or t.same_value(smoothing, 0.0))
    call, each = options(row, args, call), options(row, args, each)
    call, each = fill_loss(call, args, smoothing, smooth), fill_loss(each, args, smoothing, smooth)
    if smooth and (row.name == "binary_crossentropy" or row.get("only_logits")):
        share = "{y}.shape[-1]" if row.name.startswith("categorical") else "2"
        smoothed = f"{{y}} * (1 - {t.text(smoothing)}) + {t.text(smoothing)} / {share}"
        call, each = call.replace("{y}", smoothed), each.replace("{y}", smoothed)
    if output.shape is not None and len(output.shape) > 1:
        call = at_every_position(str(row.data["target"]), call)
        if row.name == "categorical_crossentropy" and folded == "softmax":
            note_padding(ctx)
    reduction = reduction_of(row, args)
    if reduction == "sum":
        call = summed(call, each)
    made = Loss(row, call, each, str(row.data["target"]), folded, prediction)
    return replace(made, rank=row.get("rank", 1), reduction=reduction)


def reduction_of(row: Row, args: Mapping[str, Arg]) -> str:
    """How the values of a batch become one: by "mean", "sum", or "weights" (divided by theirs).

    Raises:
        NotMigrated: they do not.
    """
    value = t.get(args, "reduction") if "reduction" in args else Const("mean")
    said = value.path.rpartition(".")[2] if isinstance(value, Ref) else t.data(value)
    found = REDUCTIONS.get(str(said).lower())
    if found is None or (found == "sum" and row.get("rank") == 0):
        why = f"{row.name}(reduction={said!r}) is not carried over"
        raise NotMigrated("K2T304", why, args["reduction"].span)
    return found


REDUCTIONS = {
    "sum_over_batch_size": "mean",
    "mean": "mean",
    "auto": "mean",
    "sum": "sum",
    "mean_with_sample_weight": "weights",
}
"""By Keras's names, also those of ``losses.Reduction``."""


def summed(call: str, each: str) -> str:
    """The sum over the batch, of a crossentropy as torch has it."""
    if call.startswith(("F.cross_entropy(", "F.nll_loss(")):
        return call[:-1] + ', reduction="sum")'
    return f"{each}.sum()"


def at_every_position(target: str, call: str) -> str:
    """A crossentropy of sequences or images: classes on the last axis in Keras, on axis 1 in torch.

    Keras's mean is over the batch and all positions.
    """
    if target not in ("labels", "onehot") or "F." not in call:  # done on the last axis
        return call
    flat = ".flatten()" if target == "labels" else ".flatten(0, -2)"
    return call.replace("{p}", "{p}.flatten(0, -2)").replace("{y}", "{y}" + flat)


def flag_of(args: Mapping[str, Arg], name: str) -> bool:
    return t.flag(args, name) if name in args else False


def check_loss_arguments(row: Row, args: Mapping[str, Arg]) -> None:
    carried = {"from_logits", "label_smoothing", "delta", "name"}
    carried |= {p.name for p in row.params if f"{{{p.name}}}" in str(row.data["call"])}
    carried |= {"apply_class_balancing", "reduction"}
    carried |= {"ignore_class"} if row.name == "sparse_categorical_crossentropy" else set()
    for name, arg in args.items():
        if arg.span is None or name in carried:
            continue
        default = next((p.default for p in row.params if p.name == name), ...)
        if not t.same_value(arg.value, default):
            raise NotMigrated("K2T304", f"{row.name}({name}=...) is not carried over", arg.span)


def on_probabilities(ctx: Context, row: Row) -> tuple[str, str]:
    """Crossentropies where the model's own activation stays: Keras clips at 1e-7."""
    if row.name == "binary_crossentropy":
        text = "F.binary_cross_entropy({p}.clamp(1e-7, 1 - 1e-7), {y}{more})"
        return text.replace("{more}", ""), text.replace(
            "{more}", ', reduction="none"'
        ) + ".mean(-1)"
    if row.name == "categorical_crossentropy":
        each = "-({y} * ({p} / {p}.sum(-1, keepdim=True)).clamp(1e-7, 1 - 1e-7).log()).sum(-1)"
        return f"{each}.mean()", each
    each = 'F.nll_loss({p}.clamp(1e-7, 1 - 1e-7).log(), {y}{ignored}, reduction="none")'
    return each.replace(', reduction="none"', ""), each


def options(row: Row, args: Mapping[str, Arg], text: str) -> str:
    """A loss with the numbers that it takes besides predictions and targets."""
    for param in row.params:
        hole = f"{{{param.name}}}"
        if hole not in text or param.name == "delta":
            continue
        value = args[param.name].value if param.name in args else Const(param.default)
        balanced = any(p.name == "apply_class_balancing" for p in row.params)
        if balanced and param.name == "alpha":
            wanted = flag_of(args, "apply_class_balancing")
            text = text.replace(hole, f", {t.text(value)}" if wanted else "")
        text = text.replace(hole, t.text(value))
    return text.replace(", None)", ")")


def fill_loss(text: str, args: Mapping[str, Arg], smoothing: Value, smooth: bool) -> str:
    ignored = t.get(args, "ignore_class")
    skips = "" if t.is_none(ignored) else f", ignore_index={t.text(ignored)}"
    text = text.replace("{ignored}", skips)
    text = text.replace("{smoothing}", f", label_smoothing={t.text(smoothing)}" if smooth else "")
    delta = t.get(args, "delta")
    plain = t.is_none(delta) or t.same_value(delta, 1.0)
    return text.replace("{delta}", "" if plain else f", delta={t.text(delta)}")


# ---------------------------------------------------------------------- targets


def target_text(target: str, y: Array | None, output: Output, prediction: str) -> str:
    """What brings ``y`` into the form that the loss wants (``y``: it has it already)."""
    rank = len(y.shape) if y is not None and y.shape is not None else None
    dtype = y.dtype if y is not None else None
    out_rank = len(output.shape) + 1 if output.shape is not None else None
    text = "y"
    if target == "labels":
        last = as_int(y.shape[-1]) if y is not None and y.shape else None
        if rank is None:
            text = "y.flatten()" if out_rank == 2 else "y"
        elif out_rank is not None and rank == out_rank and last == 1:
            text = "y.squeeze(-1)"
        return text if dtype == "int64" else f"{text}.long()"
    if dtype not in ("float32",):
        text += ".float()"
    if target == "float" and out_rank is not None:
        if output.units == 1 and (rank is None or rank == out_rank - 1):
            return f"{text}.view_as({prediction})"
        if rank == out_rank - 1:
            return f"{text}.unsqueeze(-1)"
    return text


def check_targets(y: Array | None, output: Output) -> None:
    """Refuse targets whose shape Keras changes before it calls a function of the script.

    Raises:
        NotMigrated: it does.
    """
    if y is None or y.shape is None or output.shape is None:
        return
    one = len(y.shape) == 1 and output.units == 1 and len(output.shape) == 1
    if len(y.shape) != len(output.shape) + 1 and not one:
        raise NotMigrated(
            "K2T301", "targets of another rank than the prediction, for a function of the script"
        )


def check_weights(loss: Loss, y: Array | None, output: Output, weighted: bool) -> None:
    """Refuse weights that a loss does not take, and what Keras does to the targets of a loss that
    the script defines."""
    if loss.function:
        check_targets(y, output)
    if weighted and "ignore_index" in loss.each:
        raise NotMigrated("K2T303", "weights beside a class that is ignored")
    if weighted and loss.rank != 1:
        raise NotMigrated("K2T303", "weights for a loss that gives no value for each sample")
