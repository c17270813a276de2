"""Does a series of numbers end higher than it began: an LSTM and its last step."""

import keras
import numpy as np
from keras import layers

rng = np.random.default_rng(0)
x = rng.normal(size=(256, 9, 3)).cumsum(axis=1).astype("float32")
y = (x[:, -1, 0] > x[:, 0, 0]).astype("float32")

model = keras.Sequential(
    [
        keras.Input((9, 3)),
        layers.LSTM(8),
        layers.Dense(1, activation="sigmoid"),
    ]
)
model.compile(optimizer=keras.optimizers.SGD(0.1), loss="binary_crossentropy")
model.fit(x, y, batch_size=32, epochs=2, verbose=0)
