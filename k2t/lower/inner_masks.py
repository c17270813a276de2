"""Masks inside a class of the script: made where the Embedding is called, handed to their users."""

from __future__ import annotations

import re

from k2t.ir.custom import CustomLayer
from k2t.ir.finding import NotMigrated
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
    if not starts:
        return
    found = masks.followed(ctx, nodes)
    if any(result in found for result in cls.results):
        raise NotMigrated("K2T114", f"the mask of mask_zero leaves {cls.name}", cls.span)
    users = [node for node in nodes if masks.used(ctx, node, found)]
    odd = next((n for n in users if n.layer is not None and n.layer.row in masks.HEADS), None)
    if odd is not None and odd.layer is not None:
        raise masks.refused(odd.layer)
    name = free_name(ctx, cls)
    places = {(node.layer.span, node.stmt) for node in starts if node.layer is not None}
    if users and len(places) > 1:
        raise NotMigrated("K2T114", f"{cls.name} makes several masks", cls.span)
    ctx.told |= {node.id: name for node in users}
    made = f"{name} = {masks.start(starts[0].layer)}" if users else ""
    ctx.starts |= {node.id: made for node in starts}


def free_name(ctx: Context, cls: CustomLayer) -> str:
    words = set(re.findall(r"\w+", ctx.source_text(cls.span)))
    return next((name for name in NAMES if name not in words), "mask_of_steps")
