"""Where in a small picture is the bright spot: convolutions with stride and batch normalisation."""

import lightning as L
import numpy as np
import torch
import torch.nn.functional as F
from torch import nn
from torch.utils.data import DataLoader

EPOCHS = 3

rng = np.random.default_rng(0)
x = rng.normal(size=(192, 12, 12, 2)).astype("float32")
y = rng.integers(0, 2, size=192)
x[y == 0, 2:5, 2:5] += 1.5
x[y == 1, 7:10, 7:10] += 1.5


class BatchNorm2d(nn.BatchNorm2d):
    """BatchNorm2d whose running variance is the biased one, as in Keras."""

    def forward(self, x):
        old = (1 - self.momentum) * self.running_var
        y = super().forward(x)
        if self.training:
            self.running_var = self.running_var.lerp(old, x.shape[1] / x.numel())
        return y


def init_weights(module):
    """Keras's defaults: Glorot uniform kernels, zero biases."""
    if isinstance(module, (nn.Conv2d, nn.Linear)):
        nn.init.xavier_uniform_(module.weight)
        if module.bias is not None:
            nn.init.zeros_(module.bias)


class Model(L.LightningModule):
    def __init__(self):
        super().__init__()
        self.features = nn.Sequential(
            nn.ZeroPad2d((0, 1, 0, 1)),  # Keras's "same" pads an even picture on the far side only
            nn.Conv2d(2, 6, 3, stride=2, bias=False),
            BatchNorm2d(6, eps=1e-3, momentum=0.2),
            nn.Tanh(),
            nn.Conv2d(6, 6, 3, groups=6),
            nn.Tanh(),
        )
        self.classifier = nn.Linear(4 * 4 * 6, 2)
        self.apply(init_weights)

    def forward(self, x):
        x = self.features(x.permute(0, 3, 1, 2))  # NHWC -> NCHW
        x = x.permute(0, 2, 3, 1).flatten(1)  # flattened in Keras's order
        return self.classifier(x)

    def step(self, batch, prefix=""):
        x, y = batch
        loss = F.cross_entropy(self(x), y)
        self.log(f"{prefix}loss", loss, on_step=False, on_epoch=True)
        return loss

    def training_step(self, batch, batch_idx):
        return self.step(batch)

    def validation_step(self, batch, batch_idx):
        self.step(batch, "val_")

    def configure_optimizers(self):
        return torch.optim.SGD(self.parameters(), lr=0.05, momentum=0.9)


def make_loader(*arrays, batch_size=32, shuffle=False):
    """The DataLoader draws row numbers; the rows are cut out of the arrays a batch at a time."""

    def cut(rows):
        return [torch.as_tensor(array[rows]) for array in arrays]

    return DataLoader(range(len(arrays[0])), batch_size, shuffle, collate_fn=cut)


split = int(len(x) * (1 - 0.25))
trainer = L.Trainer(
    max_epochs=EPOCHS,
    logger=False,
    enable_checkpointing=False,
    enable_progress_bar=False,
    enable_model_summary=False,
    num_sanity_val_steps=0,
)
trainer.fit(
    Model(),
    make_loader(x[:split], y[:split], batch_size=16, shuffle=True),
    make_loader(x[split:], y[split:], batch_size=16),
)
