"""The numbers that a known mistake would give, computed from Keras's recording.

A hypothesis counts as confirmed if it leaves next to nothing of the port's difference to Keras.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from itertools import product
from typing import Any

import numpy as np

from k2t.verify.recording import Entry, Point
from k2t.verify.traces import nearest

LEFT = 0.05  # share of the difference that a confirmed hypothesis may leave, for arrays
LEFT_OF_ONE = 0.01  # the same for a single number, which agrees by chance more easily
NOISE = 1e-6  # a difference below this, relative to the values, needs no explanation

Array = Any


def explained(sides: Sequence[Array], hypothesis: Array) -> float:
    """The share of the difference between Keras and port that the hypothesis explains.

    sides: what Keras has, what the port has. By root mean square. 0 where shapes do not fit, or
    the difference is only rounding.
    """
    keras, port, made = (np.asarray(a, "float64") for a in (*sides, hypothesis))
    if not keras.shape == port.shape == made.shape or not keras.size:
        return 0.0
    whole, left = float(np.linalg.norm(port - keras)), float(np.linalg.norm(port - made))
    if not whole > NOISE * float(np.linalg.norm(keras)) or math.isnan(left):
        return 0.0
    return max(0.0, 1 - left / whole)


def confirmed(sides: Sequence[Array], hypothesis: Array) -> bool:
    left = LEFT_OF_ONE if np.ndim(hypothesis) == 0 else LEFT
    return explained(sides, hypothesis) >= 1 - left


def near(a: Array, b: Array, size: float = 1e-4) -> bool:
    """Equal within `size` of the largest value."""
    a, b = np.asarray(a, "float64"), np.asarray(b, "float64")
    return a.shape == b.shape and bool(np.abs(a - b).max(initial=0) <= size * np.abs(a).max())


# ---------------------------------------------------------------------------------------- losses


def softmax(x: Array) -> Array:
    e = np.exp(x - x.max(axis=-1, keepdims=True))
    return e / e.sum(axis=-1, keepdims=True)


def sigmoid(x: Array) -> Array:
    return 1 / (1 + np.exp(-x))


def is_softmax(probabilities: Array) -> bool:
    return (
        probabilities.ndim > 1
        and probabilities.shape[-1] > 1
        and (
            bool((probabilities >= 0).all())
            and near(probabilities.sum(axis=-1), 1.0 + 0 * probabilities[..., 0])
        )
    )


def crossentropy(probabilities: Array, targets: Array) -> Array:
    """One loss a row, of probabilities over classes and targets as class numbers or one-hot."""
    logs = np.log(np.clip(probabilities.astype("float64"), 1e-7, 1))
    if targets.shape == probabilities.shape:
        return -(targets * logs).sum(axis=-1)
    index = targets.reshape(probabilities.shape[:-1]).astype(int)
    return -np.take_along_axis(logs, index[..., None], axis=-1)[..., 0]


def binary_crossentropy(probabilities: Array, targets: Array) -> Array:
    p = np.clip(probabilities.astype("float64"), 1e-7, 1 - 1e-7)
    y = targets.reshape(p.shape)
    return -(y * np.log(p) + (1 - y) * np.log(1 - p))


ERRORS: dict[str, Callable[[Array], Array]] = {
    "squared error": lambda d: d**2,
    "absolute error": abs,
}


def all_pairs(output: Array, targets: Array) -> Iterator[tuple[str, float, float]]:
    """(name, mean over the rows, mean over each output with each target) of the usual errors."""
    a, b = output.reshape(-1), targets.reshape(-1)
    if a.shape == b.shape and a.size == len(output) > 1:  # one number a row
        for name, error in ERRORS.items():
            yield name, float(error(a - b).mean()), float(error(a[:, None] - b[None, :]).mean())


# --------------------------------------------------------------------------------- orders of axes


def flattened_channels_first(image: Array) -> Array:
    """(rows, ..., channels) flattened as torch does it, whose channels come first."""
    return np.moveaxis(image, -1, 1).reshape(len(image), -1)


def viewed_channels_first(image: Array) -> Array:
    """(rows, ..., channels) if its memory is read as (rows, channels, ...); channels last again."""
    rows, *places, channels = image.shape
    return np.moveaxis(image.reshape(rows, channels, *places), 1, -1)


def crops(padded: Array, shape: tuple[int, ...]) -> Iterator[tuple[tuple[int, ...], Array]]:
    """(what was cut off in front, the part) of each part of `shape` in an array padded around."""
    if padded.ndim != len(shape):
        return
    spare = [big - small for big, small in zip(padded.shape, shape, strict=True)]
    if any(n < 0 for n in spare) or spare[0] or spare[-1]:
        return
    for offsets in product(*(range(n + 1) for n in spare)):
        cut = tuple(slice(o, o + size) for o, size in zip(offsets, shape, strict=True))
        yield offsets[1:-1], padded[cut]


def same_padding(sizes: tuple[int, ...], kernel: tuple[int, ...], strides: tuple[int, ...]) -> Any:
    """(before, after) of each axis for Keras's padding="same"."""
    whole = [
        max((math.ceil(n / s) - 1) * s + k - n, 0)
        for n, k, s in zip(sizes, kernel, strides, strict=True)
    ]
    return [(n // 2, n - n // 2) for n in whole]


# ----------------------------------------------------------------------- statistics and the update


def unbiased_variance(old: Array, new: Array, momentum: float, count: int) -> Array:
    """The running variance if the batch's one were divided by count - 1. momentum: Keras's."""
    batch = (new - momentum * old) / (1 - momentum)
    return momentum * old + (1 - momentum) * batch * count / (count - 1)


def first_adam_step(weight: Array, gradient: Array, rate: float, epsilon: float) -> Array:
    """A weight after torch's first step of Adam: epsilon is added after the bias correction."""
    gradient = gradient.astype("float64")
    return weight - rate * gradient / (np.abs(gradient) + epsilon)


def joined(entries: list[Entry], others: list[Entry]) -> tuple[Array, Array]:
    """All trained values that two lists of entries share, one after the other."""
    pairs = [
        (x.arrays[role].ravel(), y.arrays[role].ravel())
        for x, y in zip(entries, others, strict=False)
        for role in sorted(x.arrays.keys() & y.arrays.keys())
        if not role.startswith("moving") and x.arrays[role].shape == y.arrays[role].shape
    ]
    if not pairs:
        return np.zeros(0), np.zeros(0)
    a, b = (np.concatenate(side) for side in zip(*pairs, strict=True))
    seen = ~(np.isnan(a) | np.isnan(b))
    return a[seen], b[seen]


def macro_accuracy(predicted: Array, targets: Array, classes: int) -> float:
    """The mean of the classes' recalls; classes neither predicted nor present do not count."""
    shares = []
    for number in range(classes):
        here = targets == number
        if here.any():
            shares.append(float((predicted[here] == number).mean()))
        elif (predicted == number).any():
            shares.append(0.0)
    return float(np.mean(shares)) if shares else math.nan


def partners(keras: list[Point], port: list[Point]) -> Iterator[tuple[Point, Point]]:
    """Calls of the same layer, in Keras's order: those that were given the same."""
    rest = list(port)
    for point in keras:
        same = [p for p in rest if point.entry is not None and p.entry == point.entry]
        other = nearest(point, same)
        if other is not None:
            rest = [p for p in rest if p is not other]
            yield point, other
