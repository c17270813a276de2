"""Short reports sorted by topic, on word vectors that were learnt elsewhere."""
import numpy as np
from tensorflow.keras import layers, models
from tensorflow.keras.initializers import Constant
from tensorflow.keras.preprocessing.sequence import pad_sequences
from tensorflow.keras.preprocessing.text import Tokenizer

MAX_WORDS = 60
MAX_LENGTH = 14
DIM = 10

# reports of three topics, each with words of its own among common ones
rng = np.random.RandomState(8)
common = [f"word{i}" for i in range(40)]
topics = [[f"{topic}{i}" for i in range(8)] for topic in ("wind", "rain", "sun")]
labels = rng.randint(0, 3, size=420)
texts = []
for label in labels:
    own = rng.choice(topics[label], size=3)
    words = [*own, *rng.choice(common, size=rng.randint(4, 12))]
    rng.shuffle(words)
    texts.append(" ".join(words).capitalize() + ".")

tokenizer = Tokenizer(num_words=MAX_WORDS, oov_token="<unknown>")
tokenizer.fit_on_texts(texts)
sequences = tokenizer.texts_to_sequences(texts)
print("found", len(tokenizer.word_index), "words")
data = pad_sequences(sequences, maxlen=MAX_LENGTH)

# vectors from another corpus; it does not have all words
vectors = {word: rng.normal(scale=0.5, size=DIM) for word in [*common[:30], *sum(topics, [])]}
matrix = np.zeros((MAX_WORDS, DIM))
for word, number in tokenizer.word_index.items():
    if number < MAX_WORDS and word in vectors:
        matrix[number] = vectors[word]

model = models.Sequential()
model.add(
    layers.Embedding(
        MAX_WORDS,
        DIM,
        embeddings_initializer=Constant(matrix),
        input_length=MAX_LENGTH,
        trainable=False,
    )
)
model.add(layers.Conv1D(16, 3, activation="relu"))
model.add(layers.GlobalMaxPooling1D())
model.add(layers.Dense(3, activation="softmax"))
model.compile(optimizer="adam", loss="sparse_categorical_crossentropy", metrics=["accuracy"])
model.fit(data, labels, batch_size=35, epochs=3, validation_split=0.2)
