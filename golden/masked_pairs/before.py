"""Does an answer fit its question? Pairs of token rows, padded at either end."""
import numpy as np
from tensorflow.keras import Input, Model
from tensorflow.keras.layers import LSTM, Bidirectional, Dense, Embedding, GRU, concatenate
from tensorflow.keras.preprocessing.sequence import pad_sequences

VOCABULARY = 60
QUESTION = 7
ANSWER = 12

rng = np.random.RandomState(13)
topics = rng.randint(0, 4, size=(300, 2))
topics[::2, 1] = topics[::2, 0]
fits = (topics[:, 0] == topics[:, 1]).astype("float32")


def tokens(topic, longest):
    """Words of a topic, in a row of any length."""
    return list(1 + 14 * topic + rng.randint(0, 14, size=rng.randint(2, longest + 1)))


questions = pad_sequences([tokens(t, QUESTION) for t in topics[:, 0]], maxlen=QUESTION)
answers = [tokens(t, ANSWER) for t in topics[:, 1]]
answers = pad_sequences(answers, maxlen=ANSWER, padding="post")

question = Input(shape=(QUESTION,), name="question")
q = Embedding(VOCABULARY, 10, mask_zero=True)(question)
q = GRU(12)(q)
answer = Input(shape=(ANSWER,), name="answer")
a = Embedding(VOCABULARY, 10, mask_zero=True)(answer)
a = Dense(10, activation="tanh")(a)
a = Bidirectional(LSTM(8))(a)
x = concatenate([q, a])
x = Dense(16, activation="relu")(x)
fit = Dense(1, activation="sigmoid")(x)

model = Model([question, answer], fit, name="matcher")
model.compile(optimizer="adam", loss="binary_crossentropy", metrics=["accuracy"])
model.fit(
    [questions[:240], answers[:240]],
    fits[:240],
    validation_data=([questions[240:], answers[240:]], fits[240:]),
    batch_size=24,
    epochs=4,
    verbose=2,
)
print("accuracy: %.3f" % model.evaluate([questions[240:], answers[240:]], fits[240:], verbose=0)[1])
