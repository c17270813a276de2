'''Sentiment of short reviews with a bidirectional LSTM.'''
import lightning as L
import numpy as np
import torch
import torch.nn.functional as F
import torchmetrics.functional as tm
from torch import nn
from torch.nn.utils.rnn import pack_padded_sequence
from torch.utils.data import DataLoader

max_features = 200  # vocabulary size, 0 is padding
# cut texts after this number of words
maxlen = 20
batch_size = 32

# ---- fake reviews: words 1..20 are good, 21..40 are bad, the rest says nothing ----
rng = np.random.default_rng(3)
reviews, sentiment = [], []
for _ in range(420):
    label = int(rng.integers(0, 2))
    length = int(rng.integers(4, 30))
    words = rng.integers(41, max_features, size=length)
    telling = rng.random(length) < 0.4
    words[telling] = rng.integers(1, 21, size=telling.sum()) + 20 * (1 - label)
    reviews.append(words.tolist())
    sentiment.append(label)

x_train, x_test = reviews[:350], reviews[350:]
y_train, y_test = np.array(sentiment[:350]), np.array(sentiment[350:])


def pad_sequences(sequences, maxlen):
    """Zeros in front of short sequences; of long ones the last tokens stay."""
    padded = np.zeros((len(sequences), maxlen), dtype="int32")
    for row, sequence in zip(padded, sequences):
        row[max(maxlen - len(sequence), 0) :] = sequence[-maxlen:]
    return padded


print('Pad sequences (samples x time)')
x_train = pad_sequences(x_train, maxlen=maxlen)
x_test = pad_sequences(x_test, maxlen=maxlen)
print('x_train shape:', x_train.shape)
print('x_test shape:', x_test.shape)


class RMSprop(torch.optim.RMSprop):
    """RMSprop with epsilon inside the square root, as in Keras."""

    @torch.no_grad()
    def step(self, closure=None):
        loss = torch.enable_grad()(closure)() if closure else None
        for group in self.param_groups:
            for p in group["params"]:
                if p.grad is None:
                    continue
                if p not in self.state:
                    self.state[p] = {
                        "step": torch.zeros(()),
                        "square_avg": torch.zeros_like(p),
                    }
                v = self.state[p]["square_avg"].lerp_(
                    p.grad.square(), 1 - group["alpha"]
                )
                p.addcdiv_(p.grad, (v + group["eps"]).sqrt(), value=-group["lr"])
        return loss


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
        self.embedding = nn.Embedding(max_features, 16)
        self.lstm = nn.LSTM(16, 12, batch_first=True, bidirectional=True)
        self.classifier = nn.Sequential(
            nn.Dropout(0.5),
            nn.Linear(2 * 12, 1),
        )
        self.apply(init_weights)

    def forward(self, x):
        # mask_zero: the recurrent layer skips padding, wherever it stands;
        # move it to the end and pack
        padding = x == 0
        x = x.gather(1, padding.int().argsort(dim=1, stable=True))
        lengths = (~padding).sum(1).cpu()
        x = self.embedding(x)
        x = pack_padded_sequence(x, lengths, batch_first=True, enforce_sorted=False)
        _, (h, _) = self.lstm(x)
        x = torch.cat([h[0], h[1]], 1)  # last state of each direction
        return self.classifier(x)  # logits: the sigmoid is in the loss

    def step(self, batch, prefix=""):
        x, y = batch
        logits = self(x)
        y = y.float().view_as(logits)
        loss = F.binary_cross_entropy_with_logits(logits, y)
        acc = tm.accuracy(logits.sigmoid(), y, task="binary")
        logs = {f"{prefix}loss": loss, f"{prefix}acc": acc}
        self.log_dict(logs, on_step=False, on_epoch=True, prog_bar=True)
        return loss

    def training_step(self, batch, batch_idx):
        return self.step(batch)

    def validation_step(self, batch, batch_idx):
        self.step(batch, "val_")

    def predict_step(self, batch, batch_idx):
        return self(batch[0]).sigmoid()

    def configure_optimizers(self):
        return RMSprop(self.parameters(), lr=1e-3, alpha=0.9, eps=1e-7)


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

print('Train...')
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
    make_loader(x_train, y_train, batch_size=batch_size, shuffle=True),
    make_loader(x_test, y_test, batch_size=batch_size),
)

acc = history.history['acc']
val_acc = history.history['val_acc']
for epoch, (a, v) in enumerate(zip(acc, val_acc), 1):
    print('epoch %d: acc %.3f, val_acc %.3f' % (epoch, a, v))

positive = (
    torch.cat(trainer.predict(model, make_loader(x_test, batch_size=64))).numpy() > 0.5
)
print('positive reviews found:', int(positive.sum()), 'of', int(y_test.sum()))
