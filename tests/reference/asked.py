"""Child process: what an installed Keras answers to the questions of rules/dialects.toml.

    python -m tests.reference.asked keras|tf_keras

Prints them as JSON, by entry: the answer as Python writes it, or the name of the error.
"""

from __future__ import annotations

import importlib
import json
import sys
import tomllib
import warnings
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np

K: Any = importlib.import_module(sys.argv[1])
TABLE = Path(__file__).parents[2] / "rules" / "dialects.toml"
X = np.arange(24, dtype="float32").reshape(8, 3) / 10
Y = X[:, :1]


def short(value: Any) -> Any:
    return np.round(np.asarray(value, dtype="float64"), 5).tolist()


def model(layer: Any = None, loss: str = "mse", shape: tuple[int, ...] = (3,), **more: Any) -> Any:
    inputs = K.Input(shape)
    made = K.Model(inputs, (layer or K.layers.Dense(1, kernel_initializer="ones"))(inputs))
    made.compile(K.optimizers.SGD(0.01), loss, **more)
    return made


def history(metrics: list[str], *callbacks: Any) -> Any:
    made = model(metrics=metrics)
    return made.fit(X, Y, verbose=0, callbacks=[*callbacks]).history


def names_of_metrics() -> Any:
    made = model(metrics=["mae"])
    made.fit(X, Y, verbose=0)
    return made.metrics_names


def two_outputs(metrics: list[str]) -> Any:
    inputs = K.Input((3,))
    made = K.Model(inputs, [K.layers.Dense(1, name=name)(inputs) for name in "ab"])
    made.compile("sgd", "mse", metrics=metrics)
    return sorted(made.fit(X, [Y, Y], verbose=0).history)


def running_variance() -> Any:
    """Of the numbers from 0 to 7 as two images: 5.25, unbiased 6."""
    layer = K.layers.BatchNormalization(momentum=0.0)
    made = model(layer, shape=(2, 2, 1))
    made(np.arange(8, dtype="float32").reshape(2, 2, 2, 1), training=True)
    return layer.moving_variance


def frozen_norm_of_ones() -> Any:
    layer = K.layers.BatchNormalization()
    layer.trainable = False
    return round(float(model(layer)(np.ones((2, 3), "float32"), training=True)[0, 0]), 5)


def activity_of_eight_ones() -> Any:
    layer = K.layers.Activation("linear", activity_regularizer=K.regularizers.L1(1.0))
    ones = np.ones((8, 1), "float32")
    return model(layer, shape=(1,)).evaluate(ones, ones, verbose=0)


def drops_in_predict() -> bool:
    inputs = K.Input((50,))
    made = K.Model(inputs, K.layers.Dropout(0.5)(inputs, training=True))
    return bool((made.predict(np.ones((4, 50)), verbose=0) == 0).any())


def crossentropy_of_a_saturated_softmax() -> Any:
    made = model(K.layers.Activation("softmax"), "categorical_crossentropy")
    return made.evaluate(np.array([[40.0, 0, 0]]), np.array([[0, 1.0, 0]]), verbose=0)


def share_of_the_loss_with_half_the_weights_at_zero() -> float:
    weights = np.repeat([0.0, 1.0], 4)
    made = model()
    some = made.evaluate(X, Y, verbose=0, sample_weight=weights)
    return float(some / made.evaluate(X[4:], Y[4:], verbose=0))


def trains(made: Any) -> bool:
    """Whether a fit moves the weights of a layer that is frozen just before it."""
    made.layers[-1].trainable = False
    before = made.get_weights()
    made.fit(X, Y, verbose=0)
    return not np.array_equal(before[0], made.get_weights()[0])


def trains_though_frozen_after_compile() -> bool:
    return trains(model())


def trains_though_frozen_after_fit() -> bool:
    made = model()
    made.fit(X, Y, verbose=0)
    return trains(made)


def logs_of_batches() -> Any:
    """Two batches whose losses are 1 and 4."""
    seen: list[float] = []

    class Seen(K.callbacks.Callback):  # type: ignore[misc]
        def on_batch_end(self, batch: int, logs: Any = None) -> None:
            seen.append(round(float(logs["loss"]), 5))

    made = model(K.layers.Activation("linear"), shape=(1,))
    x = np.array([[1.0], [2.0]])
    made.fit(x, 0 * x, 1, verbose=0, shuffle=False, callbacks=[Seen()])
    return seen


def same_order_in_both_epochs() -> bool:
    K.utils.set_random_seed(0)
    made, seen = model(run_eagerly=True), []
    step = made.train_step

    def watched(data: Any) -> Any:
        seen.append(data[0].numpy()[:, 0].tolist())
        return step(data)

    made.train_step = watched
    made.fit(X, Y, 8, 2, verbose=0)
    return bool(seen[0] == seen[1])


def stopped(losses: list[float], **more: Any) -> tuple[int, int]:
    """EarlyStopping on a model whose weight counts the epochs: their number, and the weight."""
    callback = K.callbacks.EarlyStopping("loss", patience=2, mode="min", **more)
    made = SimpleNamespace(stop_training=False, weight=0, metrics=[])
    made.get_weights = lambda: made.weight
    made.set_weights = lambda weight: setattr(made, "weight", weight)
    callback.set_model(made)
    callback.on_train_begin()
    for epoch, loss in enumerate(losses):
        made.weight += 1
        callback.on_epoch_end(epoch, {"loss": loss})
        if made.stop_training:
            break
    callback.on_train_end()
    return epoch + 1, made.weight


def restored_after(losses: list[float]) -> int:
    return stopped(losses, restore_best_weights=True)[1]


def epochs_after(losses: list[float]) -> int:
    return stopped(losses)[0]


def answer(question: str) -> str:
    try:
        return repr(eval(question, globals()))
    except Exception as error:
        return type(error).__name__


if __name__ == "__main__":
    warnings.simplefilter("ignore")
    entries = tomllib.loads(TABLE.read_text(encoding="utf-8"))
    print(json.dumps({n: answer(e["ask"]) for n, e in entries.items() if "ask" in e}))
