"""Losses and metrics that are functions of the script: called by the step."""

from __future__ import annotations

from k2t.ir.finding import NotMigrated
from k2t.ir.program import Scored
from k2t.ir.torch import Raw
from k2t.ir.values import Array, Function
from k2t.lower.metrics import Metric
from k2t.lower.ops import Context
from k2t.lower.targets import FUNCTION, Loss, Output

STEP_NAMES = {"self", "batch", "batch_idx", "prefix", "x", "y", "weights", "logits", "y_pred"}
STEP_NAMES |= {"loss", "losses", "logs", "parts"}
"""What the step binds itself: a function of such a name is called by another one there."""


def known(ctx: Context, key: int, code: str) -> Scored:
    """What is known of a function, or of an object (by the negative of its id).

    Raises:
        NotMigrated: not enough.
    """
    found = ctx.functions.get(key)
    if found is None or found.problem is not None:
        kind = "loss" if code == "K2T301" else "metric"
        why = f": {found.problem}" if found is not None else ""
        raise NotMigrated(code, f"the {kind} of the script is not carried over{why}")
    return found


def targets(ctx: Context, found: Scored, output: Output, y: Array | None, code: str) -> str:
    """Keras 3 hands what is of the script's own the targets as they are."""
    if ctx.dialect != "keras3" or output.units != 1 or len(output.shape or ()) != 1:
        return "{y}"
    if y is None or y.shape is None:
        why = f"{found.name} gets targets as they are in Keras 3, and their rank is not known"
        raise NotMigrated(code, why)
    if len(y.shape) != 1:
        return "{y}"
    ctx.note(
        "K2T506",
        "info",
        f"Keras 3 gives {found.name} targets of shape (n,) beside predictions (n, 1), "
        "which meet as (n, n), and so does this; else take .flatten() out",
    )
    return "{y}.flatten()"


def loss(ctx: Context, value: Function) -> Loss:
    """A loss of the script; Keras takes the mean of what it gives."""
    found = known(ctx, value.index, "K2T301")
    callee = name_in_step(found)
    each = f"{callee or 'self.loss_function'}({{y}}, {{p}})"
    call = each if found.rank == 0 else f"{each}.mean()"
    setup = None if callee else Raw(("self.loss_function = ", found.span))
    return Loss(FUNCTION, call, each, "float", None, "y_pred", found.rank, setup, True)


def name_in_step(found: Scored) -> str | None:
    """How the step calls a function by its own name; None where it has none there."""
    return None if found.text in STEP_NAMES else found.text


def metric(ctx: Context, value: Function, output: Output, y: Array | None) -> Metric:
    """A metric of the script: over the samples, or over the batches if it gives one value."""
    found = known(ctx, value.index, "K2T500")
    if found.rank is None:
        raise NotMigrated("K2T500", f"whether {found.name} gives one value a batch is not known")
    name = found.name if found.name.isidentifier() else "lambda_metric"
    target = targets(ctx, found, output, y, "K2T500")
    callee = name_in_step(found)
    call = f"{callee or f'self.{name}_function'}({target}, {{p}})"
    setup = None if callee else Raw((f"self.{name}_function = ", found.span))
    if found.rank == 0 and ctx.dialect != "keras2":  # that one goes by the size of the batch
        return Metric(found.name, call, mean=True, setup=setup)
    return Metric(found.name, call if found.rank == 0 else f"{call}.mean()", setup=setup)
