"""Reads and writes a torch model's weights in Keras's layout, paired by structure alone."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from itertools import groupby
from typing import Any

import numpy as np
import torch
from torch import nn

from k2t.verify.probes.child import Array
from k2t.verify.recording import NEUTRAL, Entry

Turn = Callable[[Array], Array]


@dataclass(frozen=True)
class Slot:
    """One tensor (or some rows of one) under its role; `read` and `write` turn torch <-> Keras."""

    tensor: torch.Tensor
    read: Turn
    write: Turn


@dataclass(frozen=True)
class Place:
    """The slots of one layer by role."""

    kind: str
    name: str
    slots: dict[str, Slot]

    def entry(self) -> Entry:
        arrays = {
            role: slot.read(slot.tensor.detach().cpu().numpy()).copy()
            for role, slot in self.slots.items()
        }
        return Entry(self.kind, self.name, arrays)


def same(a: Array) -> Array:
    return a


def flip(a: Array) -> Array:
    return a.T


def read_conv(a: Array) -> Array:
    """(out, in, k...) -> (k..., in, out); transposed convolutions swap in and out in both."""
    return a.transpose(*range(2, a.ndim), 1, 0)


def write_conv(a: Array) -> Array:
    return a.transpose(a.ndim - 1, a.ndim - 2, *range(a.ndim - 2))


def swap_gates(a: Array) -> Array:
    """Keras's z, r, h <-> torch's r, z, n, on the last axis."""
    z, r, h = np.split(a, 3, axis=-1)
    return np.concatenate([r, z, h], axis=-1)


def slot(tensor: torch.Tensor | None, read: Turn = same, write: Turn = same) -> Slot | None:
    return None if tensor is None else Slot(tensor, read, write)


def of(module: nn.Module, read: Turn, write: Turn) -> dict[str, Slot | None]:
    weight, bias = getattr(module, "weight", None), getattr(module, "bias", None)
    return {"kernel": slot(weight, read, write), "bias": slot(bias)}


def places(model: nn.Module) -> Iterator[Place]:
    """The layers with weights, in the order of definition. Raises ValueError for lazy leftovers."""
    for name, p in model.named_parameters():
        if isinstance(p, nn.parameter.UninitializedParameter):
            raise ValueError(f"parameter {name} of the Lightning model has no shape yet at fit")
    inside: set[int] = set()
    for name, module in model.named_modules():
        if id(module) in inside:
            continue
        if isinstance(module, nn.MultiheadAttention):
            inside |= {id(part) for part in module.modules()}
        for kind, suffix, slots in module_slots(module):
            found = {role: s for role, s in slots.items() if s is not None}
            if found:
                yield Place(kind, (name or type(module).__name__) + suffix, found)


def module_slots(module: nn.Module) -> Iterable[tuple[str, str, dict[str, Slot | None]]]:
    """(kind, suffix of the name, slots) of the weights that a module holds itself."""
    m: Any = module
    for n in (1, 2, 3):
        if isinstance(m, getattr(nn, f"Conv{n}d")):
            return [(f"conv{n}d", "", of(m, read_conv, write_conv))]
        if isinstance(m, getattr(nn, f"ConvTranspose{n}d")):
            return [(f"convtranspose{n}d", "", of(m, read_conv, write_conv))]
    if isinstance(m, nn.Linear):
        return [("dense", "", of(m, flip, flip))]
    if isinstance(m, nn.modules.batchnorm._NormBase):
        moving = {"moving_mean": slot(m.running_mean), "moving_variance": slot(m.running_var)}
        kind = "groupnorm" if isinstance(m, nn.modules.instancenorm._InstanceNorm) else "batchnorm"
        return [(kind, "", norm(m) | moving)]
    if isinstance(m, nn.LayerNorm):
        return [("layernorm", "", norm(m))]
    if isinstance(m, nn.GroupNorm):
        return [("groupnorm", "", norm(m))]
    if isinstance(m, nn.RMSNorm):
        return [("rmsnorm", "", {"gamma": slot(m.weight)})]
    if isinstance(m, nn.Embedding):
        return [("embedding", "", {"embeddings": slot(m.weight)})]
    if isinstance(m, nn.PReLU):
        return [("prelu", "", {"alpha": slot(m.weight)})]
    if isinstance(m, nn.MultiheadAttention):
        return attention(m)
    if isinstance(m, nn.RNNBase | nn.RNNCellBase):
        return recurrent(m)
    own = {str(i): slot(p) for i, p in enumerate(m.parameters(recurse=False))}
    return [("own", "", own)]


def norm(m: Any) -> dict[str, Slot | None]:
    return {"gamma": slot(m.weight), "beta": slot(m.bias)}


def attention(m: Any) -> Iterator[tuple[str, str, dict[str, Slot | None]]]:
    if m.in_proj_weight is not None:
        weights = m.in_proj_weight.chunk(3)
    else:
        weights = (m.q_proj_weight, m.k_proj_weight, m.v_proj_weight)
    biases = (None,) * 3 if m.in_proj_bias is None else m.in_proj_bias.chunk(3)
    for part, weight, bias in zip(("query", "key", "value"), weights, biases, strict=True):
        yield "dense", "/" + part, {"kernel": slot(weight, flip, flip), "bias": slot(bias)}
    yield "dense", "/output", of(m.out_proj, flip, flip)


def recurrent(m: Any) -> Iterator[tuple[str, str, dict[str, Slot | None]]]:
    """One item a layer and direction. torch's second bias is the role "recurrent_bias"."""
    kinds = {"lstm": (nn.LSTM, nn.LSTMCell), "gru": (nn.GRU, nn.GRUCell)}
    kind = next((k for k, classes in kinds.items() if isinstance(m, classes)), "rnn")
    ends = [""]
    if isinstance(m, nn.RNNBase):
        directions = ("", "_reverse") if m.bidirectional else ("",)
        ends = [f"_l{i}{d}" for i in range(m.num_layers) for d in directions]

    def turned(tensor: Any, turn: Turn) -> Slot | None:
        if kind == "gru":
            return slot(tensor, lambda a: swap_gates(turn(a)), lambda a: turn(swap_gates(a)))
        return slot(tensor, turn, turn)

    for end in ends:
        yield (
            kind,
            end,
            {
                "kernel": turned(getattr(m, "weight_ih" + end), flip),
                "recurrent_kernel": turned(getattr(m, "weight_hh" + end), flip),
                "bias": turned(getattr(m, "bias_ih" + end, None), same),
                "recurrent_bias": turned(getattr(m, "bias_hh" + end, None), same),
            },
        )


