"""Parts of speech of made-up sentences: a tag for every word, none for the padding."""
import lightning as L
import numpy as np
import torch
import torch.nn.functional as F
import torchmetrics.functional as tm
from torch import nn
from torch.nn.utils.rnn import pack_padded_sequence, pad_packed_sequence
from torch.utils.data import DataLoader

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


x = pad_sequences(sentences, LONGEST, padding="post")
y = pad_sequences(tags, LONGEST, padding="post")
# a sentence of which nothing is left
x[7] = 0


def skip_padding(rnn, x, mask, states=None):
    """Run a recurrent layer over the steps where the mask (batch, time) is true, as in Keras.

    A step left out repeats the output before it (zeros at first), or gives zeros if there are two
    directions; a row without any keeps its first states.
    """
    count = mask.cumsum(1)
    order = (~mask).int().argsort(dim=1, stable=True)  # padding to the end, for packing
    x = x.gather(1, order.unsqueeze(2).expand_as(x))
    lengths = count[:, -1].clamp(min=1).cpu()
    packed = pack_padded_sequence(x, lengths, batch_first=True, enforce_sorted=False)
    outputs, last = rnn(packed, states)
    outputs, _ = pad_packed_sequence(outputs, batch_first=True, total_length=x.shape[1])
    seen = mask if rnn.bidirectional else count > 0
    place = (count - 1).clamp(min=0).unsqueeze(2).expand_as(outputs)
    outputs = outputs.gather(1, place) * seen.unsqueeze(2)
    some = mask.any(1).unsqueeze(1)
    if not isinstance(last, tuple):
        return outputs, torch.where(some, last, 0 if states is None else states)
    return outputs, tuple(
        torch.where(some, s, f) for s, f in zip(last, states or (0, 0))
    )


def init_weights(module):
    """Keras's initial values for each kind of layer."""
    if isinstance(module, nn.Embedding):
        nn.init.uniform_(module.weight, -0.05, 0.05)
    elif isinstance(module, nn.LSTM):
        for name, p in module.named_parameters():
            if "weight_ih" in name:
                nn.init.xavier_uniform_(p)
            elif "weight_hh" in name:
                nn.init.orthogonal_(p)
            elif "bias_ih" in name:
                nn.init.zeros_(p)
                nn.init.ones_(p.chunk(4)[1])
            else:
                nn.init.zeros_(p).requires_grad_(False)  # Keras has one bias per gate
    elif isinstance(module, nn.Linear):
        nn.init.xavier_uniform_(module.weight)
        nn.init.zeros_(module.bias)


class Model(L.LightningModule):
    def __init__(self):
        super().__init__()
        self.embedding = nn.Embedding(VOCABULARY, 12)
        self.dropout = nn.Dropout(0.1)
        self.lstm = nn.LSTM(12, 10, batch_first=True, bidirectional=True)
        # one tag a word
        self.dense = nn.Linear(2 * 10, TAGS)
        self.apply(init_weights)

    def forward(self, x):
        mask = x != 0
        x = self.embedding(x)
        x = self.dropout(x)
        x = skip_padding(self.lstm, x, mask)[0]
        return self.dense(x)  # logits: the softmax is in the loss

    def step(self, batch, prefix=""):
        x, y = batch
        # padding counts neither in the loss nor in the metrics
        mask = x != 0
        logits, y = self(x)[mask], y[mask]
        y = y.long()
        loss = F.cross_entropy(logits, y)
        accuracy = tm.accuracy(logits, y, task="multiclass", num_classes=TAGS)
        logs = {f"{prefix}loss": loss}
        self.log_dict(logs, on_step=False, on_epoch=True, prog_bar=True)
        # of these Keras gives the mean over all steps that count
        parts = {f"{prefix}accuracy": accuracy}
        self.log_dict(
            parts, on_step=False, on_epoch=True, prog_bar=True, batch_size=len(y)
        )
        return loss

    def training_step(self, batch, batch_idx):
        return self.step(batch)

    def validation_step(self, batch, batch_idx):
        self.step(batch, "val_")

    def test_step(self, batch, batch_idx):
        self.step(batch)

    def predict_step(self, batch, batch_idx):
        return self(batch[0]).softmax(-1)

    def configure_optimizers(self):
        return torch.optim.SGD(self.parameters(), lr=0.5, momentum=0.9)


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


model = Model()
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
    make_loader(x[:260], y[:260], batch_size=20, shuffle=True),
    make_loader(x[260:], y[260:], batch_size=20),
)
print("accuracy by epoch:", np.round(history.history["val_accuracy"], 3))

results = trainer.test(model, make_loader(x[260:], y[260:]), verbose=False)
loss, accuracy = results[0].values()
print(f"loss {loss:.4f}, accuracy of the words {accuracy:.4f}")
found = torch.cat(trainer.predict(model, make_loader(x[260:]))).numpy().argmax(-1)
print("tags of the first sentence:", found[0][x[260] != 0])
