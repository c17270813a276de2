"""Highway layers with an activation of their choice, weights that are penalised and held."""

import numpy as np
import tensorflow as tf
from tensorflow import keras
from tensorflow.keras import layers

rng = np.random.default_rng(8)
x = rng.normal(size=(256, 12)).astype("float32")
y = (np.sin(x[:, :3]).sum(axis=1, keepdims=True) + 0.1 * x[:, 3:4]).astype("float32")


class Highway(layers.Layer):
    """A gate lets part of the input by."""

    def __init__(self, activation="relu", start="glorot_uniform", penalty="l2", bound="unit_norm", **kwargs):
        super(Highway, self).__init__(**kwargs)
        self.activation = keras.activations.get(activation)
        self.start = keras.initializers.get(start)
        self.penalty = keras.regularizers.get(penalty)
        self.bound = keras.constraints.get(bound)

    def build(self, input_shape):
        width = input_shape[-1]
        self.kernel = self.add_weight(
            name="kernel",
            shape=(width, width),
            initializer=self.start,
            regularizer=self.penalty,
        )
        self.gate = self.add_weight(
            name="gate", shape=(width, width), initializer=self.start, constraint=self.bound
        )
        self.bias = self.add_weight(
            name="bias", shape=(width,), initializer="zeros", constraint="non_neg"
        )
        super().build(input_shape)

    def call(self, inputs, mask=None):
        gate = tf.sigmoid(tf.matmul(inputs, self.gate) - 1.0)
        changed = self.activation(tf.matmul(inputs, self.kernel) + self.bias)
        return gate * changed + (1.0 - gate) * inputs

    @classmethod
    def from_config(cls, config):
        return cls(**config)


model = keras.Sequential(
    [
        keras.Input((12,)),
        Highway(),
        Highway("tanh"),
        Highway(activation="elu"),
        layers.Dense(1),
    ]
)
model.compile(optimizer=keras.optimizers.SGD(0.05), loss="mse")
model.fit(x, y, batch_size=32, epochs=6, validation_split=0.25)
