"""Subclasses of torch layers that compute what the Keras layer of that name computes.

Tensors are (batch, channels, ...) for convolutions and pooling, (batch, time, features) for RNNs.
"""
# ruff: noqa: B905

import torch
import torch.nn.functional as F
from torch import nn
from torch.nn.modules.utils import _pair, _single


class SameConv1d(nn.Conv1d):
    """Conv1d with Keras's "same" padding: it follows the input size, an odd step goes last."""

    def forward(self, x):
        (k,), (s,), (d,) = self.kernel_size, self.stride, self.dilation
        pad = max((k - 1) * d + 1 - s + -x.shape[2] % s, 0)
        return super().forward(F.pad(x, (pad // 2, pad - pad // 2)))


class SameConv2d(nn.Conv2d):
    """Conv2d with Keras's "same" padding: it follows the input size, an odd pixel goes last."""

    def forward(self, x):
        sizes = zip(x.shape[2:], self.kernel_size, self.stride, self.dilation)
        h, w = [max((k - 1) * d + 1 - s + -n % s, 0) for n, k, s, d in sizes]
        return super().forward(F.pad(x, (w // 2, w - w // 2, h // 2, h - h // 2)))


class CausalConv1d(nn.Conv1d):
    """Conv1d with Keras's "causal" padding: a step sees only itself and the steps before it."""

    def forward(self, x):
        return super().forward(F.pad(x, ((self.kernel_size[0] - 1) * self.dilation[0], 0)))


class SameMaxPool1d(nn.MaxPool1d):
    """MaxPool1d with Keras's "same" padding: it follows the input size, an odd step goes last."""

    def forward(self, x):
        (k,), (s,) = _single(self.kernel_size), _single(self.stride)
        pad = max(k - s + -x.shape[2] % s, 0)
        return super().forward(F.pad(x, (pad // 2, pad - pad // 2), value=-torch.inf))


class SameMaxPool2d(nn.MaxPool2d):
    """MaxPool2d with Keras's "same" padding: it follows the input size, an odd pixel goes last."""

    def forward(self, x):
        sizes = zip(x.shape[2:], _pair(self.kernel_size), _pair(self.stride))
        h, w = [max(k - s + -n % s, 0) for n, k, s in sizes]
        return super().forward(F.pad(x, (w // 2, w - w // 2, h // 2, h - h // 2), value=-torch.inf))


class SameAvgPool1d(nn.AvgPool1d):
    """AvgPool1d with Keras's "same" padding; padded steps do not count."""

    def forward(self, x):
        (k,), (s,) = _single(self.kernel_size), _single(self.stride)
        pad = max(k - s + -x.shape[2] % s, 0)
        pad = (pad // 2, pad - pad // 2)
        inside = super().forward(F.pad(torch.ones_like(x[:1, :1]), pad))
        return super().forward(F.pad(x, pad)) / inside


class SameAvgPool2d(nn.AvgPool2d):
    """AvgPool2d with Keras's "same" padding; padded pixels do not count."""

    def forward(self, x):
        sizes = zip(x.shape[2:], _pair(self.kernel_size), _pair(self.stride))
        h, w = [max(k - s + -n % s, 0) for n, k, s in sizes]
        pad = (w // 2, w - w // 2, h // 2, h - h // 2)
        inside = super().forward(F.pad(torch.ones_like(x[:1, :1]), pad))
        return super().forward(F.pad(x, pad)) / inside


class BatchNorm1d(nn.BatchNorm1d):
    """BatchNorm1d whose running variance is the biased one, as in Keras."""

    def forward(self, x):
        old = (1 - self.momentum) * self.running_var
        y = super().forward(x)
        if self.training:
            self.running_var = self.running_var.lerp(old, x.shape[1] / x.numel())
        return y


class BatchNorm2d(nn.BatchNorm2d):
    """BatchNorm2d whose running variance is the biased one, as in Keras."""

    def forward(self, x):
        old = (1 - self.momentum) * self.running_var
        y = super().forward(x)
        if self.training:
            self.running_var = self.running_var.lerp(old, x.shape[1] / x.numel())
        return y


class BatchNorm3d(nn.BatchNorm3d):
    """BatchNorm3d whose running variance is the biased one, as in Keras."""

    def forward(self, x):
        old = (1 - self.momentum) * self.running_var
        y = super().forward(x)
        if self.training:
            self.running_var = self.running_var.lerp(old, x.shape[1] / x.numel())
        return y


def hard_sigmoid(x):
    """The hard sigmoid of Keras 2, flat beyond -2.5 and 2.5 (Keras 3's is F.hardsigmoid)."""
    return (0.2 * x + 0.5).clamp(0, 1)


def mean_cosine(rows):
    """How far rows are from orthogonal to each other: the mean of the cosines, without signs."""
    rows = F.normalize(rows)
    return (rows @ rows.T).triu(1).abs().sum() / (len(rows) * (len(rows) - 1) / 2)


class PReLU(nn.Module):
    """PReLU with a slope of its own for each feature, zero at first; shape is without the batch."""

    def __init__(self, *shape):
        super().__init__()
        self.weight = nn.Parameter(torch.zeros(shape))

    def forward(self, x):
        return x.relu() - self.weight * (-x).relu()


class GaussianNoise(nn.Module):
    """Adds noise of the given deviation, in training only."""

    def __init__(self, stddev):
        super().__init__()
        self.stddev = stddev

    def forward(self, x):
        return x + self.stddev * torch.randn_like(x) if self.training else x


class GaussianDropout(nn.Module):
    """Multiplies by noise of mean 1 and dropout's variance rate / (1 - rate), in training only."""

    def __init__(self, rate):
        super().__init__()
        self.stddev = (rate / (1 - rate)) ** 0.5

    def forward(self, x):
        return x * (1 + self.stddev * torch.randn_like(x)) if self.training else x


class ActivityPenalty(nn.Module):
    """Passes a tensor on and keeps the penalty of a sample, for the loss.

    Keras's activity_regularizer: function of the whole tensor, divided by the size of the batch.
    """

    def __init__(self, function):
        super().__init__()
        self.function = function

    def forward(self, x):
        self.value = self.function(x) / len(x)
        return x
