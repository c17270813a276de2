"""Sums of digits learned in rounds: after each, the model is looked at and training goes on."""

import keras
import numpy as np
from keras import layers

DIGITS = 3
ROUNDS = 4
BATCH_SIZE = 32

rng = np.random.default_rng(0)
digits = rng.integers(0, 10, size=(320, DIGITS))
x = np.eye(10, dtype="float32")[digits]
y = digits.sum(axis=1).astype("float32") / 10
x_train, x_val = x[:256], x[256:]
y_train, y_val = y[:256], y[256:]

model = keras.Sequential(
    [
        keras.Input((DIGITS, 10)),
        layers.LSTM(16),
        layers.Dense(1),
    ]
)
model.compile(optimizer=keras.optimizers.Adam(0.01), loss="mse")

# one epoch to warm up, then round after round
model.fit(x_train, y_train, batch_size=BATCH_SIZE, verbose=0)
errors = []
for number in range(ROUNDS):
    model.fit(
        x_train,
        y_train,
        batch_size=BATCH_SIZE,
        epochs=1,
        validation_data=(x_val, y_val),
        verbose=0,
    )
    guess = model.predict(x_val, verbose=0)[:, 0]
    errors.append(np.abs(guess - y_val).mean())
    print(f"round {number}: {errors[-1]:.4f}")
