"""Reads a Keras model's weights as entries: any Keras from 2.2 on, known by the classes' names."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping
from typing import Any

import numpy as np

from k2t.verify.probes.child import Array, fresh_sample
from k2t.verify.recording import Entry

NORM = {"gamma": "gamma", "beta": "beta"}
PLAIN = {"kernel": "kernel", "bias": "bias"}
CELL = {"kernel": "kernel", "recurrent_kernel": "recurrent_kernel", "bias": "bias"}

# class name -> (kind, role -> attribute); a subclass is found by the first known base
KINDS: dict[str, tuple[str, dict[str, str]]] = {
    "Dense": ("dense", PLAIN),
    **{f"Conv{n}D": (f"conv{n}d", PLAIN) for n in (1, 2, 3)},
    **{f"Conv{n}DTranspose": (f"convtranspose{n}d", PLAIN) for n in (1, 2, 3)},
    "BatchNormalization": (
        "batchnorm",
        NORM | {"moving_mean": "moving_mean", "moving_variance": "moving_variance"},
    ),
    "LayerNormalization": ("layernorm", NORM),
    "GroupNormalization": ("groupnorm", NORM),
    "RMSNormalization": ("rmsnorm", {"gamma": "scale"}),
    "Embedding": ("embedding", {"embeddings": "embeddings"}),
    "LSTMCell": ("lstm", CELL),
    "GRUCell": ("gru", CELL),
    "SimpleRNNCell": ("rnn", CELL),
    "CuDNNLSTM": ("lstm", CELL),
    "CuDNNGRU": ("gru", CELL),
    "PReLU": ("prelu", {"alpha": "alpha"}),
}
# read by special code, with all that is inside them
SPECIAL = {f"DepthwiseConv{n}D" for n in (1, 2)} | {f"SeparableConv{n}D" for n in (1, 2)}
SPECIAL |= {"MultiHeadAttention", "GroupedQueryAttention", "EinsumDense"}
# their weights come from the data, or are random states
DATA = {"Normalization", "Discretization", "IntegerLookup", "StringLookup", "TextVectorization"}
INITIALIZERS = {"recurrent_kernel": "recurrent", "depthwise_kernel": "depthwise"}
INITIALIZERS |= {"pointwise_kernel": "pointwise"}


class Variables:
    """The values of all variables of a model: one `get_weights`, which works in graphs too.

    values: other arrays of the variables' shapes (gradients) by id; NaN stands for those that are
    missing.
    """

    def __init__(self, model: Any, values: dict[int, Array] | None) -> None:
        if values is None:
            arrays = read_values(model.weights)
            self.values = {id(v): a for v, a in zip(model.weights, arrays, strict=True)}
        else:
            missing = ((id(v), np.full(tuple(v.shape), np.nan)) for v in model.weights)
            self.values = {key: values.get(key, nan) for key, nan in missing}
        self.names = {id(v): getattr(v, "path", v.name) for v in model.weights}
        self.claimed: set[int] = set()

    def take(self, variable: Any) -> Array | None:
        if id(variable) not in self.values:
            return None
        self.claimed.add(id(variable))
        return self.values[id(variable)]


def read_values(variables: list[Any]) -> list[Array]:
    """Their values; in graphs of TensorFlow 1 by one run of the session."""
    if all(hasattr(variable, "numpy") for variable in variables):
        try:
            return [np.array(variable.numpy()) for variable in variables]
        except NotImplementedError:
            pass
    import keras  # type: ignore[import-untyped]

    return [np.array(value) for value in keras.backend.batch_get_value(variables)]


def base_names(layer: Any) -> list[str]:
    """The classes of Keras that a layer is of; the script's own may have any name."""
    bases = type(layer).__mro__
    return [c.__name__ for c in bases if c.__module__.partition(".")[0] != "__main__"]


def sublayers(layer: Any) -> list[Any]:
    """The layer and all layers inside it, each once, in the order a reader meets them."""
    if hasattr(layer, "_flatten_layers"):
        inside = layer._flatten_layers(include_self=False, recursive=False)
        found = [layer, *(part for child in inside for part in sublayers(child))]
    else:
        found = [layer]
        parts: list[Any] = []
        for attribute in ("layers", "layer", "forward_layer", "backward_layer", "cell", "cells"):
            part = getattr(layer, attribute, None)
            parts += part if isinstance(part, list) else [part]
        for part in parts:
            if hasattr(part, "weights") or hasattr(part, "kernel"):
                found += sublayers(part)
    return list({id(part): part for part in found}.values())


