"""Keras 2.2.4 runs here, and follows the formulas of FACTS.md; each test is one child process."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import textwrap
from pathlib import Path
from typing import Any

import numpy as np
import pytest

HERE = Path(__file__).parent
QUIET = {
    "OMP_NUM_THREADS": "1",
    "TF_NUM_INTRAOP_THREADS": "1",
    "TF_NUM_INTEROP_THREADS": "1",
    "TF_CPP_MIN_LOG_LEVEL": "3",
    "CUDA_VISIBLE_DEVICES": "",
}
PRELUDE = """
import json, keras224
keras = keras224.load()
import numpy as np
from keras import backend as K, initializers, layers, optimizers
from keras.models import Sequential
def fixed(model, seed=0):
    draw = np.random.RandomState(seed)
    model.set_weights([draw.randn(*w.shape) * 0.1 for w in model.get_weights()])
"""


@pytest.fixture(scope="session", autouse=True)
def installed() -> None:
    pytest.importorskip("tensorflow")
    sys.path.insert(0, str(HERE))
    import keras224

    try:
        keras224.install()
    except keras224.NotAvailable as error:
        pytest.skip(str(error))


def run(code: str) -> Any:
    """Runs code after PRELUDE in a child process; returns what it assigned to `result`."""
    program = PRELUDE + textwrap.dedent(code) + "\nprint(json.dumps(result))"
    child = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", program],
        capture_output=True,
        text=True,
        timeout=300,
        cwd=HERE,
        env=os.environ | QUIET,
    )
    assert child.returncode == 0, child.stderr[-3000:]
    return json.loads(child.stdout.splitlines()[-1])


def test_version_and_graph_mode() -> None:
    result = run("""
        import tensorflow as tf
        result = [keras.__version__, tf.executing_eagerly(), hasattr(tf, "placeholder")]
    """)
    assert result == ["2.2.4", False, True]


def test_layers_train() -> None:
    losses = run("""
        draw = np.random.RandomState(0)
        images, words = draw.rand(24, 8, 8, 2), draw.randint(0, 9, (24, 6))
        y = np.arange(24) % 2
        conv = [layers.Conv2D(4, 3, input_shape=(8, 8, 2)), layers.BatchNormalization(),
                layers.Activation("relu"), layers.MaxPooling2D(), layers.Flatten()]
        dense = [layers.Flatten(input_shape=(8, 8, 2)),
                 layers.Dense(9, activation="selu"), layers.AlphaDropout(0.1)]
        cells = [layers.LSTM(9, dropout=0.1), layers.GRU(9), layers.SimpleRNN(9),
                 layers.Bidirectional(layers.LSTM(5))]
        stacks = [(images, conv), (images, dense)]
        stacks += [(words, [layers.Embedding(9, 4, input_length=6), cell]) for cell in cells]
        result = []
        for x, stack in stacks:
            model = Sequential([*stack, layers.Dense(1, activation="sigmoid")])
            model.compile(optimizers.Adam(0.01), "binary_crossentropy", metrics=["accuracy"])
            history = model.fit(x, y, batch_size=8, epochs=15, verbose=0).history
            first, last = history["loss"][0], history["loss"][-1]
            assert model.predict(x).shape == (24, 1) and len(model.evaluate(x, y, verbose=0)) == 2
            result.append([float(first), float(last)])
    """)
    assert len(losses) == 6
    assert all(last < first for first, last in losses)


def test_a_training_run_repeats_itself() -> None:
    runs = run("""
        result = []
        for _ in range(4):
            K.clear_session()
            model = Sequential([layers.Dense(64, activation="relu", input_shape=(20,)),
                                layers.Dense(64, activation="relu"), layers.Dense(5)])
            model.compile(optimizers.SGD(0.1, momentum=0.9, decay=0.1, nesterov=True), "mse")
            fixed(model)
            x = np.random.RandomState(1).randn(32, 20)
            result.append([float(model.train_on_batch(x, x[:, :5])) for _ in range(60)])
    """)
    assert runs[0][-1] < runs[0][0] / 2
    assert runs[1:] == runs[:1] * 3


def test_rmsprop_adds_epsilon_outside_the_root_and_decays_every_batch() -> None:
    weights, start, x, y = run("""
        model = Sequential([layers.Dense(2, use_bias=False, input_shape=(3,))])
        model.compile(optimizers.RMSprop(lr=0.01, decay=0.1, epsilon=0.01), "mse")
        fixed(model)
        draw = np.random.RandomState(1)
        x, y, start = draw.randn(16, 3), draw.randn(16, 2), model.get_weights()[0]
        for _ in range(50):
            model.train_on_batch(x, y)
        result = [v.tolist() for v in (model.get_weights()[0], start, x, y)]
    """)
    w, x, y = np.array(start), np.array(x), np.array(y)
    squares = np.zeros_like(w)
    for step in range(50):
        gradient = x.T @ (x @ w - y) * 2 / y.size
        squares = 0.9 * squares + 0.1 * gradient**2
        w = w - 0.01 / (1 + 0.1 * step) * gradient / (np.sqrt(squares) + 0.01)
    assert np.abs(w - start).max() > 0.03
    np.testing.assert_allclose(weights, w, atol=1e-6)


def test_moving_statistics_ignore_their_start() -> None:
    """Zero-debiased: after one batch they are the batch's, whatever the initial values."""
    mean, variance, x = run("""
        model = Sequential([layers.BatchNormalization(input_shape=(3,))])
        model.compile(optimizers.SGD(0.0), "mse")
        x = np.random.RandomState(0).randn(8, 3) * 2 + 5
        model.train_on_batch(x, x)
        result = [v.tolist() for v in (*model.get_weights()[2:], x)]
    """)
    np.testing.assert_allclose(mean, np.mean(x, axis=0), rtol=1e-5)
    np.testing.assert_allclose(variance, np.var(x, axis=0) * 8 / (8 - 1.001), rtol=1e-5)


