"""Colours of images changed by chance in training, each image in its own way, as Keras's layers of
these names do.

Tensors are (batch, channels, height, width).
"""

import torch
import torch.nn.functional as F
from torch import nn


def chances(x, low, high):
    """A number between low and high for each image."""
    return torch.empty(len(x), 1, 1, 1, device=x.device).uniform_(low, high)


def grey(x):
    """How bright the places of an RGB image are."""
    if x.shape[1] == 1:
        return x
    return (x * x.new_tensor([0.2989, 0.5870, 0.1140]).view(3, 1, 1)).sum(1, keepdim=True)


class RandomGrayscale(nn.Module):
    """Takes the colour out of an image in training, by a chance."""

    def __init__(self, factor=0.5):
        super().__init__()
        self.factor = factor

    def forward(self, x):
        if not self.training:
            return x
        return torch.where(chances(x, 0, 1) < self.factor, grey(x), x)


class RandomInvert(nn.Module):
    """Turns an image into its negative in training, by a chance between low and high."""

    def __init__(self, low, high, value_range=(0, 255)):
        super().__init__()
        self.low, self.high, self.value_range = low, high, value_range

    def forward(self, x):
        if not self.training:
            return x
        chosen = chances(x, 0, 1) < chances(x, self.low, self.high)
        return torch.where(chosen, self.value_range[1] - x, x)


class RandomColorDegeneration(nn.Module):
    """Takes part of the colour out of an image in training: 0 nothing, 1 all of it."""

    def __init__(self, low, high, value_range=(0, 255)):
        super().__init__()
        self.low, self.high, self.value_range = low, high, value_range

    def forward(self, x):
        if not self.training:
            return x
        x = torch.lerp(x, grey(x).expand_as(x), chances(x, self.low, self.high))
        return x.clamp(*self.value_range)


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


class RandomPosterization(nn.Module):
    """Leaves the colours of an image that many bits in training, from low up to below high."""

    def __init__(self, low, high, value_range=(0, 255)):
        super().__init__()
        self.low, self.high, self.value_range = low, high, value_range

    def forward(self, x):
        if not self.training:
            return x
        bits = torch.randint(self.low, max(self.high, self.low + 1), (len(x), 1, 1, 1))
        step = 2.0 ** (8 - bits.to(x.device))
        start, end = self.value_range
        x = (x - start) / (end - start) * 255
        return (x / step).floor() * step / 255 * (end - start) + start


class Solarization(nn.Module):
    """Adds to an image in training, and turns what reaches a threshold into its negative.

    Both are parts of the range of values.
    """

    def __init__(self, addition=(0, 0), threshold=(0, 0), value_range=(0, 255)):
        super().__init__()
        self.addition, self.threshold, self.value_range = addition, threshold, value_range

    def forward(self, x):
        if not self.training:
            return x
        # Keras takes the lower limits as they are, the upper ones as parts of 255
        more, least = (chances(x, a, 255 * b) for a, b in (self.addition, self.threshold))
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
        low, high = (top.clamp(min=0) / spread.clamp(min=1e-12) * end for end in self.value_range)
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
        other = torch.where(green == top, (blue - red) / spread + 2, (red - green) / spread + 4)
        hue = torch.where(red == top, (green - blue) / spread, other)
        hue = torch.where((spread > 0) & (top > 0), hue, 0) + 6 * turn.squeeze(1)
        places = (hue.unsqueeze(1) + x.new_tensor([5, 3, 1]).view(3, 1, 1)) % 6
        shares = torch.minimum(places, 4 - places).clamp(0, 1)
        x = top.unsqueeze(1) - spread.unsqueeze(1) * shares
        return x.clamp(0, 1) * (end - start) + start


class RandomGaussianBlur(nn.Module):
    """Blurs an image in training by a chance; how much, down and across, a batch has in common."""

    def __init__(self, factor=(0, 1), sigma=(0, 1), kernel_size=3, value_range=(0, 255)):
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
