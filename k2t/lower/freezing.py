"""Frozen layers: ``trainable`` becomes ``requires_grad_`` of the modules that have parameters."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence, Set
from itertools import groupby

from k2t.ir.finding import NotMigrated
from k2t.ir.program import Change, Use
from k2t.ir.torch import Edit, Snippet
from k2t.ir.values import Obj
from k2t.lower.applications import INNER, network_parts
from k2t.lower.edits import Edits
from k2t.lower.initial import torch_class
from k2t.lower.model import Draft
from k2t.lower.ops import SOMEWHERE, Op
from k2t.lower.parts import layers_of, parts_of
from k2t.lower.weighty import NORM, has_weights, normalises

RECURRENT = ("nn.LSTM", "nn.GRU", "nn.RNN")


def freeze(edits: Edits, use: Use) -> None:
    """A statement, or a loop, that sets ``trainable``: what it comes to, module by module."""
    if use.data["problem"] is not None:
        raise NotMigrated("K2T721", use.data["problem"], use.call)
    if use.data["on_batches"]:
        return  # the optimizers get the parameters that train
    by_model: dict[int, list[Change]] = {}
    for change in use.data["changes"]:
        by_model.setdefault(change.model, []).append(change)
    lines: dict[str, list[str]] = {}
    for model, changes in by_model.items():
        variable = changes[0].variable
        made = statements(edits, use, edits.drafts.get(model), changes)
        if lines.setdefault(variable, made) != made:
            raise NotMigrated("K2T721", f"{variable} is different models here", use.call)
    text = "\n".join(line for made in lines.values() for line in made)
    edits.edits.append(Edit(use.stmt, Snippet("code", {"code": (text or "pass",)})))


def statements(edits: Edits, use: Use, draft: Draft | None, changes: Sequence[Change]) -> list[str]:
    """The lines for one model."""
    variable = changes[0].variable
    if draft is None:
        raise NotMigrated("K2T903", f"{variable} is not migrated", use.call)
    complete(draft, use)
    wanted = values(changes)
    if changes[-1].layer is None:  # the layers of another instance have other numbers
        wanted |= {layer.id: changes[-1].trainable for _, _, layer in draft.made}
    check(edits, draft, wanted, use)
    made_frozen = any(op.frozen == ("",) and on for op, _, on in affected(edits, draft, wanted))
    if made_frozen and changes[-1].layer is None and edits.ctx.dialect == "keras2":
        why = "in Keras 2 a layer that was made with trainable=False stays frozen in its model"
        raise NotMigrated("K2T721", why, use.call)
    form = "{}.requires_grad_({})"
    stays = called_in_inference(edits)
    if any(normalises(edits.ctx, layer) for _, layer, _ in affected(edits, draft, wanted)) and (
        draft.model.id not in stays
    ):
        emit_set_trainable(edits, use)
        form = edits.name("set_trainable") + "({}, {})"
    if changes[-1].layer is None:
        return [form.format(variable, changes[-1].trainable)]
    inner = [c for c in changes if c.layer is not None and c.layer.row == INNER]
    if inner:
        if len(inner) < len(changes):
            raise NotMigrated("K2T721", "some layers of a network, and others beside", use.call)
        parts = network_parts(edits.ctx, draft.made, variable, inner)
        return [form.format(where, on) for where, on in parts]
    return [
        form.format(variable + path.removeprefix("self"), trainable)
        for path, trainable in modules(edits, draft, wanted, changes[0].layers, use)
    ]


def complete(draft: Draft, use: Use) -> None:
    """Refuse a use of a model's layers above the place where the model is complete."""
    ready, home = draft.model.ready, draft.model.home
    here = use.scope == (home.span if home is not None else None)
    if here and ready is not None and use.stmt.start < ready.start:
        raise NotMigrated("K2T721", "a layer is used before its model is complete", use.call)


def values(changes: Sequence[Change]) -> dict[int, bool]:
    """What ``trainable`` is set to, by layer; the last word counts."""
    found: dict[int, bool] = {}
    for change in changes:
        if change.layer is None:
            found.update(dict.fromkeys(change.layers, change.trainable))
        else:
            found[change.layer.id] = change.trainable
    return found


def modules(
    edits: Edits, draft: Draft, wanted: Mapping[int, bool], present: Set[int], use: Use
) -> Iterator[tuple[str, bool]]:
    """The modules that are frozen or not, as few as say it: the model, a group, layers of one."""
    groups: dict[str, list[tuple[str, bool | None]]] = {}
    for path, op, layer in draft.made:
        if has_weights(edits.ctx, draft, op, layer):
            alone = layer.id in present and "[?]" not in path
            said = wanted.get(layer.id) if alone else asked(draft, layer, present, wanted, use)
            groups.setdefault(path.partition("[")[0], []).append((path, said))
    everything = {said for group in groups.values() for _, said in group}
    if len(everything) == 1 and None not in everything and len(groups) > 1:
        yield "self", bool(everything.pop())
        return
    for base, group in groups.items():
        told = {said for _, said in group}
        if told == {None}:
            continue
        if ":" in base or any(path == SOMEWHERE for path, _ in group):
            message = "trainable of some layers of a loop or function"
            raise NotMigrated("K2T721", message, use.call)
        if len(told) == 1:
            yield base, bool(told.pop())
        else:
            yield from slices(base, group, use)


