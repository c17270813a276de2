"""Finds the place in a torch model for each layer of a saved Keras model, or says why not."""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from graphlib import CycleError, TopologicalSorter
from itertools import combinations, permutations

import torch
from torch import fx, nn

from k2t.verify.probes.torch_weights import Place, Slot, by_kind, fits, misfits, places, put
from k2t.verify.recording import NEUTRAL
from k2t.verify.saved.keras_layers import Saved

Pair = tuple[int, int]


class DoesNotFit(ValueError):
    """The weights are not those of the model; the message has one line a layer."""


class Ambiguous(ValueError):
    """Layers of the same kind and shapes could change places, and nothing tells their order."""


@dataclass(frozen=True)
class Match:
    """The places of the entries: `places[partners[i]]` is that of entry i."""

    places: list[Place]
    partners: dict[int, int]

    def of(self, entry: int) -> Place:
        return self.places[self.partners[entry]]


def match(saved: Saved, model: nn.Module) -> Match:
    """The place of each entry, none left over on either side.

    Within a kind and shapes, the n-th layer of Keras goes with the n-th of the torch class, unless
    their names say otherwise. Raises DoesNotFit and Ambiguous.
    """
    found = [spelled(place, model) for place in places(model)]
    order = preferred(saved)
    problems = misfits(saved.entries, order, found) or ["the layers come in another order"]
    partners, named = assign(saved, order, found)
    if len(partners) != len(saved.entries) or len(found) != len(partners):
        raise DoesNotFit("\n".join(problems))
    matched = Match(found, partners)
    check_order(saved, matched, named, model, problems)
    check_classes(saved, matched, model)
    return matched


def spelled(place: Place, model: nn.Module) -> Place:
    """k2t's own PReLU, with a slope for each feature, is a PReLU like torch's."""
    module = module_of(place, model)
    if place.kind == "own" and type(module).__name__ == "PReLU" and list(place.slots) == ["0"]:
        tensor = place.slots["0"].tensor
        shape = tuple(tensor.shape)
        slot = Slot(tensor, lambda a: a.squeeze() if a.ndim > 1 else a, lambda a: a.reshape(shape))
        return replace(place, kind="prelu", slots={"alpha": slot})
    return place


def base(place: Place) -> str:
    """The attribute that holds a place's module: without direction, layer or part."""
    return re.sub(r"_l\d+(_reverse)?$", "", place.name.partition("/")[0])


def module_of(place: Place, model: nn.Module) -> nn.Module:
    try:
        return model.get_submodule(base(place))
    except AttributeError:
        return model  # a place in the model itself is called like its class


# ------------------------------------------------------------------------------------------ order


def certain(saved: Saved) -> set[Pair]:
    """(i, j) where the layer of i was made before that of j: by the graph, or by its number.

    In Dense()(Dense()(x)) the outer layer is made first, so numbers are not to be trusted against
    the graph, nor against the list of layers where there is no graph.
    """
    pairs = set(saved.before)
    against = saved.before if saved.graph else saved.before | saved.listed
    groups: dict[str, list[int]] = {}
    for i, counted in enumerate(saved.counted):
        if counted is not None:
            groups.setdefault(counted[0], []).append(i)
    for numbers in groups.values():
        for i, j in permutations(numbers, 2):
            first, second = saved.counted[i], saved.counted[j]
            assert first is not None
            assert second is not None
            if first[1] < second[1] and (j, i) not in against:
                pairs.add((i, j))
    return pairs


def preferred(saved: Saved) -> list[int]:
    """The entries in the order of creation as far as it is known, else as the file lists them."""
    sure = certain(saved)
    listed = {(i, j) for i, j in saved.listed if (j, i) not in sure}
    for pairs in (sure | listed, sure, saved.before):
        sorter: TopologicalSorter[int] = TopologicalSorter(
            dict.fromkeys(range(len(saved.entries)), ())
        )
        for first, second in pairs:
            sorter.add(second, first)
        try:
            return list(sorter.static_order())
        except CycleError:
            continue  # names that contradict the graph
    return list(range(len(saved.entries)))


