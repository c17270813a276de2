"""Dense blocks that grow, and channels that are weighed."""

import lightning as L
import numpy as np
import torch
import torch.nn.functional as F
import torchmetrics.functional as tm
from torch import nn
from torch.utils.data import DataLoader

SIZE, CLASSES = 12, 3
GROWTH = 4
BLOCKS = [2, 2]

rng = np.random.default_rng(7)
labels = rng.integers(0, CLASSES, size=200)
rows, cols = np.mgrid[:SIZE, :SIZE]
waves = np.stack([rows, cols, rows + cols])[labels] + rng.integers(0, 8, size=(200, 1, 1))
images = (np.sin(waves) + rng.normal(scale=0.5, size=waves.shape))[..., None].astype("float32")


class BatchNorm2d(nn.BatchNorm2d):
    """BatchNorm2d whose running variance is the biased one, as in Keras."""

    def forward(self, x):
        old = (1 - self.momentum) * self.running_var
        y = super().forward(x)
        if self.training:
            self.running_var = self.running_var.lerp(old, x.shape[1] / x.numel())
        return y


def init_weights(module):
    """Keras's initial values: Glorot uniform kernels, zero biases."""
    if isinstance(module, (nn.Conv2d, nn.Linear)):
        nn.init.xavier_uniform_(module.weight)
        nn.init.zeros_(module.bias)


class Block(nn.Module):
    def __init__(self, in_channels, growth):
        super().__init__()
        self.norm = BatchNorm2d(in_channels, eps=1e-3, momentum=0.01)
        self.conv = nn.Conv2d(in_channels, growth, 3, padding="same")

    def forward(self, x):
        y = self.norm(x)
        y = F.relu(y)
        y = self.conv(y)
        return torch.cat([x, y], 1)


class DenseBlock(nn.Sequential):
    """Every layer sees all maps before it."""

    def __init__(self, in_channels, blocks, growth):
        super().__init__()
        for _ in range(blocks):
            self.append(Block(in_channels, growth))
            in_channels = in_channels + growth
        self.out_channels = in_channels


class WeighChannels(nn.Module):
    def __init__(self, in_channels, ratio=2):
        super().__init__()
        channels = in_channels
        self.dense1 = nn.Linear(in_channels, channels // ratio)
        self.dense2 = nn.Linear(channels // ratio, channels)
        self.reshape = nn.Unflatten(1, (1, 1, channels))

    def forward(self, x):
        weights = x.mean((1, 2))
        weights = F.relu(self.dense1(weights))
        weights = self.dense2(weights).sigmoid()
        weights = self.reshape(weights)
        return x * weights


class Growing(L.LightningModule):
    def __init__(self, shape, blocks, growth):
        super().__init__()
        self.conv = nn.Conv2d(shape[-1], 2 * growth, 3, padding="same")
        self.dense_block1 = DenseBlock(2 * growth, blocks[0], growth)
        self.average_pooling = nn.AvgPool2d(2)
        self.dense_block2 = DenseBlock(
            self.dense_block1.out_channels, blocks[1], growth
        )
        self.weigh_channels = WeighChannels(self.dense_block2.out_channels)
        self.dense = nn.Linear(self.dense_block2.out_channels, CLASSES)
        self.apply(init_weights)

    def forward(self, inputs):
        x = self.conv(inputs.permute(0, 3, 1, 2))  # NHWC -> NCHW
        x = self.dense_block1(x)
        x = self.average_pooling(x)
        x = self.dense_block2(x)
        x = self.weigh_channels(x.permute(0, 2, 3, 1))
        x = x.mean((1, 2))
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


model = Growing((SIZE, SIZE, 1), BLOCKS, GROWTH)
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
