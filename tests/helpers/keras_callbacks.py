"""Child process: what Keras's callbacks do on random sequences of a metric, epoch by epoch.

Usage: python keras_callbacks.py OUT.npz keras|tf_keras. The model's one weight counts the epochs.
"""

import importlib
import os
import sys
import tempfile
from types import SimpleNamespace

import numpy as np
from helper_cases import BATCHES, CALLBACKS, HUNDRED, batch_losses, sequences, table_of_rates

keras = importlib.import_module(sys.argv[2])
saved = {}


def make_model():
    model = SimpleNamespace(weight=0.0, stop_training=False, metrics=[], saved=[])
    model.distribute_strategy = None
    model.optimizer = keras.optimizers.SGD(1.0)
    model.get_weights = lambda: model.weight
    model.set_weights = lambda w: setattr(model, "weight", w)
    save = lambda path, **_: model.saved.append(os.path.basename(path))  # noqa: E731
    model.save = model.save_weights = save
    return model


def rate_of(model):
    return float(model.optimizer.learning_rate.numpy())


def follow(callback, values):
    """Rates, number of epochs, the weight at the end, and files written, of one run."""
    model, rates = make_model(), []
    callback.set_model(model)
    callback.on_train_begin()
    for epoch, value in enumerate(values):
        callback.on_epoch_begin(epoch)
        model.weight += 1
        logs = {"loss": float(value), "val_loss": float(value)}
        callback.on_epoch_end(epoch, logs)
        rates.append(rate_of(model))
        if model.stop_training:
            break
    callback.on_train_end()
    return rates, len(rates), model.weight, model.saved


with tempfile.TemporaryDirectory() as folder:
    os.chdir(folder)
    for number, (name, arguments, _) in enumerate(CALLBACKS):
        for i, values in enumerate(sequences(number)):
            callback = getattr(keras.callbacks, name)(**arguments)
            rates, epochs, weight, files = follow(callback, values)
            saved[f"{number}/{i}/rates"] = np.array(rates)
            saved[f"{number}/{i}/epochs"] = epochs
            if name == "EarlyStopping":
                told = (callback.stopped_epoch, callback.wait, callback.best, callback.best_epoch)
                saved[f"{number}/{i}/told"] = np.array(told, "float64")
            saved[f"{number}/{i}/weight"] = weight
            saved[f"{number}/{i}/files"] = np.array(files, dtype="U40")
    for number, arguments in enumerate(BATCHES):
        os.mkdir(folder_of := f"{number}")
        arguments["filepath"] = os.path.join(folder_of, arguments["filepath"])
        try:
            callback = keras.callbacks.ModelCheckpoint(save_weights_only=True, **arguments)
        except TypeError:  # Keras 3 has no period
            continue
        inputs = keras.Input((1,))
        layer = keras.layers.Dense(1, use_bias=False, kernel_initializer="zeros")
        model = keras.Model(inputs, layer(inputs))
        model.compile(keras.optimizers.SGD(0.0), "mae")
        for epochs in (5, 3):
            model.fit(np.ones((8, 1)), np.ones((8, 1)), 2, epochs, 0, callbacks=[callback])
        saved[f"batches/{number}"] = np.array(os.listdir(folder_of), dtype="U40")
    for number in range(HUNDRED):
        given = table_of_rates(number)
        schedule = keras.callbacks.LearningRateScheduler(given.__getitem__)
        saved[f"scheduled/{number}"] = follow(schedule, given)[0]
        schedule = keras.callbacks.LearningRateScheduler(lambda i, rate: rate * given[i])  # noqa: B023
        saved[f"scaled/{number}"] = follow(schedule, given)[0]
        callback, model, seen = keras.callbacks.TerminateOnNaN(), make_model(), []
        callback.set_model(model)
        for batch, loss in enumerate(batch_losses(number)):
            seen = [*seen, loss] if batch % 4 else [loss]  # logs are means of the epoch so far
            callback.on_train_batch_end(batch % 4, {"loss": np.mean(seen)})
            if model.stop_training:
                break
        saved[f"batches of {number}"] = batch + 1
        separator = ",;\t"[number % 3]
        logger = keras.callbacks.CSVLogger("log.csv", separator, append=number % 4 > 1)
        follow(logger, np.array(given, "float32"))
        with open("log.csv", newline="") as file:
            saved[f"csv/{number}"] = file.read()
    logger = keras.callbacks.CSVLogger("log.csv")
    follow(logger, [0.5, 0.25])
    with open("log.csv", newline="") as file:
        saved["csv"] = file.read()
for name in ("accuracy", "AUC", "Precision", "Recall", "MeanAbsoluteError", "MeanSquaredError"):
    metric = getattr(keras.metrics, {"accuracy": "CategoricalAccuracy"}.get(name, name))()
    saved[f"direction/{name}"] = str(getattr(metric, "_direction", "none"))
np.savez(sys.argv[1], **saved)
