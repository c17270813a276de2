"""Metrics that count over the epoch: what is above a threshold, what classes have in common."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from k2t.ir.finding import NotMigrated
from k2t.ir.values import Arg, Const, Value, as_int
from k2t.lower import text as t
from k2t.lower.metrics import Metric, check_target, within
from k2t.lower.ops import Context
from k2t.lower.parameters import value_or_default
from k2t.lower.targets import FUNCTION, Loss, Output
from k2t.table import Row

CLASSIFICATION = "from torchmetrics.classification import "
METHODS = ("interpolation", "minoring", "majoring")


def at_threshold(
    ctx: Context, row: Row, args: Mapping[str, Arg], log: str, output: Output, loss: Loss
) -> Metric:
    """Precision and recall of torchmetrics, at one threshold."""
    check_target(row, "float", loss)
    limit = threshold(row, args)
    name, p, y = str(row.data["object"]), "{p}", "{int}"
    if not t.is_none(t.get(args, "class_id")):
        column = f"[..., {t.text(args['class_id'].value)}]"
        p, y = p + column, y + column
    if not within(output):
        return Metric(log, None, f"{name}()", f"({p} > {limit}).int(), {y}", CLASSIFICATION + name)
    made = f"{name}()" if limit == "0.5" else f"{name}(threshold={limit})"
    return Metric(log, None, made, f"{p}, {y}", CLASSIFICATION + name)


def threshold(row: Row, args: Mapping[str, Arg]) -> str:
    """The one threshold of a metric.

    Raises:
        NotMigrated: there are several.
    """
    value = value_or_default(row, args, "thresholds")
    if t.is_none(value):
        return "0.5"
    limits = t.data(value)
    if isinstance(limits, tuple) and len(limits) == 1:
        return t.literal(limits[0])
    if isinstance(limits, tuple) or (limits is ... and not getattr(value, "expr", None)):
        raise NotMigrated("K2T501", f"{row.name} at several thresholds", args["thresholds"].span)
    return t.text(value)


def count(
    ctx: Context, row: Row, args: Mapping[str, Arg], log: str, output: Output, loss: Loss
) -> Metric:
    """True positives and the like: a sum over the epoch."""
    check_target(row, "float", loss)
    update = str(row.data["update"]).replace("{limit}", threshold(row, args))
    imports = "from torchmetrics.aggregation import SumMetric"
    return Metric(log, None, "SumMetric()", update, imports)


def auc(
    ctx: Context, row: Row, args: Mapping[str, Arg], log: str, output: Output, loss: Loss
) -> Metric:
    check_target(row, "float", loss)
    curve = str(t.data(value_or_default(row, args, "curve"))).upper()
    method = str(t.data(value_or_default(row, args, "summation_method"))).lower()
    if curve not in ("ROC", "PR") or method not in METHODS:
        raise NotMigrated("K2T502", f"AUC(curve={curve!r}) is not carried over")
    number = value_or_default(row, args, "num_thresholds")
    given = [] if t.same_value(number, 200) else [f"num_thresholds={t.text(number)}"]
    helper = "AUC"
    if curve != "ROC":
        helper, given = "AUCFull", [*given, 'curve="PR"']
    if method != "interpolation":
        helper, given = "AUCFull", [*given, f'method="{method}"']
    if "multi_label" in args and t.flag(args, "multi_label"):
        if output.classes is None or len(output.shape or ()) != 1:
            raise NotMigrated("K2T502", "AUC(multi_label=True) of an output of unknown width")
        helper, given = "AUCFull", [*given, f"labels={output.classes}"]
    p = "{p}"
    if "from_logits" in args and t.flag(args, "from_logits"):
        p = "{p}.sigmoid()"
    ctx.helpers[helper] = None
    return Metric(log, None, f"AUC({', '.join(given)})", f"{p}, {{y}}")


def at_least(
    ctx: Context, row: Row, args: Mapping[str, Arg], log: str, output: Output, loss: Loss
) -> Metric:
    """The best of one rate where another one is good enough."""
    check_target(row, "float", loss)
    best, of = row.data["rates"]
    least = t.text(value_or_default(row, args, row.params[0].name))
    number = value_or_default(row, args, "num_thresholds")
    if as_int(number) is not None and (as_int(number) or 0) < 2:
        raise NotMigrated("K2T501", f"{row.name} at one threshold", args["num_thresholds"].span)
    more = "" if t.same_value(number, 200) else f", num_thresholds={t.text(number)}"
    ctx.helpers["AtLeast"] = None
    update = "{p}, {y}"
    if not t.is_none(t.get(args, "class_id")):
        column = f"[..., {t.text(args['class_id'].value)}]"
        update = f"{{p}}{column}, {{y}}{column}"
    return Metric(log, None, f'AtLeast("{best}", "{of}", {least}{more})', update)


def f_score(
    ctx: Context, row: Row, args: Mapping[str, Arg], log: str, output: Output, loss: Loss
) -> Metric:
    check_target(row, "float", loss)
    average = t.data(value_or_default(row, args, "average"))
    if output.classes is None or len(output.shape or ()) != 1:
        raise NotMigrated("K2T503", f"{row.name} of an output of unknown width")
    if average is None and output.units != 1:
        why = f"{row.name}(average=None): a number for each class, which a log does not hold"
        raise NotMigrated("K2T501", why)
    if average not in (None, "micro", "macro", "weighted"):
        raise NotMigrated("K2T501", f"{row.name}(average={average!r}) is not known")
    given = [output.classes, f'"{average or "macro"}"']
    if row.name == "FBetaScore":
        given.append(f"beta={t.text(value_or_default(row, args, 'beta'))}")
    limit = value_or_default(row, args, "threshold")
    if not t.is_none(limit):
        given.append(f"threshold={t.text(limit)}")
    ctx.helpers["FBetaScore"] = None
    return Metric(log, None, f"FBetaScore({', '.join(given)})", "{p}, {y}")


def iou(
    ctx: Context, row: Row, args: Mapping[str, Arg], log: str, output: Output, loss: Loss
) -> Metric:
    """Intersection over union: torchmetrics' where all classes count, else an emitted class."""
    binary = row.name == "BinaryIoU"
    classes: Value = Const(2) if binary else value_or_default(row, args, "num_classes")
    wanted = value_or_default(row, args, "target_class_ids") if row.get("ids") else None
    ignored = Const(None) if binary else value_or_default(row, args, "ignore_class")
    more = "" if t.is_none(ignored) else f", ignore_index={t.text(ignored)}"
    update = f"{prediction_of(ctx, row, args, output)}, {target_of(row, args, loss)}"
    every = wanted is None or t.data(wanted) == tuple(range(as_int(classes) or 0))
    outside = t.is_none(ignored) or (as_int(ignored) is not None and (as_int(ignored) or 0) < 0)
    if every and outside:
        name = "MulticlassJaccardIndex"
        made = f"{name}({t.text(classes)}{more})"
        return Metric(log, None, made, update, CLASSIFICATION + name)
    ctx.helpers["IoU"] = None
    ids = f"range({t.text(classes)})" if wanted is None else t.text(wanted)
    return Metric(log, None, f"IoU({t.text(classes)}, {ids}{more})", update)


