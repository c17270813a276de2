"""A regression on sequences, by blocks of attention and gated units written out."""

import keras
import numpy as np
from keras import layers, ops

STEPS, FEATURES = 16, 12

rng = np.random.default_rng(0)
x_train = rng.random((128, STEPS, FEATURES)).astype("float32")
y_train = x_train[:, -1, :1] - x_train.mean(axis=(1, 2), keepdims=False)[:, None]
print("targets between", y_train.min(), "and", y_train.max())


def attend(x, heads, width):
    """Attention by hand."""
    q = layers.Dense(heads * width, use_bias=False)(x)
    k = layers.Dense(heads * width, use_bias=False)(x)
    v = layers.Dense(heads * width, use_bias=False)(x)
    q = ops.transpose(ops.reshape(q, (-1, STEPS, heads, width)), (0, 2, 1, 3))
    k = ops.transpose(ops.reshape(k, (-1, STEPS, heads, width)), (0, 2, 3, 1))
    v = ops.transpose(ops.reshape(v, (-1, STEPS, heads, width)), (0, 2, 1, 3))
    scores = ops.softmax(ops.matmul(q, k) / width**0.5, axis=-1)
    out = ops.transpose(ops.matmul(scores, v), (0, 2, 1, 3))
    out = ops.reshape(out, (-1, STEPS, heads * width))
    return layers.Dense(x.shape[-1])(out)


def block(x, heads, width, rate):
    h = layers.LayerNormalization()(x)
    x = x + layers.Dropout(rate)(attend(h, heads, width))
    h = layers.LayerNormalization()(x)
    h = layers.Dense(2 * x.shape[-1])(h)
    h = ops.silu(h) * ops.sigmoid(h)
    return x + layers.Dense(x.shape[-1])(h)


def build(depth=2, heads=2, width=8, rate=0.1):
    inputs = keras.Input((STEPS, FEATURES))
    x = inputs
    for _ in range(depth):
        x = block(x, heads, width, rate)
    mean, top = ops.mean(x, axis=1), ops.max(x, axis=1)
    x = ops.concatenate([mean, top, x[:, -1]], axis=-1)
    return keras.Model(inputs, layers.Dense(1)(x))


model = build()
model.compile("adam", "mse")
model.fit(x_train, y_train, batch_size=16, epochs=3)
