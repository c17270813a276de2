"""Models whose recurrent layers are stateful: their uses, and what puts the states back."""

from __future__ import annotations

import re

from k2t.ir.finding import NotMigrated, Severity
from k2t.ir.program import Use
from k2t.ir.source import code
from k2t.ir.torch import Edit
from k2t.ir.values import Array
from k2t.lower import looped
from k2t.lower.edits import Edits
from k2t.lower.model import Draft
from k2t.lower.trainers import called_back
from k2t.lower.weights import module

CODE = "K2T190"
PARTS = ("Model", "Custom")
MADE = re.compile(r"^Stateful\(")


def has_states(edits: Edits, draft: Draft) -> bool:
    """Whether a layer of a model keeps its states, or one in a part of it may do so."""
    inside = any(layer.row in PARTS for _, _, layer in draft.made)
    own = any(MADE.match(op.module or "") for _, op, _ in draft.made)
    return own or (inside and "Stateful" in edits.ctx.helpers)


def check(edits: Edits, use: Use) -> None:
    """Refuse uses of a model with states that take its rows in other batches than Keras does.

    Raises:
        NotMigrated: it is such a use.
    """
    draft = edits.drafts.get(use.models[0]) if use.models else None
    if (
        draft is None
        or use.kind not in ("fit", "evaluate", "predict")
        or not has_states(edits, draft)
    ):
        return
    if edits.classes[draft.model.id].lazy:
        raise NotMigrated(CODE, "a stateful model that needs a dry run for its sizes", use.call)
    fed = use.args["x"].value if "x" in use.args else None
    sized = "batch_size" in use.args or not isinstance(fed, Array)
    if edits.program.dialect == "keras2" and not sized:
        why = f"{use.kind} of a stateful model without batch_size: versions of Keras 2 differ"
        raise NotMigrated(CODE, why, use.call)
    if called_back(edits, use):
        why = f"{use.kind} of a stateful model in a callback: its states go on there in Keras"
        raise NotMigrated(CODE, why, use.call)
    if use.kind == "predict" and (draft.loss is None or looped.by_batches(edits, use)):
        why = "predict of a stateful model that is not trained by fit"
        raise NotMigrated(CODE, why, use.call)


def reset_states(edits: Edits, use: Use) -> None:
    """``model.reset_states()``: of all its layers that keep them; without any it does nothing."""
    draft = edits.draft(use)
    assert use.receiver is not None
    if use.data.get("layers") and any(layer.row in PARTS for _, _, layer in draft.made):
        raise NotMigrated(CODE, "a loop over layers that have layers of their own", use.call)
    if not has_states(edits, draft) and not use.alone:
        raise NotMigrated(CODE, "what reset_states of a model without states gives", use.call)
    if not has_states(edits, draft):
        edits.removed.append(use.stmt)
        said = "no layer is stateful, so there is nothing that reset_states could put back"
        edits.note("K2T710", Severity.INFO, said, use.call)
        return
    edits.ctx.helpers["reset_states"] = None
    edits.edits.append(Edit(use.call, code("reset_states(", use.receiver, ")")))


def reset_layer(edits: Edits, use: Use) -> None:
    """``layer.reset_states()``, of one that keeps them."""
    if any("stateful" not in layer.args for _, layer in use.data["things"]):
        raise NotMigrated(CODE, "the states of a layer that is not stateful", use.call)
    edits.edits.append(Edit(use.call, code(f"{module(edits, use)}.reset_states()")))