def prediction_of(ctx: Context, row: Row, args: Mapping[str, Arg], output: Output) -> str:
    if row.name == "BinaryIoU":
        return f"({{p}} >= {t.text(value_or_default(row, args, 'threshold'))}).int()"
    if not sparse(row, args, "sparse_y_pred"):
        return "{raw}.argmax(-1)"
    if output.tail in ("sigmoid", "softmax"):
        text = f"{row.name} takes whole numbers and cuts what is below 1 to 0, as Keras does"
        ctx.note("K2T507", "info", text)
    return "{p}.int()"


def target_of(row: Row, args: Mapping[str, Arg], loss: Loss) -> str:
    if sparse(row, args, "sparse_y_true"):
        return "{y}" if loss.target == "labels" else "{int}"
    check_target(row, "float", loss)
    return "{y}.argmax(-1)"


def sparse(row: Row, args: Mapping[str, Arg], name: str) -> bool:
    """Whether targets or predictions are class numbers."""
    if name not in {p.name for p in row.params}:
        return not row.name.startswith("OneHot")
    return (
        bool(t.flag(args, name))
        if name in args
        else bool(next(p.default for p in row.params if p.name == name))
    )


KINDS: dict[str, Callable[..., Metric]] = {
    "at_threshold": at_threshold,
    "count": count,
    "auc": auc,
    "at_least": at_least,
    "f_score": f_score,
    "iou": iou,
}
"""By the ``lower`` of their rows."""


def inner_auc(ctx: Context, row: Row, args: Mapping[str, Arg]) -> str:
    if "multi_label" in args and t.flag(args, "multi_label"):
        raise NotMigrated("K2T502", "AUC(multi_label=True) in a metric of the script's own")
    flat = Output((Const(1),), "sigmoid", "1")
    made = auc(ctx, row, args, "", flat, Loss(FUNCTION, "", "", "float", None, "y_pred"))
    return str(made.object)


INNER: dict[str, Callable[..., str]] = {
    "at_threshold": lambda ctx, row, args: f"{row.data['object']}()",
    "count": lambda ctx, row, args: "SumMetric()",
    "auc": inner_auc,
}
"""What a metric of the script's own holds for one of Keras's."""


def updated_inner(row: Row, args: Mapping[str, Arg], y: str, p: str) -> str:
    """What such a metric is updated with; whether predictions are in [0, 1] is not known there."""
    kind = str(row.data["lower"])
    if kind == "auc":
        logits = "from_logits" in args and t.flag(args, "from_logits")
        return f"{p}{'.sigmoid()' if logits else ''}, {y}"
    limit = threshold(row, args)
    if kind == "count":
        text = str(row.data["update"]).replace("{limit}", limit)
        return text.replace("{p}", p).replace("{y}", y)
    column = ""
    if not t.is_none(t.get(args, "class_id")):
        column = f"[..., {t.text(args['class_id'].value)}]"
    return f"({p}{column} > {limit}).int(), {y}{column}.int()"
