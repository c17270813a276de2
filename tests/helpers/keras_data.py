"""Child process: keras.utils and keras.datasets, `get_file` served from the test's folder.

Usage: python keras_data.py OUT.npz FOLDER. FOLDER holds the files by the names Keras downloads.
"""

import sys
from pathlib import Path

import keras
import numpy as np
from helper_cases import (
    ARRAYS,
    CATEGORICAL,
    LOADERS,
    PADDING,
    SEQUENCES,
    TEXTS,
    TOKENIZERS,
    TOKENS,
    UNSEEN,
)
from keras.src.datasets import (
    boston_housing,
    california_housing,
    cifar10,
    cifar100,
    fashion_mnist,
    imdb,
    reuters,
)

folder = Path(sys.argv[2])


def get_file(fname=None, origin=None, **kwargs):
    names = {"cifar-10-batches-py-target": "", "cifar-100-python-target": ""}
    return str(folder / names.get(fname, fname))


modules = {
    "imdb": imdb,
    "reuters": reuters,
    "boston_housing": boston_housing,
    "california_housing": california_housing,
    "fashion_mnist": fashion_mnist,
    "cifar10": cifar10,
    "cifar100": cifar100,
}
for module in modules.values():
    module.get_file = get_file

saved = {}
for i, (y, n) in enumerate(CATEGORICAL):
    saved[f"to_categorical{i}"] = keras.utils.to_categorical(y, n)
for i, options in enumerate(PADDING):
    saved[f"pad_sequences{i}"] = keras.utils.pad_sequences(SEQUENCES, **options)
saved["pad_rows"] = keras.utils.pad_sequences(
    [np.ones((2, 3)), np.ones((5, 3)), np.ones((0, 3))], maxlen=4, dtype="float32", value=-1.0
)
for i, (x, options) in enumerate(ARRAYS):
    saved[f"normalize{i}"] = keras.utils.normalize(np.asarray(x), **options)
for mode in ("binary", "count", "freq"):
    tokenizer = __import__("tf_keras").preprocessing.text.Tokenizer(num_words=8)
    saved[f"matrix {mode}"] = tokenizer.sequences_to_matrix(TOKENS, mode)
for i, options in enumerate(TOKENIZERS):
    tokenizer = __import__("tf_keras").preprocessing.text.Tokenizer(**options)
    tokenizer.fit_on_texts(TEXTS[:2])
    tokenizer.fit_on_texts(TEXTS[2:])
    saved[f"words{i}"] = np.array([f"{w} {n}" for w, n in tokenizer.word_index.items()])
    for j, sequence in enumerate(tokenizer.texts_to_sequences([*TEXTS, UNSEEN])):
        saved[f"numbers{i} {j}"] = np.array(sequence, dtype="int64")
for name, options in LOADERS:
    if name in modules:
        splits = modules[name].load_data(**options)
        for split, (x, y) in zip(("train", "test"), splits, strict=True):
            saved[f"{name} {options} {split} x"] = x
            saved[f"{name} {options} {split} y"] = y
for name in ("imdb", "reuters"):
    index = modules[name].get_word_index()
    saved[f"words {name}"] = np.array(sorted(index.items()), dtype=object)
np.savez(sys.argv[1], **saved)
