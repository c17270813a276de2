"""A recurrent net started gently: warm-up, clipped gradients, a lower rate on a plateau."""

import lightning as L
import matplotlib.pyplot as plt
import numpy as np
import torch
import torch.nn.functional as F
from torch import nn
from torch.utils.data import DataLoader

BASE_RATE = 0.06
WARM_UP = 3
EPOCHS = 10

rng = np.random.default_rng(5)
x = rng.normal(size=(240, 12, 2)).astype("float32")
y = np.tanh(x[:, :, 0].sum(axis=1) * x[:, -1, 1])


def warm_up(epoch, lr):
    """A straight line up to the base rate; from then on what the plateau makes of it."""
    if epoch < WARM_UP:
        return BASE_RATE * (epoch + 1) / WARM_UP
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
    """Keras's initial values for each kind of layer."""
    if isinstance(module, nn.RNN):
        for name, p in module.named_parameters():
            if "weight_ih" in name:
                nn.init.xavier_uniform_(p)
            elif "weight_hh" in name:
                nn.init.orthogonal_(p)
            elif "bias_ih" in name:
                nn.init.zeros_(p)
            else:
                nn.init.zeros_(p).requires_grad_(False)  # Keras has one bias per gate
    elif isinstance(module, nn.Linear):
        nn.init.xavier_uniform_(module.weight)
        nn.init.zeros_(module.bias)


class Model(L.LightningModule):
    def __init__(self):
        super().__init__()
        self.rnn = nn.RNN(2, 12, batch_first=True)
        self.dense = nn.Linear(12, 1)
        self.apply(init_weights)

    def forward(self, inputs):
        h = self.rnn(inputs)[0][:, -1]
        return self.dense(h)

    def step(self, batch, prefix=""):
        x, y = batch
        y_pred = self(x)
        y = y.view_as(y_pred)
        loss = F.mse_loss(y_pred, y)
        logs = {f"{prefix}loss": loss}
        self.log_dict(logs, on_step=False, on_epoch=True, prog_bar=True)
        return loss

    def training_step(self, batch, batch_idx):
        return self.step(batch)

    def validation_step(self, batch, batch_idx):
        self.step(batch, "val_")

    def configure_optimizers(self):
        return SGD(self.parameters(), lr=BASE_RATE, momentum=0.9)

    def on_before_optimizer_step(self, optimizer):
        nn.utils.clip_grad_norm_(self.parameters(), 0.5)


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

split = int(len(x) * (1 - 0.25))
history = History("learning_rate")
trainer = L.Trainer(
    max_epochs=EPOCHS,
    callbacks=[
        LearningRateScheduler(warm_up),
        ReduceLROnPlateau(
            monitor="val_loss", factor=0.3, patience=1, min_delta=0.01, min_lr=1e-4
        ),
        history,
    ],
    logger=False,
    enable_checkpointing=False,
    enable_progress_bar=False,
    enable_model_summary=False,
    num_sanity_val_steps=0,
)
trainer.fit(
    model,
    make_loader(x[:split], y[:split], batch_size=24, shuffle=True),
    make_loader(x[split:], y[split:], batch_size=24),
)

rates = history.history["learning_rate"]
losses = history.history["val_loss"]
figure, (above, below) = plt.subplots(2, sharex=True)
above.plot(losses)
below.semilogy(rates)
figure.savefig("rates.png")
print("rates:", rates)
