"""Short reports sorted by topic, on word vectors that were learnt elsewhere."""
from collections import Counter

import lightning as L
import numpy as np
import torch
import torch.nn.functional as F
import torchmetrics.functional as tm
from torch import nn
from torch.utils.data import DataLoader

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


class Tokenizer:
    """Keras's Tokenizer: words as numbers, the most frequent one is 1; num_words - 1 are kept."""

    def __init__(
        self,
        num_words=None,
        filters='!"#$%&()*+,-./:;<=>?@[\\]^_`{|}~\t\n',
        lower=True,
        split=" ",
        char_level=False,
        oov_token=None,
    ):
        self.num_words = num_words
        self.separators = str.maketrans(dict.fromkeys(filters, split))
        self.lower = lower
        self.split = split
        self.char_level = char_level
        self.oov_token = oov_token
        self.word_counts = Counter()
        self.word_index = {}
        self.index_word = {}

    def words(self, text):
        text = text.lower() if self.lower else text
        if self.char_level:
            return text
        return [
            word for word in text.translate(self.separators).split(self.split) if word
        ]

    def fit_on_texts(self, texts):
        for text in texts:
            self.word_counts.update(self.words(text))
        known = [word for word, _ in self.word_counts.most_common()]
        if self.oov_token is not None:
            known.insert(0, self.oov_token)
        self.word_index = {word: number for number, word in enumerate(known, start=1)}
        self.index_word = {number: word for word, number in self.word_index.items()}

    def texts_to_sequences(self, texts):
        return [self.numbers(text) for text in texts]

    def numbers(self, text):
        other = self.word_index.get(self.oov_token)
        found = [self.word_index.get(word, other) for word in self.words(text)]
        if self.num_words:
            found = [n if n is None or n < self.num_words else other for n in found]
        return [n for n in found if n is not None]


def pad_sequences(sequences, maxlen):
    """Zeros in front of short sequences; of long ones the last tokens stay."""
    padded = np.zeros((len(sequences), maxlen), dtype="int32")
    for row, sequence in zip(padded, sequences):
        row[max(maxlen - len(sequence), 0) :] = sequence[-maxlen:]
    return padded


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


def init_weights(module):
    """Keras's initial values: Glorot uniform kernels, zero biases."""
    if isinstance(module, (nn.Conv1d, nn.Linear)):
        nn.init.xavier_uniform_(module.weight)
        nn.init.zeros_(module.bias)


class Model(L.LightningModule):
    def __init__(self):
        super().__init__()
        self.embedding = nn.Embedding.from_pretrained(
            torch.tensor(matrix, dtype=torch.float32)
        )
        self.features = nn.Sequential(
            nn.Conv1d(DIM, 16, 3),
            nn.ReLU(),
        )
        self.dense = nn.Linear(16, 3)
        self.apply(init_weights)

    def forward(self, x):
        x = self.embedding(x)
        x = self.features(x.transpose(1, 2))  # NLC -> NCL
        return self.dense(x.amax(2))  # logits: the softmax is in the loss

    def step(self, batch, prefix=""):
        x, y = batch
        logits = self(x)
        loss = F.cross_entropy(logits, y)
        accuracy = tm.accuracy(logits, y, task="multiclass", num_classes=3)
        logs = {f"{prefix}loss": loss, f"{prefix}accuracy": accuracy}
        self.log_dict(logs, on_step=False, on_epoch=True, prog_bar=True)
        return loss

    def training_step(self, batch, batch_idx):
        return self.step(batch)

    def validation_step(self, batch, batch_idx):
        self.step(batch, "val_")

    def configure_optimizers(self):
        return torch.optim.Adam(self.parameters(), lr=1e-3, eps=1e-7)

    def on_before_optimizer_step(self, optimizer):
        # Keras adds epsilon before the bias correction, torch after it
        optimizer.param_groups[0]["eps"] = (
            1e-7 / (1 - 0.999 ** (self.global_step + 1)) ** 0.5
        )


def make_loader(*arrays, batch_size=32, shuffle=False):
    """The DataLoader draws row numbers; the rows are cut out of the arrays a batch at a time."""

    def cut(rows):
        return [torch.as_tensor(array[rows]) for array in arrays]

    return DataLoader(range(len(arrays[0])), batch_size, shuffle, collate_fn=cut)


model = Model()
split = int(len(data) * (1 - 0.2))
trainer = L.Trainer(
    max_epochs=3,
    logger=False,
    enable_checkpointing=False,
    enable_model_summary=False,
    num_sanity_val_steps=0,
)
trainer.fit(
    model,
    make_loader(data[:split], labels[:split], batch_size=35, shuffle=True),
    make_loader(data[split:], labels[split:], batch_size=35),
)
