"""Rare failures of a pump: a focal loss with its parameters, and metrics of our own."""

import lightning as L
import numpy as np
import torch
import torchmetrics.functional as tm
from torch import nn
from torch.utils.data import DataLoader

GAMMA = 1.5


def make_data(n, seed):
    rng = np.random.default_rng(seed)
    x = rng.random((n, 12)).astype("float32")
    y = (x[:, :3].sum(axis=1) > 1.8).astype("float32").reshape(-1, 1)
    return x, y


def make_focal(gamma=2.0, alpha=0.25):
    """Focal loss for a sigmoid (Lin et al. 2017)."""

    def focal(y_true, y_pred):
        # keep the logarithms finite
        p = y_pred.clamp(1e-7, 1 - 1e-7)
        positive = -alpha * y_true * (1 - p) ** gamma * p.log()
        negative = -(1 - alpha) * (1 - y_true) * p ** gamma * (1 - p).log()
        return (positive + negative).mean(dim=-1)

    return focal


def dice(y_true, y_pred, smooth=1.0):
    overlap = (y_true * y_pred).sum()
    return (2.0 * overlap + smooth) / (y_true.sum() + y_pred.sum() + smooth)


def dice_loss(y_true, y_pred):
    return 1 - dice(y_true, y_pred)


def found(y_true, y_pred):
    return (y_true * y_pred.round()).sum(dim=-1)


x_train, y_train = make_data(400, seed=0)
x_test, y_test = make_data(100, seed=1)


def init_weights(module):
    """Keras's initial values: Glorot uniform kernels, zero biases."""
    if isinstance(module, nn.Linear):
        nn.init.xavier_uniform_(module.weight)
        nn.init.zeros_(module.bias)


class Model(L.LightningModule):
    def __init__(self):
        super().__init__()
        self.layers = nn.Sequential(
            nn.Linear(12, 16),
            nn.ReLU(),
            nn.Linear(16, 1),
            nn.Sigmoid(),
        )
        self.loss_function = make_focal(gamma=GAMMA)
        self.apply(init_weights)

    def forward(self, x):
        return self.layers(x)

    def step(self, batch, prefix=""):
        x, y = batch
        y_pred = self(x)
        loss = self.loss_function(y, y_pred).mean()
        accuracy = tm.accuracy(y_pred, y, task="binary")
        found_value = found(y, y_pred).mean()
        dice_loss_value = dice_loss(y, y_pred)
        logs = {
            f"{prefix}loss": loss,
            f"{prefix}accuracy": accuracy,
            f"{prefix}found": found_value,
        }
        self.log_dict(logs, on_step=False, on_epoch=True, prog_bar=True)
        # of these Keras gives the plain mean of the batches
        parts = {f"{prefix}dice_loss": dice_loss_value}
        self.log_dict(parts, on_step=False, on_epoch=True, batch_size=1)
        return loss

    def training_step(self, batch, batch_idx):
        return self.step(batch)

    def validation_step(self, batch, batch_idx):
        self.step(batch, "val_")

    def test_step(self, batch, batch_idx):
        self.step(batch)

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
split = int(len(x_train) * (1 - 0.2))
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
    make_loader(x_train[:split], y_train[:split], batch_size=48, shuffle=True),
    make_loader(x_train[split:], y_train[split:], batch_size=48),
)
print("dice loss:", history.history["dice_loss"][-1])

results = trainer.test(model, make_loader(x_test, y_test, batch_size=48), verbose=False)
loss, accuracy, hits, overlap = results[0].values()
print(f"loss {loss:.4f}, accuracy {accuracy:.3f}, found {hits:.3f}, dice {1 - overlap:.3f}")
