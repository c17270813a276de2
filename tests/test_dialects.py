"""What k2t makes of a spelling that versions of Keras take differently."""

from __future__ import annotations

import pytest

from k2t.pipeline import migrate

pytestmark = pytest.mark.quick

SCRIPT = """
import keras
import numpy as np
from keras import layers, optimizers, regularizers
from keras.callbacks import ModelCheckpoint

x = np.random.rand(64, 8).astype("float32")
y = np.random.rand(64, 1).astype("float32")
model = keras.Sequential([layers.Dense(1, input_shape=(8,){layer})])
model.compile({optimizer}, "mse")
model.fit(x, y, validation_split=0.5, callbacks=[{callback}])
"""


def migrated(dialect: str, optimizer: str = '"sgd"', layer: str = "", callback: str = ""):
    script = SCRIPT.format(optimizer=optimizer, layer=layer, callback=callback)
    done = migrate(script.encode(), "train.py", dialect=dialect)
    return " ".join((done.text or "").split()), {f.code for f in done.findings}


@pytest.mark.parametrize(
    ("dialect", "optimizer", "wanted"),
    [
        # by position, in the order of Keras 2
        ("keras2", "SGD(0.1, 0.9, 1e-6, True)", "SGD(self.parameters(), lr=0.1, momentum=0.9, nes"),
        ("keras2", "SGD(0.1, 0.9, 1e-6, True)", "1 / (1 + 1e-6 * step)"),
        (
            "keras2",
            "RMSprop(0.01, 0.8, 1e-6)",
            "RMSprop(self.parameters(), lr=0.01, alpha=0.8, eps",
        ),
        ("keras2", "Adagrad(0.01, 1e-6)", "Adagrad(self.parameters(), lr=0.01, eps=1e-6)"),
        ("keras2", "Adam(0.01, 0.9, 0.99, 1e-7, 1e-4)", "1 / (1 + 1e-4 * step)"),
        ("keras2", "Adam(0.01, 0.9, 0.99, 1e-7, 0.0, True)", "amsgrad=True"),
        ("keras2", "Nadam(0.01, 0.9, 0.99, 1e-7, 0.1)", "momentum_decay=0.1"),
        ("keras3", "Adam(0.01, 0.9, 0.99, 1e-7, True)", "amsgrad=True"),
        # the formulas of tf.keras up to 2.10
        ("tf_keras", "RMSprop(lr=0.01)", "torch.optim.RMSprop("),
        ("tf_keras", "RMSprop(0.01, decay=1e-6)", "torch.optim.RMSprop("),
        ("tf_keras", "legacy.RMSprop(0.01)", "torch.optim.RMSprop("),
        ("tf_keras", "legacy.RMSprop(0.01, centered=True)", "eps=1e-7, centered=True )"),
        ("tf_keras", "legacy.RMSprop(0.01, momentum=0.9)", "class RMSprop("),
        ("tf_keras", "RMSprop(0.01)", "class RMSprop("),
        ("tf_keras", "Nadam(lr=0.01)", "NAdam(self.parameters(), lr=0.01, eps=1e-7)"),
        ("tf_keras", "Nadam(0.01)", "momentum_decay=1.0"),
        ("tf_keras", "legacy.Adagrad(0.1, 0.0)", "torch.optim.Adagrad("),
        ("tf_keras", "Lion()", "lr=1e-4"),
        ("keras3", "Lion()", "lr=1e-3"),
    ],
)
def test_optimizers_are_those_of_their_time(dialect, optimizer, wanted):
    text, codes = migrated(dialect, f"optimizers.{optimizer}")
    assert wanted in text
    assert codes <= {"K2T407", "K2T732"}


@pytest.mark.parametrize(
    ("dialect", "optimizer", "codes"),
    [
        ("keras2", "Adam(lr=0.01)", set()),
        ("tf_keras", "Adam(lr=0.01)", {"K2T407"}),
        ("keras3", "Adam(lr=0.01)", {"K2T402", "K2T903"}),
        ("keras3", "Adam(decay=0.01)", {"K2T402", "K2T903"}),
        ("keras2", "SGD(0.1, 0.9, True)", {"K2T402", "K2T903"}),
        ("keras2", "Adam(0.1, 0.9, 0.99, True)", {"K2T402", "K2T903"}),
        ("tf_keras", "Nadam(decay=0.01)", {"K2T402", "K2T903"}),
    ],
)
def test_what_another_version_means_by_it_is_said(dialect, optimizer, codes):
    assert migrated(dialect, f"optimizers.{optimizer}")[1] == codes


