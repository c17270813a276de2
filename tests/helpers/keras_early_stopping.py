"""Child process: when EarlyStopping(restore_best_weights=True) stops, and at which epoch's weights.

Usage: python keras_early_stopping.py OUT.npz. Twelve random loss curves of eight epochs, two with a
NaN; the model's one weight counts the epochs.
"""

import sys
from types import SimpleNamespace

import keras
import numpy as np

rng = np.random.default_rng(0)
saved = {name: [] for name in ("losses", "patience", "min_delta", "epochs", "weight")}
for i in range(12):
    losses = np.round(1 - 0.05 * np.arange(8) + rng.normal(scale=0.1, size=8), 3)
    if i % 6 == 5:
        losses[3] = np.nan
    patience, min_delta = int(rng.integers(0, 4)), float(rng.choice([0, 0.05]))
    callback = keras.callbacks.EarlyStopping(
        "val_loss", patience=patience, min_delta=min_delta, restore_best_weights=True
    )
    model = SimpleNamespace(weight=0.0, stop_training=False)
    model.get_weights = lambda model=model: model.weight
    model.set_weights = lambda w, model=model: setattr(model, "weight", w)
    callback.set_model(model)
    callback.on_train_begin()
    for epoch, loss in enumerate(losses):
        model.weight += 1
        callback.on_epoch_end(epoch, {"val_loss": loss})
        if model.stop_training:
            break
    callback.on_train_end()
    values = (losses, patience, min_delta, epoch + 1, model.weight)
    for name, value in zip(saved, values, strict=True):
        saved[name].append(value)
np.savez(sys.argv[1], **saved)
