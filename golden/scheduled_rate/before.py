"""A rate that falls step by step, and functions that are called as the epochs go by."""

import keras
import numpy as np
from keras import layers
from keras.callbacks import LambdaCallback

BATCH_SIZE = 16
EPOCHS = 4

rng = np.random.default_rng(0)
x = rng.normal(size=(200, 8)).astype("float32")
y = (x[:, :4].sum(axis=1) > x[:, 4]).astype("float32")
steps = 160 // BATCH_SIZE

model = keras.Sequential(
    [
        keras.Input((8,)),
        layers.Dense(16, activation="relu"),
        layers.Dropout(0.1),
        layers.Dense(1, activation="sigmoid"),
    ]
)
# from a tenth down to nothing in three epochs
rate = keras.optimizers.schedules.CosineDecay(0.1, decay_steps=3 * steps)
model.compile(
    optimizer=keras.optimizers.SGD(rate, momentum=0.9),
    loss="binary_crossentropy",
    metrics=["accuracy"],
)

shares, notes = [], []


def share_of_ones(rows):
    return float((model.predict(rows, verbose=0) > 0.5).mean())


def note(epoch, logs):
    notes.append(epoch + logs["val_loss"])
    shares.append(share_of_ones(x[:50]))


model.fit(
    x,
    y,
    batch_size=BATCH_SIZE,
    epochs=EPOCHS,
    validation_split=0.2,
    verbose=0,
    callbacks=[
        LambdaCallback(on_epoch_end=note, on_train_begin=lambda logs: print("here we go")),
    ],
)
print(notes, shares)

# the same again with a rate that falls by stairs
other = keras.Sequential([keras.Input((8,)), layers.Dense(1, activation="sigmoid")])
stairs = keras.optimizers.schedules.PiecewiseConstantDecay([steps, 2 * steps], [0.1, 0.03, 0.01])
other.compile(optimizer=keras.optimizers.Adam(learning_rate=stairs), loss="binary_crossentropy")
other.fit(x, y, batch_size=BATCH_SIZE, epochs=EPOCHS, validation_split=0.2, verbose=0)
print(other.evaluate(x, y, verbose=0))
