"""Which half of the vocabulary do a sentence's words come from: embedding and recurrent layers."""

import keras
import numpy as np
from keras import layers

rng = np.random.default_rng(0)
x = rng.integers(1, 40, size=(160, 9))
y = (x.mean(axis=1) > 20).astype("float32")

model = keras.Sequential()
model.add(keras.Input(shape=(9,)))
model.add(layers.Embedding(40, 6))
model.add(layers.Bidirectional(layers.LSTM(5, return_sequences=True, dropout=0.2)))
model.add(layers.GRU(4, recurrent_dropout=0.2))
model.add(layers.Dense(1, activation="sigmoid"))
model.compile(optimizer=keras.optimizers.SGD(0.5), loss="binary_crossentropy", metrics=["accuracy"])

print("before training:", model.evaluate(x, y, verbose=0))
model.fit(x, y, epochs=2, batch_size=32, verbose=0)
model.fit(x, y, epochs=1, batch_size=40, verbose=0)
