"""The rate of "Attention is all you need": up in a line, then down with the root of the step."""

import lightning as L
import numpy as np
import torch
import torch.nn.functional as F
from torch import nn
from torch.optim.lr_scheduler import LambdaLR
from torch.utils.data import DataLoader
from torchmetrics import Metric

D_MODEL = 32
BATCH_SIZE = 16

rng = np.random.default_rng(0)
x = rng.normal(size=(320, 12)).astype("float32")
y = (x[:, :4].sum(axis=1) > x[:, 4]).astype("float32")


class CustomSchedule:
    def __init__(self, d_model, warmup_steps=4000):

        self.d_model = d_model
        self.d_model = torch.tensor(float(self.d_model))

        self.warmup_steps = warmup_steps

    def __call__(self, step):
        step = step.float()
        arg1 = step.rsqrt()
        arg2 = step * (self.warmup_steps**-1.5)

        return self.d_model.rsqrt() * torch.minimum(arg1, arg2)


class ThresholdCounts(Metric):
    """How many positives and negatives lie above how many of evenly spaced thresholds."""

    def __init__(self, num_thresholds=200):
        super().__init__()
        for name in ("positives", "negatives"):
            self.add_state(name, torch.zeros(num_thresholds), dist_reduce_fx="sum")

    def update(self, preds, target):
        count = len(self.positives)
        below = (preds.clamp(0, 1) * (count - 1)).ceil().long()
        self.positives += torch.bincount(below[target != 0], minlength=count)
        self.negatives += torch.bincount(below[target == 0], minlength=count)


class AUC(ThresholdCounts):
    """Area under the ROC curve at evenly spaced thresholds, the first and last beyond 0 and 1."""

    def compute(self):
        rates = []
        for counts in (self.positives, self.negatives):
            above = counts.flip(0).cumsum(0).flip(0)
            above = torch.cat([above[:1], above[2:], above.new_zeros(1)])
            rates.append(above / above[0].clamp_min(1))
        return -torch.trapezoid(*rates)


def init_weights(module):
    """Keras's initial values: Glorot uniform kernels, zero biases."""
    if isinstance(module, nn.Linear):
        nn.init.xavier_uniform_(module.weight)
        nn.init.zeros_(module.bias)


class Model(L.LightningModule):
    def __init__(self):
        super().__init__()
        self.layers = nn.Sequential(
            nn.Linear(12, D_MODEL),
            nn.ReLU(),
            nn.Linear(D_MODEL, 1),
        )
        self.auc = AUC()
        self.val_auc = AUC()
        self.apply(init_weights)

    def forward(self, x):
        return self.layers(x)

    def step(self, batch, prefix=""):
        x, y = batch
        logits = self(x)
        y = y.view_as(logits)
        loss = F.binary_cross_entropy_with_logits(logits, y)
        binary_accuracy = ((logits > 0.0) == y).float().mean()
        auc = getattr(self, f"{prefix}auc")
        auc.update(logits.sigmoid(), y)
        logs = {
            f"{prefix}loss": loss,
            f"{prefix}binary_accuracy": binary_accuracy,
            f"{prefix}auc": auc,
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
        optimizer = torch.optim.Adam(
            self.parameters(), lr=1.0, betas=(0.9, 0.98), eps=1e-9
        )
        decay = LambdaLR(
            optimizer, lambda step: learning_rate(torch.tensor(step)).item()
        )
        return [optimizer], [{"scheduler": decay, "interval": "step"}]

    def on_before_optimizer_step(self, optimizer):
        # Keras adds epsilon before the bias correction, torch after it
        optimizer.param_groups[0]["eps"] = (
            1e-9 / (1 - 0.98 ** (self.global_step + 1)) ** 0.5
        )


def make_loader(*arrays, batch_size=32, shuffle=False):
    """The DataLoader draws row numbers; the rows are cut out of the arrays a batch at a time."""

    def cut(rows):
        return [torch.as_tensor(array[rows]) for array in arrays]

    return DataLoader(range(len(arrays[0])), batch_size, shuffle, collate_fn=cut)


model = Model()

learning_rate = CustomSchedule(D_MODEL, warmup_steps=40)

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
    make_loader(x[:split], y[:split], batch_size=BATCH_SIZE, shuffle=True),
    make_loader(x[split:], y[split:], batch_size=BATCH_SIZE),
)
score = list(trainer.test(model, make_loader(x, y), verbose=False)[0].values())
print(score)
