"""Random operations: their samples cannot be compared, so what they are drawn from is."""

import numpy as np
import pytest
import torch

from k2t.ir.finding import Severity
from k2t.pipeline import migrate

SCRIPT = """
import keras
import tensorflow as tf
from tensorflow.keras import backend as K


class Own(keras.layers.Layer):
    def call(self, x):
        return {expression}


inputs = keras.Input((200,))
model = keras.Model(inputs, Own()(inputs))
model.compile("sgd", "mse")
"""


def drawn(expression: str) -> np.ndarray:
    """100 x 200 numbers of a migrated layer, from zeros."""
    done = migrate(SCRIPT.format(expression=expression).encode(), "case.py")
    assert [f.message for f in done.findings if f.severity is Severity.ERROR] == []
    namespace: dict = {"__name__": "__main__"}
    exec(compile(done.text, "<migrated>", "exec"), namespace)
    torch.manual_seed(0)
    with torch.no_grad():
        return namespace["Own"]()(torch.zeros(100, 200)).float().numpy()


@pytest.mark.parametrize(
    ("expression", "mean", "deviation", "low", "high"),
    [
        ("x + tf.random.normal(tf.shape(x), 1.0, 2.0)", 1, 2, -11, 13),
        ("x + tf.random.normal((tf.shape(x)[0], 200), dtype=tf.float32, seed=7)", 0, 1, -6, 6),
        ("x + K.random_normal(K.shape(x), mean=0.5, stddev=0.1, seed=3)", 0.5, 0.1, -0.2, 1.2),
        ("x + keras.random.normal((100, 200))", 0, 1, -6, 6),
        ("x + tf.random.uniform(tf.shape(x), -1, 3)", 1, 4 / 12**0.5, -1, 3),
        ("x + keras.random.uniform((100, 200), 1, 3)", 2, 2 / 12**0.5, 1, 3),
        ("x + tf.random.truncated_normal(tf.shape(x), 1.0, 0.5)", 1, 0.44, 0, 2),
        ("x + keras.random.truncated_normal((100, 200))", 0, 0.88, -2, 2),
        ("x + K.truncated_normal((100, 200), stddev=2.0)", 0, 1.76, -4, 4),
        ("x + K.random_bernoulli(K.shape(x), p=0.3)", 0.3, 0.458, 0, 1),
        ("x + tf.cast(keras.random.randint((100, 200), 0, 4), 'float32')", 1.5, 1.118, 0, 3),
        ("x + tf.cast(tf.random.categorical(x[:, :4], 200), 'float32')", 1.5, 1.118, 0, 3),
        ("x + tf.cast(keras.random.categorical(x[:, :2], 200), 'float32')", 0.5, 0.5, 0, 1),
    ],
)
def test_numbers_are_drawn_from_what_keras_draws_them(expression, mean, deviation, low, high):
    numbers = drawn(expression)
    assert numbers.shape == (100, 200)
    assert len(np.unique(numbers, axis=0)) == 100  # each sample has its own
    # of 20,000 draws the standard errors are 0.007 and (of normal ones) 0.005 deviations
    assert numbers.mean() == pytest.approx(mean, abs=0.03 * deviation)
    assert numbers.std() == pytest.approx(deviation, abs=0.02 * deviation)
    assert low <= numbers.min()
    assert numbers.max() <= high


@pytest.mark.parametrize("name", ["tf.random.shuffle", "keras.random.shuffle"])
def test_samples_are_shuffled_whole(name):
    rows = drawn(f"{name}(x + tf.cast(tf.range(200), 'float32') + tf.cumsum(tf.ones_like(x), 0))")
    assert sorted(rows[:, 0]) == list(range(1, 101)) != list(rows[:, 0])
    assert (np.diff(rows, axis=1) == 1).all()


def findings(expression: str) -> list[tuple[str, str]]:
    done = migrate(SCRIPT.format(expression=expression).encode(), "case.py")
    return [(f.code, f.message) for f in done.findings]


def test_the_seed_of_one_draw_is_announced():
    assert [code for code, _ in findings("x + tf.random.normal(tf.shape(x), seed=7)")] == ["K2T170"]


def test_a_seed_of_keras_3_gives_the_same_numbers_each_time_and_is_refused():
    messages = [m for _, m in findings("x + keras.random.normal((100, 200), seed=7)")]
    assert any("with a seed, which draws the same each time" in m for m in messages)
