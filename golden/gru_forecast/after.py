#!/usr/bin/env python
# coding: utf-8
"""Forecast the next value of a noisy series from a sliding window."""

import matplotlib
matplotlib.use("Agg")
import lightning as L
import matplotlib.pyplot as plt
import numpy as np
import torch
import torch.nn.functional as F
from torch import nn
from torch.utils.data import DataLoader

WINDOW = 16
EPOCHS = 4
BATCH = 32

# ## Data

rng = np.random.RandomState(5)
t = np.arange(480)
series = np.sin(t / 8) + 0.4 * np.cos(t / 3) + 0.05 * rng.randn(len(t))
mean, std = series[:380].mean(), series[:380].std()
series = (series - mean) / std


def make_windows(values, window):
    """Windows (n, window, 1) and the value that follows each of them (n,)."""
    X, y = [], []
    for i in range(len(values) - window):
        X.append(values[i:i + window])
        y.append(values[i + window])
    X = np.array(X)
    return X.reshape(X.shape[0], X.shape[1], 1), np.array(y)


X_train, y_train = make_windows(series[:380], WINDOW)
X_val, y_val = make_windows(series[380 - WINDOW:], WINDOW)
print("train:", X_train.shape, y_train.shape, " validation:", X_val.shape, y_val.shape)

# ## Model


def init_weights(module):
    """Keras's initial values for each kind of layer."""
    if isinstance(module, nn.GRU):
        for name, p in module.named_parameters():
            if "weight_ih" in name:
                nn.init.xavier_uniform_(p)
            elif "weight_hh" in name:
                nn.init.orthogonal_(p)
            else:
                nn.init.zeros_(p)
    elif isinstance(module, nn.Linear):
        nn.init.xavier_uniform_(module.weight)
        nn.init.zeros_(module.bias)


class Model(L.LightningModule):
    def __init__(self):
        super().__init__()
        self.gru = nn.GRU(1, 12, batch_first=True)
        self.dropout = nn.Dropout(0.1)
        self.gru2 = nn.GRU(12, 12, batch_first=True)
        self.dense = nn.Linear(12, 1)
        self.apply(init_weights)

    def forward(self, x):
        x = self.gru(x)[0]
        x = self.dropout(x)
        x = self.gru2(x)[0][:, -1]
        return self.dense(x)

    def step(self, batch, prefix=""):
        x, y = batch
        y_pred = self(x)
        y = y.float().view_as(y_pred)
        loss = F.huber_loss(y_pred, y)
        mae = F.l1_loss(y_pred, y)
        logs = {f"{prefix}loss": loss, f"{prefix}mae": mae}
        self.log_dict(logs, on_step=False, on_epoch=True, prog_bar=True)
        return loss

    def training_step(self, batch, batch_idx):
        return self.step(batch)

    def validation_step(self, batch, batch_idx):
        self.step(batch, "val_")

    def predict_step(self, batch, batch_idx):
        return self(batch[0])

    def configure_optimizers(self):
        return torch.optim.Adam(self.parameters(), lr=5e-3, eps=1e-7)

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


model = Model()

history = History()
trainer = L.Trainer(
    max_epochs=EPOCHS,
    callbacks=[history],
    logger=False,
    enable_checkpointing=False,
    enable_model_summary=False,
    num_sanity_val_steps=0,
)
trainer.fit(
    model,
    make_loader(X_train.astype("float32"), y_train, batch_size=BATCH),
    make_loader(X_val.astype("float32"), y_val, batch_size=BATCH),
)

# ## Results

forecast = (
    torch.cat(trainer.predict(model, make_loader(X_val.astype("float32"))))
    .numpy()
    .flatten()
)
error = np.mean(np.abs(forecast - y_val)) * std
naive = np.mean(np.abs(X_val[:, -1, 0] - y_val)) * std
print("mean absolute error: %.4f (repeating the last value: %.4f)" % (error, naive))

fig, (left, right) = plt.subplots(1, 2, figsize=(10, 4))
left.plot(history.history["loss"], label="loss")
left.plot(history.history["val_loss"], label="val_loss")
left.legend()
right.plot(y_val * std + mean, label="true")
right.plot(forecast * std + mean, label="forecast")
right.legend()
fig.savefig("forecast.png")
