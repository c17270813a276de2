"""Mixed precision: a policy of Keras's is the ``precision`` of the Trainers."""

from __future__ import annotations

from k2t.ir.finding import NotMigrated, Severity
from k2t.ir.program import Program, Use
from k2t.lower.edits import Edits

PRECISIONS = {"mixed_float16": "16-mixed", "mixed_bfloat16": "bf16-mixed", "float32": None}


def precision(program: Program) -> str | None:
    """The ``precision`` of a script's Trainers; None where it is torch's default."""
    set_ = [use.data["policy"] for use in program.uses if use.kind == "precision"]
    return PRECISIONS.get(set_[0]) if len(set_) == 1 else None


def policy(edits: Edits, use: Use) -> None:
    """The statements that make and set a policy.

    Raises:
        NotMigrated: it is not known, holds for some models only, or has no counterpart.
    """
    uses, name = edits.program.uses, use.data["policy"]
    if name not in PRECISIONS:
        raise NotMigrated("K2T900", f"the policy {name or 'here'} is not migrated", use.call)
    if sum(other.kind == "precision" for other in uses) > 1:
        raise NotMigrated("K2T900", "several policies of precision are not migrated", use.call)
    made = [m.span for m in edits.program.models]
    if any(span.start < use.call.start for span in made) or use.branch is not None:
        why = "a policy that holds for some models, or sometimes, is not migrated"
        raise NotMigrated("K2T900", why, use.call)
    if any(other.kind == "train_on_batch" for other in uses):
        why = "mixed precision of a model trained by train_on_batch is not migrated"
        raise NotMigrated("K2T900", why, use.call)
    edits.removed += use.data["about"]
    ours = PRECISIONS[name]
    if ours is not None:
        text = f"the Trainer computes in precision={ours!r}: what is rounded where differs"
        edits.note("K2T725", Severity.WARNING, text, use.call)