def asked(
    draft: Draft, layer: Obj, present: Set[int], wanted: Mapping[int, bool], use: Use
) -> bool | None:
    """What is wanted of the layers that a module stands for: a loop makes several at one place."""
    made = layers_of(draft.model)
    said = {wanted.get(m.id) for m in made if m.span == layer.span and m.id in present}
    if len(said) > 1:
        raise NotMigrated("K2T721", "trainable of some of the layers of a loop", use.call)
    return said.pop() if said else None


def slices(
    base: str, group: Sequence[tuple[str, bool | None]], use: Use
) -> Iterator[tuple[str, bool]]:
    """Runs of layers of one ``nn.Sequential``."""
    numbers = [path.removeprefix(base)[1:-1] for path, _ in group]
    if not all(number.isdigit() for number in numbers):
        raise NotMigrated("K2T721", "trainable of some layers beside a loop", use.call)
    runs = [
        (said, [n for n, _ in run])
        for said, run in groupby(
            zip(numbers, (s for _, s in group), strict=True), key=lambda pair: pair[1]
        )
    ]
    for position, (said, run) in enumerate(runs):
        if said is None:
            continue
        start = "" if position == 0 else run[0]
        end = "" if position == len(runs) - 1 else str(int(run[-1]) + 1)
        yield f"{base}[{run[0]}]" if len(run) == 1 else f"{base}[{start}:{end}]", said


def check(edits: Edits, draft: Draft, wanted: Mapping[int, bool], use: Use) -> None:
    """Refuse what torch would do otherwise than Keras.

    Raises:
        NotMigrated: see there.
    """
    ctx, dialect = edits.ctx, edits.ctx.dialect
    for op, layer, trainable in affected(edits, draft, wanted):
        why = "trainable of a layer of the script" if layer.row == "Custom" else None
        if why is None and trainable and (any(op.frozen) or torch_class(op) in RECURRENT):
            why = f"{layer.row} is trained again: it has parameters that Keras does not have"
        elif op.penalties and dialect == "keras3":
            why = f"{layer.row} is frozen: Keras 3 leaves its penalty out of the loss"
        elif normalises(ctx, layer) and dialect == "keras2":
            why = f"a frozen {NORM}: Keras 2 goes on to normalise by the batch, later ones do not"
        elif normalises(ctx, layer) and parts_of(draft.model).keys() & called_in_inference(edits):
            why = "a frozen model with a part that is called with training=False"
        elif normalises(ctx, layer) and any(looks(edits, other) for other in edits.program.uses):
            why = f"a frozen {NORM} beside a model that is run without being compiled"
        if why is not None:
            raise NotMigrated("K2T721", why, use.call)


def emit_set_trainable(edits: Edits, use: Use) -> None:
    """The helper, above its first use: a part may be frozen before the next class begins."""
    starts = [(d.model.anchor or d.model.span).start for d in edits.drafts.values()]
    early = not edits.classes or use.stmt.start < max(starts)
    helpers = edits.data if early else edits.training
    if helpers is edits.data:
        edits.data_uses.append(use.stmt)
        edits.training.pop("set_trainable", None)
    if "set_trainable" not in edits.data:
        helpers["set_trainable"] = edits.name("set_trainable")


def called_in_inference(edits: Edits) -> set[int]:
    """The models that others call with ``training=False``."""
    made = [layer for d in edits.drafts.values() for _, _, layer in d.made]
    return {one.id for one in made if one.row == "Model" and "inference" in one.args}


def looks(edits: Edits, use: Use) -> bool:
    """Whether a use runs a model in inference mode, and sets all of it to training after that."""
    drafts = [edits.drafts[m] for m in use.models if m in edits.drafts]
    return use.kind == "call" or (use.kind == "predict" and any(d.loss is None for d in drafts))


def affected(
    edits: Edits, draft: Draft, wanted: Mapping[int, bool]
) -> Iterator[tuple[Op, Obj, bool]]:
    """The modules that are frozen or not, those of parts too."""
    for _, op, layer in draft.made:
        inner = edits.drafts.get(layer.id) if layer.row == "Model" else None
        if layer.id in wanted and inner is not None:
            every = {one.id for one in layers_of(inner.model)}
            yield from affected(edits, inner, dict.fromkeys(every, wanted[layer.id]))
        elif layer.id in wanted:
            yield op, layer, wanted[layer.id]
