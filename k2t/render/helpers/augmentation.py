"""Images changed by chance in training, each in its own way, as Keras's layers of these names do.

Tensors are (batch, channels, height, width).
"""

import math

import torch
import torch.nn.functional as F
from torch import nn


class RandomFlip(nn.Module):
    """Mirrors an image in training, by a chance of one half for each direction."""

    def __init__(self, mode="horizontal_and_vertical"):
        super().__init__()
        self.dims = [dim for dim, word in ((3, "horizontal"), (2, "vertical")) if word in mode]

    def forward(self, x):
        for dim in self.dims if self.training else ():
            chosen = torch.rand(len(x), 1, 1, 1, device=x.device) < 0.5
            x = torch.where(chosen, x.flip(dim), x)
        return x


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


class RandomTranslation(nn.Module):
    """Moves an image down and to the right in training, by parts of its height and width."""

    def __init__(self, height, width, mode="bilinear", padding="reflection"):
        super().__init__()
        self.height, self.width, self.mode, self.padding = height, width, mode, padding

    def forward(self, x):
        if not self.training:
            return x
        down = torch.empty(len(x), device=x.device).uniform_(*self.height)
        right = torch.empty(len(x), device=x.device).uniform_(*self.width)
        one, zero = torch.ones_like(down), torch.zeros_like(down)
        rows = [one, zero, -2 * right, zero, one, -2 * down]
        return warp(x, torch.stack(rows, 1).view(-1, 2, 3), self.mode, self.padding)


def warp(x, theta, mode, padding):
    """The images seen through an affine map from places of the output to those of the input."""
    grid = F.affine_grid(theta.to(x.dtype), x.shape, align_corners=False)
    return F.grid_sample(x, grid, mode, padding, align_corners=False)


class RandomContrast(nn.Module):
    """Takes an image's channels nearer to their means or away from them in training."""

    def __init__(self, low, high, value_range=(0, 255)):
        super().__init__()
        self.low, self.high, self.value_range = low, high, value_range

    def forward(self, x):
        if not self.training:
            return x
        factor = torch.empty(len(x), 1, 1, 1, device=x.device).uniform_(1 - self.low, 1 + self.high)
        mean = x.mean((2, 3), keepdim=True)
        return ((x - mean) * factor + mean).clamp(*self.value_range)


class RandomBrightness(nn.Module):
    """Adds to an image in training, by parts of the range of values between low and high."""

    def __init__(self, low, high, value_range=(0, 255)):
        super().__init__()
        self.low, self.high, self.value_range = low, high, value_range

    def forward(self, x):
        if not self.training:
            return x
        start, end = self.value_range
        more = torch.empty(len(x), 1, 1, 1, device=x.device).uniform_(self.low, self.high)
        return (x + more * (end - start)).clamp(start, end)
