"""Prices of flats from figures, the words of an advertisement and the name of a district."""

import string
from collections import Counter

import lightning as L
import numpy as np
import torch
import torch.nn.functional as F
from torch import nn
from torch.utils.data import DataLoader

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


class Normalization(nn.Module):
    """Gives each place of an axis the mean 0 and the variance 1 of the data that `adapt` was given.

    As Keras's layer: axis 0 is the batch, None takes all numbers together. `invert` goes back.
    """

    def __init__(self, axis=-1, mean=0.0, variance=1.0, invert=False):
        super().__init__()
        self.axis, self.invert = axis, invert
        self.register_buffer("mean", torch.as_tensor(mean, dtype=torch.float32))
        self.register_buffer("variance", torch.as_tensor(variance, dtype=torch.float32))

    def adapt(self, data):
        data = np.asarray(data)
        kept = () if self.axis is None else np.ravel(self.axis) % data.ndim
        rest = tuple(axis for axis in range(data.ndim) if axis not in kept)
        self.mean = torch.tensor(data.mean(rest, keepdims=True), dtype=torch.float32)
        self.variance = torch.tensor(data.var(rest, keepdims=True), dtype=torch.float32)

    def forward(self, x):
        x = torch.as_tensor(x).float()
        deviation = self.variance.sqrt().clamp(min=1e-7)
        return x * deviation + self.mean if self.invert else (x - self.mean) / deviation


class TextVectorization:
    """Texts as numbers of their words, as Keras's layer of this name; the most frequent is 2.

    (texts, length) numbers come out: 0 behind the last word, 1 for a word that is not known.
    """

    def __init__(self, max_tokens=None, output_sequence_length=None):
        self.max_tokens = max_tokens
        self.output_sequence_length = output_sequence_length
        self.vocabulary = ["", "[UNK]"]

    def words(self, text):
        """Without punctuation, in small letters, but for those that ASCII does not have."""
        text = text.encode().lower().translate(None, string.punctuation.encode())
        return [word.decode() for word in text.split()]

    def adapt(self, texts):
        counts = Counter(word for text in np.ravel(texts) for word in self.words(text))
        ranked = sorted(counts, key=lambda word: (counts[word], word), reverse=True)
        self.vocabulary = ["", "[UNK]", *ranked][: self.max_tokens]

    def get_vocabulary(self, include_special_tokens=True):
        return self.vocabulary[0 if include_special_tokens else 2 :]

    def vocabulary_size(self):
        return len(self.vocabulary)

    def __call__(self, texts):
        if isinstance(texts, str):
            return self([texts])[0]
        numbers = {word: number for number, word in enumerate(self.vocabulary)}
        rows = [
            [numbers.get(word, 1) for word in self.words(text)]
            for text in np.ravel(texts)
        ]
        length = self.output_sequence_length or max(map(len, rows))
        return torch.tensor(
            [(row + [0] * (length - len(row)))[:length] for row in rows]
        )


class StringLookup:
    """Words as numbers, as Keras's layer gives them; the most frequent word comes first.

    Number 0 is the mask, if there is one, and the next one stands for words that are not known.
    Mode "int" gives the shape of the words; the others have all numbers of words as the last axis:
    "one_hot" for each word, "multi_hot" and "count" for the words of a row together.
    """

    def __init__(
        self,
        max_tokens=None,
        num_oov_indices=1,
        mask_token=None,
        oov_token="[UNK]",
        vocabulary=None,
        output_mode="int",
    ):
        self.max_tokens = max_tokens
        self.num_oov_indices = num_oov_indices
        self.output_mode = output_mode
        masked = [] if mask_token is None else [mask_token]
        self.special = masked + [oov_token] * num_oov_indices
        self.set_vocabulary([] if vocabulary is None else vocabulary)

    def set_vocabulary(self, vocabulary):
        known = np.asarray(vocabulary).tolist()
        if known[: len(self.special)] == self.special:
            known = known[len(self.special) :]
        self.vocabulary = [*self.special, *known]
        self.numbers = {word: number for number, word in enumerate(self.vocabulary)}

    def get_vocabulary(self, include_special_tokens=True):
        return self.vocabulary[0 if include_special_tokens else len(self.special) :]

    def vocabulary_size(self):
        return len(self.vocabulary)

    def adapt(self, words):
        counts = Counter(np.ravel(words).tolist())
        for word in self.special:
            counts.pop(word, None)
        ranked = sorted(counts, key=lambda word: (counts[word], word), reverse=True)
        self.set_vocabulary(
            ranked[: self.max_tokens - len(self.special) if self.max_tokens else None]
        )

    def number(self, word):
        if self.num_oov_indices == 0:
            return self.numbers[word]
        return self.numbers.get(word, len(self.special) - 1)

    def __call__(self, words):
        words = np.asarray(words)
        numbers = [self.number(word) for word in words.ravel().tolist()]
        numbers = torch.tensor(numbers).reshape(words.shape)
        if self.output_mode == "int":
            return numbers
        if self.output_mode == "one_hot" and words.ndim > 1 and words.shape[-1] == 1:
            numbers = numbers.squeeze(-1)
        ones = F.one_hot(numbers, len(self.vocabulary))
        if self.output_mode == "one_hot":
            return ones
        return ones.amax(-2) if self.output_mode == "multi_hot" else ones.sum(-2)


