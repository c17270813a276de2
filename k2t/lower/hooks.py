"""A callback of the script's own: Lightning's methods for Keras's, the same bodies."""

from __future__ import annotations

from collections.abc import Iterator

from k2t.ir.finding import NotMigrated
from k2t.ir.program import Hook, OwnCallback, Program, Reached, Use
from k2t.ir.source import Span, code
from k2t.ir.torch import Edit, Snippet
from k2t.ir.values import Arg, Class, Obj, Tuple
from k2t.lower import text as t
from k2t.lower.edits import Edits, emit_before

METHODS = {
    "on_train_begin": ("on_train_start", ()),
    "on_epoch_begin": ("on_train_epoch_start", ()),
    "on_train_batch_begin": ("on_train_batch_start", ("data",)),
    "on_train_batch_end": ("on_train_batch_end", ("outputs", "data")),
    "on_batch_begin": ("on_train_batch_start", ("data",)),
    "on_batch_end": ("on_train_batch_end", ("outputs", "data")),
    "on_test_begin": ("on_validation_start", ()),
    "on_test_batch_begin": ("on_validation_batch_start", ("data",)),
    "on_test_batch_end": ("on_validation_batch_end", ("outputs", "data")),
    "on_test_end": ("on_validation_end", ()),
    "on_epoch_end": ("on_train_epoch_end", ()),
    "on_train_end": ("on_train_end", ()),
}
"""Keras's methods, Lightning's, and what those are told between the module and the number."""

LOGS = "{name: value.item() for name, value in %s.callback_metrics.items()}"
TESTED = (
    '{name[4:]: value.item() for name, value in %s.callback_metrics.items() if name[:4] == "val_"}'
)
PARAMS = {
    "epochs": "max_epochs",
    "nb_epoch": "max_epochs",
    "steps": "num_training_batches",
}
"""What ``self.params`` holds and a Trainer knows."""


def own_callback(edits: Edits, use: Use) -> None:
    """The class keeps its constructor and bodies.

    Raises:
        NotMigrated: it does something that is not carried over.
    """
    own: OwnCallback = use.data["hooks"]
    problem = own.problem or problem_of(edits, own)
    if problem is not None:
        raise NotMigrated("K2T902", f"{problem} is not carried over", use.call)
    batchwise = any(reads_loss(hook) for hook in own.hooks)
    base = "L.Callback"
    if batchwise and edits.program.dialect != "keras2":
        base = emit_before(edits, use, "BatchLoss", "BatchLoss")
    edits.edits += [Edit(span, (base,)) for span in own.bases]
    edits.edits += [Edit(span, ("super()",)) for span in own.supers]
    holds = any(r.models or r.stops or r.rates or r.sets or r.params for r in own.others)
    if holds and own.top is not None:
        held = "def setup(self, trainer, module, stage):\n    self.model = module\n"
        edits.inserted.append((own.top, (held,)))
    for hook in own.hooks:
        rewrite(edits, hook, holds)
    for others in own.others:
        reach(edits, others, "self.model.trainer", "self.model")


def problem_of(edits: Edits, own: OwnCallback) -> str | None:
    """What of a callback's class is not carried over, if anything."""
    methods = [METHODS[h.name][0] for h in own.hooks if h.name in METHODS]
    if len(set(methods)) < len(methods):
        return "a method and its old name"
    other = next((h.name for h in own.hooks if h.name not in METHODS), None)
    if other is not None:
        return f"{other} of a callback"
    for hook in own.hooks:
        if reads_loss(hook) and set(hook.keys or ("",)) != {"loss"}:
            return f"logs in {hook.name}, but for the loss,"
        if hook.logs is not None and hook.name == "on_test_batch_end":
            return f"logs in {hook.name}: Keras gives means of the batches so far"
    everything = (*own.others, *(h.reached for h in own.hooks))
    wrong = [key for r in everything for _, key in r.params if key not in PARAMS]
    if wrong:
        return f"self.params[{wrong[0]!r}] of a callback" if wrong[0] else "self.params as a whole"
    fits = [*given_to(edits.program, own.index)]
    if any("batch" in h.name for h in own.hooks) and any(several_at_once(edits, u) for u in fits):
        return "a method called by batches, under steps_per_execution,"
    names = {name for r in everything for name in r.by_name}
    if names - {edits.draft(use).model.variable for use in fits} or (names and len(fits) > 1):
        return "the learning rate of another model"
    if any(r.models or r.rates or r.sets for r in everything) and not fits:
        return "self.model of a callback that no fit is seen to be given"
    if any(reads_loss(h) for h in own.hooks) and any(edits.draft(u).heads for u in fits):
        return "logs of batches of a model with several outputs"
    return None


