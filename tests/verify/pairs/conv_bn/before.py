"""Where in a small picture is the bright spot: convolutions with stride and batch normalisation."""

import keras
import numpy as np
from keras import layers

EPOCHS = 3

rng = np.random.default_rng(0)
x = rng.normal(size=(192, 12, 12, 2)).astype("float32")
y = rng.integers(0, 2, size=192)
x[y == 0, 2:5, 2:5] += 1.5
x[y == 1, 7:10, 7:10] += 1.5

inputs = keras.Input(shape=(12, 12, 2))
z = layers.Conv2D(6, 3, strides=2, padding="same", use_bias=False)(inputs)
z = layers.BatchNormalization(momentum=0.8)(z)
z = layers.Activation("tanh")(z)
z = layers.DepthwiseConv2D(3, activation="tanh")(z)
z = layers.Flatten()(z)
outputs = layers.Dense(2)(z)
model = keras.Model(inputs, outputs)

model.compile(
    optimizer=keras.optimizers.SGD(0.05, momentum=0.9),
    loss=keras.losses.SparseCategoricalCrossentropy(from_logits=True),
)
model.fit(x, y, epochs=EPOCHS, batch_size=16, validation_split=0.25, verbose=0)
