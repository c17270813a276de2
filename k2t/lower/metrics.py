"""Metrics: one functional call where the epoch's value is the mean over samples, else an object."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from k2t.ir.finding import NotMigrated
from k2t.ir.source import Span
from k2t.ir.torch import Raw
from k2t.ir.values import Arg, Array, Const, Function, Instance, Obj, Tuple, Value, as_int
from k2t.lower import text as t
from k2t.lower.ops import Context, fill
from k2t.lower.parameters import value_or_default
from k2t.lower.targets import Loss, Output, check_targets, find_row, lower_loss
from k2t.table import Row


@dataclass(frozen=True)
class Metric:
    """A lowered metric: its name in the logs, and a value per batch or an object with an update.

    ``up``: whether more of it is better.
    ``mean``: an epoch has the plain mean of the batches, whatever their sizes.
    """

    log: str
    call: str | None = None
    object: str | None = None
    update: str = ""
    imports: str = ""
    up: bool = False
    mean: bool = False
    setup: Raw | None = None


def setups(loss: Loss | None, metrics: Sequence[Metric]) -> list[Raw]:
    """The statements of ``__init__`` that make losses and metrics."""
    found = [loss.setup if loss is not None else None, *(m.setup for m in metrics)]
    return [s for s in found if s is not None]


def objects(metrics: Sequence[Metric]) -> tuple[tuple[str, str], ...]:
    """The metrics that the module holds, and what makes them."""
    return tuple((m.log, m.object) for m in metrics if m.object is not None)


def lower_metrics(
    ctx: Context, value: Value, output: Output, loss: Loss, y: Array | None
) -> list[Metric]:
    items = () if t.is_none(value) else flattened(value)
    found: list[Metric] = []
    for item in items:
        metric = lower_metric(ctx, item, output, loss, y)
        taken = {m.log for m in found}
        log, number = metric.log, 1
        while log in taken:
            log, number = f"{metric.log}_{number}", number + 1
        found.append(replace(metric, log=log))
    return found


def weighted_ones(
    ctx: Context,
    others: Sequence[Metric],
    args: Mapping[str, Arg],
    output: Output,
    loss: Loss,
    y: Array | None,
    weighted: bool,
) -> list[Metric]:
    """The metrics of ``weighted_metrics``: like others where no sample has a weight.

    Raises:
        NotMigrated: samples have, or versions of Keras call a metric differently.
    """
    value = t.get(args, "weighted_metrics")
    if t.is_none(value):
        return []
    found = lower_metrics(ctx, value, output, loss, y)
    if weighted or {m.log for m in others} & {m.log for m in found}:
        why = "weighted_metrics beside weights of samples, or beside metrics of the same names"
        raise NotMigrated("K2T700", why, args["weighted_metrics"].span)
    return found


def flattened(value: Value) -> tuple[Value, ...]:
    """The metrics of one output: Keras takes lists of lists there."""
    if not isinstance(value, Tuple):
        return (value,)
    return tuple(one for item in value.items for one in flattened(item))


def lower_metric(ctx: Context, value: Value, output: Output, loss: Loss, y: Array | None) -> Metric:
    if isinstance(value, Function | Instance) and loss.target == "labels":
        raise NotMigrated("K2T504", "a metric of the script beside a loss that takes class numbers")
    if isinstance(value, Function):
        from k2t.lower import scored

        check_targets(y, output)
        return scored.metric(ctx, value, output, y)
    if isinstance(value, Instance):
        from k2t.lower import scorers

        check_targets(y, output)
        return scorers.metric(ctx, value, output, y)
    row, args = find_row(ctx, "metrics", value)
    refused = isinstance(value, Const) and ("metrics", value.value) in ctx.table.refused
    if row is None and isinstance(value, Const) and not refused and ctx.dialect != "keras3":
        row, args = find_row(ctx, "losses", value)  # by the names of functions, until Keras 3
    if row is None or row.section not in ("metrics", "losses"):
        why = t.not_known(ctx.table, "metrics", value, "the metric")
        raise NotMigrated("K2T500", why)
    metric = metric_of(ctx, row, args, value, output, loss, y)
    return replace(metric, up=row.get("direction") == "up")


def metric_of(
    ctx: Context,
    row: Row,
    args: Mapping[str, Arg],
    value: Value,
    output: Output,
    loss: Loss,
    y: Array | None,
) -> Metric:
    log = name_of(ctx, row, args, value)
    code = row.get("lower")
    check_arguments(row, args)
    if code == "accuracy":
        return Metric(log, accuracy(ctx, row, args, output, loss, y))
    if code is not None:
        from k2t.lower import counted

        return counted.KINDS[code](ctx, row, args, log, output, loss)
    if row.section == "losses" or row.get("loss"):
        return Metric(log, as_loss(ctx, row, args, output, loss))
    if row.get("helper"):
        ctx.helpers[str(row.data["helper"])] = None
    check_target(row, "labels" if row.get("target") == "labels" else "float", loss)
    if row.get("object"):
        return Metric(log, None, row.data["object"], row.data["update"], row.data["imports"])
    values = {p.name: t.text(value_or_default(row, args, p.name)) for p in row.params}
    if "k" in values and (output.units or 0) > 0:
        values["k"] = fewer(values["k"], output.units or 0)
    return Metric(log, fill(str(row.data["call"]), values))


def as_loss(ctx: Context, row: Row, args: Mapping[str, Arg], output: Output, loss: Loss) -> str:
    """A loss as a metric: of the logits where the model's own loss takes these."""
    name = str(row.get("loss", row.name))
    taken = {key: args[key] for key in row.get("carries", ()) if key in args}
    nowhere = Span(0, 0)
    made = lower_loss(ctx, Obj(0, name, taken, nowhere, nowhere), output)
    alone = ctx.table.rows["losses"][name].get("tail") is None
    if made.rank == 0 or not (alone or made.folded == loss.folded):
        raise NotMigrated("K2T504", f"{row.name} as a metric beside another loss")
    check_target(row, made.target, loss)
    return made.call if alone else made.call.replace("{p}", "{raw}")


