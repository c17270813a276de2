"""What a script reads of a History: the values of the epochs, the epochs, the learning rate."""

from __future__ import annotations

from k2t.ir.finding import NotMigrated
from k2t.ir.program import Use
from k2t.lower.callbacks import runs
from k2t.lower.edits import Edits
from k2t.lower.hooks import sets_rate


def history_key(edits: Edits, use: Use) -> None:
    """What Keras's callbacks that change the rate add to the History, which has it if it is read.

    Raises:
        NotMigrated: another callback sets the rate too, or the epochs are read as well.
    """
    key = use.data.get("key")
    if key not in ("lr", "learning_rate"):
        return
    fits = [other for other in edits.program.uses if set(other.models) & set(use.models)]
    given = [obj for fit in fits for run in runs(fit) if run is not None for obj in run.callbacks]
    told = any(u.data.get("epochs") for u in edits.program.uses if u.kind == "history")
    if key != rate_key(edits) or told or any(sets_rate(edits.program, obj) for obj in given):
        raise NotMigrated("K2T709", "the learning rate is not in the history", use.call)


def rate_key(edits: Edits) -> str:
    """What Keras calls the learning rate among the values of an epoch."""
    return "learning_rate" if edits.program.dialect == "keras3" else "lr"


def history_class(edits: Edits, use: Use) -> tuple[str, str | None]:
    """The History that has all that the script reads of it, and the name of the rate in it."""
    uses = edits.program.uses
    if any(u.data.get("epochs") for u in uses if u.kind == "history"):
        return "HistoryFull", None
    key = rate_key(edits)
    if not any(u.kind == "history_key" and u.data.get("key") == key for u in uses):
        return "History", None
    rows = edits.ctx.table.rows["callbacks"]
    given = [obj for run in runs(use) if run is not None for obj in run.callbacks]
    return "HistoryWithRate", key if any(rows[obj.row].get("rate") for obj in given) else None
