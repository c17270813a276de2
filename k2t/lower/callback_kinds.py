"""Which class a callback becomes, where its arguments and uses decide, and what is read of it."""

from __future__ import annotations

import re

from k2t.ir.finding import NotMigrated
from k2t.ir.program import Use
from k2t.ir.source import code
from k2t.ir.torch import Edit
from k2t.lower import text as t
from k2t.lower.edits import Edits

CODE = "K2T706"


def scheduler(edits: Edits, use: Use) -> str:
    """By the arguments its function takes: Keras tries it with the rate as the second first."""
    takes = use.data.get("takes")
    if takes is None:
        raise NotMigrated(CODE, "the function of the LearningRateScheduler is not known", use.call)
    name = "LearningRateScheduler" if takes == 1 else "LearningRateSchedulerFull"
    other = {"LearningRateScheduler", "LearningRateSchedulerFull"} - {name}
    if other & {*edits.training, *edits.data}:
        raise NotMigrated(CODE, "schedules with and without the rate in one script", use.call)
    return name


def seldom(edits: Edits) -> bool:
    """Whether a ModelCheckpoint of the script saves by other epochs, by batches or from a start."""
    said = [
        use.args.get(name)
        for use in edits.program.uses
        if use.kind == "callback" and use.data["obj"].row == "ModelCheckpoint"
        for name in ("period", "save_freq", "initial_value_threshold")
    ]
    usual = ("epoch", 1, None)
    return any(
        arg is not None and arg.span is not None and t.data(arg.value) not in usual for arg in said
    )


def check_batches(edits: Edits, use: Use) -> None:
    """Refuse what a ModelCheckpoint that counts batches cannot tell.

    Raises:
        NotMigrated: it goes by a metric, or is given an argument that this Keras does not take.
    """
    period, frequency = use.args.get("period"), use.args["save_freq"]
    if period is not None and edits.program.dialect == "keras3":
        raise NotMigrated(CODE, "ModelCheckpoint(period=...): Keras 3 refuses it", period.span)
    if t.same_value(frequency.value, "epoch"):
        return
    if not t.same_value(use.args["save_best_only"].value, False):
        why = "ModelCheckpoint(save_freq=...) of batches beside save_best_only"
        raise NotMigrated(CODE, why, frequency.span)
    names = re.findall(r"{(\w+)", str(t.data(use.args["filepath"].value)))
    if set(names) - {"epoch", "batch"}:
        why = "ModelCheckpoint(save_freq=...) of batches, whose file has a metric in its name"
        raise NotMigrated(CODE, why, frequency.span)


def early_stopping(
    edits: Edits, use: Use, again: bool
) -> tuple[str | None, dict[str, str], set[str]]:
    """The class, arguments to add to the call, and arguments to take out of it."""
    plain = {
        name
        for name, value in (("baseline", None), ("start_from_epoch", 0))
        if t.same_value(use.args[name].value, value)
    }
    restores = use.args["restore_best_weights"].value
    never, always = (t.same_value(restores, flag) for flag in (False, True))
    old = edits.program.dialect == "keras2"
    again = again or "best_epoch" in asked(edits, use)
    if len(plain) == 2 and (never or always) and not again:
        name = None if never else "RestoringEarlyStopping"
        if old and always:
            name = "RestoringEarlyStoppingOnce"
        added = {} if use.args["patience"].span is not None else {"patience": "0"}
        return name, {**added, "check_finite": "False"}, {*plain, "restore_best_weights"}
    if old and not (len(plain) == 2 and never):
        raise NotMigrated(
            CODE, "baseline and restored weights of Keras 2's EarlyStopping in several fits",
            use.call,
        )  # fmt: skip
    return "KerasEarlyStopping", {}, set()


LIGHTNINGS = {"best": "best_score.item()", "wait": "wait_count"}
"""What Lightning's EarlyStopping calls what a script reads of Keras's."""


def asked(edits: Edits, use: Use) -> set[str]:
    """What the script reads of a callback."""
    reads = (other for other in edits.program.uses if other.kind == "told")
    return {read.data["attr"] for read in reads if read.data["obj"].span == use.call}


def told(edits: Edits, use: Use) -> None:
    """``stop.stopped_epoch`` and its like, of an EarlyStopping.

    Raises:
        NotMigrated: the callback is left out, or given to fits in several ways.
    """
    obj, attr = use.data["obj"], use.data["attr"]
    made = [u for u in edits.program.uses if u.kind == "callback" and u.call == obj.span]
    if len(made) != 1 or obj.span in edits.left_out or obj.span not in edits.classes_of:
        raise NotMigrated(CODE, f"{attr} of an EarlyStopping that is not carried over", use.call)
    own = edits.classes_of[obj.span] == "KerasEarlyStopping"
    ours = {"best": "best.item()"}.get(attr, attr) if own else LIGHTNINGS.get(attr, attr)
    edits.edits.append(Edit(use.call, code(use.receiver or "", f".{ours}")))
