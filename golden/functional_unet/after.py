"""A small U-Net that finds bright discs."""

import lightning as L
import numpy as np
import torch
import torch.nn.functional as F
from torch import nn
from torch.utils.data import DataLoader

SIZE = 16
FILTERS = [8, 16]
EPOCHS = 4


def make_discs(n, seed):
    rng = np.random.default_rng(seed)
    rows, cols = np.mgrid[:SIZE, :SIZE]
    centers = rng.uniform(4, SIZE - 4, size=(n, 2))
    far = (rows - centers[:, :1, None]) ** 2 + (cols - centers[:, 1:, None]) ** 2
    masks = (far < 9).astype("float32")[..., None]
    images = masks + rng.normal(scale=0.5, size=masks.shape)
    return images.astype("float32"), masks


def init_weights(module):
    """Keras's initial values: Glorot uniform kernels, zero biases."""
    if isinstance(module, nn.Conv2d):
        nn.init.xavier_uniform_(module.weight)
        nn.init.zeros_(module.bias)


class ConvBlock(nn.Sequential):
    """Two convolutions."""

    def __init__(self, in_channels, filters):
        super().__init__(
            nn.Conv2d(in_channels, filters, 3, padding="same"),
            nn.ReLU(),
            nn.Conv2d(filters, filters, 3, padding="same"),
            nn.ReLU(),
        )


class Unet(L.LightningModule):
    def __init__(self, input_shape, filters):
        super().__init__()
        skips_channels = []
        in_channels = input_shape[-1]
        self.max_pooling = nn.MaxPool2d(2)
        self.conv_blocks1 = nn.ModuleList()
        # the way down
        for width in filters:
            self.conv_blocks1.append(ConvBlock(in_channels, width))
            skips_channels.append(width)
            in_channels = width
        self.conv_block = ConvBlock(in_channels, 2 * filters[-1])
        in_channels = 2 * filters[-1]
        self.up_sampling = nn.Upsample(scale_factor=2)
        self.conv_blocks2 = nn.ModuleList()
        # the way up
        for width, skip_channels in zip(reversed(filters), reversed(skips_channels)):
            self.conv_blocks2.append(ConvBlock(in_channels + skip_channels, width))
            in_channels = width
        self.conv = nn.Conv2d(in_channels, 1, 1)
        self.apply(init_weights)

    def forward(self, inputs):
        skips = []
        x = inputs.permute(0, 3, 1, 2)  # NHWC -> NCHW
        for conv_block in self.conv_blocks1:
            x = conv_block(x)
            skips.append(x)
            x = self.max_pooling(x)
        x = self.conv_block(x)
        for conv_block, skip in zip(self.conv_blocks2, reversed(skips)):
            x = self.up_sampling(x)
            x = torch.cat([x, skip], 1)
            x = conv_block(x)
        outputs = self.conv(x)
        return outputs.permute(0, 2, 3, 1)  # logits: the sigmoid is in the loss

    def step(self, batch):
        x, y = batch
        logits = self(x)
        loss = F.binary_cross_entropy_with_logits(logits, y)
        mae = F.l1_loss(logits.sigmoid(), y)
        logs = {"loss": loss, "mae": mae}
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


x_train, y_train = make_discs(160, seed=0)
x_test, y_test = make_discs(40, seed=1)

model = Unet((SIZE, SIZE, 1), FILTERS)
trainer = L.Trainer(
    max_epochs=EPOCHS,
    logger=False,
    enable_checkpointing=False,
    enable_progress_bar=False,
    enable_model_summary=False,
    num_sanity_val_steps=0,
)
trainer.fit(model, make_loader(x_train, y_train, shuffle=True))
loss, mae = trainer.test(model, make_loader(x_test, y_test), verbose=False)[0].values()
print("loss:", loss, "mae:", mae)
