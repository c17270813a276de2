"""Small images, with an activation, initializers, regularizers and constraints of the script's own."""

import keras
import numpy as np
from keras import layers, ops

CLASSES = 4

rng = np.random.default_rng(3)
x = rng.normal(size=(256, 10, 10, 2)).astype("float32")
y = (x[:, :5].mean(axis=(1, 2, 3)) > 0) * 2 + (x[:, :, :5, 0].mean(axis=(1, 2)) > 0)


def softened(x):
    """A smooth step that does not saturate."""
    return x * ops.sigmoid(1.5 * x) + 0.1 * ops.tanh(x)


def centred(x):
    return x - ops.mean(x, axis=-1, keepdims=True)


def small_normal(shape, dtype=None):
    return keras.random.normal(shape, stddev=0.05, dtype=dtype)


class Spread(keras.initializers.Initializer):
    """Uniform up to a width."""

    def __init__(self, width):
        self.width = width

    def __call__(self, shape, dtype=None):
        return keras.random.uniform(shape, -self.width, self.width, dtype=dtype)

    def get_config(self):
        return {"width": self.width}


def ridge(w):
    return 2e-3 * ops.sum(ops.square(w))


class Orthogonal(keras.regularizers.Regularizer):
    """Columns of the kernel are kept at right angles."""

    def __init__(self, strength):
        self.strength = strength

    def __call__(self, w):
        products = ops.matmul(ops.transpose(w), w)
        return self.strength * ops.sum(ops.square(products - ops.eye(w.shape[-1])))

    def get_config(self):
        return {"strength": self.strength}


class Bounded(keras.constraints.Constraint):
    def __init__(self, bound=1.0):
        self.bound = bound

    def __call__(self, w):
        return ops.clip(w, -self.bound, self.bound)


class Gate(layers.Layer):
    """Weighs the features, and asks for few of them."""

    def build(self, input_shape):
        self.gain = self.add_weight(name="gain", shape=(input_shape[-1],), initializer="ones")

    def call(self, inputs):
        gate = ops.sigmoid(self.gain)
        self.add_loss(1e-3 * ops.sum(gate))
        return gate * inputs


model = keras.Sequential(
    [
        keras.Input((10, 10, 2)),
        layers.Conv2D(
            8,
            3,
            activation=softened,
            kernel_initializer=small_normal,
            kernel_constraint=Bounded(0.2),
        ),
        layers.Conv2D(
            8,
            3,
            strides=2,
            activation=centred,
            activity_regularizer="l2",
            kernel_initializer=Spread(0.1),
        ),
        layers.Flatten(),
        layers.Dense(16, activation="relu", kernel_regularizer=Orthogonal(1e-3)),
        Gate(),
        layers.Dense(
            CLASSES,
            activation="softmax",
            kernel_regularizer=ridge,
            kernel_constraint=keras.constraints.MaxNorm(1.5),
            bias_constraint="non_neg",
        ),
    ]
)
model.compile(
    optimizer=keras.optimizers.SGD(0.05, momentum=0.9),
    loss="sparse_categorical_crossentropy",
    metrics=["accuracy"],
)
model.fit(x, y, batch_size=32, epochs=6, validation_split=0.25)
