"""Gradients that are clipped before a step."""

from __future__ import annotations

import pytest

from k2t.pipeline import migrate

pytestmark = pytest.mark.quick

SCRIPT = """\
import keras
import numpy as np
from keras import layers

x = np.random.rand(64, 8, 3).astype("float32")
y = np.random.rand(64, 1).astype("float32")
inner = keras.Sequential([keras.Input((8, 3)), layers.{layer}(4)])
model = keras.Sequential([inner, layers.Dense(1)])
model.compile(keras.optimizers.SGD({rate}, {clip}), "mse")
model.fit(x, y)
"""


def migrated(clip: str, layer: str = "LSTM", dialect: str = "keras3") -> tuple[str, list[str]]:
    rate = "lr=0.1" if dialect == "keras2" else "0.1"
    text = SCRIPT.format(layer=layer, clip=clip, rate=rate)
    done = migrate(text.encode(), "train.py", dialect=dialect)
    return done.text or "", [f.code for f in done.findings]


@pytest.mark.parametrize(
    ("clip", "wanted"),
    [
        ("clipnorm=1.0", "p.grad *= 1.0 / p.grad.norm().clamp_min(1.0)"),
        ("global_clipnorm=2.0", "nn.utils.clip_grad_norm_(self.parameters(), 2.0)"),
        ("clipvalue=0.5", "nn.utils.clip_grad_value_(self.parameters(), 0.5)"),
    ],
)
def test_clipped(clip, wanted):
    text, codes = migrated(clip)
    assert codes == []
    assert wanted in text


def test_keras_2_clips_the_norm_of_all_gradients():
    text, _ = migrated("clipnorm=1.0", dialect="keras2")
    assert "nn.utils.clip_grad_norm_(self.parameters(), 1.0)" in text


def test_the_biases_of_a_gru_are_one_variable_in_keras():
    assert "K2T404" in migrated("clipnorm=1.0", "GRU")[1]
    assert migrated("clipvalue=1.0", "GRU")[1] == []
