"""``get_weights`` and ``set_weights`` of a layer: arrays in Keras's layout, in and out."""

from __future__ import annotations

from k2t.ir.finding import NotMigrated
from k2t.ir.program import Use
from k2t.ir.source import code
from k2t.ir.torch import Edit
from k2t.ir.values import Obj
from k2t.lower.edits import Edits, need
from k2t.lower.freezing import complete
from k2t.lower.model import Draft

KINDS = ("Dense", "Conv1D", "Conv2D", "Conv3D", "Conv2DTranspose")


def get_weights(edits: Edits, use: Use) -> None:
    name = edits.name("get_weights")
    edits.edits.append(Edit(use.call, code(f"{name}({module(edits, use)})")))
    edits.training["get_weights"] = name


def set_weights(edits: Edits, use: Use) -> None:
    given = need(use, "weights")
    assert given.span is not None
    name = edits.name("set_weights")
    edits.edits.append(Edit(use.call, code(f"{name}({module(edits, use)}, ", given.span, ")")))
    edits.training["set_weights"] = name


def get_state(edits: Edits, use: Use) -> None:
    """The weights of a model; kept for later they are copies, because training changes its own."""
    check_state(edits, use)
    if not use.data["kept"]:
        edits.edits.append(Edit(use.call, code(use.receiver or "", ".state_dict()")))
        return
    copied = code(
        "{name: value.clone() for name, value in ", use.receiver or "", ".state_dict().items()}"
    )
    edits.edits.append(Edit(use.call, copied))


def set_state(edits: Edits, use: Use) -> None:
    check_state(edits, use)
    given = need(use, "weights")
    assert given.span is not None
    text = code(use.receiver or "", ".load_state_dict(", given.span, ")")
    edits.edits.append(Edit(use.call, text))


def check_state(edits: Edits, use: Use) -> None:
    if not use.data["known"]:
        why = "the weights of a model are looked into, not only kept and put back"
        raise NotMigrated("K2T803", why, use.call)
    drafts = [edits.drafts.get(model) for model in use.models]
    if None in drafts:
        raise NotMigrated("K2T903", "the model of these weights is not migrated", use.call)
    if len({modules(draft) for draft in drafts if draft is not None}) > 1:
        raise NotMigrated("K2T803", "the weights of a model of other layers", use.call)
    if drafts[0] is not None and edits.classes[drafts[0].model.id].lazy:
        raise NotMigrated("K2T803", "the weights of a model whose sizes are not known", use.call)


def modules(draft: Draft) -> tuple[tuple[str, str], ...]:
    """What a model consists of: two that are made alike have a state dict of the same names."""
    return tuple((path, op.module or "") for path, op, _ in draft.made)


def module(edits: Edits, use: Use) -> str:
    """The module that has the weights, which must be the same one whenever this is run.

    Raises:
        NotMigrated: there are several, or its weights have another form in torch.
    """
    found: set[str] = set()
    for holder, layer in use.data["things"]:
        if holder is None:
            raise NotMigrated(
                "K2T803", "weights of a layer that is in no model yet, or none at hand", use.call
            )
        if layer.row not in KINDS and use.kind != "reset_layer":
            raise NotMigrated("K2T803", f"{layer.row}: its weights are not handed out", use.call)
        model, variable = holder
        draft = edits.drafts.get(model)
        if draft is None:
            raise NotMigrated("K2T903", f"{variable} is not migrated", use.call)
        complete(draft, use)
        found.add(variable + path_of(draft, layer, use).removeprefix("self"))
    if len(found) > 1:
        text = "the weights of another layer in each round"
        raise NotMigrated("K2T803", f"{text}: write the rounds out", use.call)
    return found.pop()


def path_of(draft: Draft, layer: Obj, use: Use) -> str:
    """Where a model has the module of a layer, as an expression."""
    weighted = [(path, one) for path, op, one in draft.made if op.widens or op.params]
    found = [p for p, one in weighted if one.id == layer.id]
    found = found or [p for p, one in weighted if one.span == layer.span]
    if len(found) != 1 or found[0].endswith("[?]") or ":" in found[0]:
        raise NotMigrated("K2T803", "weights of a layer in a loop or function of layers", use.call)
    return found[0]
