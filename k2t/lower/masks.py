"""Masks of Embedding(mask_zero=True) and Masking: which tensors of a graph have one in Keras."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace

from k2t.ir.finding import NotMigrated
from k2t.ir.nodes import Node
from k2t.ir.program import Item, Leaf, Model, Plain
from k2t.ir.values import Arg, Const, Obj, as_int
from k2t.lower import text as t
from k2t.lower.ops import Context

RECURRENT = ("LSTM", "GRU", "SimpleRNN", "Bidirectional")
MERGES = ("Add", "Subtract", "Multiply", "Average", "Maximum", "Minimum", "Concatenate")

HEADS = ("MultiHeadAttention", "GroupQueryAttention")
SINGLE = ("Attention", "AdditiveAttention")

PASSES_MASK = {
    "Dropout",
    "Activation",
    "Dense",
    "LeakyReLU",
    "ReLU",
    "PReLU",
    "ELU",
    "SpatialDropout1D",
    "LayerNormalization",
    "UnitNormalization",
    "AlphaDropout",
    "GaussianDropout",
    "GaussianNoise",
    "ActivityRegularization",
    "Identity",
}
"""They work on each step alone, and hand the mask on."""

LOSES_MASK = {
    "Conv1D",
    "SeparableConv1D",
    "DepthwiseConv1D",
    "Conv1DTranspose",
    "GlobalMaxPooling1D",
    "MaxPooling1D",
    "AveragePooling1D",
    "Flatten",
    "Reshape",
    "Permute",
    "RepeatVector",
    "UpSampling1D",
    "ZeroPadding1D",
    "Cropping1D",
    "RMSNormalization",
    "Dot",
}
"""They neither look at a mask nor hand it on."""


@dataclass(frozen=True)
class Mask:
    """Where the steps of a sequence count: a ``test`` of the tensor ``{x}`` that tells."""

    tensor: int
    test: str


def start(layer: Obj | None) -> str | None:
    """The test of a layer that makes a mask."""
    if layer is None or "time_distributed" in layer.args:
        return None
    if layer.row == "Masking":
        value = t.text(t.get(layer.args, "mask_value"))
        return f"({{x}} != {value}).any(-1)"
    return "{x} != 0" if masked(layer) else None


def masked(layer: Obj | None) -> bool:
    return layer is not None and layer.row == "Embedding" and t.flag(layer.args, "mask_zero")


def called(layer: Obj) -> str:
    return "a layer of the script's own" if layer.row == "Custom" else layer.row


def refused(layer: Obj) -> NotMigrated:
    return NotMigrated("K2T114", f"the mask of mask_zero reaches {called(layer)}", layer.span)


def followed(ctx: Context, nodes: Sequence[Node]) -> dict[int, Mask]:
    """The mask of each tensor of a graph that has one.

    Raises:
        NotMigrated: a mask reaches a layer that is not known to use it, hand it on or lose it.
    """
    found: dict[int, Mask] = {}
    for node in nodes:
        test = start(node.layer)
        if masked(node.layer) and test is None:
            raise refused(node.layer)  # type: ignore[arg-type]
        given = [found.get(tensor) for tensor in node.inputs]
        mask = Mask(node.inputs[0], test) if test else after(ctx, node, given)
        if mask is not None:
            found[node.id] = mask
    several = attended(nodes, found)
    if ctx.dialect == "keras3" and len(several) > 1:
        why = f"{several[1].row} behind a mask and another layer of several heads: Keras 3 takes "
        raise NotMigrated("K2T114", why + "the masks off what that one reads", several[1].span)
    return found


def attended(nodes: Sequence[Node], found: Mapping[int, Mask]) -> list[Obj]:
    """The first layer of several heads that reads tensors with masks, and all attention behind."""
    heads: list[Obj] = []
    for node in nodes:
        layer = node.layer
        if layer is None or "masks" in layer.args or not found.keys() & {*node.inputs}:
            continue
        if layer.row in HEADS or (heads and layer.row in SINGLE):
            heads.append(layer)
    return heads


def after(ctx: Context, node: Node, given: Sequence[Mask | None]) -> Mask | None:
    """The mask that a layer hands on."""
    layer, masks = node.layer, {mask for mask in given if mask is not None}
    if layer is not None and layer.row in SINGLE:
        return of_queries(node, given[0])
    if not masks:
        return None
    if layer is None:  # operators and operations lose it; outputs of a layer with several do not
        return given[0] if node.operator == "[0]" else None
    if layer.row in HEADS:
        return given[0]
    if len(masks) > 1:
        raise NotMigrated("K2T114", f"{layer.row} of tensors with different masks", layer.span)
    if layer.row in MERGES:
        joins_steps = layer.row == "Concatenate" and not along_features(node)
        if joins_steps:
            raise refused(layer)
        # Keras 3 loses the mask where one of the tensors has none
        return None if None in given and ctx.dialect == "keras3" else next(iter(masks))
    if layer.row in RECURRENT:
        if "time_distributed" in layer.args or "states" in layer.args:
            raise refused(layer)
        return given[0] if gives_sequences(layer) else None
    if layer.row in PASSES_MASK:
        return given[0]
    if layer.row == "GlobalAveragePooling1D" or layer.row in LOSES_MASK:
        if "time_distributed" in layer.args:
            raise refused(layer)
        return None
    raise refused(layer)


def of_queries(node: Node, mask: Mask | None) -> Mask | None:
    """The mask behind attention of one head: that of its queries, if need be as its call says."""
    names = said(node)
    if not names:
        return mask
    place = len(node.inputs) - len(names)  # they are its last inputs
    return Mask(node.inputs[place], "{x}.bool()") if "query_mask" in names else None


def said(node: Node) -> list[str]:
    """The masks that a call of attention of one head says: ``query_mask`` and ``value_mask``."""
    names = t.data(t.get(node.layer.args, "masks")) if node.layer is not None else None
    return names.split() if isinstance(names, str) else []


def along_features(node: Node) -> bool:
    axis, shape = as_int(t.get(node.layer.args, "axis")) if node.layer else None, node.in_shapes[0]
    return axis == -1 or (shape is not None and axis == len(shape))


def gives_sequences(layer: Obj, *others: str) -> bool:
    """Whether a recurrent layer, or the one inside a wrapper, gives more than its last output."""
    inner = t.get(layer.args, "layer")
    args = (inner if isinstance(inner, Obj) else layer).args
    return any(t.flag(args, name) for name in ("return_sequences", *others))


def used(ctx: Context, node: Node, found: Mapping[int, Mask]) -> tuple[tuple[Mask, int], ...]:
    """The masks that a layer computes with, and where each gets an axis more (0: none)."""
    layer = node.layer
    if layer is None:
        return ()
    masks = [found.get(tensor) for tensor in node.inputs]
    axes = [0]
    if layer.row == "Masking":
        zero = t.same_value(t.get(layer.args, "mask_value"), 0.0)
        masks = [None if zero else found.get(node.id)]
    elif layer.row in HEADS:
        axes = [2, 1, 1]  # (batch, queries, 1), (batch, 1, keys)
    elif layer.row in SINGLE:
        masks = [masks[0], masks[2]] if not said(node) else []
        axes = [0, 0]
    elif layer.row in RECURRENT and ctx.dialect == "keras3" and len(masks) > 1:
        return ()  # Keras 3 hands no mask to a layer that is given its first states
    elif layer.row not in (*RECURRENT, "GlobalAveragePooling1D"):
        return ()
    pairs = [(mask, axis) for mask, axis in zip(masks, axes, strict=False) if mask is not None]
    return tuple(dict.fromkeys(pairs))


def handed(
    ctx: Context, node: Node, found: Mapping[int, Mask], names: Mapping[Mask, str]
) -> dict[str, str]:
    """The masks that a layer is handed, by the names its texts have for them."""
    pairs = used(ctx, node, found)
    if pairs and node.layer is not None and node.layer.row in SINGLE:
        masks = {"query_mask": found.get(node.inputs[0]), "value_mask": found.get(node.inputs[2])}
        return {name: names[mask] for name, mask in masks.items() if mask is not None}
    texts = [names[mask] + (f".unsqueeze({axis})" if axis else "") for mask, axis in pairs]
    return {"mask": " & ".join(texts)} if texts else {}


def told(layer: Obj, names: Iterable[str] = ("mask",)) -> Obj:
    """A layer that is told which masks it gets."""
    return replace(layer, args={**layer.args, "masked": Arg(Const(" ".join(names)))})


def informed(ctx: Context, node: Node) -> Node:
    """An application whose layer knows that it is handed a mask."""
    if node.id not in ctx.told or node.layer is None:
        return node
    return replace(node, layer=told(node.layer, ctx.told[node.id]))


def is_told(layer: Obj) -> bool:
    return "masked" in layer.args


# ---------------------------------------------------------------------- Sequential


def has_masking(model: Model) -> bool:
    """Whether a layer of a Sequential is a Masking, which no chain has a place for."""
    rows = [n.layer.row for i in model.body if isinstance(i, Leaf) for n in i.seen if n.layer]
    return model.kind == "sequential" and "Masking" in rows


def as_graph(model: Model) -> Model:
    """A Sequential as a functional model of the same layers.

    Raises:
        NotMigrated: its layers stand in a loop or a condition.
    """
    first = model.inputs[0]
    before = first.id
    body: list[Item] = []
    for item in model.body:
        if not isinstance(item, Leaf) or len({n.layer.id for n in item.seen if n.layer}) != 1:
            if isinstance(item, Plain) and not body:
                body.append(item)
                continue
            raise NotMigrated("K2T114", "a mask among layers in a loop or condition", model.span)
        node = replace(item.node, inputs=(before,), names=("x",))
        if node.body:
            raise NotMigrated("K2T114", "a mask before or behind a Lambda in a Sequential")
        body.append(replace(item, seen=(node,)))
        before = node.id
    return replace(model, kind="functional", body=tuple(body), outputs=(before,), structure=None)
