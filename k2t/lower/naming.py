"""Names in the class of a functional model: the script's for tensors, layers' for attributes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence, Set

from k2t.ir.nodes import Node
from k2t.ir.program import Model
from k2t.ir.values import Obj
from k2t.lower import text as t
from k2t.lower.applications import NETWORK
from k2t.lower.ops import Context, snake, stem
from k2t.lower.own import class_name

RESERVED = {
    "automatic_optimization", "device", "dtype", "hparams", "log", "trainer", "training", "forward",
    "step", "logger", "train", "eval", "float", "double", "half", "type", "children", "modules",
    "parameters", "buffers", "fabric", "global_step", "current_epoch", "local_rank", "penalty",
    "optimizers", "optimizer", "decay", "print", "apply", "to", "compile", "state_dict", "freeze",
    "backward", "learning_rate", "stage",
}  # fmt: skip
"""Attributes of a LightningModule that no layer may take the name of."""


def uses(model: Model, nodes: Sequence[Node]) -> dict[int, list[int]]:
    """For each tensor, the positions of the nodes that read it (outputs: the end)."""
    found: dict[int, list[int]] = {n.id: [] for n in (*model.inputs, *nodes)}
    for position, node in enumerate(nodes):
        for tensor in node.inputs:
            found.setdefault(tensor, []).append(position)
    for tensor in model.outputs:
        found.setdefault(tensor, []).append(len(nodes))
    return found


def tensor_names(
    model: Model, nodes: Sequence[Node], stems: Mapping[int, str], skipped: Set[int]
) -> dict[int, str]:
    """Variables for the tensors, the script's where two live tensors do not want the same.

    Args:
        stems: names for tensors that need a variable where the script has none.
        skipped: what has no variable of its own.
    """
    readers = uses(model, nodes)
    chosen: dict[int, str] = {}
    position = {n.id: i for i, n in enumerate(nodes)}
    live_until: dict[str, int] = {}
    for number, node in enumerate(model.inputs):
        live_until[input_name(model, number, node)] = max(readers[node.id] or [-1])
    for node in nodes:
        if node.id in skipped:
            continue
        wanted = node.names or ((stems[node.id],) if node.id in stems else ())
        here = position[node.id]
        last = max(readers[node.id] or [here])
        names = [n for n in wanted if live_until.get(n, -1) <= here]
        several = node.id in model.outputs and len(model.outputs) > 1
        if not names and len(readers[node.id]) == 1 and not wanted and not several:
            continue  # nested call: written inside its only reader

        def free(name: str, here: int = here, last: int = last) -> bool:
            later = [
                position[n.id]
                for n in nodes
                if here < position[n.id] < last and n.names[:1] == (name,)
            ]
            return not later

        best = next((n for n in names if free(n)), None)
        if best is None:
            best = fresh(wanted[0] if wanted else "x", live_until, here)
        chosen[node.id] = best
        live_until[best] = last
    return chosen


def fresh(stem: str, live: Mapping[str, int], here: int) -> str:
    number = 1
    while live.get(f"{stem}{number}", -1) > here:
        number += 1
    return f"{stem}{number}"


def input_name(model: Model, number: int, node: Node) -> str:
    if len(model.inputs) > 1:
        return node.names[0] if node.names else node.key or f"x{number + 1}"
    return node.names[0] if node.names else "x"


def attribute_names(ctx: Context, model: Model, nodes: Sequence[Node]) -> dict[int, str]:
    """Attribute names: ``name=``, else the variable that holds the layer, else the layer's kind,
    numbered where there are several."""
    layers: dict[int, Obj] = {}
    for node in nodes:
        if node.layer is not None:
            layers.setdefault(node.layer.id, node.layer)
    given: dict[int, str] = {}
    for layer in layers.values():
        named = t.data(t.get(layer.args, "name"))
        owner = (
            model.owners[layer.id][1] if layer.row == NETWORK and layer.id in model.owners else None
        )
        for name in (owner, named, model.held.get(layer.id)):
            usable = isinstance(name, str) and name.isidentifier() and name not in RESERVED
            if usable and name not in given.values():
                given.setdefault(layer.id, str(name))
    kinds = {i: kind_stem(ctx, layer) for i, layer in layers.items() if i not in given}
    counts: dict[str, int] = {}
    taken = set(given.values())
    for number, kind in kinds.items():
        counts[kind] = counts.get(kind, 0) + 1
        name = kind if list(kinds.values()).count(kind) == 1 else f"{kind}{counts[kind]}"
        while name in taken or name in RESERVED:
            name += "_"
        taken.add(name)
        given[number] = name
    return given


def kind_stem(ctx: Context, layer: Obj) -> str:
    inner = t.get(layer.args, "layer")
    if "rnn" in layer.args:
        return "rnn"
    if layer.row == "Custom":
        return snake(class_name(ctx, layer))
    if layer.row == NETWORK:
        return str(t.data(layer.args["name"].value))
    return stem(inner.row) if isinstance(inner, Obj) else stem(layer.row)
