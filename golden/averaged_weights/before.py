"""Regression whose weights are averaged on the way."""

import keras
import numpy as np
from keras import layers

rng = np.random.default_rng(0)
x = rng.normal(size=(320, 8)).astype("float32")
y = 2 * x[:, :1] + 0.1 * rng.normal(size=(320, 1)).astype("float32")

model = keras.Sequential(
    [
        keras.Input((8,)),
        layers.Dense(16, activation="relu"),
        layers.Dense(1),
    ]
)
optimizer = keras.optimizers.AdamW(
    0.01,
    weight_decay=1e-3,
    use_ema=True,
    ema_momentum=0.9,
    ema_overwrite_frequency=7,
    global_clipnorm=0.05,
)
model.compile(optimizer, loss="huber", metrics=["mae", keras.metrics.R2Score(name="r2")])
model.fit(x, y, batch_size=16, epochs=3, validation_split=0.1, verbose=0)
scores = model.evaluate(x, y, verbose=0)
print(scores)