def several_at_once(edits: Edits, use: Use) -> bool:
    """Whether Keras calls back after some batches only."""
    compiled = edits.draft(use).model.compile
    steps = compiled.args.get("steps_per_execution") if compiled is not None else None
    return steps is not None and not t.is_none(steps.value) and not t.same_value(steps.value, 1)


def given_to(program: Program, index: int) -> Iterator[Use]:
    """The fits that are given a callback of a class of the script, or of one that extends it."""
    for use in program.uses:
        for run in use.data.get("runs", ()):
            for obj in run.callbacks if run is not None else ():
                if index in classes_of(obj):
                    yield use


def classes_of(obj: Obj) -> set[int]:
    """The class of a callback of the script's own, and those that it extends, by number."""
    found = obj.args.get("class", Arg(Tuple(()))).value
    return (
        {c.index for c in found.items if isinstance(c, Class)}
        if isinstance(found, Tuple)
        else set()
    )


def sets_rate(program: Program, obj: Obj) -> bool:
    """Whether a callback of the script's own sets the learning rate."""
    classes = classes_of(obj)
    own = (use.data["hooks"] for use in program.uses if "hooks" in use.data)
    return any(one.index in classes and one.sets_rate for one in own)


def reads_loss(hook: Hook) -> bool:
    """Whether a method reads the loss of a batch, or what Keras means by it."""
    return hook.logs is not None and hook.name in ("on_train_batch_end", "on_batch_end")


def rewrite(edits: Edits, hook: Hook, holds: bool) -> None:
    """A method of Keras's becomes one of Lightning's, with the same body."""
    name, between = METHODS[hook.name]
    trainer, module = free("trainer", hook), free("module", hook)
    between = tuple(free(word, hook) for word in between)
    taken = ["self", trainer, module, *between]
    by_batches = "batch" in hook.name
    if by_batches:
        taken.append(hook.number or "batch")
    if by_batches and "test" in hook.name:
        taken.append("dataloader_idx=0")
    edits.edits.append(Edit(hook.signature, (f"{name}({', '.join(taken)})",)))
    lines = []
    if hook.number in hook.reads and not by_batches:
        lines.append(f"{hook.number} = {trainer}.current_epoch")
    if hook.logs is not None:
        lines.append(f"{hook.logs} = {told(edits, hook, trainer, between)}")
    if lines:
        edits.inserted.append((hook.first, ("\n".join(lines),)))
    reach(edits, hook.reached, trainer, "self.model" if holds else module)


def told(edits: Edits, hook: Hook, trainer: str, between: tuple[str, ...]) -> str:
    """The logs that Keras hands to a method."""
    old = edits.program.dialect == "keras2"
    if reads_loss(hook):
        outputs, data = between
        if old:
            return f'{{"loss": {outputs}["loss"].item()}}'
        return f'{{"loss": self.mean_loss({outputs}, {data}, {hook.number or "batch"})}}'
    if hook.name == "on_test_end":
        return TESTED % trainer
    if hook.name == "on_epoch_end" or (hook.name == "on_train_end" and not old):
        return LOGS % trainer
    return "{}"


def reach(edits: Edits, reached: Reached, trainer: str, module: str) -> None:
    """What a method does with the model, by way of what Lightning hands to it."""
    groups = f"{trainer}.optimizers[0].param_groups"
    edits.edits += [Edit(span, (f"{trainer}.should_stop = True",)) for span in reached.stops]
    edits.edits += [Edit(span, (f'{groups}[0]["lr"]',)) for span in reached.rates]
    edits.edits += [Edit(span, (module,)) for span in reached.models if module != "self.model"]
    edits.edits += [Edit(s, (f"{trainer}.{PARAMS[key]}",)) for s, key in reached.params]
    edits.removed += reached.guards
    for stmt, operator, value in reached.sets:
        text = code(f'for group in {groups}:\n    group["lr"] {operator} ', value)
        edits.edits.append(Edit(stmt, Snippet("code", {"code": text})))


def free(word: str, hook: Hook) -> str:
    """A parameter's name that the method does not read as something else."""
    while word in hook.reads or word in (hook.number, hook.logs):
        word += "_"
    return word


def plain_class(edits: Edits, use: Use) -> None:
    """``class Own(Regularizer)`` is a class like any other."""
    text = edits.program.source.text
    for base in use.data["bases"]:
        whole = Span(base.start - 1, base.end + 1)
        alone = text[whole.start] == "(" and text[whole.end - 1] == ")"
        edits.edits.append(Edit(whole, ("",)) if alone else Edit(base, ("object",)))
    if use.data["super"] is not None:
        edits.removed.append(use.data["super"])  # nothing is above it any more
    edits.removed += [Span(d.start - 1, d.end) for d in use.data["decorators"]]
