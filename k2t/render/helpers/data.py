"""NumPy stand-ins for `keras.utils`, `keras.preprocessing` and the data sets that Keras hosts.

A definition brings along those it calls: `download`, `index_words`, `keep_words`, `split_rows`.
"""
# ruff: noqa: B905

import json
from pathlib import Path

import numpy as np
import torch


def to_categorical(y, num_classes=None):
    """Class numbers (n,) or (n, 1) as one-hot rows (n, num_classes), float32."""
    y = np.asarray(y, dtype="int64")
    if y.ndim > 1 and y.shape[-1] == 1:
        y = y[..., 0]
    return np.eye(num_classes or y.max() + 1, dtype="float32")[y]


def pad_sequences(sequences, maxlen):
    """Zeros in front of short sequences; of long ones the last tokens stay."""
    padded = np.zeros((len(sequences), maxlen), dtype="int32")
    for row, sequence in zip(padded, sequences):
        row[max(maxlen - len(sequence), 0) :] = sequence[-maxlen:]
    return padded


def pad_sequences_full(
    sequences, maxlen=None, dtype="int32", padding="pre", truncating="pre", value=0.0
):
    """Sequences of uneven length as one array (n, maxlen): short ones filled up, long ones cut."""
    longest = max(sequences, key=len)
    maxlen = len(longest) if maxlen is None else maxlen
    padded = np.full((len(sequences), maxlen, *np.shape(longest)[1:]), value, dtype=dtype)
    for row, sequence in zip(padded, sequences):
        kept = sequence[-maxlen:] if truncating == "pre" else sequence[:maxlen]
        if len(kept) > 0:
            start = maxlen - len(kept) if padding == "pre" else 0
            row[start : start + len(kept)] = kept
    return padded


def sequences_to_matrix(sequences, num_words, mode="binary"):
    """A row per sequence, float32 (n, num_words): which words occur, their count or frequency."""
    matrix = np.zeros((len(sequences), num_words), dtype="float32")
    for row, sequence in zip(matrix, sequences):
        words = np.asarray(sequence, dtype="int64")
        row += np.bincount(words, minlength=num_words)[:num_words]
        if mode == "freq" and len(words) > 0:
            row /= len(words)
    return (matrix > 0).astype("float32") if mode == "binary" else matrix


def normalize(x, axis=-1, order=2):
    """x divided by its norm along the axis; where the norm is zero, x stays zero."""
    norm = np.linalg.norm(x, order, axis, keepdims=True)
    return x / np.where(norm == 0, 1, norm)


def download(name, sha256=None):
    """The file that Keras publishes under this name, kept in data/."""
    path = Path("data", name)
    if not path.exists():
        path.parent.mkdir(exist_ok=True)
        url = f"https://storage.googleapis.com/tensorflow/tf-keras-datasets/{name}"
        torch.hub.download_url_to_file(url, path, hash_prefix=sha256)
    return path


def get_file(fname, origin):
    """The path of the file at this address, kept in data/."""
    path = Path("data", fname)
    if not path.exists():
        path.parent.mkdir(parents=True, exist_ok=True)
        torch.hub.download_url_to_file(origin, path)
    return str(path)


def index_words(texts, labels, maxlen, start_char, index_from):
    """Adds index_from to the word numbers, marks the start, leaves out texts of maxlen or more."""
    start = [] if start_char is None else [start_char]
    texts = [start + [word + index_from for word in text] for text in texts]
    if maxlen:
        labels = np.array([y for text, y in zip(texts, labels) if len(text) < maxlen])
        texts = [text for text in texts if len(text) < maxlen]
    return texts, labels


def keep_words(texts, skip_top, num_words, oov_char):
    """Replaces the words outside [skip_top, num_words) by oov_char, or drops them if it is None."""
    if oov_char is None:
        texts = [[w for w in text if skip_top <= w < num_words] for text in texts]
    else:
        texts = [[w if skip_top <= w < num_words else oov_char for w in text] for text in texts]
    return np.array(texts, dtype=object)


def load_imdb(
    num_words=None, skip_top=0, maxlen=None, seed=113, start_char=1, oov_char=2, index_from=3
):
    """(x, y) of train and of test: reviews as lists of word numbers, labels 0 or 1 (int64)."""
    path = download("imdb.npz", "69664113be75683a8fe16e3ed0ab59fda8886cb3cd7ada244f7d9544e4676b9f")
    rng = np.random.RandomState(seed)
    splits = []
    with np.load(path, allow_pickle=True) as file:
        for name in ("train", "test"):
            x, y = file[f"x_{name}"], file[f"y_{name}"]
            rows = rng.permutation(len(x))
            splits.append(index_words(x[rows], y[rows], maxlen, start_char, index_from))
    num_words = num_words or max(max(text) for x, _ in splits for text in x)
    return [(keep_words(x, skip_top, num_words, oov_char), y) for x, y in splits]


def load_reuters(
    num_words=None,
    skip_top=0,
    maxlen=None,
    test_split=0.2,
    seed=113,
    start_char=1,
    oov_char=2,
    index_from=3,
):
    """(x, y) of train and of test: newswires as lists of word numbers, topics 0 to 45 (int64)."""
    path = download(
        "reuters.npz", "d6586e694ee56d7a4e65172e12b3e987c03096cb01eab99753921ef915959916"
    )
    with np.load(path, allow_pickle=True) as file:
        x, y = file["x"], file["y"]
    rows = np.random.RandomState(seed).permutation(len(x))
    x, y = index_words(x[rows], y[rows], maxlen, start_char, index_from)
    num_words = num_words or max(max(text) for text in x)
    x = keep_words(x, skip_top, num_words, oov_char)
    split = int(len(x) * (1 - test_split))
    return (x[:split], y[:split]), (x[split:], y[split:])


def split_rows(x, y, test_split, seed):
    """(x, y) of train and of test, in Keras's shuffled order."""
    rows = np.random.RandomState(seed).permutation(len(x))
    train, test = np.split(rows, [int(len(x) * (1 - test_split))])
    return (x[train], y[train]), (x[test], y[test])


def load_boston_housing(test_split=0.2, seed=113):
    """(x, y) of train and of test: 13 features (n, 13) and prices in $1000 (n,), float64."""
    path = download(
        "boston_housing.npz", "f553886a1f8d56431e820c5b82552d9d95cfcb96d1e678153f8839538947dff5"
    )
    with np.load(path) as file:
        return split_rows(file["x"], file["y"], test_split, seed)


def load_california_housing(version="large", test_split=0.2, seed=113):
    """(x, y) of train and of test: 8 features (n, 8) and prices in $ (n,); "small" is 600 rows."""
    path = download(
        "california_housing.npz", "1a2e3a52e0398de6463aebe6f4a8da34fb21fbb6b934cf88c3425e766f2a1a6f"
    )
    n = 600 if version == "small" else None
    with np.load(path) as file:
        return split_rows(file["x"][:n], file["y"][:n], test_split, seed)


def load_word_index(name):
    """The rank of each word in the "imdb" or "reuters" data, before index_from is added."""
    return json.loads(download(f"{name}_word_index.json").read_text())
