"""Trains a ResNet with bottleneck layers on stripes.

The builder is that of the Keras team's cifar10_resnet.py (version 2), on smaller images.
"""
import lightning as L
import numpy as np
import torch
import torch.nn.functional as F
import torchmetrics.functional as tm
from torch import nn
from torch.utils.data import DataLoader

batch_size = 32
epochs = 3
num_classes = 3

# n blocks in each of three stages
n = 1
depth = n * 9 + 2


def make_stripes(count, seed):
    rng = np.random.default_rng(seed)
    labels = rng.integers(0, num_classes, size=count)
    rows, cols = np.mgrid[:16, :16]
    waves = np.stack([rows, cols, rows + cols])[labels] + rng.integers(0, 8, size=(count, 1, 1))
    images = np.sin(waves)[..., None] + rng.normal(scale=0.5, size=(count, 16, 16, 3))
    return images.astype('float32'), np.eye(num_classes, dtype="float32")[labels]


x_train, y_train = make_stripes(256, seed=0)
x_test, y_test = make_stripes(64, seed=1)
input_shape = (16, 16, 3)


def he_normal_(weight):
    """Keras's he_normal: variance 2 / fan_in, cut off at two deviations."""
    std = (2 / weight[0].numel()) ** 0.5 / 0.87962566103423978
    return nn.init.trunc_normal_(weight, std=std, a=-2 * std, b=2 * std)


class BatchNorm2d(nn.BatchNorm2d):
    """BatchNorm2d whose running variance is the biased one, as in Keras."""

    def forward(self, x):
        old = (1 - self.momentum) * self.running_var
        y = super().forward(x)
        if self.training:
            self.running_var = self.running_var.lerp(old, x.shape[1] / x.numel())
        return y


