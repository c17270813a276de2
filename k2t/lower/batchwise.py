"""Models that the script trains batch by batch (``train_on_batch``): a method that takes a step."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

from k2t.ir.finding import Finding, NotMigrated, Severity
from k2t.ir.program import Model, Program, Use
from k2t.ir.torch import Batchwise, Line, Optimizer, Step
from k2t.ir.values import Obj
from k2t.lower import text as t
from k2t.lower.ops import SOMEWHERE
from k2t.lower.optimizers import check_average, own
from k2t.lower.parts import is_frozen, layers_of, parts_of
from k2t.lower.weighty import NORM, has_weights, normalises

if TYPE_CHECKING:
    from k2t.lower.model import Draft
    from k2t.lower.ops import Context

CODE = "K2T731"
TENSOR = "torch.as_tensor({}, device=self.device)"


def by_batches(uses: Sequence[Use]) -> bool:
    """Whether the script trains a model by ``train_on_batch``.

    Raises:
        NotMigrated: it is fitted, too.
    """
    kinds = {use.kind for use in uses}
    if "train_on_batch" not in kinds:
        return False
    fitted = next((use for use in uses if use.kind == "fit"), None)
    if fitted is not None:
        raise NotMigrated(CODE, "fit of a model that train_on_batch trains", fitted.call)
    return True


def batchwise(
    ctx: Context, made: Draft, step: Step, drafts: Mapping[int, Draft], uses: Sequence[Use]
) -> Batchwise:
    """How a model takes a step on a batch.

    Raises:
        NotMigrated: it does something in a step that is not carried over.
    """
    model = made.model
    assert model.compile is not None
    if model.compile.again:
        raise NotMigrated(CODE, "compiled again, and trained by train_on_batch", model.span)
    if step.updates or made.heads or made.chain.masked is not None:
        what = "several outputs" if made.heads else "a metric that is an object"
        what = "a mask that reaches the loss" if made.chain.masked is not None else what
        raise NotMigrated(CODE, f"train_on_batch with {what}", model.compile.span)
    evaluated = next((use for use in uses if use.kind == "evaluate"), None)
    if evaluated is not None and (step.means or len(model.inputs) > 1):
        what = "means of batches" if step.means else "several inputs"
        raise NotMigrated(CODE, f"evaluate with {what}, beside train_on_batch", evaluated.call)
    values = dict((*step.logs, *step.means))
    names = [values[name] for name in ("loss", *(m.log for m in made.metrics))]
    first = step.lines[0].text
    return Batchwise(
        inputs=of_form(model.input_kind),
        targets=TENSOR.format("y") + (first.removeprefix("y = y") if casts(step) else ""),
        values=tuple(names),
        words=" and the ".join(("loss", *(m.log for m in made.metrics))),
        counts=made.optimizer is not None and counts(made.optimizer),
        decays=made.optimizer is not None and "decay" in made.optimizer.result,
        parameters=parameters(ctx, made, drafts),
        settled=settled(ctx, made, drafts),
        predicts=ending(made) if any(use.kind == "predict" for use in uses) else None,
    )


def ending(made: Draft) -> str:
    """The activation that a model has left to its loss."""
    folded = made.loss.folded if made.loss is not None else None
    flat = made.output.shape is not None and len(made.output.shape) == 1
    softmax = ".softmax(1)" if flat else ".softmax(-1)"
    return {"softmax": softmax, "sigmoid": ".sigmoid()"}.get(folded or "", "")


def shared_optimizers(program: Program) -> Iterator[Finding]:
    """A warning for each optimizer that several models were compiled with."""
    seen: dict[int, Model] = {}
    stepped = {m for use in program.uses if use.kind == "train_on_batch" for m in use.models}
    for model in program.models:
        made = t.get(model.compile.args, "optimizer") if model.compile is not None else None
        if not isinstance(made, Obj) or not stepped & set(model.instances):
            continue
        if seen.setdefault(made.id, model) is not model:
            assert model.compile is not None
            text = "two models are compiled with one optimizer: Keras 2 counts the steps of both "
            text += "together (10 % of a loss after 50 steps of Adam), here each counts its own"
            yield Finding("K2T730", Severity.WARNING, text, model.compile.span)


def of_form(kind: str) -> str:
    """What makes tensors of the inputs."""
    if kind == "dict":
        return f"{{k: {TENSOR.format('part')} for k, part in x.items()}}"
    return f"[{TENSOR.format('part')} for part in x]" if kind == "list" else TENSOR.format("x")


def casts(step: Step) -> bool:
    """Whether a step begins with the form of the targets."""
    return step.lines[0].text.startswith("y = y.")


def without_cast(step: Step) -> Step:
    return replace(step, lines=step.lines[1:]) if casts(step) else step


def parameters(ctx: Context, made: Draft, drafts: Mapping[int, Draft]) -> str:
    """The parameters that train: those of layers that were not frozen when the model was compiled.

    Raises:
        NotMigrated: a part is frozen in part.
    """
    assert made.model.compile is not None
    frozen = made.model.compile.frozen
    for number, layer in parts_of(made.model).items():
        if number not in frozen and frozen & inside(drafts, number):
            raise NotMigrated("K2T721", "a part of the model is frozen in part", layer.span)
    groups: dict[str, list[tuple[str, bool]]] = {}
    for path, op, layer in made.made:
        if not has_weights(ctx, made, op, layer):
            continue
        trains = not is_frozen(made.model, layer, frozen)
        groups.setdefault(path.partition("[")[0], []).append((path, trains))
    if all(trains for group in groups.values() for _, trains in group):
        return "self.parameters()"
    trained: list[str] = []
    for base, group in groups.items():
        told = {trains for _, trains in group}
        paths = [base] if told == {True} else [path for path, trains in group if trains]
        placed = not any("[?]" in path or ":" in path for path in paths)
        if True in told and (not placed or SOMEWHERE in dict(group)):
            raise NotMigrated("K2T721", "trainable of some layers of a loop", made.model.span)
        trained += paths
    if len(trained) == 1:
        return f"{trained[0]}.parameters()"
    return f"[{', '.join(f'*{path}.parameters()' for path in trained)}]"


def settled(ctx: Context, made: Draft, drafts: Mapping[int, Draft]) -> tuple[str, ...]:
    """The frozen modules that normalise by their running statistics in a step.

    Raises:
        NotMigrated: Keras 2 goes on to normalise by the batch, and keeps the statistics.
    """
    assert made.model.compile is not None
    frozen = made.model.compile.frozen
    found = [
        (path, layer)
        for path, _, layer in made.made
        if is_frozen(made.model, layer, frozen)
        and any(normalises(ctx, one) for one in every(drafts, layer))
    ]
    if found and ctx.dialect == "keras2":
        why = f"a frozen {NORM}: Keras 2 goes on to normalise by the batch, later ones do not"
        raise NotMigrated("K2T721", why, found[0][1].span)
    if found:
        ctx.helpers["freeze_norms"] = None
    return tuple(path for path, _ in found)


def every(drafts: Mapping[int, Draft], layer: Obj) -> Iterator[Obj]:
    """A layer, or those of a model used as one."""
    inner = drafts.get(layer.id) if layer.row == "Model" else None
    if inner is None:
        yield layer
        return
    for one in layers_of(inner.model):
        yield from every(drafts, one)


def inside(drafts: Mapping[int, Draft], number: int) -> set[int]:
    """The layers of a model and of its parts, by id."""
    inner = drafts[number].model
    found = {layer.id for layer in layers_of(inner)}
    return found.union(*(inside(drafts, part) for part in parts_of(inner)))


def counts(optimizer: Optimizer) -> bool:
    """Whether what is done before a step asks for its number."""
    return any("global_step" in line.text for line in optimizer.hook)


def stepped(optimizer: Optimizer, parameters: str) -> Optimizer:
    """The optimizer as an attribute of the module, which counts its steps itself."""
    check_average(optimizer)
    lines = [*optimizer.lines, *(() if optimizer.lines else (result(optimizer),))]
    return replace(
        optimizer,
        lines=tuple(replace(x, text=attribute(x.text, parameters)) for x in lines),
        hook=tuple(replace(x, text=attribute(x.text, parameters)) for x in optimizer.hook),
        result="",
    )


def result(optimizer: Optimizer) -> Line:
    return Line(f"optimizer = {optimizer.result}")


def attribute(text: str, parameters: str) -> str:
    text = own(text.replace("self.parameters()", parameters))
    return text.replace("(self.global_step + 1)", "self.steps").replace(
        "self.global_step + 1", "self.steps"
    )
