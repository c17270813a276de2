"""A functional model with the functions, loops and conditions its author wrote."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from k2t.ir.finding import NotMigrated
from k2t.ir.program import Model, Variant
from k2t.ir.structure import Structure
from k2t.ir.torch import Line, ModuleClass
from k2t.lower.graph import Graph
from k2t.lower.groups import Chain
from k2t.lower.library import Again, Library, prune, settled, used
from k2t.lower.liveness import stored
from k2t.lower.ops import SOMEWHERE, Context, dim_text
from k2t.lower.parts import unpacked
from k2t.lower.unit import Unit
from k2t.lower.wires import Lost, NotKept


def structured(ctx: Context, model: Model, folded: Sequence[int]) -> Chain:
    """The class of a model by its structure.

    Raises:
        Lost: it cannot be kept.
    """
    structure = model.structure
    assert structure is not None
    library: Library = ctx.library
    graphs = (Variant(model.body, model.inputs, model.outputs), *model.variants)
    ends = [tuple(one.outputs[model.outputs.index(i)] for i in folded) for one in graphs]
    try:
        references = tuple(
            Graph(ctx, of_graph(model, one), frozenset(numbers), hidden=True).lower()
            for one, numbers in zip(graphs, ends, strict=True)
        )
    except NotMigrated as error:
        raise Lost(model.id, error.message) from None
    folded = [number for numbers in ends for number in numbers]
    structure = replace(
        structure, parameters=tuple(model.parameters), shapes=dict(structure.shapes)
    )
    while True:
        unit = Unit(ctx, library, structure, "", folded, outermost=True)
        try:
            enter(unit, model, structure)
            unit.run(structure.body, set())
        except Again:
            library.units.clear()
            continue
        except NotKept as error:
            raise Lost(model.id, str(error)) from None
        break
    prune(unit)
    passed = handed_over(unit, model)
    wanted = library.needed(unit)
    init, lines, paths = settled(unit)
    for name in wanted:
        owner = library.units[name]
        for path, op, layer in settled(owner)[2]:
            attribute = path.removeprefix("self").removeprefix(".")
            known = SOMEWHERE if path.endswith("[?]") else f"{owner.name}:{attribute}"
            paths.append((known, op, layer))
    return Chain([*init], lines, paths, tuple(library.classes(wanted)), references, passed)


def of_graph(model: Model, graph: Variant) -> Model:
    return replace(model, body=graph.body, inputs=graph.inputs, outputs=graph.outputs)


def handed_over(unit: Unit, model: Model) -> tuple[str, ...]:
    """Variables of the function around a model that its class reads: they become parameters."""
    if model.home is None or model.home.becomes_class:
        return ()
    bound = stored(unit.structure.body) | {p.name for p in model.parameters}
    read = sorted(used(unit) - bound)
    return tuple(name for name in read if any(name in values for values in model.values))


def enter(unit: Unit, model: Model, structure: Structure) -> None:
    """The inputs: one by its name, several unpacked; their widths as the script writes them."""
    widths: dict[str, str | None] = {}
    for name, node in zip(structure.tensors, model.inputs, strict=True):
        literal = dim_text(node.shape[-1]) if node.shape else None
        widths[name] = structure.widths.get(name, literal)
    unit.start(widths)
    for name in structure.tensors:
        unit.env[name] = replace(unit.env[name], layout="last")
    if len(structure.tensors) > 1 or model.input_kind == "list":
        unit.say(unpacked(model, list(structure.tensors)))


def reference_class(chain: Chain, cls: ModuleClass) -> ModuleClass:
    """The same model layer by layer, as a class to compare with."""
    names = [str(p[0]).rstrip("=") for p in cls.parameters]
    return ModuleClass(
        name=cls.name,
        parameters=cls.parameters,
        attributes=tuple(n for n in names if any(f"self.{n}" in x.text for x in chain.lines)),
        init=tuple(chain.groups),
        after=(),
        lazy=False,
        applies=False,
        forward=cls.forward,
        lines=tuple(chain.lines),
    )


def functional_chain(ctx: Context, model: Model, folded: Sequence[int], ending: str) -> Chain:
    """The graph of a functional model: with the structure the script gives it, else in a row."""
    chain = structured(ctx, model, folded) if keeps_structure(ctx, model) else None
    if chain is None and model.variants:
        why = ctx.flat.get(model.id) or model.tangled
        raise NotMigrated("K2T901", f"the model is not migrated: its layers differ, and {why}")
    if chain is None:
        chain = Graph(ctx, model, frozenset(folded)).lower()
    if ending:
        last = chain.lines.pop()
        comment = "; ".join(c for c in (last.comment, ending) if c)
        chain.lines.append(Line(last.text, comment, last.comments))
    return chain


def note_unrolled(ctx: Context, reason: str) -> None:
    ctx.note(
        "K2T133",
        "warning",
        "the model is written layer by layer, with the sizes the script has now; its functions "
        f"and loops are not kept: {reason}",
    )


def keeps_structure(ctx: Context, model: Model) -> bool:
    """Whether there is a structure; one that cannot be kept is said to be lost."""
    reason = ctx.flat.get(model.id) or model.tangled
    if reason is not None:
        note_unrolled(ctx, reason)
    return model.structure is not None and reason is None