class SameConv2d(nn.Conv2d):
    """Conv2d with Keras's "same" padding: it follows the input size, an odd pixel goes last."""

    def forward(self, x):
        sizes = zip(x.shape[2:], self.kernel_size, self.stride, self.dilation)
        h, w = [max((k - 1) * d + 1 - s + -n % s, 0) for n, k, s, d in sizes]
        return super().forward(F.pad(x, (w // 2, w - w // 2, h // 2, h - h // 2)))


ACTIVATIONS = {"relu": nn.ReLU}


def init_weights(module):
    """Keras's initial values: He normal kernels, zero biases."""
    if isinstance(module, (nn.Conv2d, nn.Linear)):
        he_normal_(module.weight)
        nn.init.zeros_(module.bias)


class ResnetLayer(nn.Sequential):
    """2D Convolution-Batch Normalization-Activation stack builder"""

    def __init__(
        self,
        in_channels,
        num_filters=16,
        kernel_size=3,
        strides=1,
        activation="relu",
        batch_normalization=True,
        conv_first=True,
    ):
        super().__init__()
        conv = SameConv2d(in_channels, num_filters, kernel_size, stride=strides)
        if conv_first:
            self.append(conv)
            if batch_normalization:
                self.append(BatchNorm2d(num_filters, eps=1e-3, momentum=0.01))
            if activation is not None:
                self.append(ACTIVATIONS[activation]())
        else:
            if batch_normalization:
                self.append(BatchNorm2d(in_channels, eps=1e-3, momentum=0.01))
            if activation is not None:
                self.append(ACTIVATIONS[activation]())
            self.append(conv)


class ResBlock(nn.Module):
    def __init__(
        self,
        in_channels,
        num_filters_in,
        strides,
        activation,
        batch_normalization,
        num_filters_out,
        res_block,
    ):
        super().__init__()
        # bottleneck residual unit
        self.resnet_layer1 = ResnetLayer(
            in_channels,
            num_filters=num_filters_in,
            kernel_size=1,
            strides=strides,
            activation=activation,
            batch_normalization=batch_normalization,
            conv_first=False,
        )
        self.resnet_layer2 = ResnetLayer(
            num_filters_in, num_filters=num_filters_in, conv_first=False
        )
        self.resnet_layer3 = ResnetLayer(
            num_filters_in, num_filters=num_filters_out, kernel_size=1, conv_first=False
        )
        # linear projection residual shortcut connection to match
        # changed dims
        self.shortcut = (
            ResnetLayer(
                in_channels,
                num_filters=num_filters_out,
                kernel_size=1,
                strides=strides,
                activation=None,
                batch_normalization=False,
            )
            if res_block == 0
            else nn.Identity()
        )

    def forward(self, x):
        y = self.resnet_layer1(x)
        y = self.resnet_layer2(y)
        y = self.resnet_layer3(y)
        x = self.shortcut(x)
        return x + y


class ResnetV2(L.LightningModule):
    """ResNet Version 2 Model builder"""

    def __init__(self, input_shape, depth, num_classes=10):
        super().__init__()
        self.num_classes = num_classes
        if (depth - 2) % 9 != 0:
            raise ValueError("depth should be 9n+2 (eg 56 or 110 in [b])")
        # Start model definition.
        num_filters_in = 4
        num_res_blocks = int((depth - 2) / 9)
        # v2 performs Conv2D with BN-ReLU on input before splitting into 2 paths
        self.resnet_layer = ResnetLayer(
            input_shape[-1], num_filters=num_filters_in, conv_first=True
        )
        in_channels = num_filters_in
        res_blocks = []
        # Instantiate the stack of residual units
        for stage in range(3):
            for res_block in range(num_res_blocks):
                activation = "relu"
                batch_normalization = True
                strides = 1
                if stage == 0:
                    num_filters_out = num_filters_in * 4
                    if res_block == 0:  # first layer and first stage
                        activation = None
                        batch_normalization = False
                else:
                    num_filters_out = num_filters_in * 2
                    if res_block == 0:  # first layer but not first stage
                        strides = 2
                res_blocks.append(
                    ResBlock(
                        in_channels,
                        num_filters_in,
                        strides,
                        activation,
                        batch_normalization,
                        num_filters_out,
                        res_block,
                    )
                )
                in_channels = num_filters_out
            num_filters_in = num_filters_out
        self.res_blocks = nn.Sequential(*res_blocks)
        # Add classifier on top.
        # v2 has BN-ReLU before Pooling
        self.norm = BatchNorm2d(in_channels, eps=1e-3, momentum=0.01)
        self.average_pooling = nn.AvgPool2d(4)
        self.dense = nn.Linear(in_channels, num_classes)
        self.apply(init_weights)

    def forward(self, inputs):
        x = self.resnet_layer(inputs.permute(0, 3, 1, 2))
        x = self.res_blocks(x)
        x = self.norm(x)
        x = F.relu(x)
        x = self.average_pooling(x)
        y = x.permute(0, 2, 3, 1).flatten(1)  # flattened in Keras's order
        return self.dense(y)  # logits: the softmax is in the loss

    def penalty(self):
        kernels = [m.weight for m in self.modules() if isinstance(m, nn.Conv2d)]
        return 1e-4 * sum(p.square().sum() for p in kernels)

    def step(self, batch):
        x, y = batch
        logits = self(x)
        loss = F.cross_entropy(logits, y) + self.penalty()
        accuracy = tm.accuracy(
            logits, y.argmax(1), task="multiclass", num_classes=self.num_classes
        )
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


model = ResnetV2(input_shape=input_shape, depth=depth, num_classes=num_classes)

trainer = L.Trainer(
    max_epochs=epochs,
    logger=False,
    enable_checkpointing=False,
    enable_progress_bar=False,
    enable_model_summary=False,
    num_sanity_val_steps=0,
)
trainer.fit(model, make_loader(x_train, y_train, batch_size=batch_size, shuffle=True))

scores = trainer.test(model, make_loader(x_test, y_test), verbose=False)
scores = list(scores[0].values())
print('Test loss:', scores[0])
print('Test accuracy:', scores[1])
