"""Does a sequence hold a token twice? Attention blocks as layers of the script's own, and a look back."""

import keras
import numpy as np
from keras import layers, ops

LENGTH = 10
TOKENS = 30
WIDTH = 16
HEADS = 2
BLOCKS = 2


class Tokens(layers.Layer):
    """A token and where it stands."""

    def __init__(self, length, tokens, width):
        super().__init__()
        self.token = layers.Embedding(tokens, width)
        self.place = layers.Embedding(length, width)

    def call(self, x):
        length = ops.shape(x)[-1]
        places = ops.arange(0, length, 1)
        return self.token(x) + self.place(places)


class Block(layers.Layer):
    """Attention, then two dense layers, each with a way around it."""

    def __init__(self, width, heads, rate=0.1):
        super().__init__()
        self.attention = layers.MultiHeadAttention(num_heads=heads, key_dim=width // heads)
        self.dense = keras.Sequential(
            [layers.Dense(2 * width, activation="gelu"), layers.Dense(width)]
        )
        self.norm1 = layers.LayerNormalization(epsilon=1e-6)
        self.norm2 = layers.LayerNormalization(epsilon=1e-6)
        self.dropout = layers.Dropout(rate)

    def call(self, x):
        attended = self.attention(x, x)
        x = self.norm1(x + self.dropout(attended))
        return self.norm2(x + self.dense(x))


rng = np.random.default_rng(0)
x = rng.integers(0, TOKENS, (320, LENGTH))
y = np.array([len(set(row)) < LENGTH - 1 for row in x]).astype("int64")

inputs = keras.Input((LENGTH,), dtype="int32")
features = Tokens(LENGTH, TOKENS, WIDTH)(inputs)
for _ in range(BLOCKS):
    features = Block(WIDTH, HEADS)(features)

# each place looks back, at what was there before it
seen = layers.MultiHeadAttention(HEADS, 5, value_dim=6, dropout=0.1)(
    features, features, use_causal_mask=True
)
seen = layers.LayerNormalization()(seen)
memory = layers.Dense(24)(seen)
answer = layers.MultiHeadAttention(HEADS, key_dim=4, use_bias=False)(features, memory)
pooled = layers.GlobalMaxPooling1D()(answer)
outputs = layers.Dense(2, activation="softmax")(pooled)
model = keras.Model(inputs, outputs)

model.compile(
    optimizer=keras.optimizers.SGD(0.05, momentum=0.9),
    loss="sparse_categorical_crossentropy",
    metrics=["accuracy"],
)
model.fit(x, y, batch_size=32, epochs=4, validation_split=0.1)
print(model.predict(x[:5]))
