"""The whole program: classes, helpers and edits from the Keras IR."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

from k2t.ir.finding import Finding, NotMigrated, Severity
from k2t.ir.program import Leaf, Model, Program, Use
from k2t.ir.source import Code, Span
from k2t.ir.torch import Edit, ModuleClass, Proof, Snippet, TorchProgram
from k2t.lower import initial
from k2t.lower import text as t
from k2t.lower.added import with_added_loss
from k2t.lower.applications import differences, stays_outside, trained
from k2t.lower.asked import batch_size, targets, weighted
from k2t.lower.batchwise import shared_optimizers
from k2t.lower.callbacks import rate_class
from k2t.lower.classes import edit_layers
from k2t.lower.custom import draft_layers
from k2t.lower.edits import Edits
from k2t.lower.feeding import target_parts, with_kind
from k2t.lower.heads import imports
from k2t.lower.leftovers import stops_of
from k2t.lower.library import Library
from k2t.lower.model import Draft, draft, finish
from k2t.lower.ops import Context
from k2t.lower.parts import nodes_of, without_parts
from k2t.lower.recompile import recompiled
from k2t.lower.structured import reference_class
from k2t.lower.unread import without_unread
from k2t.lower.uses import lower_use
from k2t.lower.wires import Lost
from k2t.table import Table

VERBS = ("build_", "create_", "make_", "get_", "define_", "construct_", "new_")


def lower_program(
    program: Program, table: Table, fidelity: str, flat: Mapping[int, str] | None = None
) -> tuple[TorchProgram, tuple[Finding, ...]]:
    """Torch IR of a program and the findings of lowering it.

    Args:
        flat: the models that are to be written layer by layer, and why.
    """
    lost = dict(flat or {})
    while True:
        try:
            return lower_models(program, table, fidelity, lost)
        except Lost as error:
            lost[error.model] = error.reason


def lower_models(
    program: Program, table: Table, fidelity: str, flat: Mapping[int, str]
) -> tuple[TorchProgram, tuple[Finding, ...]]:
    ctx = Context(table, program.dialect, fidelity, source=program.source, flat=flat)
    ctx.handed = program.handed
    findings: list[Finding] = list(program.findings)
    drafts: dict[int, Draft] = {}
    kept: list[Model] = []
    names = ClassNames(program)
    ctx.bound, ctx.imagenet = program.bound_names, trained(program)
    ctx.library = Library(ctx, dict(program.functions), names.for_function)
    draft_layers(ctx, program, findings)
    for model in sorted(program.models, key=lambda m: m.id):
        ctx.batch_size = batch_size(program, model)
        ctx.rate = rate_class(program, table, model.instances)
        ctx.notes.clear()
        model = replace(model, input_kind=with_kind(program, model))
        try:
            made = draft(
                ctx,
                model,
                targets(program, model),
                weighted(program, model),
                target_parts(program, model),
            )
        except NotMigrated as error:
            findings.append(refusal(error, model.span))
            made_by = [model.span, *(node.stmt for node in nodes_of(model))]
            ctx.behind.update(dict.fromkeys(made_by, findings[-1]))
            continue
        outside = stays_outside(ctx, program, model)
        if outside:
            ctx.outside.update(dict.fromkeys(model.instances, made.made[0][1]))
            made.chain.paths[:] = [("self", *made.made[0][1:])]
        else:
            made.name = names.for_model(model)
        findings += [Finding(c, Severity(s), m, model.span) for c, s, m in ctx.notes]
        findings += differences(ctx, model)
        kept.append(model)
        for instance in model.instances:
            drafts[instance] = made
            ctx.made[instance] = made.made
            if made.loss is not None and made.loss.folded is not None:
                ctx.endings[instance] = made.loss.folded
    modules = [d for m in kept for d in (drafts[m.id],)]
    common = initial.plan(ctx, [m for d in modules for m in d.made])
    classes: dict[int, ModuleClass] = {}
    for made in modules:
        uses = [u for u in program.uses if set(u.models) & set(made.model.instances)]
        try:
            if made.model.id not in ctx.outside:
                cls = finish(ctx, made, common, uses, drafts)
                classes[made.model.id] = without_unread(made, cls, program.source)
        except NotMigrated as error:
            if made.chain.references:
                raise Lost(made.model.id, error.message) from None
            findings.append(refusal(error, made.model.span))
            for instance in made.model.instances:
                del drafts[instance]
    without_parts(modules, drafts, classes, findings)
    findings += shared_optimizers(program)
    edits = Edits(program, ctx, drafts, classes)
    add_losses(edits, modules, classes, findings)
    edit_layers(edits)
    refused = lower_uses(edits, findings)
    removed = removed_statements(program, drafts)
    for made in modules:
        if made.model.id in ctx.outside:
            module = ctx.outside[made.model.id].module
            removed[:] = [s for s in removed if made.model.span not in s]
            edits.edits.append(Edit(made.model.span, (module or "",)))
        elif made.model.id in classes:
            if made.model.id not in edits.predicted:
                unused = replace(classes[made.model.id], predict=None, before_predict=None)
                classes[made.model.id] = unused
            create(edits, made, classes[made.model.id], removed)
            recompiled(edits.edits, made.settings, removed)
    references(edits, table)
    removed += edits.removed
    stops = stops_of(edits, removed, findings, refused)
    findings += edits.findings
    return (
        assemble(program, ctx, common, modules, classes, edits, removed, stops),
        tuple(sorted(findings, key=lambda f: (f.span.start, f.code))),
    )


def add_losses(
    edits: Edits,
    modules: Sequence[Draft],
    classes: dict[int, ModuleClass],
    findings: list[Finding],
) -> None:
    """The steps of models whose loss the script adds; those that cannot be read give up."""
    for made in modules:
        if made.model.id not in classes:
            continue
        try:
            classes[made.model.id] = with_added_loss(edits, made, classes[made.model.id])
        except NotMigrated as error:
            findings.append(refusal(error, made.model.span))
            del classes[made.model.id]
            for instance in made.model.instances:
                del edits.drafts[instance]


def refusal(error: NotMigrated, span: Span) -> Finding:
    return Finding(error.code, Severity.ERROR, error.message, error.span or span)


class ClassNames:
    """Names for classes: from ``name=``, else the builder function, else Model."""

    def __init__(self, program: Program) -> None:
        self.taken = {*program.bound_names, "F", "L"}  # names that torch and Lightning go by
        self.program = program

    def for_function(self, name: str) -> str:
        return self.free(camel(name))

    def for_model(self, model: Model) -> str:
        source = model.name
        if source is None and model.home is not None and model.home.becomes_class:
            source = model.home.name
        if source is None and model.variable not in (None, "model"):
            source = model.variable if model.variable != "self.model" else None
        wanted = camel(source.rpartition(".")[2]) if source else "Model"
        return self.free(wanted if len(wanted) > 1 else "Model")

    def free(self, wanted: str) -> str:
        name, number = wanted, 2
        while name in self.taken:
            name, number = f"{wanted}{number}", number + 1
        self.taken.add(name)
        return name


def camel(name: str) -> str:
    for verb in VERBS:
        name = name.removeprefix(verb)
    parts = "".join(c if c.isalnum() else "_" for c in name).split("_")
    text = "".join(p[:1].upper() + p[1:] for p in parts if p)
    return text if text and not text[0].isdigit() else "Model"


# ---------------------------------------------------------------------- statements


def lower_uses(edits: Edits, findings: list[Finding]) -> list[Use]:
    """Lower each use; those refused are reported, and stay."""
    refused: list[Use] = []
    order = {"callback": 0, "fit": 1}
    for use in sorted(edits.program.uses, key=lambda u: (order.get(u.kind, 2), u.call.start)):
        if use.kind == "model" or any(use.call in span for span in edits.ctx.left):
            continue
        if use.models and not any(m in edits.drafts for m in use.models):
            refused.append(use)
            continue
        try:
            lower_use(edits, use)
        except NotMigrated as error:
            findings.append(refusal(error, use.call))
            refused.append(use)
    return refused


def removed_statements(program: Program, drafts: dict[int, Draft]) -> list[Span]:
    """Statements that moved into classes; those of models left behind stay."""
    lost = [m for m in program.models if m.id not in drafts]
    if not lost:
        return list(program.removed)
    keep: list[Span] = []
    for model in lost:
        if model.compile is not None:
            keep.append(model.compile.span)
        keep.append(model.span)
        keep.extend(i.node.stmt for i in model.body if isinstance(i, Leaf))
    if len(lost) == len(program.models):
        return []
    added = [m.added for m in lost if m.added is not None]
    whole = [s for one in added for s in (one.span, *one.statements)]
    return [
        s
        for s in program.removed
        if not any(k in s for k in keep) and not any(s in w for w in whole)
    ]


def create(edits: Edits, made: Draft, cls: ModuleClass, removed: list[Span]) -> None:
    """Where the model was complete, an instance of its class is made."""
    model = made.model
    if model.home is not None and model.home.becomes_class:
        removed.append(model.home.whole)
        for span in model.renames:
            edits.edits.append(Edit(span, (cls.name,)))
        return
    arguments = ", ".join(model.arguments)
    assert model.ready is not None
    assert model.created is not None
    if model.ready == model.created:
        removed[:] = [s for s in removed if model.span not in s]
        edits.edits.append(Edit(model.span, (f"{cls.name}({arguments})",)))
        return
    place = next((s for s in removed if model.ready in s), model.ready)
    removed[:] = [s for s in removed if s != place and s not in place]
    text = "\n".join([*model.comments, f"{model.variable} = {cls.name}({arguments})"])
    edits.edits.append(Edit(place, Snippet("code", {"code": (text,)})))


def references(edits: Edits, table: Table) -> None:
    """Layer classes handed about as values: ``Dropout`` becomes ``nn.Dropout``.

    Where one is called with Keras's arguments, its model was left behind, and so it is left too.
    A variable that holds one keeps its name. Recurrent layers are written with the class that the
    variable has now.
    """
    source = edits.program.source
    variables: set[str] = set()
    for leftover in sorted(edits.program.leftovers, key=lambda found: found.span.start):
        row = table.find(leftover.path)
        called = source.text[leftover.span.end :].lstrip().startswith("(")
        if row is None or called or not (row.get("reference") or row.get("torch_class")):
            continue
        name = source.slice(leftover.span)
        if name in variables:
            edits.edits.append(Edit(leftover.span, (name,)))
            continue
        torch = row.get("reference") or f"nn.{row.data['torch_class']}"
        edits.edits.append(Edit(leftover.span, (str(torch),)))
        variable, equals, value = source.slice(leftover.stmt).partition(" = ")
        if equals and value == name and variable.isidentifier():
            variables.add(variable)
        if not row.get("reference"):
            message = "the models have this class written in: another one here changes nothing"
            edits.note("K2T135", Severity.WARNING, message, leftover.span)


# ---------------------------------------------------------------------- result


def assemble(
    program: Program,
    ctx: Context,
    common: initial.Plan,
    modules: list[Draft],
    classes: dict[int, ModuleClass],
    edits: Edits,
    removed: list[Span],
    stops: list[tuple[Span, str]],
) -> TorchProgram:
    placed = place_classes(program, modules, classes, removed)
    inserted: list[tuple[Span, Code]] = list(edits.inserted)
    inserted += [(span, (f"raise NotImplementedError({t.literal(text)})",)) for span, text in stops]
    helpers = [(h, h) for h in ctx.helpers]
    return TorchProgram(
        classes=tuple(placed),
        init=common.cases() if any(starts_layers(c) for _, c in placed) else (),
        init_words=common.words(),
        tables=tuple((name, tuple(rows.items())) for name, rows in ctx.tables.items()),
        helpers=tuple(helpers),
        training_helpers=tuple(edits.training.items()),
        data_helpers=tuple(edits.data.items()),
        data_anchor=data_anchor(program, edits),
        edits=tuple(edits.edits),
        removed=tuple(removed),
        inserted=tuple(inserted),
        imports=tuple(i for made in modules for i in imports(made.heads, made.metrics)),
        proofs=proofs(program, modules, classes),
    )


def starts_layers(cls: ModuleClass) -> bool:
    """Whether a class calls ``init_weights``."""
    return cls.applies or any("init_weights" in line.text for line in cls.after)


def place_classes(
    program: Program,
    modules: list[Draft],
    classes: dict[int, ModuleClass],
    removed: Sequence[Span],
) -> list[tuple[Span, ModuleClass]]:
    """Each class before the statement of its model; those of functions before the first model, or
    where the function was, if that is in a file that the script imports."""
    placed: list[tuple[Span, ModuleClass]] = []
    done: set[str] = set()
    for made in sorted(modules, key=lambda m: m.model.anchor or m.model.span):
        if made.model.id not in classes:
            continue
        anchor = made.model.anchor or made.model.span
        for unit in made.chain.units:
            if unit.name not in done:
                done.add(unit.name)
                home = unit.origin
                if home is not None and home.start < program.source.main:
                    anchor_ = next((s for s in removed if home in s), home)
                else:
                    anchor_ = anchor
                placed.append((anchor_, unit))
        placed.append((anchor, classes[made.model.id]))
    return sorted(placed, key=lambda one: one[0].start) if program.source.main else placed


def proofs(
    program: Program, modules: list[Draft], classes: dict[int, ModuleClass]
) -> tuple[Proof, ...]:
    return tuple(
        Proof(
            made.model.id,
            (*made.chain.units, classes[made.model.id]),
            reference_class(reference, classes[made.model.id]),
            values,
            program.constants,
            program.finals,
        )
        for made in modules
        if made.model.id in classes and made.chain.references
        for reference, values in zip(made.chain.references, values_of(made.model), strict=True)
    )


def values_of(model: Model) -> list[tuple[Mapping[str, object], ...]]:
    """What the function that builds a model is called with, for each of its graphs."""
    return [model.values, *(variant.values for variant in model.variants)]


def data_anchor(program: Program, edits: Edits) -> Span | None:
    """The paragraph of top-level statements in which a data helper is first used."""
    tops = [top for top in program.top_level if any(use in top for use in edits.data_uses)]
    if not tops:
        return None
    first = min(tops, key=lambda s: s.start)
    for top in reversed([s for s in program.top_level if s.start < first.start]):
        between = program.source.text[top.end : first.start]
        if "\n\n" in between or program.source.slice(top).startswith(("import ", "from ")):
            break
        first = top
    return first
