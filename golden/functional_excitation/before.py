"""A small convolutional net whose blocks weigh their channels (squeeze and excitation)."""

import numpy as np
import tensorflow as tf
from tensorflow import keras
from tensorflow.keras import backend as K
from tensorflow.keras import layers

rng = np.random.RandomState(2)
x = rng.rand(192, 16, 16, 3).astype("float32")
y = (x[:, :8].mean(axis=(1, 2, 3)) > x[:, 8:].mean(axis=(1, 2, 3))).astype("int64")
print("images:", x.shape, "of them brighter above:", y.mean())


def swish(t):
    return t * tf.sigmoid(t)


def squeeze_excite(t, ratio=4):
    filters = K.int_shape(t)[-1]
    s = tf.reduce_mean(t, axis=[1, 2], keepdims=True)
    s = layers.Dense(filters // ratio, activation="relu")(s)
    s = layers.Dense(filters, activation="sigmoid")(s)
    return t * s


def conv_block(t, filters, stride=1):
    t = layers.Conv2D(filters, 3, strides=stride, padding="same", use_bias=False)(t)
    t = layers.BatchNormalization()(t)
    t = swish(t)
    return squeeze_excite(t)


def build(widths=(8, 16, 16)):
    inputs = layers.Input((16, 16, 3))
    t = inputs
    for width in widths:
        t = conv_block(t, width, stride=2)
    t = tf.reduce_max(t, axis=[1, 2])  # over the places
    outputs = layers.Dense(2, activation="softmax")(t)
    return keras.Model(inputs, outputs)


model = build()
model.compile("adam", "sparse_categorical_crossentropy", metrics=["accuracy"])
model.fit(x, y, batch_size=32, epochs=5, validation_split=1 / 3)
