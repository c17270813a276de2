"""Turns the variables of one Keras layer, as a file holds them, into entries.

Files name variables by number (".keras" and ".weights.h5": trainable ones first, in order of
creation) or by name (older ".h5"); the class of the layer is known where the file tells it.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from k2t.verify.probes.child import Array
from k2t.verify.probes.keras_weights import (
    KINDS,
    SPECIAL,
    canonical,
    depthwise,
    flat_dense,
    split_bias,
)
from k2t.verify.recording import Entry

GATES = {"LSTMCell": 4, "GRUCell": 3, "SimpleRNNCell": 1, "CuDNNLSTM": 4, "CuDNNGRU": 3}
NORMS = {"BatchNormalization", "LayerNormalization", "GroupNormalization"}
SEPARABLE = {f"SeparableConv{n}D" for n in (1, 2)}
DEPTHWISE = {f"DepthwiseConv{n}D" for n in (1, 2)}
CLASSES = (KINDS.keys() | SPECIAL) - {
    "MultiHeadAttention",
    "GroupedQueryAttention",
    "EinsumDense",
    "CuDNNLSTM",
    "CuDNNGRU",
}
# another layer than its class says: nothing in torch computes the same from the same weights
OTHERWISE = {"LayerNormalization": "rms_scaling"}


class Unknown(ValueError):
    """The file does not tell which layer its numbers belong to; the message says which numbers."""


@dataclass(frozen=True)
class Leaf:
    """A layer that holds variables itself. `arrays`: by their names, or by "0", "1"... in order.

    path: the place in the file. name: the layer's name, "" where the file has none. class_name:
    of its class, "" where the file does not tell; hint: what it may be known by then. config: its
    arguments, as far as known.
    """

    path: str
    name: str
    class_name: str
    arrays: Mapping[str, Array]
    config: Mapping[str, Any] = field(default_factory=dict)
    hint: str = ""

    @property
    def shown(self) -> str:
        return self.name or self.path

    @property
    def shapes(self) -> list[tuple[int, ...]]:
        return [tuple(array.shape) for array in self.arrays.values()]


def snake(name: str) -> str:
    """The name Keras gives to the first layer of a class: PReLU -> p_re_lu."""
    name = re.sub(r"\W+", "", name)
    name = re.sub(r"(.)([A-Z][a-z]+)", r"\1_\2", name)
    return re.sub(r"([a-z])([A-Z])", r"\1_\2", name).lower()


BY_NAME = {snake(name): name for name in CLASSES}


def default_name(name: str) -> tuple[str, int]:
    """("conv2d", 3) for conv2d_3; Keras counts the layers of a class like this as they are made."""
    name = re.sub(r"^(forward|backward)_", "", name)
    found = re.fullmatch(r"(.*?)(?:_(\d+))?", name)
    assert found is not None
    return found[1], int(found[2] or 0)


def entries_of(leaf: Leaf) -> list[Entry]:
    """The entries of a layer, none for one without variables.

    Raises:
        Unknown: the class is not known and the shapes fit several, or do not fit the class.
    """
    if not leaf.arrays:
        return []
    if leaf.class_name and leaf.class_name not in CLASSES | GATES.keys():
        return [Entry("own", leaf.shown, renumbered(leaf))]
    if leaf.class_name:
        roles = roles_of(leaf.class_name, leaf)
        if roles is None:
            raise Unknown(
                f"the weights of {leaf.shown} have the shapes {leaf.shapes}, "
                f"which are not those of a {leaf.class_name}"
            )
        return made(leaf.class_name, leaf, roles)
    class_name = recognised(leaf)
    roles = roles_of(class_name, leaf)
    assert roles is not None
    return made(class_name, leaf, roles)


def recognised(leaf: Leaf) -> str:
    """The class of a layer the file tells only shapes and names of."""
    possible = {c for c in CLASSES if roles_of(c, leaf) is not None}
    told = BY_NAME.get(default_name(leaf.hint or leaf.name)[0])
    for hint in (told, *(BY_NAME.get(default_name(p)[0]) for p in reversed(leaf.path.split("/")))):
        if hint in possible:
            return str(hint)
    if len(possible) == 1 and told is None:
        return possible.pop()
    could = (
        f"could be of {', '.join(sorted(possible))}"
        if possible
        else "do not tell which weight is which"
    )
    raise Unknown(
        f"the file does not tell what {leaf.shown} is: weights of the shapes {leaf.shapes} {could}"
        "; save the whole model with model.save('model.keras')"
    )


def roles_of(class_name: str, leaf: Leaf) -> list[str] | None:
    """The role of each array in a layer of this class; None where they do not belong to one."""
    found = numbered_roles(class_name, leaf.shapes, leaf.config)
    if not all(name.isdigit() for name in leaf.arrays):
        found = named_roles(class_name, list(leaf.arrays), leaf.shapes)
    elif any(leaf.arrays[name].dtype.kind != "f" for name in leaf.arrays):
        return None
    return found


def numbered_roles(
    class_name: str, shapes: list[tuple[int, ...]], config: Mapping[str, Any]
) -> list[str] | None:
    """Roles in Keras's order of creation."""
    if class_name in NORMS:
        wanted = [
            *(["gamma"] if config.get("scale", True) else []),
            *(["beta"] if config.get("center", True) else []),
        ]
        if class_name == "BatchNormalization":
            wanted += ["moving_mean", "moving_variance"]
        if not config and class_name == "BatchNormalization" and len(shapes) == 2:
            wanted = wanted[2:]
    else:
        wanted = {
            **{name: ["depthwise_kernel", "pointwise_kernel", "bias"] for name in SEPARABLE},
            **{name: ["kernel", "recurrent_kernel", "bias"] for name in GATES},
            "RMSNormalization": ["gamma"],
            "Embedding": ["embeddings"],
            "PReLU": ["alpha"],
        }.get(class_name, ["kernel", "bias"])
        if wanted[-1] == "bias" and len(shapes) == len(wanted) - 1:
            wanted = wanted[:-1]
    if len(wanted) != len(shapes):
        return None
    return wanted if shaped(class_name, dict(zip(wanted, shapes, strict=True))) else None


