"""The next value of noisy waves, by a stack of dilated causal convolutions with gates."""

import keras
import numpy as np
from keras import layers

LENGTH = 48
FILTERS = 12
KERNEL_SIZE = 2
DEPTH = 4
STACKS = 2
BATCH_SIZE = 32
EPOCHS = 3

rng = np.random.default_rng(0)
time = np.arange(LENGTH + 1)
speed = rng.uniform(0.1, 0.6, size=(320, 1))
phase = rng.uniform(0, 2 * np.pi, size=(320, 1))
waves = np.sin(phase + speed * time) + rng.normal(scale=0.05, size=(320, LENGTH + 1))
waves = waves.astype("float32")[..., np.newaxis]
x, y = waves[:, :-1], waves[:, 1:]


def gated_block(x, filters, dilation_rate):
    """A gated convolution; what goes on to the next block, and what goes to the end."""
    tanh = layers.Conv1D(
        filters, KERNEL_SIZE, dilation_rate=dilation_rate, padding="causal", activation="tanh"
    )(x)
    gate = layers.Conv1D(
        filters, KERNEL_SIZE, dilation_rate=dilation_rate, padding="causal", activation="sigmoid"
    )(x)
    z = layers.Multiply()([tanh, gate])
    skip = layers.Conv1D(filters, 1)(z)
    return layers.Add()([x, skip]), skip


def build_model():
    inputs = keras.Input(shape=(LENGTH, 1))
    x = layers.Conv1D(FILTERS, KERNEL_SIZE, padding="causal")(inputs)
    skips = []
    for dilation_rate in [2**power for power in range(DEPTH)] * STACKS:
        x, skip = gated_block(x, FILTERS, dilation_rate)
        skips.append(skip)
    x = layers.Activation("relu")(layers.Add()(skips))
    x = layers.Conv1D(FILTERS, 1, activation="relu")(x)
    outputs = layers.Conv1D(1, 1)(x)
    return keras.Model(inputs, outputs, name="wavenet")


model = build_model()
model.compile(optimizer=keras.optimizers.SGD(0.02, momentum=0.9), loss="mse")
model.fit(x, y, batch_size=BATCH_SIZE, epochs=EPOCHS, validation_split=0.1, verbose=0)
print("error:", np.abs(model.predict(x[:32], verbose=0) - y[:32]).mean())