def assign(saved: Saved, order: list[int], found: list[Place]) -> tuple[dict[int, int], set[int]]:
    """(entry -> place, entries that go to a place of their own name); what does not fit is left."""
    partners: dict[int, int] = {}
    named: set[int] = set()
    numbers = by_kind(range(len(found)), lambda n: found[n].kind)
    for kind, entries in by_kind(order, lambda i: saved.entries[i].kind).items():
        left = numbers.get(kind, [])

        def fit(i: int, n: int) -> bool:
            return fits(saved.entries[i].shapes, found[n].entry().shapes)

        for n in left:
            same = [i for i in entries if i not in named and base(found[n]) in saved.names[i]]
            if same and fit(same[0], n):
                partners[same[0]] = n
                named.add(same[0])
        free = [n for n in left if n not in partners.values()]
        rest = [i for i in entries if i not in named]
        if len(free) == len(rest) and all(fit(i, n) for i, n in zip(rest, free, strict=True)):
            partners |= zip(rest, free, strict=True)
            continue
        for n in free:
            fitting = next((i for i in rest if i not in partners and fit(i, n)), None)
            if fitting is not None:
                partners[fitting] = n
    return partners, named


def check_order(
    saved: Saved, matched: Match, named: set[int], model: nn.Module, problems: list[str]
) -> None:
    """Raises DoesNotFit where a known order is broken, Ambiguous where an order is not known."""
    sure = certain(saved)
    flow: set[tuple[str, str]] | None = None
    for i, j in combinations(range(len(saved.entries)), 2):
        if saved.entries[i].kind != saved.entries[j].kind or {i, j} & named:
            continue
        if matched.partners[i] > matched.partners[j]:
            i, j = j, i
        if (j, i) in sure and (i, j) not in sure:
            raise DoesNotFit("\n".join(problems))
        if (i, j) in sure or not interchangeable(saved, matched, i, j):
            continue
        flow = forward_paths(model) if flow is None else flow
        if (i, j) in saved.listed and (base(matched.of(i)), base(matched.of(j))) in flow:
            continue
        raise Ambiguous(
            f"the file does not tell which of the layers {saved.entries[i].name} and "
            f"{saved.entries[j].name} is which of {matched.of(i).name} and {matched.of(j).name}"
        )


def interchangeable(saved: Saved, matched: Match, i: int, j: int) -> bool:
    first, second = saved.entries[i].shapes, saved.entries[j].shapes
    there, here = matched.of(j).entry().shapes, matched.of(i).entry().shapes
    return fits(first, there) and fits(second, here)


class _Tracer(fx.Tracer):
    """Follows a forward pass without data, not into modules that hold parameters."""

    def is_leaf_module(self, m: nn.Module, module_qualified_name: str) -> bool:
        own = any(True for _ in m.parameters(recurse=False))
        return own or super().is_leaf_module(m, module_qualified_name)


def forward_paths(model: nn.Module) -> set[tuple[str, str]]:
    """(a, b) where the output of module a reaches module b; empty if it cannot be followed."""
    try:
        graph = _Tracer().trace(model)
    except Exception:  # any code may be in a forward
        return set()
    above: dict[fx.Node, set[str]] = {}
    pairs: set[tuple[str, str]] = set()
    for node in graph.nodes:
        above[node] = set().union(*(above[source] for source in node.all_input_nodes))
        if node.op == "call_module":
            target = str(node.target)
            pairs.update((name, target) for name in above[node] - {target})
            above[node] = above[node] | {target}
    return {(a, b) for a, b in pairs if (b, a) not in pairs}


def check_classes(saved: Saved, matched: Match, model: nn.Module) -> None:
    """Raises DoesNotFit for a GRU whose reset gate acts elsewhere than in the torch class."""
    for i, entry in enumerate(saved.entries):
        module = module_of(matched.of(i), model)
        before = i in saved.reset_before
        name = type(module).__name__
        if entry.kind == "gru" and (type(module) is nn.GRU if before else name == "ResetBeforeGRU"):
            raise DoesNotFit(
                f"gru: {entry.name} is a GRU(reset_after={not before}), "
                f"which {matched.of(i).name}, a {name}, is not"
            )


@torch.no_grad()
def place(saved: Saved, matched: Match) -> None:
    """Writes all weights, and into roles that only torch has what makes them do nothing."""
    put(saved.entries, [matched.of(i) for i in range(len(saved.entries))])
    for i, entry in enumerate(saved.entries):
        for role, slot in matched.of(i).slots.items():
            if role not in entry.arrays:
                slot.tensor.fill_(NEUTRAL[role])
