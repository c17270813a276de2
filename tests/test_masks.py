"""Masks in functional graphs: where they arrive, and where they are refused."""

from __future__ import annotations

import pytest

from k2t.pipeline import migrate

pytestmark = pytest.mark.quick

HEAD = """\
import keras
import numpy as np
from keras import layers

tokens = np.random.randint(1, 50, size=(64, 10))
y = np.random.rand(64, 1).astype("float32")
inputs = keras.Input((10,))
embedded = layers.Embedding(50, 8, mask_zero=True)(inputs)
"""
TAIL = """
model = keras.Model(inputs, layers.Dense(1)(last))
model.compile("sgd", "mse")
model.fit(tokens, y)
"""


def migrated(script: str) -> tuple[str, list[str]]:
    outcome = migrate((HEAD + script + TAIL).encode(), "script.py")
    return outcome.text or "", [f.code for f in outcome.findings]


@pytest.mark.parametrize(
    "script",
    [
        "last = layers.LSTM(4)(layers.LSTM(4, return_sequences=True)(embedded))",
        "last, h, c = layers.LSTM(4, return_state=True)(embedded)",
        "last = layers.GlobalAveragePooling1D()(embedded)",
        "last = layers.LSTM(4)(layers.Add()([embedded, embedded]))",
        "last = layers.LSTM(4)(embedded * 2)",
        "last = layers.LSTM(4, go_backwards=True)(embedded)",
        "last = layers.LSTM(4, activation='relu')(embedded)",
        "other = layers.Embedding(50, 8)(inputs)\n"
        "last = layers.concatenate([layers.LSTM(4)(embedded), layers.Flatten()(other)])",
        "last = layers.Dense(2)(embedded)",
    ],
)
def test_a_mask_that_goes_elsewhere_is_refused(script: str) -> None:
    text, codes = migrated(script)
    assert "K2T114" in codes
    assert "pack_padded_sequence" not in text


def test_a_mask_reaches_the_layer_that_uses_it() -> None:
    text, codes = migrated("last = layers.GRU(4)(layers.Dropout(0.1)(embedded))")
    assert codes == []
    assert "pack_padded_sequence" in text


def test_a_mask_that_is_of_no_use_is_left_out() -> None:
    text, codes = migrated("last = layers.Flatten()(embedded)")
    assert codes == []
    assert "padding" not in text


def test_states_leave_the_variables_of_the_script_alone() -> None:
    text, codes = migrated(
        "plain = layers.Embedding(50, 8)(inputs)\n"
        "h = layers.Flatten()(plain)\n"
        "both = layers.Bidirectional(layers.LSTM(6))(plain)\n"
        "last = layers.concatenate([h, both])"
    )
    assert codes == []
    assert "_, (h1, _) = self.lstm(" in text
