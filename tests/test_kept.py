"""Layers that learn from data stay in the script, and models take them from there."""

from __future__ import annotations

import pytest

from k2t.pipeline import migrate

pytestmark = pytest.mark.quick

HEAD = """\
import keras
import numpy as np
from keras import layers

x = np.random.rand(64, 4).astype("float32")
y = np.random.rand(64, 1).astype("float32")
texts = ["a b", "b c"]
"""
FIT = """
model.compile("sgd", "mse")
model.fit(x, y)
"""
ADAPTED = "norm = layers.Normalization()\nnorm.adapt(x)\n"


def migrated(script: str) -> tuple[str, list[str]]:
    outcome = migrate((HEAD + script).encode(), "script.py")
    return outcome.text or "", [f"{f.code}: {f.message}" for f in outcome.findings]


@pytest.mark.parametrize(
    ("script", "lines"),
    [
        (
            "model = keras.Sequential([norm, layers.Dense(1)])",
            ["            norm,\n            nn.Linear(4, 1)", "model = Model(norm)"],
        ),
        (
            "model = keras.Sequential()\nmodel.add(norm)\nmodel.add(layers.Dense(1))",
            ["            norm,\n            nn.Linear(4, 1)", "model = Model(norm)"],
        ),
        (
            "def build(first):\n"
            "    model = keras.Sequential([first, layers.Dense(1)])\n"
            "    return model\n"
            "model = build(norm)",
            ["            first,\n            nn.Linear(4, 1)", "model = Build(norm)"],
        ),
        (
            "i = keras.Input((4,))\nmodel = keras.Model(i, layers.Dense(1)(norm(i)))",
            ["        self.norm = norm\n        self.dense", "self.dense(self.norm("],
        ),
        (
            "x = norm(x).numpy()\nmodel = keras.Sequential([layers.Dense(1)])",
            ["x = norm(x).numpy()\n", "nn.Linear(4, 1)"],
        ),
    ],
)
def test_a_model_takes_what_was_adapted(script: str, lines: list[str]) -> None:
    text, findings = migrated(ADAPTED + script + FIT)
    assert findings == []
    assert "norm = Normalization()\nnorm.adapt(x)\n" in text
    assert text.count("norm = norm") <= 1
    for line in lines:
        assert line in text


def test_mean_and_variance_may_be_arrays() -> None:
    made = "norm = layers.Normalization(mean=x.mean(0), variance=x.var(0))"
    text, findings = migrated(f"{made}\nmodel = keras.Sequential([norm, layers.Dense(1)]){FIT}")
    assert findings == []
    assert made.replace("layers.", "") in text
    assert "model = Model(norm)" in text


@pytest.mark.parametrize("size", ["len(v.get_vocabulary())", "v.vocabulary_size()", "size"])
def test_what_a_vocabulary_has_may_be_the_size_of_a_layer(size: str) -> None:
    before = "v = layers.TextVectorization()\nv.adapt(texts)\nsize = len(v.get_vocabulary())\n"
    made = f"model = keras.Sequential([layers.Embedding({size}, 3), layers.Flatten()])"
    text, findings = migrated(
        f"{before}{made}\nmodel.compile('sgd', 'mse')\nmodel.fit(v(texts), y)"
    )
    assert findings == []
    assert f"nn.Embedding({size}, 3)" in text


def test_two_models_may_take_the_same() -> None:
    made = (
        "{} = keras.Sequential([norm, layers.Dense(1)])\n{}.compile('sgd', 'mse')\n{}.fit(x, y)\n"
    )
    text, findings = migrated(ADAPTED + made.replace("{}", "one") + made.replace("{}", "two"))
    assert findings == []
    assert "one = One(norm)" in text
    assert "two = Two(norm)" in text


