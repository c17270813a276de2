"""Callbacks: Lightning's where they act at Keras's epochs, else emitted classes; both stay put."""

from __future__ import annotations

from collections.abc import Iterator

from k2t.ir.finding import NotMigrated, Severity
from k2t.ir.program import Program, Run, Use
from k2t.ir.source import Code, Span
from k2t.ir.torch import Edit
from k2t.ir.values import Arg, Const, Obj
from k2t.lower import text as t
from k2t.lower.asked import validates
from k2t.lower.callback_calls import rewrite
from k2t.lower.callback_kinds import CODE, check_batches, early_stopping, scheduler, seldom
from k2t.lower.edits import Edits, emit_before
from k2t.lower.hooks import sets_rate
from k2t.lower.model import Draft
from k2t.table import Row, Table


def runs(use: Use) -> tuple[Run | None, ...]:
    return tuple(use.data.get("runs", ()))


def fits_of(program: Program, call: Span) -> Iterator[tuple[Use, Run, Obj]]:
    """Each run of a fit that is given a callback made at a place."""
    for use in program.uses:
        for run in runs(use):
            if run is not None:
                yield from ((use, run, obj) for obj in run.callbacks if obj.span == call)


def rate_class(program: Program, table: Table, instances: tuple[int, ...]) -> str | None:
    """The SGD that keeps its momentum when a callback of a model's fits changes the rate."""
    given = [
        obj
        for use in program.uses
        if set(use.models) & set(instances)
        for run in runs(use)
        for obj in (run.callbacks if run is not None else ())
    ]
    rows = table.rows["callbacks"]
    found = {str(rows[obj.row].get("rate")) for obj in given if rows[obj.row].get("rate")}
    found |= {"SGDFull" for obj in given if sets_rate(program, obj)}
    return max(found, key=len, default=None)


def callback(edits: Edits, use: Use) -> None:
    """A callback's constructor call.

    Raises:
        NotMigrated: what it does is not carried over.
    """
    obj = use.data["obj"]
    row = edits.ctx.table.rows["callbacks"][obj.row]
    fits = list(fits_of(edits.program, use.call))
    if not fits:
        raise NotMigrated(CODE, f"no fit is seen that is given this {row.name}", use.call)
    if row.get("lower") == "drop":
        return drop(edits, use, row.data["code"], f"{row.name} is left out: {row.data['why']}")
    if t.data(use.args.get("restore_best_weights", Arg(Const(False))).value) is not False:
        edits.ctx.changed(row, {})
    name: str | None = row.get("helper")
    added: dict[str, str] = {}
    gone = set(row.get("dropped", ()))
    order = list(row.data["carried"])
    if row.get("lower") == "scheduler":
        name = scheduler(edits, use)
    elif row.get("lower") == "checkpoint" and seldom(edits):
        name = "ModelCheckpointFull"
        check_batches(edits, use)
        order += ["initial_value_threshold", "save_freq", "period"]
    elif row.get("lower") == "early_stopping":
        name, added, gone = early_stopping(edits, use, reused(fits) or seldom_validated(fits))
        edits.classes_of[use.call] = name
        order += [] if gone else [p.name for p in row.params[len(order) :]]
    check(edits, row, use, order, gone)
    if t.spelled(edits.program.source, use.args.get("min_delta")) == "epsilon":
        check_epsilon(edits, use)
    watched = [f for f, _, _ in fits] if monitors(row, use) else []
    if watched and (missing := never(edits, row, use, watched)):
        return drop(edits, use, "K2T708", missing)
    if watched:
        added = {**monitored(edits, row, use, watched), **added}
    else:
        gone |= {"mode"}
    if row.get("saves"):
        edits.note(
            "K2T800", Severity.INFO, "the file is a torch state dict now, whatever its suffix",
            use.call,
        )  # fmt: skip
    if row.name == "CSVLogger" and changes_rate(edits, fits):
        edits.note(
            "K2T709", Severity.WARNING, "Keras adds a column with the learning rate", use.call
        )
    rewrite(edits, use, row, emitted(edits, use, name), added, gone)
    return None


def check_epsilon(edits: Edits, use: Use) -> None:
    """Refuse the old name of ``min_delta`` where it is ignored.

    Raises:
        NotMigrated: in Keras 3.
    """
    if edits.program.dialect == "keras3":
        why = "ReduceLROnPlateau(epsilon=...): Keras 3 ignores it; write min_delta="
        raise NotMigrated(CODE, why, use.args["min_delta"].span)


