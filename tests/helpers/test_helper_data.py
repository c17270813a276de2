"""The emitted data functions give Keras's arrays: values, dtypes and label shapes."""

import gzip
import importlib.util
import json
import os
import pickle
import struct
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
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
from helper_child import QUIET, run_keras

from k2t.render.helpers import data
from k2t.render.helpers.text import Tokenizer


def ragged(rng, n):
    lengths = rng.integers(1, 20, size=n)
    texts = [rng.integers(1, 60, size=length).tolist() for length in lengths]
    return np.array(texts, dtype=object)


def idx(array):
    """The ubyte format of MNIST's files."""
    header = struct.pack(f">{1 + array.ndim}i", 0x0800 + array.ndim, *array.shape)
    return header + array.tobytes()


def write_files(folder):
    """Files of the layout that Keras downloads, with few and random rows."""
    rng = np.random.default_rng(0)
    np.savez(
        folder / "imdb.npz",
        x_train=ragged(rng, 50), y_train=rng.integers(0, 2, 50),
        x_test=ragged(rng, 40), y_test=rng.integers(0, 2, 40),
    )  # fmt: skip
    np.savez(folder / "reuters.npz", x=ragged(rng, 90), y=rng.integers(0, 46, 90))
    for name, columns in [("boston_housing", 13), ("california_housing", 8)]:
        rows = rng.normal(size=(700, columns))
        np.savez(folder / f"{name}.npz", x=rows, y=rng.normal(size=700))
    for name in ("imdb", "reuters"):
        words = {f"{name}{i}": i for i in range(9)}
        (folder / f"{name}_word_index.json").write_text(json.dumps(words))
    for part, n in [("train", 7), ("t10k", 4)]:
        images = rng.integers(0, 256, (n, 28, 28), dtype="uint8")
        labels = rng.integers(0, 10, n, dtype="uint8")
        raw = {"images-idx3": images, "labels-idx1": labels}
        for name, array in raw.items():
            (folder / f"{part}-{name}-ubyte.gz").write_bytes(gzip.compress(idx(array)))
            for dataset in ("MNIST", "FashionMNIST"):
                path = folder / "data" / dataset / "raw" / f"{part}-{name}-ubyte"
                path.parent.mkdir(parents=True, exist_ok=True)
                path.write_bytes(idx(array))
    for name, batches, keys in [
        (
            "cifar-10-batches-py",
            [f"data_batch_{i}" for i in range(1, 6)] + ["test_batch"],
            ["labels"],
        ),
        ("cifar-100-python", ["train", "test"], ["fine_labels", "coarse_labels"]),
    ]:
        for batch in batches:
            # one row a file: Keras broadcasts it over the 10,000 that it expects of CIFAR-10
            rows = {"data": rng.integers(0, 256, (1, 3072), dtype="uint8")}
            rows |= {key: [int(rng.integers(0, 10))] for key in keys}
            # the real ones are Python 2's, whose str Keras reads as bytes and torchvision as str
            for root, kind in [(folder, str.encode), (folder / "data", str)]:
                (root / name).mkdir(exist_ok=True, parents=True)
                content = pickle.dumps({kind(k): v for k, v in rows.items()}, protocol=4)
                (root / name / batch).write_bytes(content)
    return folder


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return write_files(tmp_path_factory.mktemp("files"))


@pytest.fixture(scope="module")
def keras(folder):
    return run_keras("keras_data.py", folder, out=folder / "keras.npz")


def test_to_categorical(keras):
    for i, (y, n) in enumerate(CATEGORICAL):
        ours = data.to_categorical(y, n)
        assert ours.dtype == np.float32
        np.testing.assert_array_equal(ours, keras[f"to_categorical{i}"])


def test_pad_sequences(keras):
    for i, options in enumerate(PADDING):
        theirs = keras[f"pad_sequences{i}"]
        ours = data.pad_sequences_full(SEQUENCES, **options)
        assert ours.dtype == theirs.dtype
        np.testing.assert_array_equal(ours, theirs)
        if options.keys() == {"maxlen"}:
            short = data.pad_sequences(SEQUENCES, **options)
            assert short.dtype == theirs.dtype
            np.testing.assert_array_equal(short, theirs)
    rows = [np.ones((2, 3)), np.ones((5, 3)), np.ones((0, 3))]
    ours = data.pad_sequences_full(rows, maxlen=4, dtype="float32", value=-1.0)
    np.testing.assert_array_equal(ours, keras["pad_rows"])


@pytest.mark.parametrize("mode", ["binary", "count", "freq"])
def test_sequences_to_matrix(keras, mode):
    ours = data.sequences_to_matrix(TOKENS, num_words=8, mode=mode)
    assert ours.dtype == np.float32
    np.testing.assert_array_equal(ours, keras[f"matrix {mode}"].astype("float32"))


