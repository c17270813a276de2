"""Regression whose weights are averaged on the way."""

import lightning as L
import numpy as np
import torch
import torch.nn.functional as F
from torch import nn
from torch.utils.data import DataLoader
from torchmetrics.regression import R2Score

rng = np.random.default_rng(0)
x = rng.normal(size=(320, 8)).astype("float32")
y = 2 * x[:, :1] + 0.1 * rng.normal(size=(320, 1)).astype("float32")


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
            nn.Linear(16, 1),
        )
        self.r2 = R2Score()
        self.val_r2 = R2Score()
        self.apply(init_weights)

    def forward(self, x):
        return self.layers(x)

    def step(self, batch, prefix=""):
        x, y = batch
        y_pred = self(x)
        loss = F.huber_loss(y_pred, y)
        mae = F.l1_loss(y_pred, y)
        r2 = getattr(self, f"{prefix}r2")
        r2.update(y_pred, y)
        logs = {f"{prefix}loss": loss, f"{prefix}mae": mae, f"{prefix}r2": r2}
        self.log_dict(logs, on_step=False, on_epoch=True, prog_bar=True)
        return loss

    def training_step(self, batch, batch_idx):
        return self.step(batch)

    def validation_step(self, batch, batch_idx):
        self.step(batch, "val_")

    def test_step(self, batch, batch_idx):
        self.step(batch)

    def configure_optimizers(self):
        return torch.optim.AdamW(
            self.parameters(), lr=0.01, eps=1e-7, weight_decay=1e-3
        )

    def configure_callbacks(self):
        return [WeightAverage(0.9, every=7)]

    def on_before_optimizer_step(self, optimizer):
        # clip_grad_norm_ adds 1e-6 to the norm, which counts here
        grads = [p.grad for p in self.parameters() if p.grad is not None]
        norm = nn.utils.get_total_norm(grads)
        for grad in grads:
            grad *= 0.05 / norm.clamp_min(0.05)
        # Keras adds epsilon before the bias correction, torch after it
        optimizer.param_groups[0]["eps"] = (
            1e-7 / (1 - 0.999 ** (self.global_step + 1)) ** 0.5
        )


def make_loader(*arrays, batch_size=32, shuffle=False):
    """The DataLoader draws row numbers; the rows are cut out of the arrays a batch at a time."""

    def cut(rows):
        return [torch.as_tensor(array[rows]) for array in arrays]

    return DataLoader(range(len(arrays[0])), batch_size, shuffle, collate_fn=cut)


model = Model()
split = int(len(x) * (1 - 0.1))
trainer = L.Trainer(
    max_epochs=3,
    logger=False,
    enable_checkpointing=False,
    enable_progress_bar=False,
    enable_model_summary=False,
    num_sanity_val_steps=0,
)
trainer.fit(
    model,
    make_loader(x[:split], y[:split], batch_size=16, shuffle=True),
    make_loader(x[split:], y[split:], batch_size=16),
)
scores = list(trainer.test(model, make_loader(x, y), verbose=False)[0].values())
print(scores)