def changes_rate(edits: Edits, fits: list[tuple[Use, Run, Obj]]) -> bool:
    rows = edits.ctx.table.rows["callbacks"]
    return any(rows[obj.row].get("rate") for _, run, _ in fits for obj in run.callbacks)


def check(edits: Edits, row: Row, use: Use, carried: list[str], gone: set[str]) -> None:
    """Refuse arguments that say something and are not carried."""
    for name, arg in use.args.items():
        if arg.span is None or name in gone or name in carried:
            continue
        default = next((p.default for p in row.params if p.name == name), ...)
        default = row.get("unsaid", {}).get(name, default)
        if default is not ... and t.same_value(arg.value, default):
            gone.add(name)
            continue
        raise NotMigrated(CODE, f"{row.name}({name}=...) is not carried over", arg.span)


def monitors(row: Row, use: Use) -> bool:
    wanted = row.get("monitors", False)
    if isinstance(wanted, str):
        arg = use.args[wanted]
        return not t.same_value(arg.value, False)
    return bool(wanted)


def reused(fits: list[tuple[Use, Run, Obj]]) -> bool:
    """Whether one object is given to several fits, which Keras's callbacks begin anew at."""
    ids = [obj.id for _, _, obj in fits]
    again = any(run.iteration and obj.id not in run.fresh for _, run, obj in fits)
    return again or len(set(ids)) < len(ids)


def seldom_validated(fits: list[tuple[Use, Run, Obj]]) -> bool:
    """Whether a fit does not validate in each epoch; Lightning's callback acts in others then."""
    given = (fit.args.get("validation_freq") for fit, _, _ in fits)
    return any(arg is not None and not t.same_value(arg.value, 1) for arg in given)


# ---------------------------------------------------------------------- fit


def check_callbacks(edits: Edits, use: Use) -> None:
    """Refuse a fit whose callbacks are not all known."""
    arg = use.args.get("callbacks")
    if arg is not None and arg.span is not None and None in runs(use):
        for left in edits.program.leftovers:
            if left.span in arg.span and edits.ctx.table.reason(left.path):
                raise NotMigrated("K2T900", edits.ctx.table.left(left.path), left.span)
        raise NotMigrated("K2T703", "fit(callbacks=...): not all of them are known", arg.span)


def given_callbacks(edits: Edits, use: Use, history: str | None) -> Code | None:
    """The callbacks of the Trainer: those of fit, and the history if it is read."""
    arg = use.args.get("callbacks")
    span = arg.span if arg is not None and not t.is_none(arg.value) else None
    if span is None:
        return (f"[{history}]",) if history else None
    text = edits.program.source.slice(span)
    items = [obj for run in runs(use) if run is not None for obj in run.callbacks]
    if text[0] in "[(" and all(obj.span in edits.left_out for obj in items):
        return (f"[{history}]",) if history else None
    inside = text[1:-1].rstrip().rstrip(",").rstrip()
    if text[0] in "[(" and text[-1] in "])" and "#" not in text:
        if not history:
            return ("[", Span(span.start + 1, span.end - 1), "]")
        begin = Span(span.start + 1, span.start + 1 + len(inside))
        return ("[", begin, f", {history}]" if inside else f"{history}]")
    places = {run.place for run in runs(use) if run is not None}
    if places == {None} and not history:
        return (span,)
    if history or is_shared(edits.program, use, places):
        star = "*" if places != {None} else ""
        return (f"[{star}", span, f", {history}]" if history else "]")
    return (span,)


def is_shared(program: Program, use: Use, places: set[int | None]) -> bool:
    """Whether several Trainers get one list: each adds its own callbacks to the list it gets."""
    mine = use.data.get("branches", {})
    found = [
        run
        for u in program.uses
        if not any(mine.get(k, side) != side for k, side in u.data.get("branches", {}).items())
        for run in runs(u)
        if run is not None and run.place in places
    ]
    return len(found) > 1 or any(run.iteration for run in found)


# ---------------------------------------------------------------------- left out


