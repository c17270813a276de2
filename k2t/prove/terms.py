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


ELEMENTWISE = (
    "abs", "clamp", "cos", "erf", "exp", "log", "log1p", "neg", "pow", "reciprocal", "relu",
    "round", "rsqrt", "sigmoid", "sign", "sin", "sqrt", "square", "tanh",
)  # fmt: skip
"""Methods of a tensor that do the same to each of its numbers."""

FUNCTIONS = (
    "F.relu", "F.silu", "F.gelu", "F.elu", "F.selu", "F.leaky_relu", "F.softplus", "F.mish",
    "F.hardswish", "F.hardsigmoid", "F.hardtanh", "F.relu6", "F.softsign", "F.logsigmoid",
)  # fmt: skip

REDUCTIONS = ("mean", "amax", "amin", "sum")


def method(owner: Term, name: str, args: tuple[Any, ...]) -> Term:
    """A method of a tensor in normal form: permutations stand as far outside as they can.

    Those that undo each other vanish, and so do those before a reduction over what they moved.
    """
    order = permutation(owner)
    if order is not None and name in ELEMENTWISE and not any(map(has_tensor, args)):
        return method(method(owner.parts[0], name, args), *owner.parts[1:])
    if name in REDUCTIONS:
        return reduced(owner, order, name, args)
    if name == "permute" and order is not None and owner.parts[1] == "permute":
        both = tuple(order[i] for i in args)
        if both == tuple(range(len(both))):
            return owner.parts[0]  # type: ignore[no-any-return]
        return Term("method", (owner.parts[0], name, both))
    if name == "transpose" and owner.kind == "method" and owner.parts[1:] == (name, args):
        return owner.parts[0]  # type: ignore[no-any-return]
    return Term("method", (owner, name, args))


def has_tensor(value: Any) -> bool:
    """Whether an argument is a tensor, whose axes stand where they stand."""
    return isinstance(value, Term) or (
        isinstance(value, tuple | list) and any(map(has_tensor, value))
    )


def permutation(value: Any) -> tuple[Any, ...] | None:
    """How the axes of a tensor stand, if it is another one with its axes moved."""
    if isinstance(value, Term) and value.kind == "method" and value.parts[1] == "permute":
        return value.parts[2]  # type: ignore[no-any-return]
    if isinstance(value, Term) and value.kind == "method" and value.parts[1] == "transpose":
        return ("transpose", *value.parts[2])
    return None


def reduced(owner: Term, order: tuple[Any, ...] | None, name: str, args: tuple[Any, ...]) -> Term:
    """A reduction, its axes by name; of permuted axes, over those that they were."""
    named = {a[0]: a[1] for a in args if isinstance(a, tuple) and a and isinstance(a[0], str)}
    places = [a for a in args if not (isinstance(a, tuple) and a and isinstance(a[0], str))]
    dims = named.get("dim", places[0] if places else None)
    axes: tuple[Any, ...] = (dims,) if isinstance(dims, int) else dims or ()
    whole = bool(axes) and all(isinstance(d, int) for d in axes)
    if not whole or len(places) > 1 or not set(named) <= {"dim", "keepdim"}:
        return Term("method", (owner, name, args))
    keeps = bool(named.get("keepdim", False))
    if order is not None and isinstance(order[0], int):
        axes = tuple(d % len(order) for d in axes)
        left = [place for i, place in enumerate(order) if i not in axes]
        if keeps or left == sorted(left):
            inner = reduced(
                owner.parts[0],
                None,
                name,
                (tuple(order[d] for d in axes), *((("keepdim", True),) if keeps else ())),
            )
            return method(inner, "permute", order) if keeps else inner
    return Term("method", (owner, name, (("dim", tuple(sorted(axes))), ("keepdim", keeps))))


def operation(symbol: str, one: Any, two: Any) -> Term:
    """Arithmetic in normal form: of tensors whose axes are moved alike, moved afterwards."""
    orders = {permutation(part) for part in (one, two) if isinstance(part, Term)}
    if symbol == "@" or len(orders) != 1 or None in orders:
        return Term("op", (symbol, one, two))
    moved = one if isinstance(one, Term) else two
    inner = [part.parts[0] if isinstance(part, Term) else part for part in (one, two)]
    return method(operation(symbol, *inner), *moved.parts[1:])


def called(name: str, parts: tuple[Any, ...], keywords: tuple[Any, ...]) -> Term:
    """A function of torch; one that does the same to each number like a method of that kind."""
    first = parts[0] if parts else None
    alone = not any(map(has_tensor, (*parts[1:], *keywords)))
    if name in FUNCTIONS and alone and isinstance(first, Term) and permutation(first) is not None:
        return method(called(name, (first.parts[0], *parts[1:]), keywords), *first.parts[1:])
    return Term("call", (name, parts, keywords))


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
