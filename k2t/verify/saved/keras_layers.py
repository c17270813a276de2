"""Walks the layers of a saved Keras model: entries, and what is known about their order."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from itertools import combinations, groupby
from typing import Any

from k2t.verify.probes.keras_weights import DATA
from k2t.verify.recording import Entry
from k2t.verify.saved.keras_kinds import (
    CLASSES,
    Leaf,
    Unknown,
    default_name,
    entries_of,
    head,
    recognised,
    snake,
)
from k2t.verify.saved.keras_stores import (
    HEADS,
    Flat,
    Named,
    Store,
    Tree,
    in_order,
    is_random_state,
)

Config = Mapping[str, Any]
LISTED = "*"  # the path of what lies in a list
CELLS = {"LSTM", "GRU", "SimpleRNN"}


@dataclass
class Saved:
    """The entries of a file.

    counted: for each entry the class and number Keras named its layer by as it was made, None for a
    name of one's own. before: (i, j) where the layer of entry i feeds that of entry j, or comes
    before it in a Sequential. listed: (i, j) where i comes before j in the model's list of layers,
    which in a model with branches need not be the order of creation. names: those the user gave the
    layer, or the attributes it is held by. reset_before: entries of GRU(reset_after=False).
    graph: whether the file tells which layer feeds which.
    """

    entries: list[Entry] = field(default_factory=list)
    counted: list[tuple[str, int] | None] = field(default_factory=list)
    names: list[frozenset[str]] = field(default_factory=list)
    before: set[tuple[int, int]] = field(default_factory=set)
    listed: set[tuple[int, int]] = field(default_factory=set)
    reset_before: set[int] = field(default_factory=set)
    graph: bool = False

    def add(self, entries: Iterable[Entry], layer: str, class_name: str, path: str) -> list[int]:
        """Notes the entries of one layer; returns their numbers."""
        numbers = []
        for entry in entries:
            stem, number = default_name(layer)
            by_keras = stem == snake(class_name) and layer != ""
            numbers.append(len(self.entries))
            self.entries.append(entry)
            self.counted.append((stem, number) if by_keras else None)
            own = {path, "" if by_keras else layer} - {"", LISTED}
            self.names.append(frozenset(own))
        self.before.update(combinations(numbers, 2))
        return numbers

    def follow(self, relation: set[tuple[int, int]], parts: list[list[int]]) -> list[int]:
        """Notes that every part comes before the next ones; returns all numbers."""
        for first, second in combinations(parts, 2):
            relation.update((i, j) for i in first for j in second)
        return [number for part in parts for number in part]


def class_and_arguments(layer: Config) -> tuple[str, Config]:
    config = layer.get("config")
    name = str(layer.get("class_name", "")).split(">")[-1]
    return name, config if isinstance(config, Mapping) else {}


# ------------------------------------------------------------------------- with the configuration


def walk(saved: Saved, layer: Config, store: Store) -> list[int]:
    """The numbers of the entries of a layer and of all in it. Raises Unknown."""
    class_name, config = class_and_arguments(layer)
    name = str(config.get("name") or layer.get("name") or store.name or "")
    if isinstance(config.get("layers"), list):
        return walk_model(saved, config["layers"], store)
    if class_name in DATA:
        if store.arrays():
            raise Unknown(f"{name} ({class_name}) holds statistics of the data: not carried over")
        return []
    if class_name == "MultiHeadAttention":
        return attention(saved, name, store, "")
    if class_name == "Bidirectional":
        parts = ("forward_layer", "backward_layer")
        inner = [config["layer"], config.get("backward_layer") or config["layer"]]
        ends = [
            walk(saved, renamed(part, name, end.split("_")[0]), found)
            for end, part in zip(parts, inner, strict=True)
            if (found := store.part(end))
        ]
        return saved.follow(saved.before, ends)
    if class_name in CELLS or class_name == "RNN":
        cell = {"class_name": class_name + "Cell", "config": config}
        return walk_cell(saved, config.get("cell", cell), store, name)
    if isinstance(config.get("layer"), Mapping) and (inside := store.part("layer")):
        return walk(saved, config["layer"], inside)
    if class_name in CLASSES or class_name.startswith("CuDNN"):
        return leaf(saved, Leaf(store.path, name, class_name, store.arrays(), config))
    return walk_other(saved, class_name, name, store)


def renamed(layer: Config, name: str, end: str) -> Config:
    """One direction of a Bidirectional, under a name that tells which."""
    class_name, config = class_and_arguments(layer)
    inner = str(config.get("name", name))
    inner = inner if inner.startswith(end) else f"{end}_{inner.removeprefix('forward_')}"
    return {"class_name": class_name, "config": {**config, "name": inner}}


def walk_cell(saved: Saved, cell: Config, store: Store, name: str) -> list[int]:
    class_name, config = class_and_arguments(cell)
    place = store.part("cell") or store
    if isinstance(config.get("cells"), list):
        return walk_model(saved, config["cells"], place)
    layer = class_name.removesuffix("Cell")
    found = leaf(saved, Leaf(place.path, name, class_name, place.arrays(), config), layer)
    if class_name == "GRUCell" and not config.get("reset_after", False):
        saved.reset_before.update(found)
    return found


def walk_model(saved: Saved, layers: list[Config], store: Store) -> list[int]:
    """The layers of a Sequential, of a functional model, or the cells of an RNN."""
    wanted = []
    for layer in layers:
        class_name, config = class_and_arguments(layer)
        wanted.append((class_name, str(config.get("name") or layer.get("name") or "")))
    parts: list[list[int]] = []
    for layer, place in zip(layers, store.layers(wanted), strict=True):
        nested = isinstance(class_and_arguments(layer)[1].get("layers"), list)
        if place is None and nested and isinstance(store, Flat) and not store.top:
            place = store  # Keras 2 leaves the name of a model out of those of its variables
        parts.append(walk(saved, layer, place) if place is not None else [])
    saved.follow(saved.listed, parts)
    saved.graph = True
    if any("inbound_nodes" in layer for layer in layers):
        names = [name for _, name in wanted]
        for first, second in paths([layer.get("inbound_nodes") for layer in layers], names):
            saved.before.update((i, j) for i in parts[first] for j in parts[second])
    else:
        saved.follow(saved.before, parts)
    return [number for part in parts for number in part]


def paths(inbound: list[Any], names: list[str]) -> Iterator[tuple[int, int]]:
    """(i, j) for layers where layer i feeds layer j, over others too; first calls only."""
    number = {name: i for i, name in enumerate(names)}
    feeds = []
    for nodes in inbound:
        first = nodes[0] if isinstance(nodes, list) and nodes else []
        feeds.append({number[name] for name in tensors(first) if name in number})
    above: dict[int, set[int]] = {}

    def ancestors(start: int) -> None:
        stack = [start]
        while stack:
            top = stack[-1]
            missing = [i for i in feeds[top] if i not in above and i not in stack]
            if missing:
                stack.append(missing[0])
                continue
            above[top] = set().union(*({i} | above.get(i, set()) for i in feeds[top])) - {top}
            stack.pop()

    for j in range(len(names)):
        if j not in above:
            ancestors(j)
        yield from ((i, j) for i in above[j])


def tensors(value: Any) -> Iterator[str]:
    """The layers named in a node: ["name", 0, 0, ...] in lists and dicts of any depth."""
    if isinstance(value, list):
        if (
            len(value) >= 3
            and isinstance(value[0], str)
            and all(type(n) is int for n in value[1:3])
        ):
            yield value[0]
        for part in value:
            yield from tensors(part)
    elif isinstance(value, Mapping):
        for part in value.values():
            yield from tensors(part)


def leaf(saved: Saved, found: Leaf, class_name: str = "", path: str = "") -> list[int]:
    """Notes the entries of a layer that holds its variables itself."""
    entries = entries_of(found)
    if not class_name and entries:
        class_name = found.class_name or recognised(found).removesuffix("Cell")
    numbers = saved.add(entries, found.name, class_name, path)
    for i in numbers:
        roles = saved.entries[i].arrays
        if saved.entries[i].kind == "gru" and "bias" in roles and "recurrent_bias" not in roles:
            saved.reset_before.add(i)
    return numbers


def attention(saved: Saved, name: str, store: Store, path: str) -> list[int]:
    """query, key, value and output: a projection each."""
    entries = []
    for part in HEADS:
        place = store.part(part)
        if place is not None and (arrays := place.arrays()):
            entries.append(head(Leaf(place.path, name or store.path, "", arrays), part))
    return saved.add(entries, name, "MultiHeadAttention", path)


def walk_other(saved: Saved, class_name: str, name: str, store: Store) -> list[int]:
    """A layer of a class of the user's own, or one without weights."""
    if isinstance(store, Flat):
        if len([s for s in store.sets if not s.claimed]) > 1:
            return guess_flat(saved, store)
        return leaf(saved, Leaf(store.path, name, class_name, store.arrays()))
    assert isinstance(store, Tree)
    if store.own and class_name:
        found = leaf(saved, Leaf(store.path, name, class_name, store.arrays()))
        return found + guess_children(saved, store, "", "")
    return guess(saved, store, "", "", listed=False)


