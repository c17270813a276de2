"""Small images, changed by chance while it trains, into a net of separable convolutions."""

import math

import lightning as L
import numpy as np
import torch
import torch.nn.functional as F
import torchmetrics.functional as tm
from torch import nn
from torch.utils.data import DataLoader

SIZE = 20
CLASSES = 4
BATCH_SIZE = 16
FLIPS = "horizontal"

rng = np.random.default_rng(0)
y = rng.integers(0, CLASSES, 160)
x = rng.integers(0, 120, (160, SIZE, SIZE, 3)) + 30 * y[:, None, None, None]
x = x.astype("uint8")


class RandomFlip(nn.Module):
    """Mirrors an image in training, by a chance of one half for each direction."""

    def __init__(self, mode="horizontal_and_vertical"):
        super().__init__()
        self.dims = [
            dim for dim, word in ((3, "horizontal"), (2, "vertical")) if word in mode
        ]

    def forward(self, x):
        for dim in self.dims if self.training else ():
            chosen = torch.rand(len(x), 1, 1, 1, device=x.device) < 0.5
            x = torch.where(chosen, x.flip(dim), x)
        return x


def warp(x, theta, mode, padding):
    """The images seen through an affine map from places of the output to those of the input."""
    grid = F.affine_grid(theta.to(x.dtype), x.shape, align_corners=False)
    return F.grid_sample(x, grid, mode, padding, align_corners=False)


class RandomRotation(nn.Module):
    """Turns an image in training, by parts of a full turn between low and high."""

    def __init__(self, low, high, mode="bilinear", padding="reflection"):
        super().__init__()
        self.low, self.high, self.mode, self.padding = low, high, mode, padding

    def forward(self, x):
        if not self.training:
            return x
        height, width = x.shape[2:]
        turns = torch.empty(len(x), device=x.device).uniform_(self.low, self.high)
        cos, sin = torch.cos(2 * math.pi * turns), torch.sin(2 * math.pi * turns)
        zero = torch.zeros_like(cos)
        rows = [cos, -sin * height / width, zero, sin * width / height, cos, zero]
        return warp(x, torch.stack(rows, 1).view(-1, 2, 3), self.mode, self.padding)


class RandomZoom(nn.Module):
    """Shows more (above zero) or less of an image in training; width None: as much as of height."""

    def __init__(self, height, width=None, mode="bilinear", padding="reflection"):
        super().__init__()
        self.height, self.width, self.mode, self.padding = height, width, mode, padding

    def forward(self, x):
        if not self.training:
            return x
        tall = 1 + torch.empty(len(x), device=x.device).uniform_(*self.height)
        wide = tall
        if self.width is not None:
            wide = 1 + torch.empty(len(x), device=x.device).uniform_(*self.width)
        zero = torch.zeros_like(tall)
        rows = [wide, zero, zero, zero, tall, zero]
        return warp(x, torch.stack(rows, 1).view(-1, 2, 3), self.mode, self.padding)


class GaussianNoise(nn.Module):
    """Adds noise of the given deviation, in training only."""

    def __init__(self, stddev):
        super().__init__()
        self.stddev = stddev

    def forward(self, x):
        return x + self.stddev * torch.randn_like(x) if self.training else x


def depthwise_glorot_uniform_(weight, multiplier):
    """Keras's glorot_uniform of a depthwise kernel: all channels count as its inputs."""
    fans = weight[0].numel() * (len(weight) // multiplier + multiplier)
    return nn.init.uniform_(weight, -((6 / fans) ** 0.5), (6 / fans) ** 0.5)


def init_weights(module):
    """Keras's initial values for each kind of layer."""
    if isinstance(module, nn.Conv2d):
        nn.init.xavier_uniform_(module.weight)
        if module.bias is not None:
            nn.init.zeros_(module.bias)
    elif isinstance(module, nn.Linear):
        nn.init.xavier_uniform_(module.weight)
        nn.init.zeros_(module.bias)


class Augment(nn.Module):
    def __init__(self):
        super().__init__()
        self.layers = nn.Sequential(
            RandomFlip(FLIPS),
            RandomRotation(-0.05, 0.05),
            RandomZoom((-0.1, 0.1)),
        )

    def forward(self, x):
        x = self.layers(x.permute(0, 3, 1, 2))  # NHWC -> NCHW
        return x.permute(0, 2, 3, 1)  # NCHW -> NHWC


augment = Augment()


class Model(L.LightningModule):
    def __init__(self, augment):
        super().__init__()
        self.augment = augment
        self.gaussian_noise = GaussianNoise(0.05)
        self.separable_conv1_depthwise = nn.Conv2d(
            3, 3, 3, bias=False, padding="same", groups=3
        )
        self.separable_conv1 = nn.Conv2d(3, 16, 1)
        self.group_normalization = nn.GroupNorm(4, 16, eps=1e-3)
        # Keras's "same" pads more on the far side
        self.separable_conv2_pad = nn.ZeroPad2d((0, 1, 0, 1))
        self.separable_conv2_depthwise = nn.Conv2d(
            16, 16, 3, stride=2, bias=False, groups=16
        )
        self.separable_conv2 = nn.Conv2d(16, 16, 1)
        self.depthwise_conv = nn.Conv2d(16, 2 * 16, 3, groups=16)
        self.cropping = nn.ZeroPad2d(-1)
        self.spatial_dropout = nn.Dropout2d(0.1)
        self.dense = nn.Linear(32, CLASSES)
        for layer in (
            self.separable_conv1_depthwise,
            self.separable_conv1,
            self.separable_conv2_depthwise,
            self.separable_conv2,
            self.depthwise_conv,
            self.dense,
        ):
            layer.apply(init_weights)
        depthwise_glorot_uniform_(self.depthwise_conv.weight, 2)

    def forward(self, inputs):
        features = self.augment(inputs)
        features = features * (1.0 / 127.5) - 1
        features = self.gaussian_noise(features)
        features = F.relu(
            self.separable_conv1(
                self.separable_conv1_depthwise(features.permute(0, 3, 1, 2))
            )
        )  # NHWC -> NCHW
        features = self.group_normalization(features)
        features = self.separable_conv2(
            self.separable_conv2_depthwise(self.separable_conv2_pad(features))
        )
        features = F.relu(features)
        features = self.depthwise_conv(features)
        features = self.cropping(features)
        features = self.spatial_dropout(features)
        features = features.mean((2, 3))
        return self.dense(features)  # logits: the softmax is in the loss

    def step(self, batch, prefix=""):
        x, y = batch
        logits = self(x)
        loss = F.cross_entropy(logits, y)
        accuracy = tm.accuracy(logits, y, task="multiclass", num_classes=CLASSES)
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


model = Model(augment)

split = int(len(x) * (1 - 0.2))
trainer = L.Trainer(
    max_epochs=4,
    logger=False,
    enable_checkpointing=False,
    enable_model_summary=False,
    num_sanity_val_steps=0,
)
trainer.fit(
    model,
    make_loader(
        x.astype("float32")[:split], y[:split], batch_size=BATCH_SIZE, shuffle=True
    ),
    make_loader(x.astype("float32")[split:], y[split:], batch_size=BATCH_SIZE),
)
print(
    list(
        trainer.test(model, make_loader(x.astype("float32"), y), verbose=False)[
            0
        ].values()
    )
)
