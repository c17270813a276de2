"""A small and a wide network for one task; each is brought back from its file and judged."""

import os

import lightning as L
import numpy as np
import torch
import torch.nn.functional as F
import torchmetrics.functional as tm
from torch import nn
from torch.utils.data import DataLoader

FOLDER = "weights"
BEST = os.path.join(FOLDER, "best.keras")
CLASSES = 3


def make_data(count, seed):
    rng = np.random.default_rng(seed)
    x = rng.normal(size=(count, 12)).astype("float32")
    y = (x[:, :CLASSES] + 0.5 * x[:, CLASSES : 2 * CLASSES] ** 2).argmax(axis=1)
    return x, y


class BatchNorm1d(nn.BatchNorm1d):
    """BatchNorm1d whose running variance is the biased one, as in Keras."""

    def forward(self, x):
        old = (1 - self.momentum) * self.running_var
        y = super().forward(x)
        if self.training:
            self.running_var = self.running_var.lerp(old, x.shape[1] / x.numel())
        return y


def init_weights(module):
    """Keras's initial values: Glorot uniform kernels, zero biases."""
    if isinstance(module, nn.Linear):
        nn.init.xavier_uniform_(module.weight)
        nn.init.zeros_(module.bias)


class Build(L.LightningModule):
    def __init__(self, units, depth=2, rate=0.0):
        super().__init__()
        in_features = 12
        layers = []
        for _ in range(depth):
            layers.append(nn.Linear(in_features, units))
            layers.append(nn.ReLU())
            layers.append(BatchNorm1d(units, eps=1e-3, momentum=0.01))
            in_features = units
        self.layers = nn.Sequential(*layers)
        self.dropout = nn.Dropout(rate)
        self.dense = nn.Linear(in_features, CLASSES)
        self.stage = 1
        self.apply(init_weights)

    def forward(self, inputs):
        x = self.layers(inputs)
        x = self.dropout(x)
        return self.dense(x)  # logits: the softmax is in the loss

    def step(self, batch, prefix=""):
        x, y = batch
        logits = self(x)
        loss = F.cross_entropy(logits, y)
        accuracy = tm.accuracy(logits, y, task="multiclass", num_classes=CLASSES)
        logs = {f"{prefix}loss": loss, f"{prefix}accuracy": accuracy}
        self.log_dict(logs, on_step=False, on_epoch=True, prog_bar=True)
        return loss

    def training_step(self, batch, batch_idx):
        return self.step(batch)

    def validation_step(self, batch, batch_idx):
        self.step(batch, "val_")

    def test_step(self, batch, batch_idx):
        self.step(batch)

    def predict_step(self, batch, batch_idx):
        return self(batch[0]).softmax(1)

    def configure_optimizers(self):
        if self.stage == 1:
            return torch.optim.Adam(self.parameters(), lr=1e-3, eps=1e-7)
        return torch.optim.SGD(self.parameters(), lr=0.01)

    def on_before_optimizer_step(self, optimizer):
        if self.stage == 1:
            # Keras adds epsilon before the bias correction, torch after it
            optimizer.param_groups[0]["eps"] = (
                1e-7 / (1 - 0.999 ** (self.global_step + 1)) ** 0.5
            )


class ModelCheckpoint(L.Callback):
    """Saves the state dict at the end of an epoch: of each, or when a metric was never better.

    The path may hold ``{epoch}``, counted from 1, and the names of what is logged.
    """

    def __init__(
        self, filepath, monitor="val_loss", verbose=0, save_best_only=False, mode="min"
    ):
        self.filepath, self.monitor, self.verbose = str(filepath), monitor, verbose
        self.save_best_only, self.sign = save_best_only, 1 if mode == "min" else -1
        self.best = None

    def on_train_epoch_end(self, trainer, model):
        logs = {name: value.item() for name, value in trainer.callback_metrics.items()}
        epoch = trainer.current_epoch + 1
        if self.save_best_only:
            value = self.sign * logs[self.monitor]
            if self.best is not None and not value < self.best:
                return
            self.best = value
        path = self.filepath.format(epoch=epoch, **logs)
        os.makedirs(os.path.dirname(path) or ".", exist_ok=True)
        torch.save(model.state_dict(), path)
        if self.verbose:
            print(f"\nEpoch {epoch}: saved model to {path}")


def make_loader(*arrays, batch_size=32, shuffle=False):
    """The DataLoader draws row numbers; the rows are cut out of the arrays a batch at a time."""

    def cut(rows):
        return [torch.as_tensor(array[rows]) for array in arrays]

    return DataLoader(range(len(arrays[0])), batch_size, shuffle, collate_fn=cut)


os.makedirs(FOLDER, exist_ok=True)
x_train, y_train = make_data(320, seed=0)
x_test, y_test = make_data(80, seed=1)

# the small one: the best of its epochs is kept
small = Build(8)
trainer = L.Trainer(
    max_epochs=4,
    callbacks=[ModelCheckpoint(BEST, monitor="val_loss", save_best_only=True)],
    logger=False,
    enable_checkpointing=False,
    enable_progress_bar=False,
    enable_model_summary=False,
    num_sanity_val_steps=0,
)
trainer.fit(
    small, make_loader(x_train, y_train, shuffle=True), make_loader(x_test, y_test)
)

# the wide one: as it is at the end
wide = Build(16, rate=0.2)
wide.stage = 2
trainer = L.Trainer(
    max_epochs=2,
    logger=False,
    enable_checkpointing=False,
    enable_progress_bar=False,
    enable_model_summary=False,
    num_sanity_val_steps=0,
)
trainer.fit(wide, make_loader(x_train, y_train, shuffle=True))
torch.save(wide.state_dict(), os.path.join(FOLDER, "wide.keras"))

best = Build(8)
best.load_state_dict(torch.load(BEST))
results = trainer.test(best, make_loader(x_test, y_test), verbose=False)
loss_best, accuracy_best = results[0].values()
print("small, best epoch:", loss_best, accuracy_best)

restored = Build(16, rate=0.2)
restored.load_state_dict(torch.load(os.path.join(FOLDER, "wide.keras")))
results = trainer.test(restored, make_loader(x_test, y_test), verbose=False)
loss_wide, accuracy_wide = results[0].values()
same = np.allclose(
    torch.cat(trainer.predict(restored, make_loader(x_test))).numpy(),
    torch.cat(trainer.predict(wide, make_loader(x_test))).numpy(),
)
print("wide:", loss_wide, accuracy_wide, "the same:", same)
