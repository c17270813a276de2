import numpy as np
from tensorflow import keras
from tensorflow.keras.layers import *

TOKENS, WIDTH = 20, 16


class Encoder(Layer):
    def __init__(self, units, **kwargs):
        super().__init__(**kwargs)
        self.embedding = Embedding(TOKENS, 8)
        self.lstm = LSTM(units, return_sequences=True, return_state=True)

    def call(self, x):
        x = self.embedding(x)
        x, h, c = self.lstm(x)
        return x, [h, c]


class Decoder(Layer):
    """Words from the words before, what the encoder remembers and where it ended."""

    def __init__(self, units, **kwargs):
        super().__init__(**kwargs)
        self.embedding = Embedding(TOKENS, 8)
        self.lstm = LSTM(units, return_sequences=True)
        self.blend = Dense(units, activation="tanh")
        self.out = Dense(TOKENS)

    def call(self, x, states, memory=None):
        x = self.embedding(x)
        x = self.lstm(x, initial_state=states)
        x = x + self.blend(keras.backend.mean(memory, axis=1, keepdims=True))
        return self.out(x)


class Translator(keras.Model):
    def __init__(self, units):
        super().__init__()
        self.encoder = Encoder(units)
        self.decoder = Decoder(units)

    def call(self, inputs):
        source, target = inputs
        memory, states = self.encoder(source)
        return self.decoder(target, states, memory=memory)


rng = np.random.RandomState(0)
source = rng.randint(0, TOKENS, (240, 7))
target = np.flip(source, 1)
shifted = np.concatenate([np.zeros((240, 1), dtype="int64"), target[:, :-1]], 1)

model = Translator(WIDTH)
model.compile(
    optimizer="adam",
    loss=keras.losses.SparseCategoricalCrossentropy(from_logits=True),
    metrics=["accuracy"],
)
model.fit([source, shifted], target, batch_size=32, epochs=3)
print(model.predict([source[:2], shifted[:2]]).argmax(-1))
