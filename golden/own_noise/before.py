"""Which of three springs a noisy oscillation belongs to: a bottleneck with noise of its own."""
import keras
import numpy as np
from keras import layers, ops


class Sampling(layers.Layer):
    """Draws a code around its mean."""

    def __init__(self, seed=None, **kwargs):
        super().__init__(**kwargs)
        # other draws at every step
        self.seeds = keras.random.SeedGenerator(seed)

    def call(self, inputs):
        mean, log_var = inputs
        batch = ops.shape(mean)[0]
        size = ops.shape(mean)[1]
        noise = keras.random.normal(shape=(batch, size), seed=self.seeds)
        return mean + ops.exp(0.5 * log_var) * noise


class Bottleneck(layers.Layer):
    """Few numbers say it all; in training they are not exact."""

    def __init__(self, units, activation="tanh"):
        super().__init__()
        self.activation = keras.activations.get(activation)
        self.mean = layers.Dense(units)
        self.log_var = layers.Dense(units, kernel_initializer="zeros", bias_initializer="zeros")
        self.sampling = Sampling(seed=3)

    def call(self, inputs, training=False):
        mean = self.activation(self.mean(inputs))
        log_var = self.log_var(inputs) - 4.0
        if training:
            mean = self.sampling([mean, log_var])
        return mean


class Net(keras.Model):
    def __init__(self, units, classes):
        super().__init__()
        self.hidden = layers.Dense(24, activation="relu")
        self.bottleneck = Bottleneck(units)
        self.classify = layers.Dense(classes, activation="softmax")
        self.seeds = keras.random.SeedGenerator(4)

    def call(self, inputs, training=False):
        x = self.hidden(inputs)
        if training:
            x = keras.random.dropout(x, 0.1, seed=self.seeds)
        x = self.bottleneck(x, training=training)
        return self.classify(x)


rng = np.random.RandomState(6)
spring = rng.randint(0, 3, size=480)
t = np.linspace(0, 6, 30)
phase = rng.uniform(0, 6, size=(480, 1))
waves = np.sin((1 + spring[:, None]) * t + phase) + 0.2 * rng.normal(size=(480, 30))

model = Net(units=4, classes=3)
model.build((None, 30))
model.compile(optimizer="adam", loss="sparse_categorical_crossentropy", metrics=["accuracy"])
model.fit(waves[:400], spring[:400], epochs=4, batch_size=40, verbose=2)
print("first:", model(waves[:2].astype("float32")).shape)
print("test:", model.evaluate(waves[400:], spring[400:], verbose=0))
