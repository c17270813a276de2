"""Keras's callbacks that Lightning does not have, or that it calls at other epochs."""

import csv
import os

import lightning as L
import torch
from lightning.pytorch.callbacks import EarlyStopping


class RestoringEarlyStopping(EarlyStopping):
    """EarlyStopping that brings the weights of the best epoch back when training ends."""

    def on_train_epoch_end(self, trainer, model):
        super().on_train_epoch_end(trainer, model)
        if self.wait_count == 0 or trainer.current_epoch == 0:
            self.best_weights = {k: v.clone() for k, v in model.state_dict().items()}

    def on_train_end(self, trainer, model):
        model.load_state_dict(self.best_weights)


class RestoringEarlyStoppingOnce(EarlyStopping):
    """EarlyStopping that brings the weights of the best epoch back if it stopped the training."""

    def on_train_epoch_end(self, trainer, model):
        super().on_train_epoch_end(trainer, model)
        if self.wait_count == 0 or trainer.current_epoch == 0:
            self.best_weights = {k: v.clone() for k, v in model.state_dict().items()}

    def on_train_end(self, trainer, model):
        if self.stopped_epoch:
            model.load_state_dict(self.best_weights)


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
                print(f"Restoring model weights from the end of epoch {self.best_epoch + 1}.")


class LearningRateScheduler(L.Callback):
    """Sets the learning rate at the start of each epoch to what ``schedule(epoch)`` returns."""

    def __init__(self, schedule, verbose=0):
        self.schedule, self.verbose = schedule, verbose

    def on_train_epoch_start(self, trainer, model):
        rate = self.schedule(trainer.current_epoch)
        for group in trainer.optimizers[0].param_groups:
            group["lr"] = rate
        if self.verbose:
            epoch = trainer.current_epoch + 1
            print(f"\nEpoch {epoch}: setting learning rate to {rate}.")


class LearningRateSchedulerFull(L.Callback):
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


class ModelCheckpoint(L.Callback):
    """Saves the state dict at the end of an epoch: of each, or when a metric was never better.

    The path may hold ``{epoch}``, counted from 1, and the names of what is logged.
    """

    def __init__(self, filepath, monitor="val_loss", verbose=0, save_best_only=False, mode="min"):
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


class ModelCheckpointFull(L.Callback):
    """Saves the state dict after each ``period`` epochs, or each ``save_freq`` batches.

    The path may hold ``{epoch}``, counted from 1, and the names of what is logged; where batches
    count, ``{batch}`` instead of these.
    """

    def __init__(
        self,
        filepath,
        monitor="val_loss",
        verbose=0,
        save_best_only=False,
        mode="min",
        initial_value_threshold=None,
        save_freq="epoch",
        period=1,
    ):
        self.filepath, self.monitor, self.verbose = str(filepath), monitor, verbose
        self.save_best_only, self.sign = save_best_only, 1 if mode == "min" else -1
        start = initial_value_threshold
        self.best = None if start is None else self.sign * start
        self.batches = None if save_freq == "epoch" else save_freq
        self.period, self.seen = period, 0

    def on_train_batch_end(self, trainer, model, outputs, batch, batch_idx):
        if self.batches and self.is_time(self.batches):
            self.save(trainer, model, {"batch": batch_idx + 1})

    def on_train_epoch_end(self, trainer, model):
        if self.batches or not self.is_time(self.period):
            return
        logs = {name: value.item() for name, value in trainer.callback_metrics.items()}
        if self.save_best_only:
            value = self.sign * logs[self.monitor]
            if self.best is not None and not value < self.best:
                return
            self.best = value
        self.save(trainer, model, logs)

    def is_time(self, every):
        self.seen = (self.seen + 1) % every
        return self.seen == 0

    def save(self, trainer, model, named):
        epoch = trainer.current_epoch + 1
        path = self.filepath.format(epoch=epoch, **named)
        os.makedirs(os.path.dirname(path) or ".", exist_ok=True)
        torch.save(model.state_dict(), path)
        if self.verbose:
            print(f"\nEpoch {epoch}: saved model to {path}")


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


class LambdaCallback(L.Callback):
    """Calls functions of (epoch, logs) around epochs, of (logs) around the training."""

    def __init__(
        self, on_epoch_begin=None, on_epoch_end=None, on_train_begin=None, on_train_end=None
    ):
        self.epoch_begin, self.epoch_end = on_epoch_begin, on_epoch_end
        self.train_begin, self.train_end = on_train_begin, on_train_end

    def on_train_start(self, trainer, model):
        if self.train_begin:
            self.train_begin({})

    def on_train_epoch_start(self, trainer, model):
        if self.epoch_begin:
            self.epoch_begin(trainer.current_epoch, {})

    def on_train_epoch_end(self, trainer, model):
        if self.epoch_end:
            self.epoch_end(trainer.current_epoch, self.logs(trainer))

    def on_train_end(self, trainer, model):
        if self.train_end:
            self.train_end(self.logs(trainer))

    def logs(self, trainer):
        return {name: value.item() for name, value in trainer.callback_metrics.items()}


class BatchLoss(L.Callback):
    """Tells after a batch the mean loss of the epoch so far, over its samples, as Keras does."""

    def mean_loss(self, outputs, data, batch):
        if batch == 0:
            self._sum, self._samples = 0.0, 0
        self._sum += outputs["loss"].item() * len(data[-1])
        self._samples += len(data[-1])
        return self._sum / self._samples


class WeightAverage(L.Callback):
    """Keras's use_ema: an average follows the weights, and takes their place when training ends.

    every: also after so many steps.
    """

    def __init__(self, momentum=0.99, every=None):
        self.momentum, self.every, self.averages = momentum, every, None

    def on_train_batch_end(self, trainer, module, outputs, batch, batch_idx):
        weights = [p.detach() for p in module.parameters() if p.requires_grad]
        if self.averages is None:
            self.averages = [p.clone() for p in weights]
        for i, p in enumerate(weights):
            self.averages[i] = self.averages[i].to(p.device).lerp(p, 1 - self.momentum)
        if self.every and trainer.global_step % self.every == 0:
            self.on_train_end(trainer, module)

    def on_train_end(self, trainer, module):
        weights = [p.detach() for p in module.parameters() if p.requires_grad]
        for p, average in zip(weights, self.averages, strict=True):
            p.copy_(average)

    def state_dict(self):
        return {"averages": self.averages}

    def load_state_dict(self, state_dict):
        self.averages = state_dict["averages"]
