"""compile says more than is carried, or other things the second time: refused, never left out."""

from __future__ import annotations

import pytest

from k2t.ir.finding import Severity
from k2t.pipeline import migrate

pytestmark = pytest.mark.quick

TWO = """import keras
import numpy as np
from keras import layers

x = np.random.rand(64, 8).astype("float32")
inputs = keras.Input((8,))
one, two = layers.Dense(1{a})(inputs), layers.Dense(1{b})(inputs)
model = keras.Model(inputs, [one, two])
model.compile("sgd", {compile})
model.fit(x, [x[:, :1], x[:, 1:2]])
"""
AGAIN = """import keras
import numpy as np
from keras import layers

x = np.random.rand(64, 8).astype("float32")
model = keras.Sequential([keras.Input((8,)), layers.Dense(1)])
model.compile("sgd", "mse"{first})
model.fit(x, x[:, :1])
model.compile("sgd", "mse"{second})
model.fit(x, x[:, :1])
"""
NAMED = {"a": ', name="one"', "b": ', name="two"'}
NAMELESS = {"a": "", "b": ""}


def errors(script: str) -> list[str]:
    found = migrate(script.encode(), "train.py").findings
    return [f.message for f in found if f.severity is Severity.ERROR]


@pytest.mark.parametrize(
    ("names", "said", "reason"),
    [
        (NAMED, '"mse", weighted_metrics=[["mae"], ["mse"]]', "weighted_metrics of several"),
        (NAMED, '["mse", "mae"], weighted_metrics=["mae"]', "weighted_metrics of several"),
        (
            NAMELESS,
            '[keras.losses.MeanSquaredError(), "mae"]',
            "several outputs want a name each",
        ),
    ],
)
def test_several_outputs(names: dict[str, str], said: str, reason: str) -> None:
    assert any(reason in one for one in errors(TWO.format(compile=said, **names)))


@pytest.mark.parametrize(
    ("first", "second", "carried"),
    [
        ("", ', weighted_metrics=["mae"]', False),
        (', weighted_metrics=["mae"]', "", False),
        (', weighted_metrics=["mae"]', ', weighted_metrics=["mae"]', True),
        (', metrics=["mae"]', ', metrics=["mae"]', True),
    ],
)
def test_compiled_again(first: str, second: str, carried: bool) -> None:
    left = errors(AGAIN.format(first=first, second=second))
    assert any("compiled again with another" in one for one in left) is not carried
    assert (left == []) is carried
