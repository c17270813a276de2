"""Keras's layers that learn from data how numbers go into a model."""

import numpy as np
import torch
from torch import nn


class Normalization(nn.Module):
    """Gives each place of an axis the mean 0 and the variance 1 of the data that `adapt` was given.

    As Keras's layer: axis 0 is the batch, None takes all numbers together. `invert` goes back.
    """

    def __init__(self, axis=-1, mean=0.0, variance=1.0, invert=False):
        super().__init__()
        self.axis, self.invert = axis, invert
        self.register_buffer("mean", torch.as_tensor(mean, dtype=torch.float32))
        self.register_buffer("variance", torch.as_tensor(variance, dtype=torch.float32))

    def adapt(self, data):
        data = np.asarray(data)
        kept = () if self.axis is None else np.ravel(self.axis) % data.ndim
        rest = tuple(axis for axis in range(data.ndim) if axis not in kept)
        self.mean = torch.tensor(data.mean(rest, keepdims=True), dtype=torch.float32)
        self.variance = torch.tensor(data.var(rest, keepdims=True), dtype=torch.float32)

    def forward(self, x):
        x = torch.as_tensor(x).float()
        deviation = self.variance.sqrt().clamp(min=1e-7)
        return x * deviation + self.mean if self.invert else (x - self.mean) / deviation


class Discretization(nn.Module):
    """The bin that each value is in, by its number; `adapt` makes bins of about equal counts."""

    def __init__(self, bin_boundaries=(), num_bins=None, epsilon=0.01):
        super().__init__()
        self.num_bins, self.epsilon = num_bins, epsilon
        self.register_buffer("bin_boundaries", torch.tensor(bin_boundaries, dtype=torch.float32))

    def adapt(self, data):
        values = np.sort(np.ravel(data).astype("float32"))
        step = max(len(values) * self.epsilon, 1)
        values = values[int(step - 1) :: int(step)]
        values, weights = spaced(values, np.full_like(values, step), self.epsilon)
        values, _ = spaced(values, weights, 1 / self.num_bins)
        self.bin_boundaries = torch.tensor(values[:-1])

    def forward(self, x):
        x = torch.as_tensor(x).float()
        return torch.bucketize(x, self.bin_boundaries, right=True)


def spaced(values, weights, share):
    """Values with equal shares of the weights between them, and what they weigh, as Keras does."""
    if len(values) * share < 1:
        return values, weights
    shares = share + np.arange(0.0, 1.0, share)
    total = weights.cumsum()
    places = total / total[-1]
    new = np.stack([np.interp(shares, places, values), np.interp(shares, places, total)])
    new[1] = np.diff(new[1], prepend=0)
    return new.astype("float32")
