"""The arrays behind the synthetic data: true shapes, dtypes and ranges, always the same.

There are only a few different rows, repeated up to the true number of them: scripts count on it
(`reshape(60000, 784)`, `x_train[:-10000]`). With $K2T_SYNTHETIC_FEW they are not repeated. Labels
can be learned from the pixels, words and columns, so that training moves.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from functools import cache

import numpy as np

from k2t.verify.probes.child import Array

Split = tuple[tuple[Array, Array], tuple[Array, Array]]

TRAIN, TEST = 256, 64  # different rows
FEW = bool(os.environ.get("K2T_SYNTHETIC_FEW"))
WORDS = 2_000  # largest index of a word in the stand-ins for imdb and reuters
IMAGES: dict[str, tuple[tuple[int, ...], int, int]] = {  # shape, classes, seed
    "mnist": ((28, 28), 10, 0),
    "fashion_mnist": ((28, 28), 10, 1),
    "cifar10": ((32, 32, 3), 10, 2),
    "cifar100": ((32, 32, 3), 100, 3),
}
ROWS = {  # of training and test
    "mnist": (60_000, 10_000),
    "fashion_mnist": (60_000, 10_000),
    "cifar10": (50_000, 10_000),
    "cifar100": (50_000, 10_000),
    "imdb": (25_000, 25_000),
    "reuters": (8_982, 2_246),
}


def whole(name: str, x: Array, y: Array) -> Split:
    """TRAIN + TEST different rows, repeated up to the true numbers of rows."""
    sides = []
    for start, different, rows in ((0, TRAIN, ROWS[name][0]), (TRAIN, TEST, ROWS[name][1])):
        cap = different if FEW else rows
        numbers = start + np.arange(cap) % different
        sides.append((x[numbers], y[numbers]))
    return sides[0], sides[1]


def image_set(shape: tuple[int, ...], classes: int, seed: int) -> tuple[Array, Array]:
    """(x, y): uint8 images with a bright bar whose place tells the class."""
    rng = np.random.default_rng(seed)
    n = TRAIN + TEST
    y = rng.integers(0, classes, size=n).astype("uint8")
    x = rng.integers(0, 90, size=(n, *shape), dtype="uint8")
    height, width = shape[:2]
    for image, label in zip(x, y, strict=True):
        row, column = divmod(int(label), 10)
        image[1 + 2 * row : 3 + 2 * row, 2 * column : 2 * column + width // 4] += 140
        image[height // 2 :, 2 * column : 2 * column + 3] += 60
    return x, y


def word_set(classes: int, seed: int, n: int) -> tuple[Array, Array]:
    """(x, y): lists of word indices from 1 (frequent) on; the class's own words are among them."""
    rng = np.random.default_rng(seed)
    y = rng.integers(0, classes, size=n)
    x = np.empty(n, dtype=object)
    for i, label in enumerate(y):
        words = np.minimum(rng.zipf(1.3, size=rng.integers(12, 120)), WORDS)
        own = rng.random(len(words)) < 0.15
        x[i] = np.where(own, 20 + 7 * label + rng.integers(0, 7, size=len(words)), words).tolist()
    return x, y.astype("int64")


def number_set(columns: int, seed: int, n: int, scale: float) -> tuple[Array, Array]:
    """(x, y): columns of very different sizes, and a target that follows some of them."""
    rng = np.random.default_rng(seed)
    z = rng.normal(size=(n, columns))
    y = z[:, 0] + 0.5 * z[:, 1] - 0.7 * np.abs(z[:, 2]) + 0.1 * rng.normal(size=n)
    sizes = np.logspace(-1, 2.5, columns)
    return np.abs(3 + z) * sizes, scale * (2.5 + 0.5 * y)


@cache
def images(name: str) -> Split:
    """((x, y), (x, y)) of one of IMAGES, labels (n,)."""
    return whole(name, *image_set(*IMAGES[name]))


def cifar(name: str, label_mode: str = "fine") -> tuple[tuple[Array, Array], ...]:
    """CIFAR as Keras hands it out: labels in a column; coarse ones are twenty groups of five."""
    return tuple(
        (x, (y if label_mode == "fine" else y // 5).reshape(-1, 1)) for x, y in images(name)
    )


@cache
def archive(name: str) -> Mapping[str, Array]:
    """What the .npz of a data set holds. Raises KeyError for one that is not known."""
    if name == "mnist":
        (x_train, y_train), (x_test, y_test) = images("mnist")
        return {"x_train": x_train, "y_train": y_train, "x_test": x_test, "y_test": y_test}
    if name == "imdb":
        (x_train, y_train), (x_test, y_test) = whole("imdb", *word_set(2, 4, TRAIN + TEST))
        return {"x_train": x_train, "y_train": y_train, "x_test": x_test, "y_test": y_test}
    if name == "reuters":
        sides = whole("reuters", *word_set(46, 5, TRAIN + TEST))
        x, y = (np.concatenate(parts) for parts in zip(*sides, strict=True))
    elif name == "boston_housing":
        x, y = number_set(13, 6, 506, 10.0)
    elif name == "california_housing":
        x, y = (part.astype("float32") for part in number_set(8, 7, 900, 80_000.0))
    else:
        raise KeyError(name)
    return {"x": x, "y": y}


def word_index() -> dict[str, int]:
    """Words by index, as in the .json beside imdb and reuters."""
    return {f"word{i}": i for i in range(1, WORDS + 1)}


def sentences(classes: int, seed: int, n: int) -> tuple[list[str], Array]:
    """(texts, y): `word_set` written out in the words of `word_index`."""
    x, y = word_set(classes, seed, n)
    return [" ".join(f"word{i}" for i in row) for row in x], y
