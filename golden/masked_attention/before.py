"""Which of two words comes first? Attention that leaves padding out, its weights a second output."""
import numpy as np
import tensorflow as tf
from tensorflow import keras
from tensorflow.keras import layers

WORDS = 25
LENGTH = 8
WIDTH = 12

rng = np.random.RandomState(17)
x = rng.randint(3, WORDS, size=(320, LENGTH))
lengths = rng.randint(3, LENGTH + 1, size=320)
x[np.arange(LENGTH) >= lengths[:, None]] = 0
y = rng.randint(0, 2, size=320)
for row, length, first in zip(x, lengths, y):
    one, other = sorted(rng.choice(length, 2, replace=False))
    row[one], row[other] = (1, 2) if first else (2, 1)


class Reader(layers.Layer):
    """Looks from every word at those that are there."""

    def __init__(self, heads, width, **kwargs):
        super().__init__(**kwargs)
        self.attention = layers.MultiHeadAttention(num_heads=heads, key_dim=width, use_bias=False)
        self.norm = layers.LayerNormalization()

    def call(self, inputs):
        words, there = inputs
        seen = there[:, tf.newaxis, :]
        read, weights = self.attention(
            query=words,
            value=words,
            attention_mask=seen,
            return_attention_scores=True,
        )
        return self.norm(words + read), weights


tokens = layers.Input(shape=(LENGTH,), dtype="int32")
places = layers.Embedding(WORDS, WIDTH, mask_zero=True)(tokens)
h = layers.LSTM(WIDTH, return_sequences=True)(places)
# the mask goes with the sequence, into the attention and through it
seen = layers.MultiHeadAttention(2, 6, dropout=0.1, use_bias=False)(h, h, use_causal_mask=True)
h = layers.LayerNormalization()(layers.Add()([h, seen]))
pooled = layers.GlobalAveragePooling1D()(h)
plain = layers.Embedding(WORDS, WIDTH)(tokens)
read, weights = Reader(2, 5)([plain, tf.not_equal(tokens, 0)])
h = layers.concatenate([pooled, layers.GlobalMaxPooling1D()(read)])
answer = layers.Dense(1, activation="sigmoid")(h)
model = keras.Model(tokens, answer)
model.compile("sgd", "binary_crossentropy", metrics=["accuracy"])
model.fit(x[:256], y[:256], batch_size=16, epochs=4, validation_data=(x[256:], y[256:]), verbose=2)
print("accuracy: %.3f" % model.evaluate(x[256:], y[256:], verbose=0)[1])
