"""Two interleaved spirals: a small network that is stopped when it no longer gets better."""

import csv
import os

import lightning as L
import numpy as np
import torch
import torch.nn.functional as F
import torchmetrics.functional as tm
from lightning.pytorch.callbacks import EarlyStopping
from torch import nn
from torch.utils.data import DataLoader

EPOCHS = 24
OUT_DIR = "runs"

rng = np.random.default_rng(7)


def spirals(n, noise=0.25):
    turn = np.sqrt(rng.random(n)) * 2.5
    label = rng.integers(0, 2, n)
    angle = turn * 2 + label * np.pi
    points = np.stack([turn * np.cos(angle), turn * np.sin(angle)], axis=1)
    return (points + rng.normal(scale=noise, size=(n, 2))).astype("float32"), label


x_train, y_train = spirals(320)
x_val, y_val = spirals(128)


def warm_up(epoch, lr):
    """Three epochs of warm-up; what happens later is up to the plateau."""
    if epoch < 3:
        return 0.02 * (epoch + 1)
    return lr


class SGD(torch.optim.SGD):
    """SGD with the rate inside the momentum, as in Keras; the rate may become zero."""

    @torch.no_grad()
    def step(self, closure=None):
        loss = torch.enable_grad()(closure)() if closure else None
        for group in self.param_groups:
            for p in group["params"]:
                if p.grad is not None:
                    v = self.state[p].setdefault("momentum_buffer", torch.zeros_like(p))
                    v.mul_(group["momentum"]).add_(p.grad, alpha=group["lr"])
                    if group["nesterov"]:
                        p -= group["momentum"] * v + group["lr"] * p.grad
                    else:
                        p -= v
        return loss


def init_weights(module):
    """Keras's initial values: Glorot uniform kernels, zero biases."""
    if isinstance(module, nn.Linear):
        nn.init.xavier_uniform_(module.weight)
        nn.init.zeros_(module.bias)


class Model(L.LightningModule):
    def __init__(self):
        super().__init__()
        self.layers = nn.Sequential(
            nn.Linear(2, 24),
            nn.Tanh(),
            nn.Linear(24, 24),
            nn.Tanh(),
            nn.Linear(24, 2),
        )
        self.apply(init_weights)

    def forward(self, x):
        return self.layers(x)  # logits: the softmax is in the loss

    def step(self, batch, prefix=""):
        x, y = batch
        logits = self(x)
        loss = F.cross_entropy(logits, y)
        accuracy = tm.accuracy(logits, y, task="multiclass", num_classes=2)
        logs = {f"{prefix}loss": loss, f"{prefix}accuracy": accuracy}
        self.log_dict(logs, on_step=False, on_epoch=True, prog_bar=True)
        return loss

    def training_step(self, batch, batch_idx):
        return self.step(batch)

    def validation_step(self, batch, batch_idx):
        self.step(batch, "val_")

    def test_step(self, batch, batch_idx):
        self.step(batch)

    def configure_optimizers(self):
        return SGD(self.parameters(), lr=0.1, momentum=0.9)


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


class ReduceLROnPlateau(L.Callback):
    """Lowers the learning rate when a metric stops getting better, at the epochs that Keras does.

    torch's scheduler waits one epoch longer and measures improvement relatively.
    """

    def __init__(
        self,
        monitor="val_loss",
        factor=0.1,
        patience=10,
        verbose=0,
        mode="min",
        min_delta=1e-4,
        cooldown=0,
        min_lr=0.0,
    ):
        self.monitor, self.factor, self.patience = monitor, factor, patience
        self.sign, self.min_delta = 1 if mode == "min" else -1, min_delta
        self.verbose, self.cooldown, self.min_lr = verbose, cooldown, min_lr

    def on_train_start(self, trainer, model):
        self.best, self.wait, self.rest = None, 0, 0

    def on_train_epoch_end(self, trainer, model):
        if self.monitor not in trainer.callback_metrics:
            return  # an epoch without a validation
        value = self.sign * trainer.callback_metrics[self.monitor]
        if self.rest > 0:
            self.rest -= 1
            self.wait = 0
        if self.best is None or value + self.min_delta < self.best:
            self.best, self.wait = value, 0
        elif self.rest == 0:
            self.wait += 1
            if self.wait >= self.patience:
                self.reduce(trainer)

    def reduce(self, trainer):
        for group in trainer.optimizers[0].param_groups:
            if group["lr"] > self.min_lr:
                group["lr"] = max(group["lr"] * self.factor, self.min_lr)
                self.rest, self.wait = self.cooldown, 0
                if self.verbose:
                    epoch = trainer.current_epoch + 1
                    print(f"\nEpoch {epoch}: reducing learning rate to {group['lr']}.")


