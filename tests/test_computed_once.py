"""An operation whose words have an operand several times: what draws or learns runs once."""

from __future__ import annotations

import pytest

from k2t.ir.finding import Severity
from k2t.pipeline import migrate

pytestmark = pytest.mark.quick

GRAPH = """import keras
import numpy as np
import tensorflow as tf
from keras import layers, ops

{part}
x = np.random.rand(64, 8).astype("float32")
inputs = keras.Input((8,))
outputs = {expression}
model = keras.Model(inputs, layers.Dense(1)(outputs))
model.compile("sgd", "mse")
model.fit(x, x[:, :1])
"""
PART = """

def part(x, rate):
    return tf.clip_by_norm(layers.Dropout(rate)(x), 1.0)

"""
CLASS = """import keras
import numpy as np
from keras import layers, ops


class Own(layers.Layer):
    def __init__(self):
        super().__init__()
        self.drop = layers.Dropout(0.5)
        self.dense = layers.Dense(4, activation="squareplus")
        self.plus = layers.Activation("sparse_plus")

    def call(self, x):
        {body}


x = np.random.rand(64, 8).astype("float32")
model = keras.Sequential([keras.Input((8,)), Own(), layers.Dense(1)])
model.compile("sgd", "mse")
model.fit(x, x[:, :1])
"""


@pytest.mark.parametrize(
    ("expression", "once"),
    [
        ("tf.clip_by_norm(layers.Dropout(0.5)(inputs), 1.0)", "value = self.dropout(inputs)"),
        ("ops.squareplus(layers.Dropout(0.5)(inputs))", "value = self.dropout(inputs)"),
        ('layers.Dense(8, activation="squareplus")(inputs)', "value = self.dense1(inputs)"),
        (
            'layers.Activation("sparse_plus")(layers.Dropout(0.5)(inputs))',
            "value = self.dropout(inputs)",
        ),
        ("part(inputs, 0.5)", "value = self.dropout(x)"),
    ],
)
def test_in_a_graph_it_has_a_line_of_its_own(expression: str, once: str) -> None:
    part = PART if "part(" in expression else ""
    result = migrate(GRAPH.format(expression=expression, part=part).encode(), "train.py")
    assert [f for f in result.findings if f.severity is Severity.ERROR] == []
    assert result.text is not None
    assert once in result.text
    called = once.partition(" = ")[2].partition("(")[0]
    assert result.text.count(f"{called}(") == 1


@pytest.mark.parametrize(
    ("body", "carried"),
    [
        ("return ops.squareplus(self.drop(x))", False),
        ("return self.plus(self.drop(x))", False),
        ("return self.dense(self.drop(x))", False),
        ("x = self.drop(x)\n        return ops.squareplus(x)", True),
        ("x = self.drop(x)\n        return self.dense(x)", True),
        ("return ops.squareplus(x * 2 + ops.mean(x))", True),
    ],
)
def test_in_a_class_it_wants_a_name(body: str, carried: bool) -> None:
    result = migrate(CLASS.format(body=body).encode(), "train.py")
    left = [f.message for f in result.findings if "give that a name first" in f.message]
    assert (left == []) is carried
