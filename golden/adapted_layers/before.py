"""Prices of flats from figures, the words of an advertisement and the name of a district."""

import keras
import numpy as np
from keras import layers

MAX_TOKENS = 30
LENGTH = 6

rng = np.random.default_rng(0)
figures = rng.normal([70, 3, 40], [25, 1, 20], (256, 3)).astype("float32")
words = "bright quiet flat with a large balcony near the park, newly renovated!".split()
texts = [" ".join(rng.choice(words, rng.integers(3, 10))) for _ in range(256)]
districts = rng.choice(["north", "south", "east", "harbour"], (256, 1))
prices = (figures[:, 0] / 20 + ["park" in t for t in texts] + (districts == "harbour")[:, 0]).astype(
    "float32"
)

# what the layers learn comes from the training data alone
TRAIN = 192
normalize = layers.Normalization(name="figures")
normalize.adapt(figures[:TRAIN])
vectorize = layers.TextVectorization(max_tokens=MAX_TOKENS, output_sequence_length=LENGTH)
vectorize.adapt(texts[:TRAIN])
lookup = layers.StringLookup(output_mode="one_hot")
lookup.adapt(districts[:TRAIN])
print(vectorize.get_vocabulary()[:4], lookup.vocabulary_size())
print(vectorize(["A quiet flat on the moon"]).numpy())

tokens = vectorize(texts)
where = lookup(districts)


def build(normalize):
    numbers = keras.Input((3,))
    words = keras.Input((LENGTH,), dtype="int64")
    district = keras.Input((5,))
    x = normalize(numbers)
    y = layers.GlobalAveragePooling1D()(layers.Embedding(MAX_TOKENS, 8)(words))
    x = layers.Concatenate()([x, y, district])
    x = layers.Dense(32, activation="relu")(x)
    return keras.Model([numbers, words, district], layers.Dense(1)(x))


model = build(normalize)
model.compile(keras.optimizers.SGD(0.01, momentum=0.9), "mse", metrics=["mae"])
history = model.fit(
    [figures[:TRAIN], tokens[:TRAIN], where[:TRAIN]], prices[:TRAIN], batch_size=16, epochs=4
)
print(history.history["mae"])
print(model.evaluate([figures[TRAIN:], tokens[TRAIN:], where[TRAIN:]], prices[TRAIN:]))
