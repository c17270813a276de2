"""Which answer fits a question: attention between them, that padding has no part in."""
import numpy as np
from tensorflow import keras
from tensorflow.keras import layers

WORDS = 40
UNITS = 12

rng = np.random.default_rng(11)
questions = rng.integers(1, WORDS, size=(320, 9))
answers = rng.integers(1, WORDS, size=(320, 7))
questions[np.arange(9) >= rng.integers(1, 10, 320)[:, None]] = 0
answers[np.arange(7) >= rng.integers(1, 8, 320)[:, None]] = 0
fits = (questions[:, 0] > answers[:, 0] + 8).astype("float32")


class Reader(layers.Layer):
    """The words of a text, each with those before it, and how much it looks at them."""

    def __init__(self, units, **kwargs):
        super().__init__(**kwargs)
        self.project = layers.Dense(units, activation="tanh")
        self.attention = layers.AdditiveAttention()

    def call(self, text, counts):
        keys = self.project(text)
        seen, scores = self.attention(
            [keys, text],
            mask=[None, counts],
            return_attention_scores=True,
            use_causal_mask=True,
        )
        return seen + text * scores[:, :, :1]


question = keras.Input((9,), dtype="int32", name="question")
answer = keras.Input((7,), dtype="int32", name="answer")
start = keras.initializers.RandomNormal(stddev=1.0)
embed = layers.Embedding(WORDS, UNITS, embeddings_initializer=start, mask_zero=True)

# the words of the question, each with what the answer says about it
q = layers.GRU(UNITS, return_sequences=True)(embed(question))
a = layers.GRU(UNITS, return_sequences=True)(embed(answer))
context = layers.Attention(use_scale=True)([q, a])
q_pooled = layers.GlobalAveragePooling1D()(context)

# the answer as a whole
counts = layers.Lambda(lambda ids: ids > 0)(answer)
read = Reader(UNITS)(layers.Conv1D(UNITS, 3, padding="same")(a), counts)
a_pooled = layers.GlobalMaxPooling1D()(read)

h = layers.Concatenate()([q_pooled, a_pooled])
outputs = layers.Dense(1, activation="sigmoid")(h)

model = keras.Model([question, answer], outputs)
model.compile("adam", "binary_crossentropy", metrics=["accuracy"])
model.fit([questions, answers], fits, batch_size=32, epochs=3, validation_split=0.2)
