"""Readings of eight sensors: layers of its author's own between Keras's."""
import numpy as np
import tensorflow as tf
from tensorflow import keras
from tensorflow.keras import backend as K
from tensorflow.keras import layers

LATENT = 12


@keras.utils.register_keras_serializable(package="sensors")
class Linear(layers.Layer):
    """A dense layer by hand, with a factor that is learnt for each output."""

    def __init__(self, units, **kwargs):
        super(Linear, self).__init__(**kwargs)
        self.units = units

    def build(self, input_shape):
        self.kernel = self.add_weight(
            name="kernel", shape=(input_shape[-1], self.units), initializer="he_normal"
        )
        self.bias = self.add_weight(name="bias", shape=(self.units,), initializer="zeros")
        # starts at one, so that the layer starts as a plain one
        self.factor = self.add_weight("factor", (self.units,), initializer="ones")
        super(Linear, self).build(input_shape)

    def call(self, inputs):
        return self.factor * K.dot(inputs, self.kernel) + self.bias

    def compute_output_shape(self, input_shape):
        return input_shape[0], self.units

    def get_config(self):
        config = super().get_config()
        config.update({"units": self.units})
        return config


class BothSigns(layers.Layer):
    """What is above the mean and what is below it, side by side."""

    def call(self, inputs):
        inputs -= K.mean(inputs, axis=1, keepdims=True)
        inputs = tf.math.l2_normalize(inputs, axis=1)
        return tf.concat([tf.nn.relu(inputs), tf.nn.relu(-inputs)], axis=-1)


class Gate(layers.Layer):
    """One tensor decides how much of another gets through."""

    def __init__(self, units, name=None):
        super().__init__(name=name)
        self.dense = layers.Dense(units, activation="sigmoid", kernel_regularizer="l2")

    def call(self, inputs):
        signal, control = inputs
        return signal * self.dense(control)


rng = np.random.RandomState(2)
x = rng.normal(size=(640, 8)).astype("float32")
y = (x[:, :4].max(axis=1) > x[:, 4:].max(axis=1)).astype("float32")

inputs = keras.Input(shape=(8,), name="readings")
hidden = BothSigns()(Linear(LATENT, name="hidden")(inputs))
gated = Gate(2 * LATENT, name="gate")([hidden, inputs])
outputs = layers.Dense(1, activation="sigmoid")(Linear(6)(gated))
model = keras.Model(inputs, outputs)
model.compile(optimizer="rmsprop", loss="binary_crossentropy", metrics=["accuracy"])
model.fit(x[:512], y[:512], epochs=3, batch_size=32, validation_data=(x[512:], y[512:]))
print("accuracy:", model.evaluate(x[512:], y[512:], verbose=0)[1])
