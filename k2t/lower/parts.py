"""Models inside models: passed to the constructor, called like layers, not initialised."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

from k2t.ir.finding import Finding, NotMigrated, Severity
from k2t.ir.nodes import Node
from k2t.ir.program import Branch, Item, Leaf, Loop, Model, Use
from k2t.ir.torch import Entry, Group, Line, ModuleClass, Part
from k2t.ir.values import Class, Const, ModelRef, Obj, Shape
from k2t.lower import text as t
from k2t.lower.activations import activation
from k2t.lower.ops import Context, Op, member
from k2t.lower.wires import Lost
from k2t.table import Row

if TYPE_CHECKING:
    from k2t.lower.model import Draft


def part(ctx: Context, row: Row, layer: Obj, shape: Shape | None, width: str | None) -> list[Op]:
    """A model as a layer: the module that the constructor was given.

    One that is trained itself may end in logits: its activation comes after it.
    """
    found = ctx.outside.get(layer.id)
    name = part_name(layer)
    if found is not None:
        return [replace(found, module=name, stem=name)]
    ending = activation(ctx, Const(ctx.endings[layer.id])) if layer.id in ctx.endings else []
    return [Op(module=name, layout="last", out="last", stem=name), *ending]


def part_name(layer: Obj) -> str:
    """The variable that holds a model used as a layer."""
    name = layer.args["name"].value
    assert isinstance(name, Const)
    return str(name.value)


def leaves(items: Sequence[Item]) -> Iterator[Leaf]:
    for item in items:
        match item:
            case Leaf():
                yield item
            case Loop(body=body):
                yield from leaves(body)
            case Branch(body=body, orelse=orelse):
                yield from leaves([*body, *orelse])


def nodes_of(model: Model) -> Iterator[Node]:
    """Each application in a model, in all of its graphs."""
    for body in (model.body, *(variant.body for variant in model.variants)):
        for leaf in leaves(body):
            yield from leaf.seen


def layers_of(model: Model) -> list[Obj]:
    """Each application of a layer in a model."""
    return [node.layer for node in nodes_of(model) if node.layer is not None]


def is_frozen(model: Model, layer: Obj, frozen: Collection[int]) -> bool:
    """Whether the layers are frozen that one place of a model makes, of which this is the first.

    Raises:
        NotMigrated: some of them are.
    """
    ids = {layer.id, *(one.id for one in layers_of(model) if one.span == layer.span)}
    said = {number in frozen for number in ids}
    if len(said) > 1:
        raise NotMigrated("K2T721", "trainable of some of the layers of a loop", layer.span)
    return said.pop()


def parts_of(model: Model) -> dict[int, Obj]:
    """The models used as layers in a model, by number, in order."""
    found: dict[int, Obj] = {}
    for layer in layers_of(model):
        inner = layer.args.get("model")
        if inner is not None and isinstance(inner.value, ModelRef):
            found.setdefault(inner.value.id, layer)
    return found


def given(layer: Obj) -> Op:
    """A layer that stays in the script: the module that the constructor is given."""
    name = part_name(layer)
    return Op(module=name, layout="last", out="last", stem=name)


def handed(model: Model) -> list[Obj]:
    """What a model is given: models used as layers in it, and layers that stay in the script."""
    stays = {layer.id: layer for layer in layers_of(model) if "@kept" in layer.args}
    return [*parts_of(model).values(), *stays.values()]


def handed_in(model: Model) -> dict[str, str]:
    """The parts by their names in the constructor, and what holds them where it is called.

    A builder may have them as parameters already.

    Raises:
        NotMigrated: two would have one name.
    """
    if model.home is not None and model.home.becomes_class:
        return {}
    taken = {p.name for p in model.parameters}
    names: dict[str, str] = {name: name for _, name in model.owners.values()}
    for layer in handed(model):
        held = str(t.data(layer.args["holder"].value))
        if names.setdefault(part_name(layer), held) != held:
            raise NotMigrated("K2T134", f"{held} and another part have one name", layer.span)
    return {name: held for name, held in names.items() if name not in taken}


def shared_module(ctx: Context, model: Model, layer: Obj, op: Op) -> str | None:
    """Where another model has this module of a layer, as an expression (None: it is its own).

    Raises:
        NotMigrated: it cannot be taken from there.
        Lost: the other model has to be written layer by layer.
    """
    if layer.id not in model.owners:
        return None
    owner, name = model.owners[layer.id]
    if owner not in ctx.made:
        raise NotMigrated("K2T903", f"{name}, which has this layer, is not migrated", layer.span)
    found = next((p for p, o, one in ctx.made[owner] if one.id == layer.id and o == op), None)
    if found is None and not op.widens and not op.params:
        return None
    if op.penalties:
        raise NotMigrated("K2T134", "a regularizer in a layer of two models", layer.span)
    if found is None:
        raise NotMigrated("K2T134", f"{name} has another form of this layer", layer.span)
    if found == "self":
        return name
    if not found.startswith("self.") or found.endswith("[?]"):
        raise Lost(owner, "another model takes single layers from it")
    return name + found.removeprefix("self")


def parts_first(groups: Sequence[Group | Part], model: Model) -> list[Group | Part]:
    """The lines of ``__init__`` with those that take the parts over in front."""
    names = {part_name(layer) for layer in handed(model)}

    def is_part(group: Group | Part) -> bool:
        entry = group.parts[0] if isinstance(group, Group) and group.single else None
        return isinstance(entry, Entry) and entry.text in names

    return sorted(groups, key=lambda group: not is_part(group))


def check_parts(made: Draft, drafts: Mapping[int, Draft]) -> None:
    """Refuse a model whose parts are not migrated, or whose classes do not act as Keras's.

    Raises:
        NotMigrated: see there.
    """
    for owner, name in made.model.owners.values():
        if owner not in drafts:
            raise NotMigrated("K2T903", f"{name}, which has its layers, is not migrated")
    for number, layer in parts_of(made.model).items():
        inner = drafts.get(number)
        name = part_name(layer)
        if inner is None:
            raise NotMigrated("K2T903", f"its part {name} is not migrated", layer.span)
        wanted = "one" if len(inner.model.inputs) == 1 else "list"
        if inner.model.input_kind != wanted:
            raise NotMigrated("K2T134", f"{name} takes its inputs in another form", layer.span)
        if inner.chain.masked is not None:
            raise NotMigrated("K2T114", f"the mask of mask_zero leaves {name}", layer.span)
        if inner.heads:
            raise NotMigrated("K2T134", f"{name} is trained itself, by several outputs", layer.span)


def own_starts(starting: Sequence[str], others: Sequence[str]) -> tuple[Line, ...]:
    """The initialisation of a model's own layers: its parts keep the weights they have.

    A group of layers is named as a whole where none of the parts (``others``) is in it.
    """
    kept = {path.partition("[")[0] for path in others}
    whole = [p if (base := p.partition("[")[0]) in kept or "[?]" in p else base for p in starting]
    starting = list(dict.fromkeys(whole))
    if any("[?]" in path or ":" in path for path in starting):
        raise NotMigrated("K2T134", "a model used as a layer beside a loop or function of layers")
    if len(starting) < 2:
        return tuple(Line(f"{path}.apply(init_weights)") for path in starting)
    return (
        Line(f"for layer in ({', '.join(starting)}):"),
        Line("    layer.apply(init_weights)"),
    )


def in_inference(made: Draft, drafts: Mapping[int, Draft], uses: Sequence[Use]) -> tuple[Line, ...]:
    """The parts that are called with ``training=False``: they stay as Lightning finds them.

    Raises:
        NotMigrated: something else would set them to train.
    """
    lines = []
    for path, _, layer in made.made:
        told = layer.row == "BatchNormalization" and "training" in layer.args
        if told and not any(u.kind == "fit" for u in uses):
            why = "a BatchNormalization called with training=False, in a model that no Trainer fits"
            raise NotMigrated("K2T134", why, layer.span)
        if layer.row != "Model" or "inference" not in layer.args:
            continue
        tried = any(u.kind == "call" or (u.kind == "predict" and made.loss is None) for u in uses)
        if tried or drafts[layer.id].loss is not None:
            why = f"{part_name(layer)} is called with training=False, and trained or tried beside"
            raise NotMigrated("K2T134", why, layer.span)
        lines.append(Line(f"{path}.eval()", "called with training=False"))
    return tuple(lines)


def with_penalties(
    own: tuple[Line, ...], made: Draft, drafts: Mapping[int, Draft]
) -> tuple[Line, ...]:
    """The body of ``penalty`` with the penalties of the parts as terms."""
    terms = [
        next(path for path, _, layer in made.made if layer.id == number) + ".penalty()"
        for number in parts_of(made.model)
        if penalized(drafts[number], drafts)
    ]
    if not terms:
        return own
    before = [own[-1].text.removeprefix("return ")] if own else []
    return (*own[:-1], Line("return " + " + ".join([*before, *terms])))


def penalized(made: Draft, drafts: Mapping[int, Draft]) -> bool:
    """Whether a model or one of its parts has a regularizer."""
    below = any(penalized(drafts[number], drafts) for number in parts_of(made.model))
    return below or any(op.penalties for _, op, _ in made.made)


def unpacked(model: Model, names: list[str]) -> str:
    """The line of ``forward`` that takes a list or dict of inputs apart."""
    if model.input_kind == "dict":
        taken = ", ".join(f'inputs["{key}"]' for key in model.input_keys)
        return f"{', '.join(names)} = {taken}"
    return f"{', '.join(names)}{',' if len(names) == 1 else ''} = inputs"


def handed_on(model: Model) -> bool:
    """Whether a layer of the script takes all inputs in the list or dict they come in."""
    ids = tuple(node.id for node in model.inputs)
    leaves = [item.node for item in model.body if isinstance(item, Leaf)]
    readers = [node for node in leaves if set(node.inputs) & set(ids)]
    layer = readers[0].layer if len(readers) == 1 and readers[0].inputs == ids else None
    if layer is None or "form" not in layer.args:
        return False
    holes = [f"{{{n}}}" for n in range(len(ids))]
    if model.input_kind == "dict":
        holes = [f'"{key}": {hole}' for key, hole in zip(model.input_keys, holes, strict=True)]
    whole = ", ".join(holes)
    form = f"{{{{{whole}}}}}" if model.input_kind == "dict" else f"[{whole}]"
    return layer.args["form"].value == Const(form)


def called_with(inputs: Sequence[str], kind: str) -> str:
    """The argument of a call of a part: its tensor, or a list of them."""
    return f"[{', '.join(inputs)}]" if kind == "list" else inputs[0]


def without_parts(
    modules: Sequence[Draft],
    drafts: dict[int, Draft],
    classes: dict[int, ModuleClass],
    findings: list[Finding],
) -> None:
    """Give up the models with a part that turned out not to be migrated."""
    waiting = True
    while waiting:
        waiting = False
        for made in modules:
            try:
                if made.model.id in classes:
                    check_parts(made, drafts)
            except NotMigrated as error:
                place = error.span or made.model.span
                findings.append(Finding(error.code, Severity.ERROR, error.message, place))
                del classes[made.model.id]
                for instance in made.model.instances:
                    del drafts[instance]
                waiting = True


KEPT = ("value", "added_loss")
"""What a module keeps of its last call for the loss."""


def check_once(ctx: Context, made: Draft, drafts: Mapping[int, Draft]) -> None:
    """Refuse a module that keeps its part of the loss or logs and is called again too early.

    Raises:
        NotMigrated: there is one.
    """
    nodes = {n.id: n for n in nodes_of(made.model)}
    applied = Counter(n.layer.id for n in nodes.values() if n.layer is not None)
    kept = [(path, layer) for path, op, layer in made.made if keeps(op) or logs(ctx, layer)]
    classes = {path.partition(":")[0] for path, _ in kept if ":" in path}
    again = {number for number, count in applied.items() if count > 1}
    several = {layer.id for _, layer in kept} & again
    several |= {n for n in parts_of(made.model) if n in again and keeping(drafts[n], drafts)}
    named = [layer for _, op, layer in made.made if (op.module or "").partition("(")[0] in classes]
    several |= {layer.id for layer in named} & again
    calls = [f"{member('self', path.partition(':')[2])}(" for path, _ in kept if ":" in path]
    assert ctx.source is not None
    if several or any("[?]" in call or ctx.source.text.count(call) != 1 for call in calls):
        why = "a layer with an activity_regularizer, add_loss or add_metric that is called again"
        raise NotMigrated("K2T300", why, made.model.span)


def logs(ctx: Context, layer: Obj) -> bool:
    """Whether a layer is one of the script's own that adds a metric."""
    cls = layer.args["class"].value if layer.row == "Custom" else None
    own = ctx.layers.get(cls.index) if isinstance(cls, Class) else None
    return own is not None and bool(own.layer.metrics)


def keeps(op: Op) -> bool:
    return any(parameter in KEPT for parameter, _ in op.penalties)


def keeping(made: Draft, drafts: Mapping[int, Draft]) -> bool:
    below = any(keeping(drafts[number], drafts) for number in parts_of(made.model))
    return below or any(keeps(op) for _, op, _ in made.made)
