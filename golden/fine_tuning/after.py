"""A network learned on one task is tuned to another: first its new head, then slowly all of it."""

import lightning as L
import numpy as np
import torch
import torch.nn.functional as F
from torch import nn
from torch.utils.data import DataLoader

BATCH_SIZE = 32
EPOCHS = 3

rng = np.random.default_rng(0)
x = rng.normal(size=(320, 12)).astype("float32")
directions = rng.normal(size=(12, 3)).astype("float32")
sources = (x @ directions).argmax(axis=1)
targets = (np.tanh(x @ directions[:, :1]) + 0.3 * x[:, :1] ** 2).astype("float32")


def init_weights(module):
    """Keras's initial values: Glorot uniform kernels, zero biases."""
    if isinstance(module, nn.Linear):
        nn.init.xavier_uniform_(module.weight)
        nn.init.zeros_(module.bias)


class Base(nn.Module):
    def __init__(self):
        super().__init__()
        self.hidden = nn.Linear(12, 32)
        self.features = nn.Linear(32, 16)
        self.apply(init_weights)

    def forward(self, inputs):
        hidden = self.hidden(inputs).tanh()
        return self.features(hidden).tanh()


class Source(L.LightningModule):
    def __init__(self, base):
        super().__init__()
        self.base = base
        self.kinds = nn.Linear(16, 3)
        self.kinds.apply(init_weights)

    def forward(self, inputs):
        return self.kinds(self.base(inputs))  # logits: the softmax is in the loss

    def training_step(self, batch, batch_idx):
        x, y = batch
        logits = self(x)
        loss = F.cross_entropy(logits, y)
        logs = {"loss": loss}
        self.log_dict(logs, on_step=False, on_epoch=True, prog_bar=True)
        return loss

    def configure_optimizers(self):
        return torch.optim.SGD(self.parameters(), lr=0.1, momentum=0.9)


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


base = Base()
source = Source(base)
trainer = L.Trainer(
    max_epochs=EPOCHS,
    logger=False,
    enable_checkpointing=False,
    enable_progress_bar=False,
    enable_model_summary=False,
    num_sanity_val_steps=0,
)
trainer.fit(source, make_loader(x, sources, batch_size=BATCH_SIZE, shuffle=True))

# a new head on frozen features
base.requires_grad_(False)


class Tuned(L.LightningModule):
    def __init__(self, base):
        super().__init__()
        self.base = base
        self.level = nn.Linear(16, 1)
        self.learning_rate = 0.05
        self.level.apply(init_weights)

    def forward(self, inputs):
        return self.level(self.base(inputs))

    def step(self, batch):
        x, y = batch
        y_pred = self(x)
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
        return torch.optim.SGD(self.parameters(), lr=self.learning_rate, momentum=0.9)


model = Tuned(base)
trainer = L.Trainer(
    max_epochs=EPOCHS,
    logger=False,
    enable_checkpointing=False,
    enable_progress_bar=False,
    enable_model_summary=False,
    num_sanity_val_steps=0,
)
trainer.fit(
    model, make_loader(x[:256], targets[:256], batch_size=BATCH_SIZE, shuffle=True)
)
print(
    "head",
    list(
        trainer.test(model, make_loader(x[256:], targets[256:]), verbose=False)[
            0
        ].values()
    ),
)

# the last layer of the base learns too, slowly
base.requires_grad_(True)
base.hidden.requires_grad_(False)
rate = 0.01
model.learning_rate = rate
history = History()
trainer = L.Trainer(
    max_epochs=EPOCHS,
    callbacks=[history],
    logger=False,
    enable_checkpointing=False,
    enable_progress_bar=False,
    enable_model_summary=False,
    num_sanity_val_steps=0,
)
trainer.fit(
    model, make_loader(x[:256], targets[:256], batch_size=BATCH_SIZE, shuffle=True)
)
print(
    "tuned",
    list(
        trainer.test(model, make_loader(x[256:], targets[256:]), verbose=False)[
            0
        ].values()
    ),
)
print(history.history["loss"])