def read_model(
    model: Any, created: dict[int, int], values: dict[int, Array] | None = None
) -> tuple[list[Entry], list[int], list[Any]]:
    """(entries in order of creation, the traversal as positions in them, the layer of each entry).

    created: id of a layer -> its place in the order of creation. values: arrays to read instead of
    the weights, by the id of the variable (see Variables). Raises ValueError for weights that
    belong to no known layer.
    """
    variables = Variables(model, values)
    pairs: list[tuple[Any, Entry]] = []
    inside: set[int] = set()
    layers = sublayers(model)
    for layer in layers:
        if id(layer) in inside:
            continue
        names = base_names(layer)
        if DATA & set(names):
            for variable in layer.weights:
                variables.take(variable)
            continue
        if SPECIAL & set(names):
            inside |= {id(part) for part in sublayers(layer)}
        pairs += [(layer, entry) for entry in read_layer(layer, names, variables) if entry.arrays]
    rest = [variables.names[i] for i in variables.values if i not in variables.claimed]
    if rest:
        raise ValueError(
            "weights of the Keras model that belong to no known layer: " + ", ".join(rest)
        )
    order = sorted(range(len(pairs)), key=lambda i: created.get(id(pairs[i][0]), -1))
    traversal = [order.index(i) for i in range(len(pairs))]
    return [pairs[i][1] for i in order], traversal, [pairs[i][0] for i in order]


def read_layer(layer: Any, names: list[str], variables: Variables) -> Iterator[Entry]:
    """The entries of the weights that a layer holds itself."""
    name = str(getattr(layer, "name", names[0]))

    def entry(
        kind: str, attributes: dict[str, str], source: Any = layer, suffix: str = ""
    ) -> Entry:
        found = {role: variables.take(getattr(source, a, None)) for role, a in attributes.items()}
        arrays = {role: canonical(kind, role, v) for role, v in found.items() if v is not None}
        return Entry(kind, name + suffix, split_bias(arrays, kind))

    special = next((n for n in names if n in SPECIAL), "")
    if special.endswith("Attention"):
        for part in ("query", "key", "value", "output"):
            yield flat_dense(
                entry("dense", PLAIN, getattr(layer, f"_{part}_dense"), "/" + part), part
            )
    elif special == "EinsumDense":
        inputs, _, kernel = layer.equation.partition("->")[0].partition(",")
        whole = entry("dense", PLAIN)
        sizes = zip(whole.shapes.get("kernel", ()), kernel, strict=False)
        yield flat_dense(whole, (math.prod(n for n, axis in sizes if axis in inputs), -1))
    elif special:
        kind = f"conv{special[-2]}d"
        kernel = "depthwise_kernel" if hasattr(layer, "depthwise_kernel") else "kernel"
        if special.startswith("Depthwise"):
            yield depthwise(entry(kind, {"kernel": kernel, "bias": "bias"}))
        else:
            yield depthwise(entry(kind, {"kernel": kernel}, suffix="/depthwise"))
            pointwise = {"kernel": "pointwise_kernel", "bias": "bias"}
            yield entry(kind, pointwise, suffix="/pointwise")
    elif "ConvLSTMCell" in names:
        kind = f"conv{layer.rank}d"
        yield entry(kind, PLAIN, suffix="/input")
        yield entry(kind, {"kernel": "recurrent_kernel"}, suffix="/recurrent")
    elif known := next((n for n in names if n in KINDS), None):
        yield entry(*KINDS[known])
    else:
        own = [*getattr(layer, "_trainable_variables", getattr(layer, "_trainable_weights", []))]
        own += getattr(
            layer, "_non_trainable_variables", getattr(layer, "_non_trainable_weights", [])
        )
        if not hasattr(layer, "layers") or own:
            found = [variables.take(v) for v in own if id(v) not in variables.claimed]
            yield Entry("own", name, {str(i): v for i, v in enumerate(found) if v is not None})


def canonical(kind: str, role: str, value: Array) -> Array:
    """alpha of PReLU without the axes it is shared over."""
    return value.squeeze() if kind == "prelu" and value.ndim > 1 else value


