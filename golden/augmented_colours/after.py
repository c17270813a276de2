"""Tells coloured tiles apart, whose colours, edges and places change by chance in training."""

import lightning as L
import numpy as np
import torch
import torch.nn.functional as F
import torchmetrics.functional as tm
from torch import nn
from torch.utils.data import DataLoader

NUM_CLASSES = 4
SIZE = 24

rng = np.random.default_rng(0)
labels = rng.integers(0, NUM_CLASSES, 160)
images = rng.uniform(0, 80, (160, SIZE, SIZE, 3)).astype("float32")
for image, label in zip(images, labels):
    image[4 : 12 + 2 * label, 4:18] += [40 * label, 160 - 40 * label, 60]


def warp(x, theta, mode, padding):
    """The images seen through an affine map from places of the output to those of the input."""
    grid = F.affine_grid(theta.to(x.dtype), x.shape, align_corners=False)
    return F.grid_sample(x, grid, mode, padding, align_corners=False)


class RandomShear(nn.Module):
    """Shears an image in training, to the side and down, both one way or both the other."""

    def __init__(self, side=(0, 0), down=(0, 0), mode="bilinear", padding="reflection"):
        super().__init__()
        self.side, self.down, self.mode, self.padding = side, down, mode, padding

    def forward(self, x):
        if not self.training:
            return x
        height, width = x.shape[2:]
        sign = 2 * torch.randint(2, (len(x),), device=x.device) - 1
        side = sign * torch.empty(len(x), device=x.device).uniform_(*self.side)
        down = sign * torch.empty(len(x), device=x.device).uniform_(*self.down)
        one = torch.ones_like(side)
        # from the corner, where affine_grid counts from the middle
        rows = [one, side * height / width, side * (height - 1) / width]
        rows += [down * width / height, one, down * (width - 1) / height]
        return warp(x, torch.stack(rows, 1).view(-1, 2, 3), self.mode, self.padding)


class RandomBrightness(nn.Module):
    """Adds to an image in training, by parts of the range of values between low and high."""

    def __init__(self, low, high, value_range=(0, 255)):
        super().__init__()
        self.low, self.high, self.value_range = low, high, value_range

    def forward(self, x):
        if not self.training:
            return x
        start, end = self.value_range
        more = torch.empty(len(x), 1, 1, 1, device=x.device).uniform_(
            self.low, self.high
        )
        return (x + more * (end - start)).clamp(start, end)


def chances(x, low, high):
    """A number between low and high for each image."""
    return torch.empty(len(x), 1, 1, 1, device=x.device).uniform_(low, high)


class RandomSaturation(nn.Module):
    """Makes the colours of an image paler (below 0.5) or stronger in training."""

    def __init__(self, low, high, value_range=(0, 255)):
        super().__init__()
        self.low, self.high, self.value_range = low, high, value_range

    def forward(self, x):
        if not self.training:
            return x
        factor = chances(x, self.low, self.high)
        top = x.amax(1, keepdim=True)
        spread = top - x.amin(1, keepdim=True)
        # the saturation, spread / top, stays in the range of values
        low, high = (
            top.clamp(min=0) / spread.clamp(min=1e-12) * end for end in self.value_range
        )
        return top - (factor / (1 - factor + 1e-7)).clamp(low, high) * (top - x)


class RandomHue(nn.Module):
    """Turns an image's colours by half of a part of the colour wheel, either way, in training."""

    def __init__(self, low, high, value_range=(0, 255)):
        super().__init__()
        self.low, self.high, self.value_range = low, high, value_range

    def forward(self, x):
        if not self.training:
            return x
        turn = chances(x, self.low, self.high) / 2
        turn = torch.where(chances(x, 0, 1) > 0.5, -turn, turn)
        start, end = self.value_range
        x = (x - start) / (end - start)
        red, green, blue = x.unbind(1)
        top, low = x.amax(1), x.amin(1)
        spread = top - low
        other = torch.where(
            green == top, (blue - red) / spread + 2, (red - green) / spread + 4
        )
        hue = torch.where(red == top, (green - blue) / spread, other)
        hue = torch.where((spread > 0) & (top > 0), hue, 0) + 6 * turn.squeeze(1)
        places = (hue.unsqueeze(1) + x.new_tensor([5, 3, 1]).view(3, 1, 1)) % 6
        shares = torch.minimum(places, 4 - places).clamp(0, 1)
        x = top.unsqueeze(1) - spread.unsqueeze(1) * shares
        return x.clamp(0, 1) * (end - start) + start


