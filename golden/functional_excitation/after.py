"""A small convolutional net whose blocks weigh their channels (squeeze and excitation)."""

import lightning as L
import numpy as np
import torch
import torch.nn.functional as F
import torchmetrics.functional as tm
from torch import nn
from torch.utils.data import DataLoader

rng = np.random.RandomState(2)
x = rng.rand(192, 16, 16, 3).astype("float32")
y = (x[:, :8].mean(axis=(1, 2, 3)) > x[:, 8:].mean(axis=(1, 2, 3))).astype("int64")
print("images:", x.shape, "of them brighter above:", y.mean())


class SameConv2d(nn.Conv2d):
    """Conv2d with Keras's "same" padding: it follows the input size, an odd pixel goes last."""

    def forward(self, x):
        sizes = zip(x.shape[2:], self.kernel_size, self.stride, self.dilation)
        h, w = [max((k - 1) * d + 1 - s + -n % s, 0) for n, k, s, d in sizes]
        return super().forward(F.pad(x, (w // 2, w - w // 2, h // 2, h - h // 2)))


def init_weights(module):
    """Keras's initial values: Glorot uniform kernels, zero biases."""
    if isinstance(module, nn.Linear):
        nn.init.xavier_uniform_(module.weight)
        nn.init.zeros_(module.bias)
    elif isinstance(module, nn.Conv2d):
        nn.init.xavier_uniform_(module.weight)


class Swish(nn.Module):
    def forward(self, t):
        return t * t.sigmoid()


class SqueezeExcite(nn.Module):
    def __init__(self, in_channels, ratio=4):
        super().__init__()
        filters = in_channels
        self.dense1 = nn.Linear(in_channels, filters // ratio)
        self.dense2 = nn.Linear(filters // ratio, filters)

    def forward(self, t):
        s = t.mean(dim=(1, 2), keepdim=True)
        s = F.relu(self.dense1(s))
        s = self.dense2(s).sigmoid()
        return t * s


class ConvBlock(nn.Module):
    def __init__(self, in_channels, filters, stride=1):
        super().__init__()
        self.conv = SameConv2d(in_channels, filters, 3, stride=stride, bias=False)
        self.norm = nn.BatchNorm2d(filters, eps=1e-3, momentum=0.01)
        self.swish = Swish()
        self.squeeze_excite = SqueezeExcite(filters)

    def forward(self, t):
        t = self.conv(t.permute(0, 3, 1, 2))  # NHWC -> NCHW
        t = self.norm(t)
        t = self.swish(t.permute(0, 2, 3, 1))
        return self.squeeze_excite(t)


class Build(L.LightningModule):
    def __init__(self, widths=(8, 16, 16)):
        super().__init__()
        in_channels = 3
        conv_blocks = []
        for width in widths:
            conv_blocks.append(ConvBlock(in_channels, width, stride=2))
            in_channels = width
        self.conv_blocks = nn.Sequential(*conv_blocks)
        self.dense = nn.Linear(in_channels, 2)
        self.apply(init_weights)

    def forward(self, inputs):
        t = self.conv_blocks(inputs)
        # over the places
        t = t.amax(dim=(1, 2))
        return self.dense(t)  # logits: the softmax is in the loss

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

    def configure_optimizers(self):
        return torch.optim.Adam(self.parameters(), lr=1e-3, eps=1e-7)

    def on_before_optimizer_step(self, optimizer):
        # Keras adds epsilon before the bias correction, torch after it
        optimizer.param_groups[0]["eps"] = (
            1e-7 / (1 - 0.999 ** (self.global_step + 1)) ** 0.5
        )


def make_loader(*arrays, batch_size=32, shuffle=False):
    """The DataLoader draws row numbers; the rows are cut out of the arrays a batch at a time."""

    def cut(rows):
        return [torch.as_tensor(array[rows]) for array in arrays]

    return DataLoader(range(len(arrays[0])), batch_size, shuffle, collate_fn=cut)


model = Build()
split = int(len(x) * (1 - 1 / 3))
trainer = L.Trainer(
    max_epochs=5,
    logger=False,
    enable_checkpointing=False,
    enable_model_summary=False,
    num_sanity_val_steps=0,
)
trainer.fit(
    model,
    make_loader(x[:split], y[:split], shuffle=True),
    make_loader(x[split:], y[split:]),
)
