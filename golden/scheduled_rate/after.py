"""A rate that falls step by step, and functions that are called as the epochs go by."""

import math
from bisect import bisect_left

import lightning as L
import numpy as np
import torch
import torch.nn.functional as F
import torchmetrics.functional as tm
from torch import nn
from torch.optim.lr_scheduler import LambdaLR
from torch.utils.data import DataLoader

BATCH_SIZE = 16
EPOCHS = 4

rng = np.random.default_rng(0)
x = rng.normal(size=(200, 8)).astype("float32")
y = (x[:, :4].sum(axis=1) > x[:, 4]).astype("float32")
steps = 160 // BATCH_SIZE


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
            nn.Linear(8, 16),
            nn.ReLU(),
            nn.Dropout(0.1),
            nn.Linear(16, 1),
        )
        self.apply(init_weights)

    def forward(self, x):
        return self.layers(x)  # logits: the sigmoid is in the loss

    def step(self, batch, prefix=""):
        x, y = batch
        logits = self(x)
        y = y.view_as(logits)
        loss = F.binary_cross_entropy_with_logits(logits, y)
        accuracy = tm.accuracy(logits.sigmoid(), y, task="binary")
        logs = {f"{prefix}loss": loss, f"{prefix}accuracy": accuracy}
        self.log_dict(logs, on_step=False, on_epoch=True, prog_bar=True)
        return loss

    def training_step(self, batch, batch_idx):
        return self.step(batch)

    def validation_step(self, batch, batch_idx):
        self.step(batch, "val_")

    def configure_optimizers(self):
        # from a tenth down to nothing in three epochs
        optimizer = SGD(self.parameters(), lr=0.1, momentum=0.9)
        decay = LambdaLR(
            optimizer,
            lambda step: (1 + math.cos(math.pi * min(step / (3 * steps), 1))) / 2,
        )
        return [optimizer], [{"scheduler": decay, "interval": "step"}]


class LambdaCallback(L.Callback):
    """Calls functions of (epoch, logs) around epochs, of (logs) around the training."""

    def __init__(
        self,
        on_epoch_begin=None,
        on_epoch_end=None,
        on_train_begin=None,
        on_train_end=None,
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


def make_loader(*arrays, batch_size=32, shuffle=False):
    """The DataLoader draws row numbers; the rows are cut out of the arrays a batch at a time."""

    def cut(rows):
        return [torch.as_tensor(array[rows]) for array in arrays]

    return DataLoader(range(len(arrays[0])), batch_size, shuffle, collate_fn=cut)


@torch.no_grad()
def predict(model, x):
    """The model's outputs for x in inference mode, as a tensor."""
    training = model.training
    outputs = model.eval()(torch.as_tensor(x))
    model.train(training)
    return outputs


model = Model()

shares, notes = [], []


def share_of_ones(rows):
    return float(
        (
            predict(model, np.asarray(rows, dtype="float32")).sigmoid().numpy() > 0.5
        ).mean()
    )


def note(epoch, logs):
    notes.append(epoch + logs["val_loss"])
    shares.append(share_of_ones(x[:50]))


split = int(len(x) * (1 - 0.2))
trainer = L.Trainer(
    max_epochs=EPOCHS,
    callbacks=[
        LambdaCallback(
            on_epoch_end=note, on_train_begin=lambda logs: print("here we go")
        ),
    ],
    logger=False,
    enable_checkpointing=False,
    enable_progress_bar=False,
    enable_model_summary=False,
    num_sanity_val_steps=0,
)
trainer.fit(
    model,
    make_loader(x[:split], y[:split], batch_size=BATCH_SIZE, shuffle=True),
    make_loader(x[split:], y[split:], batch_size=BATCH_SIZE),
)
print(notes, shares)


class Other(L.LightningModule):
    def __init__(self):
        super().__init__()
        self.dense = nn.Linear(8, 1)
        self.apply(init_weights)

    def forward(self, x):
        return self.dense(x)  # logits: the sigmoid is in the loss

    def step(self, batch, prefix=""):
        x, y = batch
        logits = self(x)
        y = y.view_as(logits)
        loss = F.binary_cross_entropy_with_logits(logits, y)
        logs = {f"{prefix}loss": loss}
        self.log_dict(logs, on_step=False, on_epoch=True, prog_bar=True)
        return loss

    def training_step(self, batch, batch_idx):
        return self.step(batch)

    def validation_step(self, batch, batch_idx):
        self.step(batch, "val_")

    def test_step(self, batch, batch_idx):
        self.step(batch)

    def configure_optimizers(self):
        optimizer = torch.optim.Adam(self.parameters(), lr=1.0, eps=1e-7)
        decay = LambdaLR(
            optimizer,
            lambda step: [0.1, 0.03, 0.01][bisect_left([steps, 2 * steps], step)],
        )
        return [optimizer], [{"scheduler": decay, "interval": "step"}]

    def on_before_optimizer_step(self, optimizer):
        # Keras adds epsilon before the bias correction, torch after it
        optimizer.param_groups[0]["eps"] = (
            1e-7 / (1 - 0.999 ** (self.global_step + 1)) ** 0.5
        )


# the same again with a rate that falls by stairs
other = Other()
split = int(len(x) * (1 - 0.2))
trainer = L.Trainer(
    max_epochs=EPOCHS,
    logger=False,
    enable_checkpointing=False,
    enable_progress_bar=False,
    enable_model_summary=False,
    num_sanity_val_steps=0,
)
trainer.fit(
    other,
    make_loader(x[:split], y[:split], batch_size=BATCH_SIZE, shuffle=True),
    make_loader(x[split:], y[split:], batch_size=BATCH_SIZE),
)
print(trainer.test(other, make_loader(x, y), verbose=False)[0]["loss"])