class RandomSharpness(nn.Module):
    """Blurs (below 0.5) or sharpens an image in training."""

    def __init__(self, low, high, value_range=(0, 255)):
        super().__init__()
        self.low, self.high, self.value_range = low, high, value_range

    def forward(self, x):
        if not self.training:
            return x
        channels = x.shape[1]
        kernel = x.new_ones(channels, 1, 3, 3) / 13
        kernel[:, :, 1, 1] = 5 / 13
        smooth = F.conv2d(x, kernel, padding=1, groups=channels)
        x = smooth + 2 * chances(x, self.low, self.high) * (x - smooth)
        return x.clamp(*self.value_range)


class RandomErasing(nn.Module):
    """Covers a rectangle of an image in training, by a chance; with noise, if by no value.

    scale: the squares of its parts of the height and the width.
    """

    def __init__(
        self, factor=(0, 1), scale=(0.02, 0.33), fill_value=None, value_range=(0, 255)
    ):
        super().__init__()
        self.factor, self.scale = factor, scale
        self.fill_value, self.value_range = fill_value, value_range

    def forward(self, x):
        if not self.training:
            return x
        inside = torch.rand(len(x), 1, 1, 1, device=x.device)
        inside = inside < torch.empty_like(inside).uniform_(*self.factor)
        for dim in (3, 2):
            places = torch.arange(x.shape[dim], device=x.device).view(
                -1, *[1] * (3 - dim)
            )
            length = (
                torch.empty_like(inside, dtype=x.dtype).uniform_(*self.scale).sqrt()
            )
            length = length * x.shape[dim]
            start = torch.rand_like(length) * (x.shape[dim] - length)
            inside = inside & (places >= start) & (places < start + length)
        value = torch.randn_like(x) * self.value_range[1]
        if self.fill_value is not None:
            value = torch.full_like(x, self.fill_value)
        return torch.where(inside, value.clamp(*self.value_range), x)


def grey(x):
    """How bright the places of an RGB image are."""
    if x.shape[1] == 1:
        return x
    return (x * x.new_tensor([0.2989, 0.5870, 0.1140]).view(3, 1, 1)).sum(
        1, keepdim=True
    )


class RandomGrayscale(nn.Module):
    """Takes the colour out of an image in training, by a chance."""

    def __init__(self, factor=0.5):
        super().__init__()
        self.factor = factor

    def forward(self, x):
        if not self.training:
            return x
        return torch.where(chances(x, 0, 1) < self.factor, grey(x), x)