# ---------------------------------------------------------------------- without the configuration


def guess(
    saved: Saved, tree: Tree, key: str, path: str, listed: bool, layer: str = ""
) -> list[int]:
    """The entries of a group of Keras 3's format whose class the file does not tell.

    path: the attributes above it, LISTED in lists. layer: the name of the RNN that a cell is in.
    """
    if (
        is_random_state(key)
        or is_random_state(tree.name)
        or all(a.ndim == 0 for a in tree.own.values())
    ):
        tree.arrays()  # no layer: also the sums of a metric, the counter of an optimizer
        own: list[int] = []
    else:
        hint = tree.name or (key if listed else "")
        found = Leaf(tree.path, layer or tree.name, "", tree.arrays(), hint=hint)
        own = leaf(saved, found, path=path)
    parts = {k.removeprefix("_").removesuffix("_dense") for k in tree.children}
    if {"query", "key", "value"} <= parts:
        return own + attention(saved, tree.name, tree, path)
    return own + guess_children(saved, tree, path, tree.name)


def guess_children(saved: Saved, tree: Tree, path: str, name: str) -> list[int]:
    parts: dict[str, list[int]] = {}
    for key in in_order(list(tree.children)):
        below = f"{path}.{key}".strip(".")
        if key in ("cell", "forward_layer", "backward_layer", "layer"):
            below = path
        elif tree.is_list or path is LISTED:
            below = LISTED
        layer = name if key == "cell" else ""
        parts[key] = guess(saved, tree.children[key], key, below, tree.is_list, layer)
    if tree.is_list:  # dense, dense_1, dense_2: only layers of one class are in a known order
        for _, same in groupby(parts, key=lambda key: default_name(key)[0]):
            saved.follow(saved.listed, [parts[key] for key in same])
    if "backward_layer" in parts:
        saved.follow(saved.before, list(parts.values()))
    return [number for part in parts.values() for number in part]


