"""Small pictures made twice as large, by what their neighbours say of them."""
import lightning as L
import numpy as np
import torch
import torch.nn.functional as F
from torch import nn
from torch.utils.data import DataLoader


def psnr(y_true, y_pred):
    return 10 * (1.0 ** 2 / (y_true - y_pred).square().mean((-3, -2, -1))).log10()


def ssim_loss(y_true, y_pred):
    return 1 - ssim(y_true, y_pred, 1.0).mean() + 1e-4 * total_variation(y_pred).mean()


def depth_to_space(x, size):
    """Blocks of size x size pixels out of channels: (n, h, w, c) to (n, h * size, w * size, -1)."""
    n, h, w, _ = x.shape
    x = x.reshape(n, h, w, size, size, -1).permute(0, 1, 3, 2, 4, 5)
    return x.reshape(n, h * size, w * size, -1)


def ssim(first, second, max_val, size=11, sigma=1.5, k1=0.01, k2=0.03):
    """The structural similarity of each pair of images (n, h, w, c): (n,)."""
    steps = torch.arange(size, device=first.device) - (size - 1) / 2
    weights = (-steps.square() / (2 * sigma**2)).softmax(0)
    c1, c2 = (k1 * max_val) ** 2, (k2 * max_val) ** 2

    def smooth(x):
        n, h, w, c = x.shape
        x = x.permute(0, 3, 1, 2).reshape(n * c, 1, h, w)
        x = F.conv2d(
            F.conv2d(x, weights.reshape(1, 1, -1, 1)), weights.reshape(1, 1, 1, -1)
        )
        return x.reshape(n, c, *x.shape[2:])

    mean_1, mean_2 = smooth(first), smooth(second)
    product = mean_1 * mean_2 * 2
    squares = mean_1.square() + mean_2.square()
    luminance = (product + c1) / (squares + c1)
    covariance = smooth(first * second) * 2 - product
    contrast = (covariance + c2) / (
        smooth(first.square() + second.square()) - squares + c2
    )
    return (luminance * contrast).mean((2, 3)).mean(1)


def total_variation(images):
    """The sum of the differences of neighbouring pixels of each image (n, h, w, c): (n,)."""
    down, across = images.diff(dim=1).abs(), images.diff(dim=2).abs()
    return down.sum((1, 2, 3)) + across.sum((1, 2, 3))


def init_weights(module):
    """Keras's initial values: Glorot uniform kernels, zero biases."""
    if isinstance(module, nn.Conv2d):
        nn.init.xavier_uniform_(module.weight)
        nn.init.zeros_(module.bias)


class Model(L.LightningModule):
    def __init__(self):
        super().__init__()
        self.conv1 = nn.Conv2d(3, 16, 3, padding="same")
        self.conv2 = nn.Conv2d(16, 12, 3, padding="same")
        self.apply(init_weights)

    def forward(self, inputs):
        x = F.relu(self.conv1(inputs.permute(0, 3, 1, 2)))  # NHWC -> NCHW
        x = self.conv2(x)
        x = depth_to_space(x.permute(0, 2, 3, 1), 2)
        up = F.interpolate(inputs.permute(0, 3, 1, 2), size=(16, 16), mode="bilinear")
        return x + up.permute(0, 2, 3, 1)

    def training_step(self, batch, batch_idx):
        x, y = batch
        y = y.float()
        y_pred = self(x)
        loss = ssim_loss(y, y_pred)
        psnr_value = psnr(y, y_pred).mean()
        logs = {"loss": loss, "psnr": psnr_value}
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


model = Model()
rng = np.random.default_rng(0)
x_train = rng.uniform(size=(64, 8, 8, 3)).astype("float32")
y_train = x_train.repeat(2, axis=1).repeat(2, axis=2)
trainer = L.Trainer(
    max_epochs=3,
    logger=False,
    enable_checkpointing=False,
    enable_progress_bar=False,
    enable_model_summary=False,
    num_sanity_val_steps=0,
)
trainer.fit(
    model, make_loader(x_train, np.asarray(y_train), batch_size=8, shuffle=True)
)
