"""Inception modules, put together at the top of the script."""

import lightning as L
import numpy as np
import torch
import torch.nn.functional as F
import torchmetrics.functional as tm
from torch import nn
from torch.nn.modules.utils import _pair
from torch.utils.data import DataLoader

SIZE, CLASSES = 12, 3
WIDTHS = [4, 8]

rng = np.random.default_rng(5)
labels = rng.integers(0, CLASSES, size=240)
rows, cols = np.mgrid[:SIZE, :SIZE]
waves = np.stack([rows, cols, rows + cols])[labels] + rng.integers(0, 8, size=(240, 1, 1))
images = (np.sin(waves) + rng.normal(scale=0.5, size=waves.shape))[..., None].astype("float32")


class SameConv2d(nn.Conv2d):
    """Conv2d with Keras's "same" padding: it follows the input size, an odd pixel goes last."""

    def forward(self, x):
        sizes = zip(x.shape[2:], self.kernel_size, self.stride, self.dilation)
        h, w = [max((k - 1) * d + 1 - s + -n % s, 0) for n, k, s, d in sizes]
        return super().forward(F.pad(x, (w // 2, w - w // 2, h // 2, h - h // 2)))


class BatchNorm2d(nn.BatchNorm2d):
    """BatchNorm2d whose running variance is the biased one, as in Keras."""

    def forward(self, x):
        old = (1 - self.momentum) * self.running_var
        y = super().forward(x)
        if self.training:
            self.running_var = self.running_var.lerp(old, x.shape[1] / x.numel())
        return y


class SameAvgPool2d(nn.AvgPool2d):
    """AvgPool2d with Keras's "same" padding; padded pixels do not count."""

    def forward(self, x):
        sizes = zip(x.shape[2:], _pair(self.kernel_size), _pair(self.stride))
        h, w = [max(k - s + -n % s, 0) for n, k, s in sizes]
        pad = (w // 2, w - w // 2, h // 2, h - h // 2)
        inside = super().forward(F.pad(torch.ones_like(x[:1, :1]), pad))
        return super().forward(F.pad(x, pad)) / inside


def init_weights(module):
    """Keras's initial values: Glorot uniform kernels, zero biases."""
    if isinstance(module, nn.Linear):
        nn.init.xavier_uniform_(module.weight)
        nn.init.zeros_(module.bias)
    elif isinstance(module, nn.Conv2d):
        nn.init.xavier_uniform_(module.weight)


class Conv2dBn(nn.Sequential):
    """Convolution without bias, normalisation without scale."""

    def __init__(self, in_channels, filters, num_row, num_col, strides=(1, 1)):
        super().__init__(
            SameConv2d(
                in_channels, filters, (num_row, num_col), stride=strides, bias=False
            ),
            BatchNorm2d(filters, eps=1e-3, momentum=0.01),
            nn.ReLU(),
        )


class InceptionModule(nn.Module):
    def __init__(self, in_channels, f1, f3, f5, reduced=4):
        super().__init__()
        self.conv2d_bn1 = Conv2dBn(in_channels, f1, 1, 1)
        # a narrow layer before each wide kernel
        self.conv2d_bn2 = Conv2dBn(in_channels, reduced, 1, 1)
        self.conv2d_bn3 = Conv2dBn(reduced, f3, 3, 3)
        self.conv2d_bn4 = Conv2dBn(in_channels, reduced, 1, 1)
        self.conv2d_bn5 = Conv2dBn(reduced, f5, 5, 5)
        self.average_pooling = SameAvgPool2d((3, 3), stride=(1, 1))
        self.conv2d_bn6 = Conv2dBn(in_channels, reduced, 1, 1)

    def forward(self, x):
        b1 = self.conv2d_bn1(x)
        b3 = self.conv2d_bn2(x)
        b3 = self.conv2d_bn3(b3)
        b5 = self.conv2d_bn4(x)
        b5 = self.conv2d_bn5(b5)
        pool = self.average_pooling(x)
        pool = self.conv2d_bn6(pool)
        return torch.cat([b1, b3, b5, pool], 1)


class Model(L.LightningModule):
    def __init__(self):
        super().__init__()
        self.conv2d_bn = Conv2dBn(1, 8, 3, 3, strides=(2, 2))
        in_channels = 8
        inception_modules = []
        for width in WIDTHS:
            inception_modules.append(
                InceptionModule(in_channels, width, 2 * width, width)
            )
            in_channels = width + 2 * width + width + 4
        self.inception_modules = nn.Sequential(*inception_modules)
        self.dense = nn.Linear(in_channels, CLASSES)
        self.apply(init_weights)
        for module in self.modules():
            if isinstance(module, Conv2dBn):
                module[1].weight.requires_grad_(False)

    def forward(self, inputs):
        x = self.conv2d_bn(inputs.permute(0, 3, 1, 2))
        x = self.inception_modules(x)
        x = x.mean((2, 3))
        return self.dense(x)  # logits: the softmax is in the loss

    def step(self, batch):
        x, y = batch
        logits = self(x)
        loss = F.cross_entropy(logits, y)
        accuracy = tm.accuracy(logits, y, task="multiclass", num_classes=CLASSES)
        logs = {"loss": loss, "accuracy": accuracy}
        self.log_dict(logs, on_step=False, on_epoch=True, prog_bar=True)
        return loss

    def training_step(self, batch, batch_idx):
        return self.step(batch)

    def test_step(self, batch, batch_idx):
        self.step(batch)

    def configure_optimizers(self):
        return torch.optim.Adam(self.parameters(), lr=1e-4, eps=1e-7)

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


model = Model()

trainer = L.Trainer(
    max_epochs=4,
    logger=False,
    enable_checkpointing=False,
    enable_progress_bar=False,
    enable_model_summary=False,
    num_sanity_val_steps=0,
)
trainer.fit(model, make_loader(images, labels, batch_size=40, shuffle=True))
print(list(trainer.test(model, make_loader(images, labels), verbose=False)[0].values()))
