#!/usr/bin/env python
# coding: utf-8
"""Forecast the next value of a noisy series from a sliding window."""

import matplotlib
matplotlib.use("Agg")
import matplotlib.pyplot as plt
import numpy as np
from tensorflow.keras.layers import Dense, Dropout, GRU, Input
from tensorflow.keras.models import Sequential
from tensorflow.keras.optimizers import Adam

WINDOW = 16
EPOCHS = 4
BATCH = 32

# ## Data

rng = np.random.RandomState(5)
t = np.arange(480)
series = np.sin(t / 8) + 0.4 * np.cos(t / 3) + 0.05 * rng.randn(len(t))
mean, std = series[:380].mean(), series[:380].std()
series = (series - mean) / std


def make_windows(values, window):
    """Windows (n, window, 1) and the value that follows each of them (n,)."""
    X, y = [], []
    for i in range(len(values) - window):
        X.append(values[i:i + window])
        y.append(values[i + window])
    X = np.array(X)
    return X.reshape(X.shape[0], X.shape[1], 1), np.array(y)


X_train, y_train = make_windows(series[:380], WINDOW)
X_val, y_val = make_windows(series[380 - WINDOW:], WINDOW)
print("train:", X_train.shape, y_train.shape, " validation:", X_val.shape, y_val.shape)

# ## Model

model = Sequential()
model.add(Input(shape=(WINDOW, 1)))
model.add(GRU(12, return_sequences=True))
model.add(Dropout(0.1))
model.add(GRU(12))
model.add(Dense(1))

model.compile(optimizer=Adam(learning_rate=5e-3), loss="huber", metrics=["mae"])

history = model.fit(
    X_train,
    y_train,
    epochs=EPOCHS,
    batch_size=BATCH,
    validation_data=(X_val, y_val),
    shuffle=False,
    verbose=2,
)

# ## Results

forecast = model.predict(X_val).flatten()
error = np.mean(np.abs(forecast - y_val)) * std
naive = np.mean(np.abs(X_val[:, -1, 0] - y_val)) * std
print("mean absolute error: %.4f (repeating the last value: %.4f)" % (error, naive))

fig, (left, right) = plt.subplots(1, 2, figsize=(10, 4))
left.plot(history.history["loss"], label="loss")
left.plot(history.history["val_loss"], label="val_loss")
left.legend()
right.plot(y_val * std + mean, label="true")
right.plot(forecast * std + mean, label="forecast")
right.legend()
fig.savefig("forecast.png")
