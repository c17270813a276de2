"""Training in rounds with a rate that is too high: the best round's weights are taken in the end."""

import keras
import numpy as np
from keras import layers

ROUNDS = 5
TRAINING = 192

rng = np.random.default_rng(0)
x = rng.normal(size=(256, 6)).astype("float32")
y = (np.sin(x[:, :1]) + 0.5 * x[:, 1:2] * x[:, 2:3]).astype("float32")
x_train, x_val = x[:TRAINING], x[TRAINING:]
y_train, y_val = y[:TRAINING], y[TRAINING:]


def build():
    model = keras.Sequential(
        [
            keras.Input((6,)),
            layers.Dense(16, activation="tanh"),
            layers.BatchNormalization(),
            layers.Dense(1),
        ]
    )
    model.compile(optimizer=keras.optimizers.SGD(0.2, momentum=0.9), loss="mse")
    return model


model = build()
lowest = np.inf
for number in range(ROUNDS):
    model.fit(x_train, y_train, batch_size=32, verbose=0)
    loss = model.evaluate(x_val, y_val, verbose=0)
    if loss < lowest:
        lowest = loss
        best = model.get_weights()
    print(f"round {number}: {loss:.4f}")

model.set_weights(best)
print("best:", model.evaluate(x_val, y_val, verbose=0))

# a second network goes on from there
other = build()
other.fit(x_train, y_train, batch_size=32, verbose=0)
other.set_weights(model.get_weights())
print("handed over:", other.evaluate(x_val, y_val, verbose=0))
