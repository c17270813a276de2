"""A callback of the script's own: Lightning's methods for Keras's, the same bodies."""

from __future__ import annotations

from k2t.ir.finding import NotMigrated
from k2t.ir.program import Hook, Use
from k2t.ir.source import Span
from k2t.ir.torch import Edit
from k2t.lower.edits import Edits

METHODS = {
    "on_epoch_begin": ("on_train_epoch_start", ()),
    "on_epoch_end": ("on_train_epoch_end", ()),
    "on_train_batch_begin": ("on_train_batch_start", ("data",)),
    "on_train_batch_end": ("on_train_batch_end", ("outputs", "data")),
    "on_batch_begin": ("on_train_batch_start", ("data",)),
    "on_batch_end": ("on_train_batch_end", ("outputs", "data")),
    "on_train_begin": ("on_train_start", ()),
    "on_train_end": ("on_train_end", ()),
}
LOGS = "{name: value.item() for name, value in %s.callback_metrics.items()}"


def own_callback(edits: Edits, use: Use) -> None:
    """The class keeps its constructor and bodies.

    Raises:
        NotMigrated: it does something that is not carried over.
    """
    hooks, problem = use.data["hooks"]
    names = [METHODS[h.name][0] for h in hooks if h.name in METHODS]
    if problem is None and len(set(names)) < len(names):
        problem = "a method and its old name"
    if problem is not None:
        raise NotMigrated("K2T902", f"{problem} is not carried over", use.call)
    for base in use.data["bases"]:
        edits.edits.append(Edit(base, ("L.Callback",)))
    for hook in hooks:
        rewrite(edits, hook)


def rewrite(edits: Edits, hook: Hook) -> None:
    name, between = METHODS[hook.name]
    trainer = free("trainer", hook)
    taken = ["self", trainer, free("module", hook), *(free(word, hook) for word in between)]
    by_batches = "batch" in hook.name
    if by_batches:
        taken.append(hook.number or "batch")
    edits.edits.append(Edit(hook.signature, (f"{name}({', '.join(taken)})",)))
    lines = []
    if hook.number in hook.reads and not by_batches:
        lines.append(f"{hook.number} = {trainer}.current_epoch")
    if hook.logs is not None:
        empty = hook.name in ("on_epoch_begin", "on_train_begin")
        lines.append(f"{hook.logs} = {'{}' if empty else LOGS % trainer}")
    if lines:
        edits.inserted.append((hook.first, ("\n".join(lines),)))
    edits.edits += [Edit(span, (f"{trainer}.should_stop = True",)) for span in hook.stops]


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
    edits.removed += [Span(d.start - 1, d.end) for d in use.data["decorators"]]
