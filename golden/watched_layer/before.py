"""A layer that asks for small activations, and logs how large they are."""

import numpy as np
import tensorflow as tf
from tensorflow import keras
from tensorflow.keras import layers

rng = np.random.default_rng(2)
x = rng.normal(size=(200, 8)).astype("float32")
y = (np.abs(x[:, :1]) + 0.1 * x[:, 1:2]).astype("float32")


class Watched(layers.Layer):
    """Passes its input on."""

    def __init__(self, rate, **kwargs):
        super().__init__(**kwargs)
        self.rate = rate

    def call(self, inputs):
        self.add_loss(self.rate * tf.reduce_mean(tf.square(inputs)))
        self.add_metric(tf.reduce_mean(tf.abs(inputs)), name="size", aggregation="mean")
        return inputs


inputs = keras.Input(shape=(8,))
hidden = layers.Dense(16, activation="relu")(inputs)
hidden = Watched(1e-2)(hidden)
hidden = layers.Dense(16, activation="relu", activity_regularizer=keras.regularizers.l1(1e-4))(
    hidden
)
model = keras.Model(inputs, layers.Dense(1)(hidden))

model.compile(optimizer=keras.optimizers.SGD(0.05), loss="mse", metrics=["mae"])
history = model.fit(x, y, batch_size=24, epochs=6, validation_split=0.2)
print("sizes:", history.history["size"], history.history["val_size"])
print(model.evaluate(x, y, return_dict=True))
