"""A small U-Net that finds bright discs."""

import keras
import numpy as np
from keras import layers

SIZE = 16
FILTERS = [8, 16]
EPOCHS = 4


def make_discs(n, seed):
    rng = np.random.default_rng(seed)
    rows, cols = np.mgrid[:SIZE, :SIZE]
    centers = rng.uniform(4, SIZE - 4, size=(n, 2))
    far = (rows - centers[:, :1, None]) ** 2 + (cols - centers[:, 1:, None]) ** 2
    masks = (far < 9).astype("float32")[..., None]
    images = masks + rng.normal(scale=0.5, size=masks.shape)
    return images.astype("float32"), masks


def conv_block(x, filters):
    """Two convolutions."""
    x = layers.Conv2D(filters, 3, padding="same", activation="relu")(x)
    x = layers.Conv2D(filters, 3, padding="same", activation="relu")(x)
    return x


def build_unet(input_shape, filters):
    inputs = keras.Input(shape=input_shape)
    x = inputs
    skips = []
    # the way down
    for width in filters:
        x = conv_block(x, width)
        skips.append(x)
        x = layers.MaxPooling2D(2)(x)

    x = conv_block(x, 2 * filters[-1])

    # the way up
    for width, skip in zip(reversed(filters), reversed(skips)):
        x = layers.UpSampling2D(2)(x)
        x = layers.concatenate([x, skip])
        x = conv_block(x, width)

    outputs = layers.Conv2D(1, 1, activation="sigmoid")(x)
    return keras.Model(inputs, outputs, name="unet")


x_train, y_train = make_discs(160, seed=0)
x_test, y_test = make_discs(40, seed=1)

model = build_unet((SIZE, SIZE, 1), FILTERS)
model.compile(
    optimizer=keras.optimizers.Adam(learning_rate=1e-4),
    loss="binary_crossentropy",
    metrics=["mae"],
)
model.fit(x_train, y_train, batch_size=32, epochs=EPOCHS, verbose=0)
loss, mae = model.evaluate(x_test, y_test, verbose=0)
print("loss:", loss, "mae:", mae)