# what the layers learn comes from the training data alone
TRAIN = 192
normalize = Normalization()
normalize.adapt(figures[:TRAIN])
vectorize = TextVectorization(max_tokens=MAX_TOKENS, output_sequence_length=LENGTH)
vectorize.adapt(texts[:TRAIN])
lookup = StringLookup(output_mode="one_hot")
lookup.adapt(districts[:TRAIN])
print(vectorize.get_vocabulary()[:4], lookup.vocabulary_size())
print(vectorize(["A quiet flat on the moon"]).numpy())

tokens = vectorize(texts)
where = lookup(districts)


def init_weights(module):
    """Keras's initial values for each kind of layer."""
    if isinstance(module, nn.Embedding):
        nn.init.uniform_(module.weight, -0.05, 0.05)
    elif isinstance(module, nn.Linear):
        nn.init.xavier_uniform_(module.weight)
        nn.init.zeros_(module.bias)


class Build(L.LightningModule):
    def __init__(self, normalize):
        super().__init__()
        self.normalize = normalize
        self.embedding = nn.Embedding(MAX_TOKENS, 8)
        self.dense1 = nn.Linear(3 + 8 + 5, 32)
        self.dense2 = nn.Linear(32, 1)
        self.apply(init_weights)

    def forward(self, inputs):
        numbers, words, district = inputs
        x = self.normalize(numbers)
        y = self.embedding(words).mean(1)
        x = torch.cat([x, y, district], 1)
        x = F.relu(self.dense1(x))
        return self.dense2(x)

    def step(self, batch):
        x, y = batch
        y_pred = self(x)
        y = y.view_as(y_pred)
        loss = F.mse_loss(y_pred, y)
        mae = F.l1_loss(y_pred, y)
        logs = {"loss": loss, "mae": mae}
        self.log_dict(logs, on_step=False, on_epoch=True, prog_bar=True)
        return loss

    def training_step(self, batch, batch_idx):
        return self.step(batch)

    def test_step(self, batch, batch_idx):
        self.step(batch)

    def configure_optimizers(self):
        return torch.optim.SGD(self.parameters(), lr=0.01, momentum=0.9)


def make_loader(*parts, batch_size=32, shuffle=False):
    """The DataLoader draws row numbers; a batch has the parts' form: lists or arrays."""

    def cut(rows, part=parts):
        if isinstance(part, (list, tuple)):
            return [cut(rows, inner) for inner in part]
        return torch.as_tensor(part[rows])

    n = len(parts[0][0] if isinstance(parts[0], (list, tuple)) else parts[0])
    return DataLoader(range(n), batch_size, shuffle, collate_fn=cut)


class History(L.Callback):
    """The epoch values by name, like the History that Keras's fit returns."""

    def __init__(self):
        self.history = {}

    def on_train_epoch_end(self, trainer, model):
        for name, value in trainer.callback_metrics.items():
            self.history.setdefault(name, []).append(value.item())


model = Build(normalize)
history = History()
trainer = L.Trainer(
    max_epochs=4,
    callbacks=[history],
    logger=False,
    enable_checkpointing=False,
    enable_model_summary=False,
    num_sanity_val_steps=0,
)
trainer.fit(
    model,
    make_loader(
        [figures[:TRAIN], tokens[:TRAIN], np.asarray(where[:TRAIN], dtype="float32")],
        prices[:TRAIN],
        batch_size=16,
        shuffle=True,
    ),
)
print(history.history["mae"])
print(
    list(
        trainer.test(
            model,
            make_loader(
                [
                    figures[TRAIN:],
                    tokens[TRAIN:],
                    np.asarray(where[TRAIN:], dtype="float32"),
                ],
                prices[TRAIN:],
            ),
            verbose=False,
        )[0].values()
    )
)
