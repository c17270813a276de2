"""A layer that asks for small activations, and logs how large they are."""

import lightning as L
import numpy as np
import torch
import torch.nn.functional as F
from torch import nn
from torch.utils.data import DataLoader

rng = np.random.default_rng(2)
x = rng.normal(size=(200, 8)).astype("float32")
y = (np.abs(x[:, :1]) + 0.1 * x[:, 1:2]).astype("float32")


class Watched(nn.Module):
    """Passes its input on."""

    def __init__(self, rate):
        super().__init__()
        self.rate = rate

    def forward(self, inputs):
        self.added_loss = self.rate * inputs.square().mean()
        self.logged_size = inputs.abs().mean()
        return inputs


class ActivityPenalty(nn.Module):
    """Passes a tensor on and keeps the penalty of a sample, for the loss.

    Keras's activity_regularizer: function of the whole tensor, divided by the size of the batch.
    """

    def __init__(self, function):
        super().__init__()
        self.function = function

    def forward(self, x):
        self.value = self.function(x) / len(x)
        return x


def init_weights(module):
    """Keras's initial values: Glorot uniform kernels, zero biases."""
    if isinstance(module, nn.Linear):
        nn.init.xavier_uniform_(module.weight)
        nn.init.zeros_(module.bias)


class Model(L.LightningModule):
    def __init__(self):
        super().__init__()
        self.dense1 = nn.Linear(8, 16)
        self.watched = Watched(1e-2)
        self.dense2 = nn.Linear(16, 16)
        self.dense2_activity = ActivityPenalty(lambda x: 1e-4 * x.abs().sum())
        self.dense3 = nn.Linear(16, 1)
        self.apply(init_weights)

    def forward(self, inputs):
        hidden = F.relu(self.dense1(inputs))
        hidden = self.watched(hidden)
        hidden = self.dense2_activity(F.relu(self.dense2(hidden)))
        return self.dense3(hidden)

    def penalty(self):
        return self.watched.added_loss + self.dense2_activity.value

    def step(self, batch, prefix=""):
        x, y = batch
        y_pred = self(x)
        loss = F.mse_loss(y_pred, y) + self.penalty()
        mae = F.l1_loss(y_pred, y)
        logs = {f"{prefix}loss": loss, f"{prefix}mae": mae}
        self.log_dict(logs, on_step=False, on_epoch=True, prog_bar=True)
        # of these Keras gives the plain mean of the batches
        parts = {f"{prefix}size": self.watched.logged_size}
        self.log_dict(parts, on_step=False, on_epoch=True, batch_size=1)
        return loss

    def training_step(self, batch, batch_idx):
        return self.step(batch)

    def validation_step(self, batch, batch_idx):
        self.step(batch, "val_")

    def test_step(self, batch, batch_idx):
        self.step(batch)

    def configure_optimizers(self):
        return torch.optim.SGD(self.parameters(), lr=0.05)


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

split = int(len(x) * (1 - 0.2))
history = History()
trainer = L.Trainer(
    max_epochs=6,
    callbacks=[history],
    logger=False,
    enable_checkpointing=False,
    enable_model_summary=False,
    num_sanity_val_steps=0,
)
trainer.fit(
    model,
    make_loader(x[:split], y[:split], batch_size=24, shuffle=True),
    make_loader(x[split:], y[split:], batch_size=24),
)
print("sizes:", history.history["size"], history.history["val_size"])
print(dict(sorted(trainer.test(model, make_loader(x, y), verbose=False)[0].items())))
