"""A small ResNet v1 on synthetic textures."""

import lightning as L
import numpy as np
import torch
import torch.nn.functional as F
import torchmetrics.functional as tm
from torch import nn
from torch.utils.data import DataLoader

NUM_CLASSES = 3
INPUT_SHAPE = (16, 16, 3)
N = 1  # residual blocks per stage: depth = 6 * N + 2
FILTERS = 8
WEIGHT_DECAY = 1e-4

BATCH_SIZE = 32
EPOCHS = 3
LEARNING_RATE = 0.001

L.seed_everything(1)


def make_textures(n, seed):
    """Stripes whose direction is the class, under noise."""
    rng = np.random.default_rng(seed)
    labels = rng.integers(0, NUM_CLASSES, size=n)
    rows, cols = np.mgrid[: INPUT_SHAPE[0], : INPUT_SHAPE[1]]
    waves = np.stack([rows, cols, rows + cols])[labels] + rng.integers(0, 8, size=(n, 1, 1))
    images = np.sin(waves)[..., None] + rng.normal(scale=1.5, size=(n, *INPUT_SHAPE))
    return images.astype("float32"), labels


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


def init_weights(module):
    """Keras's initial values for each kind of layer."""
    if isinstance(module, nn.Linear):
        nn.init.xavier_uniform_(module.weight)
        nn.init.zeros_(module.bias)
    elif isinstance(module, nn.Conv2d):
        he_normal_(module.weight)
        nn.init.zeros_(module.bias)


class ConvBn(nn.Sequential):
    """Convolution, batch normalisation and, unless told otherwise, ReLU."""

    def __init__(self, in_channels, filters, kernel_size=3, strides=1, activation=True):
        super().__init__(
            SameConv2d(in_channels, filters, kernel_size, stride=strides),
            BatchNorm2d(filters, eps=1e-3, momentum=0.1),
        )
        if activation:
            self.append(nn.ReLU())


class ResidualBlock(nn.Module):
    def __init__(self, in_channels, filters, strides=1):
        super().__init__()
        self.conv_bn1 = ConvBn(in_channels, filters, strides=strides)
        self.conv_bn2 = ConvBn(filters, filters, activation=False)
        # 1x1 projection, so that the shapes match
        self.shortcut = (
            ConvBn(
                in_channels, filters, kernel_size=1, strides=strides, activation=False
            )
            if strides > 1
            else nn.Identity()
        )

    def forward(self, x):
        y = self.conv_bn1(x)
        y = self.conv_bn2(y)
        x = self.shortcut(x)
        x = x + y
        return F.relu(x)


class Resnet(L.LightningModule):
    def __init__(self, input_shape, n, num_classes):
        super().__init__()
        self.num_classes = num_classes
        filters = FILTERS
        self.conv_bn = ConvBn(input_shape[-1], filters)
        in_channels = filters
        residual_blocks = []
        for stage in range(3):
            for block in range(n):
                # every stage but the first starts by halving the image
                strides = 2 if stage > 0 and block == 0 else 1
                residual_blocks.append(ResidualBlock(in_channels, filters, strides))
                in_channels = filters
            filters *= 2
        self.residual_blocks = nn.Sequential(*residual_blocks)
        self.dense = nn.Linear(in_channels, num_classes)
        self.apply(init_weights)

    def forward(self, inputs):
        x = self.conv_bn(inputs.permute(0, 3, 1, 2))
        x = self.residual_blocks(x)
        x = x.mean((2, 3))
        return self.dense(x)  # logits: the softmax is in the loss

    def penalty(self):
        kernels = [m.weight for m in self.modules() if isinstance(m, nn.Conv2d)]
        return WEIGHT_DECAY * sum(p.square().sum() for p in kernels)

    def step(self, batch, prefix=""):
        x, y = batch
        logits = self(x)
        loss = F.cross_entropy(logits, y) + self.penalty()
        accuracy = tm.accuracy(
            logits, y.argmax(1), task="multiclass", num_classes=self.num_classes
        )
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
        return torch.optim.SGD(
            self.parameters(), lr=LEARNING_RATE, momentum=0.9, nesterov=True
        )


def make_loader(*arrays, batch_size=32, shuffle=False):
    """The DataLoader draws row numbers; the rows are cut out of the arrays a batch at a time."""

    def cut(rows):
        return [torch.as_tensor(array[rows]) for array in arrays]

    return DataLoader(range(len(arrays[0])), batch_size, shuffle, collate_fn=cut)


x_train, y_train = make_textures(400, seed=0)
x_test, y_test = make_textures(100, seed=1)

# one-hot labels
y_train = np.eye(NUM_CLASSES, dtype="float32")[y_train]
y_test = np.eye(NUM_CLASSES, dtype="float32")[y_test]

model = Resnet(INPUT_SHAPE, N, NUM_CLASSES)

split = int(len(x_train) * (1 - 0.2))
trainer = L.Trainer(
    max_epochs=EPOCHS,
    logger=False,
    enable_checkpointing=False,
    enable_progress_bar=False,
    enable_model_summary=False,
    num_sanity_val_steps=0,
)
trainer.fit(
    model,
    make_loader(x_train[:split], y_train[:split], batch_size=BATCH_SIZE, shuffle=True),
    make_loader(x_train[split:], y_train[split:], batch_size=BATCH_SIZE),
)

results = trainer.test(model, make_loader(x_test, y_test), verbose=False)
loss, accuracy = results[0].values()
print("Test loss:", loss)
print("Test accuracy:", accuracy)