def fewer(count: str, units: int) -> str:
    """The ``k`` of ``topk``: Keras takes one that is larger than the number of classes."""
    return str(units) if count.isdigit() and int(count) > units else count


def check_target(row: Row, wanted: str, loss: Loss) -> None:
    """Refuse a metric whose targets are not those that the loss makes of the batch's.

    Raises:
        NotMigrated: one of the two takes class numbers, the other does not.
    """
    if (wanted == "labels") != (loss.target == "labels"):
        raise NotMigrated("K2T504", f"{row.name} beside a loss of other targets")


OF_KERAS_23 = re.compile(r"""["']val_accuracy["']|\.history\[["']accuracy["']\]""")
"""What a script of standalone Keras reads if it was written for 2.3: before, the key is "acc"."""


def name_of(ctx: Context, row: Row, args: Mapping[str, Arg], value: Value) -> str:
    """The metric's name in the logs: Keras 3 calls one that is given as a string by the string."""
    given = t.data(t.get(args, "name")) if "name" in args else None
    if not isinstance(value, Const):
        return str(given) if isinstance(given, str) else str(row.get("log", row.name))
    log = str(value.value)
    old = ctx.dialect == "keras2" and not (ctx.source and OF_KERAS_23.search(ctx.source.text))
    if log in ("accuracy", "acc"):
        return "acc" if old else log
    made = ctx.dialect == "tf_keras" and log == row.name  # a class there, of its own name
    return str(row.get("log", log)) if made or old else log


def check_arguments(row: Row, args: Mapping[str, Arg]) -> None:
    """Refuse the arguments that a row does not carry.

    Raises:
        NotMigrated: one is given, and not with its default.
    """
    carried = {"name", "dtype", *row.get("carries", ())}
    carried |= {p.name for p in row.params if f"{{{p.name}}}" in str(row.get("call", ""))}
    for name, arg in args.items():
        if arg.span is None or name in carried:
            continue
        default = next((p.default for p in row.params if p.name == name), ...)
        if not t.same_value(arg.value, default):
            raise NotMigrated("K2T501", f"{row.name}({name}=...) is not carried over", arg.span)


def accuracy(
    ctx: Context, row: Row, args: Mapping[str, Arg], output: Output, loss: Loss, y: Array | None
) -> str:
    """Accuracy as Keras resolves it: by the shapes of output and target, or by the class."""
    kind = row.get("kind") or resolve_accuracy(ctx, output, loss, y)
    classes = output.classes or "{raw}.shape[1]"
    if kind == "binary":
        threshold = t.get(args, "threshold")
        extra = (
            ""
            if t.is_none(threshold) or t.same_value(threshold, 0.5)
            else f", threshold={t.text(threshold)}"
        )
        if not within(output):
            limit = "0.5" if t.is_none(threshold) else t.text(threshold)
            return f"(({{p}} > {limit}) == {{y}}).float().mean()"
        return f'tm.accuracy({{p}}, {{y}}, task="binary"{extra})'
    if output.shape is not None and len(output.shape) > 1:
        return (
            "({raw}.argmax(-1) == {y}).float().mean()"
            if kind == "sparse"
            else ("({raw}.argmax(-1) == {y}.argmax(-1)).float().mean()")
        )
    if kind == "sparse" and loss.function:
        raise NotMigrated("K2T503", "accuracy of class numbers beside a loss of the script")
    if kind == "categorical":
        return f'tm.accuracy({{raw}}, {{y}}.argmax(1), task="multiclass", num_classes={classes})'
    return f'tm.accuracy({{raw}}, {{y}}, task="multiclass", num_classes={classes})'


def within(output: Output) -> bool:
    """Whether predictions are between 0 and 1: torchmetrics takes others for logits, Keras not."""
    bounded = {"softmax", "sigmoid", "hard_sigmoid", "backend_hard_sigmoid"}
    return {output.tail, output.inner} & bounded != set()


def resolve_accuracy(ctx: Context, output: Output, loss: Loss, y: Array | None) -> str:
    """Which accuracy Keras means.

    Keras 3: one output unit is binary; a target of lower rank, or with a last axis of 1, is sparse;
    else categorical. Keras 2 takes binary for binary crossentropy whatever the shapes.
    """
    if ctx.dialect == "keras2" and loss.row.name == "binary_crossentropy":
        return "binary"
    if output.units == 1:
        return "binary"
    if loss.target == "labels":
        return "sparse"
    if loss.target == "onehot":
        return "categorical"
    if output.shape is None or output.units is None:
        raise NotMigrated("K2T503", "which accuracy this is depends on shapes that are not known")
    if y is None or y.shape is None:
        raise NotMigrated("K2T503", "which accuracy this is depends on the targets' shape")
    if len(y.shape) <= len(output.shape) or as_int(y.shape[-1]) == 1:
        return "sparse"
    return "categorical"
