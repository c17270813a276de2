"""Inception modules, put together at the top of the script."""

import keras
import numpy as np
from keras import layers

SIZE, CLASSES = 12, 3
WIDTHS = [4, 8]

rng = np.random.default_rng(5)
labels = rng.integers(0, CLASSES, size=240)
rows, cols = np.mgrid[:SIZE, :SIZE]
waves = np.stack([rows, cols, rows + cols])[labels] + rng.integers(0, 8, size=(240, 1, 1))
images = (np.sin(waves) + rng.normal(scale=0.5, size=waves.shape))[..., None].astype("float32")


def conv2d_bn(x, filters, num_row, num_col, strides=(1, 1), name=None):
    """Convolution without bias, normalisation without scale."""
    conv_name = name + "_conv" if name is not None else None
    x = layers.Conv2D(
        filters,
        (num_row, num_col),
        strides=strides,
        padding="same",
        use_bias=False,
        name=conv_name,
    )(x)
    x = layers.BatchNormalization(axis=3, scale=False)(x)
    return layers.Activation("relu")(x)


def inception_module(x, f1, f3, f5, reduced=4):
    b1 = conv2d_bn(x, f1, 1, 1)

    # a narrow layer before each wide kernel
    b3 = conv2d_bn(x, reduced, 1, 1)
    b3 = conv2d_bn(b3, f3, 3, 3)
    b5 = conv2d_bn(x, reduced, 1, 1)
    b5 = conv2d_bn(b5, f5, 5, 5)

    pool = layers.AveragePooling2D((3, 3), strides=(1, 1), padding="same")(x)
    pool = conv2d_bn(pool, reduced, 1, 1)
    return layers.concatenate([b1, b3, b5, pool], axis=3)


inputs = keras.Input(shape=(SIZE, SIZE, 1))
x = conv2d_bn(inputs, 8, 3, 3, strides=(2, 2), name="stem")
for width in WIDTHS:
    x = inception_module(x, width, 2 * width, width)
x = layers.GlobalAveragePooling2D()(x)
outputs = layers.Dense(CLASSES, activation="softmax")(x)
model = keras.Model(inputs, outputs)

model.compile(
    optimizer=keras.optimizers.Adam(learning_rate=1e-4),
    loss="sparse_categorical_crossentropy",
    metrics=["accuracy"],
)
model.fit(images, labels, batch_size=40, epochs=4, verbose=0)
print(model.evaluate(images, labels, verbose=0))
