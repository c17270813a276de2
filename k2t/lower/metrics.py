"""Metrics: one functional call where the epoch's value is the mean over samples, else an object."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from k2t.ir.finding import NotMigrated
from k2t.ir.torch import Raw
from k2t.ir.values import Arg, Array, Const, Function, Tuple, Value, as_int
from k2t.lower import text as t
from k2t.lower.ops import Context
from k2t.lower.targets import Loss, Output, check_targets, find_row
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


def lower_metrics(
    ctx: Context, value: Value, output: Output, loss: Loss, y: Array | None
) -> list[Metric]:
    items = value.items if isinstance(value, Tuple) else () if t.is_none(value) else (value,)
    found: list[Metric] = []
    for item in items:
        metric = lower_metric(ctx, item, output, loss, y)
        taken = {m.log for m in found}
        log, number = metric.log, 1
        while log in taken:
            log, number = f"{metric.log}_{number}", number + 1
        found.append(replace(metric, log=log))
    return found


def lower_metric(ctx: Context, value: Value, output: Output, loss: Loss, y: Array | None) -> Metric:
    if isinstance(value, Function):
        from k2t.lower import scored

        check_targets(y, output)
        return scored.metric(ctx, value, output, y)
    row, args = find_row(ctx, "metrics", value)
    if row is not None and row.section == "losses":
        row = None
    if row is None:
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
    given = t.data(t.get(args, "name")) if "name" in args else None
    if isinstance(value, Const):
        log = str(value.value)
        if ctx.dialect == "keras2" and log in ("accuracy", "acc"):
            log = "acc"
        elif ctx.dialect == "keras2":
            log = str(row.get("log", log))
    else:
        log = str(given) if isinstance(given, str) else str(row.get("log", row.name))
    for name, arg in args.items():
        if arg.span is not None and name not in (
            "name",
            "threshold",
            "num_thresholds",
            "curve",
            "dtype",
            "k",
        ):
            default = next((p.default for p in row.params if p.name == name), ...)
            if not t.same_value(arg.value, default):
                raise NotMigrated("K2T501", f"{row.name}({name}=...) is not carried over", arg.span)
    code = row.get("lower")
    if code == "accuracy":
        return Metric(log, accuracy(ctx, row, args, output, loss, y))
    if code == "auc":
        return auc(row, args, log)
    if row.name == "BinaryCrossentropy" and output.tail in ("softmax", "sigmoid"):
        if loss.folded is None:
            raise NotMigrated("K2T504", "binary crossentropy as a metric beside another loss")
        return Metric(log, "F.binary_cross_entropy_with_logits({raw}, {y})")
    if row.get("logits"):
        wanted = "softmax" if loss.folded == "softmax" and output.tail == "softmax" else None
        target = "labels" if row.name.startswith("Sparse") else "onehot"
        if wanted is None or loss.target != target:
            raise NotMigrated("K2T504", f"{row.name} as a metric beside another loss")
        return Metric(log, row.data["logits"])
    if row.get("helper"):
        ctx.helpers[str(row.data["helper"])] = None
    if row.get("target") == "labels" and loss.target != "labels":
        raise NotMigrated("K2T504", f"{row.name} beside a loss of other targets")
    if row.get("object"):
        return Metric(log, None, row.data["object"], row.data["update"], row.data["imports"])
    values = {
        p.name: args[p.name].value if p.name in args else Const(p.default) for p in row.params
    }
    count = t.text(values["k"]) if "k" in values else ""
    return Metric(log, row.data["call"].replace("{k}", count))


def auc(row: Row, args: Mapping[str, Arg], log: str) -> Metric:
    curve = t.data(t.get(args, "curve"))
    count = t.text(t.get(args, "num_thresholds"))
    if str(curve).upper() == "ROC":
        return Metric(
            log,
            None,
            f"BinaryAUROC(thresholds={count})",
            "{p}, {int}",
            "from torchmetrics.classification import BinaryAUROC",
        )
    raise NotMigrated("K2T502", f"AUC(curve={curve!r}) is not carried over")


def accuracy(
    ctx: Context, row: Row, args: Mapping[str, Arg], output: Output, loss: Loss, y: Array | None
) -> str:
    """Accuracy as Keras resolves it: by the shapes of output and target, or by the class."""
    kind = row.get("kind") or resolve_accuracy(ctx, output, loss, y)
    classes = output.classes or "{p}.shape[1]"
    if kind == "binary":
        threshold = t.get(args, "threshold")
        extra = (
            ""
            if t.is_none(threshold) or t.same_value(threshold, 0.5)
            else f", threshold={t.text(threshold)}"
        )
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
