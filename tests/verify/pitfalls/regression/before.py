"""A straight line with noise, as numbers of double precision come out of a table."""

import keras
import numpy as np
from keras import layers

rng = np.random.default_rng(0)
table = rng.normal(size=(260, 6))
x, y = table[:, :5], table[:, :5].sum(axis=1) + 0.1 * table[:, 5]

model = keras.Sequential([layers.Dense(12, activation="relu"), layers.Dense(1)])
model.compile(optimizer=keras.optimizers.SGD(0.05), loss="mse", metrics=["mae"])
model.fit(x, y, batch_size=32, epochs=2, verbose=0)
