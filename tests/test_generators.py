"""Generator functions that a model is fitted to, and other arguments of fit that count batches."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from k2t.pipeline import migrate
from k2t.render.helpers import training

pytestmark = pytest.mark.quick

HEAD = """
import keras
import numpy as np

x = np.random.rand(64, 8).astype("float32")
y = np.random.rand(64, 1).astype("float32")


def batches(x, y, n=16):
    while True:
        for i in range(0, len(x), n):
            yield x[i : i + n], y[i : i + n]


def weighted():
    yield x, y, y


def numbers():
    yield np.arange(12).reshape(3, 4), y[:3]


model = keras.Sequential([keras.Input((8,)), keras.layers.Dense(1)])
model.compile("sgd", "mse")
"""


def migrated(body: str) -> tuple[str, list[str]]:
    done = migrate((HEAD + body).encode(), "train.py", dialect="keras3")
    assert done.text is not None
    return done.text, [f.code for f in done.findings if f.severity.value != "info"]


@pytest.mark.parametrize(
    ("line", "wanted", "codes"),
    [
        ("model.fit(batches(x, y), steps_per_epoch=4, epochs=2)",
         "trainer.fit(model, DataLoader(Batches(batches(x, y), 4), batch_size=None))", []),
        ("model.fit(x, y, validation_data=batches(x, y), validation_steps=2)",
         "DataLoader(Batches(batches(x, y), 2), batch_size=None)", ["K2T723"]),
        ("print(model.evaluate(batches(x, y), steps=3))",
         "DataLoader(Batches(batches(x, y), 3), batch_size=None)", []),
        ("model.fit(x, y, validation_data=(x, y), validation_steps=2)",
         "    limit_val_batches=2,", []),
        ("model.fit(x, y, validation_split=0.5, validation_freq=3)",
         "    check_val_every_n_epoch=3,", []),
        ("model.fit(x, y, initial_epoch=2, epochs=5)",
         "trainer.fit_loop.epoch_progress.current.processed = 2", []),
        ("h = model.fit(x, y, epochs=2)\nprint(h.epoch)", "self.epoch.append", []),
        ("model.fit(x, y, validation_split=0.5, validation_batch_size=8)", "batch_size=8)", []),
        ("model.fit(x, y, validation_split=0.5, validation_freq=2, callbacks="
         "[keras.callbacks.EarlyStopping()])", "class KerasEarlyStopping", []),
        ("print(model.evaluate(x, y, steps=2))", "make_loader(x, y)", []),
    ],
)  # fmt: skip
def test_batches_that_are_counted(line, wanted, codes):
    text, found = migrated(line + "\n")
    assert found == codes
    assert wanted in text


@pytest.mark.parametrize(
    ("line", "code"),
    [
        ("model.fit(batches(x, y), epochs=2)", "K2T601"),
        ("model.fit(weighted(), steps_per_epoch=1)", "K2T601"),
        ("model.fit(numbers(), steps_per_epoch=1)", "K2T601"),
        ("model.fit(batches(x, y), steps_per_epoch=64 / 16)", "K2T601"),
        ("model.fit(x, y, steps_per_epoch=2)", "K2T703"),
        ("model.fit(x, y, validation_data=(x, y), validation_steps=1.5)", "K2T703"),
        ("model.fit(x, y, validation_split=0.5, validation_freq=[1, 4])", "K2T703"),
        ("model.fit(x, y, validation_split=0.5, validation_freq=2, callbacks="
         "[keras.callbacks.ModelCheckpoint('w', save_best_only=True)])", "K2T703"),
        ("print(model.evaluate(x, y, batch_size=8, steps=2))", "K2T703"),
        ("print(model.predict(x, batch_size=8, steps=2))", "K2T703"),
        ("print(model.evaluate(x, y, callbacks=[print]))", "K2T703"),
        ("print(model.predict(x, callbacks=[keras.callbacks.TerminateOnNaN()]))", "K2T703"),
    ],
)  # fmt: skip
def test_what_is_refused(line, code):
    _, found = migrated(line + "\n")
    assert code in found


def test_validation_on_a_generator_is_no_validation_on_nothing():
    """A call of a generator function is worth something: None would mean no validation."""
    text, _ = migrated(
        "model.fit(x, y, validation_data=batches(x, y), validation_steps=4, callbacks="
        "[keras.callbacks.EarlyStopping()])\n"
    )
    assert "EarlyStopping(monitor=" in text


def test_batches_go_on_where_they_ended():
    def numbers():
        for i in range(9):
            yield {"a": np.full(2, i, "float64")}, [np.full(2, i)]

    batches = training.Batches(numbers(), 3)
    assert len(batches) == 3
    loader = torch.utils.data.DataLoader(batches, batch_size=None)
    seen = [[int(y[0][0]) for _, y in loader] for _ in range(3)]
    assert seen == [[0, 1, 2], [3, 4, 5], [6, 7, 8]]
    x, y = next(iter(training.Batches(numbers(), 1)))
    assert x["a"].dtype == torch.float32
    assert y[0].dtype == torch.int64


def test_callbacks_that_go_together():
    """Two elements of a list beside each other, with one comma between them."""
    text, found = migrated(
        "cbs = [keras.callbacks.TensorBoard('a'), keras.callbacks.EarlyStopping('val_acc')]\n"
        "model.fit(x, y, callbacks=cbs)\n"
    )
    assert found == ["K2T707", "K2T708"]
    assert "cbs = []" in text
