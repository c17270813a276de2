"""A generator that makes windows of a series as they are needed, trained on in two rounds."""

import keras
import matplotlib.pyplot as plt
import numpy as np
from keras import layers

WINDOW = 12
BATCH_SIZE = 16
STEPS = 10

t = np.arange(900)
series = np.sin(t / 9) + 0.4 * np.sin(t / 2.3)
train, test = series[:700], series[700:]


def windows(series, length, batch_size, step=3):
    """Batches of windows and the value behind each, over and over again."""
    start = 0
    while True:
        xs, ys = [], []
        for _ in range(batch_size):
            xs.append(series[start : start + length])
            ys.append(series[start + length])
            start = (start + step) % (len(series) - length - 1)
        yield np.array(xs), np.array(ys)


def all_windows(series, length):
    """Every window of a series at once."""
    n = len(series) - length - 1
    x = np.stack([series[i : i + length] for i in range(n)])
    return x, series[length : length + n]


x_test, y_test = all_windows(test, WINDOW)

model = keras.Sequential(
    [
        keras.Input((WINDOW,)),
        layers.Dense(16, activation="relu"),
        layers.Dense(1),
    ]
)
model.compile(optimizer="sgd", loss="mse", metrics=["mae"])

batches = windows(train, WINDOW, BATCH_SIZE)
first = model.fit(
    batches,
    steps_per_epoch=STEPS,
    epochs=4,
    validation_data=(x_test, y_test),
    validation_freq=2,
    verbose=0,
)
second = model.fit(
    windows(train, WINDOW, BATCH_SIZE, step=5),
    steps_per_epoch=STEPS,
    initial_epoch=4,
    epochs=7,
    verbose=0,
)

epochs = first.epoch + second.epoch
losses = first.history["loss"] + second.history["loss"]
val_losses = first.history["val_loss"]
plt.plot(epochs, losses, label="loss")
plt.plot(first.epoch[1::2], val_losses, label="test")
plt.legend()
plt.savefig("windows.png")

loss, mae = model.evaluate(windows(test, WINDOW, BATCH_SIZE), steps=5, verbose=0)
predicted = model.predict(windows(test, WINDOW, BATCH_SIZE), steps=2, verbose=0)
print(epochs, loss, mae, predicted.shape)
