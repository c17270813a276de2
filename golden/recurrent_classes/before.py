"""Running sums, read by an encoder and written by a decoder that goes on with its states."""

import keras
import numpy as np
from keras import layers, ops

STEPS = 12

rng = np.random.default_rng(4)
x = rng.normal(size=(192, STEPS, 3)).astype("float32")
y = np.cumsum(x[:, ::-1, :1], axis=1).astype("float32") / 3


class Encoder(layers.Layer):
    def __init__(self, units):
        super().__init__()
        self.lstm = layers.LSTM(units, return_sequences=True, return_state=True)
        self.gru = layers.GRU(units, return_state=True)

    def call(self, inputs):
        sequence, h, c = self.lstm(inputs)
        last, state = self.gru(sequence)
        return sequence, h + 0.1 * last, c, state


class Decoder(layers.Layer):
    """Starts where the encoder ended."""

    def __init__(self, units):
        super().__init__()
        self.lstm = layers.LSTM(units, return_sequences=True)
        self.gru = layers.GRU(units, return_sequences=True, return_state=True)
        self.out = layers.Dense(1)

    def call(self, sequence, h, c, state):
        x = self.lstm(ops.flip(sequence, axis=1), initial_state=[h, c])
        x, state = self.gru(x, initial_state=state)
        return self.out(x) + 0.1 * ops.expand_dims(ops.mean(state, axis=-1, keepdims=True), 1)


class Summing(keras.Model):
    def __init__(self, units):
        super().__init__()
        self.encoder = Encoder(units)
        self.decoder = Decoder(units)

    def call(self, inputs):
        sequence, h, c, state = self.encoder(inputs)
        return self.decoder(sequence, h, c, state)


model = Summing(10)
model.compile(optimizer=keras.optimizers.Adam(0.005), loss="mse", metrics=["mae"])
model.fit(x, y, batch_size=32, epochs=6, validation_split=1 / 3)
print(model.predict(x[:2])[:, -1])
