"""A function that builds other layers from call to call: one class with its structure, or none."""

from __future__ import annotations

import pytest

from k2t.pipeline import migrate

pytestmark = pytest.mark.quick

FUNCTIONAL = """\
import keras
import numpy as np
from keras import layers

x, y = np.zeros((10, 12), "float32"), np.zeros((10, 3), "float32")


def build(units, depth=1, norm=False):
    inputs = keras.Input((12,))
    h = inputs
    for _ in range(depth):
        h = layers.Dense(units, activation="relu")(h)
        if norm:
            h = layers.BatchNormalization()(h)
    return keras.Model(inputs, layers.Dense(3)(h))


"""
SEQUENTIAL = """\
import keras
import numpy as np
from keras import layers

x, y = np.zeros((10, 12), "float32"), np.zeros((10, 3), "float32")


def build(depth):
    hidden = [layers.Dense(8) for _ in range(depth)]
    return keras.Sequential([keras.Input((12,)), *hidden, layers.Dense(3)])


"""
BACKWARDS = SEQUENTIAL.replace("    return", "    hidden.reverse()\n    return")
FIT = '\n    model.compile("sgd", "mse")\n    model.fit(x, y)\n'


def migrated(script: str) -> tuple[str, list[str]]:
    done = migrate(script.encode(), "train.py")
    return done.text or "", [f.code for f in done.findings]


@pytest.mark.parametrize(
    "calls",
    [
        "for depth in (1, 2, 3):\n    model = build(8 * depth, depth)",
        "for norm in (False, True):\n    model = build(8, norm=norm)",
        "for _ in range(1):\n    build(4)\n    model = build(4, 3, norm=True)",
    ],
)
def test_one_class_is_all_of_them(calls: str) -> None:
    text, codes = migrated(FUNCTIONAL + calls + FIT)
    assert codes == []
    assert "for _ in range(depth):" in text
    assert "if norm:" in text


def test_without_its_structure_it_is_refused() -> None:
    script = FUNCTIONAL.replace("range(depth)", "range(*np.array([depth]))")
    text, codes = migrated(script + "for depth in (1, 2):\n    model = build(8, depth)" + FIT)
    assert "K2T901" in codes
    assert "class Build" not in text


def test_a_comprehension_is_a_loop_of_the_class() -> None:
    """All instances had the layers of the first once."""
    text, codes = migrated(SEQUENTIAL + "for depth in (1, 2):\n    model = build(depth)" + FIT)
    assert codes == []
    assert "for _ in range(depth):" in text
    assert "in_features = 8" in text


def test_a_sequential_of_other_layers_is_refused() -> None:
    text, codes = migrated(BACKWARDS + "for depth in (1, 2):\n    model = build(depth)" + FIT)
    assert "K2T901" in codes
    assert "class Build" not in text


def test_a_sequential_whose_loop_is_written_out_says_so() -> None:
    _, codes = migrated(BACKWARDS + "for _ in range(2):\n    model = build(3)" + FIT)
    assert "K2T133" in codes


def test_other_outputs_are_refused() -> None:
    end = "    if depth > 1:\n        h = layers.Reshape((1, units))(h)\n    return"
    script = FUNCTIONAL.replace("    return", end)
    _, codes = migrated(script + "for depth in (1, 2):\n    model = build(8, depth)" + FIT)
    assert "K2T901" in codes