def pair(entries: list[Entry], traversal: list[int], model: nn.Module) -> list[Place]:
    """The place of each entry: the n-th of a kind in Keras goes with the n-th of that kind here.

    Keras's layers are taken in order of creation; if their shapes do not fit, in the order of the
    model's traversal. Raises ValueError, naming the layers and shapes that have no partner.
    """
    found = list(places(model))
    problems = misfits(entries, range(len(entries)), found)
    order: Iterable[int] = range(len(entries))
    if problems and not misfits(entries, traversal, found):
        order, problems = traversal, []
    if problems:
        raise ValueError(
            "the weights of Keras do not fit the Lightning model:\n  " + "\n  ".join(problems)
        )
    partners: dict[int, Place] = {}
    for kind, numbers in by_kind(order, lambda i: entries[i].kind).items():
        partners |= zip(numbers, [place for place in found if place.kind == kind], strict=True)
    return [partners[i] for i in range(len(entries))]


def by_kind(items: Iterable[Any], kind: Callable[[Any], str]) -> dict[str, list[Any]]:
    return {k: list(group) for k, group in groupby(sorted(items, key=kind), key=kind)}


def misfits(entries: list[Entry], order: Iterable[int], found: list[Place]) -> list[str]:
    """What is wrong with pairing in this order; empty if all weights find their place."""
    ours = by_kind((entries[i] for i in order), lambda e: e.kind)
    theirs = by_kind(found, lambda p: p.kind)
    problems = []
    for kind in sorted(ours.keys() | theirs.keys()):
        a, b = ours.get(kind, []), theirs.get(kind, [])
        for i in range(max(len(a), len(b))):
            left = f"{a[i].name} {a[i].shapes}" if i < len(a) else "nothing in Keras"
            if i >= len(b):
                problems.append(f"{kind} {i}: {left} has no partner in Lightning")
                continue
            right = b[i].entry()
            if i >= len(a):
                problems.append(f"{kind} {i}: {right.name} {right.shapes} has no partner in Keras")
            elif not fits(a[i].shapes, right.shapes):
                problems.append(f"{kind} {i}: {left} and {right.name} {right.shapes} do not fit")
    return problems


def fits(keras: dict[str, tuple[int, ...]], torch_: dict[str, tuple[int, ...]]) -> bool:
    extra = torch_.keys() - keras.keys()
    return extra <= NEUTRAL.keys() and all(torch_.get(role) == s for role, s in keras.items())


@torch.no_grad()
def put(entries: list[Entry], partners: list[Place]) -> None:
    """Writes the arrays of the entries into their places."""
    for entry, place in zip(entries, partners, strict=True):
        for role, array in entry.arrays.items():
            s = place.slots[role]
            s.tensor.copy_(torch.from_numpy(np.asarray(s.write(array), order="C")))


@torch.no_grad()
def disturb(model: nn.Module, size: float) -> None:
    """Multiplies every parameter by 1 +- `size`, and adds noise of that size to every gradient.

    The noise in a gradient is relative to its tensor's largest value, as the rounding of another
    order of summation is: another framework differs by that at every step, not only at the start.
    The random numbers are always the same.
    """
    generator = torch.Generator().manual_seed(2)

    def noise(like: torch.Tensor) -> torch.Tensor:
        values = 2 * torch.rand(like.shape, generator=generator, dtype=torch.float64) - 1
        return (size * values).to(like.device)

    for p in model.parameters():
        p.copy_((p.double() * (1 + noise(p))).to(p.dtype))
        if p.requires_grad:
            p.register_hook(  # type: ignore[no-untyped-call]
                lambda g: (g.double() + g.abs().max() * noise(g)).to(g.dtype)
            )
