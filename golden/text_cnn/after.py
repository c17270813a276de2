"""1D convolution for text classification (IMDB movie reviews)."""
from pathlib import Path

import lightning as L
import numpy as np
import torch
import torch.nn.functional as F
import torchmetrics.functional as tm
from torch import nn
from torch.utils.data import DataLoader

# set parameters:
MAX_WORDS = 1000
MAX_LEN = 60
EMBEDDING_DIM = 24
FILTERS = 32
KERNEL_SIZE = 3
HIDDEN_DIMS = 32


def download(name, sha256=None):
    """The file that Keras publishes under this name, kept in data/."""
    path = Path("data", name)
    if not path.exists():
        path.parent.mkdir(exist_ok=True)
        url = f"https://storage.googleapis.com/tensorflow/tf-keras-datasets/{name}"
        torch.hub.download_url_to_file(url, path, hash_prefix=sha256)
    return path


def index_words(texts, labels, maxlen, start_char, index_from):
    """Adds index_from to the word numbers, marks the start, leaves out texts of maxlen or more."""
    start = [] if start_char is None else [start_char]
    texts = [start + [word + index_from for word in text] for text in texts]
    if maxlen:
        labels = np.array([y for text, y in zip(texts, labels) if len(text) < maxlen])
        texts = [text for text in texts if len(text) < maxlen]
    return texts, labels


def keep_words(texts, skip_top, num_words, oov_char):
    """Replaces the words outside [skip_top, num_words) by oov_char, or drops them if it is None."""
    if oov_char is None:
        texts = [[w for w in text if skip_top <= w < num_words] for text in texts]
    else:
        texts = [
            [w if skip_top <= w < num_words else oov_char for w in text]
            for text in texts
        ]
    return np.array(texts, dtype=object)


def load_imdb(
    num_words=None,
    skip_top=0,
    maxlen=None,
    seed=113,
    start_char=1,
    oov_char=2,
    index_from=3,
):
    """(x, y) of train and of test: reviews as lists of word numbers, labels 0 or 1 (int64)."""
    path = download(
        "imdb.npz", "69664113be75683a8fe16e3ed0ab59fda8886cb3cd7ada244f7d9544e4676b9f"
    )
    rng = np.random.RandomState(seed)
    splits = []
    with np.load(path, allow_pickle=True) as file:
        for name in ("train", "test"):
            x, y = file[f"x_{name}"], file[f"y_{name}"]
            rows = rng.permutation(len(x))
            splits.append(index_words(x[rows], y[rows], maxlen, start_char, index_from))
    num_words = num_words or max(max(text) for x, _ in splits for text in x)
    return [(keep_words(x, skip_top, num_words, oov_char), y) for x, y in splits]


def pad_sequences(
    sequences, maxlen=None, dtype="int32", padding="pre", truncating="pre", value=0.0
):
    """Sequences of uneven length as one array (n, maxlen): short ones filled up, long ones cut."""
    longest = max(sequences, key=len)
    maxlen = len(longest) if maxlen is None else maxlen
    padded = np.full(
        (len(sequences), maxlen, *np.shape(longest)[1:]), value, dtype=dtype
    )
    for row, sequence in zip(padded, sequences):
        kept = sequence[-maxlen:] if truncating == "pre" else sequence[:maxlen]
        if len(kept) > 0:
            start = maxlen - len(kept) if padding == "pre" else 0
            row[start : start + len(kept)] = kept
    return padded


print("Loading data...")
(x_train, y_train), (x_test, y_test) = load_imdb(num_words=MAX_WORDS)
x_train, y_train = x_train[:500], y_train[:500]
x_test, y_test = x_test[:150], y_test[:150]
print(len(x_train), "train sequences")
print(len(x_test), "test sequences")

x_train = pad_sequences(x_train, maxlen=MAX_LEN, padding="post", truncating="post")
x_test = pad_sequences(x_test, maxlen=MAX_LEN, padding="post", truncating="post")
print("x_train shape:", x_train.shape)

print("Build model...")


def init_weights(module):
    """Keras's initial values for each kind of layer."""
    if isinstance(module, nn.Embedding):
        nn.init.uniform_(module.weight, -0.05, 0.05)
    elif isinstance(module, (nn.Conv1d, nn.Linear)):
        nn.init.xavier_uniform_(module.weight)
        nn.init.zeros_(module.bias)


class TextCnn(L.LightningModule):
    def __init__(self):
        super().__init__()
        # map the vocabulary indices to vectors
        self.embedding = nn.Sequential(
            nn.Embedding(MAX_WORDS, EMBEDDING_DIM),
            nn.Dropout(0.2),
        )
        # word group filters of length KERNEL_SIZE
        self.features = nn.Sequential(
            nn.Conv1d(EMBEDDING_DIM, FILTERS, KERNEL_SIZE),
            nn.ReLU(),
        )
        self.classifier = nn.Sequential(
            nn.Linear(FILTERS, HIDDEN_DIMS),
            nn.Dropout(0.2),
            nn.ReLU(),
            # a single unit, squashed with a sigmoid
            nn.Linear(HIDDEN_DIMS, 1),
        )
        self.apply(init_weights)

    def forward(self, x):
        x = self.embedding(x)
        x = self.features(x.transpose(1, 2))  # NLC -> NCL
        return self.classifier(x.amax(2))  # logits: the sigmoid is in the loss

    def step(self, batch, prefix=""):
        x, y = batch
        logits = self(x)
        y = y.float().view_as(logits)
        loss = F.binary_cross_entropy_with_logits(logits, y)
        accuracy = tm.accuracy(logits.sigmoid(), y, task="binary")
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


class History(L.Callback):
    """The epoch values by name, like the History that Keras's fit returns."""

    def __init__(self):
        self.history = {}

    def on_train_epoch_end(self, trainer, model):
        for name, value in trainer.callback_metrics.items():
            self.history.setdefault(name, []).append(value.item())


model = TextCnn()

history = History()
trainer = L.Trainer(
    max_epochs=3,
    callbacks=[history],
    logger=False,
    enable_checkpointing=False,
    enable_model_summary=False,
    num_sanity_val_steps=0,
)
trainer.fit(
    model, make_loader(x_train, y_train, shuffle=True), make_loader(x_test, y_test)
)

print("epoch  loss    val_loss  val_accuracy")
for i in range(len(history.history["loss"])):
    h = {name: values[i] for name, values in history.history.items()}
    print(f"{i + 1:5d}  {h['loss']:.4f}  {h['val_loss']:.4f}    {h['val_accuracy']:.4f}")
