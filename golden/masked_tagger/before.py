"""Parts of speech of made-up sentences: a tag for every word, none for the padding."""
import keras
import numpy as np
from keras import layers

VOCABULARY = 40
TAGS = 4
LONGEST = 9

rng = np.random.default_rng(5)
lexicon = rng.integers(0, TAGS, VOCABULARY)
sentences, tags = [], []
for _ in range(320):
    words = rng.integers(1, VOCABULARY, rng.integers(1, LONGEST + 1))
    sentence_tags = lexicon[words]
    # a word of the first kind changes what the next one is
    follows = np.concatenate([[False], sentence_tags[:-1] == 0])
    sentences.append(words)
    tags.append(np.where(follows, (sentence_tags + 1) % TAGS, sentence_tags))

x = keras.utils.pad_sequences(sentences, LONGEST, padding="post")
y = keras.utils.pad_sequences(tags, LONGEST, padding="post")
# a sentence of which nothing is left
x[7] = 0

model = keras.Sequential()
model.add(keras.Input((LONGEST,)))
model.add(layers.Embedding(VOCABULARY, 12, mask_zero=True))
model.add(layers.Dropout(0.1))
model.add(layers.Bidirectional(layers.LSTM(10, return_sequences=True)))
# one tag a word
model.add(layers.TimeDistributed(layers.Dense(TAGS, activation="softmax")))
model.compile(
    optimizer=keras.optimizers.SGD(0.5, momentum=0.9),
    loss="sparse_categorical_crossentropy",
    metrics=["accuracy"],
)
history = model.fit(
    x[:260], y[:260], batch_size=20, epochs=4, validation_data=(x[260:], y[260:]), verbose=2
)
print("accuracy by epoch:", np.round(history.history["val_accuracy"], 3))

loss, accuracy = model.evaluate(x[260:], y[260:], verbose=0)
print(f"loss {loss:.4f}, accuracy of the words {accuracy:.4f}")
found = model.predict(x[260:]).argmax(-1)
print("tags of the first sentence:", found[0][x[260] != 0])
