"""Layers that are classes of the script, half lowered: the layers that they make."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from k2t.ir.custom import CustomLayer, Site
from k2t.ir.finding import Finding, NotMigrated, Severity
from k2t.ir.program import Program
from k2t.ir.source import Span
from k2t.ir.values import Obj
from k2t.lower.initial import Made
from k2t.lower.inside import operations, reads_width
from k2t.lower.ops import Context, dim_text
from k2t.lower.own import CODE, WIDTH, class_of


@dataclass(frozen=True)
class LayerDraft:
    """A class half lowered: what its constructor takes first, and the layers that it makes."""

    layer: CustomLayer
    takes: str | None
    made: tuple[Made, ...]


def draft_layers(ctx: Context, program: Program, findings: list[Finding]) -> None:
    """Lower the layers inside the classes; those that cannot be carried over are reported."""
    waiting = {layer.index: layer for layer in program.layers}

    def draft(index: int) -> None:
        layer = waiting.pop(index, None)
        if layer is None:
            return
        for site in layer.sites:
            for node in site.seen:
                if node.layer is not None and node.layer.row == "Custom":
                    draft(class_of(node.layer))
        try:
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
        first = dim_text(site.loop.first) if site.loop is not None else ""
        wanted = wanted or reads_width(layer, ops) or first == f"{layer.shape}[-1]"
        ctx.sites[site.span] = ops = operations(ctx, layer, site, taken)
        inner = site.seen[0].layer
        assert inner is not None
        made += [(path_of(ctx, layer, site), op, inner) for op in ops if op.module is not None]
        if inner.row == "Custom":
            made += ctx.layers[class_of(inner)].made
    if wanted and (layer.inherits or (layer.init is None and layer.build is None)):
        why = "a class that extends another asks for the shape of its input"
        raise NotMigrated(CODE, f"the layer {layer.name} is not carried over: {why}", layer.span)
    return LayerDraft(
        layer, (layer.shape if layer.whole else WIDTH) if wanted else None, tuple(made)
    )


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
