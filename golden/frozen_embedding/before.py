"""Sentences on random word vectors that stay as they are, until the rest knows what to do."""

import keras
import numpy as np
from keras import layers

WORDS = 50
LENGTH = 12

rng = np.random.default_rng(0)
sentences = rng.integers(1, WORDS, size=(256, LENGTH))
labels = ((sentences % 7 == 0).sum(axis=1) > 1).astype("float32")


def classifier(units):
    return keras.Sequential(
        [
            keras.Input((LENGTH,), dtype="int32"),
            layers.Embedding(WORDS, 16, trainable=False, name="vectors"),
            layers.Conv1D(units, 3, activation="relu", trainable=False),
            layers.GlobalMaxPooling1D(),
            layers.Dense(1, activation="sigmoid"),
        ]
    )


model = classifier(24)
model.compile(optimizer=keras.optimizers.SGD(0.1, momentum=0.9), loss="binary_crossentropy")
model.fit(sentences, labels, batch_size=32, epochs=2, verbose=0)

model.get_layer("vectors").trainable = True
model.compile(optimizer=keras.optimizers.SGD(0.05, momentum=0.9), loss="binary_crossentropy")
model.fit(sentences, labels, batch_size=32, epochs=2, verbose=0)
print(model.evaluate(sentences, labels, verbose=0))
