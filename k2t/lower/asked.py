"""What the uses of a model tell about it."""

from __future__ import annotations

from collections.abc import Sequence

from k2t.ir.finding import NotMigrated
from k2t.ir.program import Model, Program, Use
from k2t.ir.values import Array, Value, as_int
from k2t.lower import text as t

LEARNS = ("fit", "train_on_batch", "evaluate")
"""Uses that give a model targets."""


def batch_size(program: Program, model: Model) -> int | None:
    """The batch size of the first fit of a model (Keras's default is 32)."""
    for use in program.uses:
        if use.kind == "fit" and set(use.models) & set(model.instances):
            return as_int(use.args["batch_size"].value) if "batch_size" in use.args else 32
    return None


def targets(program: Program, model: Model) -> Value | None:
    """The targets the model is first fitted to (from y, or from a Sequence's batches).

    Where the fit does not tell them, those a later evaluate is given. Of targets that come in
    other forms from batch to batch only what they have in common is known.
    """
    taught = [u for u in program.uses if u.kind in LEARNS and set(u.models) & set(model.instances)]
    if any(use.kind == "train_on_batch" for use in taught):
        return in_common([use.args["y"].value for use in taught if "y" in use.args])
    if not taught or "y" in taught[0].args:
        return taught[0].args["y"].value if taught else None
    for use in program.uses:
        if use.kind == "class" and use.data.get("targets") is not None:
            found = use.data["targets"]
            return found if isinstance(found, Array) else None
    return next((use.args["y"].value for use in taught if "y" in use.args), None)


def in_common(given: Sequence[Value]) -> Array:
    """What is known of targets that are given batch by batch."""
    arrays = [y for y in given if isinstance(y, Array)]
    if len(arrays) < len(given):
        return Array(None, None)
    ranks = {len(y.shape) if y.shape is not None else None for y in arrays}
    dtypes = {y.dtype for y in arrays}
    shape = arrays[0].shape if len(ranks) == 1 else None
    return Array(shape, dtypes.pop() if len(dtypes) == 1 else None)


def weighted(program: Program, model: Model) -> bool:
    return any(
        name in use.args and not t.is_none(use.args[name].value)
        for use in program.uses
        if use.kind in LEARNS and set(use.models) & set(model.instances)
        for name in ("class_weight", "sample_weight", "validation_w")
    )


def fitted_again(uses: Sequence[Use]) -> bool:
    """Whether one model is fitted more than once."""
    fits = [use for use in uses if use.kind == "fit"]
    found = any(goes_on(use) for use in fits)
    afresh = next((use for use in fits if "afresh" in use.data.get("states", ())), None)
    if found and afresh is not None:
        raise NotMigrated(
            "K2T306", "the model is fitted again with and without a compile between", afresh.call
        )
    return found


def goes_on(use: Use) -> bool:
    """Whether a model comes to a fit with the optimizer of an earlier one."""
    states = use.data.get("states", ())
    loops = bool(use.data.get("repeated")) and len(use.models) == 1
    return bool({"on", "loaded"} & set(states)) or (
        loops and not {"afresh", "first in its round"} & set(states)
    )


def refreshes(use: Use) -> bool:
    """Whether the data of a fit is a Sequence that wants to hear of the end of an epoch."""
    return use.kind == "fit" and bool(use.data.get("on_epoch_end"))


def validates(use: Use) -> bool:
    return use.kind == "fit" and any(
        n in use.args
        and not t.is_none(use.args[n].value)
        and not t.same_value(use.args[n].value, 0.0)
        for n in ("validation_data", "validation_split")
    )
