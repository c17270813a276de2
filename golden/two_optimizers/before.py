"""Adam finds the way; with the first layers frozen, SGD with momentum goes on from there."""

import keras
import numpy as np
from keras import layers

EPOCHS = 3
FROZEN = ("first", "second")

rng = np.random.default_rng(0)
x = rng.normal(size=(288, 10)).astype("float32")
y = np.sin(x @ rng.normal(size=(10, 1))).astype("float32")

model = keras.Sequential(
    [
        keras.Input((10,)),
        layers.Dense(24, activation="tanh", name="first"),
        layers.Dense(16, activation="tanh", name="second"),
        layers.Dense(8, activation="tanh", name="third"),
        layers.Dense(1, name="last"),
    ]
)

# far from the goal
model.compile(optimizer="adam", loss="mse", metrics=["mae"])
model.fit(x, y, epochs=EPOCHS, validation_split=0.1, verbose=0)

for name in FROZEN:
    model.get_layer(name).trainable = False

# close to it
model.compile(
    optimizer=keras.optimizers.SGD(learning_rate=1e-2, momentum=0.9), loss="mse", metrics=["mae"]
)
model.fit(x, y, epochs=EPOCHS, validation_split=0.1, verbose=0)
print(model.evaluate(x, y, verbose=0))
