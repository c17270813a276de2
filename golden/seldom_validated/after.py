"""Fits a line through noise; validates every other epoch, on batches of another size."""

import lightning as L
import numpy as np
import torch
import torch.nn.functional as F
from torch import nn
from torch.utils.data import DataLoader

rng = np.random.default_rng(0)
x = rng.normal(size=(64, 8)).astype("float32")
y = x[:, :1] + rng.normal(size=(64, 1)).astype("float32")


def init_weights(module):
    """Keras's initial values: Glorot uniform kernels, zero biases."""
    if isinstance(module, nn.Linear):
        nn.init.xavier_uniform_(module.weight)
        nn.init.zeros_(module.bias)


class Model(L.LightningModule):
    def __init__(self):
        super().__init__()
        self.dense = nn.Linear(8, 1)
        self.apply(init_weights)

    def forward(self, x):
        return self.dense(x)

    def step(self, batch, prefix=""):
        x, y = batch
        y_pred = self(x)
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

    def configure_optimizers(self):
        return torch.optim.SGD(self.parameters(), lr=0.3)


class KerasEarlyStopping(L.Callback):
    """Stops when a metric has not become better for some epochs, counted as in Keras."""

    def __init__(
        self,
        monitor="val_loss",
        min_delta=0,
        patience=0,
        verbose=0,
        mode="min",
        baseline=None,
        restore_best_weights=False,
        start_from_epoch=0,
    ):
        self.monitor, self.patience, self.verbose = monitor, patience, verbose
        self.sign, self.min_delta = 1 if mode == "min" else -1, abs(min_delta)
        self.baseline, self.restore_best_weights = baseline, restore_best_weights
        self.start_from_epoch = start_from_epoch

    def better(self, value, other):
        return self.sign * value + self.min_delta < self.sign * other

    def on_train_start(self, trainer, model):
        self.best = self.best_weights = None
        self.wait = self.best_epoch = self.stopped_epoch = 0

    def on_train_epoch_end(self, trainer, model):
        epoch, value = trainer.current_epoch, trainer.callback_metrics.get(self.monitor)
        if value is None or epoch < self.start_from_epoch:
            return
        self.wait += 1
        improved = self.best is None or self.better(value, self.best)
        if self.restore_best_weights and (improved or self.best_weights is None):
            self.best_weights = {k: v.clone() for k, v in model.state_dict().items()}
        if improved:
            self.best, self.best_epoch = value, epoch
            if self.baseline is None or self.better(value, self.baseline):
                self.wait = 0
        elif self.wait >= self.patience and epoch > 0:
            trainer.should_stop, self.stopped_epoch = True, epoch
            if self.verbose:
                print(f"Epoch {epoch + 1}: early stopping")

    def on_train_end(self, trainer, model):
        if self.best_weights is not None:
            model.load_state_dict(self.best_weights)
            if self.verbose:
                print(
                    f"Restoring model weights from the end of epoch {self.best_epoch + 1}."
                )


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
    """The epoch values by name, like the History that Keras's fit returns, and the rate of each."""

    def __init__(self, rate=None):
        self.history, self.rate = {}, rate

    def on_train_epoch_start(self, trainer, model):
        if self.rate is not None:
            rate = trainer.optimizers[0].param_groups[0]["lr"]
            self.history.setdefault(self.rate, []).append(rate)

    def on_train_epoch_end(self, trainer, model):
        for name, value in trainer.callback_metrics.items():
            self.history.setdefault(name, []).append(value.item())


model = Model()

split = int(len(x) * (1 - 0.5))
history = History("learning_rate")
trainer = L.Trainer(
    max_epochs=30,
    callbacks=[
        KerasEarlyStopping(patience=2, restore_best_weights=True, monitor="val_loss"),
        ReduceLROnPlateau(patience=1, cooldown=1),
        history,
        FreshLogs(),
    ],
    check_val_every_n_epoch=2,
    logger=False,
    enable_checkpointing=False,
    enable_progress_bar=False,
    enable_model_summary=False,
    num_sanity_val_steps=0,
)
trainer.fit_loop.epoch_progress.current.processed = 2  # epochs count from there
trainer.fit(
    model,
    make_loader(x[:split], y[:split], batch_size=16, shuffle=True),
    make_loader(x[split:], y[split:], batch_size=8),
)
print(len(history.history["loss"]), "epochs,", len(history.history["val_loss"]), "validations")
print("rates", history.history["learning_rate"])
print(
    "loss, mae", list(trainer.test(model, make_loader(x, y), verbose=False)[0].values())
)