class RestoringEarlyStopping(EarlyStopping):
    """EarlyStopping that brings the weights of the best epoch back when training ends."""

    def on_train_epoch_end(self, trainer, model):
        super().on_train_epoch_end(trainer, model)
        if self.wait_count == 0 or trainer.current_epoch == 0:
            self.best_weights = {k: v.clone() for k, v in model.state_dict().items()}

    def on_train_end(self, trainer, model):
        model.load_state_dict(self.best_weights)


class CSVLogger(L.Callback):
    """Writes the values of each epoch to a file, a row an epoch, the columns in order of names."""

    def __init__(self, filename, separator=",", append=False):
        self.filename, self.separator, self.append = filename, separator, append

    def on_train_start(self, trainer, model):
        if not self.append:
            open(self.filename, "w").close()

    def on_train_epoch_end(self, trainer, model):
        row = {"epoch": trainer.current_epoch}
        row |= {k: v.item() for k, v in sorted(trainer.callback_metrics.items())}
        with open(self.filename, "a", newline="") as file:
            writer = csv.DictWriter(file, row, delimiter=self.separator)
            if file.tell() == 0:
                writer.writeheader()
            writer.writerow(row)


class TerminateOnNaN(L.Callback):
    """Ends the training after a batch whose loss is no finite number."""

    def on_train_batch_end(self, trainer, model, outputs, batch, batch_idx):
        if not outputs["loss"].isfinite():
            print(f"Batch {batch_idx}: invalid loss, terminating training")
            trainer.should_stop = True


class LearningRateScheduler(L.Callback):
    """Sets the learning rate at the start of each epoch to ``schedule(epoch, rate)``."""

    def __init__(self, schedule, verbose=0):
        self.schedule, self.verbose = schedule, verbose

    def on_train_epoch_start(self, trainer, model):
        groups = trainer.optimizers[0].param_groups
        rate = self.schedule(trainer.current_epoch, groups[0]["lr"])
        for group in groups:
            group["lr"] = rate
        if self.verbose:
            epoch = trainer.current_epoch + 1
            print(f"\nEpoch {epoch}: setting learning rate to {rate}.")


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

os.makedirs(OUT_DIR, exist_ok=True)
checkpoint = ModelCheckpoint(
    os.path.join(OUT_DIR, "best.weights.h5"),
    monitor="val_accuracy",
    save_best_only=True,
    mode="max",
)
callbacks = [
    checkpoint,
    # halve the rate when the loss stalls
    ReduceLROnPlateau(monitor="val_loss", factor=0.5, patience=1, min_lr=1e-3, verbose=1),
    RestoringEarlyStopping(patience=3, monitor="val_loss", check_finite=False),
    CSVLogger(os.path.join(OUT_DIR, "log.csv")),
    TerminateOnNaN(),
]
callbacks.append(LearningRateScheduler(warm_up))

history = History()
trainer = L.Trainer(
    max_epochs=EPOCHS,
    callbacks=[*callbacks, history],
    logger=False,
    enable_checkpointing=False,
    enable_progress_bar=False,
    enable_model_summary=False,
    num_sanity_val_steps=0,
)
trainer.fit(
    model, make_loader(x_train, y_train, shuffle=True), make_loader(x_val, y_val)
)
print("epochs:", len(history.history["loss"]), "best:", min(history.history["val_loss"]))

# the weights of the epoch with the lowest loss are back
results = trainer.test(model, make_loader(x_val, y_val), verbose=False)
loss, accuracy = results[0].values()
print(f"restored: loss {loss:.4f}, accuracy {accuracy:.3f}")

# and those of the most accurate epoch are in the file
model.load_state_dict(torch.load(os.path.join(OUT_DIR, "best.weights.h5")))
results = trainer.test(model, make_loader(x_val, y_val), verbose=False)
loss, accuracy = results[0].values()
print(f"most accurate: loss {loss:.4f}, accuracy {accuracy:.3f}")
