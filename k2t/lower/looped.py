"""A loop of the script's own that trains by ``train_on_batch``: calls that become methods."""

from __future__ import annotations

from k2t.ir.finding import NotMigrated
from k2t.ir.program import Use
from k2t.ir.source import code
from k2t.ir.torch import Edit
from k2t.lower import text as t
from k2t.lower.edits import Edits, batch_option, check_rest, need
from k2t.lower.feeding import inputs


def by_batches(edits: Edits, use: Use) -> bool:
    """Whether the model of a use has a method that takes a step."""
    return edits.classes[edits.draft(use).model.id].batchwise is not None


def evaluate(edits: Edits, use: Use) -> None:
    """``evaluate`` of such a model is a method of its class.

    Raises:
        NotMigrated: an argument that is not carried over.
    """
    draft = edits.draft(use)
    check_rest(use, {"x", "y", "batch_size"})
    x, y = need(use, "x"), need(use, "y")
    assert x.span is not None
    assert y.span is not None
    given = code(inputs(edits, use, draft, x), ", ", y.span)
    options = [code(", ", option) for option in batch_option(use)]
    call = code(use.receiver or "", ".evaluate(", given, *options, ")")
    said = use.how == "nothing" and not t.same_value(t.get(use.args, "verbose"), 0)
    edits.edits.append(Edit(use.call, code("print(", call, ")") if said else call))


def predict(edits: Edits, use: Use) -> None:
    """``predict`` of such a model is a method of its class.

    Raises:
        NotMigrated: classes are asked for.
    """
    if use.data.get("classes"):
        raise NotMigrated(
            "K2T704", "predict_classes of a model trained by train_on_batch", use.call
        )
    given = inputs(edits, use, edits.draft(use), need(use, "x"))
    edits.edits.append(Edit(use.call, code(use.receiver or "", ".predict(", given, ")")))


def train_on_batch(edits: Edits, use: Use) -> None:
    """The call stays; its arrays get the types that the model wants.

    Raises:
        NotMigrated: an argument that is not carried over.
    """
    draft = edits.draft(use)
    if draft.loss is None:
        raise NotMigrated("K2T701", "train_on_batch of a model that is not compiled", use.call)
    check_rest(use, {"x", "y"})
    x = need(use, "x")
    need(use, "y")
    assert x.span is not None
    edits.edits.append(Edit(x.span, inputs(edits, use, draft, x)))
