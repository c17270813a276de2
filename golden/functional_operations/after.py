"""A regression on sequences, by blocks of attention and gated units written out."""

import lightning as L
import numpy as np
import torch
import torch.nn.functional as F
from torch import nn
from torch.utils.data import DataLoader

STEPS, FEATURES = 16, 12

rng = np.random.default_rng(0)
x_train = rng.random((128, STEPS, FEATURES)).astype("float32")
y_train = x_train[:, -1, :1] - x_train.mean(axis=(1, 2), keepdims=False)[:, None]
print("targets between", y_train.min(), "and", y_train.max())


def init_weights(module):
    """Keras's initial values: Glorot uniform kernels, zero biases."""
    if isinstance(module, nn.Linear):
        nn.init.xavier_uniform_(module.weight)
        if module.bias is not None:
            nn.init.zeros_(module.bias)


class Attend(nn.Module):
    """Attention by hand."""

    def __init__(self, in_channels, heads, width):
        super().__init__()
        self.heads = heads
        self.width = width
        self.dense1 = nn.Linear(in_channels, heads * width, bias=False)
        self.dense2 = nn.Linear(in_channels, heads * width, bias=False)
        self.dense3 = nn.Linear(in_channels, heads * width, bias=False)
        self.dense4 = nn.Linear(heads * width, in_channels)

    def forward(self, x):
        q = self.dense1(x)
        k = self.dense2(x)
        v = self.dense3(x)
        q = q.reshape(-1, STEPS, self.heads, self.width).permute(0, 2, 1, 3)
        k = k.reshape(-1, STEPS, self.heads, self.width).permute(0, 2, 3, 1)
        v = v.reshape(-1, STEPS, self.heads, self.width).permute(0, 2, 1, 3)
        scores = (q @ k / (self.width**0.5)).softmax(-1)
        out = (scores @ v).permute(0, 2, 1, 3)
        out = out.reshape(-1, STEPS, self.heads * self.width)
        return self.dense4(out)


class Block(nn.Module):
    def __init__(self, in_channels, heads, width, rate):
        super().__init__()
        self.norm1 = nn.LayerNorm(in_channels, eps=1e-3)
        self.attend = Attend(in_channels, heads, width)
        self.dropout = nn.Dropout(rate)
        self.norm2 = nn.LayerNorm(in_channels, eps=1e-3)
        self.dense1 = nn.Linear(in_channels, 2 * in_channels)
        self.dense2 = nn.Linear(2 * in_channels, in_channels)

    def forward(self, x):
        h = self.norm1(x)
        x = x + self.dropout(self.attend(h))
        h = self.norm2(x)
        h = self.dense1(h)
        h = F.silu(h) * h.sigmoid()
        return x + self.dense2(h)


class Build(L.LightningModule):
    def __init__(self, depth=2, heads=2, width=8, rate=0.1):
        super().__init__()
        blocks = []
        for _ in range(depth):
            blocks.append(Block(FEATURES, heads, width, rate))
        self.blocks = nn.Sequential(*blocks)
        self.dense = nn.Linear(FEATURES + FEATURES + FEATURES, 1)
        self.apply(init_weights)

    def forward(self, inputs):
        x = self.blocks(inputs)
        mean = x.mean(dim=1)
        top = x.amax(dim=1)
        x = torch.cat([mean, top, x[:, -1]], -1)
        return self.dense(x)

    def training_step(self, batch, batch_idx):
        x, y = batch
        y_pred = self(x)
        loss = F.mse_loss(y_pred, y)
        logs = {"loss": loss}
        self.log_dict(logs, on_step=False, on_epoch=True, prog_bar=True)
        return loss

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
trainer = L.Trainer(
    max_epochs=3,
    logger=False,
    enable_checkpointing=False,
    enable_model_summary=False,
    num_sanity_val_steps=0,
)
trainer.fit(model, make_loader(x_train, y_train, batch_size=16, shuffle=True))
