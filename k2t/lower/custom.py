"""Layers that are classes of the script, half lowered: the layers that they make."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from k2t.ir.custom import CustomLayer, Site
from k2t.ir.finding import Finding, NotMigrated, Severity
from k2t.ir.program import Model, Program
from k2t.ir.source import Span
from k2t.ir.torch import Line
from k2t.ir.values import Const, Obj
from k2t.lower import inner_masks
from k2t.lower.initial import Made
from k2t.lower.inside import layer_of, operations, parts, reads_width, together
from k2t.lower.ops import Context, dim_text
from k2t.lower.own import CODE, WIDTH, class_of

PHASED = ("BatchNormalization", "GaussianNoise")
"""Layers that do something else in training, besides those that drop something."""


@dataclass(frozen=True)
class LayerDraft:
    """A class half lowered: what its constructor takes first, and the layers that it makes."""

    layer: CustomLayer
    takes: str | None
    made: tuple[Made, ...]


def draft_layers(ctx: Context, program: Program, findings: list[Finding]) -> None:
    """Lower the layers inside the classes; those that cannot be carried over are reported."""
    waiting = {layer.index: layer for layer in program.layers}
    for use in program.uses:
        spans = {n.layer.span for n in use.data.get("seen", ()) if n.layer is not None}
        ctx.plain |= spans if len(spans) > 1 else set()

    def draft(index: int) -> None:
        layer = waiting.pop(index, None)
        if layer is None:
            return
        for site in layer.sites:
            for inner in inner_layers(site):
                draft(class_of(inner))
        try:
            inner_masks.find(ctx, layer)
            ctx.layers[index] = draft_layer(ctx, layer)
        except NotMigrated as error:
            at = error.span or layer.span
            ctx.left[layer.span] = Finding(error.code, Severity.ERROR, error.message, at)
            findings.append(ctx.left[layer.span])

    for index in list(waiting):
        draft(index)


def draft_layer(ctx: Context, layer: CustomLayer) -> LayerDraft:
    if layer.problem is not None:
        why, span = layer.problem
        raise NotMigrated(CODE, f"the layer {layer.name} is not carried over: {why}", span)
    taken = f"{layer.shape}[-1]" if layer.whole else WIDTH
    wanted = bool(layer.widths) or layer.whole
    made: list[Made] = []
    for site in layer.sites:
        ops = operations(ctx, layer, site, f"{layer.shape}[-1]")
        widens = site.loop if site.width is None else None
        first = dim_text(widens.first) if widens is not None else ""
        wanted = wanted or reads_width(layer, ops) or first == f"{layer.shape}[-1]"
        makers = [m.span for m in (layer.init, layer.build) if m is not None]
        if any(op.module is not None for op in ops) and not any(site.span in m for m in makers):
            why = "it makes a layer outside of its __init__ and build"
            raise NotMigrated(CODE, f"the layer {layer.name} is not carried over: {why}", site.span)
        ctx.sites[site.span] = operations(ctx, layer, site, taken)
        made += modules_of(ctx, layer, site, taken)
        for index in {class_of(inner): None for inner in inner_layers(site)}:
            made += ctx.layers[index].made
    if wanted and (layer.inherits or (layer.init is None and layer.build is None)):
        why = "a class that extends another asks for the shape of its input"
        raise NotMigrated(CODE, f"the layer {layer.name} is not carried over: {why}", layer.span)
    return LayerDraft(
        layer, (layer.shape if layer.whole else WIDTH) if wanted else None, tuple(made)
    )


def inner_layers(site: Site) -> list[Obj]:
    """The layers of the script's own among those of a place."""
    seen = [n.layer for node in site.seen for n in (node, *node.body)]
    return [layer for layer in seen if layer is not None and layer.row == "Custom"]


def modules_of(ctx: Context, layer: CustomLayer, site: Site, taken: str) -> Iterator[Made]:
    """The modules that are made at a place, by their paths from the class."""
    if ctx.row(layer_of(site.seen[0])).get("shape") in ("merge", "concat"):
        return
    path, found = path_of(ctx, layer, site), parts(ctx, layer, site, taken)
    numbered = together(ctx, site) and len(found) > 1 and not path.endswith("[?]")
    for number, (op, inner) in enumerate(found):
        if op.module is not None:
            yield f"{path}[{number}]" if numbered else path, op, inner


def path_of(ctx: Context, layer: CustomLayer, site: Site) -> str:
    """How the modules of a place are reached: ``Block:dense``, or ``Block:[?]`` in a list."""
    if site.alone is None:
        return f"{layer.name}:[?]"
    target = ctx.source_text(Span(site.alone.start, site.span.start)).partition("=")[0]
    return f"{layer.name}:{target.rpartition('self.')[2].strip()}"


def made_of(ctx: Context, layers: Sequence[Obj]) -> list[Made]:
    """The modules inside the layers of the script that a model has, each class once."""
    found: dict[int, None] = {}
    for layer in layers:
        if layer.row == "Custom":
            found[class_of(layer)] = None
    return [m for index in found if index in ctx.layers for m in ctx.layers[index].made]


def in_inference_mode(ctx: Context, model: Model, made: Sequence[Made]) -> tuple[Line, ...]:
    """What a model of Keras 3 whose ``call`` takes no ``training`` is trained in.

    Measured with Keras 3.15: ``fit`` hands ``training=True`` only to a ``call`` that takes it, and
    the layers inside run as in inference. tf.keras tells them anyway.
    """
    if not model.own or ctx.dialect != "keras3":
        return ()
    path, layer = next((p, layer) for p, _, layer in made if layer.row == "Custom")
    phased = any(one.row in PHASED or "Dropout" in one.row or drops(one) for _, _, one in made)
    phased = phased or any(found.layer.phases for found in ctx.layers.values())
    if ctx.layers[class_of(layer)].layer.training or not phased:
        return ()
    return (Line(f"{path}.eval()", "as Keras 3 trains it: its call takes no training"),)


def drops(layer: Obj) -> bool:
    """Whether a recurrent layer has dropout."""
    inner = layer.args.get("layer")
    args = inner.value.args if inner is not None and isinstance(inner.value, Obj) else layer.args
    rates = [args[name].value for name in ("dropout", "recurrent_dropout") if name in args]
    return any(rate not in (Const(0), Const(0.0)) for rate in rates)


def note_inference_mode(ctx: Context, model: Model, made: Sequence[Made]) -> None:
    if in_inference_mode(ctx, model, made):
        text = "Keras 3 trains a model whose call takes no training as in inference: no dropout, "
        text += "BatchNormalization with what it starts with; and so does this. "
        ctx.note("K2T162", "warning", text + "Give it call(self, inputs, training=None) otherwise")