def test_crossentropy_of_a_saturated_softmax_is_clipped_and_has_no_gradient() -> None:
    loss, moved = run("""
        model = Sequential([layers.Dense(3, activation="softmax", input_shape=(1,))])
        model.compile(optimizers.SGD(1.0), "categorical_crossentropy")
        start = [np.zeros((1, 3)), np.array([40.0, 0.0, 0.0])]
        model.set_weights(start)
        loss = float(model.train_on_batch(np.zeros((1, 1)), np.array([[0.0, 1.0, 0.0]])))
        result = [loss, float(np.abs(model.get_weights()[1] - start[1]).max())]
    """)
    assert loss == pytest.approx(-np.log(1e-7), rel=1e-6)
    assert moved == 0


def test_class_weights_are_averaged_over_the_rows_that_weigh() -> None:
    loss, losses, weights = run("""
        model = Sequential([layers.Dense(3, activation="softmax", input_shape=(4,))])
        model.compile(optimizers.SGD(0.0), "categorical_crossentropy")
        draw = np.random.RandomState(0)
        x, labels = draw.rand(40, 4), np.arange(40) % 3
        weights = {0: 0.0, 1: 2.0, 2: 5.0}
        y = np.eye(3)[labels]
        losses = -np.log((model.predict(x) * y).sum(1))
        loss = model.fit(x, y, batch_size=40, verbose=0, class_weight=weights).history["loss"][0]
        result = [float(loss), losses.tolist(), [weights[label] for label in labels]]
    """)
    products = np.multiply(losses, weights)
    assert loss == pytest.approx(products.sum() / np.count_nonzero(weights), rel=1e-5)
    assert loss != pytest.approx(products.mean(), rel=1e-2)


def test_losses_of_steps_are_the_batches_own() -> None:
    """What a probe reads in on_batch_end; history holds their mean weighted by batch size."""
    steps, epoch, keys = run("""
        steps = []
        class Steps(keras.callbacks.Callback):
            def on_batch_end(self, batch, logs):
                steps.append([float(logs["loss"]), int(logs["size"])])
        model = Sequential([layers.Dense(1, input_shape=(4,))])
        model.compile(optimizers.SGD(0.1), "mse", metrics=["accuracy", "mae"])
        x = np.random.RandomState(0).rand(50, 4)
        history = model.fit(x, x[:, 0], batch_size=16, verbose=0, callbacks=[Steps()]).history
        result = [steps, float(history["loss"][0]), sorted(history)]
    """)
    assert [size for _, size in steps] == [16, 16, 16, 2]
    assert epoch == pytest.approx(sum(loss * size for loss, size in steps) / 50, rel=1e-6)
    assert keys == ["acc", "loss", "mean_absolute_error"]


def test_saved_models_load_again(tmp_path: Path) -> None:
    pytest.importorskip("h5py")
    difference = run(f"""
        path = {str(tmp_path / "model.h5")!r}
        x = np.random.RandomState(0).rand(20, 4)
        model = Sequential([layers.Dense(3, input_shape=(4,)), layers.BatchNormalization()])
        model.compile("adam", "mse")
        model.fit(x, x[:, :3], verbose=0)
        model.save(path)
        loaded = keras.models.load_model(path)
        result = float(np.abs(model.predict(x) - loaded.predict(x)).max())
    """)
    assert difference == 0
