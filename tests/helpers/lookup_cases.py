"""Layers that learn from data: their arguments, what they are adapted to and called on."""

import itertools

import numpy as np

rng = np.random.default_rng(0)
WORDS = ["The", "cat,", "sat", "on", "mat!", "dog", "É", "x_y", "[UNK]", "'a'", "b-c", "zebra"]
WORDS += ["Zebra", "ünder", "tab\tx", "nb\xa0s", ""]
TEXTS = [" ".join(rng.choice(WORDS, rng.integers(1, 12))) for _ in range(60)]
OTHERS = [" ".join(rng.choice([*WORDS, "new"], rng.integers(1, 12))) for _ in range(20)]

VECTORIZED = [
    {},
    {"output_sequence_length": 5},
    {"max_tokens": 8, "output_sequence_length": 5},
    {"max_tokens": 8, "output_mode": "multi_hot"},
    {"max_tokens": 99, "output_mode": "multi_hot", "pad_to_max_tokens": True},
    {"output_mode": "count", "ngrams": 2},
    {"output_mode": "tf_idf"},
    {"max_tokens": 99, "output_mode": "tf_idf", "pad_to_max_tokens": True, "ngrams": (2, 3)},
    {"standardize": "lower", "split": "character"},
    {"standardize": "strip_punctuation", "output_sequence_length": 9},
    {"standardize": None},
]
LOOKED_UP = [
    (cls, {"output_mode": mode, "num_oov_indices": oov, **more}, shape)
    for cls, mode, oov, shape in itertools.product(
        ("StringLookup", "IntegerLookup"),
        ("int", "one_hot", "multi_hot", "count"),
        (0, 1),
        ((7,), (7, 1), (7, 3)),
    )
    for more in [{}, *([{"max_tokens": 4}] if oov else [])]
]
MASKED = [("StringLookup", {"mask_token": ""}), ("IntegerLookup", {"mask_token": 0})]
NORMALIZED = [
    ({"axis": axis, "invert": invert}, shape)
    for axis, invert in itertools.product((-1, None, 1), (False, True))
    for shape in ((50, 4), (20, 5, 3), (8, 6, 6, 3))
] + [({"axis": (1, 3)}, (8, 6, 6, 3))]
BINNED = [
    ({"num_bins": bins, "epsilon": epsilon}, count)
    for bins, epsilon, count in itertools.product((4, 10), (0.01, 0.1), (30, 100, 101, 3000))
]


def numbers(shape, number=0):
    return np.random.default_rng(number).normal(3, 5, shape).astype("float32")


def learnt(cls):
    values = np.random.default_rng(1).integers(1, 7, (40, 1))
    return values if cls == "IntegerLookup" else np.array(list("-abcdef"))[values]


def asked(cls, kwargs, shape):
    """Values to look up: also unknown ones and the mask, where that is allowed."""
    high = 9 if kwargs.get("num_oov_indices", 1) else 7
    values = np.random.default_rng(2).integers(0 if "mask_token" in kwargs else 1, high, shape)
    words = np.array(["", *"abcdefgh"])
    return values if cls == "IntegerLookup" else words[values]
