"""Batches that a generator function of the script yields, and how many of them an epoch takes."""

from __future__ import annotations

from k2t.ir.finding import NotMigrated, Severity
from k2t.ir.program import Use
from k2t.ir.source import Code, code
from k2t.ir.values import Arg, Array, Const, Tuple, Value, Yields
from k2t.lower import text as t
from k2t.lower.edits import Edits

STEPS = {
    ("fit", "x"): "steps_per_epoch",
    ("fit", "validation_data"): "validation_steps",
    ("evaluate", "x"): "steps",
    ("predict", "x"): "steps",
}
"""The argument that says how many batches are taken, by call and data."""


def yields(value: Value) -> bool:
    return isinstance(value, Yields)


def counts(use: Use) -> set[str]:
    """The arguments of a call that say how many batches of a generator are taken."""
    return {
        name
        for (kind, data), name in STEPS.items()
        if kind == use.kind and data in use.args and yields(use.args[data].value)
    }


def taken(edits: Edits, use: Use, data: Arg, floats: bool) -> Code:
    """A loader of as many batches as Keras takes at a time.

    Raises:
        NotMigrated: how many is not said, or a batch is no pair of inputs and targets.
    """
    assert data.span is not None
    place = "validation_data" if data is use.args.get("validation_data") else "x"
    name = STEPS[use.kind, place]
    steps = use.args.get(name)
    if steps is None or steps.span is None or t.is_none(steps.value):
        raise NotMigrated("K2T601", f"a generator without {name}= is not carried over", data.span)
    if isinstance(steps.value, Const) and not isinstance(steps.value.value, int):
        raise NotMigrated("K2T601", f"{name} is no whole number", steps.span)
    assert isinstance(data.value, Yields)
    batch = data.value.item
    if not isinstance(batch, Tuple) or len(batch.items) != 2:
        raise NotMigrated("K2T601", "what the generator yields is no (inputs, targets)", data.span)
    first = batch.items[0]
    if floats and isinstance(first, Array) and (first.dtype or "float").startswith(("int", "uint")):
        raise NotMigrated("K2T601", "the generator yields integers: cast them there", data.span)
    if place == "validation_data":
        text = "the validation goes on where it ended in the generator; Keras 3 begins again with "
        text += "its first two batches, TensorFlow's Keras leaves some out"
        edits.note("K2T723", Severity.WARNING, text, data.span)
    edits.training["Batches"] = edits.name("Batches")
    made = f"DataLoader({edits.name('Batches')}("
    return code(made, data.span, ", ", steps.span, "), batch_size=None)")
