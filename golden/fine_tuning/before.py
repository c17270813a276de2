"""A network learned on one task is tuned to another: first its new head, then slowly all of it."""

import keras
import numpy as np
from keras import layers

BATCH_SIZE = 32
EPOCHS = 3

rng = np.random.default_rng(0)
x = rng.normal(size=(320, 12)).astype("float32")
directions = rng.normal(size=(12, 3)).astype("float32")
sources = (x @ directions).argmax(axis=1)
targets = (np.tanh(x @ directions[:, :1]) + 0.3 * x[:, :1] ** 2).astype("float32")

# what the network knows
inputs = keras.Input((12,), name="signal")
hidden = layers.Dense(32, activation="tanh", name="hidden")(inputs)
hidden = layers.Dense(16, activation="tanh", name="features")(hidden)
base = keras.Model(inputs, hidden, name="base")
outputs = layers.Dense(3, activation="softmax", name="kinds")(base(inputs))
source = keras.Model(inputs, outputs, name="source")
source.compile(
    optimizer=keras.optimizers.SGD(0.1, momentum=0.9),
    loss="sparse_categorical_crossentropy",
)
source.fit(x, sources, batch_size=BATCH_SIZE, epochs=EPOCHS, verbose=0)

# a new head on frozen features
base.trainable = False
inputs = keras.Input((12,), name="signal")
outputs = layers.Dense(1, name="level")(base(inputs))
model = keras.Model(inputs, outputs, name="tuned")
model.compile(optimizer=keras.optimizers.SGD(0.05, momentum=0.9), loss="mse", metrics=["mae"])
model.fit(x[:256], targets[:256], batch_size=BATCH_SIZE, epochs=EPOCHS, verbose=0)
print("head", model.evaluate(x[256:], targets[256:], verbose=0))

# the last layer of the base learns too, slowly
base.trainable = True
for layer in base.layers[:-1]:
    layer.trainable = False
rate = 0.01
model.compile(optimizer=keras.optimizers.SGD(rate, momentum=0.9), loss="mse", metrics=["mae"])
history = model.fit(x[:256], targets[:256], batch_size=BATCH_SIZE, epochs=EPOCHS, verbose=0)
print("tuned", model.evaluate(x[256:], targets[256:], verbose=0))
print(history.history["loss"])
