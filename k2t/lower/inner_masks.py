"""Masks inside a class of the script: made where the Embedding is called, handed to their users."""

from __future__ import annotations

import re
from collections.abc import Sequence
from itertools import chain, count

from k2t.ir.custom import CustomLayer
from k2t.ir.finding import NotMigrated
from k2t.ir.source import Span
from k2t.lower import masks
from k2t.lower.ops import Context

NAMES = ("mask", "padding_mask", "steps_that_count")


def find(ctx: Context, cls: CustomLayer) -> None:
    """Note which layers that a class calls are told a mask, and by which name.

    Raises:
        NotMigrated: something else than a recurrent layer or mean uses a mask, or it leaves.
    """
    nodes = sorted((n for site in cls.sites for n in site.seen), key=lambda n: n.id)
    starts = [node for node in nodes if masks.start(node.layer)]
    if not starts and not any(map(masks.said, nodes)):
        return
    found = masks.followed(ctx, nodes)
    if any(result in found for result in cls.results):
        raise NotMigrated("K2T114", f"the mask of mask_zero leaves {cls.name}", cls.span)
    users = [node for node in nodes if masks.used(ctx, node, found)]
    odd = next((n for n in users if n.layer is not None and n.layer.row in masks.HEADS), None)
    if odd is not None and odd.layer is not None:
        raise masks.refused(odd.layer)
    wanted = {mask for node in users for mask, _ in masks.used(ctx, node, found)}
    names: dict[masks.Mask, str] = {}
    places: dict[tuple[Span, Span], str] = {}
    for node in starts:
        if (mask := found[node.id]) in wanted and node.layer is not None:
            place = node.layer.span, node.stmt
            if place not in places:
                places[place] = names.get(mask) or free_name(ctx, cls, [*places.values()])
            names[mask] = places[place]
    if not wanted <= names.keys():
        why = f"a mask that a call in {cls.name} says goes on behind it"
        raise NotMigrated("K2T114", why, cls.span)
    ctx.told |= {node.id: masks.handed(ctx, node, found, names) for node in users}
    for node in starts:
        name = names.get(found[node.id])
        ctx.starts[node.id] = f"{name} = {masks.start(node.layer)}" if name else ""


def free_name(ctx: Context, cls: CustomLayer, taken: Sequence[str]) -> str:
    words = {*re.findall(r"\w+", ctx.source_text(cls.span)), *taken}
    names = chain(() if taken else NAMES, (f"mask_{number}" for number in count(2)))
    return next(name for name in names if name not in words)
