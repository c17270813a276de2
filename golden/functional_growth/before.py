"""Dense blocks that grow, and channels that are weighed."""

import keras
import numpy as np
from keras import layers

SIZE, CLASSES = 12, 3
GROWTH = 4
BLOCKS = [2, 2]

rng = np.random.default_rng(7)
labels = rng.integers(0, CLASSES, size=200)
rows, cols = np.mgrid[:SIZE, :SIZE]
waves = np.stack([rows, cols, rows + cols])[labels] + rng.integers(0, 8, size=(200, 1, 1))
images = (np.sin(waves) + rng.normal(scale=0.5, size=waves.shape))[..., None].astype("float32")


def dense_block(x, blocks, growth):
    """Every layer sees all maps before it."""
    for _ in range(blocks):
        y = layers.BatchNormalization()(x)
        y = layers.Activation("relu")(y)
        y = layers.Conv2D(growth, 3, padding="same")(y)
        x = layers.Concatenate()([x, y])
    return x


def weigh_channels(x, ratio=2):
    channels = x.shape[-1]
    weights = layers.GlobalAveragePooling2D()(x)
    weights = layers.Dense(channels // ratio, activation="relu")(weights)
    weights = layers.Dense(channels, activation="sigmoid")(weights)
    weights = layers.Reshape((1, 1, channels))(weights)
    return layers.multiply([x, weights])


def build(shape, blocks, growth):
    inputs = keras.Input(shape=shape)
    x = layers.Conv2D(2 * growth, 3, padding="same")(inputs)
    x = dense_block(x, blocks[0], growth)
    x = layers.AveragePooling2D(2)(x)
    x = dense_block(x, blocks[1], growth)
    x = weigh_channels(x)
    x = layers.GlobalAveragePooling2D()(x)
    outputs = layers.Dense(CLASSES, activation="softmax")(x)
    return keras.Model(inputs, outputs, name="growing")


model = build((SIZE, SIZE, 1), BLOCKS, GROWTH)
model.compile(
    optimizer=keras.optimizers.Adam(learning_rate=1e-4),
    loss="sparse_categorical_crossentropy",
    metrics=["accuracy"],
)
model.fit(images, labels, batch_size=40, epochs=4, verbose=0)
print(model.evaluate(images, labels, verbose=0))
