"""The next value of noisy waves, by a stack of dilated causal convolutions with gates."""

import lightning as L
import numpy as np
import torch
import torch.nn.functional as F
from torch import nn
from torch.utils.data import DataLoader

LENGTH = 48
FILTERS = 12
KERNEL_SIZE = 2
DEPTH = 4
STACKS = 2
BATCH_SIZE = 32
EPOCHS = 3

rng = np.random.default_rng(0)
time = np.arange(LENGTH + 1)
speed = rng.uniform(0.1, 0.6, size=(320, 1))
phase = rng.uniform(0, 2 * np.pi, size=(320, 1))
waves = np.sin(phase + speed * time) + rng.normal(scale=0.05, size=(320, LENGTH + 1))
waves = waves.astype("float32")[..., np.newaxis]
x, y = waves[:, :-1], waves[:, 1:]


class CausalConv1d(nn.Conv1d):
    """Conv1d with Keras's "causal" padding: a step sees only itself and the steps before it."""

    def forward(self, x):
        return super().forward(
            F.pad(x, ((self.kernel_size[0] - 1) * self.dilation[0], 0))
        )


def init_weights(module):
    """Keras's initial values: Glorot uniform kernels, zero biases."""
    if isinstance(module, nn.Conv1d):
        nn.init.xavier_uniform_(module.weight)
        nn.init.zeros_(module.bias)


class GatedBlock(nn.Module):
    """A gated convolution; what goes on to the next block, and what goes to the end."""

    def __init__(self, in_channels, filters, dilation_rate):
        super().__init__()
        self.conv1 = CausalConv1d(
            in_channels, filters, KERNEL_SIZE, dilation=dilation_rate
        )
        self.conv2 = CausalConv1d(
            in_channels, filters, KERNEL_SIZE, dilation=dilation_rate
        )
        self.conv3 = nn.Conv1d(filters, filters, 1)

    def forward(self, x):
        tanh = self.conv1(x).tanh()
        gate = self.conv2(x).sigmoid()
        z = tanh * gate
        skip = self.conv3(z)
        return x + skip, skip


class Wavenet(L.LightningModule):
    def __init__(self):
        super().__init__()
        self.conv1 = CausalConv1d(1, FILTERS, KERNEL_SIZE)
        skips_channels = []
        self.gated_blocks = nn.ModuleList()
        for dilation_rate in [2**power for power in range(DEPTH)] * STACKS:
            self.gated_blocks.append(GatedBlock(FILTERS, FILTERS, dilation_rate))
            skips_channels.append(FILTERS)
        self.conv2 = nn.Conv1d(skips_channels[-1], FILTERS, 1)
        self.conv3 = nn.Conv1d(FILTERS, 1, 1)
        self.apply(init_weights)

    def forward(self, inputs):
        x = self.conv1(inputs.transpose(1, 2))  # NLC -> NCL
        skips = []
        for gated_block in self.gated_blocks:
            x, skip = gated_block(x)
            skips.append(skip)
        x = F.relu(sum(skips))
        x = F.relu(self.conv2(x))
        outputs = self.conv3(x)
        return outputs.transpose(1, 2)

    def step(self, batch, prefix=""):
        x, y = batch
        y_pred = self(x)
        loss = F.mse_loss(y_pred, y)
        logs = {f"{prefix}loss": loss}
        self.log_dict(logs, on_step=False, on_epoch=True, prog_bar=True)
        return loss

    def training_step(self, batch, batch_idx):
        return self.step(batch)

    def validation_step(self, batch, batch_idx):
        self.step(batch, "val_")

    def predict_step(self, batch, batch_idx):
        return self(batch[0])

    def configure_optimizers(self):
        return torch.optim.SGD(self.parameters(), lr=0.02, momentum=0.9)


def make_loader(*arrays, batch_size=32, shuffle=False):
    """The DataLoader draws row numbers; the rows are cut out of the arrays a batch at a time."""

    def cut(rows):
        return [torch.as_tensor(array[rows]) for array in arrays]

    return DataLoader(range(len(arrays[0])), batch_size, shuffle, collate_fn=cut)


model = Wavenet()
split = int(len(x) * (1 - 0.1))
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
    make_loader(x[:split], y[:split], batch_size=BATCH_SIZE, shuffle=True),
    make_loader(x[split:], y[split:], batch_size=BATCH_SIZE),
)
print(
    "error:",
    np.abs(
        torch.cat(trainer.predict(model, make_loader(x[:32]))).numpy() - y[:32]
    ).mean(),
)