def drop(edits: Edits, use: Use, number: str, why: str) -> None:
    """Taken out of the list it stands in, or the lists its variable stands in."""
    places = [use.call] if use.target is None else use.data.get("loads", ())
    elements = [element(edits, place) for place in places]
    elements = [beside(edits, span) if span is not None else None for span in elements]
    if None in elements or (use.target is not None and not elements):
        raise NotMigrated(number, why, use.call)
    edits.edits += [Edit(span, ()) for span in elements if span is not None]
    edits.left_out.add(use.call)
    if use.target is not None:
        edits.removed.append(use.stmt)
    severity = Severity.INFO if number == "K2T710" else Severity.WARNING
    edits.note(number, severity, why, use.call)


def beside(edits: Edits, span: Span) -> Span:
    """What is left of an element when the one before it went with the comma between them."""
    gone = [e.span.end for e in edits.edits if e.code == () and e.span.start <= span.start]
    return Span(max([span.start, *(end for end in gone if end <= span.end)]), span.end)


def element(edits: Edits, span: Span) -> Span | None:
    """An element of a list display with its comma."""
    text = edits.program.source.text
    before, after = text[: span.start].rstrip(), text[span.end :]
    rest = after.lstrip()
    if not before.endswith(("[", ",")) or not rest.startswith((",", "]")):
        return None
    if rest.startswith(","):
        blank = len(rest[1:]) - len(rest[1:].lstrip())
        return Span(span.start, len(text) - len(rest) + 1 + blank)
    return Span(len(before) - before.endswith(","), span.end)


# ---------------------------------------------------------------------- what it watches


def never(edits: Edits, row: Row, use: Use, fits: list[Use]) -> str | None:
    """Why a callback never acts: fit does not log what it watches, and Keras only warns.

    Raises:
        NotMigrated: it acts in some fits, or acts all the same.
    """
    name = t.data(use.args["monitor"].value)
    known = [logged(edits, edits.draft(fit), fit) for fit in fits]
    if not isinstance(name, str) or all(name in names for names in known):
        return None
    why = f"{row.name} watches {name!r}, but fit logs {', '.join(known[0])}"
    saves = row.get("saves") and edits.program.dialect == "keras3"
    if saves or any(name in names for names in known):
        raise NotMigrated(CODE, why, use.args["monitor"].span or use.call)
    return f"{why}: in Keras it warns and never acts, so it is left out"


def monitored(edits: Edits, row: Row, use: Use, fits: list[Use]) -> dict[str, str]:
    """Which way its metric gets better is written down.

    Raises:
        NotMigrated: it is not known.
    """
    arg = use.args["monitor"]
    name = t.data(arg.value)
    added: dict[str, str] = {}
    if arg.span is None and row.get("helper") is None:
        added["monitor"] = t.literal(name)
    mode = t.data(use.args["mode"].value)
    if mode not in ("min", "max"):
        modes = {direction(edits, row, edits.draft(fit), name) for fit in fits}
        if mode is ... or not isinstance(name, str) or len(modes) != 1 or None in modes:
            raise NotMigrated(
                CODE, f"{row.name}: whether {name} should be high or low is not known; give mode=",
                use.call,
            )  # fmt: skip
        mode = modes.pop()
    if mode == "max" or use.args["mode"].span is not None:
        added["mode"] = t.literal(mode)
    return added


def logged(edits: Edits, draft: Draft, fit: Use) -> list[str]:
    step = edits.classes[draft.model.id].step
    names = [name for name, _ in (*step.logs, *step.means)] if step is not None else []
    return [*names, *(f"val_{name}" for name in names)] if validates(fit) else names


def direction(edits: Edits, row: Row, draft: Draft, name: str) -> str | None:
    """What ``mode="auto"`` comes to: by the metric in Keras 3, by the name before."""
    metric = name.removeprefix("val_")
    if edits.program.dialect == "keras3":
        if metric == "loss":
            return "min"
        found = next((m for m in draft.metrics if m.log == metric), None)
        return None if found is None else "max" if found.up else "min"
    if row.name == "EarlyStopping" and edits.program.dialect == "tf_keras":
        return "max" if name.endswith(("acc", "accuracy", "auc")) else "min"
    return "max" if "acc" in name else "min"


def emitted(edits: Edits, use: Use, helper: str | None) -> str:
    """The name of the class; one that is emitted stands before the callback is made."""
    if helper is None:
        if "EarlyStopping" in edits.program.bound_names:
            raise NotMigrated(CODE, "EarlyStopping is a name of the script", use.call)
        return "EarlyStopping"
    return emit_before(edits, use, helper, helper.removesuffix("Full").removesuffix("Once"))