def guess_flat(saved: Saved, store: Flat) -> list[int]:
    """The entries of an older file that holds names of variables, but no configuration."""
    layers: dict[str, list[int]] = {}
    ends: dict[tuple[str, ...], list[list[int]]] = {}
    for item in sorted(store.sets, key=lambda item: direction(item) == "backward"):
        if item.claimed:
            continue
        numbers = guess_set(saved, store, item)
        layers.setdefault(item.parts[0], []).extend(numbers)
        if direction(item):
            depth = next(i for i, part in enumerate(item.parts) if directed(part))
            ends.setdefault(item.parts[:depth], []).append(numbers)
    for parts in ends.values():
        saved.follow(saved.before, parts)
    order = list(dict.fromkeys(item.parts[0] for item in store.sets))
    found = [layers[name] for name in order if name in layers]
    if store.top:
        saved.follow(saved.listed, found)
    return [number for part in found for number in part]


def directed(part: str) -> bool:
    return part.startswith(("forward_", "backward_"))


def direction(item: Named) -> str:
    """Which end of a Bidirectional this is, "" for none."""
    return next((part.partition("_")[0] for part in item.parts if directed(part)), "")


def guess_set(saved: Saved, store: Flat, item: Named) -> list[int]:
    name = item.parts[-1]
    if name in ("query", "key", "value", "attention_output") and len(item.parts) > 1:
        depth = len(item.parts) - 1
        above = [s for s in store.sets if s.parts[:depth] == item.parts[:depth] and not s.claimed]
        inside = Flat("/".join(item.parts[:-1]), above, depth=depth)
        return attention(saved, item.parts[-2], inside, "")
    if default_name(name)[0].endswith("_cell") and len(item.parts) > 1:
        name = item.parts[-2]
    item.claimed = True
    return leaf(saved, Leaf("/".join(item.parts), name, "", item.own, hint=item.parts[-1]))