def named_roles(
    class_name: str, names: list[str], shapes: list[tuple[int, ...]]
) -> list[str] | None:
    """Roles of variables that have names."""
    other = {"depthwise_kernel": "kernel"} if class_name in DEPTHWISE else {"scale": "gamma"}
    if class_name in SEPARABLE:
        other = {}
    roles = [other.get(name, name) for name in names]
    if class_name in SEPARABLE:
        known = {"depthwise_kernel", "pointwise_kernel", "bias"}
        needed = known - {"bias"}
    elif class_name in DEPTHWISE:
        known, needed = {"kernel", "bias"}, {"kernel"}
    else:
        known = set(KINDS[class_name][1])
        optional = {"bias", "beta"} | ({"gamma"} if class_name in NORMS else set())
        needed = known - optional
    if not needed <= set(roles) <= known or len(set(roles)) != len(roles):
        return None
    return roles if shaped(class_name, dict(zip(roles, shapes, strict=True))) else None


def shaped(class_name: str, shapes: dict[str, tuple[int, ...]]) -> bool:
    """Whether arrays of these shapes can be the weights of a layer of this class."""
    if class_name in NORMS or class_name == "RMSNormalization":
        ranks = {1} if class_name != "LayerNormalization" else {1, 2, 3, 4}
        return len(set(shapes.values())) == 1 and len(next(iter(shapes.values()))) in ranks
    if class_name == "Embedding":
        return len(shapes["embeddings"]) == 2
    if class_name == "PReLU":
        return len(shapes["alpha"]) > 0
    bias = shapes.get("bias")
    if class_name in GATES:
        (_, width), recurrent = (shapes["kernel"] + (0, 0))[:2], shapes["recurrent_kernel"]
        biases = {None, (width,), (2 * width,)} | ({(2, width)} if "GRU" in class_name else set())
        units = width // GATES[class_name]
        ranks_fit = len(shapes["kernel"]) == 2 and recurrent == (units, width)
        return ranks_fit and units * GATES[class_name] == width and bias in biases
    if class_name in SEPARABLE:
        depth, point = shapes["depthwise_kernel"], shapes["pointwise_kernel"]
        size = int(class_name[-2]) + 2
        if len(depth) != size or len(point) != size:
            return False
        fits = point[:-1] == (*[1] * (size - 2), depth[-1] * depth[-2])
        return fits and bias in (None, point[-1:])
    kernel = shapes["kernel"]
    digits = re.findall(r"(\d)D", class_name)
    if len(kernel) != (int(digits[0]) + 2 if digits else 2):
        return False
    outputs = kernel[-2] if class_name.endswith("Transpose") else kernel[-1]
    if class_name in DEPTHWISE:
        outputs *= kernel[-2]
    return bias in (None, (outputs,))


def made(class_name: str, leaf: Leaf, roles: list[str]) -> list[Entry]:
    """The entries of a layer of a known class, in the layout of `keras_weights`."""
    if leaf.config.get(OTHERWISE.get(class_name, "")):
        raise Unknown(f"{leaf.shown} is a {class_name}({OTHERWISE[class_name]}=True)")
    arrays = dict(zip(roles, leaf.arrays.values(), strict=True))
    if class_name in SEPARABLE | DEPTHWISE:
        kind = f"conv{class_name[-2]}d"
        if class_name in DEPTHWISE:
            return [depthwise(Entry(kind, leaf.shown, arrays))]
        first = {"kernel": arrays.pop("depthwise_kernel")}
        second = {"kernel": arrays.pop("pointwise_kernel")} | arrays
        return [
            depthwise(Entry(kind, leaf.shown + "/depthwise", first)),
            Entry(kind, leaf.shown + "/pointwise", second),
        ]
    kind = KINDS[class_name][0]
    order = [role for role in KINDS[class_name][1] if role in arrays]
    arrays = {role: canonical(kind, role, arrays[role]) for role in order}
    return [Entry(kind, leaf.shown, split_bias(arrays, kind))]


def head(leaf: Leaf, part: str) -> Entry:
    """One of the four EinsumDense layers of MultiHeadAttention: query, key, value or output."""
    names = ("kernel", "bias")
    arrays = {
        names[int(name)] if name.isdigit() and int(name) < 2 else name: array
        for name, array in leaf.arrays.items()
    }
    if not arrays.keys() <= set(names) or "kernel" not in arrays or arrays["kernel"].ndim != 3:
        raise Unknown(f"{leaf.shown} has weights of the shapes {leaf.shapes}: not an attention's")
    return flat_dense(Entry("dense", f"{leaf.shown}/{part}", arrays), part)


def renumbered(leaf: Leaf) -> dict[str, Array]:
    """The arrays of a layer of a class of one's own, by their numbers."""
    return {str(i): array for i, array in enumerate(leaf.arrays.values())}
