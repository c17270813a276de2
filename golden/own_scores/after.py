"""A loss and a metric of the script's own: classes that extend Keras's."""

import lightning as L
import numpy as np
import torch
import torch.nn.functional as F
from torch import nn
from torch.utils.data import DataLoader
from torchmetrics import Metric
from torchmetrics.classification import BinaryPrecision, BinaryRecall

WIDTH = 0.4
rng = np.random.default_rng(0)
x = rng.normal(size=(200, 8)).astype("float32")
y = (x[:, :3] + 0.5 * rng.normal(size=(200, 3)) > 0).astype("float32")


class DiceLoss(nn.Module):
    """Soft Dice, a value for each sample."""

    def __init__(self, smooth=1.0, name="dice_loss", **kwargs):
        super().__init__()
        self.smooth = smooth

    def forward(self, y_true, y_pred):
        common = (y_true * y_pred).sum(dim=-1)
        total = y_true.sum(dim=-1) + y_pred.sum(dim=-1)
        return 1 - (2 * common + self.smooth) / (total + self.smooth)


class Near(Metric):
    """The share of predictions near their target, and how it counts each class."""

    def __init__(self, width=0.1, name="near", **kwargs):
        super().__init__()
        self.width = width
        self.add_state("hits", torch.zeros((3,)), dist_reduce_fx="sum")
        self.add_state("count", torch.tensor(0.0), dist_reduce_fx="sum")

    def update(self, y_true, y_pred, sample_weight=None):
        near = ((y_true - y_pred).abs() < self.width).to(self.dtype)
        self.hits += near.sum(dim=0)
        self.count += float(y_true.shape[0])

    def compute(self):
        return self.hits.mean() / self.count


class F1(Metric):
    """The harmonic mean of two metrics that it holds."""

    def __init__(self, name="f1", **kwargs):
        super().__init__()
        self.precision = BinaryPrecision()
        self.recall = BinaryRecall()

    def update(self, y_true, y_pred, sample_weight=None):
        self.precision.update((y_pred > WIDTH).int(), y_true.int())
        self.recall.update((y_pred > WIDTH).int(), y_true.int())

    def reset(self):
        super().reset()
        self.precision.reset()
        self.recall.reset()

    def compute(self):
        p, r = self.precision.compute(), self.recall.compute()
        return 2 * p * r / (p + r + 1e-7)


def init_weights(module):
    """Keras's initial values: Glorot uniform kernels, zero biases."""
    if isinstance(module, nn.Linear):
        nn.init.xavier_uniform_(module.weight)
        nn.init.zeros_(module.bias)


class Model(L.LightningModule):
    def __init__(self):
        super().__init__()
        self.layers = nn.Sequential(
            nn.Linear(8, 3),
            nn.Sigmoid(),
        )
        self.loss_function = DiceLoss(smooth=0.5)
        self.near = Near(WIDTH)
        self.val_near = Near(WIDTH)
        self.f1 = F1()
        self.val_f1 = F1()
        self.apply(init_weights)

    def forward(self, x):
        return self.layers(x)

    def step(self, batch, prefix=""):
        x, y = batch
        y_pred = self(x)
        loss = self.loss_function(y, y_pred).mean()
        mae = F.l1_loss(y_pred, y)
        near = getattr(self, f"{prefix}near")
        near.update(y, y_pred)
        f1 = getattr(self, f"{prefix}f1")
        f1.update(y, y_pred)
        logs = {
            f"{prefix}loss": loss,
            f"{prefix}near": near,
            f"{prefix}mae": mae,
            f"{prefix}f1": f1,
        }
        self.log_dict(logs, on_step=False, on_epoch=True, prog_bar=True)
        return loss

    def training_step(self, batch, batch_idx):
        return self.step(batch)

    def validation_step(self, batch, batch_idx):
        self.step(batch, "val_")

    def test_step(self, batch, batch_idx):
        self.step(batch)

    def configure_optimizers(self):
        return torch.optim.SGD(self.parameters(), lr=0.01)


def make_loader(*arrays, batch_size=32, shuffle=False):
    """The DataLoader draws row numbers; the rows are cut out of the arrays a batch at a time."""

    def cut(rows):
        return [torch.as_tensor(array[rows]) for array in arrays]

    return DataLoader(range(len(arrays[0])), batch_size, shuffle, collate_fn=cut)


model = Model()
split = int(len(x) * (1 - 0.2))
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
score = list(trainer.test(model, make_loader(x, y), verbose=False)[0].values())
print(score)
