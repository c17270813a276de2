"""What all compile calls of a model say: what is carried, and that the others say the same."""

from __future__ import annotations

from collections.abc import Mapping, Set
from typing import TYPE_CHECKING

from k2t.ir.finding import NotMigrated
from k2t.ir.program import Model
from k2t.ir.values import Arg, Array
from k2t.lower import text as t
from k2t.lower.metrics import Metric, lower_metrics, weighted_ones
from k2t.lower.ops import Context
from k2t.lower.optimizers import lower_optimizer
from k2t.lower.targets import Loss, Output, lower_loss

if TYPE_CHECKING:
    from k2t.lower.model import Draft

CARRIED = {
    "optimizer",
    "loss",
    "metrics",
    "run_eagerly",
    "jit_compile",
    "steps_per_execution",
    "auto_scale_loss",
    "weighted_metrics",
}


def check_others(ctx: Context, model: Model, made: Draft, output: Output, y: Array | None) -> None:
    """What one compile call says for other instances of the model must come to the same."""
    assert model.compile is not None
    for args in model.compile.others:
        loss = lower_loss(ctx, t.get(args, "loss"), output, y)
        metrics = all_metrics(ctx, made, args, loss, output, y)
        optimizer = lower_optimizer(ctx, t.get(args, "optimizer"))
        if (loss, metrics, optimizer) != (made.loss, made.metrics, made.optimizer):
            raise NotMigrated(
                "K2T306", "compile says different things in different rounds", model.compile.span
            )
    for again in model.compile.again:
        if made.heads:
            raise NotMigrated("K2T306", "several outputs, compiled more than once", again.span)
        for args in (again.args, *again.others):
            loss = lower_loss(ctx, t.get(args, "loss"), output, y)
            metrics = all_metrics(ctx, made, args, loss, output, y)
            if (loss, metrics) != (made.loss, made.metrics):
                why = "compiled again with another loss or other metrics"
                raise NotMigrated("K2T306", why, again.span)


def all_metrics(
    ctx: Context,
    made: Draft,
    args: Mapping[str, Arg],
    loss: Loss,
    output: Output,
    y: Array | None,
) -> list[Metric]:
    """The metrics of another ``compile``, weighted ones with them."""
    found = lower_metrics(ctx, t.get(args, "metrics"), output, loss, y)
    return [*found, *weighted_ones(ctx, found, args, output, loss, y, made.weighted)]


def check_compile(model: Model, more: Set[str] = frozenset()) -> None:
    assert model.compile is not None
    for compiled in (model.compile, *model.compile.again):
        for name, arg in compiled.args.items():
            if name not in CARRIED | more and not t.is_none(arg.value):
                raise NotMigrated("K2T700", f"compile({name}=...) is not carried over", arg.span)
