"""Reviews and the readings that came with them: masks inside classes of the script."""
import keras
import numpy as np
from keras import layers

WORDS = 60
LONGEST = 10
STEPS = 6
MISSING = -9.0

rng = np.random.default_rng(23)
reviews = rng.integers(1, WORDS, size=(300, LONGEST))
reviews[np.arange(LONGEST) >= rng.integers(1, LONGEST + 1, 300)[:, None]] = 0
readings = rng.normal(size=(300, STEPS, 2)).astype("float32")
liked = (reviews % 7 == 1).sum(axis=1) + readings[..., 0].mean(axis=1) > 1
# what was not read is missing throughout
readings[rng.random((300, STEPS)) < 0.3] = MISSING


class Words(layers.Layer):
    """What a review says: padding is read by none of the two layers."""

    def __init__(self, width, **kwargs):
        super().__init__(**kwargs)
        self.embedding = layers.Embedding(WORDS, width, mask_zero=True)
        self.dropout = layers.Dropout(0.1)
        self.first = layers.GRU(width, return_sequences=True)
        self.second = layers.LSTM(width)

    def call(self, tokens):
        # zeros are no words
        x = self.embedding(tokens)
        x = self.first(self.dropout(x))
        return self.second(x)


class Readings(layers.Layer):
    """The mean of what was measured."""

    def __init__(self, width, **kwargs):
        super().__init__(**kwargs)
        self.masking = layers.Masking(mask_value=MISSING)
        self.dense = layers.Dense(width, activation="tanh")
        self.mean = layers.GlobalAveragePooling1D()

    def call(self, values):
        return self.mean(self.dense(self.masking(values)))


class Opinion(keras.Model):
    def __init__(self):
        super().__init__()
        self.words = Words(8)
        self.readings = Readings(6)
        self.out = layers.Dense(1, activation="sigmoid")

    def call(self, inputs):
        tokens, values = inputs
        both = keras.ops.concatenate([self.words(tokens), self.readings(values)], axis=-1)
        return self.out(both)


model = Opinion()
model.compile(
    optimizer=keras.optimizers.SGD(0.1, momentum=0.9),
    loss="binary_crossentropy",
    metrics=["accuracy"],
)
x, y = [reviews, readings], liked.astype("float32")
model.fit(x, y, batch_size=20, epochs=4, verbose=2)
loss, accuracy = model.evaluate(x, y, verbose=0)
print(f"loss {loss:.4f}, accuracy {accuracy:.3f}")
