"""Weights to files and back: ``save``, ``save_weights``, ``load_weights``, ``load_model``."""

from __future__ import annotations

from k2t.ir.finding import NotMigrated, Severity
from k2t.ir.program import Use
from k2t.ir.source import Code, Span, code
from k2t.ir.torch import Edit, Snippet
from k2t.lower.edits import Edits, check_rest, need
from k2t.lower.model import Draft
from k2t.lower.wires import words


def save_weights(edits: Edits, use: Use) -> None:
    edits.draft(use)
    check_rest(use, {"filepath", "overwrite", "save_format", "include_optimizer"})
    path = need(use, "filepath")
    assert path.span is not None
    assert use.receiver is not None
    edits.note(
        "K2T800", Severity.INFO, "the file is a torch state dict now, whatever its suffix", use.call
    )
    edits.edits.append(
        Edit(use.call, code("torch.save(", use.receiver, ".state_dict(), ", path.span, ")"))
    )


def load_weights(edits: Edits, use: Use) -> None:
    edits.draft(use)
    check_rest(use, {"filepath"})
    path = need(use, "filepath")
    assert path.span is not None
    assert use.receiver is not None
    edits.note(
        "K2T801",
        Severity.WARNING,
        "reads what this script saves with torch; a Keras weights file does not fit",
        use.call,
    )
    edits.edits.append(
        Edit(use.call, code(use.receiver, ".load_state_dict(torch.load(", path.span, "))"))
    )


def load_model(edits: Edits, use: Use) -> None:
    """A new instance of the model's class, with the saved weights."""
    if not use.models:
        raise NotMigrated("K2T802", "which class load_model brings back is not known", use.call)
    draft = edits.draft(use)
    check_rest(use, {"filepath", "custom_objects", "compile", "safe_mode"})
    path = need(use, "filepath")
    assert path.span is not None
    if use.target is None or use.targets or (not use.alone and use.how != "name"):
        raise NotMigrated("K2T802", "load_model that is not assigned to a variable", use.call)
    name = edits.program.source.slice(use.target)
    if not use.data["saved"]:
        message = "reads what this script saves with torch; a Keras file does not fit"
        edits.note("K2T801", Severity.WARNING, message, use.call)
    made = instance(edits, draft, use)
    text: Code = code(f"{name} = ", *made, f"\n{name}.load_state_dict(torch.load(", path.span, "))")
    edits.edits.append(Edit(use.stmt, Snippet("code", {"code": text})))


def instance(edits: Edits, draft: Draft, use: Use) -> Code:
    """The constructor of another instance of a model's class.

    Raises:
        NotMigrated: what the first was made with is something else by now.
    """
    model, cls = draft.model, edits.classes[draft.model.id]
    if not cls.parameters:
        return (f"{cls.name}()",)
    if model.home is not None and model.home.becomes_class:
        if use.data["like"] is not None:
            function, call = use.data["like"]
            return (cls.name, Span(function.end, call.end))
    elif words(", ".join(model.arguments)) <= use.data["steady"]:
        return (f"{cls.name}({', '.join(model.arguments)})",)
    message = "load_model of a class whose arguments are not known here"
    raise NotMigrated("K2T802", message, use.call)
