"""Residual dense blocks inside main, with a projection where the widths differ."""

import keras
import numpy as np
from keras import layers

FEATURES = 8


def residual(x, units, dropout=0.0):
    """Two layers and a way around them."""
    shortcut = x
    x = layers.Dense(units, activation="tanh")(x)
    x = layers.Dense(units)(x)
    if dropout:
        x = layers.Dropout(dropout)(x)
    if shortcut.shape[-1] != units:
        # the sum needs equal widths
        shortcut = layers.Dense(units, use_bias=False)(shortcut)
    return layers.Activation("tanh")(x + shortcut)


def main(epochs=5):
    rng = np.random.default_rng(3)
    x = rng.normal(size=(200, FEATURES)).astype("float32")
    y = np.sin(x).sum(axis=1)

    widths = [16, 16, 24]
    inputs = keras.Input((FEATURES,))
    hidden = inputs
    for units in widths:
        hidden = residual(hidden, units, dropout=0.1)
    outputs = layers.Dense(1)(hidden)
    model = keras.Model(inputs, outputs)

    model.compile(optimizer="adam", loss="mse", metrics=["mae"])
    model.fit(x, y, batch_size=40, epochs=epochs, verbose=0)
    print(model.evaluate(x, y, verbose=0))


main()
