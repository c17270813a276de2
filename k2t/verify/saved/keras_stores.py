"""The two ways HDF5 files of Keras hold variables, as one: places that have arrays and parts."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Protocol

from k2t.verify.probes.child import Array
from k2t.verify.saved.keras_kinds import Unknown, default_name, snake

HEADS = ("query", "key", "value", "output")


class Store(Protocol):
    """Where the variables of one layer are, and of the layers in it."""

    path: str

    @property
    def name(self) -> str:
        """The layer's name, "" where the file does not tell."""

    def arrays(self) -> dict[str, Array]:
        """The layer's own variables, by their names or by "0", "1"... in order."""

    def part(self, name: str) -> Store | None:
        """A layer inside this one, by the attribute that holds it; None if there is none."""

    def layers(self, wanted: list[tuple[str, str]]) -> list[Store | None]:
        """The layers of a model, by their (class, name) in order; None: kept elsewhere, or none."""


@dataclass
class Tree:
    """A group of Keras 3's format: variables under `vars`, other groups are attributes and lists.

    listed: its key was made from its class (layers in lists are named so), not by an attribute.
    """

    path: str
    own: dict[str, Array] = field(default_factory=dict)
    children: dict[str, Tree] = field(default_factory=dict)
    name: str = ""
    is_list: bool = False
    claimed: bool = False

    def arrays(self) -> dict[str, Array]:
        self.claimed = True
        return self.own

    def part(self, name: str) -> Tree | None:
        found = self.children.get(name) or self.children.get("_" + name)
        if found is None and name in HEADS:
            return self.part(name + "_dense")
        return found

    def layers(self, wanted: list[tuple[str, str]]) -> list[Store | None]:
        """Keras 3 counts a layer each time it is listed, Keras 2 only where it is saved."""
        group = self.children.get("layers") or self.children.get("cells")
        found: list[Store | None] = []
        counts: dict[str, int] = {}
        for class_name, _ in wanted:
            key = snake(class_name)
            counts[key] = counts.get(key, -1) + 1
            key = f"{key}_{counts[key]}" if counts[key] else key
            found.append(group.children.get(key) if group else None)
        return found

    def nodes(self) -> Iterator[Tree]:
        yield self
        for child in self.children.values():
            yield from child.nodes()

    def rest(self) -> list[str]:
        """Where there are variables that nobody has asked for."""
        return [n.name or n.path for n in self.nodes() if n.own and not n.claimed]


@dataclass
class Named:
    """The variables of one layer of the older format: ("lstm", "lstm_cell") -> kernel, bias..."""

    parts: tuple[str, ...]
    own: dict[str, Array]
    claimed: bool = False


@dataclass
class Flat:
    """Some of the layers of an older file, known by the names of their variables.

    depth: how many of the parts of each name lie above. top: the file's own list of layers.
    """

    path: str
    sets: list[Named]
    name: str = ""
    depth: int = 0
    top: bool = False

    def arrays(self) -> dict[str, Array]:
        """Raises Unknown if there are variables of several layers, as in no known layer."""
        left = [s for s in self.sets if not s.claimed]
        if len(left) > 1:
            names = ", ".join("/".join(s.parts) for s in left)
            raise Unknown(f"the weights of {self.path} are those of several layers: {names}")
        for found in left:
            found.claimed = True
            return found.own
        return {}

    def part(self, name: str) -> Flat | None:
        if name in ("cell", "layer"):
            return self
        if name in ("forward_layer", "backward_layer"):
            return self.having(re.compile(name.partition("_")[0] + "_.*"))
        return self.having(re.compile("attention_output" if name == "output" else re.escape(name)))

    def having(self, wanted: re.Pattern[str]) -> Flat | None:
        """What lies under a name: the place nearest to the root, where it occurs more than once."""
        found: dict[int, list[Named]] = {}
        for item in self.sets:
            depths = range(self.depth, 1 if self.top else len(item.parts))
            depth = next((i for i in depths if wanted.fullmatch(item.parts[i])), None)
            if depth is not None and not item.claimed:
                found.setdefault(depth, []).append(item)
        if not found:
            return None
        depth = min(found)
        name = found[depth][0].parts[depth]
        return Flat(f"{self.path}/{name}".lstrip("/"), found[depth], name, depth + 1)

    def layers(self, wanted: list[tuple[str, str]]) -> list[Store | None]:
        return [self.having(re.compile(re.escape(name))) for _, name in wanted]

    def rest(self) -> list[str]:
        return ["/".join(s.parts) for s in self.sets if not s.claimed]


def in_order(keys: list[str]) -> list[str]:
    """Keys of a group as Keras counts them: dense, dense_1, dense_2... dense_10; forward first."""
    first = ("forward_layer", "query", "_query", "key", "_key", "value", "_value")

    def rank(key: str) -> tuple[int, str, int]:
        begins = [i for i, start in enumerate(first) if key.startswith(start)]
        return (begins[0] if begins else len(first), *default_name(key))

    return sorted(keys, key=rank)


def is_random_state(key: str) -> bool:
    return re.fullmatch(r"_?(seed_generator|random_generator)(_\d+)?", key) is not None
