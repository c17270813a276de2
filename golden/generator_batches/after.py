"""A generator that makes windows of a series as they are needed, trained on in two rounds."""

import itertools

import lightning as L
import matplotlib.pyplot as plt
import numpy as np
import torch
import torch.nn.functional as F
from torch import nn
from torch.utils.data import DataLoader, IterableDataset

WINDOW = 12
BATCH_SIZE = 16
STEPS = 10

t = np.arange(900)
series = np.sin(t / 9) + 0.4 * np.sin(t / 2.3)
train, test = series[:700], series[700:]


def windows(series, length, batch_size, step=3):
    """Batches of windows and the value behind each, over and over again."""
    start = 0
    while True:
        xs, ys = [], []
        for _ in range(batch_size):
            xs.append(series[start : start + length])
            ys.append(series[start + length])
            start = (start + step) % (len(series) - length - 1)
        yield np.array(xs), np.array(ys)


def all_windows(series, length):
    """Every window of a series at once."""
    n = len(series) - length - 1
    x = np.stack([series[i : i + length] for i in range(n)])
    return x, series[length : length + n]


x_test, y_test = all_windows(test, WINDOW)


def init_weights(module):
    """Keras's initial values: Glorot uniform kernels, zero biases."""
    if isinstance(module, nn.Linear):
        nn.init.xavier_uniform_(module.weight)
        nn.init.zeros_(module.bias)


class Model(L.LightningModule):
    def __init__(self):
        super().__init__()
        self.layers = nn.Sequential(
            nn.Linear(WINDOW, 16),
            nn.ReLU(),
            nn.Linear(16, 1),
        )
        self.apply(init_weights)

    def forward(self, x):
        return self.layers(x)

    def step(self, batch, prefix=""):
        x, y = batch
        y_pred = self(x)
        y = y.float().view_as(y_pred)
        loss = F.mse_loss(y_pred, y)
        mae = F.l1_loss(y_pred, y)
        logs = {f"{prefix}loss": loss, f"{prefix}mae": mae}
        self.log_dict(logs, on_step=False, on_epoch=True, prog_bar=True)
        return loss

    def training_step(self, batch, batch_idx):
        return self.step(batch)

    def validation_step(self, batch, batch_idx):
        self.step(batch, "val_")

    def test_step(self, batch, batch_idx):
        self.step(batch)

    def predict_step(self, batch, batch_idx):
        return self(batch[0])

    def configure_optimizers(self):
        # fitted again, the model goes on with the same optimizer
        if not hasattr(self, "optimizer"):
            self.optimizer = torch.optim.SGD(self.parameters(), lr=0.01)
        return self.optimizer


class Batches(IterableDataset):
    """Batches of a generator, some at a time: the next epoch goes on where the last one ended."""

    def __init__(self, generator, steps):
        self.batches, self.steps = iter(generator), steps

    def __len__(self):
        return self.steps

    def __iter__(self):
        return map(self.tensors, itertools.islice(self.batches, self.steps))

    def tensors(self, part):
        if isinstance(part, dict):
            return {name: self.tensors(inner) for name, inner in part.items()}
        if isinstance(part, (list, tuple)):
            return [self.tensors(inner) for inner in part]
        tensor = torch.as_tensor(part)
        return tensor.float() if tensor.is_floating_point() else tensor


def make_loader(*arrays, batch_size=32, shuffle=False):
    """The DataLoader draws row numbers; the rows are cut out of the arrays a batch at a time."""

    def cut(rows):
        return [torch.as_tensor(array[rows]) for array in arrays]

    return DataLoader(range(len(arrays[0])), batch_size, shuffle, collate_fn=cut)


class FreshLogs(L.Callback):
    """An epoch without a validation has no values of an earlier one in its logs."""

    def on_train_epoch_start(self, trainer, model):
        trainer.callback_metrics.clear()


class History(L.Callback):
    """The epoch values by name, and the epochs, like the History that Keras's fit returns."""

    def __init__(self):
        self.history, self.epoch = {}, []

    def on_train_epoch_end(self, trainer, model):
        self.epoch.append(trainer.current_epoch)
        for name, value in trainer.callback_metrics.items():
            self.history.setdefault(name, []).append(value.item())


model = Model()

batches = windows(train, WINDOW, BATCH_SIZE)
first = History()
trainer = L.Trainer(
    max_epochs=4,
    callbacks=[first, FreshLogs()],
    check_val_every_n_epoch=2,
    logger=False,
    enable_checkpointing=False,
    enable_progress_bar=False,
    enable_model_summary=False,
    num_sanity_val_steps=0,
)
trainer.fit(
    model,
    DataLoader(Batches(batches, STEPS), batch_size=None),
    make_loader(x_test.astype("float32"), y_test),
)
second = History()
trainer = L.Trainer(
    max_epochs=7,
    callbacks=[second],
    logger=False,
    enable_checkpointing=False,
    enable_progress_bar=False,
    enable_model_summary=False,
    num_sanity_val_steps=0,
)
trainer.fit_loop.epoch_progress.current.processed = 4  # epochs count from there
trainer.fit(
    model,
    DataLoader(
        Batches(windows(train, WINDOW, BATCH_SIZE, step=5), STEPS), batch_size=None
    ),
)

epochs = first.epoch + second.epoch
losses = first.history["loss"] + second.history["loss"]
val_losses = first.history["val_loss"]
plt.plot(epochs, losses, label="loss")
plt.plot(first.epoch[1::2], val_losses, label="test")
plt.legend()
plt.savefig("windows.png")

results = trainer.test(
    model,
    DataLoader(Batches(windows(test, WINDOW, BATCH_SIZE), 5), batch_size=None),
    verbose=False,
)
loss, mae = results[0].values()
predicted = torch.cat(
    trainer.predict(
        model,
        DataLoader(Batches(windows(test, WINDOW, BATCH_SIZE), 2), batch_size=None),
    )
).numpy()
print(epochs, loss, mae, predicted.shape)
