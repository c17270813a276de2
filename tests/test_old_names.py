"""Names that layers had, activations that variables name, and what is refused with its reason."""

from __future__ import annotations

import pytest

from k2t.pipeline import migrate

pytestmark = pytest.mark.quick

SCRIPT = """\
import numpy as np
from keras.layers import *
from keras.models import Sequential

x = np.random.rand(10, {0})
{1}
model = Sequential()
model.add({2})
model.add(Dense(1))
model.compile(loss="mse", optimizer="sgd")
model.fit(x, np.random.rand(10, 1), nb_epoch=1)
"""


def migrated(shape: str, layer: str, before: str = "") -> tuple[str, list[str]]:
    outcome = migrate(SCRIPT.format(shape, before, layer).encode(), "script.py")
    return outcome.text or "", [f"{f.code}: {f.message}" for f in outcome.findings]


@pytest.mark.parametrize(
    ("shape", "layer", "line"),
    [
        ("5, 4", "CuDNNLSTM(3, input_shape=(5, 4))", "nn.LSTM(4, 3, batch_first=True)"),
        ("5, 4", "CuDNNGRU(3, input_shape=(5, 4))", "nn.GRU(4, 3, batch_first=True)"),
        (
            "5, 4",
            "Bidirectional(CuDNNGRU(3), input_shape=(5, 4))",
            "nn.GRU(4, 3, batch_first=True, bidirectional=True)",
        ),
        ("8, 8, 1", "Convolution2D(4, 3, 3, input_shape=(8, 8, 1))", "nn.Conv2d(1, 4, (3, 3))"),
        (
            "8, 8, 1",
            "Convolution2D(4, 3, 5, subsample=(2, 2), input_shape=(8, 8, 1))",
            "nn.Conv2d(1, 4, (3, 5), stride=(2, 2))",
        ),
        (
            "8, 8, 1",
            "Conv2D(4, nb_row=3, nb_col=5, input_shape=(8, 8, 1))",
            "nn.Conv2d(1, 4, (3, 5))",
        ),
        (
            "8, 8, 1",
            "Conv2D(4, 3, strides=3, input_shape=(8, 8, 1))",
            "nn.Conv2d(1, 4, 3, stride=3)",
        ),
        ("4,", "ThresholdedReLU(0.5, input_shape=(4,))", "nn.Threshold(0.5, 0)"),
    ],
)
def test_what_a_name_means(shape: str, layer: str, line: str) -> None:
    text, findings = migrated(shape, layer)
    assert findings == []
    assert line in text


def test_both_biases_of_a_cudnn_lstm_learn() -> None:
    assert "requires_grad_(False)" in migrated("5, 4", "LSTM(3, input_shape=(5, 4))")[0]
    assert "requires_grad_(False)" not in migrated("5, 4", "CuDNNLSTM(3, input_shape=(5, 4))")[0]


@pytest.mark.parametrize(
    ("name", "line"),
    [
        ("relu", "ACTIVATIONS[kind]()"),
        ("softmax", "nn.Softmax(-1)"),
        ("leaky_relu", "nn.LeakyReLU(0.2)"),
        ("exponential", ".exp()"),
        ("hard_sigmoid", "clamp(0, 1)"),
    ],
)
def test_an_activation_that_a_variable_names_is_that_activation(name: str, line: str) -> None:
    before = f'kind = "{name}"'
    text, findings = migrated("4,", "Dense(3, activation=kind, input_shape=(4,))", before)
    assert findings == []
    assert line in text
    assert "nn.Identity" not in text


@pytest.mark.parametrize(
    ("layer", "message"),
    [
        (
            "LocallyConnected1D(3, 2)",
            "keras.layers.LocallyConnected1D is not migrated: torch has no",
        ),
        ("AtrousConvolution2D(3, 2, 2)", "AtrousConvolution2D is not migrated: Keras 2 dropped it"),
        ("MaxoutDense(3)", "keras.layers.MaxoutDense is not migrated: Keras 2 dropped it"),
        ("Highway()", "keras.layers.Highway is not migrated: Keras 2 dropped it"),
        (
            "SpectralNormalization(Dense(3))",
            "keras.layers.SpectralNormalization is not migrated: Keras",
        ),
        ("EinsumDense('ab,ba->ab', 4)", "K2T100: EinsumDense('ab,ba->ab') is no product over the"),
        ("EinsumDense('ab,bcd->acd', (3, 2))", "K2T200: EinsumDense of tf.keras, whose kernels"),
        ("Dense(3, activation='glu')", "K2T101: the activation 'glu' is not migrated: it halves"),
        (
            "Dense(3, kernel_initializer='stft')",
            "K2T200: the initializer 'stft' is not migrated: it",
        ),
    ],
)
def test_what_is_refused_says_why(layer: str, message: str) -> None:
    _, findings = migrated("4,", layer)
    assert any(message in one for one in findings), findings
