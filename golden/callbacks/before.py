"""Two interleaved spirals: a small network that is stopped when it no longer gets better."""

import os

import keras
import numpy as np
from keras import layers
from keras.callbacks import (
    CSVLogger,
    EarlyStopping,
    LearningRateScheduler,
    ModelCheckpoint,
    ReduceLROnPlateau,
    TerminateOnNaN,
)

EPOCHS = 24
OUT_DIR = "runs"

rng = np.random.default_rng(7)


def spirals(n, noise=0.25):
    turn = np.sqrt(rng.random(n)) * 2.5
    label = rng.integers(0, 2, n)
    angle = turn * 2 + label * np.pi
    points = np.stack([turn * np.cos(angle), turn * np.sin(angle)], axis=1)
    return (points + rng.normal(scale=noise, size=(n, 2))).astype("float32"), label


x_train, y_train = spirals(320)
x_val, y_val = spirals(128)


def warm_up(epoch, lr):
    """Three epochs of warm-up; what happens later is up to the plateau."""
    if epoch < 3:
        return 0.02 * (epoch + 1)
    return lr


model = keras.Sequential(
    [
        layers.Input((2,)),
        layers.Dense(24, activation="tanh"),
        layers.Dense(24, activation="tanh"),
        layers.Dense(2, activation="softmax"),
    ]
)
model.compile(
    optimizer=keras.optimizers.SGD(0.1, momentum=0.9),
    loss="sparse_categorical_crossentropy",
    metrics=["accuracy"],
)

os.makedirs(OUT_DIR, exist_ok=True)
checkpoint = ModelCheckpoint(
    os.path.join(OUT_DIR, "best.weights.h5"),
    monitor="val_accuracy",
    save_best_only=True,
    save_weights_only=True,
)
callbacks = [
    checkpoint,
    # halve the rate when the loss stalls
    ReduceLROnPlateau(monitor="val_loss", factor=0.5, patience=1, min_lr=1e-3, verbose=1),
    EarlyStopping(patience=3, restore_best_weights=True),
    CSVLogger(os.path.join(OUT_DIR, "log.csv")),
    TerminateOnNaN(),
]
callbacks.append(LearningRateScheduler(warm_up))

history = model.fit(
    x_train,
    y_train,
    batch_size=32,
    epochs=EPOCHS,
    validation_data=(x_val, y_val),
    callbacks=callbacks,
    verbose=0,
)
print("epochs:", len(history.history["loss"]), "best:", min(history.history["val_loss"]))

# the weights of the epoch with the lowest loss are back
loss, accuracy = model.evaluate(x_val, y_val, verbose=0)
print(f"restored: loss {loss:.4f}, accuracy {accuracy:.3f}")

# and those of the most accurate epoch are in the file
model.load_weights(os.path.join(OUT_DIR, "best.weights.h5"))
loss, accuracy = model.evaluate(x_val, y_val, verbose=0)
print(f"most accurate: loss {loss:.4f}, accuracy {accuracy:.3f}")
