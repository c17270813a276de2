"""What a replayed ``forward`` computes: terms over modules, and when two of them are the same."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

STATELESS = (
    "MaxPool", "AvgPool", "SameMaxPool", "SameAvgPool", "ZeroPad", "ConstantPad", "Upsample",
    "Dropout", "AlphaDropout", "Unflatten", "Flatten", "ReLU", "LeakyReLU", "ELU",
)  # fmt: skip
"""Modules that hold nothing: one can stand for several."""

DEFAULTS: dict[str, Any] = {"stride": 1, "dilation": 1, "groups": 1, "bias": True, "padding": 0}


@dataclass(frozen=True)
class Opaque:
    """A value that is not known, by the expression that makes it."""

    key: Any


@dataclass(frozen=True)
class Path:
    """A name of torch or of generated code: ``nn.Conv2d``."""

    name: str


@dataclass(eq=False)
class Module:
    """A module: its class, and its arguments in normal form."""

    name: str
    args: tuple[Any, ...]
    keywords: tuple[tuple[str, Any], ...]

    @property
    def stateless(self) -> bool:
        return self.name.startswith(STATELESS)


@dataclass(frozen=True)
class Term:
    """A tensor: an input, or something done to others."""

    kind: str
    parts: tuple[Any, ...] = field(hash=False)


def module(name: str, args: list[Any], keywords: dict[str, Any]) -> Module:
    """A module in normal form.

    A lazy module does not say what comes in; "same" with stride 1 is torch's own; arguments that
    have their default are left out; the exact BatchNorm stands for torch's.
    """
    name = name.removeprefix("nn.")
    if name.startswith("Lazy"):
        name, args = name.removeprefix("Lazy"), [None, *args]
    given = {k: scalar(v) for k, v in keywords.items()}
    if name.startswith("SameConv") and scalar(given.get("stride", 1)) == 1:
        name = name.removeprefix("Same")
        given["padding"] = "same"
    kept = {k: v for k, v in given.items() if k not in DEFAULTS or v != DEFAULTS[k]}
    return Module(name, tuple(scalar(a) for a in args), tuple(sorted(kept.items())))


def scalar(value: Any) -> Any:
    """``(2, 2)`` as ``2``."""
    if isinstance(value, list):
        value = tuple(value)
    if isinstance(value, tuple) and value and all(v == value[0] for v in value):
        return value[0]
    return value


def method(owner: Term, name: str, args: tuple[Any, ...]) -> Term:
    """A method of a tensor; permutations that undo each other vanish, and so do those before a
    mean (or maximum) over what they moved."""
    if name in ("mean", "amax") and owner.kind == "method" and owner.parts[1] == "permute":
        order, dims = owner.parts[2], args[0] if args else None
        if isinstance(dims, tuple) and all(isinstance(d, int) and d >= 0 for d in dims):
            left = [order[i] for i in range(len(order)) if i not in dims]
            if left == sorted(left):
                moved = tuple(sorted(order[d] for d in dims))
                return method(owner.parts[0], name, (moved, *args[1:]))
    if name == "permute" and owner.kind == "method" and owner.parts[1] == "permute":
        inner, outer = owner.parts[2], args
        both = tuple(inner[i] for i in outer)
        if both == tuple(range(len(both))):
            return owner.parts[0]  # type: ignore[no-any-return]
    if name == "transpose" and owner.kind == "method" and owner.parts[1:] == (name, args):
        return owner.parts[0]  # type: ignore[no-any-return]
    return Term("method", (owner, name, args))


@dataclass
class Comparison:
    """Two graphs walked in step; ``partner`` pairs the modules that hold weights."""

    partner: dict[int, Module] = field(default_factory=dict)
    back: dict[int, Module] = field(default_factory=dict)
    done: set[tuple[int, int]] = field(default_factory=set)
    alive: list[Any] = field(default_factory=list)

    def same(self, one: Any, two: Any) -> bool:
        key = (id(one), id(two))
        if key in self.done:
            return True
        if type(one) is not type(two):
            return False
        if isinstance(one, Term):
            same = one.kind == two.kind and self.same(one.parts, two.parts)
        elif isinstance(one, tuple | list):
            same = len(one) == len(two) and all(map(self.same, one, two))
        elif isinstance(one, Module):
            same = self.modules(one, two)
        else:
            return bool(one == two)
        if same:
            self.done.add(key)
            self.alive += [one, two]  # so that no other object gets the same id
        return same

    def modules(self, one: Module, two: Module) -> bool:
        if one.name != two.name or one.keywords != two.keywords or len(one.args) != len(two.args):
            return False
        for mine, other in zip(one.args, two.args, strict=True):
            if mine != other and mine is not None and other is not None:
                return False
        if one.stateless:
            return True
        known = self.partner.setdefault(id(one), two)
        return known is two and self.back.setdefault(id(two), one) is one


def difference(one: Any, two: Any) -> Iterator[str]:
    """The modules of two graphs, where they first differ, in words."""
    mine, other = list(modules_in(one)), list(modules_in(two))
    for left, right in zip(mine, other, strict=False):
        if (left.name, left.args, left.keywords) != (right.name, right.args, right.keywords):
            yield f"{words(left)} where the script has {words(right)}"
            return
    yield f"{len(mine)} modules where the script has {len(other)}"


def modules_in(value: Any) -> Iterator[Module]:
    seen: set[int] = set()
    found: list[Module] = []

    def walk(item: Any) -> None:
        if id(item) in seen:
            return
        if isinstance(item, Module):
            seen.add(id(item))
            found.append(item)
        elif isinstance(item, Term):
            seen.add(id(item))
            walk(item.parts)
        elif isinstance(item, tuple | list):
            for part in item:
                walk(part)

    walk(value)
    yield from found


def words(made: Module) -> str:
    keywords = [f"{k}={v}" for k, v in made.keywords]
    return f"{made.name}({', '.join([*map(str, made.args), *keywords])})"