@pytest.mark.parametrize(
    ("dialect", "regularizer", "wanted"),
    [
        ("keras2", "regularizers.l1_l2()", ["0.01 * {}.abs()", "0.01 * {}.square()"]),
        ("tf_keras", "regularizers.l1_l2(0.02)", ["0.02 * {}.abs()", "0.01 * {}.square()"]),
        ("tf_keras", '"l1_l2"', ["0.01 * {}.abs()", "0.01 * {}.square()"]),
        ("tf_keras", "regularizers.L1L2(0.02)", ["0.02 * {}.abs()"]),
        ("keras3", "regularizers.l1_l2(0.02)", ["0.02 * {}.abs()"]),
    ],
)
def test_what_l1_l2_takes_where_nothing_is_said(dialect, regularizer, wanted):
    text, codes = migrated(dialect, layer=f", kernel_regularizer={regularizer}")
    assert codes == set()
    assert [line.format("self.dense.weight") in text for line in wanted] == [True] * len(wanted)
    assert text.count(".square().sum()") == len(wanted) - 1


@pytest.mark.parametrize(
    ("dialect", "callback", "wanted"),
    [
        (
            "keras2",
            'ModelCheckpoint("w", "val_loss", 1, True, False, "auto", 2)',
            'ModelCheckpoint("w", "val_loss", 1, True, mode="min", period=2)',
        ),
        (
            "keras2",
            'ModelCheckpoint("w", "val_loss", 1, True, False, "auto", 1)',
            'ModelCheckpoint("w", "val_loss", 1, True, mode="min")',
        ),
        (
            "keras3",
            'ModelCheckpoint("w{epoch}-{batch}", save_freq=5)',
            'ModelCheckpoint("w{epoch}-{batch}", save_freq=5)',
        ),
    ],
)
def test_checkpoints_keep_what_they_say(dialect, callback, wanted):
    text, codes = migrated(dialect, callback=callback)
    assert f"callbacks=[{wanted}]" in text
    assert codes == {"K2T800"}


RECURRENT = """
import keras
import numpy as np
from keras import layers
from keras.callbacks import *

x = np.random.rand(64, 6, 3).astype("float32")
y = np.random.randint(0, 2, (64, 1))
model = keras.Sequential()
model.add({layer})
model.add(layers.Dense(1, activation="sigmoid"))
model.compile("sgd", {loss}, metrics=["accuracy"])
h = model.fit(x, y, validation_split=0.5{fit})
print(h.history["{key}"])
"""


def recurrent(dialect: str, layer="layers.Flatten()", loss='"mse"', fit="", key="loss"):
    script = RECURRENT.format(layer=layer, loss=loss, fit=fit, key=key)
    done = migrate(script.encode(), "train.py", dialect=dialect)
    return done.text or "", {f.code for f in done.findings if f.severity.value != "info"}


@pytest.mark.parametrize(
    ("dialect", "options", "codes"),
    [
        ("keras2", {"layer": "layers.LSTM(4)"}, {"K2T732"}),
        ("keras2", {"layer": "layers.Bidirectional(layers.GRU(4))"}, {"K2T732"}),
        ("keras2", {"layer": "layers.LSTM(4, recurrent_activation='sigmoid')"}, set()),
        ("keras2", {"layer": "layers.CuDNNLSTM(4)"}, set()),
        ("tf_keras", {"layer": "layers.LSTM(4)"}, set()),
        ("keras2", {"loss": '"hinge"'}, {"K2T732"}),
        ("tf_keras", {"loss": '"squared_hinge"'}, set()),
        ("keras2", {"fit": ", sample_weight=np.arange(64)"}, {"K2T732"}),
        ("keras3", {"fit": ", sample_weight=np.arange(64)"}, set()),
        ("keras2", {"fit": ", class_weight={0: 0.0, 1: 2}"}, {"K2T732"}),
        ("keras2", {"fit": ", class_weight={0: 0.5, 1: 2}"}, set()),
        ("keras2", {"fit": ", callbacks=[ReduceLROnPlateau(epsilon=0.1)]"}, set()),
        ("keras3", {"fit": ", callbacks=[ReduceLROnPlateau(epsilon=0.1)]"}, {"K2T706", "K2T903"}),
    ],
)
def test_what_versions_of_a_dialect_take_differently_is_said(dialect, options, codes):
    assert recurrent(dialect, **options)[1] == codes


@pytest.mark.parametrize(
    ("dialect", "key", "log"),
    [
        ("keras2", "acc", "acc"),
        ("keras2", "loss", "acc"),
        ("keras2", "val_accuracy", "accuracy"),
        ("keras2", "accuracy", "accuracy"),
        ("tf_keras", "accuracy", "accuracy"),
        ("keras3", "accuracy", "accuracy"),
    ],
)
def test_an_accuracy_is_called_as_the_script_reads_it(dialect, key, log):
    text, codes = recurrent(dialect, key=key)
    assert f'f"{{prefix}}{log}"' in text
    assert codes == set()


def test_bilinear_sizes_of_keras_2_are_refused():
    layer = "layers.UpSampling2D(2, interpolation='bilinear')"
    script = RECURRENT.replace("(64, 6, 3)", "(64, 6, 6, 3)").replace(
        "layers.Dense", "layers.Conv2D"
    )
    script = script.format(layer=layer, loss='"mse"', fit="", key="loss")
    done = migrate(script.replace("(1, act", "(1, 1, act").encode(), "train.py", dialect="keras2")
    assert "K2T108" in {f.code for f in done.findings}
