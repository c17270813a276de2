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


class RandomCrop(nn.Module):
    """Cuts the same window out of all images of a batch in training; whole images come out else."""

    def __init__(self, height, width):
        super().__init__()
        self.height, self.width = height, width

    def forward(self, x):
        if not self.training:
            return x
        top = int(torch.randint(x.shape[2] - self.height + 1, ()))
        left = int(torch.randint(x.shape[3] - self.width + 1, ()))
        return x[:, :, top : top + self.height, left : left + self.width]


class RandomErasing(nn.Module):
    """Covers a rectangle of an image in training, by a chance; with noise, if by no value.

    scale: the squares of its parts of the height and the width.
    """

    def __init__(self, factor=(0, 1), scale=(0.02, 0.33), fill_value=None, value_range=(0, 255)):
        super().__init__()
        self.factor, self.scale = factor, scale
        self.fill_value, self.value_range = fill_value, value_range

    def forward(self, x):
        if not self.training:
            return x
        inside = torch.rand(len(x), 1, 1, 1, device=x.device)
        inside = inside < torch.empty_like(inside).uniform_(*self.factor)
        for dim in (3, 2):
            places = torch.arange(x.shape[dim], device=x.device).view(-1, *[1] * (3 - dim))
            length = torch.empty_like(inside, dtype=x.dtype).uniform_(*self.scale).sqrt()
            length = length * x.shape[dim]
            start = torch.rand_like(length) * (x.shape[dim] - length)
            inside = inside & (places >= start) & (places < start + length)
        value = torch.randn_like(x) * self.value_range[1]
        if self.fill_value is not None:
            value = torch.full_like(x, self.fill_value)
        return torch.where(inside, value.clamp(*self.value_range), x)