class RandomGaussianBlur(nn.Module):
    """Blurs an image in training by a chance; how much, down and across, a batch has in common."""

    def __init__(
        self, factor=(0, 1), sigma=(0, 1), kernel_size=3, value_range=(0, 255)
    ):
        super().__init__()
        self.factor, self.sigma, self.value_range = factor, sigma, value_range
        self.kernel_size = kernel_size

    def forward(self, x):
        if not self.training:
            return x
        channels, size = x.shape[1], self.kernel_size
        sigma = torch.empty(2, 1, device=x.device).uniform_(*self.sigma) + 1e-6
        places = torch.arange(size, device=x.device) - (size - 1) / 2
        across, down = torch.softmax(-0.5 * (places / sigma) ** 2, 1)
        kernel = torch.outer(down, across).expand(channels, 1, size, size)
        blurred = F.conv2d(x, kernel, padding=size // 2, groups=channels)
        chosen = chances(x, 0, 1) < chances(x, *self.factor)
        return torch.where(chosen, blurred, x).clamp(*self.value_range)


class Solarization(nn.Module):
    """Adds to an image in training, and turns what reaches a threshold into its negative.

    Both are parts of the range of values.
    """

    def __init__(self, addition=(0, 0), threshold=(0, 0), value_range=(0, 255)):
        super().__init__()
        self.addition, self.threshold, self.value_range = (
            addition,
            threshold,
            value_range,
        )

    def forward(self, x):
        if not self.training:
            return x
        # Keras takes the lower limits as they are, the upper ones as parts of 255
        more, least = (
            chances(x, a, 255 * b) for a, b in (self.addition, self.threshold)
        )
        start, end = self.value_range
        x = ((x - start) / (end - start) * 255 + more).clamp(0, 255)
        return torch.where(x < least, x, 255 - x) / 255 * (end - start) + start


class AutoContrast(nn.Module):
    """Stretches each channel of an image over the range of values."""

    def __init__(self, value_range=(0, 255)):
        super().__init__()
        self.value_range = value_range

    def forward(self, x):
        start, end = self.value_range
        low, high = x.amin((2, 3), keepdim=True), x.amax((2, 3), keepdim=True)
        stretched = (x - low) / (high - low) * (end - start) + start
        return torch.where(high > low, stretched, x)


def init_weights(module):
    """Keras's initial values: Glorot uniform kernels, zero biases."""
    if isinstance(module, (nn.Conv2d, nn.Linear)):
        nn.init.xavier_uniform_(module.weight)
        nn.init.zeros_(module.bias)


class Augment(nn.Module):
    def __init__(self):
        super().__init__()
        self.layers = nn.Sequential(
            RandomShear((-0.2, 0.2)),
            nn.Sequential(
                RandomBrightness(-0.1, 0.1),
                RandomSaturation(-0.2, 0.2),
                RandomHue(0, 0.05),
            ),
            RandomSharpness(0, 0.6),
            RandomErasing((0, 0.5), (0.02, 0.1), fill_value=0),
        )

    def forward(self, x):
        x = self.layers(x.permute(0, 3, 1, 2))  # NHWC -> NCHW
        return x.permute(0, 2, 3, 1)  # NCHW -> NHWC


augment = Augment()


class Model(L.LightningModule):
    def __init__(self, augment):
        super().__init__()
        self.augment = augment
        self.block = nn.Sequential(
            RandomGrayscale(0.2),
            RandomGaussianBlur((0, 0.5), (0.1, 1.0), kernel_size=5),
            Solarization(threshold=(0, 0.1)),
            AutoContrast(),
            nn.Upsample(size=(16, 16), mode="bilinear"),
        )
        self.features = nn.Sequential(
            nn.Conv2d(3, 8, 3),
            nn.ReLU(),
            nn.MaxPool2d((2, 2)),
        )
        self.dense = nn.Linear(7 * 7 * 8, NUM_CLASSES)
        for layer in (self.features, self.dense):
            layer.apply(init_weights)

    def forward(self, x):
        x = self.augment(x)
        x = self.block(x.permute(0, 3, 1, 2))  # NHWC -> NCHW
        x = self.features(x * (1 / 255))
        x = x.permute(0, 2, 3, 1).flatten(1)  # flattened in Keras's order
        return self.dense(x)  # logits: the softmax is in the loss

    def step(self, batch):
        x, y = batch
        logits = self(x)
        loss = F.cross_entropy(logits, y)
        accuracy = tm.accuracy(logits, y, task="multiclass", num_classes=NUM_CLASSES)
        logs = {"loss": loss, "accuracy": accuracy}
        self.log_dict(logs, on_step=False, on_epoch=True, prog_bar=True)
        return loss

    def training_step(self, batch, batch_idx):
        return self.step(batch)

    def test_step(self, batch, batch_idx):
        self.step(batch)

    def configure_optimizers(self):
        return torch.optim.SGD(self.parameters(), lr=0.05, momentum=0.9)


def make_loader(*arrays, batch_size=32, shuffle=False):
    """The DataLoader draws row numbers; the rows are cut out of the arrays a batch at a time."""

    def cut(rows):
        return [torch.as_tensor(array[rows]) for array in arrays]

    return DataLoader(range(len(arrays[0])), batch_size, shuffle, collate_fn=cut)


class History(L.Callback):
    """The epoch values by name, like the History that Keras's fit returns."""

    def __init__(self):
        self.history = {}

    def on_train_epoch_end(self, trainer, model):
        for name, value in trainer.callback_metrics.items():
            self.history.setdefault(name, []).append(value.item())


model = Model(augment)
history = History()
trainer = L.Trainer(
    max_epochs=3,
    callbacks=[history],
    logger=False,
    enable_checkpointing=False,
    enable_model_summary=False,
    num_sanity_val_steps=0,
)
trainer.fit(model, make_loader(images[:128], labels[:128], batch_size=16, shuffle=True))
print(history.history["accuracy"])
print(
    list(
        trainer.test(model, make_loader(images[128:], labels[128:]), verbose=False)[
            0
        ].values()
    )
)