def split_bias(arrays: dict[str, Array], kind: str) -> dict[str, Array]:
    """The two rows of GRU(reset_after=True)'s bias, or the halves of CuDNN's, as two roles."""
    bias, kernel = arrays.get("bias"), arrays.get("kernel")
    if kind not in ("gru", "lstm") or bias is None or kernel is None:
        return arrays
    if bias.size != 2 * kernel.shape[-1]:
        return arrays
    first, second = bias.reshape(2, -1)
    return arrays | {"bias": first, "recurrent_bias": second}


def depthwise(entry: Entry) -> Entry:
    """(k..., channels, multiplier) as the kernel of a grouped convolution: (k..., 1, out)."""
    kernel = entry.arrays.get("kernel")
    if kernel is None:
        return entry
    grouped = kernel.reshape(*kernel.shape[:-2], 1, -1)
    return Entry(entry.kind, entry.name, entry.arrays | {"kernel": grouped})


def flat_dense(entry: Entry, part: str | tuple[int, int]) -> Entry:
    """The heads of attention's EinsumDense side by side: a Dense kernel (in, heads * size)."""
    arrays = dict(entry.arrays)
    if "kernel" in arrays:
        kernel = arrays["kernel"]
        shape = (-1, kernel.shape[-1]) if part == "output" else (kernel.shape[0], -1)
        shape = shape if isinstance(part, str) else part
        arrays["kernel"] = kernel.reshape(shape)
    if "bias" in arrays:
        arrays["bias"] = arrays["bias"].ravel()
    return Entry(entry.kind, entry.name, arrays)


# ----------------------------------------------------------------------------- free initial values


def draw_entries(
    entries: list[Entry], layers: list[Any], draws: int, to_numpy: Callable[[Any], Array]
) -> list[Entry]:
    """Each entry with samples of `draws` fresh draws from the layer's own initialisers."""
    drawn = []
    for entry, layer in zip(entries, layers, strict=True):
        arrays = {role: draw_role(entry, role, layer, draws, to_numpy) for role in entry.arrays}
        drawn.append(Entry(entry.kind, entry.name, arrays))
    return drawn


def draw_role(
    entry: Entry, role: str, layer: Any, draws: int, to_numpy: Callable[[Any], Array]
) -> Array:
    """A sample of one weight's initial values; the initial value itself where nothing is drawn."""
    _, _, part = entry.name.partition("/")
    attribute = (
        part if part in ("depthwise", "pointwise", "recurrent") and role == "kernel" else role
    )
    source = getattr(layer, f"_{part}_dense", layer)
    if "Depthwise" in type(layer).__name__ and role == "kernel":
        attribute = "depthwise"
    initializer = getattr(source, INITIALIZERS.get(attribute, attribute) + "_initializer", None)
    variable = getattr(source, attribute, None)
    if variable is None:
        variable = getattr(source, attribute + "_kernel", getattr(source, "kernel", None))
    # the forget gates' ones are not in the bias initialiser
    gated = entry.kind in ("lstm", "gru") or hasattr(layer, "unit_forget_bias")
    constant = role in ("bias", "recurrent_bias") and gated
    if initializer is None or variable is None or constant or entry.kind == "own":
        return np.asarray(entry.arrays[role])
    shape = tuple(int(n) for n in variable.shape)
    axes = fan_axes(source) if attribute == "kernel" and hasattr(source, "equation") else {}
    return fresh_sample([to_numpy(fresh(initializer, seed, axes)(shape)) for seed in range(draws)])


def fan_axes(layer: Any) -> dict[str, tuple[int, ...]]:
    """The axes of an EinsumDense's kernel that go in and come out, as it tells its initialiser."""
    inputs, _, kernel = layer.equation.partition("->")[0].partition(",")
    axes = range(len(kernel))
    taken = tuple(i for i in axes if kernel[i] in inputs)
    return {"input_axes": taken, "output_axes": tuple(i for i in axes if i not in taken)}


def fresh(initializer: Any, seed: int, axes: Mapping[str, tuple[int, ...]]) -> Any:
    """A copy of an initialiser with a seed of its own: one object draws the same values again."""
    try:
        config = initializer.get_config()
    except (AttributeError, NotImplementedError):
        return initializer
    if "seed" in config:
        config["seed"] = seed + 1
    config |= {key: value for key, value in axes.items() if key in config}
    return type(initializer).from_config(config)