@pytest.mark.parametrize("number", range(len(TOKENIZERS)))
def test_tokenizer(keras, number):
    ours = Tokenizer(**TOKENIZERS[number])
    ours.fit_on_texts(TEXTS[:2])
    ours.fit_on_texts(TEXTS[2:])
    words = [f"{w} {n}" for w, n in ours.word_index.items()]
    assert words == list(keras[f"words{number}"])
    for j, sequence in enumerate(ours.texts_to_sequences([*TEXTS, UNSEEN])):
        assert sequence == list(keras[f"numbers{number} {j}"])


def test_normalize(keras):
    for i, (x, options) in enumerate(ARRAYS):
        ours = data.normalize(np.asarray(x), **options)
        np.testing.assert_array_equal(ours, keras[f"normalize{i}"])


def assert_same_splits(splits, keras, name, options, every=1):
    for split, (x, y) in zip(("train", "test"), splits, strict=True):
        step = every if split == "train" else 1
        for ours, kind in [(x, "x"), (y, "y")]:
            theirs = keras[f"{name} {options} {split} {kind}"]
            assert ours.dtype == theirs.dtype
            np.testing.assert_array_equal(ours, theirs[::step])


@pytest.mark.parametrize(("name", "options"), LOADERS[:13])
def test_hosted_data(folder, keras, monkeypatch, tmp_path, name, options):
    """Downloaded once, with the hash that Keras pins, into data/; after that only read."""
    asked = []

    def copy(url, path, hash_prefix):
        asked.append((url, hash_prefix))
        Path(path).write_bytes((folder / Path(path).name).read_bytes())

    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("torch.hub.download_url_to_file", copy)
    for _ in range(2):
        splits = getattr(data, f"load_{name}")(**options)
        assert_same_splits(splits, keras, name, options)
    ((url, sha256),) = asked
    assert url.endswith(f"tf-keras-datasets/{name}.npz")
    keras_folder = Path(importlib.util.find_spec("keras").origin).parent
    assert sha256 in (keras_folder / "src" / "datasets" / f"{name}.py").read_text()


@pytest.mark.parametrize("name", ["imdb", "reuters"])
def test_word_index(folder, keras, monkeypatch, tmp_path, name):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "data").mkdir()
    file = f"{name}_word_index.json"
    (tmp_path / "data" / file).write_bytes((folder / file).read_bytes())
    assert sorted(data.load_word_index(name).items()) == [tuple(w) for w in keras[f"words {name}"]]


VISION = """
import sys, numpy as np, torch
# a build of torchvision for another torch lacks its C++ operators; the data sets need none
library = torch.library.Library("torchvision", "FRAGMENT")
for name in ("nms", "qnms"):
    try:
        library.define(f"{name}(Tensor dets, Tensor scores, float iou_threshold) -> Tensor")
    except RuntimeError:
        pass
import torchvision.datasets.cifar as cifar
cifar.CIFAR10._check_integrity = lambda self: True
cifar.CIFAR10._load_meta = lambda self: None
cifar.check_integrity = lambda *args: True
cifar.CIFAR10.train_list = [(f"data_batch_{i}", None) for i in range(1, 6)]
from k2t.render.helpers import vision
saved = {}
for name, options in eval(sys.argv[2]):
    splits = getattr(vision, f"load_{name}")(**options)
    for split, (x, y) in zip(("train", "test"), splits):
        saved[f"{name} {options} {split} x"] = x
        saved[f"{name} {options} {split} y"] = y
np.savez(sys.argv[1], **saved)
"""


def test_vision(folder, keras):
    """MNIST has the layout of Fashion-MNIST; Keras's own MNIST archive is not read here."""
    if importlib.util.find_spec("torchvision") is None:
        pytest.skip("torchvision is not installed")
    calls = [("mnist", {}), ("fashion_mnist", {}), ("cifar10", {}), ("cifar100", {})]
    calls += [("cifar100_full", {}), ("cifar100_full", {"label_mode": "coarse"})]
    root = Path(data.__file__).parents[3]
    paths = os.pathsep.join([str(root), os.environ.get("PYTHONPATH", "")])
    done = subprocess.run(
        [sys.executable, "-c", VISION, "vision.npz", repr(calls)],
        cwd=folder, env={**os.environ, **QUIET, "PYTHONPATH": paths},
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr[-3000:]
    ours = dict(np.load(folder / "vision.npz"))
    for name, options in calls:
        splits = [[ours[f"{name} {options} {s} {k}"] for k in "xy"] for s in ("train", "test")]
        theirs = {"mnist": "fashion_mnist", "cifar100_full": "cifar100"}.get(name, name)
        every = 10_000 if name == "cifar10" else 1
        assert_same_splits(splits, keras, theirs, options, every)