@pytest.mark.parametrize(
    ("script", "line"),
    [
        ("v = layers.TextVectorization(10)", "v = TextVectorization(max_tokens=10)"),
        (
            "v = layers.TextVectorization(10, output_mode='int', name='words')",
            "v = TextVectorization(max_tokens=10)",
        ),
        (
            "v = layers.TextVectorization(output_mode='count')",
            "v = TextVectorization(output_mode='count')",
        ),
        ("v = layers.StringLookup(vocabulary=texts)", "v = StringLookup(vocabulary=texts)"),
        (
            "n = layers.IntegerLookup(vocabulary=[3, 5])(x)",
            "n = IntegerLookup(vocabulary=[3, 5])(x)",
        ),
    ],
)
def test_the_class_gets_the_arguments_by_name(script: str, line: str) -> None:
    text, findings = migrated(script + "\n")
    assert findings == []
    assert line in text


@pytest.mark.parametrize(
    ("script", "message"),
    [
        ("layers.TextVectorization(ragged=True)", "K2T180: TextVectorization(ragged=True)"),
        (
            "layers.TextVectorization(standardize=str.lower)",
            "K2T180: TextVectorization(standardize=",
        ),
        ("layers.TextVectorization(split=None)", "K2T180: TextVectorization(split=None)"),
        ("layers.StringLookup(num_oov_indices=3)", "K2T180: StringLookup(num_oov_indices=3)"),
        ("layers.StringLookup(vocabulary='words.txt')", "K2T180: StringLookup(vocabulary="),
        (
            "layers.StringLookup(mask_token='', output_mode='count')",
            "K2T180: StringLookup(mask_token='') in mode count",
        ),
        ("layers.Hashing(num_bins=3)", "K2T900: keras.layers.Hashing is not migrated: FarmHash"),
        (
            "v = layers.StringLookup(vocabulary=texts)\nv.adapt(data=texts)",
            "K2T900: StringLookup.adapt is not migrated",
        ),
        (
            "v = layers.TextVectorization()\n"
            "words = keras.Input((1,), dtype='string')\n"
            "model = keras.Model(words, layers.Embedding(9, 3)(v(words)))",
            "TextVectorization in a model (call it on the data, before they go in) is not migrated",
        ),
        (
            "v = layers.TextVectorization()\nmodel = keras.Sequential([v, layers.Embedding(9, 3)])",
            "TextVectorization in a model (call it on the data, before they go in) is not migrated",
        ),
        (
            "model = keras.Sequential([layers.Normalization(), layers.Dense(1)])" + FIT,
            "K2T100: Normalization without numbers for its mean and variance, that no",
        ),
        (
            "n = layers.Normalization(axis=1, mean=x.mean(0), variance=x.var(0))",
            "K2T180: Normalization(mean=...) of other axes than the last",
        ),
        (
            "import tensorflow as tf\nv = layers.TextVectorization()\n"
            "v.adapt(tf.data.Dataset.from_tensor_slices(texts))",
            "K2T900: tensorflow.data.Dataset.from_tensor_slices is not migrated",
        ),
    ],
)
def test_what_is_refused(script: str, message: str) -> None:
    _, findings = migrated(script + "\n")
    assert any(message in one for one in findings), findings


@pytest.mark.parametrize(
    "script",
    [
        "last = layers.Dense(1)\nfirst = layers.Dense(7)\n"
        "model = keras.Sequential([first, last])\n",
        "last = layers.Dense(1)\nfirst = layers.Dense(7)\n"
        "def build():\n    return keras.Sequential([first, last])\nmodel = build()\n",
        "last = layers.Dense(1)\nmodel = keras.Sequential([layers.Dense(7), last])\n",
        "last = layers.Dense(1)\n"
        "def build():\n    return keras.Sequential([layers.Dense(7), last])\nmodel = build()\n",
    ],
)
def test_any_layer_is_where_its_model_has_it(script: str) -> None:
    text, findings = migrated(script + FIT)
    assert findings == []
    assert text.index("nn.Linear(4, 7)") < text.index("nn.Linear(7, 1)")
