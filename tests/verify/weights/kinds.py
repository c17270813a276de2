"""Keras models with the kinds of layers that no golden script has, for both Keras."""

import keras
import numpy as np
from keras import layers

RNG = np.random.default_rng(3)


class Residual(keras.Model):
    """A subclassed model; its attributes are not in the order of its layers' names."""

    def __init__(self):
        super().__init__()
        self.z_first = layers.Dense(5)
        self.blocks = [layers.Dense(5), layers.Dense(5)]
        self.norm = layers.BatchNormalization()
        self.attention = layers.MultiHeadAttention(2, 3)
        self.a_last = keras.Sequential([layers.Dense(4), layers.Dense(2)])

    def call(self, x):
        x = self.z_first(x)
        for block in self.blocks:
            x = x + block(x)
        x = self.norm(x)
        return self.a_last(x + self.attention(x, x))


def images():
    """Nested models, separable, depthwise and transposed convolutions, norms, a shared layer."""
    inner = keras.Sequential(
        [
            layers.Conv2D(4, 3, use_bias=False),
            layers.BatchNormalization(),
            layers.PReLU(shared_axes=[1, 2]),
        ],
        name="stem",
    )
    inputs = keras.Input((10, 10, 3))
    x = layers.SeparableConv2D(6, 3)(inner(inputs))
    x = layers.DepthwiseConv2D(3, depth_multiplier=2)(x)
    x = layers.Conv2DTranspose(3, 2)(x)
    x = layers.LayerNormalization()(x)
    x = layers.GlobalAveragePooling2D()(x)
    shared = layers.Dense(3, name="shared")
    x = layers.Dense(3, name="before")(shared(shared(x)))
    return keras.Model(inputs, layers.Dense(2)(x))


def words():
    return keras.Sequential(
        [
            keras.Input((7,), dtype="int32"),
            layers.Embedding(20, 6, name="table"),
            layers.Bidirectional(layers.LSTM(4, return_sequences=True)),
            layers.LSTM(4, return_sequences=True),
            layers.TimeDistributed(layers.Dense(8)),
            layers.Bidirectional(layers.GRU(4, return_sequences=True)),
            layers.GRU(5, return_sequences=True, use_bias=False),
            layers.SimpleRNN(3),
            layers.Dense(2, name="answer"),
        ]
    )


def branches():
    """Two branches of one shape: the deeper one is made second and listed first."""
    inputs = keras.Input((4,))
    short = layers.Dense(4)(inputs)
    long = layers.Dense(4)(layers.Dense(4)(inputs))
    return keras.Model(inputs, layers.Dense(1)(layers.Concatenate()([short, long])))


def models():
    numbers = RNG.normal(size=(6, 4)).astype("float32")
    return {
        "residual": (Residual(), RNG.normal(size=(6, 3, 5)).astype("float32")),
        "images": (images(), RNG.normal(size=(6, 10, 10, 3)).astype("float32")),
        "words": (words(), RNG.integers(0, 20, size=(6, 7))),
        "branches": (branches(), numbers),
    }
